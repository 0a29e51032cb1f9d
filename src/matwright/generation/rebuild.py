"""Does a latent hold its crystal: the sequence decoded greedily from the latent mean, compared with the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from matwright.evaluation.generation import MatchSettings, StructureComparison
from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.masks import MaskRules
from matwright.generation.packing import SequencePacker
from matwright.generation.sampler import LIKELIEST, sample_sequences
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.wyckoff import SymmetrySequence
from matwright.generation.wyckoff.decode import decode
from matwright.materials.constraints import Constraints

REBUILT = MatchSettings(ltol=0.3, stol=0.5, angle_tol=10.0)
"""Tolerances at which a crystal counts as rebuilt: those of the published reconstruction and match rates."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRates:
    """Shares of n crystals that come back from their latent mean.

    Attributes:
        n: crystals tried.
        formula: reduced formula and formula units are right.
        symmetry: and the space group and all Wyckoff positions are.
        crystal: the structure matches by `REBUILT`, whatever its sequence.
    """

    n: int
    formula: float
    symmetry: float
    crystal: float


@torch.no_grad()
def rebuilt_sequences(
    model: SequenceAutoencoder, packer: SequencePacker, batch: SequenceBatch
) -> list[SymmetrySequence | None]:
    """Each sequence decoded from the mean of its latent; None where no cell closes or the atoms find no place."""
    mean, _ = model.encoder(batch)
    limits = Constraints(n_atoms=(1, packer.vocabulary.max_atoms), n_elements=(1, packer.vocabulary.max_elements))
    rules = MaskRules(packer.vocabulary, packer.catalogue, limits)
    rollout = sample_sequences(
        model.decoder,
        rules,
        len(batch),
        temperatures=LIKELIEST,
        generator=torch.Generator().manual_seed(0),  # greedy: the stream decides nothing
        latents=lambda _n, _generator: mean,
    )
    complete = rollout.complete.tolist()
    return [s if complete[i] else None for i, s in enumerate(packer.unpack(rollout.batch))]


def rebuild_rates(
    model: SequenceAutoencoder,
    packer: SequencePacker,
    batch: SequenceBatch,
    *,
    settings: MatchSettings = REBUILT,
) -> RebuildRates:
    """How many of the sequences come back."""
    training = model.training
    model.eval()
    comparison = StructureComparison(settings)
    originals, rebuilt = packer.unpack(batch), rebuilt_sequences(model, packer, batch)
    model.train(training)
    hits = torch.zeros(3)
    for original, answer in zip(originals, rebuilt, strict=True):
        if original is None or answer is None or original.composition != answer.composition:
            continue
        same = comparison.same(decode(original), decode(answer))
        hits += torch.tensor([1.0, float(_skeleton(original) == _skeleton(answer)), float(same)])
    formula, symmetry, crystal = (hits / len(batch)).tolist()
    return RebuildRates(n=len(batch), formula=formula, symmetry=symmetry, crystal=crystal)


def _skeleton(sequence: SymmetrySequence) -> tuple[int, tuple[tuple[int, str], ...]]:
    return sequence.space_group, tuple(sorted((orbit.number, orbit.letter) for orbit in sequence.orbits))


def small(batch: SequenceBatch, most: int, max_atoms: int = 20) -> Tensor:
    """Indices of at most `most` sequences of at most `max_atoms` atoms, evenly spread over the batch."""
    fits = (batch.n_atoms <= max_atoms).nonzero()[:, 0]
    return fits[torch.linspace(0, len(fits) - 1, min(most, len(fits))).long()]
