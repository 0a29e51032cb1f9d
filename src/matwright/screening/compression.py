"""The bulk modulus by an equation of state: energies of a crystal squeezed and stretched alike in all directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from matwright.materials.crystal import Crystal
from matwright.screening.deformation import IONS, TIGHT
from matwright.screening.potential import GPA_PER_EV_A3, Failure, Potential
from matwright.screening.relax import Outcome, relax


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EquationOfState:
    """A Birch-Murnaghan equation of third order, fitted to energies over volumes.

    Attributes:
        crystal: at rest, where the volumes were counted from.
        volume: Å³/atom, of least energy.
        bulk_modulus: GPa at that volume; its pressure derivative `slope` (no unit).
        misfit: meV/atom, root mean square deviation from the fit.
    """

    crystal: Crystal
    volume: float
    bulk_modulus: float
    slope: float
    misfit: float


def equations_of_state(
    crystals: Sequence[Crystal], potential: Potential, *, span: float = 0.06, points: int = 7
) -> list[EquationOfState | Failure]:
    """One equation a crystal, in their order; the shape of the cell is kept, the ions relax at every volume.

    Args:
        crystals: ordered and fully periodic; each comes to rest first.
        potential: energies, forces and stresses.
        span: largest relative change of the volume on either side.
        points: volumes, at least 5.
    """
    rested = relax(crystals, potential, settings=TIGHT)
    scales = np.cbrt(1.0 + np.linspace(-span, span, points))
    good = [outcome for outcome in rested if not isinstance(outcome, Failure) and outcome.converged]
    scaled = [_scaled(outcome.crystal, float(scale)) for outcome in good for scale in scales]
    answers = iter(relax(scaled, potential, settings=IONS))
    found: list[EquationOfState | Failure] = []
    for outcome in rested:
        if isinstance(outcome, Failure):
            found.append(outcome)
        elif not outcome.converged:
            found.append(Failure(reason=f"no state of rest to squeeze: {outcome.reason}", seconds=outcome.seconds))
        else:
            found.append(_fitted(outcome.crystal, [next(answers) for _ in scales]))
    return found


def _scaled(crystal: Crystal, scale: float) -> Crystal:
    return Crystal(
        lattice=crystal.lattice * scale, frac_coords=crystal.frac_coords, numbers=crystal.numbers, pbc=crystal.pbc
    )


def _fitted(crystal: Crystal, outcomes: list[Outcome]) -> EquationOfState | Failure:
    from pymatgen.analysis.eos import BirchMurnaghan, EOSError  # heavy: behind its door

    energies, volumes = [], []
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            return outcome
        energies.append(outcome.energy_per_atom)
        volumes.append(outcome.crystal.volume / len(crystal))
    fit = BirchMurnaghan(volumes, energies)
    try:
        fit.fit()
    except EOSError:
        return Failure(reason="the energy has no minimum among the volumes computed")
    left = np.array(energies) - [fit(volume) for volume in volumes]
    return EquationOfState(
        crystal=crystal,
        volume=float(fit.v0),
        bulk_modulus=float(fit.b0) * GPA_PER_EV_A3,
        slope=float(fit.b1),
        misfit=1e3 * float(np.sqrt(np.mean(left**2))),
    )
