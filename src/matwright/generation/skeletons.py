"""Draws act 3 of a sequence: the Wyckoff letter of each orbit, many sequences at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from matwright.generation.backbone import MemoryState
from matwright.generation.decoder import SequenceDecoder, masked
from matwright.generation.densities import choice_log_prob, sample_categorical
from matwright.generation.formulas import Cells, Formulas
from matwright.generation.masks import MaskRules
from matwright.generation.placement import Placement


@dataclass(slots=True, kw_only=True)
class Skeletons:
    """The positions being written: results for all n rows."""

    slots: Tensor
    letters: Tensor
    length: Tensor
    log_letter: Tensor
    final: Tensor
    complete: Tensor


@dataclass(slots=True, kw_only=True)
class _Open:
    """The rows still being written: their place in the batch, half-filled cells, memory and last orbit."""

    rows: Tensor
    placement: Placement
    state: MemoryState
    element: Tensor
    position: Tensor


def draw_skeletons(
    decoder: SequenceDecoder,
    rules: MaskRules,
    formula: Formulas,
    cells: Cells,
    cell: Tensor,
    temperature: float,
    generator: torch.Generator,
) -> Skeletons:
    """Wyckoff letters of n formulas whose units and space groups are drawn."""
    n, longest, none = len(cells.group), decoder.vocabulary.max_atoms, len(decoder.vocabulary)
    elements, positions = decoder.element_table(), decoder.position_table()
    slots, letters = torch.zeros(2, n, longest, dtype=torch.int64)
    written = Skeletons(
        slots=slots,
        letters=letters,
        length=torch.zeros(n, dtype=torch.int64),
        log_letter=torch.zeros(n),
        final=torch.zeros(n, decoder.config.structure_width),
        complete=cells.alive.clone(),
    )
    totals = formula.counts * cells.units[:, None] * cells.alive[:, None]
    at = _Open(
        rows=torch.arange(n),
        placement=Placement.start(cells.group, totals, decoder.catalogue.n_letters),
        state=decoder.start_structure(cell, formula.z),
        element=torch.full((n,), none),
        position=torch.zeros(n, dtype=torch.int64),
    )
    for step in range(longest + 1):
        memory, upcoming = _read(decoder, at, formula.elements, cell, elements, positions)
        mask = rules.letters(at.placement)
        keep = _close(written, at, memory, mask)
        if len(keep) == 0 or step == longest:
            written.complete[at.rows[keep]] = False
            break
        at.rows, at.placement, at.element = at.rows[keep], at.placement.select(keep), upcoming[keep]
        at.state = (at.state[0][:, keep], at.state[1][:, keep])
        logits = masked(decoder.letter_logits(memory[keep], at.placement.group, positions), mask[keep])
        letter = sample_categorical(logits, temperature=temperature, generator=generator)
        at.position = decoder.catalogue.index[at.placement.group, letter]
        written.log_letter[at.rows] += choice_log_prob(logits, letter)
        written.slots[at.rows, step], written.letters[at.rows, step] = at.placement.slot, letter
        written.length[at.rows] = step + 1
        at.placement = at.placement.place(letter, decoder.catalogue)
    return written


def _read(
    decoder: SequenceDecoder, at: _Open, chosen: Tensor, cell: Tensor, elements: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """Feed the last orbit to the memory: its output (n_open, width) and the element that comes now (n_open,)."""
    finished, none = at.placement.finished, len(decoder.vocabulary)
    slot = at.placement.slot.clamp(max=chosen.shape[1] - 1)[:, None]
    upcoming = torch.where(finished, none, chosen[at.rows].gather(1, slot)[:, 0])
    total = torch.where(finished, 0, at.placement.totals.gather(1, at.placement.slot[:, None])[:, 0])
    inputs = decoder.structure_input(
        elements[at.element], positions[at.position], elements[upcoming], at.placement.remaining, total
    )
    outputs, at.state = decoder.structure_memory(torch.cat([inputs, cell[at.rows]], dim=-1)[:, None], at.state)
    return outputs[:, 0], upcoming


def _close(written: Skeletons, at: _Open, memory: Tensor, mask: Tensor) -> Tensor:
    """Put finished rows aside, mark those without a choice; the places of the rows that go on come back."""
    finished = at.placement.finished
    written.final[at.rows[finished]] = memory[finished]
    stuck = ~finished & ~mask.any(1)
    written.complete[at.rows[stuck]] = False
    return (~finished & ~stuck).nonzero()[:, 0]
