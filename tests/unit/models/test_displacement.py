"""The network of displacements: finite elements agree with it, its symmetry, and that physics alone trains it."""

import numpy as np
import pytest
import torch

from matwright.errors import InputError
from matwright.materials.microstructure import Microstructure
from matwright.models.displacement import DisplacementConfig, DisplacementModel, GridSource, Lesson
from matwright.physics.homogenisation import homogenise, phase_elements, stiffness_bounds
from matwright.training.fit import FitData, fit
from matwright.training.settings import FitSettings
from small_data import ALUMINIUM, RUBBER

PHASES = (ALUMINIUM, RUBBER)


def cells(n: int, size: int = 3, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((n, size, size)) < 0.4).astype(np.int64)


def model(lesson: Lesson = Lesson.ENERGY, width: int = 4) -> DisplacementModel:
    torch.manual_seed(0)
    elements = phase_elements(Microstructure(grid=cells(1)[0], phases=PHASES))
    return DisplacementModel(DisplacementConfig(width=width, lesson=lesson), elements)


def field(solved: np.ndarray) -> torch.Tensor:
    """(1, 2, 3, N_y, N_x) from the (N_y, N_x, 2, 3) of the finite elements."""
    return torch.from_numpy(solved).permute(2, 3, 0, 1)[None]


@pytest.mark.parametrize("seed", range(3))
def test_the_solution_of_the_finite_elements_gives_their_stiffness_and_no_residual(seed: int) -> None:
    grid = cells(1, seed=seed)
    solved = homogenise(Microstructure(grid=grid[0], phases=PHASES))
    network = model().double()
    phases = network.refined(torch.from_numpy(grid))
    found = network.effective_stiffness(phases, field(solved.fluctuation))[0]
    assert np.allclose(found.numpy(), solved.stiffness, rtol=1e-5, atol=1e-6)
    assert float(network.residual(phases, field(solved.fluctuation))) < 1e-5


def test_any_other_field_has_more_energy() -> None:
    grid = cells(1)
    solved = homogenise(Microstructure(grid=grid[0], phases=PHASES))
    network = model().double()
    phases, generator = network.refined(torch.from_numpy(grid)), torch.Generator().manual_seed(0)
    for size in (1e-3, 0.1, 1.0):
        other = field(solved.fluctuation)
        other = other + size * torch.randn(other.shape, generator=generator, dtype=torch.float64)
        more = network.effective_stiffness(phases, other)[0].detach().numpy() - solved.stiffness
        assert np.linalg.eigvalsh(more).min() > 0
        assert float(network.residual(phases, other)) > 1e-3


def test_an_untrained_network_says_uniform_strain() -> None:
    grid = cells(4)
    stiffness, residual = model().predict(grid)
    for found, own in zip(stiffness, grid, strict=True):
        assert np.allclose(found, stiffness_bounds(Microstructure(grid=own, phases=PHASES))[1], rtol=1e-5)
    assert np.allclose(residual, 1.0, atol=1e-5)


def test_the_field_moves_with_the_origin() -> None:
    network = model()
    torch.nn.init.normal_(network.out.weight)
    plain = network.refined(torch.from_numpy(cells(2)))
    moved = plain.roll((4, -8), (1, 2))
    assert torch.allclose(network(plain).roll((4, -8), (3, 4)), network(moved), atol=1e-5)


@pytest.mark.parametrize("lesson", list(Lesson))
def test_every_lesson_brings_the_stiffness_down_to_the_true_one(lesson: Lesson, tmp_path) -> None:
    grids = cells(6)
    true = np.stack([homogenise(Microstructure(grid=grid, phases=PHASES)).stiffness for grid in grids])
    network = model(lesson, width=8)
    before, _ = network.predict(grids)
    source = GridSource(grids, true)
    data = FitData(source=source, train=np.arange(6), validation=np.zeros(0, dtype=np.int64))
    rounds = 60 if lesson is not Lesson.RESIDUAL else 90
    fit(network, data, FitSettings(epochs=rounds, batch_size=6, average=None), folder=tmp_path, seed=0)
    after, _ = network.predict(grids)
    trace = [np.trace(some, axis1=1, axis2=2).mean() for some in (before, after, true)]
    assert trace[2] < trace[1] < trace[0] - 0.3 * (trace[0] - trace[2])


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="multiple of 4"):
        DisplacementConfig(per_pixel=2)
    with pytest.raises(InputError, match="at least 1"):
        DisplacementConfig(width=0)
