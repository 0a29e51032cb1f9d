"""The layer as a sequence: layer group, occupied Wyckoff positions, free coordinates, free lattice parameters."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import final

from matwright.errors import InputError
from matwright.generation.layers.tables import LayerPosition, layer_group
from matwright.materials.crystal import MAX_ATOMIC_NUMBER


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOrbit:
    """One occupied position.

    Attributes:
        number: atomic number.
        letter: Wyckoff letter.
        free: the position's free coordinates in order: fractions of a and b in [0, 1), the height in Å.
    """

    number: int
    letter: str
    free: tuple[float, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSequence:
    """A 2-D material whose layer group holds by construction.

    Attributes:
        layer_group: number, 1..80.
        orbits: occupied positions.
        lattice: the group's free lattice parameters in order (a, b in Å, gamma in degrees).

    Raises:
        InputError: at construction, where the group has no such letters or numbers of coordinates, or a value is
            impossible.
    """

    layer_group: int
    orbits: tuple[LayerOrbit, ...]
    lattice: tuple[float, ...]

    def __post_init__(self) -> None:
        group = layer_group(self.layer_group)
        if len(self.lattice) != len(group.lattice_parameters):
            raise InputError(
                f"layer group {group.number} has the free lattice parameters {', '.join(group.lattice_parameters)}, "
                f"found {len(self.lattice)} values"
            )
        for name, value in zip(group.lattice_parameters, self.lattice, strict=True):
            if not 0 < value < (180 if name == "gamma" else math.inf):
                raise InputError(f"lattice parameter {name} cannot be {value}")
        if not self.orbits:
            raise InputError("a sequence needs at least one orbit")
        taken = set()
        for orbit in self.orbits:
            position = group.position(orbit.letter)
            _check(orbit, position)
            if position.dof == 0 and orbit.letter in taken:
                raise InputError(f"position {orbit.letter} of layer group {group.number} holds one atom only")
            taken.add(orbit.letter)

    @property
    def composition(self) -> dict[int, int]:
        """Atomic number → number of atoms in the primitive cell."""
        group = layer_group(self.layer_group)
        counts: Counter[int] = Counter()
        for orbit in self.orbits:
            counts[orbit.number] += group.position(orbit.letter).n_atoms
        return dict(counts)

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the primitive cell."""
        return sum(self.composition.values())

    @property
    def thickness(self) -> float:
        """Å from the lowest to the highest atom."""
        group, heights = layer_group(self.layer_group), []
        for orbit in self.orbits:
            position = group.position(orbit.letter)
            own = 0.0 if position.height is None else orbit.free[position.height]
            flipped = position.height is not None and (position.operations[:, 2, position.height] < 0).any()
            heights += [own, -own] if flipped else [own]
        return max(heights) - min(heights)


def _check(orbit: LayerOrbit, position: LayerPosition) -> None:
    if not 1 <= orbit.number <= MAX_ATOMIC_NUMBER:
        raise InputError(f"atomic numbers lie in 1..{MAX_ATOMIC_NUMBER}, found {orbit.number}")
    if len(orbit.free) != position.dof:
        raise InputError(f"position {orbit.letter} has {position.dof} free coordinates, found {len(orbit.free)}")
    for place, value in enumerate(orbit.free):
        if not math.isfinite(value) or (place != position.height and not 0.0 <= value < 1.0):
            raise InputError(f"coordinates in the plane lie in [0, 1) and heights are finite, found {orbit.free}")
