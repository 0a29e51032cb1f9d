"""Linear elasticity of a box with the stiffness of a crystal, solved by finite elements (E20-E23, E35).

| symbol | variable |
|---|---|
| u | displacement, in units of the box's lengths |
| ε = ½(∇u + ∇uᵀ) | strain (E22), no unit |
| σ = C : ε | stress (E21), GPa |
| f | body force, GPa over a length |
| Γ_u, ū | faces where the displacement is given (Dirichlet) |
| Γ_t, t̄ | faces where the traction σ·n is given (Neumann) |

The weak form of ∇·σ + f = 0 (E20): ∫ ε(v) : C : ε(u) = ∫ v·f + ∫_Γt v·t̄ for every v that vanishes on Γ_u. Its solution
is the least of the potential energy Π(u) = ½∫ε:C:ε − ∫f·u − ∫_Γt t̄·u (E23). Elements are trilinear hexahedra
(scikit-fem).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import CalculationError, InputError
from matwright.physics.elasticity import PAIRS, to_mandel

Array = NDArray[np.float64]
Field = Callable[[Array], Array]
"""Maps points (3, …) to vectors (3, …)."""


@final
class Face(Enum):
    """A face of the box: the axis it is normal to, and whether it is the far one."""

    X0 = (0, False)
    X1 = (0, True)
    Y0 = (1, False)
    Y1 = (1, True)
    Z0 = (2, False)
    Z1 = (2, True)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with one corner in the origin, cut into equal elements.

    Attributes:
        lengths: along x, y, z, any unit of length.
        elements: along x, y, z, each at least 1.
    """

    lengths: tuple[float, float, float] = (1.0, 1.0, 1.0)
    elements: tuple[int, int, int] = (4, 4, 4)

    def __post_init__(self) -> None:
        if not all(length > 0 for length in self.lengths) or not all(count >= 1 for count in self.elements):
            raise InputError(f"a box has positive lengths and elements, found {self.lengths} and {self.elements}")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """The displacement field and how well it satisfies what was asked.

    Attributes:
        points: (3, n_nodes) nodes; displacement: (3, n_nodes) in the unit of the lengths.
        energy: potential energy Π, GPa times a volume; strain_energy: its part ½∫ε:C:ε.
        residual: out-of-balance force on the free nodes over the force applied (no unit): the discrete ∇·σ + f = 0.
        fixed_error: largest deviation from ū on Γ_u over the largest displacement (no unit).
        traction_error: ‖σ·n − t̄‖ over Γ_t, over ‖σ‖ on it (no unit, L2): what the elements are too coarse for.
        largest_strain: largest principal strain, absolute, at the centres of the elements (no unit).
        error: L2 norm of the deviation from the exact field that was given, over that of the field; NaN where none was.
    """

    points: Array
    displacement: Array
    energy: float
    strain_energy: float
    residual: float
    fixed_error: float
    traction_error: float
    largest_strain: float
    error: float


def solve(
    stiffness: Array,
    box: Box,
    *,
    fixed: Mapping[Face, Field],
    pulled: Mapping[Face, Field],
    body: Field | None = None,
    exact: Field | None = None,
) -> Solution:
    """Solve the field in a box; a face that is named nowhere is free of traction.

    Args:
        stiffness: (6, 6) GPa, Voigt notation.
        box: the specimen.
        fixed: ū on each face of Γ_u, at least one.
        pulled: t̄ in GPa on faces of Γ_t.
        body: f, None for none.
        exact: a known solution to measure the error against.

    Raises:
        CalculationError: the stiffness is not positive definite: without a least energy there is no equilibrium.
        InputError: no face is fixed, one is fixed and pulled, or scikit-fem is not installed.
    """
    check_definite(stiffness)
    if not fixed or set(fixed) & set(pulled):
        raise InputError("a specimen needs a fixed face, and a face is either fixed or pulled")
    return _Problem(stiffness, box).solve(fixed, pulled, body, exact)


def check_definite(stiffness: Array) -> None:
    """Raise CalculationError unless a stiffness (6, 6), Voigt notation, is symmetric and positive definite."""
    mandel = to_mandel(np.asarray(stiffness, dtype=np.float64))
    if not np.allclose(mandel, mandel.T, rtol=1e-6, atol=1e-6 * float(np.abs(mandel).max())):
        raise CalculationError("a stiffness that is not symmetric has no potential energy")
    least = float(np.linalg.eigvalsh(mandel).min())
    if not least > 0:
        raise CalculationError(f"the stiffness is not positive definite (least eigenvalue {least:.4g} GPa)")


def full_tensor(stiffness: Array) -> Array:
    """(3, 3, 3, 3) C_ijkl in GPa of a stiffness (6, 6) in Voigt notation."""
    place = np.zeros((3, 3), dtype=np.int64)
    for index, (i, j) in enumerate(PAIRS):
        place[i, j] = place[j, i] = index
    return np.asarray(stiffness)[place[:, :, None, None], place[None, None, :, :]]


@final
class _Problem:
    """One mesh with one stiffness."""

    def __init__(self, stiffness: Array, box: Box) -> None:
        try:
            import skfem  # heavy: behind its door
        except ImportError as error:
            raise InputError("specimens need scikit-fem: pip install 'matwright[continuum]'") from error
        self._fem = skfem
        self._tensor = full_tensor(stiffness)
        self._box = box
        axes = [np.linspace(0.0, length, n + 1) for length, n in zip(box.lengths, box.elements, strict=True)]
        self._mesh = skfem.MeshHex.init_tensor(*axes)
        self._element = skfem.ElementVector(skfem.ElementHex1())
        self._basis = skfem.Basis(self._mesh, self._element, intorder=3)

    def solve(
        self, fixed: Mapping[Face, Field], pulled: Mapping[Face, Field], body: Field | None, exact: Field | None
    ) -> Solution:
        matrix, load = self._matrix(), self._load(pulled, body)
        given, held = self._given(fixed)
        field = self._fem.solve(*self._fem.condense(matrix, load, x=given, D=held))
        free = np.setdiff1d(np.arange(len(field)), held)
        forces = matrix @ field - load
        applied = max(float(np.linalg.norm(load)), float(np.linalg.norm(forces[held])), 1e-300)
        strain_energy = 0.5 * float(field @ (matrix @ field))
        return Solution(
            points=np.array(self._mesh.p),
            displacement=self._nodes(field),
            energy=strain_energy - float(load @ field),
            strain_energy=strain_energy,
            residual=float(np.linalg.norm(forces[free])) / applied,
            fixed_error=self._fixed_error(field, fixed),
            traction_error=self._traction_error(field, fixed, pulled),
            largest_strain=self._largest_strain(field),
            error=float("nan") if exact is None else self._error(field, exact),
        )

    def _stress(self, gradient: Any) -> Array:
        return np.asarray(np.einsum("ijkl,kl...->ij...", self._tensor, gradient))

    def _matrix(self) -> Any:
        def work(u: Any, v: Any, _: Any) -> Any:
            return np.einsum("ij...,ij...->...", self._stress(u.grad), v.grad)

        return self._fem.BilinearForm(work).assemble(self._basis)

    def _load(self, pulled: Mapping[Face, Field], body: Field | None) -> Array:
        def along(force: Field) -> Any:
            return self._fem.LinearForm(lambda v, w: np.einsum("i...,i...->...", force(w.x), v))

        load = np.zeros(self._basis.N)
        for face, traction in pulled.items():
            load += along(traction).assemble(self._facets(face))
        return load if body is None else load + along(body).assemble(self._basis)

    def _facets(self, face: Face) -> Any:
        return self._fem.FacetBasis(self._mesh, self._element, facets=self._on(face), intorder=3)

    def _on(self, face: Face) -> Any:
        axis, far = face.value
        where = self._box.lengths[axis] if far else 0.0
        near = 1e-9 * self._box.lengths[axis]
        return self._mesh.facets_satisfying(lambda x: np.abs(x[axis] - where) < near, boundaries_only=True)

    def _given(self, fixed: Mapping[Face, Field]) -> tuple[Array, NDArray[np.int64]]:
        """The field with ū on Γ_u and 0 elsewhere, and the degrees of freedom that are held."""
        given, held = np.zeros(self._basis.N), []
        for face, value in fixed.items():
            places = self._basis.get_dofs(self._on(face)).nodal
            for component in range(3):
                dofs = places[f"u^{component + 1}"]
                given[dofs] = value(np.array(self._basis.doflocs[:, dofs]))[component]
                held.append(dofs)
        return given, np.unique(np.concatenate(held))

    def _nodes(self, field: Array) -> Array:
        return np.asarray(field[self._basis.nodal_dofs])

    def _fixed_error(self, field: Array, fixed: Mapping[Face, Field]) -> float:
        given, held = self._given(fixed)
        return float(np.abs(field[held] - given[held]).max()) / max(float(np.abs(field).max()), 1e-300)

    def _traction_error(self, field: Array, fixed: Mapping[Face, Field], pulled: Mapping[Face, Field]) -> float:
        wrong = size = 0.0
        for face in set(Face) - set(fixed):
            basis = self._facets(face)
            stress = self._stress(np.array(basis.interpolate(field).grad))
            traction = np.einsum("ij...,j...->i...", stress, np.array(basis.normals))
            wanted = pulled[face](np.array(basis.global_coordinates())) if face in pulled else 0.0
            wrong += float((((traction - wanted) ** 2).sum(axis=0) * basis.dx).sum())
            size += float(((stress**2).sum(axis=(0, 1)) * basis.dx).sum())
        return float(np.sqrt(wrong / size)) if size > 0 else 0.0

    def _largest_strain(self, field: Array) -> float:
        centre = np.full((3, 1), 0.5)
        basis = self._fem.Basis(self._mesh, self._element, quadrature=(centre, np.ones(1)))
        gradient = np.moveaxis(np.array(basis.interpolate(field).grad)[..., 0], -1, 0)
        strain = (gradient + gradient.swapaxes(1, 2)) / 2
        return float(np.abs(np.linalg.eigvalsh(strain)).max())

    def _error(self, field: Array, exact: Field) -> float:
        values = np.array(self._basis.interpolate(field))
        wanted = exact(np.array(self._basis.global_coordinates()))
        wrong = float((((values - wanted) ** 2).sum(axis=0) * self._basis.dx).sum())
        return float(np.sqrt(wrong / ((wanted**2).sum(axis=0) * self._basis.dx).sum()))
