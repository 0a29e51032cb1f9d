"""A user's own table of structures and values, made into the table that a lookup answers from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from matwright.api.inputs import read_inputs
from matwright.campaign.evaluator import Quantity
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.store.address import structure_hash
from matwright.data.record import parse_row
from matwright.data.sources.cells import read_cells
from matwright.errors import InputError, MatwrightError
from matwright.materials.crystal import Crystal
from matwright.materials.properties import nearest_hint
from matwright.units import parse_unit

_QUANTITY = re.compile(r"^(?:(?P<name>[A-Za-z_]\w*)\s*=\s*)?(?P<column>.+?)\s*\[(?P<unit>[^\[\]]+)\]$")


def lookup_table(path: Path, structure: str, quantities: Sequence[str]) -> Path:
    """The table of values by structure that a table of structures holds; it is written beside that one.

    Rows whose structure cannot be used, or that are without a value, are left out: a lookup refuses such a candidate.
    Of rows with one structure the first counts.

    Args:
        path: a table with a column of structures.
        structure: that column.
        quantities: "name=column [unit]", or "name [unit]" where the column has the name.

    Raises:
        InputError: the table cannot be read, a column is missing, or no row can be used.
    """
    wanted = [_quantity(text) for text in quantities]
    units = {name: unit for name, _, unit in wanted}
    rows: dict[str, Mapping[str, Quantity]] = {}
    for raw, cells in zip(read_inputs([path], structure=structure), read_cells(path), strict=True):
        for _, column, _ in wanted:
            if column not in cells:
                raise InputError(f"{path} has no column {column!r}{nearest_hint(column, cells)}")
        try:
            crystal = parse_row(raw)
        except MatwrightError:
            continue
        values = {
            name: Quantity(value=number, unit=unit)
            for name, column, unit in wanted
            if (number := _number(cells[column])) is not None
        }
        if isinstance(crystal, Crystal) and values:
            rows.setdefault(structure_hash(crystal), values)
    if not rows:
        raise InputError(f"no row of {path} has a structure and a value of {', '.join(units)}")
    target = path.with_name(f"{path.name.partition('.')[0]}.{'-'.join(units)}.values.csv")
    ValueTable(units=units, rows=rows, described={}).write(target)
    return target


def _quantity(text: str) -> tuple[str, str, str]:
    found = _QUANTITY.match(text.strip())
    if found is None:
        raise InputError(f"a quantity is written 'name=column [unit]' or 'name [unit]', found {text!r}")
    parse_unit(found["unit"])
    return found["name"] or found["column"], found["column"], found["unit"]


def _number(cell: object) -> float | None:
    """The number in a cell, None where there is none."""
    try:
        value = float(str(cell))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
