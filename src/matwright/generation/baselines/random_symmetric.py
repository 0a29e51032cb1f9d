"""Random symmetric crystals: a plausible formula, a random space group, random occupied positions (by pyxtal).

Where layer groups are asked for, layers (see `random_layers`).

The formula is that of a known stable binary or ternary compound with one of its elements swapped at random. This is
the floor that a learned generator must beat: it knows stoichiometry and symmetry and nothing else.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from matwright.elements import symbol
from matwright.errors import InputError
from matwright.generation.baselines.demands import check_demands, formula_reason
from matwright.generation.baselines.random_layers import layer_attempts
from matwright.generation.interface import Candidate, Provenance
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.crystal import Crystal
from matwright.rng import check_seed, generator

if TYPE_CHECKING:
    from matwright.data.hull import Hull

_TRIES_A_FORMULA = 6
_FORMULAS_A_CANDIDATE = 400
_MOST_UNITS = 8


@final
@dataclass(frozen=True, slots=True)
class RandomSymmetric:
    """Random symmetric crystals behind the `Generator` protocol.

    Attributes:
        hull: source of known formulas and of the elements that may be swapped in.
    """

    hull: Hull

    @classmethod
    def load(cls) -> RandomSymmetric:
        """With the shipped table of stable compositions.

        Raises:
            InputError: when pyxtal is not installed.
        """
        from matwright.data.hull import Hull

        try:
            import pyxtal  # noqa: F401  heavy: behind its door; asked for here so that its absence is told early
        except ImportError as error:
            raise InputError("pyxtal is not installed: pip install 'matwright[potentials]'") from error
        return cls(Hull.load())

    @property
    def name(self) -> str:
        """The name that stands in provenance and reports."""
        return "random"

    def sample(self, n: int, *, constraints: Constraints = NO_CONSTRAINTS, seed: int = 0) -> list[Candidate]:
        """Return n random symmetric crystals, or layers, as primitive cells; the same seed gives the same crystals.

        Raises:
            InputError: the constraints contradict each other, or nothing fits them after many tries.
        """
        check_seed(seed)
        check_demands(constraints, self.hull.elements)
        formulas = _known_formulas(self.hull, constraints)
        candidates = []
        for index in range(n):
            crystal = self._one(formulas, constraints, generator(seed, "random", index))
            provenance = Provenance(generator=self.name, seed=seed, index=index)
            candidates.append(Candidate(crystal=crystal, provenance=provenance))
        return candidates

    def _one(self, formulas: list[dict[int, int]], constraints: Constraints, rng: np.random.Generator) -> Crystal:
        pool = sorted((constraints.allowed or self.hull.elements) - constraints.forbidden)
        for _ in range(_FORMULAS_A_CANDIDATE):
            counts = _swapped(formulas[rng.integers(len(formulas))], pool, constraints, rng)
            if formula_reason(counts, constraints):
                continue
            attempts = layer_attempts if constraints.layer_groups else _attempts
            for crystal in attempts(counts, constraints, rng):
                return crystal
        raise InputError("no random symmetric crystal fits the constraints; allow more elements, groups or atoms")


def _known_formulas(hull: Hull, constraints: Constraints) -> list[dict[int, int]]:
    """Formulas of the known binaries and ternaries that are small enough, or the one demanded."""
    if constraints.formula is not None:
        return [dict(constraints.formula)]
    most = constraints.n_atoms[1]
    found = []
    for numbers, amounts in zip(hull.numbers, hull.amounts, strict=True):
        filled = numbers > 0
        if filled.sum() in (2, 3) and amounts.sum() <= most:
            found.append({int(z): int(k) for z, k in zip(numbers[filled], amounts[filled], strict=True)})
    if not found:
        raise InputError(f"no known binary or ternary compound has at most {most} atoms in its formula")
    return found


def _swapped(
    formula: Mapping[int, int], pool: list[int], constraints: Constraints, rng: np.random.Generator
) -> dict[int, int]:
    """The formula with one element swapped; where elements are demanded, with as many swapped as that takes."""
    if constraints.formula is not None:
        return dict(formula)
    counts = dict(formula)
    outside = [z for z in counts if z not in pool]
    chosen = outside or [int(rng.choice(list(counts)))]
    wanted = [z for z in constraints.required if z not in counts]
    inside = [z for z in counts if z not in chosen and z not in constraints.required]
    rng.shuffle(inside)
    chosen += inside[: max(0, len(wanted) - len(chosen))]
    for old in chosen:
        amount = counts.pop(old)
        choice = wanted.pop() if wanted else int(rng.choice(pool))
        if choice in counts:
            return dict(formula)
        counts[choice] = amount
    return counts


def _attempts(counts: Mapping[int, int], constraints: Constraints, rng: np.random.Generator) -> Iterator[Crystal]:
    """Crystals of this formula in random space groups, as far as pyxtal can place the atoms."""
    from pyxtal import pyxtal  # heavy: behind its door
    from pyxtal.msg import Error as PyxtalError

    from matwright.errors import CalculationError
    from matwright.materials.interop import from_pymatgen, primitive

    per_formula = sum(counts.values())
    low, high = constraints.n_atoms
    units = [k for k in range(1, _MOST_UNITS + 1) if low <= k * per_formula <= high]
    groups = sorted(constraints.space_groups) or list(range(2, 231))
    for _ in range(_TRIES_A_FORMULA if units else 0):
        k, group = int(rng.choice(units)), int(rng.choice(groups))
        ions = [k * amount for amount in counts.values()]
        builder = pyxtal()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of every composition that does not fit the group
                builder.from_random(
                    3,
                    group,
                    [symbol(z) for z in counts],
                    ions,
                    conventional=False,  # the numbers are those of the primitive cell
                    max_count=3,
                    random_state=int(rng.integers(2**31)),
                )
                if not builder.valid:
                    continue
                crystal = primitive(from_pymatgen(builder.to_pymatgen()))
        except (PyxtalError, RuntimeError, ValueError, ArithmeticError, IndexError, InputError, CalculationError):
            continue  # pyxtal cannot place these atoms in this group: another group is drawn
        if _fits(crystal, constraints):
            yield crystal


def _fits(crystal: Crystal, constraints: Constraints) -> bool:
    """Whether size and space group of the finished crystal are still what was asked for."""
    from matwright.errors import CalculationError
    from matwright.materials.symmetry import site_symmetry

    if not constraints.n_atoms[0] <= len(crystal) <= constraints.n_atoms[1]:
        return False
    try:
        return not constraints.space_groups or site_symmetry(crystal).number in constraints.space_groups
    except CalculationError:
        return False
