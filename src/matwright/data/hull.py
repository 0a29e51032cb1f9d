"""The convex hull of known stable compositions: how far a composition lies above or below it.

The hull energy of a composition x is the least energy of any mixture of known phases with that composition,
E_hull(x) = min { sum_i y_i e_i : sum_i y_i a_i = x, y_i >= 0 }, a linear program over the phases whose elements all
occur in x (e_i eV/atom, a_i and x atomic fractions, y_i fraction of atoms in phase i).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import SYMBOLS
from matwright.errors import CalculationError, InputError
from matwright.materials.composition import padded_compositions
from matwright.materials.formula import check_numbers, formula_text

MAX_ELEMENTS = 8
"""The largest number of different elements in one composition of the shipped table."""

_TABLE = "mp_hull_stable.npz"
_CACHED_SYSTEMS = 4096
_TOLERANCE = 1e-9
_MAX_STEPS = 2000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """The mixture of known phases that a composition would fall apart into.

    Attributes:
        energy_per_atom: formation energy of that mixture, eV/atom: the hull energy.
        products: (reduced formula, fraction of the atoms in it), the largest first.
    """

    energy_per_atom: float
    products: tuple[tuple[str, float], ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Subsystem:
    """The phases of one chemical system: fractions (n_elements, n_phases), energies (n_phases,) eV/atom.

    The first n_elements phases are the pure elements, so that they are a feasible basis of the linear program.
    """

    fractions: NDArray[np.float64]
    energies: NDArray[np.float64]
    rows: NDArray[np.int64]


@final
@dataclass(eq=False, slots=True)
class Hull:
    """Known stable phases and the linear program over them.

    Attributes:
        numbers: (n_phases, width) atomic numbers of each phase, 0 as padding; pure elements are implied at 0 eV.
        amounts: (n_phases, width) amounts of those elements, 0 as padding.
        energies: (n_phases,) formation energies in eV/atom.
        elements: atomic numbers for which the hull says something.
    """

    numbers: NDArray[np.int64]
    amounts: NDArray[np.float64]
    energies: NDArray[np.float64]
    elements: frozenset[int]
    _subsystems: dict[tuple[int, ...], _Subsystem] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.numbers.shape != self.amounts.shape or len(self.numbers) != len(self.energies):
            raise InputError(f"a hull needs one energy a phase, found {len(self.numbers)} and {len(self.energies)}")

    @classmethod
    def load(cls) -> Hull:
        """The hull of the Materials Project that ships with the package; read once a process."""
        return _load_shipped()

    @classmethod
    def from_phases(
        cls, phases: Iterable[tuple[Mapping[int, float], float]], elements: Iterable[int] | None = None
    ) -> Hull:
        """A hull of your own phases.

        Args:
            phases: (atomic number → amount, formation energy in eV/atom); pure elements at 0 are implied.
            elements: further elements that the hull covers although no phase holds them.

        Raises:
            InputError: an amount or an energy is impossible.
        """
        listed = list(phases)
        for amounts, energy in listed:
            check_numbers(amounts)
            if not np.isfinite(energy):
                raise InputError(f"the formation energy of {formula_text(amounts)} is {energy}")
        numbers, counts = padded_compositions([amounts for amounts, _ in listed])
        covered = {number for amounts, _ in listed for number in amounts} | set(elements or ())
        energies = np.array([energy for _, energy in listed], dtype=np.float64)
        return cls(numbers=numbers, amounts=counts, energies=energies, elements=frozenset(covered))

    def has_element(self, number: int) -> bool:
        """Whether the hull says anything about this element."""
        return number in self.elements

    def has_elements(self, numbers: Iterable[int]) -> bool:
        """Whether the hull says something about every one of these elements."""
        return self.elements.issuperset(numbers)

    def missing_elements(self, numbers: Iterable[int]) -> frozenset[int]:
        """Those of the elements that the hull knows nothing about."""
        return frozenset(numbers) - self.elements

    def n_compounds(self, numbers: Iterable[int]) -> int:
        """How many stable compounds (of two or more elements) are made of these elements only."""
        inside = self._inside(tuple(numbers))
        return int(((self.numbers[inside] > 0).sum(axis=1) > 1).sum())

    def known_system(self, numbers: Iterable[int]) -> bool:
        """Whether any stable compound of these elements is known; without one, the hull is empty and flatters."""
        return self.n_compounds(numbers) > 0

    def hull_energy(self, composition: Mapping[int, float]) -> float:
        """The hull energy in eV/atom of a composition (atomic number → amount); errors as in `energy_above_hull`."""
        return self._solve(composition)[0]

    def energy_above_hull(self, composition: Mapping[int, float], formation_energy_per_atom: float) -> float:
        """Formation energy minus hull energy, in eV/atom; negative below the known hull.

        Raises:
            InputError: the composition is empty or has an impossible element or amount.
            CalculationError: an element is not on the hull, or the energy is not a finite number.
        """
        if not np.isfinite(formation_energy_per_atom):
            raise CalculationError(f"the formation energy is {formation_energy_per_atom}")
        return formation_energy_per_atom - self._solve(composition)[0]

    def energies_above_hull(
        self, compositions: Sequence[Mapping[int, float]], formation_energies: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n,) eV/atom for n compositions; NaN where an element is not on the hull or the energy is NaN."""
        result = np.full(len(compositions), np.nan)
        for row, (composition, energy) in enumerate(zip(compositions, formation_energies, strict=True)):
            if np.isfinite(energy) and self.has_elements(composition):
                result[row] = self.energy_above_hull(composition, float(energy))
        return result

    def decomposition(self, composition: Mapping[int, float]) -> Decomposition:
        """The stable mixture at this composition; errors as in `energy_above_hull`."""
        energy, rows, shares = self._solve(composition)
        parts = [
            (formula_text({-row: 1.0} if row < 0 else self._amounts(row)), float(share))
            for row, share in zip(rows.tolist(), shares, strict=True)
            if share > 1e-8
        ]
        return Decomposition(energy_per_atom=energy, products=tuple(sorted(parts, key=lambda part: -part[1])))

    def _amounts(self, row: int) -> dict[int, float]:
        filled = self.numbers[row] > 0
        return dict(zip(self.numbers[row, filled].tolist(), self.amounts[row, filled].tolist(), strict=True))

    def _inside(self, elements: tuple[int, ...]) -> NDArray[np.int64]:
        """Rows of the phases that are made of these elements only."""
        allowed = np.zeros(len(SYMBOLS), dtype=bool)
        allowed[[0, *elements]] = True
        return np.flatnonzero(allowed[self.numbers].all(axis=1))

    def _solve(self, composition: Mapping[int, float]) -> tuple[float, NDArray[np.int64], NDArray[np.float64]]:
        """Hull energy (eV/atom), the phases of the mixture (row; minus the number for an element), shares."""
        if not composition:
            raise InputError("a composition is empty")
        check_numbers(composition)
        missing = self.missing_elements(composition)
        if missing:
            names = ", ".join(SYMBOLS[number] for number in sorted(missing))
            raise CalculationError(f"the hull holds no data for {names}")
        elements = tuple(sorted(composition))
        subsystem = self._subsystem(elements)
        wanted = np.array([composition[number] for number in elements])
        basis, shares = _cheapest_mixture(subsystem.fractions, subsystem.energies, wanted / wanted.sum())
        return float(shares @ subsystem.energies[basis]), subsystem.rows[basis], shares

    def _subsystem(self, elements: tuple[int, ...]) -> _Subsystem:
        found = self._subsystems.get(elements)
        if found is None:
            if len(self._subsystems) >= _CACHED_SYSTEMS:
                self._subsystems.clear()
            found = self._subsystems[elements] = self._select(elements)
        return found

    def _select(self, elements: tuple[int, ...]) -> _Subsystem:
        inside = self._inside(elements)
        fractions = np.zeros((len(elements), len(inside)))
        for row, number in enumerate(elements):
            fractions[row] = np.where(self.numbers[inside] == number, self.amounts[inside], 0.0).sum(axis=1)
        fractions /= fractions.sum(axis=0)
        return _Subsystem(
            fractions=np.concatenate([np.eye(len(elements)), fractions], axis=1),
            energies=np.concatenate([np.zeros(len(elements)), self.energies[inside]]),
            rows=np.concatenate([-np.array(elements, dtype=np.int64), inside]),
        )


def _cheapest_mixture(
    fractions: NDArray[np.float64], energies: NDArray[np.float64], wanted: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The revised simplex method from the basis of pure elements: basis columns (k,) and their shares (k,).

    Few rows (elements), many columns (phases): a general solver spends most of its time on setting up.
    Dantzig's rule with the largest pivot among ties, then Bland's rule after many steps so that it cannot cycle.
    """
    basis = np.arange(len(wanted))
    for step in range(_MAX_STEPS):
        inverse = np.linalg.inv(fractions[:, basis])
        shares = np.clip(inverse @ wanted, 0.0, None)
        reduced = energies - (energies[basis] @ inverse) @ fractions
        candidates = np.flatnonzero(reduced < -_TOLERANCE)
        if len(candidates) == 0:
            return basis, shares
        careful = step > _MAX_STEPS // 4
        entering = candidates[0] if careful else np.argmin(reduced)
        direction = inverse @ fractions[:, entering]
        rising = np.flatnonzero(direction > _TOLERANCE)
        ratios = shares[rising] / direction[rising]
        ties = rising[ratios <= ratios.min() + 1e-12]
        leaving = ties[np.argmin(basis[ties])] if careful else ties[np.argmax(direction[ties])]
        basis[leaving] = entering
    raise CalculationError("the linear program of the hull did not end")


@lru_cache(maxsize=1)
def _load_shipped() -> Hull:
    with resources.as_file(resources.files("matwright.data") / "tables" / _TABLE) as path:
        return load_table(path)


def load_table(path: Path) -> Hull:
    """A hull from a file with the arrays `numbers`, `counts` and `formation_energy_per_atom` (see tables/README.md)."""
    with np.load(path, allow_pickle=False) as table:
        numbers, amounts = table["numbers"].astype(np.int64), table["counts"].astype(np.float64)
        energies = table["formation_energy_per_atom"].astype(np.float64)
    elements = frozenset(int(number) for number in np.unique(numbers) if number > 0)
    return Hull(numbers=numbers, amounts=amounts, energies=energies, elements=elements)
