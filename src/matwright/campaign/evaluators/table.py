"""Tables of values by structure: what a lookup reads, and what an experimenter fills in.

A CSV file with a column `structure` (address of the structure), any descriptive columns (`formula`, `cif`), and one
column "name [unit]" a quantity, with "name.std [unit]" for its standard deviation. An empty cell is a value not known.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

from matwright.campaign.evaluator import Quantity
from matwright.errors import InputError
from matwright.serialization import atomic_write_text
from matwright.units import parse_unit

STRUCTURE = "structure"
STD = ".std"
_HEADING = re.compile(r"^(?P<name>[^\[\]]+?)\s*\[(?P<unit>[^\[\]]+)\]$")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTable:
    """A table of values.

    Attributes:
        units: unit of each quantity, by name.
        rows: address of a structure → quantity by name; a structure whose cells are empty has an empty row.
        described: address → the cells of the other columns.
    """

    units: Mapping[str, str]
    rows: Mapping[str, Mapping[str, Quantity]]
    described: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a table.

        Raises:
            InputError: it is missing, has no column `structure` or no quantity, or a cell that is no number; the
                message names file and row.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as problem:
            raise InputError(f"{path} cannot be read: {problem}") from problem
        reader = csv.DictReader(io.StringIO(text, newline=""))
        headings = reader.fieldnames or []
        columns = {heading: found for heading in headings if (found := _HEADING.match(heading.strip()))}
        if STRUCTURE not in headings or not columns:
            raise InputError(f"{path} needs a column {STRUCTURE!r} and one 'name [unit]' for each quantity")
        rows: dict[str, Mapping[str, Quantity]] = {}
        described: dict[str, Mapping[str, str]] = {}
        for number, row in enumerate(reader, start=2):
            address = (row[STRUCTURE] or "").strip()
            if address in rows:
                raise InputError(f"{path}, row {number}: the structure {address} stands there twice")
            cells = {found["name"]: (row[name] or "").strip() for name, found in columns.items()}
            units = {found["name"]: found["unit"] for found in columns.values()}
            rows[address] = _quantities(cells, units, f"{path}, row {number}")
            described[address] = {name: row[name] or "" for name in headings if name not in columns}
        named = {found["name"]: found["unit"] for found in columns.values() if not found["name"].endswith(STD)}
        for unit in named.values():
            parse_unit(unit)
        return cls(units=named, rows=rows, described=described)

    def write(self, path: Path) -> None:
        """Write the table, whole or not at all."""
        extra = list(dict.fromkeys(name for cells in self.described.values() for name in cells if name != STRUCTURE))
        atomic_write_text(path, _csv([STRUCTURE, *extra, *self._headings()], self._lines(extra)))

    def _headings(self) -> list[str]:
        return [f"{name}{suffix} [{unit}]" for name, unit in self.units.items() for suffix in ("", STD)]

    def _lines(self, extra: Sequence[str]) -> Iterable[list[str]]:
        for address, values in self.rows.items():
            cells = self.described.get(address, {})
            numbers = [
                "" if number is None else repr(float(number))
                for name in self.units
                for number in _numbers(values.get(name))
            ]
            yield [address, *(cells.get(name, "") for name in extra), *numbers]


def parse_heading(text: str) -> tuple[str, str]:
    """Name and unit of a heading "name [unit]".

    Raises:
        InputError: it is of another form, or there is no such unit.
    """
    found = _HEADING.match(text.strip())
    if found is None:
        raise InputError(f"a quantity is written 'name [unit]', found {text!r}")
    parse_unit(found["unit"])
    return found["name"], found["unit"]


def _numbers(quantity: Quantity | None) -> tuple[float | None, float | None]:
    return (None, None) if quantity is None else (quantity.value, quantity.std)


def _quantities(cells: Mapping[str, str], units: Mapping[str, str], where: str) -> dict[str, Quantity]:
    found: dict[str, Quantity] = {}
    for name, cell in cells.items():
        if name.endswith(STD) or not cell:
            continue
        std = cells.get(name + STD, "")
        found[name] = Quantity(
            value=_number(cell, f"{where}, {name}"),
            unit=units[name],
            std=_number(std, f"{where}, {name}{STD}") if std else None,
        )
    return found


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {cell!r} is not a number")
    return value


def _csv(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(lines)
    return stream.getvalue()
