"""Elastic tensors: notations, rotation, Neumann's principle, polycrystal averages, Born stability.

Outside a stiffness is a (6, 6) matrix in Voigt notation and GPa, in the Cartesian frame of its crystal. Inside, where
tensors are rotated, summed over directions or raised to a matrix power, it is in Mandel (Kelvin) notation, in which a
rotation of space is an orthogonal (6, 6) matrix, norms are those of the tensor, and the inverse is the compliance
(Mehrabadi and Cowin, Q. J. Mech. Appl. Math. 43, 15, 1990).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError

Array = NDArray[np.float64]

PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Tensor indices of the six components in Voigt order: xx, yy, zz, yz, xz, xy."""

UPPER = tuple((i, j) for i in range(6) for j in range(i, 6))
"""Row and column of the 21 independent components of a symmetric (6, 6) matrix, row by row."""

COMPONENT_NAMES = tuple(f"elastic_c{row + 1}{column + 1}" for row, column in UPPER)
"""The 21 components as properties: Voigt notation, GPa, in the frame of the crystal as given."""

AVERAGE_NAMES = (
    "bulk_modulus",
    "shear_modulus",
    "young_modulus",
    "poisson_ratio",
    "universal_anisotropy",
    "bulk_modulus_voigt",
    "shear_modulus_voigt",
)
"""What follows from the tensor, as properties: Hill's means unless the name says otherwise (see `Moduli`)."""

ELASTIC_UNITS = {
    **dict.fromkeys((*AVERAGE_NAMES, *COMPONENT_NAMES), "GPa"),
    "poisson_ratio": "1",
    "universal_anisotropy": "1",
}
"""Every property that an elastic tensor gives, with its unit."""

MANDEL_WEIGHTS: Array = np.outer(weights := np.array([1.0, 1.0, 1.0, 2**0.5, 2**0.5, 2**0.5]), weights)
"""(6, 6) by which a Voigt stiffness is multiplied to be in Mandel notation."""

_TRACE = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
_MOST_SCALINGS, _MODULI_TOLERANCE = 200, 1e-10


def to_mandel(voigt: Array) -> Array:
    """Stiffness (..., 6, 6) in Mandel notation from Voigt notation, same unit."""
    return voigt * MANDEL_WEIGHTS


def from_mandel(mandel: Array) -> Array:
    """Stiffness (..., 6, 6) in Voigt notation from Mandel notation, same unit."""
    return mandel / MANDEL_WEIGHTS


def components(voigt: Array) -> Array:
    """(..., 21) upper triangles of (..., 6, 6) matrices, in the order of `UPPER`."""
    rows, columns = zip(*UPPER, strict=True)
    return voigt[..., list(rows), list(columns)]


def from_components(values: Array) -> Array:
    """(..., 6, 6) symmetric matrices from their (..., 21) upper triangles."""
    result = np.empty((*values.shape[:-1], 6, 6))
    for place, (row, column) in enumerate(UPPER):
        result[..., row, column] = result[..., column, row] = values[..., place]
    return result


def mandel_rotation(operation: Array) -> Array:
    """(..., 6, 6) orthogonal matrices that act on Mandel vectors as operations (..., 3, 3) act on space.

    With Q the operation, strain ε → Q ε Qᵀ becomes e → R e; stiffness C → R C Rᵀ.
    """
    result = np.empty((*operation.shape[:-2], 6, 6))
    for row, (i, j) in enumerate(PAIRS):
        for column, (k, m) in enumerate(PAIRS):
            product = operation[..., i, k] * operation[..., j, m] + operation[..., i, m] * operation[..., j, k]
            result[..., row, column] = product * (0.5**0.5 if i == j else 1.0) * (0.5**0.5 if k == m else 1.0)
    return result


def rotated(voigt: Array, operation: Array) -> Array:
    """The stiffness (..., 6, 6), Voigt, of a crystal turned by the orthogonal operation (3, 3): x → operation @ x."""
    turn = mandel_rotation(operation)
    return from_mandel(turn @ to_mandel(voigt) @ turn.swapaxes(-1, -2))


def with_moduli(voigt: Array, bulk: Array, shear: Array) -> Array:
    """Stiffnesses (n, 6, 6), Voigt, as like the given ones as Hill's bulk and shear moduli (n,) in GPa allow.

    C → A C A with A = α P + β D, P and D the projectors on the change of volume and of shape (Mandel notation). A
    commutes with every rotation, so that the tensor keeps its symmetry, and it stays positive definite.

    Raises:
        CalculationError: a tensor is not positive definite, or a modulus is not positive.
    """
    volume = np.outer(_TRACE, _TRACE) / 3
    shape, mandel = np.eye(6) - volume, to_mandel(voigt)
    factors = np.ones((len(voigt), 2))
    wanted = np.stack([bulk, shear], axis=1)
    if not (wanted > 0).all() or not (np.linalg.eigvalsh(mandel) > 0).all():
        raise CalculationError("moduli can be given to positive definite tensors, and they must be above 0")
    for _ in range(_MOST_SCALINGS):
        scaling = factors[:, :1, None] * volume + factors[:, 1:, None] * shape
        scaled = from_mandel(scaling @ mandel @ scaling)
        found = moduli(scaled)
        missing = wanted / np.stack([found.bulk, found.shear], axis=1)
        if np.abs(missing - 1).max(initial=0.0) < _MODULI_TOLERANCE:
            return scaled
        factors *= np.sqrt(missing)
    raise CalculationError("no tensor with these moduli was found")


def symmetrised(voigt: Array, operations: Array) -> Array:
    """Mean of a stiffness (6, 6) over a point group (n_operations, 3, 3): the nearest one that obeys Neumann.

    A mean of rotated copies of a positive definite tensor is positive definite.
    """
    return np.asarray(rotated(voigt, operations).mean(axis=0), dtype=np.float64)


def symmetry_violation(voigt: Array, operations: Array) -> float:
    """Largest ‖C′ − C‖ / ‖C‖ over the operations (n_operations, 3, 3), C′ the turned stiffness; 0 where Neumann holds.

    Neumann's principle: a property has at least the symmetry of the point group of its crystal. Norms are those of the
    tensor (Frobenius in Mandel notation), no unit.
    """
    difference = np.linalg.norm(to_mandel(rotated(voigt, operations) - voigt), axis=(-2, -1))
    return float(difference.max() / np.linalg.norm(to_mandel(voigt)))


def check_elastic(names: tuple[str, ...]) -> None:
    """Check that properties learned from one elastic tensor belong to it and that its components are complete.

    Raises:
        InputError: a name is none of `COMPONENT_NAMES` and `AVERAGE_NAMES`, or a component is missing.
    """
    if unknown := set(names) - set(ELASTIC_UNITS):
        raise InputError(f"{', '.join(sorted(unknown))} does not follow from an elastic tensor")
    missing = [name for name in COMPONENT_NAMES if name not in names]
    if names and missing:
        raise InputError(f"an elastic tensor has 21 components, elastic_c11 to elastic_c66; {missing[0]} is missing")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moduli:
    """What an isotropic polycrystal of the crystals would show; every array has shape (n,).

    Attributes:
        bulk_voigt, bulk_reuss, bulk: GPa, upper bound, lower bound and their mean (Hill).
        shear_voigt, shear_reuss, shear: GPa, likewise.
        young: GPa, E = 9KG / (3K + G) of the Hill means.
        poisson: no unit, ν = (3K − 2G) / (6K + 2G).
        anisotropy: no unit, universal index 5 G_V/G_R + K_V/K_R − 6, 0 for an isotropic crystal
            (Ranganathan and Ostoja-Starzewski, Phys. Rev. Lett. 101, 055504, 2008).
        least_eigenvalue: GPa, of the stiffness in Mandel notation; Born stable where it is above 0.
    """

    bulk_voigt: Array
    bulk_reuss: Array
    bulk: Array
    shear_voigt: Array
    shear_reuss: Array
    shear: Array
    young: Array
    poisson: Array
    anisotropy: Array
    least_eigenvalue: Array

    @property
    def is_stable(self) -> NDArray[np.bool_]:
        """(n,) Born stability without load, any crystal class (Mouhat and Coudert, Phys. Rev. B 90, 224104, 2014)."""
        return self.least_eigenvalue > 0.0


def moduli(voigt: Array) -> Moduli:
    """Voigt-Reuss-Hill averages of stiffnesses (n, 6, 6), Voigt notation, GPa (Hill, Proc. Phys. Soc. A 65, 349, 1952).

    With t the trace direction (1, 1, 1, 0, 0, 0), C in Mandel notation and S = C⁻¹: K_V = tᵀCt / 9,
    tr C = 3K_V + 10G_V, 1/K_R = tᵀSt, tr S = 1/(3K_R) + 5/(2G_R).

    Raises:
        InputError: a matrix is not symmetric or singular; an unstable one gives averages without meaning.
    """
    mandel = to_mandel(np.asarray(voigt, dtype=np.float64))
    if mandel.ndim != 3 or mandel.shape[1:] != (6, 6):
        raise InputError(f"stiffnesses have the shape (n, 6, 6), found {mandel.shape}")
    if not np.allclose(mandel, mandel.swapaxes(1, 2), rtol=1e-6, atol=1e-6 * float(np.abs(mandel).max(initial=0))):
        raise InputError("a stiffness is a symmetric matrix (major symmetry): C_ij = C_ji")
    try:
        compliance = np.linalg.inv(mandel)
    except np.linalg.LinAlgError:
        raise InputError("a stiffness is singular: its crystal has no compliance") from None
    bulk_voigt = _TRACE @ mandel @ _TRACE / 9
    shear_voigt = (np.trace(mandel, axis1=1, axis2=2) - 3 * bulk_voigt) / 10
    bulk_reuss = 1 / (_TRACE @ compliance @ _TRACE)
    shear_reuss = 2.5 / (np.trace(compliance, axis1=1, axis2=2) - 1 / (3 * bulk_reuss))
    bulk, shear = (bulk_voigt + bulk_reuss) / 2, (shear_voigt + shear_reuss) / 2
    young, poisson = isotropic(bulk, shear)
    return Moduli(
        bulk_voigt=bulk_voigt,
        bulk_reuss=bulk_reuss,
        bulk=bulk,
        shear_voigt=shear_voigt,
        shear_reuss=shear_reuss,
        shear=shear,
        young=young,
        poisson=poisson,
        anisotropy=5 * shear_voigt / shear_reuss + bulk_voigt / bulk_reuss - 6,
        least_eigenvalue=np.linalg.eigvalsh(mandel).min(axis=1),
    )


def isotropic(bulk: Array, shear: Array) -> tuple[Array, Array]:
    """Young's modulus in GPa and Poisson's ratio of an isotropic solid, (n,) each; bulk and shear moduli in GPa."""
    return 9 * bulk * shear / (3 * bulk + shear), (3 * bulk - 2 * shear) / (6 * bulk + 2 * shear)
