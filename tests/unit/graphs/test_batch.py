"""The dense batch: what padding means, that a batch equals its parts, and what a perturbation does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matwright.graphs.batch import GraphBatch, collate, perturb
from matwright.graphs.builder import Graph, build_graph
from matwright.graphs.envelope import polynomial_envelope
from matwright.graphs.ragged import Labels
from matwright.materials.crystal import Crystal


def crystal(seed: int, n_atoms: int) -> Crystal:
    rng = np.random.default_rng(seed)
    return Crystal(
        lattice=np.diag(rng.uniform(4.0, 7.0, 3)) + rng.normal(0, 0.3, (3, 3)),
        frac_coords=rng.random((n_atoms, 3)),
        numbers=rng.integers(1, 90, n_atoms),
    )


@pytest.fixture(scope="module")
def graphs() -> list[Graph]:
    return [build_graph(crystal(seed, n)) for seed, n in enumerate([3, 1, 7, 2])]


def neighbours_of(batch: GraphBatch, atom: int) -> list[tuple[float, ...]]:
    """The real neighbours of an atom, whatever the order and the padding."""
    own = batch.rows == atom
    kept = batch.envelope[own] > 0
    first = int(torch.searchsorted(batch.crystal, batch.crystal[atom]))
    columns = (
        (batch.neighbours[own] - first)[kept].double(),
        *batch.vectors[own][kept].T.double(),
        batch.distances[own][kept].double(),
        batch.envelope[own][kept].double(),
    )
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_a_batch_equals_its_parts(graphs: list[Graph]) -> None:
    targets = np.array([[1.0, np.nan], [2.0, 3.0], [np.nan, np.nan], [0.0, 5.0]])
    whole = collate(graphs, Labels.of_targets(targets))
    atom = 0
    for index, graph in enumerate(graphs):
        part = collate([graph], Labels.of_targets(targets[index : index + 1]))
        for local in range(len(graph)):
            assert neighbours_of(whole, atom) == neighbours_of(part, local)
            atom += 1
        assert torch.equal(part.targets[0], whole.targets[index])
        assert torch.equal(part.mask[0], whole.mask[index])
        assert torch.equal(part.lattices[0], whole.lattices[index])
    assert torch.equal(whole.counts, torch.tensor([3, 1, 7, 2]))
    assert whole.crystal.tolist() == [0] * 3 + [1] + [2] * 7 + [3] * 2


def test_padding_is_harmless(graphs: list[Graph]) -> None:
    batch = collate(graphs)
    width = batch.neighbours.shape[1]
    counts = torch.from_numpy(np.concatenate([g.counts for g in graphs]))
    ranks = torch.arange(len(batch.rows)) - torch.searchsorted(batch.rows, batch.rows)  # of a row within its atom
    padded = ranks[:, None] * width + torch.arange(width) >= counts[batch.rows][:, None]
    assert padded.any()
    assert int((~padded).sum()) == int(counts.sum())
    own = batch.rows[:, None].expand(-1, width)
    assert torch.equal(batch.neighbours[padded], own[padded])
    assert (batch.envelope[padded] == 0).all()
    assert (batch.distances > batch.radii[batch.rows][:, None])[padded].all()
    assert torch.allclose(batch.distances, batch.vectors.norm(dim=-1))
    assert (batch.envelope[~padded] > 0).all()


def test_an_atom_without_neighbours_has_a_row_of_padding() -> None:
    lone = Crystal(lattice=np.eye(3) * 30.0, frac_coords=np.zeros((1, 3)), numbers=np.array([10]))
    batch = collate([build_graph(lone), build_graph(crystal(0, 2))])
    assert batch.rows[0] == 0
    assert (batch.envelope[0] == 0).all()
    assert torch.equal(batch.rows.unique(), torch.arange(3))


def test_missing_targets_are_masked() -> None:
    batch = collate([build_graph(crystal(0, 2))], Labels.of_targets(np.array([[np.nan, -1.5]])))
    assert batch.mask.tolist() == [[False, True]]
    assert batch.targets.tolist() == [[0.0, -1.5]]


def test_shares_of_disordered_sites_are_kept() -> None:
    mixed = Crystal(
        lattice=np.eye(3) * 4.0,
        frac_coords=np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
        numbers=np.array([55, 17]),
        occupancies=(((55, 0.7), (37, 0.2)), ((17, 1.0),)),
    )
    batch = collate([build_graph(crystal(0, 3)), build_graph(mixed)])
    assert batch.share_atoms.tolist() == [3, 3]
    assert batch.share_numbers.tolist() == [55, 37]
    assert batch.shares.tolist() == pytest.approx([0.7, 0.2])


def test_the_envelope_is_smooth_at_the_radius() -> None:
    distance = torch.tensor([0.0, 3.2, 4.0, 5.0], dtype=torch.float64, requires_grad=True)
    weight = polynomial_envelope(distance, torch.tensor(4.0, dtype=torch.float64))
    u = 0.8
    assert weight.tolist() == pytest.approx([1.0, 1 - 28 * u**6 + 48 * u**7 - 21 * u**8, 0.0, 0.0], abs=1e-12)
    (slope,) = torch.autograd.grad(weight.sum(), distance)
    assert slope[2:].tolist() == [0.0, 0.0]
    assert slope[0].item() == pytest.approx(0.0, abs=1e-12)


def test_a_perturbation_is_that_of_the_moved_crystal(graphs: list[Graph]) -> None:
    """Moved atoms and a strained cell give vectors that still close every loop: i to j and j to i cancel."""
    batch = collate(graphs).to(dtype=torch.float64)
    before = batch.vectors.clone()
    moved = perturb(batch, sigma=0.05, strain=0.01, generator=torch.Generator().manual_seed(1))
    assert torch.equal(batch.vectors, before)
    assert not torch.allclose(moved.vectors, batch.vectors)
    assert torch.allclose(moved.distances, moved.vectors.norm(dim=-1))
    assert torch.equal(moved.envelope > 0, moved.distances < moved.radii[moved.rows][:, None])
    again = perturb(batch, sigma=0.05, strain=0.01, generator=torch.Generator().manual_seed(1))
    assert torch.equal(again.vectors, moved.vectors)


def test_a_strain_alone_deforms_every_vector_of_a_crystal_alike(graphs: list[Graph]) -> None:
    batch = collate(graphs).to(dtype=torch.float64)
    moved = perturb(batch, sigma=0.0, strain=0.02, generator=torch.Generator().manual_seed(1))
    deform = torch.linalg.solve(batch.lattices, moved.lattices)
    assert torch.allclose(deform, deform.transpose(1, 2), atol=1e-6)
    expected = torch.einsum("akx,axy->aky", batch.vectors, deform[batch.crystal[batch.rows]])
    assert torch.allclose(moved.vectors, expected, atol=1e-6)


def test_a_move_alone_keeps_lattice_images_of_an_atom(graphs: list[Graph]) -> None:
    """The vector from an atom to its own image is a lattice vector, which moving atoms does not change."""
    batch = collate(graphs)
    moved = perturb(batch, sigma=0.1, strain=0.0, generator=torch.Generator().manual_seed(1))
    own = batch.neighbours == batch.rows[:, None]
    assert torch.allclose(moved.vectors[own], batch.vectors[own], atol=1e-6)
    assert not torch.allclose(moved.vectors[~own], batch.vectors[~own], atol=1e-3)


def test_dtype_moves_only_floats(graphs: list[Graph]) -> None:
    batch = collate(graphs).to(dtype=torch.float64)
    assert batch.vectors.dtype == batch.envelope.dtype == torch.float64
    assert batch.neighbours.dtype == batch.numbers.dtype == torch.int64
    assert batch.mask.dtype == torch.bool
