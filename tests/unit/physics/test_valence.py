"""How usual the oxidation states are that make a composition neutral."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.elements import ELECTRONEGATIVITY
from matwright.materials.composition import padded_compositions
from matwright.materials.formula import parse_formula
from matwright.physics.chemistry import state_shares
from matwright.physics.valence import ANIONS, RAREST, state_shares_beside, valence_likelihood


def likelihoods(*formulas: str) -> np.ndarray:
    return valence_likelihood(*padded_compositions([parse_formula(formula) for formula in formulas]))


def test_salts_and_semiconductors_have_usual_valences() -> None:
    assert (likelihoods("NaCl", "BaTiO3", "CsPbI3", "GaAs", "KYCdSe3", "KErHgSe3", "CuInSe2", "Mg3Sb2") > 0.02).all()


def test_metals_and_compounds_that_lack_an_electron_have_none() -> None:
    without = likelihoods("KYAgSe3", "BaLuMgTe3", "MgAl", "Fe", "Si", "XeF2", "Fe3O4")
    assert (without < 0.02).all()
    assert (without[1:] < 1e-3).all()


def test_the_likelihood_is_the_product_of_the_shares() -> None:
    gallium, arsenic = state_shares(31)[3], state_shares(33)[-3]
    assert likelihoods("GaAs", "Ga4As4", "AsGa") == pytest.approx(gallium * arsenic)


def test_shares_are_those_beside_the_anion() -> None:
    """Cu2+ is usual beside oxygen, Cu+ beside selenium."""
    assert state_shares_beside(8)[29][2] > 0.8
    assert state_shares_beside(34)[29][2] < 0.2
    oxide, selenide = likelihoods("CsLaCuO3", "CsLaCuSe3")
    assert oxide == pytest.approx(state_shares_beside(8)[29][2], rel=0.05)
    assert selenide < 0.2 < likelihoods("BaYCuSe3")[0]
    assert likelihoods("NaCl")[0] == 1.0


@given(
    st.lists(st.sampled_from(["Na", "Mg", "Y", "Sn", "Fe", "P", "O", "Se", "Cl"]), min_size=2, max_size=4, unique=True),
    st.lists(st.integers(1, 4), min_size=4, max_size=4),
)
def test_it_is_the_best_of_all_choices(symbols: list[str], counts: list[int]) -> None:
    formula = "".join(f"{symbol}{count}" for symbol, count in zip(symbols, counts, strict=False))
    row = parse_formula(formula)
    strongest = max(row, key=lambda number: ELECTRONEGATIVITY[number])
    shares = state_shares_beside(strongest if strongest in ANIONS else 0)
    products = []
    for choice in product(*(shares[number].items() for number in row)):
        charges = np.array([state for state, _ in choice])
        pull = np.array([ELECTRONEGATIVITY[number] for number in row])
        ordered = max(pull[charges > 0], default=-np.inf) < min(pull[charges < 0], default=np.inf)
        if charges.all() and charges @ list(row.values()) == 0 and ordered:
            products.append(np.prod([share for _, share in choice]))
    best = max(products, default=0.0)
    assert likelihoods(formula)[0] == pytest.approx(best if best >= RAREST else 0.0)
