"""Hull energies of many compositions at once: the linear programs of `hull`, solved side by side.

A screening or a learning loop asks for hundreds of compositions at a time, each of few elements. Phases are found by
their set of elements in one sorted table, and all programs with the same number of elements take their simplex steps
together: no Python per composition.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.data.hull import Hull
from matwright.errors import CalculationError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_ELEMENTS = 8
"""Elements of one composition: seven bits each fit into one key."""
_TOLERANCE, _MAX_STEPS, _BARRED = 1e-9, 2000, 1e6


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HullTable:
    """The phases of a hull in the order of their sets of elements.

    Attributes:
        keys: (n_sets,) int64, ascending, one a set of elements (see `_keys`).
        starts, counts: (n_sets,) the phases of each set.
        numbers, amounts: (n_phases, width) atomic numbers and atomic fractions, 0 as padding.
        energies: (n_phases,) eV/atom.
        covered: (119,) bool, elements for which the hull says something.
    """

    keys: Integers
    starts: Integers
    counts: Integers
    numbers: Integers
    amounts: Floats
    energies: Floats
    covered: NDArray[np.bool_]

    @classmethod
    def of(cls, hull: Hull) -> HullTable:
        """The table of a hull; phases of more than `MOST_ELEMENTS` elements cannot lie inside any composition asked."""
        few = (hull.numbers > 0).sum(1) <= MOST_ELEMENTS
        keys = _keys(_ascending(hull.numbers[few]))
        order = np.argsort(keys, kind="stable")
        unique, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
        amounts = hull.amounts[few][order]
        covered = np.zeros(119, dtype=bool)
        covered[list(hull.elements)] = True
        return cls(
            keys=unique,
            starts=starts,
            counts=counts,
            numbers=hull.numbers[few][order],
            amounts=amounts / amounts.sum(1, keepdims=True),
            energies=hull.energies[few][order],
            covered=covered,
        )

    def energies_at(self, numbers: Integers, amounts: Floats) -> Floats:
        """(n,) hull energy in eV/atom of n compositions; NaN where an element is not on the hull.

        Args:
            numbers: (n, width) atomic numbers, each once, 0 as padding; at most `MOST_ELEMENTS`.
            amounts: (n, width) their amounts, 0 as padding.

        Raises:
            CalculationError: a program does not end (never seen).
        """
        found = np.full(len(numbers), np.nan)
        width = (numbers > 0).sum(1)
        known = np.where(numbers > 0, self.covered[numbers], True).all(1) & (width > 0) & (width <= MOST_ELEMENTS)
        for size in np.unique(width[known]):
            rows = np.flatnonzero(known & (width == size))
            order = np.argsort(np.where(numbers[rows] > 0, numbers[rows], 999), axis=1)[:, :size]
            elements = np.take_along_axis(numbers[rows], order, axis=1)
            wanted = np.take_along_axis(amounts[rows], order, axis=1)
            found[rows] = self._solve(elements, wanted / wanted.sum(1, keepdims=True))
        return found

    def _solve(self, elements: Integers, wanted: Floats) -> Floats:
        """(n,) for compositions of the same number k of elements: elements ascending and fractions, (n, k)."""
        n, k = elements.shape
        owner, phase = self._inside(elements)
        counts = np.bincount(owner, minlength=n)
        column = k + np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        fractions = np.zeros((n, k, k + int(counts.max(initial=0))))
        fractions[:, 0] = 1.0  # padding: a dear phase of the first element
        energies = np.full((n, fractions.shape[2]), _BARRED)
        fractions[:, :, :k], energies[:, :k] = np.eye(k), 0.0
        same = self.numbers[phase][:, :, None] == elements[owner][:, None, :]
        fractions[owner, :, column] = (same * self.amounts[phase][:, :, None]).sum(1)
        energies[owner, column] = self.energies[phase]
        return _cheapest_mixtures(fractions, energies, wanted)

    def _inside(self, elements: Integers) -> tuple[Integers, Integers]:
        """(composition, phase) of every phase made of the composition's elements alone, compositions in order."""
        n, k = elements.shape
        masks = (np.arange(1, 2**k)[:, None] >> np.arange(k)) & 1  # (n_subsets, k)
        keys = np.stack([_keys(elements[:, mask > 0]) for mask in masks], axis=1)  # one step a subset, not a crystal
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        counts = np.where(self.keys[place] == keys, self.counts[place], 0).ravel()
        starts = self.starts[place].ravel()
        phase = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
        return np.repeat(np.repeat(np.arange(n), len(masks)), counts), phase


@lru_cache(maxsize=1)
def shipped_hull_table() -> HullTable:
    """The table of the shipped hull, built once a process."""
    return HullTable.of(Hull.load())


def _ascending(numbers: Integers) -> Integers:
    """The rows sorted, padding last."""
    return np.sort(np.where(numbers > 0, numbers, 999), axis=1) % 999


def _keys(numbers: Integers) -> Integers:
    """(n,) one number a set of elements, given in ascending order with padding last."""
    return np.asarray((numbers[:, :MOST_ELEMENTS] << (7 * np.arange(min(numbers.shape[1], MOST_ELEMENTS)))).sum(1))


def _cheapest_mixtures(fractions: Floats, energies: Floats, wanted: Floats) -> Floats:
    """(n,) least energies: the revised simplex method of `hull` for n programs at once.

    Args:
        fractions: (n, k, n_phases), the pure elements first.
        energies: (n, n_phases).
        wanted: (n, k).

    Raises:
        CalculationError: one does not end.
    """
    n, k, _ = fractions.shape
    result, rows = np.zeros(n), np.arange(n)
    basis = np.tile(np.arange(k), (n, 1))
    for step in range(_MAX_STEPS):
        chosen = np.take_along_axis(fractions, basis[:, None, :], axis=2)
        inverse = np.linalg.inv(chosen)
        shares = np.clip((inverse @ wanted[:, :, None])[:, :, 0], 0.0, None)
        cost = np.take_along_axis(energies, basis, axis=1)
        reduced = energies - ((cost[:, None, :] @ inverse) @ fractions)[:, 0]
        result[rows] = (cost * shares).sum(1)
        open_ = (reduced < -_TOLERANCE).any(1)
        if not open_.any():
            return result
        rows, fractions, energies, wanted = rows[open_], fractions[open_], energies[open_], wanted[open_]
        basis, inverse, shares, reduced = basis[open_], inverse[open_], shares[open_], reduced[open_]
        careful = step > _MAX_STEPS // 4  # Bland's rule cannot cycle
        entering = (reduced < -_TOLERANCE).argmax(1) if careful else reduced.argmin(1)
        at = np.arange(len(rows))
        direction = (inverse @ fractions[at, :, entering][:, :, None])[:, :, 0]
        rising = direction > _TOLERANCE
        ratios = np.where(rising, shares / np.where(rising, direction, 1.0), np.inf)
        ties = rising & (ratios <= ratios.min(1, keepdims=True) + 1e-12)
        merit = np.where(ties, -basis if careful else direction, -np.inf)
        basis[at, merit.argmax(1)] = entering
    raise CalculationError("a linear program of the hull did not end")
