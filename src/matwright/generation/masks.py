"""What may come next in a sequence: the masks of symmetry, of the cell's size and of the user's constraints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import final

import torch
from torch import Tensor

from matwright.elements import symbol
from matwright.errors import InputError
from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.placement import Placement
from matwright.generation.reachability import can_host, group_words, has_count, reachable_from
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.vocabulary import Vocabulary
from matwright.materials.constraints import Constraints


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceMasks:
    """Per step of n sequences, True where a choice was open.

    Attributes:
        elements: (n, n_slots + 1, n_elements + 1), the last choice ends the formula.
        counts: (n, n_slots, max_atoms), choice c stands for c + 1 atoms.
        units: (n, max_atoms), choice u stands for u + 1 formula units.
        groups: (n, 231), choice 0 is never open.
        letters: (n, n_orbits, n_letters).
    """

    elements: Tensor
    counts: Tensor
    units: Tensor
    groups: Tensor
    letters: Tensor


@final
class MaskRules:
    """Turns constraints into masks over the choices of one decoding step, for many sequences at once.

    The masks look ahead: a required element is never skipped, and an orbit is only placed where the remaining
    positions can still complete the element's count. Positions without free coordinates are shared between the
    elements; a later element may find them taken, which shows as a row without any open choice.
    """

    def __init__(self, vocabulary: Vocabulary, catalogue: WyckoffCatalogue, constraints: Constraints) -> None:
        check_constraints(vocabulary, catalogue, constraints)
        self.catalogue = catalogue
        self._max_atoms = vocabulary.max_atoms
        self._range = (constraints.n_atoms[0], min(constraints.n_atoms[1], vocabulary.max_atoms))
        formula = _reduced(constraints.formula)
        self._formula = [(vocabulary.index(z), formula[z]) for z in vocabulary.elements if z in formula]
        demanded = set(constraints.required) | set(formula)
        self._required = torch.tensor(sorted(vocabulary.index(z) for z in demanded), dtype=torch.int64)
        self._open = torch.tensor([_may_occur(z, constraints) for z in vocabulary.elements])
        low, high = constraints.n_elements
        self._n_elements = (max(1, low), min(high, vocabulary.max_elements))
        self._groups = torch.ones(231, dtype=torch.bool)
        if constraints.space_groups:
            self._groups[:] = False
            self._groups[sorted(constraints.space_groups)] = True
        self._groups[0] = False
        self._words = group_words(catalogue)
        self.restricts_groups = bool(constraints.space_groups)

    def elements(self, last: Tensor, placed: Tensor, atoms: Tensor) -> Tensor:
        """(n, n_elements + 1) bool: which element may come next; the last choice ends the formula.

        Args:
            last: (n,) index of the element placed last, −1 at the start.
            placed: (n,) number of elements placed.
            atoms: (n,) atoms of the reduced formula so far.
        """
        index = torch.arange(len(self._open))
        after = index > last[:, None]
        waiting = (self._required[None, :] > last[:, None]).sum(1)
        later = (self._required[None, :] > index[:, None]).sum(1)  # required elements after each choice
        is_required = torch.isin(index, self._required)
        follows = later[None, :] + is_required[None, :] >= waiting[:, None]  # skips no required element
        low, high = self._n_elements
        open_after = self._open.flip(0).cumsum(0).flip(0) - self._open.long()
        slots = placed[:, None] + 1 + later[None, :] <= high
        enough = open_after[None, :] >= low - placed[:, None] - 1
        needed = torch.maximum(later[None, :].expand(len(last), -1), low - placed[:, None] - 1)
        room = atoms[:, None] + 1 + needed <= self._range[1]
        choice = self._open & after & follows & slots & enough & room
        end = (waiting == 0) & (placed >= low)
        return torch.cat([choice, end[:, None]], dim=1)

    def counts(self, element: Tensor, placed: Tensor, atoms: Tensor) -> Tensor:
        """(n, max_atoms) bool: how many atoms (choice + 1) of `element` (n,) the reduced formula may have."""
        later = (self._required[None, :] > element[:, None]).sum(1)
        needed = torch.maximum(later, self._n_elements[0] - placed - 1)
        count = torch.arange(1, self._max_atoms + 1)
        mask = count[None, :] + (atoms + needed)[:, None] <= self._range[1]
        for index, exact in self._formula:
            mask = torch.where((element == index)[:, None], count == exact, mask)
        return mask

    def units(self, atoms: Tensor) -> Tensor:
        """(n, max_atoms) bool: how many formula units (choice + 1) of `atoms` (n,) atoms the cell may hold."""
        total = atoms[:, None] * torch.arange(1, self._max_atoms + 1)
        return (total >= self._range[0]) & (total <= self._range[1])

    def groups(self, counts: Tensor) -> Tensor:
        """(n, 231) bool: groups in which each of the atom counts (n, n_slots) of the cell can be placed."""
        hosts = has_count(self._words[None, None, :], counts[:, :, None])
        return (hosts | (counts == 0)[:, :, None]).all(1) & self._groups

    def letters(self, placement: Placement) -> Tensor:
        """(n, n_letters) bool: positions on which the element that is placed now may take its next orbit."""
        multiplicity = self.catalogue.multiplicity[placement.group]
        single = self.catalogue.freedom[placement.group] == 0
        words = reachable_from(self.catalogue, placement.group, placement.used)
        after = torch.where(single, words[:, 1:], words[:, :-1])  # a free position may be taken again
        left = placement.remaining[:, None] - multiplicity
        in_order = torch.arange(self.catalogue.n_letters) >= placement.first[:, None]
        return (multiplicity > 0) & ~(single & placement.used) & in_order & has_count(after, left)


def trace_masks(batch: SequenceBatch, rules: MaskRules) -> SequenceMasks:
    """The masks that stood open while the given sequences would be written: those of teacher forcing."""
    element_masks, count_masks = [], []
    last = torch.full((len(batch),), -1)
    placed, atoms = torch.zeros_like(last), torch.zeros_like(last)
    for slot in range(batch.elements.shape[1]):
        element_masks.append(rules.elements(last, placed, atoms))
        last = batch.elements[:, slot]
        count_masks.append(rules.counts(last, placed, atoms))
        placed = placed + (batch.counts[:, slot] > 0)
        atoms = atoms + batch.counts[:, slot]
    element_masks.append(rules.elements(last, placed, atoms))
    return SequenceMasks(
        elements=torch.stack(element_masks, 1),
        counts=torch.stack(count_masks, 1),
        units=rules.units(atoms),
        groups=rules.groups(batch.counts * batch.units[:, None]),
        letters=_trace_letters(batch, rules),
    )


def _trace_letters(batch: SequenceBatch, rules: MaskRules) -> Tensor:
    """(n, n_orbits, n_letters) bool."""
    catalogue = rules.catalogue
    placement = Placement.start(batch.group, batch.counts * batch.units[:, None], catalogue.n_letters)
    masks = []
    for step in range(batch.letters.shape[1]):
        masks.append(rules.letters(placement))
        placement = placement.place(batch.letters[:, step], catalogue)
    return torch.stack(masks, 1)


def check_constraints(vocabulary: Vocabulary, catalogue: WyckoffCatalogue, constraints: Constraints) -> None:
    """Refuse demands that contradict each other or what the generator has learned.

    Raises:
        InputError: one sentence that names the contradiction.
    """
    missing = sorted(constraints.required - set(constraints.formula)) if constraints.formula else []
    if missing:
        raise InputError(f"{symbol(missing[0])} is required but is not part of the formula")
    for number in sorted(constraints.required | set(constraints.formula or {})):
        vocabulary.index(number)
        if not _may_occur(number, constraints):
            raise InputError(f"{symbol(number)} is required and excluded at the same time")
    if constraints.allowed and not any(_may_occur(z, constraints) for z in vocabulary.elements):
        raise InputError("no element that may occur is one that the generator has learned")
    low, high = constraints.n_atoms
    if low > high or high < 1 or low > vocabulary.max_atoms:
        raise InputError(f"the number of atoms must lie within 1..{vocabulary.max_atoms}, found {low}..{high}")
    fewest, most = constraints.n_elements
    demanded = len(constraints.required | set(constraints.formula or {}))
    if fewest > most or most < max(1, demanded) or fewest > vocabulary.max_elements:
        raise InputError(
            f"the number of elements must lie within {max(1, demanded)}..{vocabulary.max_elements}, "
            f"found {fewest}..{most}"
        )
    if constraints.layer_groups:
        raise InputError("this generator writes crystals periodic in three directions; layers come from 'random'")
    wrong = sorted(group for group in constraints.space_groups if not 1 <= group <= 230)
    if wrong:
        raise InputError(f"space groups are numbered 1..230, found {wrong[0]}")
    if constraints.formula:
        _check_formula(vocabulary, catalogue, constraints)


def _check_formula(vocabulary: Vocabulary, catalogue: WyckoffCatalogue, constraints: Constraints) -> None:
    formula = _reduced(constraints.formula)
    fewest, most = constraints.n_elements
    if not fewest <= len(formula) <= most:
        raise InputError(f"the formula has {len(formula)} elements, allowed are {fewest}..{most}")
    low, high = constraints.n_atoms[0], min(constraints.n_atoms[1], vocabulary.max_atoms)
    atoms = sum(formula.values())
    units = [u for u in range(1, high // atoms + 1) if u * atoms >= low]
    if not units:
        raise InputError(f"a cell of {low}..{high} atoms holds no whole number of formula units of {atoms} atoms")
    groups = sorted(constraints.space_groups)
    if groups and not any(
        can_host(catalogue, group, [u * c for c in formula.values()]) for group in groups for u in units
    ):
        raise InputError(f"no cell of {low}..{high} atoms of this formula fits space group {_listed(groups)}")


def _reduced(formula: Mapping[int, int] | None) -> dict[int, int]:
    """The formula with its counts divided by their common factor; empty without one."""
    counts = dict(formula or {})
    unit = gcd(*counts.values())
    return {number: count // unit for number, count in counts.items()}


def _may_occur(number: int, constraints: Constraints) -> bool:
    """Whether the sets of allowed, forbidden and (with a formula) demanded elements admit it."""
    inside = not constraints.allowed or number in constraints.allowed
    in_formula = not constraints.formula or number in constraints.formula
    return inside and in_formula and number not in constraints.forbidden


def _listed(groups: list[int]) -> str:
    return " or ".join(str(group) for group in groups)
