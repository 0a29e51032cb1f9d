"""Ranking keeps the best, and proposals are counted honestly."""

from __future__ import annotations

import numpy as np
from toy_reward import KNOWN, ShareOfFluorine

from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.assessment import assess, counted, known
from matwright.generation.rl.policy import Policy
from matwright.generation.rl.pool import draw_pool
from matwright.generation.rl.reward import Reward
from matwright.generation.rl.scoring import Scorer, measure_scales
from matwright.generation.rl.settings import RewardConfig
from matwright.materials.constraints import NO_CONSTRAINTS
from matwright.materials.target import parse_target
from matwright.rng import torch_generator

TARGET = parse_target("fluorine>=0.6", KNOWN)


def ready(trained: TrainedGenerator) -> tuple[Policy, Scorer]:
    policy = Policy(trained, NO_CONSTRAINTS)
    scales = measure_scales(trained, ShareOfFluorine(), policy.draw(200, torch_generator(0, "scales")), [TARGET])
    return policy, Scorer(trained, ShareOfFluorine(), Reward([TARGET], scales, RewardConfig()))


def test_the_pool_is_scored_to_its_budget_and_ranked(trained: TrainedGenerator) -> None:
    policy, scorer = ready(trained)
    pool = draw_pool(policy, scorer, 600, seed=1)
    assert 600 <= pool.scored <= pool.drawn
    assert len(pool.found) <= pool.scored
    best = pool.found.best(50)
    rewards, hits = best.columns["reward"], best.columns["hit"]
    assert len(np.unique(best.keys)) == len(best) == 50
    assert (np.diff(hits) <= 0).all()
    assert (np.diff(rewards[hits == 1]) <= 1e-12).all()
    assert hits.sum() == min(50, len(np.unique(pool.found.keys[pool.found.columns["hit"] == 1])))


def test_counts_of_fresh_draws_add_up(trained: TrainedGenerator) -> None:
    policy, scorer = ready(trained)
    counts, novel = assess(policy, scorer, 300, seed=4)
    assert counts.drawn == 300 >= counts.valid >= counts.unique >= counts.novel == len(novel) >= counts.hits
    assert counts.hits == novel.columns["hit"].sum()
    assert counts.hit_rate == counts.hits / counts.novel
    again = assess(policy, scorer, 300, seed=4)[0]
    assert again == counts


def test_known_materials_are_not_novel(trained: TrainedGenerator) -> None:
    """Rock salt NaCl is in the library of known materials; NaCl in the group of caesium chloride is, too, or is not."""
    policy, scorer = ready(trained)
    found = draw_pool(policy, scorer, 600, seed=2).found
    sodium, chlorine = (policy.trained.packer.vocabulary.index(number) for number in (11, 17))
    salt = (found.batch.elements[:, 0] == sodium) & (found.batch.elements[:, 1] == chlorine)
    salt &= (found.batch.group == 225) & (found.batch.n_elements == 2) & (found.batch.counts[:, :2] == 1).all(1)
    rows = salt.nonzero()[:, 0].numpy()
    assert len(rows) > 0
    some: Archive = found.select(rows)
    assert known(trained, some).all()
    assert counted(trained, some, 10)[0].novel == 0
