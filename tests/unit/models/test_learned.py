"""What a model learned from, read from graphs and from facts, and what it therefore sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.graphs.builder import build_graph
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.material import Structure
from matwright.materials.microstructure import Microstructure
from matwright.materials.molecule import Molecule
from matwright.models.learned import Learned
from small_data import ALUMINIUM, RUBBER, crystals

FORMULA = Composition.from_formula("Li3N")
ALLOY = Crystal(
    lattice=3.0 * np.eye(3),
    frac_coords=np.array([[0.0] * 3, [0.5] * 3]),
    numbers=np.array([28, 13]),
    occupancies=(((28, 0.5), (29, 0.25)), ((13, 1.0),)),  # a quarter of the first site is vacant
)
STRUCTURES: list[Structure] = [
    *crystals(3),
    ALLOY,
    Crystal(
        lattice=np.diag([3.0, 3.0, 15.0]), frac_coords=np.zeros((1, 3)), numbers=np.array([6]), pbc=(True, True, False)
    ),
    Molecule(numbers=np.array([1, 1]), coords=np.array([[0.0, 0, 0], [0, 0, 0.74]])),
    Microstructure(grid=np.array([[0, 1]]), phases=(ALUMINIUM, RUBBER)),
]


def lattices(*some: Structure) -> np.ndarray:
    return np.stack([build_graph(one).lattice for one in some])


def test_a_graph_says_whether_it_is_of_a_composition() -> None:
    single = Composition.from_formula("Al")
    assert Learned.of_lattices(lattices(FORMULA, single)) is Learned.COMPOSITIONS
    assert Learned.of_lattices(lattices(*STRUCTURES)) is Learned.STRUCTURES
    for one in STRUCTURES:
        assert Learned.of_lattices(lattices(FORMULA, one)) is Learned.BOTH


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, Learned.BOTH),
        ({"data": {"learned_from": "compositions"}, "reading": {"structure": "cif"}}, Learned.COMPOSITIONS),
        ({"data": {}}, Learned.STRUCTURES),
        ({"data": {}, "reading": {"structure": None, "formula": None, "percents": None}}, Learned.STRUCTURES),
        ({"data": {}, "reading": {"molecule": ["Z", "XYZ"]}}, Learned.STRUCTURES),
        ({"data": {}, "reading": {"structure": "cif", "formula": None}}, Learned.STRUCTURES),
        ({"data": {}, "reading": {"structure": "cif", "formula": "formula"}}, Learned.BOTH),
        ({"data": {}, "reading": {"structure": None, "formula": "formula"}}, Learned.COMPOSITIONS),
        ({"data": {}, "reading": {"percents": {"unit": "wt%"}}}, Learned.COMPOSITIONS),
    ],
)
def test_facts_say_it_also_those_of_older_models(facts: dict[str, Any], expected: Learned) -> None:
    assert Learned.of_facts(facts) is expected


def test_facts_that_say_something_else_are_refused() -> None:
    with pytest.raises(InputError, match="'hearsay'"):
        Learned.of_facts({"data": {"learned_from": "hearsay"}})


def test_a_model_of_compositions_sees_compositions_alone() -> None:
    for one in STRUCTURES:
        assert Learned.COMPOSITIONS.reduces(one)
        assert isinstance(Learned.COMPOSITIONS.seen(one), Composition)
        assert Learned.BOTH.seen(one) is Learned.STRUCTURES.seen(one) is one
    assert Learned.COMPOSITIONS.seen(ALLOY) == Composition.from_amounts({28: 0.5, 29: 0.25, 13: 1.0})
    assert Learned.COMPOSITIONS.seen(FORMULA) is Learned.BOTH.seen(FORMULA) is FORMULA
    assert not Learned.COMPOSITIONS.reduces(FORMULA)


def test_what_was_never_seen_is_refused() -> None:
    with pytest.raises(InputError, match="structures alone"):
        Learned.STRUCTURES.seen(FORMULA)
    mixed = lattices(FORMULA, ALLOY)
    for learned in (Learned.STRUCTURES, Learned.COMPOSITIONS):
        with pytest.raises(InputError, match=f"{learned.value} alone"):
            learned.check(mixed)
    Learned.BOTH.check(mixed)
    Learned.COMPOSITIONS.check(mixed[:1])
    Learned.STRUCTURES.check(mixed[1:])
