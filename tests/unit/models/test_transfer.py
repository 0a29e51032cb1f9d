"""A model that starts from a trained one says the same of what both know, and keeps its own fresh heads."""

from __future__ import annotations

import numpy as np
import torch

from matwright.graphs.batch import collate
from matwright.graphs.builder import build_graph
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.models.gem_ppm import GemPpm
from matwright.models.scaled import ScaledModel, TargetScale
from matwright.models.transfer import start_from
from small_data import ENERGY, GAP, crystals

MODULUS = PropertySpec(name="bulk_modulus", unit="GPa")


def model(specs: tuple[PropertySpec, ...], seed: int, *, gap: HeadKind = HeadKind.DECOUPLED) -> ScaledModel:
    kinds = {GAP.name: gap}
    heads = tuple(HeadConfig(name=spec.name, kind=kinds.get(spec.name, HeadKind.DECOUPLED)) for spec in specs)
    scale = TargetScale(centre=np.arange(len(specs)) + float(seed), scale=np.arange(len(specs)) + seed + 1.0)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ScaledModel(GemPpm(GemPpmConfig(heads=heads, width=16, layers=2)), specs, scale).eval()


def said(one: ScaledModel) -> dict[str, np.ndarray]:
    batch = collate([build_graph(crystal) for crystal in crystals(6)])
    return {name: value.mean for name, value in one.predict(batch).properties.items()}


def test_what_both_know_is_said_alike_whatever_the_order_of_the_heads() -> None:
    trained, new = model((ENERGY, MODULUS, GAP), 1), model((GAP, ENERGY), 2)
    assert not np.allclose(said(new)[GAP.name], said(trained)[GAP.name])
    assert start_from(new, trained) == (GAP.name, ENERGY.name)
    for name in (GAP.name, ENERGY.name):
        np.testing.assert_allclose(said(new)[name], said(trained)[name], rtol=1e-5)


def test_a_new_property_and_a_head_of_another_kind_stay_fresh() -> None:
    trained, new = model((ENERGY, GAP), 1), model((MODULUS, ENERGY, GAP), 2, gap=HeadKind.POINT)
    before = {name: value.clone() for name, value in new.network.heads.state_dict().items()}
    assert start_from(new, trained) == (ENERGY.name,)
    after = new.network.heads.state_dict()
    for name, value in before.items():  # rows: modulus (2), energy (2), gap (1)
        assert torch.equal(after[name][:2], value[:2])
        assert not torch.equal(after[name][2:4], value[2:4])
        assert torch.equal(after[name][4:], value[4:])
    assert new.centre.tolist() == [2.0, 1.0, 4.0]
    assert torch.equal(new.network.readout.hidden.weight, trained.network.readout.hidden.weight)
