"""The elastic tensor of a crystal from its graph: positive definite and of the crystal's symmetry by construction.

A symmetric (6, 6) matrix L in Mandel notation is built linearly from the directions n of all edges, and the stiffness
is its square, C = C₀ (L² + δ):

    L = a P + b D + Σ_e w_e [ c₁ (H₂ tᵀ + t H₂ᵀ) + c₂ T(H₂) + c₃ H₄ ]

| symbol | variable |
| --- | --- |
| P, D | `volume`, `shape`: projectors on the change of volume and of shape; a, b from the state of the crystal |
| H₂, H₄ | harmonic (traceless, totally symmetric) tensors of second and fourth degree of the direction |
| t | `trace`, the direction (1, 1, 1, 0, 0, 0) |
| T(A) | `anticommutator`: the map of strains X → (AX + XA) / 2 |
| w_e | the envelope of the edge, divided by k and averaged over the atoms |
| c₁, c₂, c₃ | `coefficients`: numbers without bounds from both node states and the distance |

The five parts span every elastic tensor (two of degree 0, two of degree 2, one of degree 4). An operation of space acts
on Mandel vectors as an orthogonal matrix R, and (R L Rᵀ)² = R L² Rᵀ: C turns with the crystal. Neighbour shells are
complete, so that an operation of the point group only permutes the edges: L, and with it C, obeys Neumann's principle.
A square is positive whatever the network says, so that every crystal is Born stable, and every tensor whose least
eigenvalue is above C₀ δ is the square of some L. Directions, sums and squares are in float64: the rounding of the
coefficients alone breaks the symmetry, at 1e-7 or so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from matwright.graphs.batch import GraphBatch
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.models.layers import EdgeBasis
from matwright.physics.elasticity import COMPONENT_NAMES, ELASTIC_UNITS, MANDEL_WEIGHTS, PAIRS, UPPER

UNIT = 100.0
"""GPa, C₀."""

FLOOR = 0.005
"""δ: no eigenvalue of a predicted stiffness is below 0.5 GPa."""

SCALES = {
    **dict.fromkeys(ELASTIC_UNITS, 50.0),
    "young_modulus": 100.0,
    "poisson_ratio": 0.05,
    "universal_anisotropy": 1.0,
}
"""By what each property is divided where targets are standardised, in its unit; one for all components, which keeps
the norm of an error that of the tensor."""

_LEARNED = frozenset({"bulk_modulus", "shear_modulus", "bulk_modulus_voigt", "shear_modulus_voigt"})
_START = (1.9, 1.05)  # a and b of the untrained model: bulk modulus 120 GPa, shear modulus 55 GPa
_WIDEST = 10.0  # scales: errors beyond it do not widen the predicted spread
_SPREAD_WEIGHT = 0.1
_LOG_SPREAD_RANGE = (-6.0, 3.0)


@final
class ElasticTensor(nn.Module):
    """(n_crystals, 6, 6) float64 stiffnesses in Mandel notation, GPa, in the frame of each crystal."""

    def __init__(self, config: GemPpmConfig, state_width: int, hidden: int = 32) -> None:
        super().__init__()
        self.basis = EdgeBasis(config.graph.cutoff, config.radial_functions, angular_order=0)
        self.sender = nn.Linear(config.width, hidden, bias=False)
        self.receiver = nn.Linear(config.width, hidden)
        self.distance = nn.Linear(config.radial_functions, hidden, bias=False)
        self.coefficients = nn.Linear(hidden, 3, bias=False)
        self.isotropic = nn.Linear(state_width, 2)
        self.neighbours = config.graph.k
        with torch.no_grad():
            self.isotropic.bias.copy_(torch.tensor(_START))
            self.isotropic.weight.mul_(0.5)

    def forward(self, nodes: Tensor, state: Tensor, batch: GraphBatch) -> Tensor:
        """Return the stiffnesses from (n_atoms, width) node states and (n_crystals, state_width) crystal states."""
        fixed = _fixed_tensors(state.device)
        parts = self.isotropic(state).double()[:, :, None, None]
        isotropic: Tensor = parts[:, 0] * fixed.volume + parts[:, 1] * fixed.shape
        root = isotropic + self._anisotropic(nodes, batch)
        return UNIT * (root @ root + FLOOR * (fixed.volume + fixed.shape))

    def _anisotropic(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """(n_crystals, 6, 6) the sum over the edges."""
        rows, width = batch.neighbours.shape
        weights = self._weights(nodes, batch).view(rows, width, 3)
        strain = _mandel_vectors(batch.vectors)  # (n_rows, width, 6)
        columns = torch.cat([strain, torch.ones_like(strain[:, :, :1])], dim=2)
        second = weights.transpose(1, 2) @ columns  # moments of degree 2 and 0: (n_rows, 3, 7)
        fourth = (weights[:, :, 2:] * strain).transpose(1, 2) @ strain  # (n_rows, 6, 6)
        of_rows = torch.cat([second.flatten(1), fourth.flatten(1)], dim=1)
        sums = of_rows.new_zeros(batch.n_crystals, 57)
        sums = sums.index_add(0, batch.crystal.index_select(0, batch.rows), of_rows)
        size = sums.new_zeros(batch.n_crystals).index_add(0, batch.crystal, batch.weights.double())
        sums = sums / (self.neighbours * size[:, None])
        return assembled(sums[:, :21].view(-1, 3, 7), sums[:, 21:].view(-1, 6, 6))

    def _weights(self, nodes: Tensor, batch: GraphBatch) -> Tensor:
        """(n_slots, 3) float64 w c of every edge; an element of a composition counts by its fraction."""
        edges = self.basis(batch)
        sender = self.sender(nodes).index_select(0, edges.neighbours)
        receiver = self.receiver(nodes).index_select(0, edges.atoms)
        numbers = self.coefficients(functional.silu(sender + receiver + self.distance(edges.radial)))
        own = batch.weights.index_select(0, edges.atoms)[:, None]
        result: Tensor = numbers.double() * (edges.envelope * own).double()
        return result


@final
class ElasticOutputs(nn.Module):
    """Puts what follows from the tensor into the outputs of the elastic heads, and knows their loss.

    Attributes:
        n_free: heads without a loss of their own: the components count as one, what is derived from K and G as none.
    """

    def __init__(self, heads: Sequence[HeadConfig]) -> None:
        super().__init__()
        known = tuple(ELASTIC_UNITS)
        first = [sum(head.n_outputs for head in heads[:place]) for place in range(len(heads))]
        chosen = [place for place, head in enumerate(heads) if head.kind is HeadKind.ELASTIC]
        names = [heads[place].name for place in chosen]
        multiplicity = [_multiplicity(name) for name in names]
        self.n_free = sum(name not in _LEARNED for name in names) - any(name in COMPONENT_NAMES for name in names)
        for name, values in (
            ("columns", chosen),
            ("outputs", [first[place] for place in chosen]),
            ("sources", [known.index(name) for name in names]),
            ("components", [place for place, name in enumerate(names) if name in COMPONENT_NAMES]),
            ("averages", [place for place, name in enumerate(names) if name in _LEARNED]),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.int64), persistent=False)
        self.register_buffer("scales", torch.tensor([SCALES[name] for name in names]), persistent=False)
        self.register_buffer("multiplicity", torch.tensor(multiplicity), persistent=False)
        self.columns: Tensor
        self.outputs: Tensor
        self.sources: Tensor
        self.components: Tensor
        self.averages: Tensor
        self.scales: Tensor
        self.multiplicity: Tensor

    def forward(self, outputs: Tensor, stiffness: Tensor) -> Tensor:
        """Return the (n_crystals, n_outputs) outputs with the means of the elastic heads replaced."""
        values = torch.cat([averages(stiffness), voigt_components(stiffness)], dim=1)
        means = values.index_select(1, self.sources) / self.scales
        return outputs.index_copy(1, self.outputs, means.to(outputs.dtype))

    def loss(self, outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Return (n_crystals, n_heads) losses, 0 where a label is missing and for other heads.

        The components share the norm of the error of the tensor, ‖Ĉ − C‖, which no rotation changes; each is given its
        share e² / ‖e‖. Hill's and Voigt's K and G cost their absolute error. What follows from them costs nothing; the
        spread of every mean is learned by the Gaussian likelihood around that mean held fixed, as for DECOUPLED heads.
        """
        known = mask.index_select(1, self.columns)
        error = outputs.index_select(1, self.outputs) - targets.index_select(1, self.columns)
        error = torch.where(known, error, 0.0)
        squares = error.index_select(1, self.components).square() * self.multiplicity.index_select(0, self.components)
        norm = (squares.sum(1, keepdim=True) + 1e-8).sqrt()
        losses = self._spread_loss(outputs, error)
        losses = losses.index_add(1, self.components, squares / norm)
        losses = losses.index_add(1, self.averages, error.index_select(1, self.averages).abs())
        return torch.zeros_like(targets).index_copy(1, self.columns, torch.where(known, losses, 0.0))

    def _spread_loss(self, outputs: Tensor, error: Tensor) -> Tensor:
        log_spread = outputs.index_select(1, self.outputs + 1).clamp(*_LOG_SPREAD_RANGE)
        fixed = error.detach().clamp(-_WIDEST, _WIDEST)
        return _SPREAD_WEIGHT * (0.5 * (fixed * torch.exp(-log_spread)).square() + log_spread)


def assembled(second: Tensor, fourth: Tensor) -> Tensor:
    """(n, 6, 6) the sum over the edges from the moments of their directions, each summed with weight w c.

    Args:
        second: (n, 3, 7) for c₁, c₂, c₃: n nᵀ as a Mandel vector, and 1.
        fourth: (n, 6, 6) for c₃: the outer product of that vector with itself.
    """
    fixed = _fixed_tensors(second.device)
    moments, total = second[:, :, :6], second[:, :, 6:]
    harmonic = moments - total * fixed.trace / 3
    of_second = fixed.with_trace(harmonic[:, 0]) + fixed.anticommuted(harmonic[:, 1])
    lower = fixed.with_trace(moments[:, 2]) + 4 * fixed.anticommuted(moments[:, 2])
    lowest = 5 * fixed.volume + 2 * fixed.shape  # t tᵀ + 2
    return of_second + fourth - lower / 7 + lowest * (total[:, 2, :, None] / 35)


def voigt_components(stiffness: Tensor) -> Tensor:
    """(n, 21) components in Voigt notation of (n, 6, 6) stiffnesses in Mandel notation, same unit."""
    rows, columns = zip(*UPPER, strict=True)
    weights = stiffness.new_tensor(MANDEL_WEIGHTS[rows, columns])
    return stiffness[:, rows, columns] / weights


def averages(stiffness: Tensor) -> Tensor:
    """(n, 7) averages in the order of `AVERAGE_NAMES` of positive definite (n, 6, 6), Mandel notation, GPa.

    The formulas are those of `physics.elasticity.moduli`.
    """
    compliance = torch.linalg.inv(stiffness)
    bulk_voigt = stiffness[:, :3, :3].sum((1, 2)) / 9
    shear_voigt = (_trace(stiffness) - 3 * bulk_voigt) / 10
    bulk_reuss = 1 / compliance[:, :3, :3].sum((1, 2))
    shear_reuss = 2.5 / (_trace(compliance) - 1 / (3 * bulk_reuss))
    bulk, shear = (bulk_voigt + bulk_reuss) / 2, (shear_voigt + shear_reuss) / 2
    young, poisson = 9 * bulk * shear / (3 * bulk + shear), (3 * bulk - 2 * shear) / (6 * bulk + 2 * shear)
    anisotropy = 5 * shear_voigt / shear_reuss + bulk_voigt / bulk_reuss - 6
    return torch.stack([bulk, shear, young, poisson, anisotropy, bulk_voigt, shear_voigt], dim=1)


def _multiplicity(name: str) -> float:
    """How often a component occurs in ‖C‖² (Mandel weight included); 0 for what is no component."""
    if name not in COMPONENT_NAMES:
        return 0.0
    row, column = UPPER[COMPONENT_NAMES.index(name)]
    return float(MANDEL_WEIGHTS[row, column] ** 2) * (1.0 if row == column else 2.0)


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=1, dim2=2).sum(1)


def _mandel_vectors(vectors: Tensor) -> Tensor:
    """(..., 6) float64 n nᵀ of the directions of (..., 3) vectors."""
    x, y, z = functional.normalize(vectors.double(), dim=-1).unbind(-1)
    return torch.stack([x * x, y * y, z * z, 2**0.5 * y * z, 2**0.5 * x * z, 2**0.5 * x * y], dim=-1)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fixed:
    """Isotropic tensors in Mandel notation, float64 whatever the precision of the weights."""

    trace: Tensor
    volume: Tensor
    shape: Tensor
    anticommutator: Tensor

    def with_trace(self, vectors: Tensor) -> Tensor:
        """(n, 6, 6) v tᵀ + t vᵀ of (n, 6)."""
        product = vectors[:, :, None] * self.trace
        return product + product.transpose(1, 2)

    def anticommuted(self, vectors: Tensor) -> Tensor:
        """(n, 6, 6) T(A) of (n, 6) tensors A."""
        return torch.einsum("np,pij->nij", vectors, self.anticommutator)


@lru_cache
def _fixed_tensors(device: torch.device) -> _Fixed:
    trace = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    volume = torch.outer(trace, trace) / 3
    basis = torch.zeros(6, 3, 3, dtype=torch.float64)
    for place, (i, j) in enumerate(PAIRS):
        basis[place, i, j] = basis[place, j, i] = 1.0 if i == j else 0.5**0.5
    products = torch.einsum("pab,qbc->pqac", basis, basis)
    applied = (products + products.transpose(0, 1)) / 2  # (A, X) → (AX + XA) / 2
    return _Fixed(
        trace=trace.to(device),
        volume=volume.to(device),
        shape=(torch.eye(6, dtype=torch.float64) - volume).to(device),
        anticommutator=torch.einsum("pqac,rac->prq", applied, basis).to(device),
    )
