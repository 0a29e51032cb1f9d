"""REINFORCE and PPO: the only place where the two algorithms differ (E29–E30)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from matwright.generation.rl.settings import Algorithm, LearningConfig

Loss = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""(log π now (n, n_kinds), log π when drawn (n, n_kinds), advantage (n,), clip) → scalar to minimise."""


def reinforce_loss(log_prob: Tensor, drawn: Tensor, advantage: Tensor, clip: float) -> Tensor:  # noqa: ARG001
    """−E[A Σ_k log π(a_k)] (E29): its gradient is the policy gradient of the reward (Williams 1992).

    | symbol | variable |
    | --- | --- |
    | A | `advantage`: reward minus baseline, over its spread |
    | log π(a_k) | `log_prob[:, k]`, k over the kinds of choice |
    """
    return -(advantage * log_prob.sum(1)).mean()


def ppo_loss(log_prob: Tensor, drawn: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """−E[Σ_k min(ρ_k A, clip(ρ_k, 1−ε, 1+ε) A)] (E30; Schulman et al. 2017), each kind of choice as one action.

    | symbol | variable |
    | --- | --- |
    | ρ_k | `ratio[:, k]` = π(a_k) now / π(a_k) when drawn |
    | ε | `clip` |
    """
    ratio = torch.exp(log_prob - drawn)
    plain = ratio * advantage[:, None]
    bounded = ratio.clamp(1 - clip, 1 + clip) * advantage[:, None]
    return -torch.minimum(plain, bounded).sum(1).mean()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What an algorithm is.

    Attributes:
        loss: of one minibatch.
        passes: over the episodes of a step.
        minibatch: episodes of one optimiser step.
    """

    loss: Loss
    passes: int
    minibatch: int


METHODS: Mapping[Algorithm, Callable[[LearningConfig], Method]] = {
    Algorithm.REINFORCE: lambda config: Method(loss=reinforce_loss, passes=1, minibatch=config.batch),
    Algorithm.PPO: lambda config: Method(loss=ppo_loss, passes=config.passes, minibatch=config.minibatch),
}


def imitation_loss(log_prob: Tensor, advantage: Tensor) -> Tensor:
    """−E[max(A, 0) Σ_k log π(a_k)]: good candidates of earlier steps stay probable (self-imitation)."""
    return -(advantage.clamp_min(0.0) * log_prob.sum(1)).mean()


def advantages(rewards: Tensor) -> Tensor:
    """(n,) rewards minus the mean of the others' rewards, over the spread of all.

    The mean of the others is a baseline that does not depend on the episode itself, so that the gradient stays
    unbiased (Kool et al. 2019).
    """
    n = len(rewards)
    if n < 2:
        return torch.zeros_like(rewards)
    others = (rewards.sum() - rewards) / (n - 1)
    return (rewards - others) / rewards.std().clamp_min(1e-3)
