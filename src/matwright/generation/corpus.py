"""Training data of the generator: crystals as sequences, the vocabulary they span, tensors with masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from matwright.errors import InputError, MatwrightError
from matwright.generation.catalogue import wyckoff_catalogue
from matwright.generation.graph_reader import GraphReader, with_graphs
from matwright.generation.masks import MaskRules, trace_masks
from matwright.generation.packing import SequencePacker, fit_scaling
from matwright.generation.sequence_data import SequenceData
from matwright.generation.vocabulary import Vocabulary, electronegativity_order
from matwright.generation.wyckoff import SymmetrySequence
from matwright.generation.wyckoff.encode import encode
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal

Properties = Sequence[Sequence[float]]
"""One row a sequence, one value a property; NaN where unknown."""


def encode_or_none(crystal: Crystal) -> SymmetrySequence | None:
    """The canonical sequence, None where no symmetry can be found or the crystal has none (disordered, a layer)."""
    try:
        return encode(crystal)
    except MatwrightError:
        return None


def encode_all(
    crystals: Iterable[Crystal], *, workers: int = 1, on_done: Callable[[int], None] | None = None
) -> Iterator[SymmetrySequence | None]:
    """The sequence of each crystal in order, None where one cannot be encoded; `on_done(1)` after each."""
    if workers <= 1:
        for crystal in crystals:
            yield encode_or_none(crystal)
            if on_done is not None:
                on_done(1)
        return
    with ProcessPoolExecutor(workers) as pool:
        for sequence in pool.map(encode_or_none, crystals, chunksize=64):
            yield sequence
            if on_done is not None:
                on_done(1)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Training and held-out sequences as tensors, and the packer that made them."""

    packer: SequencePacker
    train: SequenceData
    valid: SequenceData


def build_corpus(
    train: Sequence[SymmetrySequence],
    valid: Sequence[SymmetrySequence],
    *,
    max_atoms: int,
    max_elements: int = 6,
    values: tuple[Properties, Properties] | None = None,
    reader: GraphReader | None = None,
) -> Corpus:
    """Pack the sequences that are small enough; elements and scaling come from the training part alone.

    Args:
        train, valid: sequences of the two parts.
        max_atoms: largest number of atoms in the primitive cell.
        max_elements: largest number of different elements.
        values: known properties of each sequence of the two parts, NaN where unknown; None for none.
        reader: reads the graphs of the crystals for a recognition network that wants them.

    Raises:
        InputError: a part has no sequence of that size and of the training elements.
    """
    kept = [i for i, s in enumerate(train) if s.n_atoms <= max_atoms and len(s.composition) <= max_elements]
    small = [train[i] for i in kept]
    if not small:
        raise InputError(f"no training crystal has at most {max_atoms} atoms and {max_elements} elements")
    catalogue = wyckoff_catalogue()
    vocabulary = Vocabulary(
        elements=electronegativity_order(z for s in small for z in s.composition),
        max_atoms=max_atoms,
        max_elements=max_elements,
    )
    packer = SequencePacker(vocabulary=vocabulary, catalogue=catalogue, scaling=fit_scaling(small, catalogue))
    fitting = [i for i, s in enumerate(valid) if packer.fits(s)]
    held_out = [valid[i] for i in fitting]
    if not held_out:
        raise InputError("no held-out crystal has the size and the elements of the training crystals")
    return Corpus(
        packer=packer,
        train=replace(packed(packer, small, reader), properties=_rows(values, 0, kept)),
        valid=replace(packed(packer, held_out, reader), properties=_rows(values, 1, fitting)),
    )


def _rows(values: tuple[Properties, Properties] | None, part: int, rows: Sequence[int]) -> Tensor | None:
    """(n, n_properties) float32 values of these rows of a part."""
    if values is None:
        return None
    return torch.tensor([values[part][row] for row in rows], dtype=torch.float32)


def packed(
    packer: SequencePacker, sequences: Sequence[SymmetrySequence], reader: GraphReader | None = None
) -> SequenceData:
    """Sequences that fit the packer, with the masks that stood open while they would be written, and graphs if read."""
    limits = Constraints(n_atoms=(1, packer.vocabulary.max_atoms), n_elements=(1, packer.vocabulary.max_elements))
    rules = MaskRules(packer.vocabulary, packer.catalogue, limits)
    batch = packer.pack(sequences)
    masks = trace_masks(batch, rules)
    return SequenceData(batch=batch if reader is None else with_graphs(batch, packer, reader), masks=masks)
