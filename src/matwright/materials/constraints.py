"""Hard constraints on what may be proposed: elements, formula, space or layer group, size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a candidate must satisfy exactly; an empty set or None means "no demand".

    Attributes:
        allowed: atomic numbers that may occur (empty: all).
        required: atomic numbers that must all occur.
        forbidden: atomic numbers that must not occur.
        formula: reduced formula as atomic number → count (None: any).
        space_groups: allowed international numbers 1..230 (empty: all).
        layer_groups: allowed layer groups 1..80 of 2-D materials (empty: crystals periodic in three directions are
            wanted); excludes space_groups.
        n_atoms: smallest and largest number of atoms in the primitive cell.
        n_elements: smallest and largest number of different elements.
    """

    allowed: frozenset[int] = frozenset()
    required: frozenset[int] = frozenset()
    forbidden: frozenset[int] = frozenset()
    formula: Mapping[int, int] | None = None
    space_groups: frozenset[int] = frozenset()
    layer_groups: frozenset[int] = frozenset()
    n_atoms: tuple[int, int] = (1, 20)
    n_elements: tuple[int, int] = (1, 6)


NO_CONSTRAINTS = Constraints()
