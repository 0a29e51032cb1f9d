"""What a model is asked about: structure files, folders, tables and formulas, each under its conditions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self, final

from matwright.data.record import RawRow, StructureKind
from matwright.data.sources import existing_columns, is_frames, open_source
from matwright.data.sources.bundle import is_archive
from matwright.data.sources.cells import table_format
from matwright.data.sources.reading import Reading
from matwright.errors import InputError
from matwright.materials.conditions import Conditions, ConditionSchema

if TYPE_CHECKING:
    from matwright.models.checkpoint import ModelFile


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KnownInputs:
    """What a model knows of tables like those it was trained on.

    Attributes:
        reading: the columns that it was trained on.
        schema: the conditions that it knows, None for none.
    """

    reading: Reading
    schema: ConditionSchema | None

    @classmethod
    def of(cls, described: ModelFile) -> Self:
        """What a model's file says of it; a model without a word on it knows no column."""
        said = described.facts.get("reading")
        reading = Reading() if said is None else Reading.from_dict(said)
        return cls(reading=reading, schema=described.config.conditions)


def known_inputs(name_or_path: str | Path) -> KnownInputs:
    """Return what a trained model knows of its inputs: a shipped one by name, or a run folder of `train`.

    Raises:
        InputError: there is no such model, or it is broken or no property model.
    """
    from matwright.api.models import find_model
    from matwright.models.checkpoint import read_model_file  # heavy (torch): behind its door

    return KnownInputs.of(read_model_file(find_model(name_or_path)))


def read_inputs(
    paths: Sequence[Path],
    *,
    known: KnownInputs | None = None,
    formulas: Sequence[str] = (),
    structure: str | None = None,
    structures: Path | None = None,
    id_column: str | None = None,
    conditions: Conditions | None = None,
) -> Iterator[RawRow]:
    """Return the materials in some files, not yet parsed: structure files, folders of them, tables, and formulas.

    Every path is checked before the first row is read. Conditions come encoded in the schema of the model; a word that
    it does not know is a problem of its row.

    Args:
        paths: structure files, folders or archives of them, tables.
        known: what the model knows; a table with its columns is read like the one it was trained on.
        formulas: "Li7La3Zr2O12", each one material.
        structure: the column of a table that holds texts of structures or paths, where it is another than the model's.
        structures: folder or ZIP archive of the structures that this column names.
        id_column: the column of a table that names the materials.
        conditions: hold for every material, instead of what a table says.

    Raises:
        InputError: a path does not exist, a folder holds no structure, or a table lacks the columns or needs one named.
    """
    if not paths and not formulas:
        raise InputError("there is nothing to predict: name structure files, folders or tables, or a formula")
    model = known or KnownInputs(reading=Reading(), schema=None)
    said = [_of_formula(text, number) for number, text in enumerate(formulas, start=1)]
    rows = chain(said, chain.from_iterable([_open(path, model, structure, structures, id_column) for path in paths]))
    return (_under(row, model.schema, conditions) for row in rows)


def _of_formula(text: str, number: int) -> RawRow:
    return RawRow(id=text, file="formula", number=number, kind=StructureKind.FORMULA, payload=text)


def _under(row: RawRow, schema: ConditionSchema | None, given: Conditions | None) -> RawRow:
    """The row with a place for every condition of the schema, and with those that are given."""
    if schema is None:
        return replace(row, conditions=(), steps=())
    stated = row.conditions or (math.nan,) * len(schema.columns)
    if given is None:
        return replace(row, conditions=stated)
    pairs = zip(schema.encode(given), stated, strict=True)
    return replace(
        row,
        conditions=tuple(old if math.isnan(new) else new for new, old in pairs),
        steps=schema.encode_steps(given) or row.steps,
    )


def _open(
    path: Path, model: KnownInputs, structure: str | None, structures: Path | None, id_column: str | None
) -> Iterator[RawRow]:
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_dir() or is_archive(path) or path.suffix.lower() == ".db":
        return open_source(path, structure=structure, id_column=id_column).rows()
    if is_frames(path):
        try:
            return _frames(path)
        except InputError as problem:  # one bad file is a bad row; the others go on
            row = RawRow(id=path.name, file=str(path), number=1, kind=StructureKind.PATH, payload=str(path))
            return iter([replace(row, problem=str(problem))])
    kind = table_format(path)
    if kind is None or (kind == "json" and structure is None and not _fits(path, model.reading)):
        return iter([RawRow(id=path.name, file=str(path), number=1, kind=StructureKind.PATH, payload=str(path))])
    reading = _reading(path, model.reading, structure)
    return open_source(path, reading=reading, id_column=id_column, schema=model.schema, structures=structures).rows()


def _frames(path: Path) -> Iterator[RawRow]:
    """The frames of an XYZ file, named by it and, where there are several, by their number."""
    rows = open_source(path).rows()
    first, second = next(rows), next(rows, None)
    if second is None:
        return iter([replace(first, id=path.name)])
    return (replace(row, id=f"{path.name}#{row.number}") for row in chain((first, second), rows))


def _fits(path: Path, reading: Reading) -> bool:
    """Whether a JSON file is a table that says what materials are as the model's did, and not one structure."""
    try:
        return reading.says_what and _material_columns(reading) <= set(existing_columns(path))
    except InputError:
        return False


def _reading(path: Path, known: Reading, structure: str | None) -> Reading:
    """How the table is read; a condition without a column in it is unknown, as `RangeWatch` says."""
    columns = existing_columns(path)
    if structure is not None:
        known = replace(known, structure=structure, formula=None, percents=None, molecule=None)
    elif not known.says_what or not _material_columns(known) <= set(columns):
        raise InputError(f"{path} is a table; name the column that holds the structures with --structure")
    return known.within(columns)[0]


def _material_columns(reading: Reading) -> set[str]:
    """The columns that say what a material is."""
    return set(replace(reading, conditions=(), steps=None, id_column=None).named())
