"""Ion exchange: a known structure in which elements are replaced by others that replace them in nature.

How readily j replaces i is counted over pairs of known crystals of one prototype that differ in exactly one element
(after Hautier et al., Inorg. Chem. 50, 656, 2011, with counts in place of a fitted model). The cell is scaled by the
ratio of the elements' atomic volumes. Compositions that were charge balanced stay so, and a structure that is already
in the library is not proposed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np

from matwright.errors import CalculationError, InputError
from matwright.generation.baselines.demands import check_demands, formula_reason
from matwright.generation.baselines.substitution import SubstitutionTable
from matwright.generation.interface import Candidate, Provenance
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.crystal import Crystal
from matwright.rng import check_seed, generator

_TRIES = 3000
_REPLACE_ONE = 0.7
"""Share of the proposals in which one element is replaced; in the others two are."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A known structure that can be substituted.

    Attributes:
        id: the id of the material in its source.
        crystal: primitive cell.
        counts: reduced formula, atomic number → count.
        prototype: space group with the Wyckoff sequence, element by element.
        balanced: whether its composition passes the charge test.
    """

    id: str
    crystal: Crystal
    counts: dict[int, int]
    prototype: str
    balanced: bool

    @property
    def space_group(self) -> int:
        """International number."""
        return int(self.prototype.split(":", 1)[0])


@final
class IonExchange:
    """Ion exchange behind the `Generator` protocol."""

    def __init__(self, parents: Sequence[Parent], table: SubstitutionTable) -> None:
        """Take a library of parents and the table of what replaces what.

        Raises:
            InputError: for an empty library.
        """
        if not parents:
            raise InputError("ion exchange needs at least one parent structure")
        self._parents = list(parents)
        self._table = table
        self._known = {(parent.prototype, _key(parent.counts)) for parent in parents}

    @classmethod
    def load(cls) -> IonExchange:
        """With what ships: the shipped table, and the AFLOW prototypes inside pymatgen as parents."""
        return cls(_shipped_parents(), SubstitutionTable.load())

    @classmethod
    def from_crystals(
        cls, crystals: Sequence[Crystal], ids: Sequence[str], *, table: SubstitutionTable | None = None
    ) -> IonExchange:
        """With your own library; the table is counted from it unless one is given.

        Crystals that are disordered or not periodic in three directions are left out.
        """
        parents = make_parents(crystals, ids)
        return cls(parents, table if table is not None else count_substitutions(parents))

    @property
    def name(self) -> str:
        """The name that stands in provenance and reports."""
        return "ion-exchange"

    def sample(self, n: int, *, constraints: Constraints = NO_CONSTRAINTS, seed: int = 0) -> list[Candidate]:
        """Return n substituted structures; the same seed gives the same ones.

        Raises:
            InputError: the constraints contradict each other, or no substitution fits them after many tries.
        """
        check_seed(seed)
        check_demands(constraints, self._table.elements)
        if constraints.layer_groups:
            raise InputError("ion exchange starts from bulk crystals; layers come from the generator 'random'")
        parents = [parent for parent in self._parents if _usable(parent, constraints)]
        if not parents:
            raise InputError("no structure of the library has the demanded size, space group or formula pattern")
        candidates = []
        for index in range(n):
            parent, crystal = self._one(parents, constraints, generator(seed, "ion-exchange", index))
            provenance = Provenance(generator=self.name, seed=seed, index=index, parents=(parent.id,))
            candidates.append(Candidate(crystal=crystal, provenance=provenance))
        return candidates

    def _one(self, parents: list[Parent], constraints: Constraints, rng: np.random.Generator) -> tuple[Parent, Crystal]:
        for _ in range(_TRIES):
            parent = parents[rng.integers(len(parents))]
            exchange = self._exchange(parent, constraints, rng)
            if exchange is None:
                continue
            counts = {exchange.get(z, z): amount for z, amount in parent.counts.items()}
            if formula_reason(counts, constraints) or (parent.prototype, _key(counts)) in self._known:
                continue
            if not parent.balanced or _balanced(counts):
                return parent, self._substituted(parent.crystal, exchange)
        raise InputError("no substitution of a known structure fits the constraints; allow more elements or formulas")

    def _exchange(self, parent: Parent, constraints: Constraints, rng: np.random.Generator) -> dict[int, int] | None:
        """Old element → new element, or None where this draw leads nowhere."""
        elements = list(parent.counts)
        pool = self._table.elements & (constraints.allowed or self._table.elements) - constraints.forbidden
        outside = [z for z in elements if z not in pool]
        count = max(len(outside), 1 if rng.random() < _REPLACE_ONE else min(2, len(elements)))
        missing = [z for z in sorted(constraints.required) if z not in elements]
        inside = [z for z in elements if z in pool and z not in constraints.required]
        rng.shuffle(inside)
        chosen = outside + inside[: max(count, len(missing)) - len(outside)]
        taken = set(elements) - set(chosen)
        exchange: dict[int, int] = {}
        for old in chosen:
            options = sorted(pool - taken - {old})
            if constraints.formula is not None:
                options = [z for z in options if constraints.formula.get(z) == parent.counts[old]]
            new = self._table.draw(old, options, rng)
            if new is None:
                return None
            exchange[old] = new
            taken.add(new)
        return exchange

    def _substituted(self, crystal: Crystal, exchange: dict[int, int]) -> Crystal:
        numbers = np.array([exchange.get(int(z), int(z)) for z in crystal.numbers])
        ratio = self._table.volume(numbers) / self._table.volume(crystal.numbers)
        lattice = crystal.lattice * float(np.cbrt(np.clip(ratio, 0.4, 2.5)))
        return Crystal(lattice=lattice, frac_coords=crystal.frac_coords, numbers=numbers)


def make_parents(crystals: Sequence[Crystal], ids: Sequence[str]) -> list[Parent]:
    """Parents from crystals; those that are disordered or whose symmetry cannot be found are left out."""
    from matwright.materials.interop import primitive
    from matwright.materials.symmetry import prototype_key
    from matwright.physics.chemistry import counts_of

    parents = []
    for crystal, name in zip(crystals, ids, strict=True):
        try:
            counts = counts_of(crystal)
            parent = Parent(
                id=name,
                crystal=primitive(crystal),
                counts=counts,
                prototype=prototype_key(crystal),
                balanced=_balanced(counts),
            )
        except (InputError, CalculationError):
            continue
        parents.append(parent)
    return parents


def count_substitutions(parents: Sequence[Parent]) -> SubstitutionTable:
    """Counts over the pairs of parents with one prototype that differ in exactly one element; volumes by regression."""
    groups: dict[tuple[str, frozenset[tuple[int, int]], int], set[int]] = {}
    for parent in parents:
        for element, amount in parent.counts.items():
            rest = frozenset((z, k) for z, k in parent.counts.items() if z != element)
            groups.setdefault((parent.prototype, rest, amount), set()).add(element)
    crystals = [parent.crystal for parent in parents]
    return SubstitutionTable.from_groups(list(groups.values()), crystals)


def _usable(parent: Parent, constraints: Constraints) -> bool:
    """Whether size, space group and pattern of amounts of the parent can give what is asked for."""
    if not constraints.n_atoms[0] <= len(parent.crystal) <= constraints.n_atoms[1]:
        return False
    if not constraints.n_elements[0] <= len(parent.counts) <= constraints.n_elements[1]:
        return False
    if constraints.space_groups and parent.space_group not in constraints.space_groups:
        return False
    pattern = sorted(parent.counts.values())
    return constraints.formula is None or pattern == sorted(constraints.formula.values())


def _balanced(counts: dict[int, int]) -> bool:
    from matwright.physics.chemistry import is_charge_balanced

    return is_charge_balanced(counts)


def _key(counts: dict[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(counts.items()))


@lru_cache(maxsize=1)
def _shipped_parents() -> tuple[Parent, ...]:
    from pymatgen.analysis.prototypes._data import AFLOW_PROTOTYPE_LIBRARY  # heavy: behind its door

    from matwright.materials.interop import from_pymatgen

    crystals, ids = [], []
    for entry in AFLOW_PROTOTYPE_LIBRARY:
        try:
            crystals.append(from_pymatgen(entry["snl"].structure))
        except InputError:
            continue
        ids.append(f"aflow-{entry['tags']['aflow']}")
    return tuple(make_parents(crystals, ids))
