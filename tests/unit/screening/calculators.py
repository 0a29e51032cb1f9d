"""Real potentials that cost nothing: effective medium for copper, Tersoff for silicon."""

from __future__ import annotations

import numpy as np
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.tersoff import Tersoff, TersoffParameters

from matwright.materials.crystal import Crystal
from matwright.screening.ase_potential import AsePotential

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
BCC = np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]])


def copper(lattice: np.ndarray) -> Crystal:
    """One atom of copper a cell."""
    return Crystal(lattice=lattice, frac_coords=np.zeros((1, 3)), numbers=np.array([29]))


def silicon(lattice: np.ndarray = 5.43 * FCC) -> Crystal:
    """Diamond."""
    return Crystal(lattice=lattice, frac_coords=np.array([[0, 0, 0], [0.25, 0.25, 0.25]]), numbers=np.array([14, 14]))


def effective_medium() -> AsePotential:
    """ASE's EMT."""
    return AsePotential(EMT(), name="emt", version="ase")


def tersoff() -> AsePotential:
    """Silicon of J. Tersoff, Phys. Rev. B 39, 5566 (1989)."""
    parameters = TersoffParameters(
        m=3.0, gamma=1.0, lambda3=0.0, c=100390.0, d=16.217, h=-0.59825, n=0.78734, beta=1.1e-6, lambda2=1.7322,
        B=471.18, R=2.85, D=0.15, lambda1=2.4799, A=1830.8,
    )  # fmt: skip
    return AsePotential(Tersoff({("Si", "Si", "Si"): parameters}), name="tersoff", version="1989")


def lennard_jones() -> AsePotential:
    """The same pair potential for every element: 0.2 eV deep, its zero at 2.3 Å."""
    return AsePotential(LennardJones(sigma=2.3, epsilon=0.2, rc=6.9, smooth=True), name="lj", version="ase")
