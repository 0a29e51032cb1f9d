"""Is a generator any good: validity, uniqueness, novelty, and the share that is stable, unique and novel (S.U.N.).

Stable here asks more than one potential: within the threshold of the hull of known compounds by every potential given,
because one potential alone calls compounds of noble gases stable. A candidate with an element the hull knows nothing
about (noble gases among them) is never stable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.physics.chemistry import counts_of, is_charge_balanced, noble_gases_in
from matwright.physics.geometry import min_distance

SHORTEST_DISTANCE = 0.5
"""Å, smallest distance of a structurally valid crystal, self-images included (CDVAE's limit)."""
SMALLEST_VOLUME = 0.1
"""Å³, smallest cell volume of a structurally valid crystal."""
THRESHOLDS = (0.1, 0.05, 0.0)
"""eV/atom above the hull at which S.U.N. is stated."""

FormulaKey = tuple[tuple[int, int], ...]
"""Reduced formula as sorted (atomic number, count)."""


def is_structurally_valid(crystal: Crystal) -> bool:
    """Whether no two atoms, images included, are nearer than 0.5 Å and the cell has at least 0.1 Å³."""
    return crystal.volume >= SMALLEST_VOLUME and min_distance(crystal) >= SHORTEST_DISTANCE


def is_compositionally_valid(crystal: Crystal) -> bool:
    """Whether the composition is neutral and ordered by electronegativity (SMACT, set smact14; metals pass)."""
    return is_charge_balanced(counts_of(crystal))


def formula_key(crystal: Crystal) -> FormulaKey:
    """The reduced formula, in a form that can be looked up."""
    return tuple(sorted(counts_of(crystal).items()))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSettings:
    """Tolerances of pymatgen's `StructureMatcher`, on primitive cells scaled to equal volume.

    Attributes:
        ltol: fractional length tolerance; stol: site tolerance as a share of (V/n)^(1/3); angle_tol: degrees.
    """

    ltol: float = 0.2
    stol: float = 0.3
    angle_tol: float = 5.0


@final
class StructureComparison:
    """Whether two crystals are the same structure, by `StructureMatcher`; only equal formulas are compared."""

    def __init__(self, settings: MatchSettings | None = None) -> None:
        from pymatgen.analysis.structure_matcher import StructureMatcher  # heavy: behind its door

        self.settings = settings if settings is not None else MatchSettings()
        self._matcher = StructureMatcher(
            ltol=self.settings.ltol, stol=self.settings.stol, angle_tol=self.settings.angle_tol
        )

    def same(self, first: Crystal, second: Crystal) -> bool:
        """Whether the two match."""
        from matwright.materials.interop import to_pymatgen

        if formula_key(first) != formula_key(second):
            return False
        return bool(self._matcher.fit(to_pymatgen(first), to_pymatgen(second)))

    def distance(self, first: Crystal, second: Crystal) -> float:
        """Root mean square displacement over (V/n)^(1/3), no unit; infinite where the two do not match."""
        from matwright.materials.interop import to_pymatgen

        if formula_key(first) != formula_key(second):
            return np.inf
        matcher: Any = self._matcher  # untyped in pymatgen
        found = matcher.get_rms_dist(to_pymatgen(first), to_pymatgen(second))
        return np.inf if found is None else float(found[0])

    def classes(self, crystals: Sequence[Crystal]) -> NDArray[np.int64]:
        """(n,) index of the first crystal in the list that each one matches (its own where it is the first)."""
        by_formula: dict[FormulaKey, list[int]] = {}
        first = np.arange(len(crystals))
        for index, crystal in enumerate(crystals):
            leaders = by_formula.setdefault(formula_key(crystal), [])
            match = next((leader for leader in leaders if self.same(crystals[leader], crystal)), None)
            if match is None:
                leaders.append(index)
            else:
                first[index] = match
        return first

    def novel(self, crystals: Sequence[Crystal], known: Callable[[FormulaKey], Sequence[Crystal]]) -> NDArray[np.bool_]:
        """(n,) whether none of the known crystals of the same formula matches; `known` gives them."""
        return np.array(
            [not any(self.same(crystal, other) for other in known(formula_key(crystal))) for crystal in crystals],
            dtype=bool,
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A count out of n with its 95 % interval (Wilson)."""

    count: int
    n: int

    @property
    def value(self) -> float:
        """Count / n; 0 for n = 0."""
        return self.count / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % interval."""
        if self.n == 0:
            return 0.0, 1.0
        z = 1.959964
        centre = (self.value + z * z / (2 * self.n)) / (1 + z * z / self.n)
        half = z / (1 + z * z / self.n) * sqrt(self.value * (1 - self.value) / self.n + z * z / (4 * self.n**2))
        return max(0.0, centre - half), min(1.0, centre + half)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """One generated crystal after relaxation.

    Attributes:
        crystal: the relaxed crystal; None where relaxation failed.
        e_above_hull: potential → eV/atom above the hull; a potential that failed is missing.
        known_system: whether any compound of these elements is known.
        known_formula: whether the composition is listed as known, with whatever structure.
    """

    crystal: Crystal | None
    e_above_hull: Mapping[str, float]
    known_system: bool
    known_formula: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SunAtThreshold:
    """S.U.N. at one threshold, of all generated crystals.

    Attributes:
        threshold: eV/atom.
        stable_by: potential → share stable by it alone.
        stable: share stable by all potentials.
        sun: share stable by all, novel, and counted once a structure.
        sun_empty_system: share of all generated that is S.U.N. in a system without any known compound.
        sun_new_formula: share of all generated that is S.U.N. with a composition that is not listed as known: a novel
            structure of a listed composition may be one that the novelty reference lacks.
    """

    threshold: float
    stable_by: Mapping[str, Share]
    stable: Share
    sun: Share
    sun_empty_system: Share
    sun_new_formula: Share


def is_stable(item: Assessed, potentials: Sequence[str], threshold: float) -> bool:
    """Whether every potential puts the crystal within `threshold` eV/atom of the hull, and no noble gas is in it."""
    if item.crystal is None or noble_gases_in(counts_of(item.crystal)):
        return False
    return all(item.e_above_hull.get(name, np.inf) <= threshold for name in potentials)


def stable_unique_novel(
    items: Sequence[Assessed],
    novel: Sequence[bool],
    *,
    potentials: Sequence[str],
    comparison: StructureComparison,
    thresholds: Sequence[float] = THRESHOLDS,
) -> tuple[SunAtThreshold, ...]:
    """S.U.N. at each threshold.

    Args:
        items: all generated crystals, failures included: they count in the denominator.
        novel: (n,) whether each matches no known crystal; ignored where relaxation failed.
        potentials: the potentials that must agree.
        comparison: how two structures are compared; duplicates are counted once.
        thresholds: eV/atom.

    Raises:
        InputError: when `novel` has another length than `items`.
    """
    if len(novel) != len(items):
        raise InputError(f"{len(items)} crystals need {len(items)} answers about novelty, found {len(novel)}")
    rows = []
    for threshold in thresholds:
        stable = [item for item in items if is_stable(item, potentials, threshold)]
        hits = [item for item, new in zip(items, novel, strict=True) if new and is_stable(item, potentials, threshold)]
        distinct = _distinct(hits, comparison)
        rows.append(
            SunAtThreshold(
                threshold=threshold,
                stable_by={
                    name: Share(count=sum(is_stable(item, [name], threshold) for item in items), n=len(items))
                    for name in potentials
                },
                stable=Share(count=len(stable), n=len(items)),
                sun=Share(count=len(distinct), n=len(items)),
                sun_empty_system=Share(count=sum(not item.known_system for item in distinct), n=len(items)),
                sun_new_formula=Share(count=sum(not item.known_formula for item in distinct), n=len(items)),
            )
        )
    return tuple(rows)


def _distinct(items: Sequence[Assessed], comparison: StructureComparison) -> list[Assessed]:
    crystals = [item.crystal for item in items if item.crystal is not None]
    first = comparison.classes(crystals)
    return [item for index, item in enumerate(items) if first[index] == index]


def space_groups(crystals: Sequence[Crystal], symprec: float = 0.01) -> NDArray[np.int64]:
    """(n,) international numbers at `symprec` Å; 1 where no symmetry can be found."""
    from matwright.materials.symmetry import site_symmetry

    found = []
    for crystal in crystals:
        try:
            found.append(site_symmetry(crystal, symprec).number)
        except CalculationError:
            found.append(1)
    return np.array(found, dtype=np.int64)


def share_of_group_one(crystals: Sequence[Crystal], symprec: float = 0.01) -> Share:
    """How many crystals have no symmetry but translations (space group 1 at `symprec` Å)."""
    return Share(count=int((space_groups(crystals, symprec) == 1).sum()), n=len(crystals))
