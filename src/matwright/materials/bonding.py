"""Which atoms of a molecule are bonded, and how strongly, from their places alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import COVALENT_RADIUS

BOND_TOLERANCE: Final = 1.25
"""Two atoms are bonded when they are nearer than this many times the sum of their covalent radii (Cordero 2008)."""

_VALENCES: Final[dict[int, tuple[int, ...]]] = {
    1: (1,), 5: (3,), 6: (4,), 7: (3,), 8: (2,), 9: (1,), 14: (4,), 15: (3, 5), 16: (2, 4, 6), 17: (1,), 32: (4,),
    33: (3, 5), 34: (2, 4, 6), 35: (1,), 53: (1,),
}  # fmt: skip
_RIDGE = 1e-3  # of all ways to share bonds out, the most even one; small enough not to cost any
_LARGEST_ORDER = 4.0


def perceived_bonds(numbers: NDArray[np.integer], coords: NDArray[np.floating]) -> tuple[tuple[int, int, float], ...]:
    """(atom, atom, order) of every bond of a molecule, atoms counted from 0, the first below the second.

    Atoms within `BOND_TOLERANCE` are bonded. What an atom's usual valence leaves over its bonds is shared out among
    bonds whose other atom has some left too, as evenly as can be (least squares, none below zero): ethene gets 2,
    nitriles 3, benzene six times 1.5. The result does not depend on the order of the atoms.

    Args:
        numbers: (n_atoms,) atomic numbers.
        coords: (n_atoms, 3) Å.
    """
    radii = COVALENT_RADIUS[np.asarray(numbers)]
    distances = np.linalg.norm(coords[:, None] - coords[None, :], axis=-1)
    near = distances < BOND_TOLERANCE * (radii[:, None] + radii[None, :])
    first, second = np.nonzero(np.triu(near, k=1))
    if len(first) == 0:
        return ()
    orders = 1.0 + _extra(numbers, first, second)
    pairs = zip(first.tolist(), second.tolist(), orders.tolist(), strict=True)
    return tuple((a, b, min(round(order, 3), _LARGEST_ORDER)) for a, b, order in pairs)


def _extra(
    numbers: NDArray[np.integer], first: NDArray[np.integer], second: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(n_bonds,) order of each bond above 1.

    Sulphur and its like take their higher valences only for what other atoms have left, as in a sulphone.
    """
    degree = np.bincount(np.concatenate([first, second]), minlength=len(numbers))
    usual = [_VALENCES.get(int(number), ()) for number in numbers]
    free = np.array(
        [next((v - bonds for v in some if v >= bonds), 0) for some, bonds in zip(usual, degree, strict=True)],
        dtype=float,
    )
    extra = _shared_out(free, first, second)
    used = np.bincount(first, extra, len(numbers)) + np.bincount(second, extra, len(numbers))
    left = np.maximum(free - used, 0.0)
    room = np.array([max(some, default=0) for some in usual]) - degree - used
    wanted = np.bincount(first, left[second], len(numbers)) + np.bincount(second, left[first], len(numbers))
    higher = np.array([len(some) > 1 for some in usual])
    more = np.where(higher, np.clip(wanted, 0.0, np.maximum(room, 0.0)), np.where(left > _RIDGE * 10, left, 0.0))
    return extra + _shared_out(more, first, second)


def _shared_out(
    free: NDArray[np.float64], first: NDArray[np.integer], second: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(n_bonds,) what each bond gets when the atoms' free valences are shared out among bonds between such atoms."""
    from scipy.optimize import nnls  # heavy: behind its door

    shared = np.zeros(len(first))
    open_bonds = np.flatnonzero((free[first] > 0) & (free[second] > 0))
    if len(open_bonds) == 0:
        return shared
    columns = np.arange(len(open_bonds))
    incidence = np.zeros((len(free), len(open_bonds)))
    incidence[first[open_bonds], columns] = incidence[second[open_bonds], columns] = 1.0
    system = np.vstack([incidence, _RIDGE * np.eye(len(open_bonds))])
    shared[open_bonds] = nnls(system, np.concatenate([free, np.zeros(len(open_bonds))]))[0]
    return shared
