"""Draws acts 1 and 2 of a sequence: the reduced formula, the formula units and the space group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from matwright.generation.decoder import CHARGE_WIDTH, SequenceDecoder, masked
from matwright.generation.densities import choice_log_prob, sample_categorical
from matwright.generation.masks import MaskRules

GROUP_OVERSAMPLING = 24
"""Formulas drawn for each one kept when the user restricts the space groups: kept in proportion to how well they suit
the groups, so that the pair (formula, group) follows the model's conditional distribution."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Formulas:
    """Drawn formulas.

    Attributes:
        elements, counts: (n, n_slots) as in `SequenceBatch`.
        memory: (n, formula_width) memory output at the end of the formula.
        log_prob: (n,) nats of each kind of choice.
        alive: (n,) bool, False where the masks left no choice.
        z: (n, latent).
    """

    elements: Tensor
    counts: Tensor
    memory: Tensor
    log_prob: dict[str, Tensor]
    alive: Tensor
    z: Tensor

    def select(self, index: Tensor) -> Formulas:
        """The rows of `index`."""
        return Formulas(
            elements=self.elements[index],
            counts=self.counts[index],
            memory=self.memory[index],
            log_prob={name: value[index] for name, value in self.log_prob.items()},
            alive=self.alive[index],
            z=self.z[index],
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Drawn formula units and space groups, (n,) each; `context` (n, formula_width + latent) and `alive` (n,) bool."""

    units: Tensor
    group: Tensor
    context: Tensor
    alive: Tensor


def draw_formulas(
    decoder: SequenceDecoder, rules: MaskRules, z: Tensor, temperature: float, generator: torch.Generator
) -> Formulas:
    """Elements and counts of n reduced formulas, from electropositive to electronegative."""
    n, slots, end = len(z), decoder.vocabulary.max_elements, len(decoder.vocabulary)
    elements = decoder.element_table()
    chosen, counts = torch.full((n, slots), end), torch.zeros(n, slots, dtype=torch.int64)
    last, placed, atoms, count = torch.full((n,), -1), *torch.zeros(3, n, dtype=torch.int64)
    charge, final = torch.zeros(n, CHARGE_WIDTH), torch.zeros(n, decoder.config.formula_width)
    log_element, log_count = torch.zeros(2, n)
    going, alive = torch.ones(2, n, dtype=torch.bool)
    embedded, state = elements[-1].expand(n, -1), decoder.start_formula(z)
    for slot in range(slots + 1):
        inputs = decoder.formula_input(embedded, count, charge, atoms, z)
        outputs, state = decoder.formula_memory(inputs[:, None], state)
        memory = outputs[:, 0]
        mask = rules.elements(last, placed, atoms)
        logits = masked(decoder.element_logits(memory, elements), mask)
        choice = sample_categorical(logits, temperature=temperature, generator=generator)
        log_element += choice_log_prob(logits, choice) * going
        alive = alive & (~going | mask.any(1))
        ends = going & ((choice == end) | ~mask.any(1))
        final = torch.where(ends[:, None], memory, final)
        going = going & ~ends
        if slot == slots or not going.any():
            break
        choice = choice.clamp(max=end - 1)
        embedded = elements[choice]
        mask = rules.counts(choice, placed, atoms)
        logits = masked(decoder.count_logits(memory, embedded, charge), mask)
        number = sample_categorical(logits, temperature=temperature, generator=generator) + 1
        log_count += choice_log_prob(logits, number - 1) * going
        alive = alive & (~going | mask.any(1))
        count = number * going
        chosen[:, slot] = torch.where(going, choice, chosen[:, slot])
        counts[:, slot] = count
        last = torch.where(going, choice, last)
        placed, atoms = placed + going, atoms + count
        charge = charge + decoder.charge(embedded) * count[:, None]
    log_prob = {"element": log_element, "count": log_count}
    return Formulas(elements=chosen, counts=counts, memory=final, log_prob=log_prob, alive=alive, z=z)


def draw_cells(
    decoder: SequenceDecoder,
    rules: MaskRules,
    formula: Formulas,
    n: int,
    temperature: float,
    group_temperature: float,
    generator: torch.Generator,
) -> tuple[Formulas, Cells]:
    """Formula units and space groups; n of the formulas are kept (see `GROUP_OVERSAMPLING`)."""
    context = torch.cat([formula.memory, formula.z], dim=-1)
    mask = rules.units(formula.counts.sum(1))
    logits = masked(decoder.unit_logits(context), mask)
    units = sample_categorical(logits, temperature=temperature, generator=generator) + 1
    formula.log_prob["units"] = choice_log_prob(logits, units - 1)
    alive = formula.alive & mask.any(1)
    mask = rules.groups(formula.counts * units[:, None])
    logits = decoder.group_logits(context, units)
    if rules.restricts_groups:
        share = torch.logsumexp(masked(logits, mask), 1) - torch.logsumexp(logits, 1)
        share = torch.where(alive & mask.any(1), share, torch.full_like(share, -1e6))
        uniform = torch.rand(len(share), generator=generator).clamp_min(1e-20)
        kept = (share - torch.log(-torch.log(uniform))).topk(n).indices
        formula, units, logits, mask = formula.select(kept), units[kept], logits[kept], mask[kept]
        alive, context = alive[kept], context[kept]
    logits = masked(logits, mask)
    group = sample_categorical(logits, temperature=group_temperature, generator=generator)
    formula.log_prob["group"] = choice_log_prob(logits, group)
    alive = alive & mask.any(1)
    group = torch.where(alive, group, torch.ones_like(group))
    return formula, Cells(units=units, group=group, context=context, alive=alive)
