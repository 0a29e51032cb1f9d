"""Sampling and ranking, the plainest way to targets: draw from the untuned generator, score, keep the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from matwright.generation.rl.archive import Archive
from matwright.generation.rl.policy import Policy
from matwright.generation.rl.scoring import Scorer, archived
from matwright.generation.sequence_batch import join_batches
from matwright.rng import torch_generator

CHUNK = 512


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Scored draws of a policy.

    Attributes:
        drawn, scored: sequences, and crystals that passed the contact rules among them.
        found: the valid ones in the order drawn, several a bucket.
    """

    drawn: int
    scored: int
    found: Archive


def draw_pool(policy: Policy, scorer: Scorer, budget: int, seed: int) -> Pool:
    """Draw until so many crystals are scored.

    Raises:
        InputError: not one sequence of a chunk is a crystal that passes the contact rules.
    """
    parts: list[Archive] = []
    drawn = scored = 0
    while scored < budget:
        rollout = policy.draw(CHUNK, torch_generator(seed, "rl", "pool", drawn))
        result = scorer(rollout)
        parts.append(archived(result, rollout, step=len(parts) + 1))
        drawn, scored = drawn + CHUNK, scored + int(result.passed.sum())
    return Pool(drawn=drawn, scored=scored, found=joined(parts))


def joined(parts: list[Archive]) -> Archive:
    """All candidates in order."""
    return Archive(
        batch=join_batches([part.batch for part in parts]),
        z=torch.cat([part.z for part in parts]),
        keys=np.concatenate([part.keys for part in parts]),
        columns={name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )
