"""What a model knows of its targets: quantiles and regional errors against direct counts."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.api.knowledge import FACTS, TargetKnowledge, read_knowledge, target_facts
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.interface import Prediction, bare_prediction

SPEC = PropertySpec(name="bulk_modulus", unit="GPa", lower=0.0)
RNG = np.random.default_rng(0)
TRAINED = np.concatenate([RNG.gamma(3.0, 30.0, 2000), [np.nan, np.nan]])
TRUTH = np.concatenate([RNG.gamma(3.0, 30.0, 400), [np.nan]])
MEAN = np.abs(TRUTH + RNG.normal(0, 10.0, 401))
MEAN[-1] = 55.0


def prediction(mean: np.ndarray = MEAN, width: float = 15.0) -> Prediction:
    bare = bare_prediction(SPEC, mean)
    return Prediction(**{**{name: getattr(bare, name) for name in bare.__dataclass_fields__},
                         "lower": mean - width, "upper": mean + width, "level": 0.9})  # fmt: skip


KNOWN = TargetKnowledge.measured(SPEC, TRAINED, "test", TRUTH, prediction())


def test_shares_are_those_of_the_training_values() -> None:
    values = TRAINED[:-2]
    for lower, upper in ((None, 50.0), (100.0, 150.0), (200.0, None), (None, None), (0.0, 1000.0)):
        low, high = (-np.inf if lower is None else lower), (np.inf if upper is None else upper)
        wanted = ((values >= low) & (values <= high)).mean()
        assert KNOWN.share_within(lower, upper) == pytest.approx(wanted, abs=0.012)
    assert KNOWN.n == 2000
    assert KNOWN.share_within(None, None) == 1.0
    assert KNOWN.share_within(1e4, None) == 0.0
    assert KNOWN.share_within(None, -1.0) == 0.0


def test_values_that_occur_often_are_counted() -> None:
    gaps = np.concatenate([np.zeros(600), RNG.uniform(0.1, 5.0, 400)])
    known = TargetKnowledge.measured(SPEC, gaps, "test", gaps, prediction(gaps))
    assert known.share_within(None, 0.0) == pytest.approx(0.6, abs=0.051)  # the step of the quantiles
    assert known.share_within(0.05, None) == pytest.approx(0.4, abs=0.051)
    assert known.share_within(0.0, None) == 1.0


@given(st.floats(0, 300, allow_subnormal=False), st.floats(0, 300, allow_subnormal=False))
def test_regional_errors_are_those_of_the_records_there(first: float, second: float) -> None:
    lower, upper = min(first, second), max(first, second)
    region = KNOWN.region(lower, upper)
    assert region.lower <= lower <= upper <= region.upper
    truth, mean = TRUTH[:-1], MEAN[:-1]
    there = (mean >= region.lower) & (mean < region.upper)
    assert region.n == there.sum()
    if there.any():
        assert region.mae == pytest.approx(np.abs(mean - truth)[there].mean())
        assert region.bias == pytest.approx((mean - truth)[there].mean())
        assert region.coverage == pytest.approx((np.abs(mean - truth)[there] <= 15.0).mean())
    really = (truth >= region.lower) & (truth < region.upper)
    assert region.n_true == really.sum()
    assert region.n_found == (really & there).sum()


def test_all_regions_together_are_the_whole() -> None:
    whole = KNOWN.region(None, None)
    assert whole.n == KNOWN.n_held_out == 400
    assert whole.mae == pytest.approx(KNOWN.mae)
    assert KNOWN.mae == pytest.approx(np.abs(MEAN - TRUTH)[:-1].mean())
    assert np.isinf([whole.lower, whole.upper]).all()


def test_facts_go_through_json() -> None:
    facts = target_facts([SPEC], TRAINED[:, None], "test", TRUTH[:, None], {SPEC.name: prediction()})
    read = read_knowledge(json.loads(json.dumps({FACTS: facts})))[SPEC.name]
    assert read.as_dict() == KNOWN.as_dict()
    assert len(json.dumps(facts)) < 5000
    assert read_knowledge({}) == {}
    broken = {**facts[SPEC.name], "edges": [1.0]}
    with pytest.raises(InputError, match="another shape"):
        TargetKnowledge.from_dict(broken)
    with pytest.raises(InputError, match="cannot be read"):
        TargetKnowledge.from_dict({"unit": "GPa"})


def test_without_intervals_there_is_no_coverage() -> None:
    known = TargetKnowledge.measured(SPEC, TRAINED, "test", TRUTH, bare_prediction(SPEC, MEAN))
    assert known.covered is None
    assert math.isnan(known.region(None, None).coverage)
    assert TargetKnowledge.from_dict(json.loads(json.dumps(known.as_dict()))).covered is None


def test_classes_and_targets_without_values_are_left_out() -> None:
    metal = PropertySpec(name="metal", unit="1", classes=("no", "yes"))
    empty = PropertySpec(name="band_gap", unit="eV")
    trained = np.column_stack([TRAINED, TRAINED, np.full(len(TRAINED), np.nan)])
    truth = np.column_stack([TRUTH, TRUTH, TRUTH])
    found = {SPEC.name: prediction(), empty.name: prediction()}
    assert list(target_facts([SPEC, metal, empty], trained, "test", truth, found)) == [SPEC.name]
