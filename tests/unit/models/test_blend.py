"""Forests as arrays, the table they see, and the blend of networks and forest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load, save

from matwright.errors import InputError
from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.graphs.settings import GraphSettings
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn, ConditionSchema, ProcessStep, StepVocabulary
from matwright.materials.crystal import Crystal
from matwright.materials.properties import PropertySpec
from matwright.models.blend import PARTS, Share, Shares, best_weights, blended, check_blend, learn_shares, parts_of
from matwright.models.blend_file import FOREST_FILE, FORMAT, HEADER, OLD_FORMAT, OLDER_FORMAT, load_shares, save_shares
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.models.flat import FlatLayout, geometry
from matwright.models.forest import RATE, ROUNDS, Forest
from matwright.models.interface import BatchPrediction, Prediction, bare_prediction
from matwright.physics.elasticity import (
    AVERAGE_NAMES,
    COMPONENT_NAMES,
    ELASTIC_UNITS,
    components,
    from_components,
    moduli,
)

STRENGTH = PropertySpec(name="strength", unit="MPa", lower=0.0)
STEPS = (
    ProcessStep(operation="age", temperature=900.0, time=4.0),
    ProcessStep(operation="age", temperature=1000.0),
    ProcessStep(operation="quench", cooling="water"),
)
SCHEMA = ConditionSchema(
    columns=(
        ConditionColumn(name="temperature", unit="K"),
        ConditionColumn(name="route", categories=("cast", "powder")),
    ),
    steps=StepVocabulary.of(STEPS),
)


def table(seed: int, rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Features with holes, and values that depend on two of them."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, 5)).astype(np.float32)
    values = np.where(features[:, 0] > 0, 3.0, -1.0) + features[:, 1]
    features[random.random(features.shape) < 0.1] = np.nan
    return features, values.astype(np.float64)


def alloys() -> GraphBatch:
    """Three alloys: with two steps, without any, and with three of them."""
    formulas = ("Fe0.9C0.1", "Ni0.7Al0.3", "Ni0.5Cr0.5")
    assert SCHEMA.steps is not None
    steps = [tuple(SCHEMA.steps.encode(step) for step in done) for done in (STEPS[:2], (), STEPS)]
    labels = Labels.of_conditions(np.array([[300.0, 1.0], [np.nan, 0.0], [800.0, np.nan]]), np.zeros((3, 1)), steps)
    return collate([build_graph(Composition.from_formula(text), GraphSettings()) for text in formulas], labels)


class Alloys:
    """A source of the three."""

    def batch(self, indices: np.ndarray) -> GraphBatch:
        assert_array_equal(indices, np.arange(3))
        return alloys()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_a_forest_keeps_within_what_it_learned_and_knows_a_step(seed: int) -> None:
    features, values = table(seed)
    forest = Forest.learn(features, values, seed=seed)
    found = forest.predict(features)
    assert found.min() >= values.min() - 1e-5
    assert found.max() <= values.max() + 1e-5
    assert np.abs(found - values).mean() < 0.1 * np.abs(values - values.mean()).mean()
    assert_array_equal(found, Forest.learn(features, values, seed=seed).predict(features))
    order = np.random.default_rng(seed).permutation(len(features))
    assert_array_equal(forest.predict(features[order]), found[order])


def test_arrays_say_the_same_as_the_library() -> None:
    from sklearn.ensemble import ExtraTreesRegressor

    features, values = table(1)
    features = np.nan_to_num(features)
    theirs = ExtraTreesRegressor(n_estimators=50, random_state=7)
    assert_allclose(
        Forest.learn(features, values, seed=7).predict(features),
        theirs.fit(features, values).predict(features),
        atol=1e-5,
    )


def test_boosted_arrays_say_the_same_as_the_library() -> None:
    from sklearn.ensemble import GradientBoostingRegressor

    features, values = table(2)
    features = np.nan_to_num(features)
    theirs = GradientBoostingRegressor(
        loss="huber", n_estimators=ROUNDS, learning_rate=RATE, max_depth=6, min_samples_leaf=3, max_features=0.2,
        subsample=0.7, random_state=7,
    )  # fmt: skip
    expected = theirs.fit(features, values).predict(features)
    assert_allclose(Forest.boost(features, values, seed=7).predict(features), expected, atol=1e-3)
    assert np.abs(expected - values).mean() < 0.3 * np.abs(values - values.mean()).mean()


def test_columns_in_one_order_count_once() -> None:
    features, values = table(6)
    features = np.abs(np.nan_to_num(features)) + (1 + np.arange(len(features), dtype=np.float32)[:, None]) / 1e4
    wider = np.column_stack([features[:, :2], np.zeros(len(features)), np.log(features)]).astype(np.float32)
    plain, wide = (Forest.learn(one, values, seed=3, trees=5) for one in (features, wider))
    assert set(wide.feature) == {-1, 0, 1, 5, 6, 7}
    assert len(plain.roots) == len(wide.roots)
    assert np.abs(wide.predict(wider) - values).max() < 1e-3


def test_geometry_tells_dense_from_open() -> None:
    cells = [
        Crystal(lattice=np.eye(3) * a, frac_coords=np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array(elements))
        for a, elements in ((4.12, (55, 17)), (3.0, (28, 13)))
    ]
    found = geometry(collate([build_graph(cell, GraphSettings()) for cell in cells]))
    nearest = np.sqrt(0.75) * np.array([4.12, 3.0])
    assert_allclose(found[:, 3], nearest, rtol=1e-5)  # mean, over equal atoms
    assert_allclose(found[:, 4], 0.0, atol=1e-3)
    assert_allclose(found[:, 0], np.array([132.905 + 35.45, 58.693 + 26.982]) / np.array([4.12, 3.0]) ** 3, rtol=1e-3)
    assert_array_equal(found[:, 2], [2, 2])
    assert found[1, 11] == pytest.approx(float(found[0, 11]))  # neighbours, each by its weight
    assert found[0, 11] > 0
    assert_allclose(found[:, 12], 0.0, atol=1e-5)
    alone = geometry(collate([build_graph(Composition.from_formula("Fe0.9C0.1"), GraphSettings())]))
    assert bool(alone[0, 3:11].isnan().all())


def test_the_table_of_a_batch_holds_conditions_and_steps() -> None:
    layout = FlatLayout.of(SCHEMA, Alloys(), np.arange(3))
    assert layout.repeats == 2
    rows = layout.rows(Alloys(), np.arange(3))
    flat = rows[:, -(1 + 2 * 2 * 5) :]
    assert_array_equal(flat[:, 0], [2, 0, 3])
    places = flat[:, 1:].reshape(3, 2, 2, 5)  # operation, repetition, (done, T, t, p, cooling)
    assert_array_equal(places[0, 0, :, :2], [[1, 900], [1, 1000]])
    assert_array_equal(places[:, 1, 0, 0], [0, 0, 1])
    assert np.isnan(places[1, :, :, 1:]).all()
    assert not places[1, :, :, 0].any()
    assert_array_equal(rows[:, -24:-21], [[300, 0, 1], [np.nan, 1, 0], [800, 0, 0]])
    narrow = FlatLayout(schema=SCHEMA, repeats=1).of_batch(alloys())
    assert narrow.shape[1] == rows.shape[1] - 2 * 5


def test_the_weights_are_those_of_the_better_ones() -> None:
    truth = np.linspace(0, 1, 50)
    noise, other = np.random.default_rng(0).normal(size=(2, 50))
    assert best_weights(truth, truth, np.stack([noise, other])) == (0.0, 0.0)
    assert best_weights(truth, noise, np.stack([truth, other])) == (1.0, 0.0)
    assert best_weights(truth, noise, np.stack([other, truth])) == (0.0, 1.0)
    assert best_weights(truth, truth + 2, np.stack([truth - 1, other + 9])) == pytest.approx((0.65, 0.0), abs=0.06)
    assert best_weights(truth[:0], noise[:0], np.stack([noise, other])[:, :0]) == (0.25, 0.25)


@given(groups=st.lists(st.integers(0, 30), min_size=1, max_size=80), seed=st.integers(0, 100))
def test_a_group_lies_in_one_part(groups: list[int], seed: int) -> None:
    _, numbered = np.unique(groups, return_inverse=True)
    parts = parts_of(numbered, seed)
    assert set(parts.tolist()) <= set(range(PARTS))
    for group in range(numbered.max() + 1):
        assert len(set(parts[numbered == group].tolist())) == 1


class Network:
    """Says one number for everything."""

    specs = (STRENGTH,)

    def predict(self, batch: GraphBatch) -> BatchPrediction:
        mean = np.full(len(batch), 100.0)
        return BatchPrediction(
            properties={"strength": bare_prediction(STRENGTH, mean, np.full(len(batch), 3.0))},
            embedding=np.zeros((len(batch), 2), np.float32),
        )


def shares_of_alloys(weight: float) -> Shares:
    layout = FlatLayout.of(SCHEMA, Alloys(), np.arange(3))
    forest = Forest.learn(layout.rows(Alloys(), np.arange(3)), np.array([50.0, 70.0, 90.0]), seed=0)
    return Shares(layout=layout, shares={"strength": Share(forest=forest, boosted=None, weights=(weight, 0.0))})


def test_a_blend_lies_between_and_knows_less_where_the_two_disagree() -> None:
    shares = shares_of_alloys(0.25)
    found = shares.around(Network()).predict(alloys()).properties["strength"]
    assert_allclose(found.mean, [87.5, 92.5, 97.5], atol=1e-4)
    assert_allclose(found.epistemic, np.sqrt(0.25 * 0.75) * np.array([50.0, 30.0, 10.0]), atol=1e-3)
    assert_allclose(found.aleatoric, 3.0)


def test_shares_come_back_from_disk(tmp_path: Path) -> None:
    plain = shares_of_alloys(0.4)
    forest = plain.shares["strength"].forest
    rows = plain.layout.rows(Alloys(), np.arange(3))
    doubt = Forest.learn(np.concatenate([np.eye(3, dtype=np.float32), rows], axis=1), np.array([0.5, 1.0, 1.5]), seed=0)
    with_all = Share(forest=forest, boosted=forest, weights=(0.1, 0.2, 0.3), doubt=doubt)
    shares = replace(plain, shares={"strength": with_all})
    save_shares(tmp_path, shares)
    loaded = load_shares(tmp_path, SCHEMA)
    assert loaded.layout == shares.layout
    first, second = (one.around(Network()).predict(alloys()).properties["strength"] for one in (shares, loaded))
    assert_array_equal(first.mean, second.mean)
    assert_array_equal(first.epistemic, second.epistemic)
    assert_array_equal(first.aleatoric, second.aleatoric)
    assert (first.aleatoric != 3.0).all()


def noisy(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, values, and the standard deviation of their noise, which the second feature tells."""
    random = np.random.default_rng(8)
    features = random.normal(size=(rows, 4)).astype(np.float32)
    noise = np.where(features[:, 1] > 0, 2.0, 0.2)
    return features, features[:, 0] + noise * random.normal(size=rows), noise


VALUE = PropertySpec(name="value", unit="MPa")


def said(specs: Sequence[PropertySpec], values: np.ndarray) -> dict[str, Prediction]:
    """Means (n, n_properties) as predictions by property."""
    return {spec.name: bare_prediction(spec, column) for spec, column in zip(specs, values.T, strict=True)}


def doubting(counts: np.ndarray | None) -> tuple[Share, np.ndarray, np.ndarray]:
    """A share that learned 200 records, and 200 others with the noise of theirs."""
    features, values, noise = noisy(400)
    network = np.full((200, 1), np.nan)
    network[::2] = 0.0
    shares, unseen = learn_shares(
        FlatLayout(schema=None, repeats=0), features[:200], values[:200, None], said([VALUE], network),
        np.arange(200) // 100, [VALUE], seed=0, trees=20, counts=counts,
    )  # fmt: skip
    assert not unseen
    return shares.shares["value"], features[200:], noise[200:]


def test_trees_learn_where_errors_are_large() -> None:
    share, features, noise = doubting(np.ones((200, 1)))
    plain = bare_prediction(PropertySpec(name="value", unit="MPa"), np.zeros(200), np.ones(200))
    found = blended(plain, share, features)
    large, small = found.aleatoric[noise > 1], found.aleatoric[noise < 1]
    assert 1.2 < np.median(large) < 3.5
    assert np.median(small) < 0.6 * np.median(large)
    without = blended(plain, replace(share, doubt=None), features)
    assert_array_equal(found.mean, without.mean)
    assert_array_equal(without.aleatoric, 1.0)
    assert (found.epistemic > without.epistemic).all()


def test_errors_that_do_not_count_teach_nothing() -> None:
    counts = np.ones((200, 1))
    counts[10:] = 0.0
    for count in (counts, None):
        assert doubting(count)[0].doubt is None


def test_training_records_are_judged_as_new_ones_are() -> None:
    features, values, noise = noisy(900)
    train, parts, network = slice(0, 600), np.arange(600) % 3, np.zeros((600, 1))
    network[parts == 2] = np.nan  # no network left this part out
    truth = values[train, None].copy()
    truth[3] = np.nan
    shares, unseen = learn_shares(
        FlatLayout(schema=None, repeats=0), features[train], truth, said([VALUE], network), parts, [VALUE],
        seed=0, trees=20, counts=np.ones((600, 1)), judge=True,
    )  # fmt: skip
    found, share = unseen["value"], shares.shares["value"]
    judged = (parts != 2) & np.isfinite(truth[:, 0])
    assert_array_equal(np.isfinite(found.mean), judged)

    def scores(prediction: Prediction, rows: np.ndarray) -> np.ndarray:
        return np.abs(values[rows] - prediction.mean) / prediction.std

    plain = bare_prediction(VALUE, np.zeros(600))
    again, new = blended(plain, share, features[train]), blended(plain.at(np.arange(300)), share, features[600:])
    own = np.flatnonzero(judged)
    assert np.abs(values[own] - again.mean[own]).mean() < 0.5 * np.abs(values[own] - found.mean[own]).mean()
    for level in (0.5, 0.9):
        expected = np.quantile(scores(new, np.arange(600, 900)), level)
        assert np.quantile(scores(found.at(own), own), level) == pytest.approx(expected, rel=0.2)
    assert np.median(found.aleatoric[own][noise[own] > 1]) > 2 * np.median(found.aleatoric[own][noise[own] < 1])


def test_a_forest_without_learned_errors_says_the_same_as_before(tmp_path: Path) -> None:
    save_shares(tmp_path, shares_of_alloys(0.4))
    path = tmp_path / FOREST_FILE
    header = {"format": OLD_FORMAT, "repeats": 2, "geometry": False, "weights": {"strength": [0.25, 0.0, 0.0]}}
    path.write_bytes(save(load(path.read_bytes()), metadata={HEADER: json.dumps(header)}))
    found = load_shares(tmp_path, SCHEMA).around(Network()).predict(alloys()).properties["strength"]
    assert_allclose(found.epistemic, np.sqrt(0.25 * 0.75) * np.array([50.0, 30.0, 10.0]), atol=1e-3)
    assert_array_equal(found.aleatoric, 3.0)


def test_a_forest_of_the_older_format_is_read(tmp_path: Path) -> None:
    shares = shares_of_alloys(0.4)
    forest = shares.shares["strength"].forest
    arrays = {f"{field}/strength": np.asarray(getattr(forest, field)) for field in ("feature", "number", "usual")}
    header = {"format": OLDER_FORMAT, "repeats": 2, "weights": {"strength": 0.4}}
    (tmp_path / FOREST_FILE).write_bytes(save(arrays, metadata={HEADER: json.dumps(header)}))
    loaded = load_shares(tmp_path, SCHEMA)
    first, second = (one.around(Network()).predict(alloys()).properties["strength"] for one in (shares, loaded))
    assert_array_equal(first.mean, second.mean)


def test_a_median_is_exactly_zero_where_most_records_are() -> None:
    random = np.random.default_rng(5)
    features = random.normal(size=(300, 3)).astype(np.float32)
    values = np.where(random.random(300) < 0.7, 0.0, random.exponential(size=300))  # a gap that nothing tells
    specs = (PropertySpec(name="gap", unit="eV"),)
    network = said(specs, np.full((300, 1), 0.5))
    learned, _ = learn_shares(
        FlatLayout(schema=None, repeats=0), features, values[:, None], network, np.arange(300) % 2, specs, seed=0
    )
    shares = learned.shares["gap"]
    assert shares.weights[1] > 0.5
    parts, weights, _ = shares.said(network["gap"].mean[:100], random.normal(size=(100, 3)).astype(np.float32))
    assert weights.sum() == pytest.approx(1.0)
    assert (parts[2] == 0.0).mean() > 0.7
    assert (parts[1] == 0.0).mean() < 0.3


def test_broken_trees_are_refused(tmp_path: Path) -> None:
    save_shares(tmp_path, shares_of_alloys(0.4))
    path = tmp_path / FOREST_FILE
    arrays = load(path.read_bytes())
    header = {"format": FORMAT, "repeats": 2, "geometry": False, "weights": {"strength": [0.4, 0.0, 0.1]}}
    name = "feature/strength"
    for feature in (arrays[name] * 0, arrays[name] + np.int16(2000)):  # no end; no column
        path.write_bytes(save({**arrays, name: feature}, metadata={HEADER: json.dumps(header)}))
        with pytest.raises(InputError, match=r"whole|fit together"):
            load_shares(tmp_path, SCHEMA)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        load_shares(tmp_path, SCHEMA)
    path.write_bytes(save({"other": np.zeros(1)}, metadata={HEADER: json.dumps(header)}))
    with pytest.raises(InputError, match="lacks trees"):
        load_shares(tmp_path, SCHEMA)


def test_the_forest_rules_where_the_network_knows_nothing() -> None:
    features, values = table(3, rows=300)
    truth = np.stack([values, np.full(300, np.nan)], axis=1)
    specs = (PropertySpec(name="step", unit="1"), PropertySpec(name="unknown", unit="1"))
    network = said(specs, np.zeros((300, 2)))
    learned, _ = learn_shares(
        FlatLayout(schema=None, repeats=0), features, truth, network, np.arange(300) % 3, specs, seed=0
    )
    shares = learned.shares
    assert set(shares) == {"step"}
    assert shares["step"].weight > 0.8


def test_a_law_is_not_blended() -> None:
    heads = (HeadConfig(name="strength", kind=HeadKind.ARRHENIUS, temperature="temperature"),)
    config = GemPpmConfig(heads=heads, conditions=SCHEMA)
    with pytest.raises(InputError, match="law"):
        check_blend(config, (STRENGTH,))
    extensive = PropertySpec(name="strength", unit="eV", intensive=False)
    with pytest.raises(InputError, match="grows with the cell"):
        check_blend(GemPpmConfig(heads=(HeadConfig(name="strength"),)), (extensive,))


class Tensors:
    """Says the tensor of one elastic solid for everything, and its moduli."""

    specs = tuple(PropertySpec(name=name, unit=unit) for name, unit in ELASTIC_UNITS.items())

    def predict(self, batch: GraphBatch) -> BatchPrediction:
        stiffness = np.diag([200.0, 200.0, 150.0, 40.0, 40.0, 60.0])
        stiffness[:3, :3] += 60.0 * (1 - np.eye(3))
        found = moduli(stiffness[None])
        values = dict(zip(COMPONENT_NAMES, components(stiffness), strict=True))
        values |= {name: float(getattr(found, field)[0]) for name, field in zip(AVERAGE_NAMES, FIELDS, strict=True)}
        n = len(batch)
        return BatchPrediction(
            properties={
                spec.name: bare_prediction(spec, np.full(n, values[spec.name]), np.ones(n)) for spec in self.specs
            },
            embedding=np.zeros((n, 2), np.float32),
        )


FIELDS = ("bulk", "shear", "young", "poisson", "anisotropy", "bulk_voigt", "shear_voigt")


def test_a_tensor_follows_its_blended_moduli() -> None:
    layout = FlatLayout.of(SCHEMA, Alloys(), np.arange(3))
    rows = layout.rows(Alloys(), np.arange(3))
    forests = {
        name: Forest.learn(rows, np.array(values), seed=0)
        for name, values in (("bulk_modulus", [50.0, 120.0, 300.0]), ("shear_modulus", [30.0, 60.0, 150.0]))
    }
    shares = {name: Share(forest=forest, boosted=forest, weights=(0.2, 0.1, 0.2)) for name, forest in forests.items()}
    found = Shares(layout=layout, shares=shares).around(Tensors()).predict(alloys()).properties
    stiffness = from_components(np.stack([found[name].mean for name in COMPONENT_NAMES], axis=1))
    of_tensor = moduli(stiffness)
    assert (of_tensor.least_eigenvalue > 0).all()
    for name, field in zip(AVERAGE_NAMES, FIELDS, strict=True):
        assert_allclose(found[name].mean, getattr(of_tensor, field), rtol=1e-8)
    plain = Tensors().predict(alloys()).properties["bulk_modulus"].mean
    assert_allclose(found["bulk_modulus"].mean, 0.5 * plain + 0.5 * np.array([50.0, 120.0, 300.0]), rtol=1e-6)
    assert_allclose(stiffness[:, 0, 3:], 0.0, atol=1e-12)  # the symmetry stays
    assert found["elastic_c11"].epistemic[2] > 50


def test_the_trees_of_a_tensor_speak_of_its_moduli_alone() -> None:
    features, values = table(4, rows=60)
    truth = np.tile(values[:, None] + 100, (1, len(Tensors.specs)))
    layout = FlatLayout(schema=None, repeats=0)
    parts, network = np.arange(60) % 2, said(Tensors.specs, truth)
    learned, unseen = learn_shares(layout, features, truth, network, parts, Tensors.specs, seed=0, judge=True)
    assert not unseen
    shares = learned.shares
    assert set(shares) == {"bulk_modulus", "shear_modulus"}
    share = shares["bulk_modulus"]  # the network is right: trees do not count, and are not kept
    assert share.weight == 0.0
    assert share.forest is share.boosted is None
    assert not share.lacks
