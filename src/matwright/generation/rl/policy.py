"""The decoder as a policy: it draws sequences, says how probable they were, and how far it is from the prior.

A sequence is one episode of a few actions, one a kind of choice: element, count, units, group, letter, shape. The
latent z ~ N(0, I) is the state in which the episode starts and is never trained. Coordinates are drawn by the
generator's own rule that keeps atoms apart; they belong to the environment, the networks that place them are frozen.
Log-probabilities are those of the tempered distributions that are sampled, not of the bare decoder.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.clearance import ClearanceRule
from matwright.generation.coordinates import Room
from matwright.generation.decoder import SequenceDecoder
from matwright.generation.likelihood import sequence_log_prob
from matwright.generation.masks import MaskRules, trace_masks
from matwright.generation.sampler import Latents, Rollout, sample_sequences
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.sequence_data import SequenceData
from matwright.materials.constraints import Constraints

KINDS = ("element", "count", "units", "group", "letter", "shape")
"""The actions of an episode; the last is a density, the others are probabilities."""
DISCRETE = KINDS[:-1]
FROZEN = ("geometry", "frame", "site_head", "coordinate_heads", "prior", "no_latent")
"""First words of the parameters that place coordinates or say where latents lie."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """n complete sequences with what a policy gradient needs.

    Attributes:
        data: the choices and the masks under which they were made.
        z: (n, latent).
        log_prob: (n, n_kinds) nats under the policy that drew them, in the order of `KINDS`.
        log_prior: (n, n_kinds) nats under the frozen prior.
    """

    data: SequenceData
    z: Tensor
    log_prob: Tensor
    log_prior: Tensor

    def __len__(self) -> int:
        return len(self.z)

    def select(self, index: Tensor) -> Episodes:
        """The rows of `index`."""
        return Episodes(
            data=self.data.select(index),
            z=self.z[index],
            log_prob=self.log_prob[index],
            log_prior=self.log_prior[index],
        )


@final
class Policy:
    """A trainable copy of a generator's decoder beside its frozen prior.

    Args:
        trained: the generator it starts from; left as it is.
        constraints: what every sequence must satisfy.

    Raises:
        InputError: the constraints contradict each other or what the generator has learned.
    """

    def __init__(self, trained: TrainedGenerator, constraints: Constraints) -> None:
        packer = trained.packer
        self.trained = trained
        self.rules = MaskRules(packer.vocabulary, packer.catalogue, constraints)
        self.decoder: SequenceDecoder = copy.deepcopy(trained.model.decoder).eval()
        self._prior: SequenceDecoder = copy.deepcopy(trained.model.decoder).eval()
        self._prior.requires_grad_(False)
        for name, parameter in self.decoder.named_parameters():
            parameter.requires_grad_(not name.startswith(FROZEN))
        self._room = Room(packer=packer, rule=ClearanceRule())

    def parameters(self) -> list[nn.Parameter]:
        """Those that learn."""
        return [parameter for parameter in self.decoder.parameters() if parameter.requires_grad]

    def draw(self, n: int, generator: torch.Generator, latents: Latents | None = None) -> Rollout:
        """N sequences, each from its own latent (of the prior, or of `latents`); incomplete ones are marked."""
        return sample_sequences(
            self.decoder,
            self.rules,
            n,
            temperatures=self.trained.temperatures,
            generator=generator,
            room=self._room,
            latents=latents,
        )

    @torch.no_grad()
    def episodes(self, batch: SequenceBatch, z: Tensor) -> Episodes:
        """The complete sequences of a rollout, with their probabilities under the present policy and the prior."""
        data = SequenceData(batch=batch, masks=trace_masks(batch, self.rules))
        return Episodes(
            data=data,
            z=z,
            log_prob=self._log_prob(self.decoder, data, z),
            log_prior=self._log_prob(self._prior, data, z),
        )

    def log_prob(self, episodes: Episodes) -> Tensor:
        """(n, n_kinds) nats of each kind of choice under the present policy, with gradients."""
        return self._log_prob(self.decoder, episodes.data, episodes.z)

    def _log_prob(self, decoder: SequenceDecoder, data: SequenceData, z: Tensor) -> Tensor:
        terms = sequence_log_prob(
            decoder, data.batch, data.masks, z, temperatures=self.trained.temperatures, coordinates=False
        )
        return torch.stack([terms[kind] for kind in KINDS], dim=1)


def divergence(episodes: Episodes) -> Tensor:
    """(n,) nats whose mean over the policy's own draws is KL(π ‖ prior)."""
    return (episodes.log_prob - episodes.log_prior).sum(1)


def surprise(episodes: Episodes) -> Tensor:
    """(n,) nats, −log π of the discrete choices: its mean over the policy's own draws is their entropy."""
    return -episodes.log_prob[:, : len(DISCRETE)].sum(1)
