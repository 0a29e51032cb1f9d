"""A policy gradient raises the probability of what is rewarded, repeats with its seed, and starts at its prior."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from toy_reward import KNOWN, ShareOfFluorine

from matwright.errors import InputError
from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.backbone import Backbone
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.rl.learner import Learner
from matwright.generation.rl.policy import KINDS, Policy, divergence
from matwright.generation.rl.reward import Reward
from matwright.generation.rl.scoring import Scorer, measure_scales
from matwright.generation.rl.settings import Algorithm, LearningConfig, RewardConfig
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.target import parse_target
from matwright.rng import torch_generator

TARGET = parse_target("fluorine>=0.6", KNOWN)


def learner(trained: TrainedGenerator, config: LearningConfig, *, seed: int = 0) -> Learner:
    policy = Policy(trained, NO_CONSTRAINTS)
    rollout = policy.draw(200, torch_generator(seed, "scales"))
    scales = measure_scales(trained, ShareOfFluorine(), rollout, [TARGET])
    reward = Reward([TARGET], scales, RewardConfig(stability=0.0, uncertainty=0.0))
    return Learner(policy, Scorer(trained, ShareOfFluorine(), reward), config, seed)


def fluorine_share(policy: Policy) -> float:
    """The share of fluorine-rich crystals among fresh draws."""
    rollout = policy.draw(400, torch_generator(77, "test"))
    counts, elements = rollout.batch.counts, rollout.batch.elements
    fluorine = (counts * (elements == policy.trained.packer.vocabulary.index(9))).sum(1)
    return float((fluorine / counts.sum(1) >= 0.6).float().mean())


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_what_is_rewarded_becomes_probable(trained: TrainedGenerator, algorithm: Algorithm) -> None:
    config = LearningConfig(
        algorithm=algorithm,
        batch=96,
        minibatch=48,
        learning_rate=5e-3,
        warmup=1,
        repeat_penalty=0.0,
        replay=16,
        leash=0.0,
    )
    run = learner(trained, config)
    before = fluorine_share(run.policy)
    reports = [run.advance() for _ in range(12)]
    assert before < 0.35
    assert fluorine_share(run.policy) > 0.9
    assert reports[-1].hit_rate > 0.8
    assert reports[0].kl == 0.0 < reports[-1].kl


def test_the_leash_holds_the_policy_near_its_prior(trained: TrainedGenerator) -> None:
    config = LearningConfig(
        batch=96, minibatch=48, learning_rate=5e-3, warmup=1, repeat_penalty=0.0, replay=0, leash=0.0
    )
    free, held = learner(trained, config), learner(trained, LearningConfig(**{**asdict(config), "leash": 1.0}))
    far = [free.advance() for _ in range(5)][-1].kl
    near = [held.advance() for _ in range(5)][-1].kl
    assert near < 0.5 * far


def test_a_penalty_on_repeats_keeps_the_draws_different(trained: TrainedGenerator) -> None:
    config = LearningConfig(batch=96, minibatch=48, learning_rate=5e-3, warmup=1, replay=0, leash=0.0, entropy=0.0)
    without = learner(trained, LearningConfig(**{**asdict(config), "repeat_penalty": 0.0}))
    filtered = learner(trained, LearningConfig(**{**asdict(config), "repeat_penalty": 2.0}))
    alike = [without.advance() for _ in range(8)][-1].uniqueness
    different = [filtered.advance() for _ in range(8)][-1].uniqueness
    assert different > alike + 0.1


def test_the_same_seed_learns_the_same(trained: TrainedGenerator) -> None:
    config = LearningConfig(batch=32, minibatch=16)
    runs = [learner(trained, config, seed=seed) for seed in (3, 3, 4)]
    first, again, other = ([run.advance() for _ in range(3)] for run in runs)
    assert first == again
    assert first != other
    weights = [dict(run.policy.decoder.named_parameters()) for run in runs]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_untouched_policy_is_its_prior_and_the_one_it_drew_with(trained: TrainedGenerator) -> None:
    """KL to itself is 0, and log-probabilities of the draws are those that sampling had, where nothing is tempered."""
    policy = Policy(trained, NO_CONSTRAINTS)
    rollout = policy.draw(80, torch_generator(1, "draw"))
    rows = rollout.complete.nonzero()[:, 0]
    episodes = policy.episodes(rollout.batch.select(rows), rollout.z[rows])
    assert divergence(episodes).abs().max() == 0.0
    torch.testing.assert_close(policy.log_prob(episodes).detach(), episodes.log_prob, atol=1e-5, rtol=1e-5)
    assert episodes.log_prob.shape == (len(rows), len(KINDS))


def test_tempered_probabilities_are_those_of_the_draws(trained: TrainedGenerator) -> None:
    """The share of draws that begin with an element is its tempered probability, not the bare one."""
    policy = Policy(trained, Constraints(n_elements=(1, 1), allowed=frozenset({3, 9})))
    rollout = policy.draw(1500, torch_generator(5, "draw"))
    batch = rollout.batch
    episodes = policy.episodes(batch.select(rollout.complete.nonzero()[:, 0]), rollout.z[rollout.complete])
    lithium = episodes.data.batch.elements[:, 0] == policy.trained.packer.vocabulary.index(3)
    probability = episodes.log_prob[:, 0].exp()
    expected = torch.where(lithium, probability, 1 - probability).mean()
    assert abs(float(lithium.float().mean()) - float(expected)) < 0.04


def test_geometry_is_left_alone_and_the_prior_never_moves(trained: TrainedGenerator) -> None:
    run = learner(trained, LearningConfig(batch=32, minibatch=16, learning_rate=1e-2, warmup=1))
    before = {name: value.clone() for name, value in trained.model.decoder.named_parameters()}
    run.advance()
    after = dict(run.policy.decoder.named_parameters())
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert {"element_query", "letter_query", "shape_head"} <= moved
    assert not moved & {"frame", "geometry_start", "geometry_memory", "site_head", "coordinate_heads"}
    assert all(torch.equal(before[name], value) for name, value in trained.model.decoder.named_parameters())


def test_constraints_hold_while_learning(trained: TrainedGenerator) -> None:
    policy = Policy(trained, Constraints(forbidden=frozenset({9}), n_elements=(2, 2)))
    reward = Reward([parse_target("fluorine<=0.1", KNOWN)], {"fluorine": _scale()}, RewardConfig())
    run = Learner(policy, Scorer(trained, ShareOfFluorine(), reward), LearningConfig(batch=32), 0)
    run.advance()
    assert run.archive is not None
    assert len(run.archive) > 0
    assert (run.archive.batch.n_elements == 2).all()
    index = trained.packer.vocabulary.index(9)
    assert not ((run.archive.batch.elements == index) & (run.archive.batch.counts > 0)).any()


def test_constraints_that_leave_nothing_are_refused(trained: TrainedGenerator) -> None:
    with pytest.raises(InputError, match="has not learned"):
        Policy(trained, Constraints(required=frozenset({94})))


def _scale() -> object:
    from matwright.generation.rl.reward import Scale

    return Scale.of(np.array([0.0, 0.5, 1.0]))


def test_a_transformer_is_a_policy_like_any_other(trained: TrainedGenerator) -> None:
    """An untrained one draws with the probabilities that teacher forcing gives, and its first step moves it."""
    config = replace(trained.model.decoder.config, backbone=Backbone.TRANSFORMER, dropout=0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SequenceAutoencoder(
            decoder=config,
            encoder=trained.model.encoder.config,
            vocabulary=trained.packer.vocabulary,
            catalogue=trained.packer.catalogue,
        )
    run = learner(replace(trained, model=model.eval()), LearningConfig(batch=48, minibatch=24, replay=0))
    rollout = run.policy.draw(48, torch_generator(1, "draw"))
    rows = rollout.complete.nonzero()[:, 0]
    episodes = run.policy.episodes(rollout.batch.select(rows), rollout.z[rows])
    torch.testing.assert_close(run.policy.log_prob(episodes).detach(), episodes.log_prob, atol=1e-4, rtol=1e-4)
    assert run.advance().kl == 0.0
    assert run.advance().kl != 0.0
