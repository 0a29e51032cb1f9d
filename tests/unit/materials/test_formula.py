from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.elements import symbol
from matwright.errors import InputError
from matwright.materials.formula import formula_text, parse_amounts, parse_elements, parse_formula, reduce_amounts


def test_reads_formulas() -> None:
    assert parse_formula("LiFePO4") == parse_formula("Li2Fe2P2O8") == {3: 1, 26: 1, 15: 1, 8: 4}
    assert parse_formula("Nd(Al2Cu)4") == {60: 1, 13: 8, 29: 4}
    assert parse_formula("Li(Fe(PO4)2)3") == {3: 1, 26: 3, 15: 6, 8: 24}
    assert parse_amounts("Li0.5FePO4")[3] == 0.5
    assert parse_elements("Li, P,S O-Na") == {3, 8, 11, 15, 16}


@pytest.mark.parametrize("wrong", ["", "Xx2", "Ca(OH", "CaOH)2", "2H", "Fe0", "LiFe-", "lifepo4"])
def test_refuses_what_is_no_formula(wrong: str) -> None:
    with pytest.raises(InputError):
        parse_formula(wrong)


def test_fractions_are_no_whole_formula() -> None:
    with pytest.raises(InputError, match="whole number"):
        parse_formula("Li0.5FePO4")
    with pytest.raises(InputError, match="empty"):
        parse_elements(" , ")
    with pytest.raises(InputError, match="did you mean 'Li'"):
        parse_elements("LI,P")


@given(st.dictionaries(st.integers(1, 94), st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 4))
def test_the_formula_reads_back_and_does_not_depend_on_the_cell(counts: dict[int, int], times: int) -> None:
    amounts = {number: float(count) for number, count in counts.items()}
    bigger = {number: amount * times for number, amount in reversed(amounts.items())}
    assert formula_text(bigger) == formula_text(amounts)
    raw = "".join(symbol(number) + str(count) for number, count in counts.items())
    assert parse_formula(raw) == parse_formula(formula_text(amounts)) == reduce_amounts(amounts)


def test_a_ratio_without_whole_numbers_is_written_in_fractions() -> None:
    assert formula_text({26: 1.0, 28: 2**0.5}) == "Fe0.414214Ni0.585786"
