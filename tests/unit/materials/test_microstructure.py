"""Microstructures: what is read, what is refused, what a model sees of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.data.groups import GroupKind, group_key
from matwright.data.record import RawRow, StructureKind, parse_row
from matwright.data.sources.reading import structure_payload
from matwright.errors import InputError
from matwright.graphs.builder import build_graph
from matwright.materials.material import Material
from matwright.materials.microstructure import (
    Microstructure,
    from_microstructure_json,
    to_microstructure_json,
)
from small_data import ALUMINIUM, RUBBER, pixel_grids


@given(pixel_grids)
def test_what_is_written_is_read_again(grid: np.ndarray) -> None:
    written = Microstructure(grid=grid, phases=(ALUMINIUM, RUBBER))
    again = from_microstructure_json(to_microstructure_json(written))
    assert np.array_equal(again.grid, written.grid)
    assert again.phases[0] == ALUMINIUM
    assert again.phases[1].young_modulus == 0.07
    assert np.allclose([f for _, f in again.phases[1].composition.fractions], [5 / 13, 8 / 13][::-1])


def test_a_cell_of_a_table_is_recognised(tmp_path) -> None:
    kind, payload, problem = structure_payload('{"grid": ["01", "11"], "phases": ["Al", "C5H8"]}', tmp_path)
    assert (kind, problem) == (StructureKind.MICROSTRUCTURE_JSON, None)
    found = parse_row(RawRow(id="", file="", number=1, kind=kind, payload=payload))
    assert isinstance(found, Microstructure)
    assert found.grid.tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ('{"grid": ["01"]}', '"grid" and "phases"'),
        ('{"grid": ["01", "0"], "phases": ["Al", "Cu"]}', "differ in length"),
        ('{"grid": ["0x"], "phases": ["Al"]}', "word of digits"),
        ('{"grid": ["02"], "phases": ["Al", "Cu"]}', "phases 0..1"),
        ('{"grid": [], "phases": ["Al"]}', "list of rows"),
        ('{"grid": ["0"], "phases": "Al"}', "list of formulas"),
        ('{"grid": ["0"], "phases": [{"formula": "Al", "young": 1}]}', "a formula or an object"),
        ('{"grid": ["0"], "phases": [{"formula": "Al", "young_modulus": 70}]}', "together or neither"),
        ('{"grid": ["0"], "phases": [{"formula": "Al", "young_modulus": -1, "poisson_ratio": 0.3}]}', "above 0"),
        ('{"grid": ["0"], "phases": [{"formula": "Al", "young_modulus": 70, "poisson_ratio": 0.5}]}', "(-1, 0.5)"),
        ('{"grid": ["0"], "phases": [{"formula": "Al", "young_modulus": "70", "poisson_ratio": 0.3}]}', "are numbers"),
    ],
)
def test_what_is_impossible_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        from_microstructure_json(text)
    assert said in str(caught.value)


def test_composition_weights_phases_by_area() -> None:
    cell = Microstructure(grid=np.array([[0, 1], [1, 1]]), phases=(ALUMINIUM, RUBBER))
    fractions = dict(Material(structure=cell).composition.fractions)
    assert fractions[13] == pytest.approx(0.25)
    assert fractions[6] == pytest.approx(0.75 * 5 / 13)


def test_cells_of_equal_shares_are_one_group_by_formula_and_two_by_structure() -> None:
    one = Microstructure(grid=np.array([[0, 0], [1, 1]]), phases=(ALUMINIUM, RUBBER))
    other = Microstructure(grid=np.array([[0, 1], [1, 0]]), phases=(ALUMINIUM, RUBBER))
    assert group_key(one, GroupKind.FORMULA) == group_key(other, GroupKind.FORMULA)
    assert group_key(one, GroupKind.STRUCTURE) != group_key(other, GroupKind.STRUCTURE)


@given(pixel_grids, st.integers(0, 4), st.integers(0, 4))
def test_a_graph_has_a_node_a_pixel_and_eight_neighbours_whatever_the_origin(grid, down, right) -> None:
    cell = Microstructure(grid=grid, phases=(ALUMINIUM, RUBBER))
    moved = Microstructure(grid=np.roll(grid, (down, right), (0, 1)), phases=(ALUMINIUM, RUBBER))
    graph, other = build_graph(cell), build_graph(moved)
    assert len(graph) == grid.size
    assert (graph.counts == 8).all()
    assert sorted(graph.numbers.tolist()) == sorted(other.numbers.tolist())
    assert len(graph.shares) == len(other.shares)
