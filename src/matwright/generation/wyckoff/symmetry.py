"""The only door to moyopy's symmetry search: a crystal in, its standardised orbits out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_stderr

DEFAULT_SYMPREC = 0.01
"""Å; what counts as the same place when symmetry is searched."""

_MAX_REFINEMENTS = 4


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StandardOrbits:
    """A crystal in the standard setting, not yet canonical: one atom of each orbit.

    Attributes:
        space_group: number.
        lattice: (3, 3) conventional cell, rows in Å, right-handed, made exactly symmetric.
        points: (n_orbits, 3) fractional coordinates in that cell, one atom of each orbit.
        letters: Wyckoff letter of each.
        numbers: (n_orbits,) atomic numbers.
    """

    space_group: int
    lattice: NDArray[np.float64]
    points: NDArray[np.float64]
    letters: tuple[str, ...]
    numbers: NDArray[np.int64]


def standardise(
    crystal: Crystal, *, symprec: float = DEFAULT_SYMPREC, angle_tolerance: float | None = None
) -> StandardOrbits:
    """Find the space group of a crystal and its orbits in the standard setting.

    The group is the one that the symmetrised crystal has itself at this tolerance.

    Args:
        crystal: ordered and periodic in three directions.
        symprec: tolerance of the search in Å.
        angle_tolerance: tolerance of the angles in radians; None leaves it to symprec.

    Raises:
        InputError: the crystal is disordered or not periodic in three directions.
        CalculationError: the search failed.
    """
    if not crystal.is_ordered:
        raise InputError("a symmetry sequence needs one element a site; this crystal has partly or jointly held sites")
    if crystal.pbc != (True, True, True):
        raise InputError(f"a symmetry sequence needs a crystal periodic along a, b and c, found pbc {crystal.pbc}")
    cell, dataset = _settled(crystal, symprec, angle_tolerance)
    orbits = dataset.orbits
    first = [atom for atom, orbit in enumerate(orbits) if orbit == atom]
    mapping, letters, numbers = dataset.mapping_std_prim, dataset.wyckoffs, cell.numbers
    primitive, lattice = dataset.prim_std_cell, np.array(dataset.std_cell.basis)
    # primitive cell vectors in the conventional basis: sixths at the finest
    rows = np.rint(6.0 * np.array(primitive.basis) @ np.linalg.inv(lattice)) / 6.0
    return StandardOrbits(
        space_group=dataset.number,
        lattice=lattice,
        points=np.array(primitive.positions)[[mapping[atom] for atom in first]] @ rows,
        letters=tuple(letters[atom] for atom in first),
        numbers=np.array([numbers[atom] for atom in first], dtype=np.int64),
    )


def _settled(crystal: Crystal, symprec: float, angle_tolerance: float | None) -> tuple[Any, Any]:
    """(the cell searched last, what was found in it).

    Made exactly symmetric, a crystal at the edge of the tolerance may show more symmetry: go on until it stays.
    """
    import moyopy  # heavy: a compiled library behind its door

    cell = moyopy.Cell(crystal.lattice.tolist(), crystal.frac_coords.tolist(), crystal.numbers.tolist())
    dataset = _search(cell, symprec, angle_tolerance)
    for _ in range(_MAX_REFINEMENTS):
        refined = _search(dataset.prim_std_cell, symprec, angle_tolerance)
        same_cell = refined.prim_std_cell.num_atoms == dataset.prim_std_cell.num_atoms
        if refined.number == dataset.number and same_cell:
            break
        cell, dataset = dataset.prim_std_cell, refined
    return cell, dataset


def _search(cell: Any, symprec: float, angle_tolerance: float | None) -> Any:
    import moyopy  # heavy: a compiled library behind its door

    try:
        with quiet_stderr():
            return moyopy.MoyoDataset(
                cell, symprec=symprec, angle_tolerance=angle_tolerance, setting=moyopy.Setting.standard()
            )
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a Rust panic arrives as a BaseException
        raise CalculationError(f"the symmetry search failed at symprec {symprec} Å: {error}") from error
