"""A symmetry-true sequence as a CIF with its space group: one row an orbit, all operations written out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from matwright.elements import symbol
from matwright.generation.cell_shape import full_parameters
from matwright.generation.wyckoff import SymmetrySequence, space_group
from matwright.generation.wyckoff.tables import DENOMINATOR, SpaceGroup
from matwright.materials.formula import formula_text

_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


def sequence_to_cif(sequence: SymmetrySequence) -> str:
    """CIF text of the conventional cell in the standard setting; every common program reads it back symmetric."""
    group = space_group(sequence.space_group)
    formula = formula_text(sequence.composition)
    cell = full_parameters(group.number, sequence.lattice)
    lines = [f"data_{formula}", f"_chemical_formula_sum '{_spaced(sequence.composition)}'"]
    lines += [f"_cell_{name} {value:.8f}" for name, value in zip(_CELL, cell, strict=True)]
    lines += [f"_space_group_IT_number {group.number}", f"_space_group_name_H-M_alt '{group.symbol}'"]
    operations = enumerate(_operations(group), start=1)
    lines += ["loop_", "_space_group_symop_id", "_space_group_symop_operation_xyz"]
    lines += [f"{number} '{text}'" for number, text in operations]
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol", "_atom_site_symmetry_multiplicity"]
    lines += ["_atom_site_Wyckoff_symbol", "_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"]
    lines += ["_atom_site_occupancy"]
    for number, orbit in enumerate(sequence.orbits, start=1):
        position = group.position(orbit.letter)
        point = position.operations[0] @ np.array([*orbit.free, *[0.0] * (3 - len(orbit.free)), 1.0])
        place = " ".join(f"{value:.10f}" for value in point % 1.0)
        name = symbol(orbit.number)
        lines.append(f"{name}{number} {name} {position.multiplicity} {orbit.letter} {place} 1")
    return "\n".join(lines) + "\n"


def _spaced(composition: dict[int, int]) -> str:
    return " ".join(f"{symbol(number)}{count}" for number, count in sorted(composition.items()))


def _operations(group: SpaceGroup) -> list[str]:
    """All operations of the conventional cell, centring included, as x,y,z texts."""
    return [
        ",".join(_row(row, (int(shift) + int(extra)) % DENOMINATOR) for row, shift, extra in zip(r, t, c, strict=True))
        for c in group.centring
        for r, t in zip(group.rotations, group.translations, strict=True)
    ]


def _row(row: NDArray[np.int64], shift: int) -> str:
    """One coordinate of an operation, for instance "-x+y+1/3"."""
    terms = [("+" if value > 0 else "-") + axis for value, axis in zip(row, "xyz", strict=True) if value]
    offset = f"+{Fraction(shift, DENOMINATOR)}" if shift else ""
    return ("".join(terms) + offset).removeprefix("+")
