"""E28 term by term, the Pareto front, and the diversity filter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.rl.diversity import Buckets, bucket_keys
from matwright.generation.rl.policy import Policy
from matwright.generation.rl.reward import Reward, Scale, expected_distance, nondominated
from matwright.generation.rl.settings import LearningConfig, RewardConfig
from matwright.generation.rl.surrogate import VALENCE
from matwright.generation.sequence_batch import SequenceBatch, join_batches
from matwright.materials.constraints import NO_CONSTRAINTS
from matwright.materials.properties import KNOWN_PROPERTIES
from matwright.materials.target import parse_target
from matwright.models.interface import Prediction, bare_prediction
from matwright.rng import torch_generator

TARGETS = (parse_target("bulk_modulus>=300 GPa"), parse_target("minimise density"))
SCALES = {"bulk_modulus": Scale(centre=80.0, spread=50.0), "density": Scale(centre=5.0, spread=2.0)}
PLAIN = RewardConfig(
    met=1.0,
    discounted=False,
    doubt=1.0,
    margin=0.0,
    chance=0.0,
    plausible=0.1,
    stability=0.5,
    valence=0.0,
    uncertainty=0.3,
)
REWARD = Reward(TARGETS, SCALES, PLAIN)
CAREFUL = Reward(TARGETS, SCALES, RewardConfig())


def predictions(
    modulus: object, density: object = 5.0, above: object = 0.0, sigma: object = 0.0, domain: object = 0.0
) -> dict[str, Prediction]:
    values = [np.atleast_1d(np.asarray(value, dtype=float)) for value in (modulus, density, above, sigma, domain)]
    modulus, density, above, sigma, domain = np.broadcast_arrays(*values)

    def one(name: str, mean: np.ndarray) -> Prediction:
        return replace(bare_prediction(KNOWN_PROPERTIES[name], mean), epistemic=sigma, domain_score=domain)

    return {
        "bulk_modulus": one("bulk_modulus", modulus),
        "density": one("density", density),
        "e_above_hull": one("e_above_hull", above),
    }


def test_the_terms_add_up_as_stated() -> None:
    terms = REWARD(predictions([200.0, 320.0], density=7.0, above=0.1, sigma=50.0, domain=0.9))
    draws = np.random.default_rng(0).normal(0, 50, 400_000)
    lost = [np.maximum(300 - modulus - draws, 0).mean() / 220 for modulus in (200, 320)]
    np.testing.assert_allclose(terms.target, [-(share + 0.5) for share in lost], rtol=1e-3)
    np.testing.assert_allclose(terms.stability, np.exp(-1))
    unsure = (50 / 100 + 50 / 52) / 2 + 0.5
    np.testing.assert_allclose(terms.uncertainty, unsure)
    np.testing.assert_allclose(terms.met, [0.0, (draws > 300 - 320).mean()], atol=3e-3)
    np.testing.assert_allclose(terms.total, terms.target + terms.met + 0.5 * np.exp(-1) - 0.3 * unsure)
    assert terms.hit.tolist() == [False, True]
    np.testing.assert_allclose(terms.objectives, [[100, 7], [0, 7]])


def test_a_hit_is_worth_what_stability_and_domain_leave_of_it() -> None:
    asked = predictions([400.0] * 4, above=[0.0, 0.1, 0.0, 0.0], sigma=5.0, domain=[0.0, 0.0, 0.9, 1.0])
    whole, unstable, unlike, outside = CAREFUL(asked).met
    assert whole == pytest.approx(1.0)
    assert unstable == pytest.approx(np.exp(-1))
    assert unlike == pytest.approx(0.5)
    assert outside == 0.0


def test_doubt_widens_what_the_model_says() -> None:
    doubtful = Reward(TARGETS, SCALES, replace(PLAIN, doubt=2.0))
    asked = predictions([200.0, 320.0], sigma=25.0)
    twice = REWARD(predictions([200.0, 320.0], sigma=50.0))
    np.testing.assert_allclose(doubtful(asked).met, twice.met)
    np.testing.assert_allclose(doubtful(asked).target, twice.target)


def test_a_hit_lies_inside_with_a_margin() -> None:
    cautious = Reward(TARGETS, SCALES, replace(PLAIN, margin=1.0))
    assert cautious(predictions([305.0, 315.0], sigma=10.0)).hit.tolist() == [False, True]
    window = (parse_target("band_gap=1.5±0.2 eV"),)
    gap = Reward(window, {"band_gap": Scale(centre=1.0, spread=1.0)}, replace(PLAIN, margin=1.0))
    asked = predictions(0.0, sigma=[0.05, 0.05, 5.0, 5.0])
    values = np.array([1.34, 1.36, 1.39, 1.41])  # the margin of the unsure ones ends half-way to the middle
    asked["band_gap"] = replace(asked["density"], mean=values)
    assert gap(asked).hit.tolist() == [False, True, False, True]


def test_a_hit_is_likelier_right_than_wrong() -> None:
    window = (parse_target("band_gap=1.5±0.2 eV"),)
    fair = Reward(window, {"band_gap": Scale(centre=1.0, spread=1.0)}, replace(PLAIN, doubt=2.0, chance=0.5))
    asked = predictions(0.0, sigma=[0.14, 0.16, 0.05, 0.05])  # in the middle half lies within 0.67 doubled sigmas
    asked["band_gap"] = replace(asked["density"], mean=np.array([1.5, 1.5, 1.4, 1.31]))
    terms = fair(asked)
    assert terms.hit.tolist() == [True, False, True, True]
    assert (terms.met > 0).all()  # what is near a hit is worth something all the same


@pytest.mark.parametrize(
    ("target", "usual_only"),
    [
        ("band_gap=1.5±0.2 eV", True),
        ("band_gap>=1 eV", True),
        ("maximise band_gap", True),
        ("band_gap<=2 eV", False),
        ("minimise band_gap", False),
    ],
)
def test_where_a_gap_is_asked_for_a_crystal_without_usual_valences_counts_as_a_metal(
    target: str, *, usual_only: bool
) -> None:
    asked = predictions([0.0] * 2)
    asked["band_gap"] = replace(asked["density"], mean=np.full(2, 1.5))
    asked[VALENCE.name] = bare_prediction(VALENCE, np.array([0.3, 0.0]))
    scales = {"band_gap": Scale(centre=1.0, spread=1.0)}
    careful, plain = (
        Reward((parse_target(target),), scales, replace(PLAIN, valence=least))(asked) for least in (0.02, 0.0)
    )
    assert plain.target[0] == plain.target[1] == careful.target[0]
    assert (careful.target[1] < careful.target[0]) == usual_only
    if not target.startswith(("maximise", "minimise")):
        assert careful.hit.tolist() == [True, not usual_only]
        assert plain.hit.all()


def test_a_formation_energy_beats_the_known_hull_by_little() -> None:
    energy = (parse_target("formation_energy_per_atom<=-2.5 eV/atom"),)
    asked = predictions(0.0, above=[-0.3, -0.3, 0.0])
    asked["formation_energy_per_atom"] = replace(asked["density"], mean=np.array([-2.6, -2.9, -2.6]))
    scales = {"formation_energy_per_atom": Scale(centre=-1.0, spread=1.0)}
    terms = Reward(energy, scales, replace(PLAIN, plausible=0.05))(asked)
    assert terms.hit.tolist() == [False, True, True]
    np.testing.assert_allclose(terms.objectives[:, 0], [0.15, 0.0, 0.0], atol=1e-12)


def number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)


rewards = number(0, 1000), number(0.125, 30), number(-1, 3), number(0, 500), number(0, 1)


@given(*rewards)
def test_the_floor_lies_below_every_valid_crystal(
    modulus: float, density: float, above: float, sigma: float, domain: float
) -> None:
    for reward in (REWARD, CAREFUL):
        assert reward(predictions(modulus, density, above, sigma, domain)).total[0] > reward.floor


@pytest.mark.parametrize("reward", [REWARD, CAREFUL], ids=["plain", "careful"])
@given(*rewards, number(0.0625, 0.5))
def test_nearer_more_stable_and_surer_is_never_worse(
    reward: Reward, modulus: float, density: float, above: float, sigma: float, domain: float, step: float
) -> None:
    here = reward(predictions(modulus, density, above, sigma, domain)).total[0]
    assert reward(predictions(modulus + 100 * step, density, above, sigma, domain)).total[0] >= here - 1e-12
    if above - step >= -reward.config.plausible:  # farther below the hull a model rather errs
        assert reward(predictions(modulus, density, above - step, sigma, domain)).total[0] >= here - 1e-12
    assert reward(predictions(modulus, density, above, max(sigma - step, 0), domain)).total[0] >= here - 1e-12
    assert reward(predictions(modulus, density, above, sigma, max(domain - step, 0))).total[0] >= here - 1e-12


def test_a_sure_prediction_is_as_far_as_it_is() -> None:
    target = parse_target("band_gap=1.5±0.2 eV")
    value = np.array([0.0, 1.2, 1.4, 1.7, 2.5])
    np.testing.assert_allclose(expected_distance(target, value, np.zeros(5)), target.distance(value), atol=1e-6)
    assert (expected_distance(target, value, np.full(5, 0.3)) > target.distance(value)).all()


def test_far_below_the_hull_is_not_believed() -> None:
    found = REWARD(predictions(300.0, above=[-0.05, -0.1, -0.3, -1.0])).stability
    assert found[0] == found[1] == 1.0 > found[2] > found[3]


def test_what_cannot_be_judged_gets_the_floor_and_is_no_hit() -> None:
    terms = REWARD(predictions([400.0, np.nan], above=[np.nan, 0.0]))
    assert terms.total.tolist() == [REWARD.floor] * 2
    assert not terms.hit.any()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    values = np.array(points, dtype=float)
    beaten = [any((o <= p).all() and (o < p).any() for o in values) for p in values]
    assert nondominated(values).tolist() == [not one for one in beaten]


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="at least one target"):
        Reward([], {}, RewardConfig())
    with pytest.raises(InputError, match="scale"):
        Scale.of(np.array([np.nan]))
    with pytest.raises(InputError, match="clip"):
        LearningConfig(clip=1.5)
    with pytest.raises(InputError, match="doubt"):
        RewardConfig(doubt=0.0)
    with pytest.raises(InputError, match="valences"):
        RewardConfig(valence=1.5)
    with pytest.raises(InputError, match="chance"):
        RewardConfig(chance=1.0)
    with pytest.raises(InputError, match="margin"):
        RewardConfig(margin=-1.0)
    with pytest.raises(InputError, match="domain limit"):
        RewardConfig(domain_limit=1.0)


@given(st.lists(st.lists(st.integers(0, 5), max_size=8), max_size=5))
def test_buckets_count_like_a_dictionary(batches: list[list[int]]) -> None:
    buckets, counted = Buckets(), dict.fromkeys(range(6), 0)
    for batch in batches:
        keys = np.array(batch, dtype=np.uint64)
        seen = buckets.seen(keys).tolist()
        for key, found in zip(batch, seen, strict=True):
            assert found == counted[key]
            counted[key] += 1
        buckets.add(keys)
    assert dict(zip(buckets.keys.tolist(), buckets.counts.tolist(), strict=True)) == {
        key: count for key, count in counted.items() if count
    }


def test_a_bucket_is_formula_group_and_letters(trained: TrainedGenerator) -> None:
    rollout = Policy(trained, NO_CONSTRAINTS).draw(300, torch_generator(2, "draw"))
    batch = rollout.batch.select(rollout.complete.nonzero()[:, 0])
    keys = bucket_keys(batch)
    assert len(np.unique(keys)) == len({_described(batch, row) for row in range(len(batch))})
    padded = join_batches([batch, batch.select(torch.arange(3))])
    assert bucket_keys(padded)[: len(batch)].tolist() == keys.tolist()
    moved = replace(batch, shape=batch.shape + 1.0, coords=batch.coords * 0.5)
    assert bucket_keys(moved).tolist() == keys.tolist()


def _described(batch: SequenceBatch, row: int) -> tuple[object, ...]:
    length = int(batch.length[row])
    orbits = zip(batch.slots[row, :length].tolist(), batch.letters[row, :length].tolist(), strict=True)
    filled = batch.counts[row] > 0
    return (
        int(batch.group[row]),
        tuple(batch.elements[row][filled].tolist()),
        tuple(batch.counts[row][filled].tolist()),
        tuple(orbits),
    )
