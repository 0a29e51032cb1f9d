from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.materials.composition import Composition

PERCENTS = st.dictionaries(st.integers(1, 94), st.integers(1, 1000), min_size=1, max_size=6)


def test_the_same_composition_however_it_is_given() -> None:
    first = Composition.from_formula("LiFePO4")
    assert first == Composition.from_formula("O8P2Fe2Li2") == Composition.from_amounts({8: 4, 3: 1, 26: 1, 15: 1})
    assert first.formula == "LiFePO4"
    assert first.elements == {3, 8, 15, 26}
    assert first.content_hash() == Composition.from_formula("O8P2Fe2Li2").content_hash()
    assert first.content_hash() != Composition.from_formula("LiFePO5").content_hash()


def test_partial_occupancies_are_kept() -> None:
    assert dict(Composition.from_formula("Li0.35La0.55TiO3").fractions)[3] == pytest.approx(0.35 / 4.9)
    assert Composition.from_formula("Li0.5FePO4").formula == "LiFe2P2O8"


@given(PERCENTS)
def test_weight_percent_inverts(raw: dict[int, int]) -> None:
    total = sum(raw.values())
    percent = {number: 100 * share / total for number, share in raw.items()}
    back = Composition.from_weight_percent(percent).weight_percent()
    assert back == pytest.approx(percent, rel=1e-9)


def test_an_alloy_with_a_balance() -> None:
    alloy = Composition.from_weight_percent({24: 20.0, 13: 5.0, 22: 0.0}, balance=28)
    assert alloy.elements == {13, 24, 28}
    assert alloy.weight_percent()[28] == pytest.approx(75.0)
    assert dict(Composition.from_atomic_percent({13: 25, 28: 75}).fractions) == pytest.approx({13: 0.25, 28: 0.75})


def test_what_is_impossible_is_refused() -> None:
    for wrong in ({}, {3: -1.0}, {200: 1.0}, {3: float("nan")}):
        with pytest.raises(InputError):
            Composition.from_amounts(wrong)
    with pytest.raises(InputError, match="sum to 100"):
        Composition.from_weight_percent({24: 20.0})
    with pytest.raises(InputError, match=r"0\.\.100"):
        Composition.from_weight_percent({24: -1.0, 28: 101.0})
    with pytest.raises(InputError, match="cannot balance"):
        Composition.from_weight_percent({24: 20.0}, balance=24)
    with pytest.raises(InputError, match="twice"):
        Composition(fractions=((3, 0.5), (3, 0.5)))
    with pytest.raises(InputError, match="sum to 1"):
        Composition(fractions=((3, 0.5), (8, 0.4)))
