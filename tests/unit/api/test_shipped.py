"""The models that ship: found by name, small, with a card, and right about materials everybody knows."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.api.info import card, shipped_summaries
from matwright.api.models import find_model, not_predicted, shipped_models
from matwright.api.predict import Predictor, load_predictor
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def cubic(edge: float, numbers: tuple[int, int], second: float) -> Crystal:
    """Two face-centred lattices, the second moved along the diagonal: rock salt (1/2) or diamond (1/4)."""
    return Crystal(
        lattice=edge * FCC, frac_coords=np.array([[0, 0, 0], [second, second, second]]), numbers=np.array(numbers)
    )


SALT, SILICON, DIAMOND = cubic(5.69, (11, 17), 0.5), cubic(5.47, (14, 14), 0.25), cubic(3.57, (6, 6), 0.25)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load_predictor("mp-crystal")


def test_every_shipped_model_is_small_and_has_a_card() -> None:
    assert set(shipped_models()) == {
        "band-gap",
        "elastic",
        "li-conductor",
        "mp-crystal",
        "mp-generator",
        "mp-matcher",
        "superalloy",
        "thermoelectric",
    }
    for name, folder in shipped_models().items():
        assert sum(file.stat().st_size for file in folder.iterdir()) <= 10e6
        text = card(name)
        assert text.startswith(f"# {name}")
        assert "limits" in text.lower()
    summaries = dict(shipped_summaries())
    assert "test MAE" in summaries["mp-crystal"]
    assert all("\n" not in line for line in summaries.values())


def test_known_materials(predictor: Predictor) -> None:
    found = predictor.predict([SALT, SILICON, DIAMOND])
    energy, gap, bulk = (found[name] for name in ("formation_energy_per_atom", "band_gap", "bulk_modulus"))
    np.testing.assert_allclose(energy.mean, [-2.1, 0.0, 0.0], atol=0.3)  # PBE, eV/atom
    assert gap.mean[0] > 3 > gap.mean[1]  # 5.0 and 0.6 eV
    assert 15 < bulk.mean[0] < 35  # 24 GPa
    assert bulk.mean[2] > 300  # 434 GPa
    for prediction in found.values():
        assert (prediction.lower <= prediction.mean).all()
        assert (prediction.mean <= prediction.upper).all()
        assert (prediction.std > 0).all()
    assert gap.lower.min() >= 0


def test_the_model_of_gaps_tells_an_insulator_from_a_semiconductor() -> None:
    gap = load_predictor("band-gap").predict([SALT, SILICON])["band_gap"]
    assert 4 < gap.mean[0] < 6  # PBE: 5.0 eV
    assert gap.mean[1] < 1.5  # 0.6 eV
    assert (gap.lower >= 0).all()
    assert (gap.std > 0).all()


def test_a_superalloy_weakens_with_heat() -> None:
    predictor = load_predictor("superalloy")
    shares = {28: 53.0, 24: 19.0, 26: 18.0, 41: 5.1, 42: 3.0, 22: 0.9, 13: 0.5, 6: 0.04}  # wt%, as in Inconel 718
    alloy = Composition.from_weight_percent(shares | {14: 100.0 - sum(shares.values())})
    treatment = "treatment 980 degC 1 h > treatment 720 degC 8 h > treatment 620 degC 8 h, air cooled"
    cold, hot = (
        {"temperature": f"{celsius} degC", "Powder processed": "No", "steps": treatment} for celsius in (20, 900)
    )
    strength = predictor.predict([alloy, alloy], [cold, hot])["yield_strength"]
    assert 700 < strength.mean[0] < 1500  # 1,000 to 1,200 MPa in handbooks
    assert strength.mean[1] < 0.8 * strength.mean[0]


def test_bismuth_telluride_is_a_thermoelectric_near_room_temperature_and_silicon_is_none() -> None:
    predictor = load_predictor("thermoelectric")
    telluride, silicon = (Composition.from_formula(text) for text in ("Bi0.5Sb1.5Te3", "Si"))
    found = predictor.predict([telluride, silicon], {"temperature": "350 K"})
    assert found["zt"].mean[0] > 0.5  # about 1 in handbooks
    assert found["zt"].mean[1] < 0.3
    assert 100 < found["seebeck_coefficient"].mean[0] < 300  # µV/K, p-type
    assert -1 < found["thermal_conductivity"].mean[0] < 0.6  # log10: 0.1 to 4 W/(m K)
    for prediction in found.values():
        assert (prediction.lower <= prediction.mean).all()
        assert (prediction.mean <= prediction.upper).all()


def test_an_argyrodite_conducts_lithium_better_than_the_fluoride() -> None:
    predictor = load_predictor("li-conductor")
    argyrodite, fluoride = (Composition.from_formula(text) for text in ("Li6PS5Cl", "LiF"))
    found = predictor.predict([argyrodite, fluoride], [{"family": "argyrodites"}, {}])["ionic_conductivity"]
    assert -4.5 < found.mean[0] < -2  # log10(S/cm): a few mS/cm when well made
    assert found.mean[1] < -6
    assert (found.std > 0).all()


@pytest.mark.parametrize("name", ["thermoelectric", "superalloy", "li-conductor"])
def test_a_model_of_compositions_sees_of_a_crystal_its_composition(name: str) -> None:
    predictor = load_predictor(name)
    of_crystal, of_formula = (predictor.predict([one]) for one in (SALT, Composition.from_formula("NaCl")))
    for prop, prediction in of_crystal.items():
        np.testing.assert_array_equal(prediction.mean, of_formula[prop].mean)
        np.testing.assert_array_equal(prediction.std, of_formula[prop].std)
    np.testing.assert_array_equal(predictor.embed([SALT]), predictor.embed([Composition.from_formula("NaCl")]))
    assert "Learned from compositions alone" in card(name)


@pytest.mark.parametrize("name", ["mp-crystal", "elastic", "band-gap"])
def test_a_model_of_crystals_refuses_a_bare_composition(name: str) -> None:
    with pytest.raises(InputError, match="learned from structures alone|need a crystal"):
        load_predictor(name).predict([Composition.from_formula("NaCl")])
    assert "Learned from structures alone" in card(name)


def test_a_material_unlike_the_data_is_marked(predictor: Predictor) -> None:
    squeezed = cubic(4.0, (92, 8), 0.5)  # uranium and oxygen 2 Å apart, which nothing holds together
    score = predictor.predict([SALT, squeezed])["band_gap"].domain_score
    assert score[0] < 0.6
    assert score[1] > 0.95


def test_a_property_that_no_model_in_use_predicts_names_the_shipped_model_that_does() -> None:
    said = not_predicted("zt", {"mp-crystal": ["band_gap", "bulk_modulus"]})
    assert said == (
        "no model here predicts zt: mp-crystal knows band_gap, bulk_modulus; the shipped model `thermoelectric` does: "
        "give --model thermoelectric --model mp-crystal"
    )
    said = not_predicted("bulk_modulus", {"thermoelectric": ["zt"], "li-conductor": ["ionic_conductivity"]})
    assert "thermoelectric and li-conductor know zt, ionic_conductivity" in said
    assert "the shipped models `elastic` and `mp-crystal` do: give --model elastic --model thermoelectric" in said
    said = not_predicted("refractive_index", {"elastic": load_predictor("elastic").specs})
    assert "elastic_c11" not in said
    assert "train one with `matwright train TABLE.csv --structure cif --target refractive_index:1" in said
    assert said.endswith("--model my-model --model elastic")


def test_an_unknown_name_lists_what_there_is(predictor: Predictor) -> None:
    with pytest.raises(InputError, match="did you mean 'mp-crystal'"):
        find_model("mp-cristal")
    with pytest.raises(InputError, match="does not describe a property model"):
        load_predictor("mp-generator")
    with pytest.raises(InputError, match="nothing to predict"):
        predictor.predict([])
