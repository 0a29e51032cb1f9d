"""Swaps elements for neighbours in the electronegativity order: a latent must name formulas that were never seen."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from matwright.generation.masks import MaskRules
from matwright.generation.sequence_batch import SequenceBatch

REACH = 12
"""Places in the order by which an element may move at most."""


def swap_elements(batch: SequenceBatch, rows: Tensor, n_vocabulary: int) -> SequenceBatch:
    """The batch with every element of the given rows moved with probability 1/2; order and counts stay.

    The graphs of these rows are those of other crystals now, and no longer known.

    Random numbers come from torch's global stream, as dropout's do.

    Args:
        batch: sequences whose elements ascend.
        rows: (n,) bool, which sequences may change.
        n_vocabulary: number of elements in the vocabulary, the index of padding.
    """
    elements = batch.elements.clone()
    real = batch.counts > 0
    for slot in range(elements.shape[1]):
        low = elements[:, slot - 1] + 1 if slot else torch.zeros_like(batch.group)
        after = elements[:, slot + 1] if slot + 1 < elements.shape[1] else torch.full_like(batch.group, n_vocabulary)
        step = torch.randint(-REACH, REACH + 1, (len(batch),))
        moved = torch.minimum(torch.maximum(elements[:, slot] + step, low), after - 1)
        chosen = rows & real[:, slot] & (torch.rand(len(batch)) < 0.5)
        elements[:, slot] = torch.where(chosen, moved, elements[:, slot])
    return replace(forget_graphs(batch, rows), elements=elements)


def forget_graphs(batch: SequenceBatch, rows: Tensor) -> SequenceBatch:
    """The batch without the graphs' embeddings of the given rows (n,) bool."""
    if batch.graphs is None:
        return batch
    return replace(batch, graphs=batch.graphs.masked_fill(rows[:, None], torch.nan))


def element_masks(batch: SequenceBatch, rules: MaskRules) -> Tensor:
    """(n, n_slots + 1, n_elements + 1) bool, the masks of the elements as in `masks.trace_masks`."""
    last = torch.full_like(batch.group, -1)
    placed, atoms = torch.zeros_like(last), torch.zeros_like(last)
    masks = []
    for slot in range(batch.elements.shape[1]):
        masks.append(rules.elements(last, placed, atoms))
        last = batch.elements[:, slot]
        placed = placed + (batch.counts[:, slot] > 0)
        atoms = atoms + batch.counts[:, slot]
    return torch.stack([*masks, rules.elements(last, placed, atoms)], 1)
