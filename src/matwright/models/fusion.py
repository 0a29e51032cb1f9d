"""How the state of the structure h_S and the state of the conditions h_C become one (E14-E18)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from matwright.models.config import FusionMode

_RANK_SHARE = 2  # the bilinear form has rank width / 2


@final
class Concatenation(nn.Module):
    """z = σ(W [h_S; h_C] + b) (E14)."""

    def __init__(self, structure: int, conditions: int, width: int) -> None:
        super().__init__()
        self.joint = nn.Linear(structure + conditions, width)

    def forward(self, structure: Tensor, conditions: Tensor) -> Tensor:
        """Return (n_crystals, width)."""
        return functional.relu(self.joint(torch.cat([structure, conditions], dim=1)))


@final
class Gated(nn.Module):
    """g = sigmoid(W_g [h_S; h_C] + b_g), z = g ⊙ h_S + (1 - g) ⊙ h_C (E15, E16), both brought to one width first."""

    def __init__(self, structure: int, conditions: int, width: int) -> None:
        super().__init__()
        self.structure = nn.Linear(structure, width)
        self.conditions = nn.Linear(conditions, width)
        self.gate = nn.Linear(structure + conditions, width)

    def forward(self, structure: Tensor, conditions: Tensor) -> Tensor:
        """Return (n_crystals, width)."""
        gate = torch.sigmoid(self.gate(torch.cat([structure, conditions], dim=1)))
        mixed: Tensor = gate * self.structure(structure) + (1 - gate) * self.conditions(conditions)
        return mixed


@final
class Bilinear(nn.Module):
    """z_k = h_Sᵀ W_k h_C with W_k = Σ_r p_kr u_r v_rᵀ (E17); 1 is appended to both, so that each alone also acts."""

    def __init__(self, structure: int, conditions: int, width: int) -> None:
        super().__init__()
        rank = max(1, width // _RANK_SHARE)
        self.structure = nn.Linear(structure, rank)
        self.conditions = nn.Linear(conditions, rank)
        self.out = nn.Linear(rank, width)

    def forward(self, structure: Tensor, conditions: Tensor) -> Tensor:
        """Return (n_crystals, width)."""
        product: Tensor = self.out(self.structure(structure) * self.conditions(conditions))
        return product


@final
class Unified(nn.Module):
    """[concatenation; gated; bilinear] → projection (E18)."""

    def __init__(self, structure: int, conditions: int, width: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(kind(structure, conditions, width) for kind in (Concatenation, Gated, Bilinear))
        self.projection = nn.Linear(3 * width, width)

    def forward(self, structure: Tensor, conditions: Tensor) -> Tensor:
        """Return (n_crystals, width)."""
        joined = torch.cat([part(structure, conditions) for part in self.parts], dim=1)
        projected: Tensor = self.projection(joined)
        return projected


FUSIONS: Mapping[FusionMode, Callable[[int, int, int], nn.Module]] = {
    FusionMode.CONCAT: Concatenation,
    FusionMode.GATED: Gated,
    FusionMode.BILINEAR: Bilinear,
    FusionMode.UNIFIED: Unified,
}
"""The module of each mode, made from (structure width, condition width, width); NONE ignores the conditions."""
