"""A table read as a trained model knows such tables: its materials, conditions, and known values where it has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from matwright.api.inputs import known_inputs
from matwright.data.sources import Source, existing_columns, open_source
from matwright.materials.properties import PropertySpec
from matwright.units import parse_unit


def open_known_table(
    model: Path,
    path: Path,
    targets: Sequence[PropertySpec],
    *,
    columns: Mapping[str, str] | None = None,
    structure: str | None = None,
    formula: str | None = None,
    split_column: str | None = None,
) -> Source:
    """The source at `path`; a target that the model has learned as a logarithm is read from the value itself.

    Args:
        model: folder of a trained model.
        path: table, folder or database.
        targets: whose known values are read; each needs a column.
        columns: property name → column, where they differ.
        structure, formula: column of structures, or of formulas where there are none; None for those of the training.
        split_column: names each row's part of the split.

    Raises:
        InputError: a column is missing, or a cell cannot be what it should.
    """
    known = known_inputs(model)
    reading = known.reading.within(existing_columns(path))[0]
    if structure is not None or formula is not None:
        reading = replace(reading, structure=structure, formula=formula, percents=None, molecule=None)
    return open_source(
        path,
        targets=targets,
        columns=columns,
        logarithms=[spec.name for spec in targets if not spec.classes and parse_unit(spec.unit).logarithmic],
        reading=reading,
        schema=known.schema,
        split_column=split_column,
    )
