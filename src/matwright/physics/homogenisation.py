"""Effective stiffness of a two-dimensional microstructure: periodic finite elements in plane strain (E20-E23).

The cell is strained by a macroscopic strain E; the displacement is u(x) = E·x + ũ(x) with a periodic fluctuation ũ.
Equilibrium ∇·σ = 0 with σ = C:ε and ε = ½(∇u + ∇uᵀ) makes the potential energy Π(ũ) = ½ ∫ ε:C:ε least, and the
effective stiffness is C* with E:C*:E = 2 Π / area at that minimum (J. C. Michel, H. Moulinec, P. Suquet, Comput.
Methods Appl. Mech. Eng. 172, 109 (1999)). Any other fluctuation gives more energy: an upper bound.

Elements are squares with four nodes, bilinear, 2 × 2 Gauss points. Strains are in Voigt notation (εxx, εyy, γxy), so
that stiffness is (3, 3), and lengths are in elements.

| symbol | variable |
|---|---|
| C | `stiffness` (3, 3) |
| K_e, F_e | `Element.stiffness` (8, 8), `Element.load` (8, 3) |
| ũ | `fluctuation` (n_y, n_x, 2, 3), one column a load case |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from matwright.errors import InputError
from matwright.materials.microstructure import Microstructure

Array = NDArray[np.float64]

CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))
"""(row, column) of the four nodes of an element relative to its own place, counter-clockwise from the lower left."""

ELEMENTS_PER_PIXEL = 4
"""Along an edge; a finer grid gives a softer cell, by some percent where a stiff and a soft phase alternate."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Element:
    """A square element of one phase: energy ½ uᵀ K u + uᵀ F E + ½ Eᵀ C E (edge 1).

    Attributes:
        elasticity: C (3, 3).
        stiffness: K_e (8, 8), the nodes in the order of `CORNERS`, x before y.
        load: F_e (8, 3), a column a macroscopic strain.
    """

    elasticity: Array
    stiffness: Array
    load: Array


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Homogenised:
    """The three load cases εxx = 1, εyy = 1, γxy = 1 of a cell in equilibrium.

    Attributes:
        stiffness: C* (3, 3), unit of the phases' moduli.
        fluctuation: (n_y, n_x, 2, 3) ũ at the nodes, in elements for a strain of 1.
        energy: (3,) 2 Π / area of each load case, unit of the moduli: the diagonal of C*.
        residual: ‖K ũ + F‖ / ‖F‖, how far from equilibrium; 0 where there is no force.
    """

    stiffness: Array
    fluctuation: Array
    energy: Array
    residual: float


def plane_strain(young_modulus: float, poisson_ratio: float) -> Array:
    """(3, 3) stiffness of an isotropic material in plane strain, in the unit of `young_modulus`."""
    e, nu = young_modulus, poisson_ratio
    plain = np.array([[1 - nu, nu, 0.0], [nu, 1 - nu, 0.0], [0.0, 0.0, (1 - 2 * nu) / 2]])
    return e / ((1 + nu) * (1 - 2 * nu)) * plain


def element(elasticity: Array) -> Element:
    """The square element of a material with this (3, 3) stiffness."""
    stiffness, load = np.zeros((8, 8)), np.zeros((8, 3))
    for x in _GAUSS:
        for y in _GAUSS:
            strains = _strain_matrix(x, y)
            stiffness += strains.T @ elasticity @ strains / 4
            load += strains.T @ elasticity / 4
    return Element(elasticity=elasticity, stiffness=stiffness, load=load)


def phase_elements(microstructure: Microstructure) -> tuple[Element, ...]:
    """One element a phase.

    Raises:
        InputError: a phase does not say how stiff it is.
    """
    found = []
    for number, phase in enumerate(microstructure.phases):
        if phase.young_modulus is None or phase.poisson_ratio is None:
            raise InputError(f"phase {number} of the microstructure has no young_modulus and poisson_ratio")
        found.append(element(plane_strain(phase.young_modulus, phase.poisson_ratio)))
    return tuple(found)


def homogenise(microstructure: Microstructure, *, per_pixel: int = ELEMENTS_PER_PIXEL) -> Homogenised:
    """Solve the three load cases of the periodic cell.

    Args:
        microstructure: whose phases state their moduli.
        per_pixel: elements along the edge of a pixel, at least 1.

    Raises:
        InputError: a phase has no moduli, or `per_pixel` is below 1.
    """
    if per_pixel < 1:
        raise InputError(f"a pixel has at least 1 element along its edge, found {per_pixel}")
    elements = phase_elements(microstructure)
    phases = np.kron(microstructure.grid, np.ones((per_pixel, per_pixel), dtype=np.int64))
    stiffness, load = _assembled(phases, elements)
    fluctuation = np.zeros_like(load)
    fluctuation[2:] = splu(stiffness[2:, 2:].tocsc()).solve(-load[2:])  # the first node is held: no rigid motion
    mean = np.mean([elements[phase].elasticity for phase in phases.ravel()], axis=0)
    effective = mean + load.T @ fluctuation / phases.size
    force = float(np.linalg.norm(load))
    rest = float(np.linalg.norm(stiffness @ fluctuation + load))
    return Homogenised(
        stiffness=(effective + effective.T) / 2,
        fluctuation=fluctuation.reshape(*phases.shape, 2, 3),
        energy=np.diag(effective).copy(),
        residual=rest / force if force > 0 else 0.0,
    )


def stiffness_bounds(microstructure: Microstructure) -> tuple[Array, Array]:
    """(Reuss, Voigt) bounds of C*, (3, 3) each: uniform stress and uniform strain; C* − Reuss and Voigt − C* are ≥ 0.

    Raises:
        InputError: a phase has no moduli.
    """
    stiffnesses = np.stack([found.elasticity for found in phase_elements(microstructure)])
    areas = microstructure.area_fractions[:, None, None]
    return np.linalg.inv((areas * np.linalg.inv(stiffnesses)).sum(axis=0)), (areas * stiffnesses).sum(axis=0)


_GAUSS = (-1 / 3**0.5, 1 / 3**0.5)


def _strain_matrix(x: float, y: float) -> Array:
    """(3, 8) strain of nodal displacements at a point of the element, x and y in [-1, 1], edge 1."""
    matrix = np.zeros((3, 8))
    for node, (row, column) in enumerate(CORNERS):
        sx, sy = 2 * column - 1, 2 * row - 1
        dx, dy = sx * (1 + sy * y) / 2, sy * (1 + sx * x) / 2
        matrix[0, 2 * node] = matrix[2, 2 * node + 1] = dx
        matrix[1, 2 * node + 1] = matrix[2, 2 * node] = dy
    return matrix


def _assembled(phases: NDArray[np.int64], elements: tuple[Element, ...]) -> tuple[coo_matrix, Array]:
    """Sparse (2n, 2n) stiffness and (2n, 3) load of the periodic grid of n nodes."""
    place = np.arange(phases.size).reshape(phases.shape)
    nodes = np.stack([np.roll(place, (-row, -column), (0, 1)) for row, column in CORNERS], axis=-1).reshape(-1, 4)
    freedoms = np.stack([2 * nodes, 2 * nodes + 1], axis=-1).reshape(-1, 8)
    own = phases.ravel()
    entries = np.stack([found.stiffness for found in elements])[own]
    rows, columns = np.repeat(freedoms, 8, axis=1), np.tile(freedoms, (1, 8))
    size = 2 * phases.size
    stiffness = coo_matrix((entries.ravel(), (rows.ravel(), columns.ravel())), shape=(size, size)).tocsr()
    load = np.zeros((size, 3))
    np.add.at(load, freedoms, np.stack([found.load for found in elements])[own])
    return stiffness, load
