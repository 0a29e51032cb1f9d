"""The scaler around a network, and trained models that come back from disk exactly or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from matwright.errors import InputError
from matwright.evaluation.records import class_shares, predict_records, record_fractions, validation_numbers
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.graphs.store import GraphStore, pack
from matwright.materials.properties import PropertySpec
from matwright.models.checkpoint import (
    ModelFile,
    load_members,
    member_file,
    read_model_file,
    save_member,
    write_model_file,
)
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.models.gem_ppm import GemPpm
from matwright.models.scaled import ScaledModel, TargetScale
from matwright.rng import generator
from matwright.uncertainty.conformal import Calibration
from matwright.uncertainty.domain import NEAR_COMPOSITIONS, DomainReference, Places
from matwright.uncertainty.ensemble import EnsembleModel
from matwright.uncertainty.stored import CALIBRATION_FILE, HEADER, Trust, load_property_model, load_trust, save_trust
from small_data import ENERGY, GAP, crystals, targets

METAL = PropertySpec(name="metal", unit="1", classes=("no", "yes"))
TOTAL = PropertySpec(name="total_energy", unit="eV", intensive=False)
SPECS = (ENERGY, GAP, METAL, TOTAL)
CONFIG = GemPpmConfig(
    heads=(
        HeadConfig(name=ENERGY.name, kind=HeadKind.POINT),
        HeadConfig(name=GAP.name),
        HeadConfig(name="metal", kind=HeadKind.CLASS, n_classes=2),
        HeadConfig(name="total_energy", kind=HeadKind.GAUSSIAN),
    ),
    width=16,
    layers=1,
)


@pytest.fixture(scope="module")
def store() -> GraphStore:
    some = crystals(40)
    values = targets(some)
    metal = np.where(np.isnan(values[:, 1]), np.nan, values[:, 1] == 0)
    total = -5.0 * np.array([len(crystal) for crystal in some]) + np.arange(40) % 3
    return pack(
        [build_graph(crystal) for crystal in some],
        labels=Labels.of_targets(np.column_stack([values, metal, total])),
        target_names=[spec.name for spec in SPECS],
    )


def scaled(store: GraphStore, seed: int = 0, specs: Sequence[PropertySpec] = SPECS) -> ScaledModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = GemPpm(CONFIG)
    return ScaledModel(network, specs, TargetScale.fit(store.targets, store.atom_counts, specs)).eval()


def test_network_sees_standardised_targets_and_callers_see_units(store: GraphStore) -> None:
    model, everything = scaled(store), np.arange(len(store))
    batch = store.batch(everything)
    seen = (batch.targets / torch.where(model.extensive, batch.counts[:, None], 1) - model.centre) / model.scale
    for column in (0, 1, 3):
        values = seen[batch.mask[:, column], column]
        assert abs(float(values.mean())) < 1e-4
        assert float(values.std(correction=0)) == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(seen[batch.mask[:, 2], 2], batch.targets[batch.mask[:, 2], 2])
    loss, terms = model.loss(batch)
    assert loss.isfinite()
    assert set(terms) == {spec.name for spec in SPECS}
    prediction = model.predict(batch).properties
    assert list(prediction) == [ENERGY.name, GAP.name, "metal=no", "metal=yes", "total_energy"]
    raw = model.network.heads.split(model.network(batch))[0][:, 0].detach().double().numpy()
    np.testing.assert_allclose(
        prediction[ENERGY.name].mean, raw * store.targets[:, 0].std() + store.targets[:, 0].mean(), rtol=1e-4, atol=1e-5
    )
    assert prediction[ENERGY.name].aleatoric.max() == 0
    assert prediction[GAP.name].aleatoric.min() > 0
    assert prediction[GAP.name].mean.min() >= 0
    np.testing.assert_allclose(prediction["metal=no"].mean + prediction["metal=yes"].mean, 1)


def test_extensive_targets_double_with_the_cell(store: GraphStore) -> None:
    single = crystals(1, seed=3)[0]
    double = replace(
        single,
        lattice=single.lattice * np.array([[2.0], [1.0], [1.0]]),
        frac_coords=np.concatenate([single.frac_coords * [0.5, 1, 1], single.frac_coords * [0.5, 1, 1] + [0.5, 0, 0]]),
        numbers=np.tile(single.numbers, 2),
    )
    some = pack([build_graph(single), build_graph(double)], labels=Labels.of_targets(np.zeros((2, 4))))
    prediction = scaled(store).predict(some.batch(np.arange(2))).properties
    one, two = prediction["total_energy"].mean
    assert two == pytest.approx(2 * one, rel=1e-5)
    assert prediction[ENERGY.name].mean[0] == pytest.approx(prediction[ENERGY.name].mean[1], rel=1e-4, abs=1e-5)


def test_predictions_leave_training_mode_alone_and_do_not_depend_on_the_batch(store: GraphStore) -> None:
    model = scaled(store).train()
    whole = predict_records(model, store, np.arange(20))
    assert model.training
    parts = predict_records(model, store, np.arange(20), batch_size=7)
    for name, prediction in whole.properties.items():
        np.testing.assert_allclose(parts.properties[name].mean, prediction.mean, rtol=1e-4, atol=1e-5)
    numbers = validation_numbers(SPECS, whole, store.targets[:20], model.scale.tolist())
    assert set(numbers) == {"score", f"mae_{ENERGY.name}", f"mae_{GAP.name}", "nll_metal", "mae_total_energy"}
    error = np.abs(whole.properties[ENERGY.name].mean - store.targets[:20, 0]).mean()
    assert numbers[f"mae_{ENERGY.name}"] == pytest.approx(error)
    assert class_shares(METAL, whole).shape == (20, 2)
    with pytest.raises(InputError, match="nothing to predict"):
        predict_records(model, store, np.arange(0))


def test_a_target_without_values_or_spread_is_refused(store: GraphStore) -> None:
    counts = store.atom_counts
    with pytest.raises(InputError, match="1 known values"):
        TargetScale.fit(np.where(np.arange(40)[:, None] == 0, 1.0, np.nan), counts, (ENERGY,))
    with pytest.raises(InputError, match="same value everywhere"):
        TargetScale.fit(np.ones((40, 1)), counts, (ENERGY,))
    with pytest.raises(InputError, match="are not those of"):
        scaled(store, specs=(GAP, ENERGY, METAL, TOTAL))


def save(folder: Path, store: GraphStore, seeds: Sequence[int] = (0, 1)) -> Trust:
    members = [scaled(store, seed) for seed in seeds]
    for index, member in enumerate(members):
        save_member(folder, index, member)
    prediction = predict_records(EnsembleModel(members), store, np.arange(40))
    calibration = {GAP.name: Calibration.fit(store.targets[:, 1], prediction.properties[GAP.name])}
    places = Places(embedding=prediction.embedding, fractions=record_fractions(store, np.arange(40)))
    domain = DomainReference.fit(places.at(np.arange(30)), places.at(np.arange(30, 40)), generator(0))
    trust = Trust(calibrations=calibration, domain=domain)
    save_trust(folder, trust)
    write_model_file(folder, ModelFile(specs=SPECS, config=CONFIG, n_members=len(seeds), facts={"seed": 0}))
    return trust


def test_a_saved_model_predicts_the_same(tmp_path: Path, store: GraphStore) -> None:
    trust = save(tmp_path, store)
    state = torch.get_rng_state()
    model, described = load_property_model(tmp_path)
    assert torch.equal(state, torch.get_rng_state())
    assert described.specs == SPECS
    assert described.config == CONFIG
    assert described.facts == {"seed": 0}
    again = predict_records(model, store, np.arange(40))
    before = predict_records(EnsembleModel([scaled(store, 0), scaled(store, 1)]), store, np.arange(40))
    before = trust.of(before, record_fractions(store, np.arange(40)))
    for name, prediction in before.properties.items():
        np.testing.assert_array_equal(again.properties[name].mean, prediction.mean)
        np.testing.assert_allclose(again.properties[name].epistemic, prediction.epistemic, rtol=1e-4)
        np.testing.assert_allclose(again.properties[name].upper, prediction.upper, rtol=1e-4)
        np.testing.assert_array_equal(again.properties[name].domain_score, prediction.domain_score)
    gap = again.properties[GAP.name]
    assert (gap.lower <= gap.mean).all()
    assert (gap.mean <= gap.upper).all()
    assert ((gap.domain_score >= 0) & (gap.domain_score <= 1)).all()
    wide, _ = load_property_model(tmp_path, level=0.95)
    assert (predict_records(wide, store, np.arange(40)).properties[GAP.name].upper >= gap.upper).all()


def test_domain_scores_of_older_files_stay(tmp_path: Path, store: GraphStore) -> None:
    save(tmp_path, store)
    path = tmp_path / CALIBRATION_FILE
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()[HEADER])
    assert header.pop("near") == NEAR_COMPOSITIONS
    path.write_bytes(to_bytes(load_file(path), metadata={HEADER: json.dumps(header)}))
    domain = load_trust(tmp_path).domain
    assert domain is not None
    assert domain.near == 3


def test_an_ensemble_of_one_is_its_member(tmp_path: Path, store: GraphStore) -> None:
    save(tmp_path, store, seeds=[3])
    model, _ = load_property_model(tmp_path)
    alone = scaled(store, 3).predict(store.batch(np.arange(5)))
    for name, prediction in model.predict(store.batch(np.arange(5))).properties.items():
        np.testing.assert_array_equal(prediction.mean, alone.properties[name].mean)
        np.testing.assert_array_equal(prediction.epistemic, 0)


def test_broken_and_foreign_folders_are_refused(tmp_path: Path, store: GraphStore) -> None:
    with pytest.raises(InputError, match="holds no trained property model"):
        load_property_model(tmp_path)
    save(tmp_path, store)
    with pytest.raises(InputError, match="between 0 and 1"):
        load_property_model(tmp_path, level=1.5)
    described = read_model_file(tmp_path)
    other = replace(described, config=replace(CONFIG, width=32))
    with pytest.raises(InputError, match="does not hold the weights"):
        load_members(tmp_path, other)
    weights = member_file(tmp_path, 1).read_bytes()
    member_file(tmp_path, 1).write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load_property_model(tmp_path)
    member_file(tmp_path, 1).unlink()
    with pytest.raises(InputError, match="not whole"):
        load_property_model(tmp_path)
    member_file(tmp_path, 1).write_bytes(weights)
    (tmp_path / "calibration.safetensors").write_bytes(b"rubbish")
    with pytest.raises(InputError, match="calibration"):
        load_property_model(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    for wrong, message in (
        ([], "does not describe"),
        ({**content, "format": "other"}, "does not describe"),
        ({**content, "schema": 99}, "schema 99"),
        ({**content, "specs": [{}]}, "broken"),
        ({**content, "config": {**content["config"], "colour": 1}}, "colour"),
    ):
        (tmp_path / "model.json").write_text(json.dumps(wrong))
        with pytest.raises(InputError, match=message):
            load_property_model(tmp_path)
