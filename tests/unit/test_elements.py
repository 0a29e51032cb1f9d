from __future__ import annotations

import numpy as np
import pytest

from matwright.elements import (
    ATOMIC_MASS,
    BLOCKS,
    COVALENT_RADIUS,
    ELECTRONEGATIVITY,
    ELEMENT_FEATURES,
    FEATURE_NAMES,
    SYMBOLS,
    VALENCE_SPDF,
    atomic_number,
    symbol,
)
from matwright.errors import InputError


def test_symbols_and_numbers_invert() -> None:
    assert len(SYMBOLS) == 119
    assert [atomic_number(symbol(z)) for z in range(1, 119)] == list(range(1, 119))
    assert (symbol(26), atomic_number("Og"), atomic_number("D")) == ("Fe", 118, 1)


@pytest.mark.parametrize(("wrong", "hint"), [("fe", "'Fe'"), ("Xx", "'Xe'"), ("LI", "'Li'")])
def test_an_unknown_symbol_names_the_nearest(wrong: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        atomic_number(wrong)


@pytest.mark.parametrize("number", [0, -1, 119])
def test_a_number_off_the_table_is_refused(number: int) -> None:
    with pytest.raises(InputError, match=r"1\.\.118"):
        symbol(number)


def test_reference_values() -> None:
    assert ELECTRONEGATIVITY[[9, 55]] == pytest.approx([3.98, 0.79])
    assert COVALENT_RADIUS[[6, 26]] == pytest.approx([0.76, 1.32])
    assert ATOMIC_MASS[92] == pytest.approx(238.03)
    assert np.isnan(ELECTRONEGATIVITY[[0, 2, 10]]).all()
    assert VALENCE_SPDF[26].tolist() == [2, 0, 6, 0]
    assert "".join(BLOCKS[z] for z in (2, 5, 26, 58)) == "spdf"


def test_the_configuration_counts_every_electron() -> None:
    cores = np.array([0, 2, 10, 18, 36, 54, 86])
    for z in range(1, 119):
        electrons = VALENCE_SPDF[z].sum()
        assert z - electrons in cores, symbol(z)


def test_features_are_standardised_and_mark_what_is_missing() -> None:
    assert ELEMENT_FEATURES.shape == (119, len(FEATURE_NAMES))
    assert ELEMENT_FEATURES.dtype == np.float32
    assert np.isfinite(ELEMENT_FEATURES).all()
    column = ELEMENT_FEATURES[:, FEATURE_NAMES.index("electronegativity")]
    missing = ELEMENT_FEATURES[:, FEATURE_NAMES.index("electronegativity_missing")].astype(bool)
    assert (column[missing] == 0).all()
    assert missing[[2, 10, 118]].all()
    assert not missing[[1, 26]].any()
    assert column[~missing].mean() == pytest.approx(0, abs=1e-5)
    assert column[~missing].std() == pytest.approx(1, abs=1e-5)
    assert len(np.unique(ELEMENT_FEATURES[1:97], axis=0)) == 96
