"""The order of elements and what a vocabulary refuses."""

from __future__ import annotations

import pytest

from matwright.errors import InputError
from matwright.generation.vocabulary import Vocabulary, electronegativity_order


def test_cations_come_before_anions() -> None:
    assert electronegativity_order([8, 26, 15, 3]) == (3, 26, 15, 8)
    assert electronegativity_order([17, 11, 17]) == (11, 17)
    assert electronegativity_order([2, 9, 55]) == (55, 9, 2)  # helium has no Pauling value


def test_a_vocabulary_is_in_order() -> None:
    with pytest.raises(InputError, match="electronegativity order"):
        Vocabulary(elements=(8, 3), max_atoms=20, max_elements=4)


def test_features_belong_to_the_elements() -> None:
    vocabulary = Vocabulary(elements=(3, 26, 8), max_atoms=20, max_elements=4)
    assert vocabulary.features().shape[0] == len(vocabulary) == 3
    assert vocabulary.index(26) == 1
    with pytest.raises(InputError, match="has not learned the element Au"):
        vocabulary.index(79)
