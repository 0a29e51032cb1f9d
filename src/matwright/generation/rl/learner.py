"""The one loop of reinforcement learning: draw, score, update; the algorithms differ in their loss alone.

A policy that is rewarded finds a few structures and then draws nothing else. So while fewer of a step's crystals
differ than asked, a brake tightens: the entropy bonus and the leash to the untuned generator weigh more, and good
candidates of earlier steps are imitated less; it loosens as crystals differ again. What a run ends with is not the last
policy but that of its best step: among those whose crystals differ enough, the one with most hits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matwright.errors import InputError
from matwright.generation.masks import trace_masks
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.diversity import Buckets, Keys, bucket_keys
from matwright.generation.rl.losses import METHODS, advantages, imitation_loss
from matwright.generation.rl.policy import Episodes, Policy, divergence, surprise
from matwright.generation.rl.scoring import Scored, Scorer, archived
from matwright.generation.rl.settings import LearningConfig
from matwright.generation.sampler import Rollout
from matwright.generation.sequence_data import SequenceData
from matwright.rng import torch_generator

TIGHTEN, LOOSEN, TIGHTEST = 1.5, 1.25, 16.0
"""Factors on the brake after a step whose crystals differ too little, or enough, and its largest value."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """One step, over the sequences drawn in it.

    Attributes:
        step: counted from 1.
        reward: mean E28, the floor of invalid crystals included.
        best: highest reward of the step.
        hit_rate: hits over valid crystals.
        validity: valid crystals over sequences drawn.
        uniqueness: different buckets over valid crystals.
        brake: factor on entropy bonus and leash, at least 1.
        new: valid crystals of buckets never drawn before, over valid crystals.
        entropy: nats, of the discrete choices.
        kl: nats, to the untuned generator.
        scored: crystals scored so far, this step included.
        hits: different buckets so far that hit.
    """

    step: int
    reward: float
    best: float
    hit_rate: float
    validity: float
    uniqueness: float
    brake: float
    new: float
    entropy: float
    kl: float
    scored: int
    hits: int

    def merit(self, least_unique: float) -> tuple[float, float, float]:
        """What steps are compared by: crystals that differ, as far as that is asked; then hits; then reward."""
        return min(self.uniqueness, least_unique), self.hit_rate, self.reward


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BestStep:
    """The policy that drew the best step so far.

    Attributes:
        report: of that step.
        weights: of the decoder that drew it.
    """

    report: StepReport
    weights: dict[str, Tensor]


@final
class Learner:
    """The state of a run and its one step; everything random comes from the seed and the number of the step.

    Args:
        policy: learns in place.
        scorer: gives the rewards.
        config: how it learns.
        seed: of all drawing.

    Attributes:
        step, scored: steps done and crystals scored so far.
        buckets: what was drawn so far.
        archive: the best different candidates so far; None before the first step.
        hit_keys: buckets that hit so far.
        brake: see the module.
        best: the best step; None before the first.
    """

    def __init__(self, policy: Policy, scorer: Scorer, config: LearningConfig, seed: int) -> None:
        self.policy, self.scorer, self.config, self.seed = policy, scorer, config, seed
        self.optimiser = torch.optim.Adam(policy.parameters(), lr=config.learning_rate)
        self.step, self.scored = 0, 0
        self.buckets = Buckets()
        self.archive: Archive | None = None
        self.hit_keys = np.zeros(0, dtype=np.uint64)
        self.brake = 1.0
        self.best: BestStep | None = None

    def settle(self) -> BestStep:
        """Give the policy the weights of the best step, and return it.

        Raises:
            InputError: no step was done.
        """
        if self.best is None:
            raise InputError("no step was done: there is nothing to settle on")
        self.policy.decoder.load_state_dict(self.best.weights)
        return self.best

    def advance(self) -> StepReport:
        """Do one step.

        Raises:
            InputError: not one sequence is a crystal that passes the contact rules.
        """
        self.step += 1
        rollout = self.policy.draw(self.config.batch, torch_generator(self.seed, "rl", "draw", self.step))
        scored = self.scorer(rollout)
        rows = torch.from_numpy(scored.rows)
        batch = rollout.batch.select(rows)
        keys = bucket_keys(batch)
        repeats = self.buckets.seen(keys)
        episodes = self.policy.episodes(batch, rollout.z[rows])
        rewards = self._shaped(scored, episodes, repeats)
        weights = {name: value.clone() for name, value in self.policy.decoder.state_dict().items()}
        self._learn(episodes, rewards)
        report = self._remember(scored, rollout, episodes, keys, repeats)
        least = self.config.least_unique
        if self.best is None or report.merit(least) > self.best.report.merit(least):
            self.best = BestStep(report=report, weights=weights)
        narrow = report.uniqueness < least
        self.brake = min(self.brake * TIGHTEN, TIGHTEST) if narrow else max(self.brake / LOOSEN, 1.0)
        return report

    def _shaped(self, scored: Scored, episodes: Episodes, repeats: NDArray[np.int64]) -> Tensor:
        """(m,) what the policy is told: E28 less the penalty of repeats, plus brake times (entropy bonus less leash).

        −log π and log π − log π_prior are unbiased estimates of entropy and divergence, so that the gradient of the
        expectation is that of E31's regularised objective.
        """
        penalty = self.config.repeat_penalty * np.minimum(repeats / self.config.repeat_limit, 1.0) * scored.valid
        rewards = torch.from_numpy(scored.reward - penalty).float()
        bonus = self.config.entropy * surprise(episodes)
        return rewards + self.brake * (bonus - self.config.leash * divergence(episodes))

    def _learn(self, episodes: Episodes, rewards: Tensor) -> None:
        method = METHODS[self.config.algorithm](self.config)
        for group in self.optimiser.param_groups:  # Adam's first steps are as long as its rate, whatever the gradient
            group["lr"] = self.config.learning_rate * min(1.0, self.step / self.config.warmup)
        advantage = advantages(rewards)
        generator = torch_generator(self.seed, "rl", "order", self.step)
        memory, imitation = self._replayed(generator, rewards), self.config.replay_weight / self.brake
        for _ in range(method.passes):
            order = torch.randperm(len(episodes), generator=generator)
            for part in order.split(method.minibatch):
                some = episodes.select(part)
                loss = method.loss(self.policy.log_prob(some), some.log_prob, advantage[part], self.config.clip)
                if memory is not None:
                    good, merit = memory
                    share = len(part) / len(episodes) if method.passes == 1 else 1.0
                    loss = loss + imitation * share * imitation_loss(self.policy.log_prob(good), merit)
                self._update(loss)

    def _replayed(self, generator: torch.Generator, rewards: Tensor) -> tuple[Episodes, Tensor] | None:
        """Good candidates of earlier steps, drawn from the best quarter of the memory, and their advantages now."""
        if self.archive is None or self.config.replay == 0 or len(self.archive) < 2:
            return None
        pool = max(self.config.replay, len(self.archive) // 4)
        order = torch.randperm(min(pool, len(self.archive)), generator=generator)[: self.config.replay]
        some = self.archive.select(order.numpy())
        data = SequenceData(batch=some.batch, masks=trace_masks(some.batch, self.policy.rules))
        nothing = torch.zeros(len(some), 0)
        merit = (torch.from_numpy(some.columns["reward"]).float() - rewards.mean()) / rewards.std().clamp_min(1e-3)
        return Episodes(data=data, z=some.z, log_prob=nothing, log_prior=nothing), merit.clamp(max=3.0)

    def _update(self, loss: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.config.gradient_norm)
        self.optimiser.step()

    def _remember(
        self, scored: Scored, rollout: Rollout, episodes: Episodes, keys: Keys, repeats: NDArray[np.int64]
    ) -> StepReport:
        """Count, keep the best, and report."""
        valid, crystals = scored.valid, int(scored.valid.sum())
        self.buckets.add(keys[valid])
        found = archived(scored, rollout, self.step)
        self.hit_keys = np.union1d(self.hit_keys, found.keys[found.columns["hit"] > 0])
        kept = found if self.archive is None else self.archive.merged(found, self.config.memory)
        self.archive = kept.best(self.config.memory)
        self.scored += int(scored.passed.sum())
        share = 1.0 / max(crystals, 1)
        failed = scored.drawn - len(scored.rows)
        return StepReport(
            step=self.step,
            reward=float((scored.reward.sum() + failed * self.scorer.reward.floor) / scored.drawn),
            best=float(scored.reward.max()),
            hit_rate=float(found.columns["hit"].sum() * share),
            validity=crystals / scored.drawn,
            uniqueness=len(np.unique(keys[valid])) * share,
            brake=self.brake,
            new=float(((repeats == 0) & valid).sum() * share),
            entropy=float(surprise(episodes).mean()),
            kl=float(divergence(episodes).mean()),
            scored=self.scored,
            hits=len(self.hit_keys),
        )
