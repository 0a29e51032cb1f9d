"""The table of a distillation: its materials as the model reads them, and known values where it has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matwright.api.known_table import open_known_table
from matwright.data.sources import Source, existing_columns
from matwright.errors import InputError
from matwright.materials.properties import ColumnText, PropertySpec, nearest_hint

if TYPE_CHECKING:
    from matwright.api.predict import Predictor


def table_of(
    predictor: Predictor,
    path: Path,
    name: str,
    *,
    structure: str | None = None,
    formula: str | None = None,
    truth: str | None = None,
) -> Source:
    """The source at `path`, with the known values of the property where it has a column for them.

    Args:
        predictor: the model.
        path: table, folder or database.
        name: of the property.
        structure, formula: column of structures, or of formulas where there are none.
        truth: "column:unit" of the known values; None takes the column named as the property, in the model's unit.

    Raises:
        InputError: a column is missing, or the unit does not fit the property.
    """
    spec = predicted_number(predictor, name)
    stated = ColumnText.parse(truth) if truth is not None else None
    if stated is not None and stated.unit != spec.unit:
        raise InputError(f"known values of {name} are in the model's unit: write --truth 'column:{spec.unit}'")
    return open_known_table(
        predictor.folder,
        path,
        (spec,) if stated is not None or name in existing_columns(path) else (),
        columns={} if stated is None else {name: stated.column},
        structure=structure,
        formula=formula,
    )


def predicted_number(predictor: Predictor, name: str) -> PropertySpec:
    """The property of that name.

    Raises:
        InputError: the model does not predict it, or it is a class.
    """
    spec = predictor.specs.get(name)
    if spec is None:
        known = ", ".join(predictor.specs)
        raise InputError(
            f"{predictor.name} does not predict {name!r}{nearest_hint(name, predictor.specs)}; it predicts {known}"
        )
    if spec.classes:
        raise InputError(f"{name} is a class; a formula gives numbers only")
    return spec
