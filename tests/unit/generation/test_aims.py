"""Sampling around a material, between two, and where targets are met: laws of the latent sources, refusals, search."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.generation.aims import Around, Between, base_of
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.latent import LatentGenerator
from matwright.generation.latent_predictor import LatentPredictor, PredictorConfig, target_loss
from matwright.generation.rl.reward import Scale
from matwright.generation.wyckoff.decode import decode
from matwright.materials.crystal import Crystal
from matwright.materials.ordering import order
from matwright.materials.target import parse_target

from .conftest import known_structures


def _salt(**changes: object) -> Crystal:
    values: dict[str, object] = {
        "lattice": (1 - np.eye(3)) * 2.83, "frac_coords": np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]),
        "numbers": np.array([11, 17]),
    }  # fmt: skip
    return Crystal(**{**values, **changes})  # type: ignore[arg-type]  # as each test says


def test_no_spread_is_the_material_and_full_spread_the_prior(trained: TrainedGenerator) -> None:
    centre = base_of(trained, _salt())
    stream = torch.Generator().manual_seed(0)
    exact = Around(crystal=_salt(), spread=0.0).latents(trained)(5, stream)
    assert torch.equal(exact, centre.expand(5, -1))
    wide = Around(crystal=_salt(), spread=1.0).latents(trained)(4000, stream)
    assert abs(float(wide.mean())) < 0.05
    assert abs(float(wide.std()) - 1) < 0.05


@given(seed=st.integers(0, 100))
def test_between_lies_between(trained: TrainedGenerator, seed: int) -> None:
    first, second = (decode(known_structures()[i]) for i in (0, -1))
    ends = torch.stack([base_of(trained, first), base_of(trained, second)])
    drawn = Between(first=first, second=second, spread=0.0).latents(trained)(20, torch.Generator().manual_seed(seed))
    lengths = drawn.norm(dim=1)
    assert (lengths >= ends.norm(dim=1).min() - 1e-4).all()
    assert (lengths <= ends.norm(dim=1).max() + 1e-4).all()
    weights = torch.linalg.lstsq(ends.T, drawn.T).solution  # every latent is a mix of the two, with no negative share
    torch.testing.assert_close(ends.T @ weights, drawn.T, atol=1e-3, rtol=1e-3)
    assert (weights > -1e-3).all()


def test_the_same_seed_gives_the_same_crystals_and_an_aim_others(trained: TrainedGenerator) -> None:
    generator, aim = LatentGenerator(trained), Around(crystal=_salt(), spread=0.2)
    first, again = (generator.sample_sequences(10, seed=3, aim=aim) for _ in range(2))
    assert [s.sequence for s in first] == [s.sequence for s in again]
    assert [s.sequence for s in first] != [s.sequence for s in generator.sample_sequences(10, seed=3)]


def test_materials_that_cannot_be_read_are_refused_with_the_reason(trained: TrainedGenerator) -> None:
    disordered = _salt(occupancies=(((11, 0.5), (19, 0.5)), ((17, 1.0),)))
    with pytest.raises(InputError, match="disordered"):
        base_of(trained, disordered)
    ordered = order(disordered)
    assert ordered.is_ordered
    assert sorted(ordered.numbers.tolist()) == [11, 17, 17, 19]
    with pytest.raises(InputError, match="not periodic"):
        base_of(trained, _salt(pbc=(True, True, False)))
    with pytest.raises(InputError, match="has not learned the element Au"):
        base_of(trained, _salt(numbers=np.array([79, 17])))
    with pytest.raises(InputError, match="spread lies in 0..1"):
        Around(crystal=_salt(), spread=1.5)


def test_ordering_refuses_occupancies_that_make_no_whole_atoms() -> None:
    odd = _salt(occupancies=(((11, 0.83), (19, 0.17)), ((17, 1.0),)))
    with pytest.raises(InputError, match="whole atoms"):
        order(odd)


def test_the_predictor_on_latents_learns_a_direction_and_its_gradient_points_there() -> None:
    stream = torch.Generator().manual_seed(0)
    base = torch.randn(600, 8, generator=stream)
    values = torch.stack([100 + 40 * base[:, 2], base[:, 5]], dim=1)
    predictor = LatentPredictor(base, values, PredictorConfig(members=2, steps=150), stream)
    fresh = torch.randn(200, 8, generator=stream)
    mean, spread = predictor(fresh)
    assert float((mean[:, 0] - (100 + 40 * fresh[:, 2])).abs().mean()) < 10
    assert (spread >= 0).all()
    targets = [parse_target("bulk_modulus>=200 GPa"), parse_target("minimise e_above_hull")]
    scales = [Scale.of(values[:, i].double().numpy()) for i in (0, 1)]
    point = fresh.clone().requires_grad_()
    target_loss(predictor(point)[0], targets, scales).sum().backward()
    assert point.grad is not None
    direction = -point.grad.mean(0)
    assert int(direction.abs().argmax()) in (2, 5)
    assert direction[2] > 0
    assert direction[5] < 0
