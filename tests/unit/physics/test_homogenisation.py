"""Effective stiffness of microstructures against exact solutions, bounds, another finite-element code and a table."""

import csv
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.microstructure import Microstructure, Phase
from matwright.physics.homogenisation import homogenise, phase_elements, plane_strain, stiffness_bounds
from small_data import ALUMINIUM, RUBBER, pixel_grids

STIFF = Phase(composition=Composition.from_formula("Al"), young_modulus=1.0, poisson_ratio=0.33)
SOFT = Phase(composition=Composition.from_formula("C5H8"), young_modulus=1e-3, poisson_ratio=0.49)


def cell(grid: object, phases=(ALUMINIUM, RUBBER)) -> Microstructure:
    return Microstructure(grid=np.array(grid), phases=phases)


def test_a_uniform_cell_is_its_phase() -> None:
    found = homogenise(cell([[0, 0], [0, 0]]), per_pixel=2)
    assert np.allclose(found.stiffness, plane_strain(70.0, 0.33), rtol=1e-12)
    assert np.abs(found.fluctuation).max() < 1e-12
    assert found.residual < 1e-9


@pytest.mark.parametrize("share", [1, 2, 3])
def test_layers_have_the_exact_stiffness_of_layers(share: int) -> None:
    """Normal to layers 1/C22* = ⟨1/C22⟩, in shear 1/C66* = ⟨1/C66⟩, C12* = C22* ⟨C12/C22⟩ (Backus 1962)."""
    grid = np.repeat((np.arange(4) < share).astype(int)[:, None], 3, axis=1)
    found = homogenise(cell(grid), per_pixel=1).stiffness
    parts = np.stack([plane_strain(70.0, 0.33), plane_strain(0.07, 0.49)])[grid[:, 0]]
    c22 = 1 / (1 / parts[:, 1, 1]).mean()
    c12 = c22 * (parts[:, 0, 1] / parts[:, 1, 1]).mean()
    c11 = (parts[:, 0, 0] - parts[:, 0, 1] ** 2 / parts[:, 1, 1]).mean() + c12**2 / c22
    c66 = 1 / (1 / parts[:, 2, 2]).mean()
    assert np.allclose(found, [[c11, c12, 0], [c12, c22, 0], [0, 0, c66]], rtol=1e-9, atol=1e-9)


@given(pixel_grids)
@settings(max_examples=20)
def test_the_stiffness_lies_between_its_bounds_and_is_in_equilibrium(grid: np.ndarray) -> None:
    found = homogenise(cell(grid), per_pixel=2)
    least, most = stiffness_bounds(cell(grid))
    assert np.linalg.eigvalsh(found.stiffness - least).min() > -1e-8
    assert np.linalg.eigvalsh(most - found.stiffness).min() > -1e-8
    assert found.residual < 1e-8
    assert np.allclose(found.energy, np.diag(found.stiffness))


@given(pixel_grids, st.integers(0, 4), st.integers(0, 4))
@settings(max_examples=10)
def test_origin_and_cell_do_not_matter(grid: np.ndarray, down: int, right: int) -> None:
    plain = homogenise(cell(grid), per_pixel=1).stiffness
    moved = homogenise(cell(np.roll(grid, (down, right), (0, 1))), per_pixel=1).stiffness
    twice = homogenise(cell(np.tile(grid, (1, 2))), per_pixel=1).stiffness
    assert np.allclose(plain, moved, rtol=1e-8, atol=1e-8)
    assert np.allclose(plain, twice, rtol=1e-7, atol=1e-8)


@given(pixel_grids)
@settings(max_examples=10)
def test_a_quarter_turn_exchanges_the_axes(grid: np.ndarray) -> None:
    plain = homogenise(cell(grid), per_pixel=1).stiffness
    turned = homogenise(cell(np.rot90(grid)), per_pixel=1).stiffness
    swap = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
    assert np.allclose(turned, swap @ plain @ swap, rtol=1e-8, atol=1e-8)


def test_another_finite_element_code_agrees() -> None:
    """scikit-fem, periodic mesh, the same elements: energies of the three load cases."""
    skfem = pytest.importorskip("skfem", reason="needs the extra `continuum`")
    from skfem.helpers import ddot, sym_grad, trace

    grid = np.array([[0, 1, 1], [0, 0, 1], [1, 0, 0]])
    line = np.linspace(0, 3, 7)
    plain = skfem.MeshQuad1.init_tensor(line, line)
    x, y = plain.p
    right, top = np.flatnonzero(x == 3), np.flatnonzero(y == 3)
    pairs = {int(node): (x[node] % 3, y[node] % 3) for node in np.union1d(right, top)}
    place = {(a, b): node for node, (a, b) in enumerate(zip(x, y, strict=True))}
    mesh = skfem.MeshQuad1DG.periodic(plain, np.array(list(pairs)), np.array([place[pair] for pair in pairs.values()]))
    basis = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementQuad1()), intorder=2)
    centre = basis.mapping.F(np.array([[0.5], [0.5]]))[:, :, 0]
    phase = grid[centre[1].astype(int), centre[0].astype(int)]
    young, poisson = np.array([70.0, 0.07])[phase], np.array([0.33, 0.49])[phase]
    lame = (young * poisson / ((1 + poisson) * (1 - 2 * poisson)))[:, None]
    shear = (young / (2 * (1 + poisson)))[:, None]

    def stress(strain):
        return 2 * shear * strain + lame * trace(strain) * np.eye(2)[:, :, None, None]

    @skfem.BilinearForm
    def energy(u, v, w):
        return ddot(stress(sym_grad(u)), sym_grad(v))

    @skfem.LinearForm
    def work(v, w):
        return ddot(stress(w["strain"]), sym_grad(v))

    @skfem.Functional
    def uniform(w):
        return ddot(stress(w["strain"]), w["strain"])

    stiffness = energy.assemble(basis)
    found = homogenise(cell(grid), per_pixel=2).stiffness
    for load, macro in enumerate(([[1, 0], [0, 0]], [[0, 0], [0, 1]], [[0, 0.5], [0.5, 0]])):
        strain = np.array(macro, dtype=float)[:, :, None, None] * np.ones((1, 1, 36, 1))
        force = work.assemble(basis, strain=strain)
        free = np.arange(2, basis.N)
        field = np.zeros(basis.N)
        field[free] = skfem.solve(stiffness[free][:, free], -force[free])
        assert (uniform.assemble(basis, strain=strain) + force @ field) / 9 == pytest.approx(
            found[load, load], rel=1e-8
        )


def test_a_published_table_is_reproduced(data_folder) -> None:
    """All 32,768 two-phase cells of a data set were made with 4 × 4 elements a pixel; ten of them, to six digits."""
    with gzip.open(data_folder / "microstructure_2d_32768.csv.gz", "rt", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    solid = homogenise(cell([[0]], (STIFF, SOFT))).stiffness
    for number in (1, 2, 77, 512, 5461, 12345, 16384, 23456, 30000, 32767):
        found = homogenise(cell(mirrored(rows[number]["Geometry"]), (STIFF, SOFT))).stiffness
        for name, place in (("C11", (0, 0)), ("C12", (0, 1)), ("C22", (1, 1)), ("C66", (2, 2))):
            assert found[place] / solid[place] == pytest.approx(float(rows[number][name]), rel=1e-5)


def mirrored(bits: str) -> np.ndarray:
    """(10, 10) phases: the bits are the upper triangle of a symmetric quadrant, mirrored at both axes."""
    quadrant = np.zeros((5, 5), dtype=int)
    for bit, (row, column) in zip(bits, zip(*np.triu_indices(5), strict=True), strict=True):
        quadrant[row, column] = quadrant[column, row] = int(bit)
    upper = np.concatenate([quadrant, quadrant[:, ::-1]], axis=1)
    return np.concatenate([upper, upper[::-1]])


def test_phases_without_moduli_are_refused() -> None:
    bare = Phase(composition=Composition.from_formula("Al"))
    with pytest.raises(InputError, match="phase 1 of the microstructure has no young_modulus"):
        phase_elements(cell([[0, 1]], (ALUMINIUM, bare)))
    with pytest.raises(InputError, match="at least 1 element"):
        homogenise(cell([[0]]), per_pixel=0)
