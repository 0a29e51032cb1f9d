"""From a layer sequence to the exact layer: affine maps on the free coordinates, no symmetry search."""

from __future__ import annotations

import numpy as np

from matwright.errors import InputError
from matwright.generation.layers.sequence import LayerSequence
from matwright.generation.layers.tables import LayerGroup, layer_group
from matwright.generation.wyckoff.tables import Floats
from matwright.materials.crystal import Crystal

VACUUM = 20.0
"""Å of empty space in the cell above the highest atom, half of it under the lowest one."""


def decode_layer(sequence: LayerSequence, *, conventional: bool = False, vacuum: float = VACUUM) -> Crystal:
    """Return the layer of a sequence, periodic along a and b: its primitive cell, or the conventional one.

    The atoms come orbit by orbit. a lies along x and b in the xy plane; c stands upright, is not periodic, and spans
    the layer and the vacuum. The plane z = 0 of the layer group lies in the middle of the cell.

    Raises:
        InputError: the vacuum is not positive.
    """
    if not vacuum > 0:
        raise InputError(f"the vacuum must be above 0 Å, found {vacuum}")
    group = layer_group(sequence.layer_group)
    blocks, numbers = [], []
    for orbit in sequence.orbits:
        position = group.position(orbit.letter)
        maps = position.operations if conventional else position.primitive_operations
        blocks.append(maps @ np.array([*orbit.free, *[0.0] * (3 - position.dof), 1.0]))
        numbers += [orbit.number] * len(maps)
    points = np.concatenate(blocks)
    reach = float(np.abs(points[:, 2]).max())
    points[:, :2] -= np.floor(points[:, :2])
    points[:, :2] = np.where(points[:, :2] >= 1.0, 0.0, points[:, :2])
    height = 2 * reach + vacuum
    points[:, 2] = points[:, 2] / height + 0.5
    lattice = np.diag([0.0, 0.0, height])
    plane = plane_lattice(group, sequence.lattice)
    lattice[:2, :2] = plane if conventional else group.primitive_rows[:2, :2] @ plane
    return Crystal(
        lattice=lattice, frac_coords=points, numbers=np.array(numbers, dtype=np.int64), pbc=(True, True, False)
    )


def plane_lattice(group: LayerGroup, parameters: tuple[float, ...]) -> Floats:
    """(2, 2) rows a and b in Å of the conventional cell, from the group's free lattice parameters."""
    known = dict(zip(group.lattice_parameters, parameters, strict=True))
    a = known["a"]
    b = known.get("b", a)
    gamma = known.get("gamma", 120.0 if group.system == "hexagonal" else 90.0)
    cosine = {90.0: 0.0, 120.0: -0.5}.get(gamma, float(np.cos(np.radians(gamma))))  # exact where it can be
    return np.array([[a, 0.0], [b * cosine, b * np.sqrt(1 - cosine**2)]])
