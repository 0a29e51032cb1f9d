"""Elastic tensors by a potential: small strains, ions relaxed, the tensor of the point group that fits the stresses.

The tensors that a point group leaves unchanged form a space of 3 (cubic) to 21 (triclinic) dimensions. The fewest of
the six unit strains that determine all of them are applied in both directions; the stresses, as central differences,
are fitted in that space. A cubic crystal so needs 4 deformed cells, a triclinic one 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import SYMPREC, point_rotations
from matwright.physics.elasticity import PAIRS, from_mandel, mandel_rotation
from matwright.screening.potential import GPA_PER_EV_A3, Failure, PointResult, Potential
from matwright.screening.relax import Outcome, RelaxationSettings, relax

Array = NDArray[np.float64]

TIGHT = RelaxationSettings(fmax=0.005, smax=0.05, max_steps=300)
"""The state without strain: at rest, so that stresses are those of the strain."""
IONS = RelaxationSettings(fmax=0.005, max_steps=100, cell=False)
"""The ions in a deformed cell."""
_WEAKEST = 0.3
"""Least singular value of the fit: a tensor that strains hardly show would be known by its noise. All six give 1."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ElasticTensor:
    """The stiffness of one crystal under one potential.

    Attributes:
        crystal: at rest, in the frame that the tensor is given in.
        stiffness: (6, 6) GPa, Voigt notation, with exactly the symmetry of the point group.
        misfit: norm of the stresses that the fit leaves over, as a share of the norm of all; noise and anharmonicity.
        cells: deformed cells that were relaxed.
    """

    crystal: Crystal
    stiffness: Array
    misfit: float
    cells: int


def elastic_tensors(
    crystals: Sequence[Crystal], potential: Potential, *, strain: float = 0.01, symprec: float = SYMPREC
) -> list[ElasticTensor | Failure]:
    """Stiffnesses with relaxed ions, in the order of `crystals`; each crystal comes to rest first.

    Args:
        crystals: ordered and fully periodic.
        potential: energies, forces and stresses.
        strain: Frobenius norm of the strains, no unit.
        symprec: Å, tolerance of the point group.
    """
    rested = relax(crystals, potential, settings=TIGHT)
    plans = [_plan(outcome, symprec) for outcome in rested]
    deformed = [
        strained(plan.crystal, sign * strain * direction)
        for plan in plans
        if isinstance(plan, _Plan)
        for direction in plan.directions
        for sign in (1.0, -1.0)
    ]
    stresses = iter(_stresses(deformed, potential))
    answers: list[ElasticTensor | Failure] = []
    for plan in plans:
        if isinstance(plan, Failure):
            answers.append(plan)
            continue
        own = [next(stresses) for _ in range(2 * len(plan.directions))]
        answers.append(_fitted(plan, own, strain))
    return answers


def strained(crystal: Crystal, strain: Array) -> Crystal:
    """The crystal under a small strain, a Mandel vector (6,): x → (1 + ε) x, fractional coordinates kept."""
    tensor = np.zeros((3, 3))
    for value, (i, j) in zip(strain, PAIRS, strict=True):
        tensor[i, j] = tensor[j, i] = value if i == j else value / np.sqrt(2.0)
    return Crystal(
        lattice=crystal.lattice @ (np.eye(3) + tensor),
        frac_coords=crystal.frac_coords,
        numbers=crystal.numbers,
        pbc=crystal.pbc,
    )


def invariant_basis(operations: Array) -> Array:
    """(n, 6, 6) orthonormal basis of the stiffnesses, Mandel notation, that operations (m, 3, 3) leave unchanged.

    A crystal obeys its group within a tolerance only; the nearest orthogonal matrices take the place of its operations.
    """
    left, _, right = np.linalg.svd(operations)
    turns = mandel_rotation(left @ right)
    units = np.zeros((21, 6, 6))
    for place, (row, column) in enumerate((i, j) for i in range(6) for j in range(i, 6)):
        units[place, row, column] = units[place, column, row] = 1.0 if row == column else np.sqrt(0.5)
    turned = np.einsum("oab,ubc,odc->ouad", turns, units, turns).mean(axis=0)
    values, vectors = np.linalg.eigh(np.einsum("uab,vab->uv", units, turned))
    chosen = vectors[:, values > 0.5]  # a projector: its eigenvalues are 0 and 1
    return np.asarray(np.einsum("uk,uab->kab", chosen, units))


def sufficient_strains(basis: Array) -> list[Array]:
    """Few unit strains (Mandel vectors) whose stresses determine every tensor of the basis (n, 6, 6) well."""
    chosen: list[Array] = []
    rank = 0
    while rank < len(basis):
        options = [(_rank(basis, [*chosen, unit]), -place) for place, unit in enumerate(np.eye(6))]
        rank, place = max(options)
        chosen.append(np.eye(6)[-place])
    return chosen


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """A crystal at rest with the strains to apply and the tensors to fit."""

    crystal: Crystal
    basis: Array
    directions: list[Array]


def _plan(outcome: Outcome, symprec: float) -> _Plan | Failure:
    if isinstance(outcome, Failure):
        return outcome
    if not outcome.converged:
        return Failure(reason=f"no state of rest to strain: {outcome.reason}", seconds=outcome.seconds)
    try:
        basis = invariant_basis(point_rotations(outcome.crystal, symprec))
    except (CalculationError, InputError) as error:
        return Failure(reason=str(error), seconds=outcome.seconds)
    return _Plan(crystal=outcome.crystal, basis=basis, directions=sufficient_strains(basis))


def _rank(basis: Array, strains: list[Array]) -> int:
    return int(np.linalg.matrix_rank(_responses(basis, strains), tol=_WEAKEST))


def _responses(basis: Array, strains: list[Array]) -> Array:
    """(6 · n_strains, n) stresses of the unit strains, one column a tensor of the basis."""
    return np.concatenate([(basis @ strain).T for strain in strains])


def _stresses(crystals: list[Crystal], potential: Potential) -> list[Array | Failure]:
    """Stresses (6,) in GPa, Mandel notation, after the ions have relaxed; in the order of the crystals."""
    outcomes = relax(crystals, potential, settings=IONS)
    rested = [outcome for outcome in outcomes if not isinstance(outcome, Failure) and outcome.converged]
    points = iter(potential.evaluate([outcome.crystal for outcome in rested]))
    found: list[Array | Failure] = []
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            found.append(outcome)
        elif not outcome.converged:
            found.append(Failure(reason=f"the ions of a strained cell: {outcome.reason}"))
        else:
            point = next(points)
            found.append(point if isinstance(point, Failure) else _mandel_stress(point))
    return found


def _mandel_stress(point: PointResult) -> Array:
    weights = [1.0 if i == j else np.sqrt(2.0) for i, j in PAIRS]
    return np.array([point.stress[pair] * weight for pair, weight in zip(PAIRS, weights, strict=True)]) * GPA_PER_EV_A3


def _fitted(plan: _Plan, stresses: list[Array | Failure], strain: float) -> ElasticTensor | Failure:
    broken = next((stress for stress in stresses if isinstance(stress, Failure)), None)
    if broken is not None:
        return broken
    values = np.array(stresses).reshape(len(plan.directions), 2, 6)
    slopes = ((values[:, 0] - values[:, 1]) / (2 * strain)).ravel()
    responses = _responses(plan.basis, plan.directions)
    weights, *_ = np.linalg.lstsq(responses, slopes)
    left = np.linalg.norm(slopes - responses @ weights)
    return ElasticTensor(
        crystal=plan.crystal,
        stiffness=from_mandel(np.einsum("k,kab->ab", weights, plan.basis)),
        misfit=float(left / max(float(np.linalg.norm(slopes)), 1e-12)),
        cells=len(stresses),
    )
