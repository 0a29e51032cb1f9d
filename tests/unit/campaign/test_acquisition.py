"""Acquisition functions against their definitions, and the laws of a choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.campaign.acquisition import (
    Acquisition,
    AcquisitionSettings,
    Belief,
    choose,
    expected_improvement,
)
from matwright.errors import InputError

NUMBERS = st.integers(-50, 50).map(lambda tenths: tenths / 10)
BELIEFS = st.lists(st.tuples(NUMBERS, st.integers(0, 30)), min_size=1, max_size=12).map(
    lambda rows: Belief(mean=np.array([mean for mean, _ in rows]), std=np.array([std / 10 for _, std in rows]))
)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


@given(mean=NUMBERS, std=st.integers(1, 30).map(lambda tenths: tenths / 10), best=NUMBERS)
def test_expected_improvement_is_the_mean_gain_of_a_normal(mean: float, std: float, best: float) -> None:
    y = np.linspace(mean - 9 * std, mean + 9 * std, 20_001)
    density = np.exp(-0.5 * ((y - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
    expected = np.trapezoid(np.maximum(y - best, 0.0) * density, y)
    found = expected_improvement(Belief(mean=np.array([mean]), std=np.array([std])), best, AcquisitionSettings())
    assert found[0] == pytest.approx(expected, abs=1e-6)


def test_without_doubt_the_improvement_is_the_difference() -> None:
    belief = Belief(mean=np.array([1.0, 3.0]), std=np.zeros(2))
    assert expected_improvement(belief, 2.0, AcquisitionSettings()).tolist() == [0.0, 1.0]


@given(belief=BELIEFS, n=st.integers(1, 15), kind=st.sampled_from(Acquisition), best=NUMBERS)
def test_a_batch_is_of_different_candidates_and_repeats(belief: Belief, n: int, kind: Acquisition, best: float) -> None:
    settings = AcquisitionSettings(kind=kind)
    chosen = choose(belief, n, best=best, settings=settings, rng=_rng())
    assert len(chosen) == len(set(chosen.tolist())) == min(n, len(belief.mean))
    assert chosen.tolist() == choose(belief, n, best=best, settings=settings, rng=_rng()).tolist()


@given(belief=BELIEFS, n=st.integers(1, 15))
def test_greedy_takes_the_largest_means_best_first(belief: Belief, n: int) -> None:
    chosen = choose(belief, n, best=0.0, settings=AcquisitionSettings(kind=Acquisition.GREEDY), rng=_rng())
    assert belief.mean[chosen].tolist() == sorted(belief.mean.tolist(), reverse=True)[:n]


def test_ucb_weighs_doubt_by_beta() -> None:
    belief = Belief(mean=np.array([1.0, 0.0]), std=np.array([0.0, 1.0]))
    for beta, first in ((0.5, 0), (2.0, 1)):
        settings = AcquisitionSettings(kind=Acquisition.UCB, beta=beta)
        assert choose(belief, 1, best=0.0, settings=settings, rng=_rng()).tolist() == [first]


def test_thompson_follows_the_draws() -> None:
    samples = np.array([[0.0, 5.0, 1.0]])
    belief = Belief(mean=np.zeros(3), std=np.zeros(3), samples=samples)
    settings = AcquisitionSettings(kind=Acquisition.THOMPSON)
    assert choose(belief, 3, best=0.0, settings=settings, rng=_rng()).tolist() == [1, 2, 0]
    doubtful = Belief(mean=np.array([0.0, 0.1]), std=np.array([5.0, 0.0]))
    firsts = {int(choose(doubtful, 1, best=0.0, settings=settings, rng=np.random.default_rng(i))[0]) for i in range(20)}
    assert firsts == {0, 1}


def test_constraints_and_cost_count() -> None:
    mean, settings = np.array([0.0, 2.0, 3.0]), AcquisitionSettings(kind=Acquisition.GREEDY)
    unlikely = Belief(mean=mean, std=np.zeros(3), feasible=np.array([1.0, 1.0, 0.1]))
    dear = Belief(mean=mean, std=np.zeros(3), cost=np.array([1.0, 1.0, 10.0]))
    for belief in (unlikely, dear):
        assert choose(belief, 1, best=0.0, settings=settings, rng=_rng()).tolist() == [1]


def test_a_diverse_batch_spreads_and_begins_with_the_best() -> None:
    place = np.array([[0.0], [0.01], [0.02], [10.0]])
    belief = Belief(mean=np.array([3.0, 2.9, 2.8, 2.0]), std=np.zeros(4), place=place)
    plain = AcquisitionSettings(kind=Acquisition.GREEDY)
    spread = AcquisitionSettings(kind=Acquisition.GREEDY, diversity=1.0)
    assert choose(belief, 2, best=0.0, settings=plain, rng=_rng()).tolist() == [0, 1]
    assert choose(belief, 2, best=0.0, settings=spread, rng=_rng()).tolist()[0] == 0
    worst = Belief(mean=np.array([3.0, 2.9, 2.8, 2.0, 0.0]), std=np.zeros(5), place=np.append(place, [[5.0]], axis=0))
    assert choose(worst, 2, best=0.0, settings=spread, rng=_rng()).tolist() == [0, 3]


def test_a_belief_says_what_is_wrong() -> None:
    with pytest.raises(InputError, match="std needs shape"):
        Belief(mean=np.zeros(3), std=np.zeros(2))
    with pytest.raises(InputError, match="finite means"):
        Belief(mean=np.array([np.nan]), std=np.zeros(1))
    with pytest.raises(InputError, match="diversity lies in"):
        AcquisitionSettings(diversity=2.0)
