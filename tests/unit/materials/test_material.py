from __future__ import annotations

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn, Conditions
from matwright.materials.crystal import Crystal
from matwright.materials.material import Material, PropertyValue
from matwright.materials.molecule import Molecule
from matwright.materials.properties import KNOWN_PROPERTIES, PropertySpec

TEMPERATURE = ConditionColumn(name="temperature", unit="degC")
ATMOSPHERE = ConditionColumn(name="atmosphere", categories=("air", "argon"))
WATER = Molecule(numbers=np.array([8, 1, 1]), coords=np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]))


def test_a_molecule_holds_what_it_is_given() -> None:
    assert len(WATER) == 3
    assert WATER.formula == "H2O"
    ethene = Molecule(numbers=np.array([6, 6, 1, 1, 1, 1]), coords=np.eye(6)[:, :3] * 3 + np.arange(6)[:, None])
    assert ethene.formula == "H4C2"
    assert WATER.content_hash() == Molecule(numbers=WATER.numbers, coords=WATER.coords).content_hash()
    assert WATER.content_hash() != Molecule(numbers=WATER.numbers, coords=WATER.coords, charge=1).content_hash()
    bonded = Molecule(numbers=WATER.numbers, coords=WATER.coords, bonds=((2, 0, 1), (0, 1, 1)))
    assert bonded.bonds == ((0, 1, 1.0), (0, 2, 1.0))
    with pytest.raises(ValueError, match="read-only"):
        WATER.coords[0, 0] = 1.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"numbers": np.array([8, 1])}, "shape"),
        ({"numbers": np.array([8, 1, 0])}, "atomic numbers"),
        ({"numbers": np.array([], dtype=int)}, "at least one"),
        ({"coords": np.array([[0, 0, 0], [0.96, 0, 0], [np.nan, 0, 0]])}, "finite"),
        ({"coords": np.array([[0, 0, 0], [0.96, 0, 0], [0.9, 0, 0]])}, "atoms 2 and 3 overlap"),
        ({"bonds": ((0, 3, 1.0),)}, "different atoms"),
        ({"bonds": ((0, 1, 9.0),)}, "bond order"),
        ({"bonds": ((0, 1, 1.0), (1, 0, 2.0))}, "twice"),
    ],
)
def test_an_impossible_molecule_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Molecule(**({"numbers": WATER.numbers, "coords": WATER.coords} | changes))  # type: ignore[arg-type]


def test_conditions_keep_their_units_and_what_is_missing() -> None:
    hot = Conditions(columns=(TEMPERATURE, ATMOSPHERE), values=(25.0, "argon"))
    assert hot.number("temperature", "K") == pytest.approx(298.15)
    assert hot.category("atmosphere") == "argon"
    unknown = Conditions(columns=(TEMPERATURE, ATMOSPHERE), values=(float("nan"), ""))
    assert unknown.values == (None, None)
    assert unknown.number("temperature", "K") is None
    assert unknown.category("atmosphere") is None
    turned = Conditions(columns=(ATMOSPHERE, TEMPERATURE), values=("argon", 25.0))
    assert turned.content_hash() == hot.content_hash() != unknown.content_hash()


def test_conditions_refuse_what_does_not_fit() -> None:
    for columns, values, says in [
        ((TEMPERATURE,), (), "as many values"),
        ((TEMPERATURE, TEMPERATURE), (1.0, 1.0), "twice"),
        ((TEMPERATURE,), ("hot",), "number in degC"),
        ((TEMPERATURE,), (float("inf"),), "number in degC"),
        ((ATMOSPHERE,), ("argo",), "did you mean 'argon'"),
    ]:
        with pytest.raises(InputError, match=says):
            Conditions(columns=columns, values=values)
    row = Conditions(columns=(TEMPERATURE, ATMOSPHERE), values=(1.0, "air"))
    for call, says in [
        (lambda: row.number("temprature", "K"), "did you mean 'temperature'"),
        (lambda: row.number("atmosphere", "K"), "category"),
        (lambda: row.category("temperature"), "number"),
        (lambda: row.number("temperature", "eV"), "different things"),
        (lambda: ConditionColumn(name="x"), "either"),
        (lambda: ConditionColumn(name="x", unit="foo"), "no unit"),
        (lambda: ConditionColumn(name="x", categories=("a", "a")), "twice"),
        (lambda: ConditionColumn(name="", unit="K"), "name"),
    ]:
        with pytest.raises(InputError, match=says):
            call()


def test_a_material_joins_structure_properties_and_conditions() -> None:
    gap = PropertyValue(spec=KNOWN_PROPERTIES["band_gap"], value=1.5, std=0.1)
    energy = PropertyValue(spec=KNOWN_PROPERTIES["formation_energy_per_atom"], value=-2.0)
    conditions = Conditions(columns=(TEMPERATURE,), values=(25.0,))
    crystal = Crystal(lattice=np.eye(3) * 4, frac_coords=np.zeros((1, 3)), numbers=np.array([11]))
    first = Material(structure=crystal, properties=(gap, energy), conditions=conditions, id="a")
    again = Material(structure=crystal, properties=(energy, gap), conditions=conditions, id="b")
    assert first.content_hash() == again.content_hash() != Material(structure=crystal).content_hash()
    assert first.value("band_gap", "meV") == pytest.approx(1500)
    assert first.value("bulk_modulus", "GPa") is None
    assert first.composition == Composition.from_formula("Na")
    assert Material(structure=WATER).composition.formula == "H2O"
    assert Material(structure=Composition.from_formula("NaCl")).composition.formula == "NaCl"
    hashes = {Material(structure=kind).content_hash() for kind in (crystal, WATER, Composition.from_formula("Na"))}
    assert len(hashes) == 3


def test_values_must_fit_their_property() -> None:
    metal = PropertySpec(name="metal", unit="1", classes=("yes", "no"))
    assert PropertyValue(spec=metal, value="yes").value == "yes"
    for spec, value, std, says in [
        (KNOWN_PROPERTIES["band_gap"], -1.0, None, "physically"),
        (KNOWN_PROPERTIES["band_gap"], float("nan"), None, "finite"),
        (KNOWN_PROPERTIES["band_gap"], "wide", None, "finite"),
        (KNOWN_PROPERTIES["band_gap"], 1.0, -0.1, "standard deviation"),
        (metal, "maybe", None, "one of yes, no"),
    ]:
        with pytest.raises(InputError, match=says):
            PropertyValue(spec=spec, value=value, std=std)
    value = PropertyValue(spec=metal, value="yes")
    material = Material(structure=WATER, properties=(value,))
    with pytest.raises(InputError, match="class"):
        material.value("metal", "1")
    with pytest.raises(InputError, match="twice"):
        Material(structure=WATER, properties=(value, value))
