"""A property predictor on latents (E26): small networks from u to properties, so that targets pull by gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from matwright.generation.rl.reward import Scale
from matwright.materials.target import Target, TargetKind


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorConfig:
    """How the networks are fitted.

    Attributes:
        members: networks; their disagreement is the predictor's own uncertainty.
        width: hidden units of two layers.
        steps: of full-batch Adam; learning_rate, weight_decay: of it.
    """

    members: int = 4
    width: int = 64
    steps: int = 250
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2


@final
class LatentPredictor:
    """Predicts standardised properties of what a latent decodes to.

    Args:
        base: (n, latent) u that were decoded; values: (n, n_properties) what became of them, without NaN.
        config: how it is fitted.
        generator: of initial weights and of the bootstrap of each member.
    """

    def __init__(self, base: Tensor, values: Tensor, config: PredictorConfig, generator: torch.Generator) -> None:
        self._centre, self._spread = values.median(0).values, _spread(values)
        scaled = ((values - self._centre) / self._spread).clamp(-4, 4)
        self._members = [_fitted(base, scaled, config, generator) for _ in range(config.members)]

    def __call__(self, base: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (n, n_properties) in the properties' units, and the members' spread in units of the pool's spread."""
        found = torch.stack([member(base) for member in self._members])
        return found.mean(0) * self._spread + self._centre, found.std(0)


def _spread(values: Tensor) -> Tensor:
    low, high = torch.quantile(values, 0.16, dim=0), torch.quantile(values, 0.84, dim=0)
    return ((high - low) / 2).clamp_min(1e-6)


def _fitted(base: Tensor, scaled: Tensor, config: PredictorConfig, generator: torch.Generator) -> nn.Module:
    """One member, fitted to a bootstrap sample."""
    rows = torch.randint(len(base), (len(base),), generator=generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        network = nn.Sequential(
            nn.Linear(base.shape[1], config.width), nn.SiLU(),
            nn.Linear(config.width, config.width), nn.SiLU(),
            nn.Linear(config.width, scaled.shape[1]),
        )  # fmt: skip
    x, y = base[rows], scaled[rows]
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    for _ in range(config.steps):
        optimiser.zero_grad(set_to_none=True)
        loss = nn.functional.smooth_l1_loss(network(x), y)
        loss.backward()
        optimiser.step()
    return network.requires_grad_(requires_grad=False)


def target_loss(predicted: Tensor, targets: Sequence[Target], scales: Sequence[Scale]) -> Tensor:
    """(n,) how far predicted values (n, n_targets) are from the targets, each in units of its scale; smooth enough."""
    losses = []
    for place, (target, scale) in enumerate(zip(targets, scales, strict=True)):
        value, reach = predicted[:, place], scale.reach(target)
        if target.is_objective:
            sign = 1.0 if target.kind is TargetKind.MINIMISE else -1.0
            losses.append(sign * (value - scale.centre) / scale.spread)
            continue
        below = 0.0 * value if target.lower is None else (target.lower - value).clamp_min(0)
        above = 0.0 * value if target.upper is None else (value - target.upper).clamp_min(0)
        losses.append((below + above) / reach)
    return torch.stack(losses).sum(0)
