"""The matcher's encoders and loss: laws that they obey, and that training brings patterns to their crystals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from matwright import rng
from matwright.errors import InputError
from matwright.graphs.batch import collate
from matwright.graphs.builder import build_graph
from matwright.graphs.store import pack
from matwright.models.contrastive import (
    ContrastiveConfig,
    ContrastiveMatcher,
    focal_contrast,
    graph_side,
    local_similarity,
)
from matwright.models.match_batch import MatchBatch, MatchSource, ideal_patterns, measured_with
from matwright.models.pattern_encoder import LogAxis, PatternEncoderConfig
from matwright.physics.diffraction.axis import AXIS, N_POINTS
from matwright.physics.diffraction.disturbance import Disturbance
from matwright.physics.diffraction.peaks import peaks_on_axis
from matwright.physics.diffraction.reflections import reflections
from small_data import crystals

SMALL = ContrastiveConfig(
    graph=graph_side(width=16, layers=2),
    pattern=PatternEncoderConfig(points=256, channels=(8, 8, 16, 16), blocks=1, summary=8, hidden=32),
    width=24,
)
DISTURBED = Disturbance(noise=0.03, strain=0.005, widths=(0.2, 0.4), mixing=1.0)


@pytest.fixture(scope="module")
def source() -> MatchSource:
    some = crystals(48)
    return MatchSource(pack([build_graph(crystal) for crystal in some]), [peaks_on_axis(reflections(c)) for c in some])


def matcher(config: ContrastiveConfig = SMALL) -> ContrastiveMatcher:
    torch.manual_seed(0)
    return ContrastiveMatcher(config).eval()


def measured(source: MatchSource, indices: np.ndarray, seed: int = 0) -> MatchBatch:
    return measured_with(DISTURBED)(source.batch(indices), rng.torch_generator(seed, "measure"))


def test_states_are_unit_vectors_of_the_stated_shapes(source: MatchSource) -> None:
    model, batch = matcher(), source.batch(np.arange(5))
    graphs, atoms = model.graphs(batch.graphs)
    states, tokens = model.measured(batch.ideal)
    assert graphs.shape == states.shape == (5, 24)
    assert atoms.shape == (len(batch.graphs.numbers), 24)
    assert tokens.shape == (5, SMALL.pattern.n_tokens, 24)
    for vectors in (graphs, atoms, states, tokens):
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(vectors.shape[:-1]))


def test_a_pattern_does_not_depend_on_its_scale_or_its_batch(source: MatchSource) -> None:
    model, batch = matcher(), measured(source, np.arange(6))
    whole, _ = model.measured(batch.measured)
    torch.testing.assert_close(model.measured(1234.0 * batch.measured)[0], whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.measured(batch.measured[2:3])[0], whole[2:3], atol=1e-5, rtol=1e-4)


def test_a_supercell_has_the_same_states(source: MatchSource) -> None:
    crystal = crystals(1)[0]
    double = replace(
        crystal,
        lattice=np.diag([2, 1, 1]) @ crystal.lattice,
        frac_coords=np.concatenate(
            [crystal.frac_coords * [0.5, 1, 1], crystal.frac_coords * [0.5, 1, 1] + [0.5, 0, 0]]
        ),
        numbers=np.tile(crystal.numbers, 2),
    )
    model = matcher()
    one, two = (collate([build_graph(some)]) for some in (crystal, double))
    torch.testing.assert_close(model.graphs(one)[0], model.graphs(two)[0], atol=1e-5, rtol=1e-4)
    patterns = [ideal_patterns([peaks_on_axis(reflections(some))]) for some in (crystal, double)]
    torch.testing.assert_close(patterns[0], patterns[1], atol=1e-3, rtol=0)
    tokens = model.measured(patterns[0])[1]
    first, second = (local_similarity(model.graphs(some)[1], some, tokens, 8.0) for some in (one, two))
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)


def test_the_logarithmic_axis_keeps_areas_and_moves_alike_under_strain() -> None:
    axis = LogAxis(512)
    torch.testing.assert_close(axis(torch.ones(2, N_POINTS)), torch.ones(2, 512), atol=1e-4, rtol=0)

    def moved(two_theta: float, strain: float) -> float:
        angle = np.degrees(2 * np.arcsin(np.sin(np.radians(two_theta) / 2) * (1 - strain)))
        pattern = torch.from_numpy(np.exp(-(((AXIS - angle) / 0.3) ** 2)))
        found = axis(pattern)
        return float((found * torch.arange(512)).sum() / found.sum())

    shifts = [moved(angle, 0.01) - moved(angle, 0.0) for angle in (25.0, 45.0, 65.0)]
    np.testing.assert_allclose(shifts, shifts[0], rtol=0.03)
    assert shifts[0] == pytest.approx(-0.01 * 512 / np.log(np.sin(np.pi / 4) / np.sin(np.pi / 36)), rel=0.05)


def test_focus_zero_is_plain_cross_entropy_and_focus_turns_to_the_hard_pairs() -> None:
    logits = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(6)
    plain = (
        torch.nn.functional.cross_entropy(logits, torch.arange(6))
        + torch.nn.functional.cross_entropy(logits.T, torch.arange(6))
    ) / 2
    torch.testing.assert_close(focal_contrast(logits, 0.0), plain)

    def share_of_hardest(focus: float) -> float:
        given = logits.clone().requires_grad_()
        focal_contrast(given, focus).backward()
        assert given.grad is not None
        strength = given.grad.diagonal().abs()
        return float(strength.max() / strength.sum())

    assert share_of_hardest(2.0) > share_of_hardest(1.0) > share_of_hardest(0.0)


def test_the_local_similarity_is_largest_where_every_atom_finds_its_token(source: MatchSource) -> None:
    batch = source.batch(np.arange(3)).graphs
    atoms = torch.nn.functional.normalize(torch.randn(len(batch.numbers), 8), dim=1)
    count = int(batch.counts.max())
    tokens = torch.stack(
        [atoms[batch.crystal == index][torch.arange(count) % int(batch.counts[index])] for index in range(3)]
    )
    found = local_similarity(atoms, batch, tokens, sharpness=50.0)
    assert found.shape == (3, 3)
    assert (found.argmax(dim=1) == torch.arange(3)).all()
    assert (found.diagonal() > 0.95).all()


def test_augmentation_follows_its_generator_and_leaves_the_batch_alone(source: MatchSource) -> None:
    batch = source.batch(np.arange(4))
    first, again, other = (
        measured_with(DISTURBED)(batch, rng.torch_generator(seed, "measure")).measured for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(batch.measured, batch.ideal)


def test_training_finds_the_crystals_of_unseen_measurements(source: MatchSource) -> None:
    torch.manual_seed(0)
    model = ContrastiveMatcher(SMALL).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    everyone = np.arange(len(source))
    losses: list[Tensor] = []
    for step in range(30):
        loss, terms = model.loss(measured(source, everyone, seed=step))
        assert set(terms) == {"global", "ideal", "local"}
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    assert losses[-1] < 0.5 * losses[0]
    model.eval()
    unseen = measured(source, everyone, seed=1000)
    with torch.no_grad():
        states = model.measured(unseen.measured)[0]
        by_graph = states @ model.graphs(unseen.graphs)[0].T
        by_pattern = states @ model.measured(unseen.ideal)[0].T
    for similarity, least in ((by_graph, 0.5), (by_pattern, 0.7)):
        within = (similarity > similarity.diagonal()[:, None]).sum(dim=1) < 5
        assert within.float().mean() > least


def test_the_local_term_can_be_left_out(source: MatchSource) -> None:
    _, terms = matcher(replace(SMALL, local=0.0)).loss(source.batch(np.arange(4)))
    assert set(terms) == {"global", "ideal"}


def test_the_config_survives_json_and_refuses_what_it_does_not_know() -> None:
    assert ContrastiveConfig.from_dict(SMALL.as_dict()) == SMALL
    with pytest.raises(InputError, match="settings of a matcher"):
        ContrastiveConfig.from_dict({**SMALL.as_dict(), "colour": 1})
    with pytest.raises(InputError, match="multiple of 32"):
        PatternEncoderConfig(points=100)
    with pytest.raises(InputError, match="sharpness above 0"):
        ContrastiveConfig(sharpness=0.0)
