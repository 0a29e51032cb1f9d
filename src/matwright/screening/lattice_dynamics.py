"""Phonons by a potential: finite displacements in a supercell (phonopy), all of one crystal in one model call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import ATOMIC_MASS
from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_warnings
from matwright.materials.symmetry import SYMPREC, standard_primitive
from matwright.screening.potential import Failure, Potential
from matwright.screening.relax import Outcome, RelaxationSettings, relax

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

REST = RelaxationSettings(fmax=0.002, smax=0.05, max_steps=300)
"""Forces left at rest would count as displacements."""
MESH = 2
"""Points of the q mesh along each axis over the supercell: those that it knows, and one between each two."""
_GAMMA = 1e-6
_ACOUSTIC = 3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Phonons:
    """What the phonons of one crystal say.

    Attributes:
        crystal: primitive cell at rest.
        supercell: (a, b, c) multiples of the primitive cell; `atoms` in it.
        displacements: supercells that were computed.
        lowest: THz, lowest frequency on the q mesh without the three acoustic modes at Γ; imaginary ones are negative.
        lowest_at: (3,) the q point where it is, in reciprocal cell vectors.
        highest: THz, highest frequency.
    """

    crystal: Crystal
    supercell: tuple[int, int, int]
    atoms: int
    displacements: int
    lowest: float
    lowest_at: tuple[float, float, float]
    highest: float


def phonons(
    crystals: Sequence[Crystal],
    potential: Potential,
    *,
    displacement: float = 0.02,
    min_length: float = 9.0,
    max_atoms: int = 400,
) -> list[Phonons | Failure]:
    """Phonons of each crystal, in their order; each comes to rest first.

    Long-range electric fields (the splitting of longitudinal and transverse modes at Γ) are left out.

    Args:
        crystals: ordered and fully periodic.
        potential: energies, forces and stresses.
        displacement: Å, of one atom at a time, in both directions where symmetry does not say the other.
        min_length: Å, least distance between opposite faces of the supercell.
        max_atoms: a crystal whose supercell would be larger is a failure.

    Raises:
        InputError: phonopy is not installed.
    """
    try:
        import phonopy  # noqa: F401 (heavy: behind its door)
    except ImportError as error:
        raise InputError("phonons need phonopy: pip install 'matwright[potentials]'") from error
    rested = relax(crystals, potential, settings=REST)
    return [_of_one(outcome, potential, displacement, min_length, max_atoms) for outcome in rested]


def supercell_of(lattice: NDArray[np.float64], min_length: float) -> tuple[int, int, int]:
    """Multiples of a cell (3, 3; rows in Å) whose opposite faces are at least `min_length` Å apart."""
    spacings = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    a, b, c = np.ceil(min_length / spacings - 1e-6).astype(int).tolist()
    return a, b, c


def _of_one(
    outcome: Outcome, potential: Potential, displacement: float, min_length: float, max_atoms: int
) -> Phonons | Failure:
    if isinstance(outcome, Failure):
        return outcome
    if not outcome.converged:
        return Failure(reason=f"no state of rest to displace atoms from: {outcome.reason}", seconds=outcome.seconds)
    try:
        cell = standard_primitive(outcome.crystal, SYMPREC)
    except CalculationError as error:
        return Failure(reason=str(error))
    times = supercell_of(cell.lattice, min_length)
    atoms = len(cell) * int(np.prod(times))
    if atoms > max_atoms:
        return Failure(reason=f"a supercell of {atoms} atoms is larger than the limit of {max_atoms}")
    with quiet_warnings():  # about its own future
        return _displaced(cell, times, potential, displacement)


def _displaced(
    cell: Crystal, times: tuple[int, int, int], potential: Potential, displacement: float
) -> Phonons | Failure:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    masses = ATOMIC_MASS[cell.numbers]  # phonopy knows none of the heavy radioactive elements
    unit = PhonopyAtoms(numbers=cell.numbers, masses=masses, cell=cell.lattice, scaled_positions=cell.frac_coords)
    calculation = Phonopy(unit, np.diag(times), primitive_matrix=np.eye(3), symprec=1e-4, log_level=0)
    calculation.generate_displacements(distance=displacement)
    moved = [_crystal(atoms) for atoms in calculation.supercells_with_displacements or []]
    forces = []
    for point in potential.evaluate(moved):
        if isinstance(point, Failure):
            return point
        forces.append(point.forces)
    calculation.produce_force_constants(forces=np.array(forces), show_drift=False)
    calculation.symmetrize_force_constants(show_drift=False)
    lowest, at, highest = _extremes(calculation, times)
    return Phonons(
        crystal=cell,
        supercell=times,
        atoms=len(moved[0]),
        displacements=len(moved),
        lowest=lowest,
        lowest_at=at,
        highest=highest,
    )


def _crystal(atoms: PhonopyAtoms) -> Crystal:
    return Crystal(lattice=atoms.cell, frac_coords=atoms.scaled_positions, numbers=np.array(atoms.numbers))


def _extremes(calculation: Phonopy, times: tuple[int, int, int]) -> tuple[float, tuple[float, float, float], float]:
    """Lowest frequency with its q point, and highest, THz."""
    calculation.run_mesh([MESH * n for n in times], is_gamma_center=True)
    mesh: Any = calculation.mesh  # one of two classes, by how it was run
    points, frequencies = np.array(mesh.qpoints), np.array(mesh.frequencies)
    gamma = np.abs(points).max(axis=1) < _GAMMA
    counted = frequencies.copy()
    for row in np.flatnonzero(gamma):
        counted[row, np.argsort(np.abs(frequencies[row]))[:_ACOUSTIC]] = np.inf
    row, _ = np.unravel_index(int(np.argmin(counted)), counted.shape)
    a, b, c = points[row].tolist()
    return float(counted.min()), (a, b, c), float(frequencies.max())
