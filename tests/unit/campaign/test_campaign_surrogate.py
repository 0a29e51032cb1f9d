"""The surrogate of a campaign: it learns, doubts where it knows nothing, and learns from every fidelity."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.campaign.acquisition import Acquisition, AcquisitionSettings, Belief, choose, probability_of_improvement
from matwright.campaign.surrogate import Labels, SurrogateKind, error_in_folds, learn, levels

pytest.importorskip("sklearn")
KINDS = pytest.mark.parametrize("kind", list(SurrogateKind))


def curve(x: np.ndarray) -> np.ndarray:
    return np.sin(3 * x[:, 0]) + 0.5 * x[:, 1]


def labels(n: int, *, fidelity: float = 0.0, shift: float = 0.0, seed: int = 0) -> Labels:
    features = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return Labels(features=features, fidelity=np.full(n, fidelity), values=curve(features) + shift)


def joined(*parts: Labels) -> Labels:
    return Labels(
        features=np.concatenate([part.features for part in parts]),
        fidelity=np.concatenate([part.fidelity for part in parts]),
        values=np.concatenate([part.values for part in parts]),
    )


@KINDS
def test_it_learns_and_repeats(kind: SurrogateKind) -> None:
    known, asked = labels(80), labels(50, seed=1)
    guess = learn(known, kind, seed=0)(asked.features, 0.0)
    error = np.abs(guess.mean - asked.values).mean()
    assert error < 0.35 * np.abs(asked.values - known.values.mean()).mean()
    assert np.array_equal(guess.mean, learn(known, kind, seed=0)(asked.features, 0.0).mean)
    assert (guess.std >= 0).all()
    assert np.isfinite(guess.std).all()


@KINDS
def test_many_cheap_values_help_few_dear_ones(kind: SurrogateKind) -> None:
    errors = np.zeros((3, 2))
    for number in range(3):
        asked = labels(60, seed=10 * number)
        dear = labels(8, fidelity=1.0, shift=1.0, seed=10 * number + 1)
        cheap = labels(80, seed=10 * number + 2)
        for place, known in enumerate((dear, joined(dear, cheap))):
            guess = learn(known, kind, seed=0)(asked.features, 1.0)
            errors[number, place] = np.abs(guess.mean - asked.values - 1.0).mean()
    alone, both = errors.mean(axis=0)
    assert both < 0.9 * alone


def test_the_level_of_a_fidelity_comes_from_those_that_have_both() -> None:
    cheap = labels(30, fidelity=0.0, seed=5)
    dear = Labels(features=cheap.features[:4], fidelity=np.ones(4), values=cheap.values[:4] - 2.5)
    both = joined(cheap, dear)
    assert levels(both.features, both.fidelity, both.values) == pytest.approx({1.0: 0.0, 0.0: 2.5})


@KINDS
def test_folds_tell_what_can_be_learned_from_what_cannot(kind: SurrogateKind) -> None:
    known = labels(60)
    noise = Labels(
        features=known.features, fidelity=known.fidelity, values=np.random.default_rng(9).permutation(known.values)
    )
    usual = np.abs(known.values - known.values.mean()).mean()
    assert error_in_folds(known, kind, seed=0) < 0.5 * usual
    assert error_in_folds(noise, kind, seed=0) > 0.8 * usual


def test_a_candidate_at_two_fidelities_is_not_its_own_witness() -> None:
    features = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    values = np.random.default_rng(1).normal(size=30)
    twice = joined(*(Labels(features=features, fidelity=np.full(30, level), values=values) for level in (0.0, 1.0)))
    usual = np.abs(values - values.mean()).mean()
    assert error_in_folds(twice, SurrogateKind.TREES, seed=0) > 0.8 * usual


@KINDS
def test_a_feature_that_is_not_known_is_taken_as_usual(kind: SurrogateKind) -> None:
    known = labels(40)
    hidden = known.features.copy()
    hidden[::7, 1] = np.nan
    guess = learn(Labels(features=hidden, fidelity=known.fidelity, values=known.values), kind, seed=0)
    assert np.isfinite(guess(hidden, 0.0).mean).all()


def test_the_probability_of_an_improvement() -> None:
    belief = Belief(mean=np.array([1.0, 2.0, 3.0]), std=np.array([1.0, 1.0, 0.0]))
    found = probability_of_improvement(belief, 2.0, AcquisitionSettings())
    assert found == pytest.approx([0.1586553, 0.5, 1.0], abs=1e-6)


def test_random_does_not_look_at_what_is_believed() -> None:
    settings = AcquisitionSettings(kind=Acquisition.RANDOM)
    picks = [
        int(choose(Belief(mean=mean, std=np.zeros(5)), 1, best=0.0, settings=settings, rng=np.random.default_rng(7))[0])
        for mean in (np.arange(5.0), -np.arange(5.0))
    ]
    assert picks[0] == picks[1]


def test_a_diverse_batch_does_not_depend_on_the_scale_of_scores() -> None:
    place = np.random.default_rng(0).normal(size=(40, 3))
    mean = np.random.default_rng(1).normal(size=40)
    settings = AcquisitionSettings(kind=Acquisition.GREEDY, diversity=0.7)
    chosen = [
        choose(
            Belief(mean=scale * mean, std=np.zeros(40), place=place),
            6,
            best=0.0,
            settings=settings,
            rng=np.random.default_rng(0),
        ).tolist()
        for scale in (1.0, 1e-20)
    ]
    assert chosen[0] == chosen[1]
