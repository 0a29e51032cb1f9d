"""Random symmetric layers: a formula, a random layer group, random occupied positions, heights within a few Å.

As the random crystals are, they are a floor: stoichiometry and symmetry and nothing else. Each is written as a layer
sequence, so that its layer group holds by construction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from matwright.elements import COVALENT_RADIUS
from matwright.errors import CalculationError, InputError
from matwright.generation.layers import LayerGroup, LayerSequence, decode_layer, encode_layer, layer_group
from matwright.generation.layers.sequence import LayerOrbit
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal

TRIES_A_FORMULA = 40
_MOST_UNITS = 8
_MIN_RATIO = 0.75
"""Shortest distance over the sum of the covalent radii."""
_THICKNESS = (0.0, 5.0)
_UNKNOWN_RADIUS = 1.5
_IMAGES = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=np.float64)


def layer_attempts(counts: Mapping[int, int], constraints: Constraints, rng: np.random.Generator) -> Iterator[Crystal]:
    """Layers of this formula in random ones of the wanted layer groups, as far as atoms can be placed apart."""
    per_formula = sum(counts.values())
    low, high = constraints.n_atoms
    units = [k for k in range(1, _MOST_UNITS + 1) if low <= k * per_formula <= high]
    groups = sorted(constraints.layer_groups)
    for _ in range(TRIES_A_FORMULA if units else 0):
        group, k = layer_group(int(rng.choice(groups))), int(rng.choice(units))
        orbits = _placed(group, {number: k * amount for number, amount in counts.items()}, rng)
        if orbits is None:
            continue
        sequence = LayerSequence(layer_group=group.number, orbits=orbits, lattice=_lattice(group, orbits, rng))
        layer = decode_layer(sequence)
        if _room(layer) < _MIN_RATIO:
            continue
        try:
            if encode_layer(layer).layer_group == group.number:  # it may have turned out more symmetric
                yield layer
        except (InputError, CalculationError):
            continue


def _placed(group: LayerGroup, counts: Mapping[int, int], rng: np.random.Generator) -> tuple[LayerOrbit, ...] | None:
    """Random orbits that hold exactly these atoms of the primitive cell; None where the draw leads nowhere."""
    orbits: list[LayerOrbit] = []
    thickness, taken = rng.uniform(*_THICKNESS), set[str]()
    for number, count in counts.items():
        left = count
        while left:
            open_positions = [
                p for p in group.positions if p.n_atoms <= left and not (p.dof == 0 and p.letter in taken)
            ]
            if not open_positions:
                return None
            position = open_positions[rng.integers(len(open_positions))]
            free = rng.random(position.dof)
            if position.height is not None:
                free[position.height] = (free[position.height] - 0.5) * thickness
            orbits.append(LayerOrbit(number=number, letter=position.letter, free=tuple(map(float, free))))
            taken.add(position.letter)
            left -= position.n_atoms
    return tuple(orbits)


def _lattice(group: LayerGroup, orbits: tuple[LayerOrbit, ...], rng: np.random.Generator) -> tuple[float, ...]:
    """Free lattice parameters that give the atoms of the cell the room they need, with a random shape."""
    radii = np.array([_radius(orbit.number) for orbit in orbits])
    points = np.array([group.position(orbit.letter).multiplicity for orbit in orbits])
    heights = [
        orbit.free[place]
        for orbit in orbits
        if (place := group.position(orbit.letter).height) is not None
    ]  # fmt: skip
    thickness = 2 * float(np.abs(heights).max(initial=0.0)) + 2 * float(radii.mean())
    volume = float((points * (2 * radii + 0.3) ** 3).sum())
    area = volume / thickness * rng.uniform(0.8, 1.6)
    if group.system == "square":
        return (float(np.sqrt(area)),)
    if group.system == "hexagonal":
        return (float(np.sqrt(area / np.sin(np.radians(120.0)))),)
    ratio = float(np.exp(rng.normal(0.0, 0.35)))
    gamma = float(rng.uniform(75.0, 115.0)) if group.system == "oblique" else 90.0
    a = float(np.sqrt(area / (ratio * np.sin(np.radians(gamma)))))
    return (a, ratio * a, gamma) if group.system == "oblique" else (a, ratio * a)


def _room(layer: Crystal) -> float:
    """Shortest distance over the sum of the covalent radii, images in the plane included."""
    radii = np.array([_radius(int(number)) for number in layer.numbers])
    difference = layer.frac_coords[:, None] - layer.frac_coords
    difference[..., :2] -= np.rint(difference[..., :2])
    vectors = (difference @ layer.lattice)[:, :, None] + _IMAGES @ layer.lattice[:2]
    squared = np.einsum("ijsk,ijsk->ijs", vectors, vectors)
    same = np.arange(len(radii))
    squared[same, same, len(_IMAGES) // 2] = np.inf  # the atom itself
    ratio: float = (np.sqrt(squared.min(2)) / (radii[:, None] + radii)).min()
    return ratio


def _radius(number: int) -> float:
    radius = float(COVALENT_RADIUS[number])
    return radius if np.isfinite(radius) else _UNKNOWN_RADIUS
