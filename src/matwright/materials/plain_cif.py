"""A quick way through the commonest CIF: one ordered crystal written out atom by atom in P1.

Structure tables hold tens of thousands of these; a full CIF parser takes milliseconds for each. Whatever is not plainly
of this form is left to the full parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from matwright.elements import atomic_number
from matwright.errors import InputError
from matwright.materials.crystal import Crystal

_SYMBOL = re.compile(r"[A-Z][a-z]?")
_IDENTITY = "x,y,z"
_OPERATIONS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
_NUMBERS = ("_symmetry_int_tables_number", "_space_group_it_number")
_CELL = tuple(f"_cell_length_{axis}" for axis in "abc") + tuple(
    f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma")
)
_COLUMNS = ("_atom_site_type_symbol", "_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")

Loop = tuple[list[str], list[str]]
"""Column names in lower case and the lines of the rows."""


def plain_crystal(text: str) -> Crystal | None:
    """The crystal of a plain CIF, or None where the text needs the full parser (its atoms are not checked for overlap).

    Raises:
        InputError: the form is plain, but a number is not finite or the cell is impossible.
    """
    found = _items_and_loops(text)
    if found is None:
        return None
    items, loops = found
    atoms = next((loop for loop in loops if _COLUMNS[0] in loop[0]), None)
    if atoms is None or not _is_p1(items, loops) or any(name not in items for name in _CELL):
        return None
    try:
        sites = _sites(*atoms)
        cell = [float(items[name]) for name in _CELL]
    except (ValueError, InputError):
        return None
    if sites is None:
        return None
    numbers, coords = sites
    return Crystal(lattice=lattice_of(cell), frac_coords=coords, numbers=numbers)


def lattice_of(cell: Sequence[float]) -> NDArray[np.float64]:
    """(3, 3) rows a, b, c in Å from lengths (Å) and angles (degrees): c along z, a in the xz plane.

    Raises:
        InputError: a number is not finite or the angles close no cell.
    """
    a, b, c, *degrees = cell
    if not np.isfinite(cell).all() or min(a, b, c) <= 0:
        raise InputError("the lattice or a coordinate is not a finite number")
    alpha, beta, gamma = np.radians(degrees)
    x_b = (np.cos(gamma) - np.cos(alpha) * np.cos(beta)) / np.sin(beta)
    y_b_squared = np.sin(alpha) ** 2 - x_b**2
    if not y_b_squared > 1e-12:
        raise InputError("the cell has no volume (its angles close no cell)")
    return np.array(
        [
            [a * np.sin(beta), 0.0, a * np.cos(beta)],
            [b * x_b, b * np.sqrt(y_b_squared), b * np.cos(alpha)],
            [0.0, 0.0, c],
        ]
    )


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def _items_and_loops(text: str) -> tuple[Mapping[str, str], list[Loop]] | None:
    """Single items and loops of the one data block; None when there is more than that."""
    items: dict[str, str] = {}
    loops: list[Loop] = []
    blocks = 0
    for line in _lines(text):
        if line.startswith(";") or "symop_magn" in line:
            return None
        if line.startswith("_"):
            name, *value = line.split(None, 1)
            if loops and not value and not loops[-1][1]:
                loops[-1][0].append(name.lower())
            else:
                items[name.lower()] = value[0] if value else ""
        elif line.startswith("loop_"):
            loops.append(([], []))
        elif line.startswith("data_"):
            blocks += 1
        elif loops:
            loops[-1][1].append(line)
        else:
            return None
    return (items, loops) if blocks == 1 else None


def _is_p1(items: Mapping[str, str], loops: list[Loop]) -> bool:
    for names, rows in loops:
        if any(name in names for name in _OPERATIONS):
            row = rows[0].replace(" ", "").replace("'", "").replace('"', "") if len(rows) == 1 else ""
            return row.lstrip("1") == _IDENTITY
    stated = [items[name] for name in _NUMBERS if name in items]
    return bool(stated) and all(number == "1" for number in stated) and not any(name in items for name in _OPERATIONS)


def _sites(names: list[str], rows: list[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Numbers (n_sites,) and fractional coordinates (n_sites, 3); None where a site is not one whole element."""
    table = [row.split() for row in rows]
    if not table or any(name not in names for name in _COLUMNS) or any(len(row) != len(names) for row in table):
        return None
    kind, x, y, z = (names.index(name) for name in _COLUMNS)
    if "_atom_site_occupancy" in names:
        occupancy = names.index("_atom_site_occupancy")
        if any(float(row[occupancy]) != 1.0 for row in table):
            return None
    if not all(_SYMBOL.fullmatch(row[kind]) for row in table):
        return None
    numbers = np.array([atomic_number(row[kind]) for row in table], dtype=np.int64)
    return numbers, np.array([[float(row[x]), float(row[y]), float(row[z])] for row in table])
