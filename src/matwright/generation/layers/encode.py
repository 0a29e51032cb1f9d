"""From a layer to its sequence: the layer group is searched for, then each orbit is named by one of its atoms."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError
from matwright.generation.layers.sequence import LayerOrbit, LayerSequence
from matwright.generation.layers.tables import LayerGroup, LayerPosition, layer_group
from matwright.generation.wyckoff.symmetry import DEFAULT_SYMPREC
from matwright.generation.wyckoff.tables import Floats
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_stderr

_SPACE = 20.0
"""Å of empty space that the search is given above the layer."""


def encode_layer(crystal: Crystal, *, symprec: float = DEFAULT_SYMPREC) -> LayerSequence:
    """Return a sequence of a layer: orientation, cell, order of atoms and the height of the plane do not matter.

    The layer is made exactly symmetric within the tolerance; `decode_layer` gives that layer back. Unlike sequences of
    crystals, those of layers are not canonical: groups whose normaliser is larger than themselves describe one layer by
    several sequences, of which the one in the search's own setting is taken.

    Args:
        crystal: ordered and periodic in two directions.
        symprec: tolerance of the symmetry search in Å.

    Raises:
        InputError: the crystal is disordered or not periodic in two directions.
        CalculationError: the symmetry search failed on this layer.
    """
    found = _search(crystal, symprec)
    group = layer_group(found.number)
    lattice = np.array(found.std_cell.basis)
    points = np.array(found.std_cell.positions)
    points[:, 2] *= np.linalg.norm(lattice[2])  # heights in Å
    if 2 in group.floating:
        points[:, 2] -= (points[:, 2].max() + points[:, 2].min()) / 2
    numbers = np.array(found.std_cell.numbers, dtype=np.int64)
    plane = np.linalg.norm(lattice[:2], axis=1)
    scale = np.array([*plane, 1.0])
    orbits, open_atoms = [], np.ones(len(points), dtype=bool)
    while open_atoms.any():
        atom = int(np.flatnonzero(open_atoms)[0])
        position, free = _named(group, points[atom], scale, symprec)
        images = position.operations @ np.array([*free, *[0.0] * (3 - position.dof), 1.0])
        own = _near(points, images, scale, symprec) & (numbers == numbers[atom]) & open_atoms
        if own.sum() != position.multiplicity:
            raise CalculationError(f"the atoms of a layer of group {group.number} do not fill its positions")
        open_atoms &= ~own
        orbits.append(LayerOrbit(number=int(numbers[atom]), letter=position.letter, free=free))
    return LayerSequence(
        layer_group=group.number,
        orbits=tuple(sorted(orbits, key=lambda orbit: (orbit.letter, orbit.number, orbit.free))),
        lattice=_parameters(group, lattice),
    )


def _search(crystal: Crystal, symprec: float) -> Any:
    """What moyopy finds in the layer, its upright axis put last."""
    import moyopy  # heavy: a compiled library behind its door

    if not crystal.is_ordered:
        raise InputError("a symmetry sequence needs one element a site; this layer has partly or jointly held sites")
    if sum(crystal.pbc) != 2:
        raise InputError(f"a layer is periodic in two directions, found pbc {crystal.pbc}")
    upright = crystal.pbc.index(False)
    first, second = (crystal.lattice[axis] for axis in range(3) if axis != upright)
    normal = np.cross(first, second)
    normal /= np.linalg.norm(normal)
    cartesian = crystal.frac_coords @ crystal.lattice
    heights = cartesian @ normal
    middle = (heights.max() + heights.min()) / 2
    span = heights.max() - heights.min() + _SPACE
    basis = np.array([first, second, span * normal])
    positions = np.linalg.solve(basis.T, (cartesian - middle * normal).T).T
    positions[:, 2] += 0.5
    cell = moyopy.Cell(_upright(first, second, span), positions.tolist(), crystal.numbers.tolist())
    try:
        with quiet_stderr():
            return moyopy.MoyoLayerDataset(cell, symprec=symprec, setting=moyopy.LayerSetting.standard())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a Rust panic arrives as a BaseException
        raise CalculationError(f"the layer-symmetry search failed at symprec {symprec} Å: {error}") from error


def _upright(first: Floats, second: Floats, span: float) -> list[list[float]]:
    """Rows of the same cell with a along x, b in the xy plane and c along z, as the search wants it."""
    a = float(np.linalg.norm(first))
    along = float(first @ second) / a
    across = float(np.linalg.norm(np.cross(first, second))) / a
    return [[a, 0.0, 0.0], [along, across, 0.0], [0.0, 0.0, span]]


def _named(
    group: LayerGroup, point: Floats, scale: Floats, tolerance: float
) -> tuple[LayerPosition, tuple[float, ...]]:
    """The most special position that holds a point (fraction, fraction, Å) within Å, and the free coordinates."""
    for position in group.positions:
        sections = _sections(group.number, position.index)
        offsets = position.operations[:, :, 3]
        relative = point - offsets
        free = np.einsum("kdi,ki->kd", sections, relative)
        flat = [place for place in range(position.dof) if place != position.height]
        free[:, flat] -= np.floor(free[:, flat] + 1e-12)
        residue = relative - np.einsum("kid,kd->ki", position.operations[:, :, : position.dof], free)
        residue[:, :2] -= np.rint(residue[:, :2])
        distance = np.abs(residue * scale).max(axis=1)
        best = int(distance.argmin())
        if distance[best] < tolerance:
            values = np.round(free[best], 12)
            values[flat] %= 1.0
            return position, tuple(float(value) for value in values)
    raise CalculationError(f"a point of layer group {group.number} lies on no Wyckoff position")


@lru_cache(maxsize=512)
def _sections(number: int, index: int) -> Floats:
    """(multiplicity, dof, 3) inverses of the linear parts of a position's maps."""
    position = layer_group(number).positions[index]
    found = np.zeros((position.multiplicity, position.dof, 3))
    for point, matrix in enumerate(position.operations[:, :, : position.dof]):
        for rows in itertools.combinations(range(3), position.dof):
            block = matrix[list(rows)]
            if position.dof and abs(abs(np.linalg.det(block)) - 1.0) < 1e-9:
                found[point][:, list(rows)] = np.rint(np.linalg.inv(block))
                break
    return found


def _near(
    points: Floats, images: Floats, scale: Floats, tolerance: float
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) which points lie within Å of an image."""
    difference = points[:, None] - images
    difference[..., :2] -= np.rint(difference[..., :2])
    near: NDArray[np.bool_] = (np.abs(difference * scale).max(axis=2) < tolerance).any(axis=1)
    return near


def _parameters(group: LayerGroup, lattice: Floats) -> tuple[float, ...]:
    """The free lattice parameters of a standard cell; lengths that the group makes equal are averaged."""
    a, b = np.linalg.norm(lattice[:2], axis=1)
    if "b" not in group.lattice_parameters:
        return (float(a + b) / 2,)
    if "gamma" not in group.lattice_parameters:
        return float(a), float(b)
    return float(a), float(b), float(np.degrees(np.arccos(lattice[0] @ lattice[1] / (a * b))))
