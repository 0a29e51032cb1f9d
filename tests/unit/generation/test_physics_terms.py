"""The physics regularisers of the loss (E24): right by hand, differentiable, and lowered by training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from matwright.generation.corpus import Corpus
from matwright.generation.fit import fit_autoencoder
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_loss import FitParts, step_loss
from matwright.generation.fit_report import EpochReport, evaluate
from matwright.generation.foreseen import CoordinateStep, Foreseen
from matwright.generation.physics_terms import CROWDED, DENSE, PhysicsTerms
from matwright.generation.wyckoff import Orbit, SymmetrySequence
from matwright.generation.wyckoff.decode import decode
from matwright.materials.interop import to_pymatgen

from .conftest import small_corpus, small_model

CONFIG = FitConfig(epochs=8, batch_size=32, learning_rate=1e-2, averaging=0.9, free_nats=0.3, physics_rows=32)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return small_corpus()


def _rutile(x: float) -> SymmetrySequence:
    orbits = (Orbit(number=12, letter="a", free=()), Orbit(number=9, letter="f", free=(x,)))
    return SymmetrySequence(space_group=136, orbits=orbits, lattice=(4.6, 3.05))


def _sharp(value: float, n: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A density with all its mass at one value."""
    return torch.zeros(n, 1), torch.full((n, 1), value), torch.zeros(n, 1)


@pytest.mark.parametrize("x", [0.305, 0.25, 0.1, 0.02, 0.45])
def test_distance_is_that_of_the_crystal_that_would_be_written(corpus: Corpus, x: float) -> None:
    """The overlap of the fluorine orbit, drawn at x, equals the one that pymatgen's distances give."""
    batch = corpus.packer.pack([_rutile(0.3)])  # the true crystal; the decoder foresees x
    step = CoordinateStep(rows=torch.tensor([0]), orbits=torch.tensor([1]), axis=0, density=_sharp(x))
    foreseen = Foreseen(
        counts=torch.zeros(1, 6, 24), shape=(torch.zeros(1, 1), torch.zeros(1, 1, 6), torch.zeros(1, 1, 6))
    )
    foreseen.coordinates.append(step)
    found = PhysicsTerms(corpus.packer)(batch, foreseen, torch.tensor([0]))["distance"]
    structure = to_pymatgen(decode(_rutile(x)))
    radii = {12: 1.41, 9: 0.57}
    fluorine = next(i for i, site in enumerate(structure) if site.specie.Z == 9)
    near = structure.get_neighbors(structure[fluorine], 6.0)
    ratio = min(n.nn_distance / (radii[9] + radii[n.specie.Z]) for n in near if n.nn_distance > 1e-8)
    assert float(found) == pytest.approx(max(0.0, CROWDED - ratio) ** 2, abs=2e-3)


def test_density_counts_cells_beyond_the_spread_of_the_data(corpus: Corpus) -> None:
    batch = corpus.packer.pack([_rutile(0.3)])
    for volume in (0.0, DENSE - 0.1, DENSE + 0.5, -DENSE - 2.0):
        mean = torch.zeros(1, 1, 6)
        mean[0, 0, 0] = volume
        foreseen = Foreseen(counts=torch.zeros(1, 6, 24), shape=(torch.zeros(1, 1), mean, torch.zeros(1, 1, 6)))
        found = PhysicsTerms(corpus.packer)(batch, foreseen, torch.tensor([0]))["density"]
        assert float(found) == pytest.approx(max(0.0, abs(volume) - DENSE) ** 2, abs=1e-5)


def test_charge_is_the_share_of_counts_that_leave_a_charge(corpus: Corpus) -> None:
    """MgF₂ is neutral with two fluorines only; of rock-salt formulas without a neutral choice nothing is asked."""
    batch = corpus.packer.pack([_rutile(0.3)])
    counts = torch.full((1, 6, 24), -1e9)
    counts[0, 1, 1], counts[0, 1, 2] = np.log(0.7), np.log(0.3)  # two or three fluorines
    shape = (torch.zeros(1, 1), torch.zeros(1, 1, 6), torch.zeros(1, 1, 6))
    terms = PhysicsTerms(corpus.packer)
    assert float(terms(batch, Foreseen(counts=counts, shape=shape), torch.tensor([0]))["charge"]) == pytest.approx(0.3)
    odd = replace(batch, counts=torch.tensor([[1, 3, 0, 0, 0, 0]]))  # MgF₃ in the data: charge is no rule here
    assert float(terms(odd, Foreseen(counts=counts, shape=shape), torch.tensor([0]))["charge"]) == 0.0


def test_every_term_sends_a_finite_gradient_to_decoder_and_encoder(corpus: Corpus) -> None:
    model, data, physics = small_model(corpus), corpus.train, PhysicsTerms(corpus.packer)
    foreseen = Foreseen()
    model.terms(data.batch, data.masks, torch.randn(len(data), 4), foreseen=foreseen)
    found = physics(data.batch, foreseen, torch.arange(len(data)))
    assert set(found) == {"distance", "density", "charge"}
    for name in ("distance", "charge"):  # an untrained cell lies within the spread
        model.zero_grad(set_to_none=True)
        found[name].backward(retain_graph=True)
        assert float(found[name].detach()) > 0
        for part in (model.decoder, model.encoder):
            gradients = [p.grad for p in part.parameters() if p.grad is not None]
            assert all(g.isfinite().all() for g in gradients)
            assert any(float(g.abs().sum()) > 0 for g in gradients)


def test_the_terms_of_a_batch_are_the_mean_of_their_parts(corpus: Corpus) -> None:
    model, data, physics = small_model(corpus).eval(), corpus.train, PhysicsTerms(corpus.packer)
    foreseen = Foreseen()
    with torch.no_grad():
        model.terms(data.batch, data.masks, torch.zeros(len(data), 4), foreseen=foreseen)
        for density in [foreseen.shape, *(step.density for step in foreseen.coordinates)]:
            assert density is not None
            density[2].zero_()  # no noise
        whole = physics(data.batch, foreseen, torch.arange(40))
        parts = [physics(data.batch, foreseen, torch.arange(i, i + 10)) for i in range(0, 40, 10)]
    for name, value in whole.items():
        torch.testing.assert_close(value, torch.stack([part[name] for part in parts]).mean(), atol=1e-5, rtol=1e-4)


def test_weighted_terms_take_part_in_the_loss_and_are_reported(corpus: Corpus) -> None:
    model, parts = small_model(corpus).eval(), FitParts(physics=PhysicsTerms(corpus.packer))
    losses = []
    for weight in (0.0, 1.0, 3.0):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            config = replace(CONFIG, distance_weight=weight, physics_rows=1000, charge_weight=weight)
            losses.append(float(step_loss(model, corpus.train, config, 1.0, parts).detach()))
    assert losses[1] > losses[0]
    assert losses[2] - losses[0] == pytest.approx(3 * (losses[1] - losses[0]), rel=1e-3)
    report = evaluate(model, corpus.valid, physics=parts.physics)
    assert report.physics["charge"] > 0
    assert evaluate(model, corpus.valid).physics == {}


@pytest.mark.slow
def test_the_charge_term_makes_neutral_counts_likelier(corpus: Corpus) -> None:
    left = {}
    for weight in (0.0, 20.0):
        reports = list[EpochReport]()
        config = replace(CONFIG, charge_weight=weight)
        parts = FitParts(physics=PhysicsTerms(corpus.packer))
        fit_autoencoder(small_model(corpus), corpus.train, corpus.valid, config, on_epoch=reports.append, parts=parts)
        left[weight] = reports[-1].physics["charge"]
    assert left[20.0] < 0.8 * left[0.0]
