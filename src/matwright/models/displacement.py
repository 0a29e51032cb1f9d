"""A network that predicts the displacement of a microstructure under load, trained by physics alone (E20-E23).

It maps the phases of a periodic cell to the fluctuation ũ of three load cases at the nodes of the finite elements of
`physics.homogenisation`. What it learns from is no table of stiffnesses but the potential energy Π(ũ) of that field,
which is least in equilibrium: the effective stiffness that follows from any ũ is an upper bound of the true one, in
the sense of energies, and the lower it comes the nearer it is. Known stiffnesses can be learned from as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from matwright.errors import InputError
from matwright.physics.homogenisation import CORNERS, ELEMENTS_PER_PIXEL, Element

LOADS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 0.0))
"""Macroscopic strains (εxx, εyy, γxy) whose energies the loss counts: two stretches, shear, and both stretches."""


@final
class Lesson(StrEnum):
    """What the network learns from.

    ENERGY the potential energy of its field; RESIDUAL the forces ‖K ũ + F‖² that are left on the nodes; STIFFNESS the
    known effective stiffness; BOTH energy, and stiffness where it is known.
    """

    ENERGY = "energy"
    RESIDUAL = "residual"
    STIFFNESS = "stiffness"
    BOTH = "both"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DisplacementConfig:
    """Sizes of the network.

    Attributes:
        width: channels of the finest grid; coarser ones have twice as many.
        per_pixel: elements along the edge of a pixel.
        lesson: what it learns from.
    """

    width: int = 16
    per_pixel: int = ELEMENTS_PER_PIXEL
    lesson: Lesson = Lesson.ENERGY

    def __post_init__(self) -> None:
        if self.width < 1:
            raise InputError(f"the width of the network is at least 1, found {self.width}")
        if self.per_pixel < 4 or self.per_pixel % 4:
            raise InputError(f"elements along a pixel are a multiple of 4 (the grid is halved twice): {self.per_pixel}")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridBatch:
    """Cells of one size.

    Attributes:
        phases: (n, n_y, n_x) int64, the phase of each pixel.
        stiffness: (n, 3, 3) known effective stiffness, NaN where it is not known.
    """

    phases: Tensor
    stiffness: Tensor

    def to(self, device: torch.device | str) -> GridBatch:
        """The same on another device."""
        return GridBatch(phases=self.phases.to(device), stiffness=self.stiffness.to(device))


@final
class GridSource:
    """Microstructures of one size as a source of batches."""

    def __init__(self, phases: NDArray[np.int64], stiffness: NDArray[np.float64] | None = None) -> None:
        """Keep (n, n_y, n_x) phases, and their (n, 3, 3) stiffness, NaN where it is not known."""
        self.phases = torch.from_numpy(np.ascontiguousarray(phases))
        unknown = np.full((len(phases), 3, 3), np.nan)
        self.stiffness = torch.tensor(unknown if stiffness is None else stiffness, dtype=torch.float32)

    def batch(self, indices: NDArray[np.int64]) -> GridBatch:
        """The cells at `indices`."""
        chosen = torch.from_numpy(indices)
        return GridBatch(phases=self.phases[chosen], stiffness=self.stiffness[chosen])


@final
class DisplacementModel(nn.Module):
    """(n, 2, 3, N_y, N_x) fluctuations ũ, in elements for strains of 1, at the N_y · N_x nodes of each cell.

    A periodic U-shaped network: what it says moves with the origin by whole groups of four elements, so by pixels.
    """

    def __init__(self, config: DisplacementConfig, elements: Sequence[Element]) -> None:
        """Build the network for phases with these elements."""
        super().__init__()
        self.config, w = config, config.width
        self.start = nn.Linear(len(elements), w)
        self.fine, self.middle, self.coarse = _Block(w, w), _Block(w, 2 * w), _Block(2 * w, 2 * w)
        self.bottom = _Block(2 * w, 2 * w)
        self.up_middle, self.up_fine = _Block(4 * w, w), _Block(2 * w, w)
        self.out = nn.Conv2d(w, 6, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(cast(Tensor, self.out.bias))
        for name in ("elasticity", "stiffness", "load"):
            table = np.stack([getattr(found, name) for found in elements])
            self.register_buffer(f"element_{name}", torch.tensor(table, dtype=torch.float64))
        self.element_elasticity: Tensor
        self.element_stiffness: Tensor
        self.element_load: Tensor

    def forward(self, phases: Tensor) -> Tensor:
        """Fluctuations of cells given by their (n, N_y, N_x) phases an element (see `refined`)."""
        own = functional.one_hot(phases, self.start.in_features).to(self.start.weight.dtype)
        around = torch.stack([own.roll((row, column), (1, 2)) for row, column in CORNERS]).mean(dim=0)  # a node's mean
        fine = self.fine(self.start(around).permute(0, 3, 1, 2))
        middle = self.middle(functional.avg_pool2d(fine, 2))
        coarse = self.coarse(functional.avg_pool2d(middle, 2))
        coarse = coarse + self.bottom(coarse)
        middle = self.up_middle(torch.cat([_doubled(coarse), middle], dim=1))
        fine = self.up_fine(torch.cat([_doubled(middle), fine], dim=1))
        found: Tensor = self.out(fine)
        return found.view(len(phases), 2, 3, *phases.shape[1:])

    def refined(self, phases: Tensor) -> Tensor:
        """(n, N_y, N_x) phases of the elements from those of the pixels."""
        times = self.config.per_pixel
        return phases.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)

    def effective_stiffness(self, phases: Tensor, fluctuation: Tensor) -> Tensor:
        """(n, 3, 3) C* = mean(C) + (F:ũ + ũ:F + ũ:K:ũ) / area; in energy an upper bound for whatever ũ."""
        fields = _at_elements(fluctuation)
        forces = self._element_forces(phases, fields)
        loads = self.element_load.to(fluctuation.dtype)[phases]
        inner = torch.einsum("nyxal,nyxak->nlk", fields, forces)
        outer = torch.einsum("nyxal,nyxak->nlk", fields, loads)
        elasticity = self.element_elasticity.to(fluctuation.dtype)[phases].mean(dim=(1, 2))
        return elasticity + (inner + outer + outer.transpose(1, 2)) / phases[0].numel()

    def residual(self, phases: Tensor, fluctuation: Tensor) -> Tensor:
        """(n,) ‖K ũ + F‖ / ‖F‖ of each cell: the forces left on its nodes, 0 in equilibrium and in a uniform cell."""
        loads = self.element_load.to(fluctuation.dtype)[phases]
        left = _at_nodes(self._element_forces(phases, _at_elements(fluctuation)) + loads)
        given = _at_nodes(loads)
        size = given.flatten(1).norm(dim=1).clamp_min(1e-12)
        return cast(Tensor, left.flatten(1).norm(dim=1) / size)

    def loss(self, batch: GridBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """What is lowered, and its parts: logarithm of the energies, residual, error of the logarithms of C*."""
        phases = self.refined(batch.phases)
        fluctuation = self(phases)
        found = _energies(self.effective_stiffness(phases, fluctuation)).log()
        terms = {"energy": found.mean(), "residual": self.residual(phases, fluctuation).mean()}
        known = torch.isfinite(batch.stiffness).all(dim=(1, 2))
        errors = (found[known] - _energies(batch.stiffness[known]).log()).abs()
        terms["stiffness"] = errors.mean() if bool(known.any()) else found.sum() * 0.0
        return sum((terms[name] for name in _LESSONS[self.config.lesson]), start=found.new_zeros(())), terms

    @torch.no_grad()
    def predict(self, phases: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, 3, 3) effective stiffness and (n,) equilibrium residual of cells given by (n, n_y, n_x) pixels."""
        self.eval()
        stiffness, residual = [], []
        for start in range(0, len(phases), _AT_ONCE):
            refined = self.refined(torch.from_numpy(np.ascontiguousarray(phases[start : start + _AT_ONCE])))
            fluctuation = self(refined)
            stiffness.append(self.effective_stiffness(refined, fluctuation).double().numpy())
            residual.append(self.residual(refined, fluctuation).double().numpy())
        return np.concatenate(stiffness), np.concatenate(residual)

    def _element_forces(self, phases: Tensor, fields: Tensor) -> Tensor:
        """(n, N_y, N_x, 8, 3) K_e ũ_e of every element."""
        forces = torch.zeros_like(fields)
        for phase, stiffness in enumerate(self.element_stiffness.to(fields.dtype)):
            own = (phases == phase)[..., None, None]
            forces = forces + torch.einsum("ab,nyxbl->nyxal", stiffness, fields * own)
        return forces


_AT_ONCE = 64
_LESSONS = {
    Lesson.ENERGY: ("energy",),
    Lesson.RESIDUAL: ("residual",),
    Lesson.STIFFNESS: ("stiffness",),
    Lesson.BOTH: ("energy", "stiffness"),
}


@final
class _Block(nn.Module):
    """Two periodic convolutions beside a short cut."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, padding=1, padding_mode="circular")
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1, padding_mode="circular")
        self.short = nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        deep = self.second(functional.silu(self.first(functional.silu(x))))
        return cast(Tensor, self.short(x) + deep)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0)


def _at_elements(fluctuation: Tensor) -> Tensor:
    """(n, N_y, N_x, 8, 3) displacements of each element's four nodes, x before y, from those of the nodes."""
    corners = [fluctuation.roll((-row, -column), (3, 4)) for row, column in CORNERS]
    return torch.stack(corners, dim=1).permute(0, 4, 5, 1, 2, 3).flatten(3, 4)


def _at_nodes(forces: Tensor) -> Tensor:
    """(n, N_y, N_x, 2, 3) forces on each node, summed from those of the elements around it."""
    parts = forces.unflatten(3, (4, 2)).unbind(dim=3)
    moved = [part.roll((row, column), (1, 2)) for part, (row, column) in zip(parts, CORNERS, strict=True)]
    return torch.stack(moved).sum(dim=0)


def _energies(stiffness: Tensor) -> Tensor:
    """(n, n_loads) E:C*:E of the strains in `LOADS`."""
    loads = stiffness.new_tensor(LOADS)
    return torch.einsum("la,nab,lb->nl", loads, stiffness, loads).clamp_min(torch.finfo(stiffness.dtype).tiny)
