"""The smooth weight of a neighbour: 1 at the atom, 0 with zero slope at the radius r_i."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def polynomial_envelope(distances: torch.Tensor, radii: torch.Tensor) -> torch.Tensor:
    """w(u) = 1 - 28 u^6 + 48 u^7 - 21 u^8 with u = d / r_i, and 0 for u >= 1.

    Value, slope and curvature are 0 at u = 1 and slope and curvature are 0 at u = 0. It is evaluated in the factored
    form (1 - u)^3 (1 + 3 u + 6 u^2 + 10 u^3 + 15 u^4 + 21 u^5), which has no cancellation near u = 1.

    Args:
        distances: (n_atoms, width) or (n_edges,), Å.
        radii: Å, broadcast against `distances`.
    """
    u = (distances / radii).clamp(max=1.0)
    rest = 1.0 - u
    series = 1.0 + u * (3.0 + u * (6.0 + u * (10.0 + u * (15.0 + 21.0 * u))))
    return rest * rest * rest * series
