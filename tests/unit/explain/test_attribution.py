"""Attributions sum to the prediction, respect symmetry and cell, and know every kind of input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from explained_materials import FLUORITE, MIXED, PEROVSKITE, SALT, STEPS, doubled, untrained

from matwright.api.explain import Explainer, load_explainer
from matwright.errors import InputError
from matwright.explain.attribution import FIRST_STEPS, Attribution, explain_subject
from matwright.explain.explanation import Explanation
from matwright.explain.probe import Probe, for_probing, probed_specs
from matwright.explain.subject import Subject
from matwright.graphs.builder import build_graph
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal

ELEMENTS = [3, 8, 11, 17, 20, 22, 26, 38]


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return load_explainer("mp-crystal")


def by_name(explanation: Explanation) -> dict[str, Attribution]:
    return {found.spec.name: found for found in explanation.explained.attributions}


@pytest.mark.parametrize("crystal", [SALT, FLUORITE, PEROVSKITE], ids=["NaCl", "CaF2", "SrTiO3"])
def test_contributions_sum_to_the_prediction_minus_the_reference(explainer: Explainer, crystal: Crystal) -> None:
    explanation = explainer.explain(crystal)
    for name, found in by_name(explanation).items():
        difference = found.value - found.reference
        assert abs(found.contributions.total - difference) <= 0.01 * abs(difference), name
        assert found.complete
        assert found.steps >= FIRST_STEPS
        spec = found.spec  # the value is the prediction before it is cut at its bounds
        cut = np.clip(found.value, spec.lower, spec.upper)
        assert explanation.predictions[name].mean[0] == pytest.approx(cut, rel=1e-4, abs=2e-3)


def test_elements_bonds_and_the_cut_make_the_whole_difference(explainer: Explainer) -> None:
    explanation = explainer.explain(PEROVSKITE)
    for found in explanation.explained.attributions:
        elements = explanation.elements(found)
        assert [part.number for part in elements] == [8, 22, 38]
        total = sum(part.total for part in elements) + sum(part.value for part in explanation.others(found))
        prediction = explanation.predictions[found.spec.name].mean[0]
        assert found.reference + total == pytest.approx(prediction, abs=0.011 * abs(found.value - found.reference))
        kinds = explanation.bond_kinds(found)
        assert sum(kind.total for kind in kinds) == pytest.approx(found.contributions.bonds.sum())
        titanium = next(kind for kind in kinds if kind.name == "O-Ti")
        assert (titanium.distance, titanium.count) == (1.98, 6)


def test_equivalent_atoms_and_bonds_get_equal_shares(explainer: Explainer) -> None:
    for found in explainer.explain(PEROVSKITE).explained.attributions:
        atoms = found.contributions.atoms
        np.testing.assert_allclose(atoms[2:], atoms[2], rtol=1e-4, atol=1e-7)
    explanation = explainer.explain(FLUORITE, properties=["band_gap"])
    bonds, found = explanation.explained.bonds, by_name(explanation)["band_gap"]
    nearest = np.isclose(bonds.distances, bonds.distances.min(), atol=1e-3)
    values = found.contributions.bonds[nearest]
    assert len(values) == 8
    np.testing.assert_allclose(values, values[0], rtol=1e-4)


def test_a_doubled_cell_halves_each_atom_and_keeps_the_sums(explainer: Explainer) -> None:
    single, double = explainer.explain(SALT), explainer.explain(doubled(SALT))
    for one, two in zip(single.explained.attributions, double.explained.attributions, strict=True):
        assert two.value == pytest.approx(one.value, rel=1e-4, abs=1e-5)
        assert two.reference == pytest.approx(one.reference, rel=1e-9)
        for name in ("atoms", "bonds"):
            whole, again = getattr(one.contributions, name), getattr(two.contributions, name)
            assert again.sum() == pytest.approx(whole.sum(), rel=1e-3)
        halves = np.concatenate([one.contributions.atoms, one.contributions.atoms]) / 2
        np.testing.assert_allclose(two.contributions.atoms, halves, rtol=1e-3)


def test_an_incomplete_attribution_says_so(explainer: Explainer) -> None:
    found = explainer.explain(SALT, properties=["band_gap"]).explained.attributions[0]
    parts = replace(found.contributions, atoms=found.contributions.atoms * 1.5)
    broken = replace(found, contributions=parts)
    assert not broken.complete
    expected = abs(found.contributions.atoms.sum() * 0.5) / abs(found.value - found.reference)
    assert broken.completeness_error == pytest.approx(expected, rel=0.05)


def test_only_the_properties_asked_for_and_unknown_ones_are_refused(explainer: Explainer) -> None:
    assert list(by_name(explainer.explain(SALT, properties=["bulk_modulus"]))) == ["bulk_modulus"]
    with pytest.raises(InputError, match="did you mean 'band_gap'"):
        explainer.explain(SALT, properties=["band_gpa"])


def subject(structure: Crystal | Composition, temperature: float = 450.0) -> Subject:
    return Subject(graph=build_graph(structure), conditions=(temperature, 1.0), steps=STEPS)


@pytest.mark.parametrize(
    "structure", [SALT, MIXED, Composition.from_formula("Li6PS5Cl")], ids=["NaCl", "mixed", "formula"]
)
def test_every_input_of_a_model_with_conditions_is_charged(structure: Crystal | Composition) -> None:
    models = [for_probing(untrained(seed)) for seed in (0, 1)]
    material = subject(structure)
    explained = explain_subject(models, material, ELEMENTS)
    names = ["conductivity", "activation_energy", "energy", "metal=no", "metal=yes"]
    assert [found.spec.name for found in explained.attributions] == names
    for found in explained.attributions:
        assert found.complete
        assert all(np.isfinite(values).all() for values in found.contributions.arrays())
        assert len(found.contributions.conditions) == 3
        assert (found.contributions.conditions[1:] != 0).all()
        by_law = found.spec.name == "conductivity"  # the temperature of a law acts by the law alone
        assert (found.contributions.conditions[0] != 0) == by_law
        assert len(found.contributions.fractions) == 119
    no, yes = explained.attributions[3:]
    np.testing.assert_allclose(no.contributions.atoms, -yes.contributions.atoms, atol=1e-9)
    assert no.value + yes.value == pytest.approx(1.0)


def test_the_probe_is_the_model_and_its_reference_knows_nothing() -> None:
    model, warm, cold = for_probing(untrained()), subject(SALT), subject(FLUORITE, 300.0)
    probe, other = Probe(model, warm, ELEMENTS), Probe(model, cold, ELEMENTS)
    predicted = model.predict(warm.batch()).properties
    values = probe(*probe.inputs)[0]
    for column, spec in enumerate(probed_specs(model)):
        assert values[column].item() == pytest.approx(predicted[spec.name].mean[0], rel=1e-9)
    ground, again = probe(*probe.reference)[0], other(*other.reference)[0]
    intensive = [0, 1, 3, 4]
    torch.testing.assert_close(ground[intensive], again[intensive])
    assert ground[2] / 2 == pytest.approx(again[2] / 3)  # an extensive one counts the atoms


def test_a_known_temperature_is_charged_through_its_law() -> None:
    """With conditions that do not enter the state, the law alone carries the temperature, and that exactly."""
    model = for_probing(untrained())
    for module in (model.network.conditions.hidden, model.network.conditions.out):  # type: ignore[union-attr]
        torch.nn.init.zeros_(module.weight)
    found = explain_subject([model], subject(SALT), ELEMENTS, ["conductivity"]).attributions[0]
    frozen = explain_subject([model], subject(SALT, 300.0), ELEMENTS, ["conductivity"]).attributions[0]
    assert frozen.contributions.conditions[0] == pytest.approx(0.0, abs=1e-12)
    assert found.contributions.conditions[0] > 0
    np.testing.assert_allclose(found.contributions.conditions[1:], 0.0, atol=1e-12)


def test_a_law_without_its_temperature_is_refused() -> None:
    with pytest.raises(InputError, match="conductivity follows a law of temperature"):
        explain_subject([for_probing(untrained())], subject(SALT, np.nan), ELEMENTS)
