"""Everything that a run of reinforcement learning can be told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final

from matwright.errors import InputError
from matwright.physics.valence import USUAL


@final
class Algorithm(StrEnum):
    """How the policy learns from rewards: E29 with a baseline, or E30."""

    REINFORCE = "reinforce"
    PPO = "ppo"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RewardConfig:
    """The weights of E28; every term is bounded, so that none can drown the others.

    Attributes:
        met: λ_m, weight of the probability that every target is met.
        discounted: whether that probability counts only as far as stability and domain support it: an unstable crystal
            relaxes to another one, and unlike the training data a prediction means little.
        doubt: factor on every predicted standard deviation: a policy looks for crystals where the model errs in its
            favour, so that errors are larger there than on crystals at random.
        margin: predicted standard deviations by which a hit lies inside its target, at most half-way to the middle of
            a window.
        chance: probability of meeting each target that a hit has, by the mean and `doubt` times the standard deviation.
            Only windows ask for more than the margin: what lies in the middle of one may still be unlikely to be there.
        copies: shaken ones that a crystal near its targets is judged with, see `SecondLook`.
        stability: λ_s, weight of the stability term in 0..1.
        hull_scale: eV/atom above the hull at which the stability term has fallen to 1/e.
        plausible: eV/atom below the hull beyond which a prediction is not believed: known hulls are seldom beaten by
            more, and a prediction that says so is rather an error of the model. The stability term falls again, and
            the formation energy counts as lying so far below the hull.
        valence: likelihood of its oxidation states below which a crystal is taken for a metal where a gap is asked for,
            whatever is predicted (see `matwright.physics.valence`); 0 for never. Stricter than the rule of the rule
            base: a policy finds the compounds in which an unlikely state is the only one that is neutral.
        uncertainty: weight of the uncertainty penalty in 0..2.
        domain_limit: domain score from which a crystal counts as unlike the training data, in [0, 1).
    """

    met: float = 3.0
    discounted: bool = True
    doubt: float = 2.0
    margin: float = 1.0
    chance: float = 0.5
    copies: int = 2
    stability: float = 0.2
    hull_scale: float = 0.1
    plausible: float = 0.05
    valence: float = 10 * USUAL
    uncertainty: float = 0.1
    domain_limit: float = 0.8

    def __post_init__(self) -> None:
        if min(self.met, self.stability, self.uncertainty, self.margin, self.copies) < 0:
            raise InputError("the weights of the reward, its margin and the number of copies are not negative")
        if self.doubt <= 0:
            raise InputError("the doubt, a factor on standard deviations, is positive")
        if not 0 <= self.valence <= 1 or not 0 <= self.chance < 1:
            raise InputError("the likelihood of valences lies in [0, 1], the chance of a hit in [0, 1)")
        if self.hull_scale <= 0 or self.plausible < 0 or not 0 <= self.domain_limit < 1:
            raise InputError(
                "the hull scale is positive, the plausible depth not negative, and the domain limit lies in [0, 1)"
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LearningConfig:
    """How the policy is trained.

    Attributes:
        algorithm: see `Algorithm`.
        batch: sequences drawn a step.
        learning_rate: of Adam.
        warmup: steps over which the learning rate rises to its value.
        gradient_norm: the gradient is cut to this length.
        passes: of PPO over the episodes of a step; REINFORCE takes one.
        minibatch: episodes a step of PPO's optimiser.
        clip: PPO's ε, by how much the probability ratio of one kind of choice may move before its gradient stops.
        entropy: weight of the entropy bonus, per nat of −log π of the discrete choices (E31).
        leash: weight of the KL divergence to the prior, per nat.
        replay: good candidates of earlier steps that each update imitates.
        replay_weight: of their loss.
        memory: different good candidates that are kept.
        repeat_penalty: taken from the reward of a structure that was drawn `repeat_limit` times before; above the
            gain of a hit, so that a known hit is worth less than a new miss.
        repeat_limit: earlier draws of one bucket at which the penalty is full.
        least_unique: share of a step's valid crystals that are to differ, in [0, 1]: below it the brake on learning
            tightens, and of steps above it the one with most hits is kept (see `Learner`).
    """

    algorithm: Algorithm = Algorithm.PPO
    batch: int = 256
    learning_rate: float = 5e-4
    warmup: int = 8
    gradient_norm: float = 1.0
    passes: int = 2
    minibatch: int = 64
    clip: float = 0.2
    entropy: float = 0.01
    leash: float = 0.005
    replay: int = 64
    replay_weight: float = 0.5
    memory: int = 2000
    repeat_penalty: float = 2.0
    repeat_limit: int = 2
    least_unique: float = 0.95

    def __post_init__(self) -> None:
        if (
            min(self.batch, self.warmup, self.passes, self.minibatch, self.repeat_limit) < 1
            or self.memory < self.replay
        ):
            raise InputError(
                "batch, warm-up, passes, minibatch and repeat limit are at least 1, and the memory holds the replay"
            )
        if not 0 < self.clip < 1 or self.learning_rate <= 0 or self.gradient_norm <= 0:
            raise InputError("the clip lies in (0, 1); learning rate and gradient norm are positive")
        if not 0 <= self.least_unique <= 1:
            raise InputError("the least share of different crystals lies in [0, 1]")
        if min(self.entropy, self.leash, self.replay, self.replay_weight, self.repeat_penalty) < 0:
            raise InputError("the weights of entropy, leash, replay and repeats are not negative")
