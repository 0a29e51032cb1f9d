"""Generated crystals for property tests: random cells, and prototypes whose shells are full of ties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from matwright.materials.crystal import Crystal

ELEMENTS = (1, 3, 6, 8, 9, 11, 14, 17, 20, 22, 26, 29, 38, 47, 56, 74, 79, 82)
"""Atomic numbers that are drawn: some of each corner of the periodic table."""

_GRID = 24  # fractional coordinates are drawn on a grid, which makes ties and special positions common


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Prototype:
    """A structure type.

    Attributes:
        cell: rows of the cell vectors in units of the lattice constant.
        sites: fractional coordinates of each site.
        species: which of the elements drawn sits on each site.
        pbc: which cell vectors are periodic.
        constant: Å, smallest and largest lattice constant drawn.
    """

    cell: tuple[tuple[float, float, float], ...]
    sites: tuple[tuple[float, float, float], ...]
    species: tuple[int, ...]
    constant: tuple[float, float]
    pbc: tuple[bool, bool, bool] = (True, True, True)


_CUBE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_FACE = ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
_BODY = ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5))
_HEXAGON = ((1.0, 0.0, 0.0), (-0.5, 0.75**0.5, 0.0), (0.0, 0.0, (8.0 / 3.0) ** 0.5))
_LAYER = ((1.0, 0.0, 0.0), (-0.5, 0.75**0.5, 0.0), (0.0, 0.0, 5.0))
_ORIGIN = (0.0, 0.0, 0.0)
_CENTRE = (0.5, 0.5, 0.5)
_QUARTER = (0.25, 0.25, 0.25)

PROTOTYPES: Mapping[str, Prototype] = MappingProxyType(
    {
        "simple cubic": Prototype(cell=_CUBE, sites=(_ORIGIN,), species=(0,), constant=(2.2, 3.6)),
        "fcc": Prototype(cell=_FACE, sites=(_ORIGIN,), species=(0,), constant=(3.4, 5.6)),
        "bcc": Prototype(cell=_BODY, sites=(_ORIGIN,), species=(0,), constant=(2.7, 5.0)),
        "hcp": Prototype(
            cell=_HEXAGON,
            sites=((1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75)),
            species=(0, 0),
            constant=(2.4, 4.0),
        ),
        "diamond": Prototype(cell=_FACE, sites=(_ORIGIN, _QUARTER), species=(0, 0), constant=(3.5, 6.5)),
        "rock salt": Prototype(cell=_FACE, sites=(_ORIGIN, _CENTRE), species=(0, 1), constant=(4.0, 7.0)),
        "zinc blende": Prototype(cell=_FACE, sites=(_ORIGIN, _QUARTER), species=(0, 1), constant=(3.8, 6.5)),
        "caesium chloride": Prototype(cell=_CUBE, sites=(_ORIGIN, _CENTRE), species=(0, 1), constant=(2.8, 4.5)),
        "fluorite": Prototype(
            cell=_FACE, sites=(_ORIGIN, _QUARTER, (0.75, 0.75, 0.75)), species=(0, 1, 1), constant=(4.5, 6.5)
        ),
        "perovskite": Prototype(
            cell=_CUBE,
            sites=(_CENTRE, _ORIGIN, (0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5)),
            species=(0, 1, 2, 2, 2),
            constant=(3.5, 4.5),
        ),
        "honeycomb layer": Prototype(
            cell=_LAYER,
            sites=((1 / 3, 2 / 3, 0.5), (2 / 3, 1 / 3, 0.5)),
            species=(0, 1),
            constant=(2.4, 4.0),
            pbc=(True, True, False),
        ),
        "three-layer sheet": Prototype(
            cell=_LAYER,
            sites=((1 / 3, 2 / 3, 0.5), (2 / 3, 1 / 3, 0.6), (2 / 3, 1 / 3, 0.4)),
            species=(0, 1, 1),
            constant=(2.8, 4.0),
            pbc=(True, True, False),
        ),
    }
)


@st.composite
def prototypes(draw: st.DrawFn) -> Crystal:
    """Crystals of a known structure type, where many neighbours lie at exactly the same distance."""
    prototype = PROTOTYPES[draw(st.sampled_from(sorted(PROTOTYPES)))]
    elements = draw(st.lists(st.sampled_from(ELEMENTS), min_size=3, max_size=3, unique=True))
    low, high = prototype.constant
    constant = low + (high - low) * draw(st.integers(0, 100)) / 100.0
    return Crystal(
        lattice=constant * np.array(prototype.cell),
        frac_coords=np.array(prototype.sites),
        numbers=np.array([elements[kind] for kind in prototype.species]),
        pbc=prototype.pbc,
    )


@st.composite
def random_crystals(draw: st.DrawFn, *, max_atoms: int = 8, min_distance: float = 0.9) -> Crystal:
    """Crystals in cells of any shape with 1 to `max_atoms` atoms, `min_distance` Å or more apart."""
    lattice = _cell(draw)
    coordinate = st.integers(0, _GRID - 1)
    drawn = draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=max_atoms))
    offsets = np.random.default_rng(draw(st.integers(0, 9))).normal(0.0, 0.02, (len(drawn), 3))
    frac = (np.array(drawn) + draw(st.sampled_from((0.0, 1.0))) * _GRID * offsets) / _GRID
    kept = _apart(frac, lattice, min_distance)
    numbers = draw(st.lists(st.sampled_from(ELEMENTS), min_size=len(kept), max_size=len(kept)))
    return Crystal(lattice=lattice, frac_coords=frac[kept], numbers=np.array(numbers))


def crystals(*, max_atoms: int = 8) -> SearchStrategy[Crystal]:
    """Crystals for the laws of a materials model: random ones and prototypes, periodic in three or two directions."""
    return st.one_of(random_crystals(max_atoms=max_atoms), prototypes())


def disordered_crystals(*, max_atoms: int = 5) -> SearchStrategy[Crystal]:
    """Crystals whose first site is shared by two elements and in part vacant."""
    return st.builds(_with_shares, random_crystals(max_atoms=max_atoms), st.sampled_from(ELEMENTS), st.integers(1, 8))


def _with_shares(crystal: Crystal, other: int, tenths: int) -> Crystal:
    first = int(crystal.numbers[0])
    shares = ((first, 0.9), (other, 0.05)) if other == first else ((first, tenths / 10), (other, 0.9 - tenths / 10))
    rest = tuple(((int(number), 1.0),) for number in crystal.numbers[1:])
    return Crystal(
        lattice=crystal.lattice,
        frac_coords=crystal.frac_coords,
        numbers=crystal.numbers,
        occupancies=((shares[0], shares[1]), *rest),
    )


def _cell(draw: st.DrawFn) -> NDArray[np.float64]:
    """Rows of the cell vectors in Å: lengths 2.5 to 8, angles 55° to 125°, possible ones only."""
    length = st.integers(25, 80).map(lambda tenths: tenths / 10.0)
    angle = st.integers(11, 25).map(lambda fifths: np.radians(5.0 * fifths))
    a, b, c = draw(length), draw(length), draw(length)
    alpha, beta, gamma = draw(angle), draw(angle), draw(angle)
    x = np.cos(beta)
    y = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    z = np.sqrt(max(1.0 - x * x - y * y, 0.25))  # angles that cannot meet are opened until they do
    direction = np.array([x, y, z]) / np.linalg.norm([x, y, z])
    return np.array([[a, 0.0, 0.0], [b * np.cos(gamma), b * np.sin(gamma), 0.0], c * direction])


def _apart(frac: NDArray[np.float64], lattice: NDArray[np.float64], min_distance: float) -> list[int]:
    """Places of atoms, first come first kept, none within `min_distance` Å of one kept before."""
    shifts = np.stack(np.meshgrid(*([np.arange(-1, 2)] * 3), indexing="ij"), axis=-1).reshape(-1, 3)
    kept: list[int] = []
    for i, place in enumerate(frac):
        images = (frac[kept] - place)[:, None, :] + shifts
        if not kept or np.linalg.norm(images @ lattice, axis=2).min() >= min_distance:
            kept.append(i)
    return kept
