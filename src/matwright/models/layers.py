"""The parts of the encoder: element embedding, edge basis, and one round of message passing with edge attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from matwright.elements import ELEMENT_FEATURES
from matwright.graphs.batch import GraphBatch

_ROOT_FLOOR = 1e-4  # under the square root of a squared moment, so that its gradient stays finite at zero


@final
class ElementEmbedding(nn.Module):
    """(n_atoms, width) node attributes X (E5): a map of tabulated element properties plus a learned part.

    A disordered site is the occupancy-weighted mean of its elements; a vacancy adds nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        features = torch.tensor(ELEMENT_FEATURES)
        self.register_buffer("features", features, persistent=False)
        self.features: Tensor
        self.learned = nn.Embedding(len(features), width)
        self.tabulated = nn.Linear(features.shape[1], width)
        with torch.no_grad():
            self.learned.weight.mul_(0.3)  # an element seen rarely stays close to what its properties say

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return the embedding of every site of the batch."""
        table: Tensor = self.learned.weight + self.tabulated(self.features)  # (119, width)
        nodes = table.index_select(0, batch.numbers)
        if len(batch.shares) == 0:
            return nodes
        parts = table.index_select(0, batch.share_numbers) * batch.shares[:, None]
        ordered = torch.ones_like(nodes[:, :1]).index_fill(0, batch.share_atoms, 0.0)
        return (nodes * ordered).index_add(0, batch.share_atoms, parts)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """What every layer needs of the edges; a slot is one place in the padded layout (n_rows × row width).

    Attributes:
        neighbours: (n_slots,) atom at the other end.
        atoms: (n_slots,) atom whose neighbour it is.
        radial: (n_slots, radial_functions) Gaussians of the distance.
        envelope: (n_slots, 1) smooth weight, 0 for padding.
        moments: (n_rows, n_moments, row width) real solid harmonics of the direction, of orders 0..angular_order.
    """

    neighbours: Tensor
    atoms: Tensor
    radial: Tensor
    envelope: Tensor
    moments: Tensor


@final
class EdgeBasis(nn.Module):
    """Distances and directions as smooth, invariant-ready features."""

    def __init__(self, cutoff: float, radial_functions: int, angular_order: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.5, cutoff, radial_functions), persistent=False)
        self.centres: Tensor
        self.sharpness = radial_functions / cutoff
        self.angular_order = angular_order

    def forward(self, batch: GraphBatch) -> Edges:
        """Return the edge features that all layers share."""
        n_rows, row_width = batch.neighbours.shape
        distances = batch.distances.reshape(-1, 1)
        offsets = ((distances - self.centres) * self.sharpness).clamp(-6.0, 6.0)  # exp(-18) never underflows
        directions = batch.vectors.reshape(-1, 3) / distances
        moments = _solid_harmonics(directions, self.angular_order)
        return Edges(
            neighbours=batch.neighbours.reshape(-1),
            atoms=batch.rows.repeat_interleave(row_width),
            radial=torch.exp(-0.5 * offsets * offsets),
            envelope=batch.envelope.reshape(-1, 1),
            moments=moments.view(n_rows, row_width, -1).transpose(1, 2),
        )


def _solid_harmonics(directions: Tensor, order: int) -> Tensor:
    """(n, (order + 1)²) real harmonics of unit vectors, each order normalised so that its squares sum to 2l + 1."""
    columns = [torch.ones_like(directions[:, :1])]
    if order >= 1:
        columns.append(3**0.5 * directions)
    if order >= 2:
        x, y, z = directions.unbind(1)
        quadratic = torch.stack([x * y, y * z, x * z, (x * x - y * y) / 2, (3 * z * z - 1) / 12**0.5], dim=1)
        columns.append(15**0.5 * quadratic)
    return torch.cat(columns, dim=1)


@final
class BondEmbedding(nn.Module):
    """Adds to the radial features of a bonded edge what its order says; other edges stay as they are."""

    def __init__(self, radial: int) -> None:
        super().__init__()
        self.order = nn.Linear(2, radial)

    def forward(self, edges: Edges, batch: GraphBatch) -> Edges:
        """Return the edges with their bond orders in `radial`."""
        if len(batch.bond_slots) == 0:
            return edges
        orders = torch.stack([batch.bond_orders - 1.0, torch.ones_like(batch.bond_orders)], dim=1)
        return replace(edges, radial=edges.radial.index_add(0, batch.bond_slots, self.order(orders)))


@final
class AttentionLayer(nn.Module):
    """One round of message passing with edge attention (E10).

    | symbol | variable |
    | --- | --- |
    | h_v | `nodes` (n_atoms, width) |
    | e_uv | `edges.radial`, `edges.moments` |
    | α_uv | `gates` (n_slots, 1): a sigmoid of both states and the distance, times the envelope |
    | φ(h_u, e_uv) | `messages` (n_slots, width): sender state times a radial filter |

    The messages are summed with gate times the direction's harmonics as weights: order 0 is the sum of E10, orders
    above it are vectors and quadrupoles of the neighbourhood, which enter by their norms: these do not change under
    rotation. One gate an edge is as accurate as eight and a fifth faster.
    """

    def __init__(self, width: int, radial: int, angular_order: int, dropout: float) -> None:
        super().__init__()
        self.angular_order = angular_order
        self.sender = nn.Linear(width, width, bias=False)
        self.filter = nn.Linear(radial, width)
        self.gate_sender = nn.Linear(width, 1, bias=False)
        self.gate_receiver = nn.Linear(width, 1)
        self.gate_edge = nn.Linear(radial, 1, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.update = nn.Linear(width, width)
        self.shape = nn.Linear(width * (1 + angular_order), width) if angular_order else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, nodes: Tensor, edges: Edges, rows: Tensor) -> Tensor:
        """Return the next (n_atoms, width) node states; `rows` (n_rows,) is the atom of each row of slots."""
        gates = self.gates(nodes, edges)
        messages = self.sender(nodes).index_select(0, edges.neighbours) * self.filter(edges.radial)
        moments = _gathered(edges.moments, gates, messages, rows, len(nodes))
        change: Tensor = self.dropout(self.update(functional.silu(self.norm(moments[:, 0]))))
        nodes = nodes + change
        if self.shape is None:
            return nodes
        norms = [_norm(moments[:, order**2 : (order + 1) ** 2]) for order in range(1, self.angular_order + 1)]
        change = self.dropout(self.shape(torch.cat([nodes, *norms], dim=1)))
        return nodes + change

    def gates(self, nodes: Tensor, edges: Edges) -> Tensor:
        """Return (n_slots, 1) edge attention α in (0, 1) times the envelope."""
        sender = self.gate_sender(nodes).index_select(0, edges.neighbours)
        receiver = self.gate_receiver(nodes).index_select(0, edges.atoms)
        return torch.sigmoid(sender + receiver + self.gate_edge(edges.radial)) * edges.envelope


def _gathered(harmonics: Tensor, gates: Tensor, messages: Tensor, rows: Tensor, n_atoms: int) -> Tensor:
    """(n_atoms, n_moments, width): sums over the neighbours, weighted by gate and harmonics of the direction."""
    n_rows, n_moments, row_width = harmonics.shape
    of_rows = torch.bmm(harmonics * gates.view(n_rows, 1, row_width), messages.view(n_rows, row_width, -1))
    flat = of_rows.view(n_rows, -1)
    return flat.new_zeros(n_atoms, flat.shape[1]).index_add(0, rows, flat).view(n_atoms, n_moments, -1)


def _norm(vectors: Tensor) -> Tensor:
    """(n_atoms, width) from (n_atoms, 2l + 1, width)."""
    return torch.sqrt(vectors.square().sum(dim=1) + _ROOT_FLOOR)
