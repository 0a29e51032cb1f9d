"""Latent optimisation by gradient: a small network learns the reward from latents, latents climb it (E26 on latents).

The generator stays as it is. What the latent does not decide, the decoder draws, so that a latent is worth the average
reward of its sequences: that is what the network is fitted to, and how much of the reward it can explain is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from matwright.generation.rl.pool import Pool
from matwright.generation.sampler import Latents
from matwright.rng import torch_generator


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AscentConfig:
    """How latents are optimised.

    Attributes:
        width: hidden units of the network.
        epochs, learning_rate, weight_decay: of its fit with AdamW; a tenth of the latents is held out.
        steps, step_length: of the ascent, in units of the latent's standard deviation.
        prior: weight of −½‖z‖², which keeps latents where the decoder has learned.
        starts: share of the pool with the best rewards that the ascents start from.
    """

    width: int = 64
    epochs: int = 40
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    steps: int = 60
    step_length: float = 0.05
    prior: float = 0.02
    starts: float = 0.1


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ascent:
    """Optimised latents.

    Attributes:
        z: (n, latent), one an ascent.
        explained: share of the variance of held-out rewards that the network explains (R²).
    """

    z: Tensor
    explained: float

    def latents(self) -> Latents:
        """A source of these latents, drawn with replacement."""

        def draw(n: int, generator: torch.Generator) -> Tensor:
            return self.z[torch.randint(len(self.z), (n,), generator=generator)]

        return draw


def climb(pool: Pool, config: AscentConfig, seed: int) -> Ascent:
    """Fit the network to a scored pool, then let the latents of its best sequences climb."""
    network, explained = _fitted(pool.z, pool.rewards, config, seed)
    network.requires_grad_(False)
    best = pool.rewards.topk(max(1, int(config.starts * len(pool.rewards)))).indices
    z = pool.z[best].clone().requires_grad_()
    optimiser = torch.optim.Adam([z], lr=config.step_length)
    for _ in range(config.steps):
        optimiser.zero_grad()
        height = network(z)[:, 0] - config.prior * 0.5 * z.square().sum(1)
        (-height.sum()).backward()
        optimiser.step()
    return Ascent(z=z.detach(), explained=explained)


def _fitted(z: Tensor, rewards: Tensor, config: AscentConfig, seed: int) -> tuple[nn.Module, float]:
    """The network, trained, and its R² on held-out latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(seed, "rl", "ascent").initial_seed())
        order = torch.randperm(len(z))
        held, train = order[: len(z) // 10], order[len(z) // 10 :]
        network = nn.Sequential(
            nn.Linear(z.shape[1], config.width),
            nn.SiLU(),
            nn.Dropout(0.2),
            nn.Linear(config.width, config.width),
            nn.SiLU(),
            nn.Linear(config.width, 1),
        )
        optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        centre, spread = rewards[train].mean(), rewards[train].std().clamp_min(1e-6)
        for _ in range(config.epochs):
            for part in train[torch.randperm(len(train))].split(128):
                loss = (network(z[part])[:, 0] - (rewards[part] - centre) / spread).square().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    network.eval()
    with torch.no_grad():
        error = (network(z[held])[:, 0] * spread + centre - rewards[held]).square().mean()
    return network, 1.0 - float(error / rewards[held].var().clamp_min(1e-12))
