"""Compositions and molecules through the one encoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from matwright.graphs.batch import collate
from matwright.graphs.builder import build_graph
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule
from matwright.models.composition import element_fractions
from matwright.models.config import GemPpmConfig, HeadConfig
from matwright.models.gem_ppm import GemPpm

ETHYLENE = Molecule(
    numbers=np.array([6, 6, 1, 1, 1, 1]),
    coords=np.array(
        [[0.67, 0, 0], [-0.67, 0, 0], [1.24, 0.92, 0], [1.24, -0.92, 0], [-1.24, 0.92, 0], [-1.24, -0.92, 0]]
    ),
    bonds=((0, 1, 2.0), (0, 2, 1.0), (0, 3, 1.0), (1, 4, 1.0), (1, 5, 1.0)),
)


def network(**settings: object) -> GemPpm:
    torch.manual_seed(2)
    return GemPpm(GemPpmConfig(heads=(HeadConfig(name="y"),), width=16, layers=2, **settings)).eval()  # type: ignore[arg-type]


@torch.no_grad()
def first(model: GemPpm, *structures: Crystal | Molecule | Composition) -> np.ndarray:
    return model(collate([build_graph(structure) for structure in structures]))[:, 0].double().numpy()


def test_fractions_count_sites_shares_and_vacancies() -> None:
    mixed = Crystal(
        lattice=np.eye(3) * 4, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([3, 8]),
        occupancies=(((3, 0.5), (11, 0.25)), ((8, 1.0),)),
    )  # fmt: skip
    batch = collate([build_graph(mixed), build_graph(Composition.from_formula("Li0.5Na0.25O")), build_graph(ETHYLENE)])
    fractions = element_fractions(batch, 119)
    torch.testing.assert_close(fractions[0], fractions[1])
    assert abs(float(fractions[0, 3]) - 0.5 / 1.75) < 1e-6
    assert abs(float(fractions[2, 6]) - 1 / 3) < 1e-6


def test_the_statistics_are_those_of_the_formula() -> None:
    from matwright.elements import ELEMENT_FEATURES, FEATURE_NAMES

    model = network(composition=True)
    assert model.composition is not None
    found = model.composition.statistics(collate([build_graph(Composition.from_formula("Al2O3"))]))[0]
    n_elements, n = ELEMENT_FEATURES.shape
    mean, spread, least, largest, span = found[2 * n_elements :].view(5, n)
    at = FEATURE_NAMES.index("electronegativity")
    al, o = ELEMENT_FEATURES[13, at], ELEMENT_FEATURES[8, at]
    expected = [0.4 * al + 0.6 * o, abs(al - o) * np.sqrt(0.24), al, o, o - al]
    np.testing.assert_allclose([x[at] for x in (mean, spread, least, largest, span)], expected, rtol=1e-4)


def test_a_formula_means_the_same_however_it_is_written() -> None:
    for composition in (False, True):
        model = network(composition=composition)
        values = first(model, *(Composition.from_formula(text) for text in ("Al2O3", "O3Al2", "Al4O6", "AlO1.5")))
        np.testing.assert_allclose(values, values[0], atol=1e-6)
        assert abs(values[0] - first(model, Composition.from_formula("Al2O2.9"))[0]) > 1e-6


def test_a_batch_of_all_kinds_equals_its_parts() -> None:
    model = network(composition=True, bonds=True, memory=True)
    salt = Crystal(
        lattice=np.eye(3) * 4.2, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17])
    )
    layer = replace(salt, lattice=np.diag([4.2, 4.2, 20.0]), pbc=(True, True, False))
    kinds = [salt, Composition.from_formula("NaCl"), ETHYLENE, layer]
    np.testing.assert_allclose(first(model, *kinds), [first(model, kind)[0] for kind in kinds], atol=1e-5)


def test_bond_orders_show_only_where_they_are_asked_for() -> None:
    single = replace(ETHYLENE, bonds=((0, 1, 1.0), *(ETHYLENE.bonds or ())[1:]))
    plain, bonded = first(network(), ETHYLENE, single), first(network(bonds=True), ETHYLENE, single)
    assert plain[0] == plain[1]
    assert abs(bonded[0] - bonded[1]) > 1e-5


def test_a_molecule_is_unchanged_by_turning_and_renumbering() -> None:
    model = network(bonds=True)
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    order = np.array([3, 1, 5, 0, 4, 2])
    place = {int(old): new for new, old in enumerate(order)}
    renumbered = Molecule(
        numbers=ETHYLENE.numbers[order],
        coords=ETHYLENE.coords[order] @ turn + 7.0,
        bonds=tuple((place[a], place[b], bond) for a, b, bond in ETHYLENE.bonds or ()),
    )
    np.testing.assert_allclose(*first(model, ETHYLENE, renumbered), atol=1e-5)
