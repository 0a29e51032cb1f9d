from __future__ import annotations

import pytest

from matwright.data.references import ElementReferences, load_references
from matwright.errors import CalculationError, InputError

REFERENCES = ElementReferences(potential="test-1", energies={11: -1.0, 17: -2.0}, source="by hand")


def test_formation_energy_counts_atoms_not_cells() -> None:
    assert REFERENCES.formation_energy_per_atom({11: 1, 17: 1}, -3.5) == pytest.approx(-2.0)
    assert REFERENCES.formation_energy_per_atom({11: 8, 17: 24}, -2.0) == pytest.approx(-0.25)


def test_a_missing_reference_is_named() -> None:
    with pytest.raises(CalculationError, match="Li"):
        REFERENCES.formation_energy_per_atom({3: 1}, 0.0)
    with pytest.raises(InputError, match="'nothing'"):
        load_references("nothing")


def test_the_shipped_references_are_whole() -> None:
    references = load_references("chgnet")
    assert references.potential == "chgnet"
    assert references.source
    assert set(range(3, 10)) <= set(references.energies)
    assert references.formation_energy_per_atom({26: 2.0}, references.energies[26]) == pytest.approx(0.0)
