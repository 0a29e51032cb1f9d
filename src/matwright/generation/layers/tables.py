"""The 80 layer groups in one standard setting: operations, Wyckoff positions, lattice parameters.

A layer group has two periods, a and b; its third axis stands upright on the layer and has none, so that heights are
lengths and not fractions. The setting is that of the International Tables for Crystallography, volume E: axis a for
the rectangular monoclinic groups, cell choice 1 for groups 5 and 7, origin choice 2 for groups 52, 62 and 64. The
numbers are facts read once from `layer_groups.json` (built by scripts/build_layer_table.py, which states their
sources) and kept as integers in units of 1/24, so every operation is exact.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, final

import numpy as np

from matwright.errors import InputError
from matwright.generation.wyckoff.tables import LETTERS, Floats, Integers, orbit_maps

N_LAYER_GROUPS = 80
_PRIMITIVE_ROWS = {"p": ((6, 0, 0), (0, 6, 0), (0, 0, 6)), "c": ((3, -3, 0), (3, 3, 0), (0, 0, 6))}
"""Rows of the primitive cell in units of a sixth of the conventional ones."""
_PARAMETERS = {
    "oblique": ("a", "b", "gamma"),
    "rectangular": ("a", "b"),
    "square": ("a",),
    "hexagonal": ("a",),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerPosition:
    """One Wyckoff position of one layer group.

    Attributes:
        index: place in the group's list, 0 for letter a; the general position is last.
        letter: Wyckoff letter.
        multiplicity: points in the conventional cell.
        n_atoms: points in the primitive cell.
        dof: number of free coordinates, 0..3.
        height: which of them is the height (in Å; the others are fractions of a and b); None where the position lies in
            the plane z = 0.
        site_symmetry: symbol of the site-symmetry group.
        operations: (multiplicity, 3, 4) exact affine maps: point k is operations[k] @ (free padded with 0 to 3, 1); its
            first two coordinates are fractions of a and b, the third is in Å. operations[0] is the representative.
        primitive_operations: (n_atoms, 3, 4), the same for one point of each primitive cell, in its fractions.
    """

    index: int
    letter: str
    multiplicity: int
    n_atoms: int
    dof: int
    height: int | None
    site_symmetry: str
    operations: Floats
    primitive_operations: Floats


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerGroup:
    """One layer group in the standard setting.

    Attributes:
        number: 1..80.
        symbol: Hermann-Mauguin symbol.
        system: "oblique", "rectangular", "square" or "hexagonal".
        lattice_parameters: names of the free lattice parameters in order (a, b in Å, gamma in degrees).
        rotations, translations: (order, 3, 3) and (order, 3) in 24ths, without centring.
        positions: the Wyckoff positions, a first, the general one last.
        primitive_rows: (3, 3) primitive cell vectors in the conventional basis.
        floating: which of the directions x, y, z the group fixes no origin along.
    """

    number: int
    symbol: str
    system: str
    lattice_parameters: tuple[str, ...]
    rotations: Integers
    translations: Integers
    positions: tuple[LayerPosition, ...]
    primitive_rows: Floats
    floating: tuple[int, ...]

    def position(self, letter: str) -> LayerPosition:
        """Return the position of a letter.

        Raises:
            InputError: the group has no such letter.
        """
        index = LETTERS.find(letter) if len(letter) == 1 else -1
        if not 0 <= index < len(self.positions):
            raise InputError(
                f"layer group {self.number} has the Wyckoff letters a to {self.positions[-1].letter}, found {letter!r}"
            )
        return self.positions[index]


@lru_cache(maxsize=N_LAYER_GROUPS)
def layer_group(number: int) -> LayerGroup:
    """Return the table of one layer group (built at the first call, then kept).

    Raises:
        InputError: the number does not lie in 1..80.
    """
    if not 1 <= number <= N_LAYER_GROUPS:
        raise InputError(f"layer-group numbers lie in 1..{N_LAYER_GROUPS}, found {number}")
    facts = _facts()[number - 1]
    rotations = np.array(facts["rotations"], dtype=np.int64).reshape(-1, 3, 3)
    translations = np.array(facts["translations"], dtype=np.int64)
    centring = np.array(facts["centring"], dtype=np.int64)
    primitive = np.array(_PRIMITIVE_ROWS[facts["symbol"][0]], dtype=np.int64)
    positions = []
    for index, (letter, multiplicity, site_symmetry, rows, constant) in enumerate(facts["positions"]):
        whole, inside = orbit_maps(rows, constant, rotations, translations, centring, primitive)
        heights = np.flatnonzero(rows[2]).tolist() if rows else []
        positions.append(
            LayerPosition(
                index=index,
                letter=letter,
                multiplicity=multiplicity,
                n_atoms=len(inside),
                dof=len(rows[0]) if rows else 0,
                height=heights[0] if heights else None,
                site_symmetry=site_symmetry,
                operations=whole,
                primitive_operations=inside,
            )
        )
    return LayerGroup(
        number=number,
        symbol=facts["symbol"].replace(" ", ""),
        system=facts["system"],
        lattice_parameters=_PARAMETERS[facts["system"]],
        rotations=rotations,
        translations=translations,
        positions=tuple(positions),
        primitive_rows=primitive / 6,
        floating=tuple(axis for axis in range(3) if (rotations[:, :, axis] == np.eye(3)[axis]).all()),
    )


@lru_cache(maxsize=1)
def _facts() -> list[dict[str, Any]]:
    text = files("matwright.generation.layers").joinpath("layer_groups.json").read_text(encoding="utf-8")
    groups: list[dict[str, Any]] = json.loads(text)["groups"]
    return groups
