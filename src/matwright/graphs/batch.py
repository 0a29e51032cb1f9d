"""What a model sees: several graphs as dense padded tensors, every field with its shape and unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import final

import numpy as np
import torch

from matwright.graphs.builder import Graph
from matwright.graphs.envelope import polynomial_envelope
from matwright.graphs.ragged import ROW_WIDTH, Labels, RaggedGraphs, lay_end_to_end, starts_of


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GraphBatch:
    """Crystals one after the other, the neighbours of each atom in as many rows of `ROW_WIDTH` slots as it needs.

    Complete shells make the numbers of neighbours uneven (mean 16, largest 52 over real crystals): rows as wide as the
    largest would be two thirds padding, short rows waste under a tenth and still turn message passing into dense
    products and sums. A padded slot points at its own atom, lies outside the radius and has envelope exactly 0, so that
    a sum weighted by the envelope does not see it.

    Attributes:
        numbers: (n_atoms,) int64, atomic number (of the majority element where a site is disordered).
        weights: (n_atoms,) float, 1 for an atom, the atomic fraction for an element of a composition.
        rows: (n_rows,) int64, the atom each row of slots belongs to, ascending; every atom has at least one.
        neighbours: (n_rows, ROW_WIDTH) int64, index of the neighbour atom in this batch.
        vectors: (n_rows, ROW_WIDTH, 3) float, Å, from the atom to the periodic image of its neighbour.
        distances: (n_rows, ROW_WIDTH) float, Å, length of `vectors`.
        envelope: (n_rows, ROW_WIDTH) float in [0, 1], smooth weight of the neighbour, 0 at distance r_i, times the
            neighbour's own weight.
        radii: (n_atoms,) float, Å, r_i.
        crystal: (n_atoms,) int64, which crystal of the batch the atom belongs to, ascending.
        counts: (n_crystals,) int64, number of atoms of each crystal.
        lattices: (n_crystals, 3, 3) float, Å, rows are the cell vectors.
        share_atoms: (n_shares,) int64, atom of each share of a disordered site; empty when all sites are ordered.
        share_numbers: (n_shares,) int64, element of each share.
        shares: (n_shares,) float, occupancy in (0, 1].
        bond_slots: (n_bonds,) int64, slots (row · ROW_WIDTH + column) that are bonds of stated order.
        bond_orders: (n_bonds,) float.
        targets: (n_crystals, n_targets) float, in the unit of each target; 0 where missing.
        mask: (n_crystals, n_targets) bool, True where the target is known.
        censored: (n_crystals, n_targets) int8, -1 where the true value lies below the target, +1 above, 0 exact.
        conditions: (n_crystals, n_conditions) float, numbers in their units and codes of categories; NaN missing.
        steps: (n_steps, STEP_FIELDS) float, processing steps; NaN where missing.
        step_crystal: (n_steps,) int64, which structure of the batch the step belongs to, ascending.
    """

    numbers: torch.Tensor
    weights: torch.Tensor
    rows: torch.Tensor
    neighbours: torch.Tensor
    vectors: torch.Tensor
    distances: torch.Tensor
    envelope: torch.Tensor
    radii: torch.Tensor
    crystal: torch.Tensor
    counts: torch.Tensor
    lattices: torch.Tensor
    share_atoms: torch.Tensor
    share_numbers: torch.Tensor
    shares: torch.Tensor
    bond_slots: torch.Tensor
    bond_orders: torch.Tensor
    targets: torch.Tensor
    mask: torch.Tensor
    censored: torch.Tensor
    conditions: torch.Tensor
    steps: torch.Tensor
    step_crystal: torch.Tensor

    @property
    def n_crystals(self) -> int:
        """Number of crystals."""
        return len(self.counts)

    def __len__(self) -> int:
        return len(self.counts)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> GraphBatch:
        """The same batch on another device, its floating point fields in `dtype`."""
        moved = {}
        for field in fields(self):
            tensor: torch.Tensor = getattr(self, field.name)
            moved[field.name] = tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)
        return GraphBatch(**moved)

    def pin_memory(self) -> GraphBatch:
        """The same batch in page-locked memory, from which a copy to a GPU need not wait."""
        return GraphBatch(**{field.name: getattr(self, field.name).pin_memory() for field in fields(self)})


def collate(graphs: Sequence[Graph], labels: Labels | None = None) -> GraphBatch:
    """The batch of some graphs in their order, with their targets and conditions."""
    return assemble(lay_end_to_end(graphs, labels))


def assemble(ragged: RaggedGraphs) -> GraphBatch:
    """The dense batch of the graphs in `ragged`."""
    first_atoms = starts_of(ragged.atom_counts)
    crystal = np.repeat(np.arange(len(ragged.atom_counts)), ragged.atom_counts)
    rows = np.repeat(np.arange(len(ragged.atoms)), ragged.atoms["rows"])
    first_atom_of_row = np.repeat(first_atoms, ragged.row_totals)
    radii = torch.from_numpy(np.ascontiguousarray(ragged.atoms["radius"]))
    vectors = torch.from_numpy(np.ascontiguousarray(ragged.rows["vectors"]))
    distances = _lengths(vectors)
    row_index = torch.from_numpy(rows)
    labels, first_rows = ragged.labels, starts_of(ragged.row_totals)
    targets = torch.from_numpy(labels.targets.astype(np.float32))
    mask = ~targets.isnan()
    weights = torch.from_numpy(np.ascontiguousarray(ragged.atoms["weight"]))
    neighbours = torch.from_numpy(ragged.rows["neighbours"] + first_atom_of_row[:, None])
    return GraphBatch(
        numbers=torch.from_numpy(ragged.atoms["number"].astype(np.int64)),
        weights=weights,
        rows=row_index,
        neighbours=neighbours,
        vectors=vectors,
        distances=distances,
        envelope=_envelope(distances, radii, row_index, neighbours, weights),
        radii=radii,
        crystal=torch.from_numpy(crystal),
        counts=torch.from_numpy(ragged.atom_counts),
        lattices=torch.from_numpy(ragged.lattices.astype(np.float32)),
        share_atoms=torch.from_numpy(np.repeat(first_atoms, ragged.share_counts) + ragged.shares["site"]),
        share_numbers=torch.from_numpy(ragged.shares["number"].astype(np.int64)),
        shares=torch.from_numpy(np.ascontiguousarray(ragged.shares["share"])),
        bond_slots=torch.from_numpy(np.repeat(first_rows * ROW_WIDTH, ragged.bond_counts) + ragged.bonds["slot"]),
        bond_orders=torch.from_numpy(np.ascontiguousarray(ragged.bonds["order"])),
        targets=torch.where(mask, targets, 0.0),
        mask=mask,
        censored=torch.from_numpy(np.ascontiguousarray(labels.censored)),
        conditions=torch.from_numpy(labels.conditions.astype(np.float32)),
        steps=torch.from_numpy(np.ascontiguousarray(labels.steps)),
        step_crystal=torch.from_numpy(np.repeat(np.arange(len(labels.step_counts)), labels.step_counts)),
    )


def _envelope(
    distances: torch.Tensor, radii: torch.Tensor, rows: torch.Tensor, neighbours: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """The smooth weight of each neighbour times the neighbour's own; a batch of atoms alone skips the product."""
    envelope = polynomial_envelope(distances, radii.index_select(0, rows)[:, None])
    if bool((weights == 1.0).all()):
        return envelope
    return envelope * weights.index_select(0, neighbours.reshape(-1)).view(envelope.shape)


def perturb(batch: GraphBatch, sigma: float, strain: float, generator: torch.Generator | None = None) -> GraphBatch:
    """The batch with its atoms moved at random and its cells strained: augmentation.

    v' = (v + delta_j - delta_i)(I + eps): delta ~ N(0, sigma^2) for each atom and coordinate, eps symmetric with
    independent N(0, strain^2) components for each crystal. The list of neighbours and r_i stay, distances and
    envelope follow; good for moves that are small against r_i.

    Args:
        batch: left as it is.
        sigma: Å, >= 0.
        strain: dimensionless, >= 0.
        generator: source of randomness, on the device of the batch.
    """
    vectors = batch.vectors
    if sigma > 0.0:
        moves = sigma * _normal((len(batch.numbers), 3), vectors, generator)
        arrivals = moves.index_select(0, batch.neighbours.reshape(-1)).view(vectors.shape)
        vectors = vectors + arrivals - moves.index_select(0, batch.rows)[:, None, :]
    lattices = batch.lattices
    if strain > 0.0:
        drawn = strain * _normal((batch.n_crystals, 3, 3), vectors, generator)
        deform = torch.triu(drawn) + torch.triu(drawn, 1).transpose(1, 2)
        deform = deform + torch.eye(3, device=vectors.device, dtype=vectors.dtype)
        vectors = torch.bmm(vectors, deform.index_select(0, batch.crystal.index_select(0, batch.rows)))
        lattices = torch.bmm(lattices, deform)
    if not bool((batch.weights == 1.0).all()):  # the elements of a composition have no place that could move
        placed = (batch.weights == 1.0).index_select(0, batch.rows)[:, None, None]
        vectors = torch.where(placed, vectors, batch.vectors)
    distances = _lengths(vectors)
    envelope = _envelope(distances, batch.radii, batch.rows, batch.neighbours, batch.weights)
    return replace(batch, vectors=vectors, lattices=lattices, distances=distances, envelope=envelope)


def _normal(shape: tuple[int, ...], like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Standard normal numbers of the device and dtype of `like`."""
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)


def _lengths(vectors: torch.Tensor) -> torch.Tensor:
    """Å; written out because a reduction over an axis of three is slow."""
    x, y, z = vectors.unbind(-1)
    return (x * x + y * y + z * z).sqrt()
