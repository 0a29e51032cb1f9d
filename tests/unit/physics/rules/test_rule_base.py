"""The rule base on materials whose answer a textbook gives, and its laws on any."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prototypes import perovskite, rock_salt, rutile, zinc_blende

from matwright.elements import SYMBOLS
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.formula import parse_formula
from matwright.materials.material import Structure
from matwright.physics.chemistry import is_alloy, is_charge_balanced, likely_states, neutral_states
from matwright.physics.rules.base import REFERENCES, explained_verdicts
from matwright.physics.rules.coordination import effective_weights
from matwright.physics.rules.radii import bond_valence_length, ionic_radius
from matwright.physics.rules.verdict import Outcome, RuleVerdict


def verdicts(structure: Structure | str) -> dict[str, RuleVerdict]:
    given = Composition.from_formula(structure) if isinstance(structure, str) else structure
    return {verdict.rule: verdict for verdict in explained_verdicts(given)}


@pytest.mark.parametrize(
    ("formula", "states"),
    [
        ("NaCl", "Na+ Cl-"),
        ("LiFePO4", "Li+ Fe2+ P5+ O2-"),
        ("Fe3O4", "Fe2.67+ O2-"),
        ("YBa2Cu3O7", "Ba2+ Y3+ Cu2.33+ O2-"),
        ("Na2O2", "Na+ O-"),
    ],
)
def test_likely_states_are_those_of_the_textbook(formula: str, states: str) -> None:
    found = likely_states(parse_formula(formula))
    assert found is not None
    assert str(found) == states
    assert found.mixed == ("." in states)


def test_what_cannot_be_neutral_has_no_states() -> None:
    assert likely_states(parse_formula("NaCl7")) is None
    verdict = verdicts("NaCl7")["charge_neutrality"]
    assert verdict.outcome is Outcome.BROKEN
    assert verdict.value == 6.0  # Na+ and seven Cl-
    assert "NaCl7" in verdict.reason


@given(
    st.dictionaries(st.sampled_from([1, 3, 7, 8, 9, 11, 12, 13, 14, 16, 17, 20, 26, 29, 30]), st.integers(1, 6),
                    min_size=2, max_size=4)
)  # fmt: skip
def test_one_state_an_element_agrees_with_the_published_test(counts: dict[int, int]) -> None:
    divisor = math.gcd(*counts.values())
    counts = {number: count // divisor for number, count in counts.items()}
    found = neutral_states(counts)
    for choice in found:
        assert sum(counts[number] * state for number, state in choice.states.items()) == 0
    passes = is_alloy(counts) or any(choice.margin > 0 for choice in found)
    assert passes == is_charge_balanced(counts)
    assert not found or (found[0].margin > 0) == any(choice.margin > 0 for choice in found)  # the sensible come first


def test_rock_salt_keeps_the_rules_of_ionic_crystals() -> None:
    found = verdicts(rock_salt("Na", "Cl", 5.64))
    for rule in ("charge_neutrality", "electronegativity_balance", "pauling_1_radius_ratio", "pauling_2_valence_sum",
                 "pauling_5_parsimony", "bond_valence"):  # fmt: skip
        assert found[rule].outcome is Outcome.HOLDS, rule
    assert found["pauling_2_valence_sum"].value == pytest.approx(0.0)
    assert found["electronegativity_balance"].value == pytest.approx(3.16 - 0.93)


def test_a_compound_that_lacks_an_electron_has_no_usual_valences() -> None:
    """K+ Y3+ Ag+ 3 Se2- lacks one; with Ag2+ it is neutral, which is what the rules of neutrality accept."""
    complete, lacking = verdicts("KYCdSe3")["usual_valence"], verdicts("KYAgSe3")
    assert complete.outcome is Outcome.HOLDS
    assert lacking["charge_neutrality"].outcome is Outcome.HOLDS
    assert lacking["usual_valence"].outcome is Outcome.BROKEN
    assert lacking["usual_valence"].reason.endswith("the likeliest have 0.015")
    assert verdicts("BaLuMgTe3")["usual_valence"].reason.endswith("none make it neutral")
    assert {verdicts(formula)["usual_valence"].outcome for formula in ("Si", "MgAl")} == {Outcome.DOES_NOT_APPLY}


def test_the_bond_valence_of_rock_salt_is_that_of_the_formula() -> None:
    length = bond_valence_length(11, 17)
    assert length is not None
    each = math.exp((length - 2.82) / 0.37)
    assert verdicts(rock_salt("Na", "Cl", 5.64))["bond_valence"].value == pytest.approx(abs(6 * each - 1.0))


def test_a_cation_too_small_for_its_neighbours_is_told() -> None:
    broken = verdicts(rock_salt("Be", "O", 3.65))["pauling_1_radius_ratio"]
    assert broken.outcome is Outcome.BROKEN
    assert "Be with 6 neighbours" in broken.reason
    assert verdicts(zinc_blende("Be", "O", 3.80))["pauling_1_radius_ratio"].outcome is Outcome.HOLDS


def test_exchanged_ions_break_the_valence_rules() -> None:
    right, wrong = perovskite("Sr", "Ti", "O", 3.905), perovskite("Ti", "Sr", "O", 3.905)
    assert verdicts(right)["bond_valence"].value < 0.2
    assert verdicts(wrong)["bond_valence"].value > 0.8
    found = verdicts(rutile("Ti", "O", 4.594, 2.959, 0.305))
    assert found["pauling_2_valence_sum"].value == pytest.approx(0.0)
    assert found["pauling_5_parsimony"].reason == "Ti has 6 neighbours"


def test_tolerance_factors_of_strontium_titanate() -> None:
    radii = [ionic_radius(38, 2, 12), ionic_radius(22, 4, 6), ionic_radius(8, -2, 6)]
    assert radii == [1.44, 0.605, 1.4]  # Å, Shannon 1976
    for structure in ("SrTiO3", perovskite("Sr", "Ti", "O", 3.905)):
        found = verdicts(structure)
        assert found["goldschmidt_tolerance"].value == pytest.approx(2.84 / (math.sqrt(2) * 2.005))
        ratio = 1.44 / 0.605
        assert found["bartel_tolerance"].value == pytest.approx(1.4 / 0.605 - 2 * (2 - ratio / math.log(ratio)))
        assert found["octahedral_factor"].value == pytest.approx(0.605 / 1.4)
        assert all(found[rule].outcome is Outcome.HOLDS for rule in
                   ("goldschmidt_tolerance", "bartel_tolerance", "octahedral_factor"))  # fmt: skip


def test_perovskite_rules_speak_of_perovskites_only() -> None:
    assert verdicts("MgO")["goldschmidt_tolerance"].outcome is Outcome.DOES_NOT_APPLY
    assert verdicts("MgSiO3")["goldschmidt_tolerance"].applies
    swapped = verdicts(perovskite("Ti", "Sr", "O", 3.905))["goldschmidt_tolerance"]
    assert swapped.outcome is Outcome.DOES_NOT_APPLY
    assert "no perovskite" in swapped.reason
    double = verdicts("Ba2YTaO6")["goldschmidt_tolerance"]
    assert double.outcome is Outcome.HOLDS
    assert "B = Y and Ta" in double.reason


@pytest.mark.parametrize(
    ("formula", "rule", "value", "holds"),
    [
        ("CuZn", "hume_rothery_electrons", 1.5, True),
        ("Cu5Zn8", "hume_rothery_electrons", 21 / 13, True),
        ("Cu7Zn6", "hume_rothery_electrons", 19 / 13, True),
        ("CuZn2", "hume_rothery_electrons", 5 / 3, False),
        ("CoCrFeMnNi", "valence_electron_concentration", 8.0, True),
        ("NbMoTaW", "valence_electron_concentration", 5.5, True),
        ("AlCoCrFeNi", "valence_electron_concentration", 7.2, False),
    ],
)
def test_electron_counts_of_alloys(formula: str, rule: str, value: float, holds: bool) -> None:
    verdict = verdicts(formula)[rule]
    assert verdict.value == pytest.approx(value)
    assert (verdict.outcome is Outcome.HOLDS) == holds


def test_sizes_of_alloys() -> None:
    found = verdicts("CuNi")["hume_rothery_size"]
    assert found.outcome is Outcome.HOLDS
    assert found.value == pytest.approx((7.11 / 6.59) ** (1 / 3) - 1)
    assert verdicts("KCu")["hume_rothery_size"].outcome is Outcome.BROKEN
    assert verdicts("KCu")["charge_neutrality"].outcome is Outcome.DOES_NOT_APPLY
    assert verdicts("CuNi")["size_mismatch"].outcome is Outcome.DOES_NOT_APPLY


def test_a_solid_element_and_a_covalent_compound_are_left_alone() -> None:
    assert not any(verdict.applies for verdict in explained_verdicts(Composition.from_formula("Si")))
    found = verdicts(zinc_blende("Ga", "As", 5.65))
    assert not found["pauling_1_radius_ratio"].applies
    assert "electronegativity" in found["pauling_1_radius_ratio"].reason


@given(st.lists(st.sampled_from(range(1, 104)), min_size=1, max_size=5, unique=True), st.data())
def test_every_verdict_is_whole(numbers: list[int], data: st.DataObject) -> None:
    amounts = {number: float(data.draw(st.integers(1, 9))) for number in numbers}
    structure: Structure = Composition.from_amounts(amounts)
    if data.draw(st.booleans()):
        n_sites = data.draw(st.integers(len(numbers), 8))
        rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
        sites = np.array([*numbers, *rng.choice(numbers, n_sites - len(numbers))])
        structure = Crystal(lattice=np.diag(rng.uniform(3, 9, 3)), frac_coords=rng.random((n_sites, 3)), numbers=sites)
    found = explained_verdicts(structure)
    assert [verdict.rule for verdict in found] == list(REFERENCES)
    for verdict in found:
        assert verdict.reason
        assert verdict.reference.text
        if verdict.outcome is Outcome.HOLDS:
            assert verdict.lower is None or verdict.value >= verdict.lower
            assert verdict.upper is None or verdict.value <= verdict.upper
            assert (verdict.lower, verdict.upper) != (None, None)


def test_verdicts_do_not_depend_on_cell_or_order() -> None:
    one = rutile("Ti", "O", 4.594, 2.959, 0.305)
    order = np.array([3, 0, 5, 1, 4, 2])
    images = np.concatenate([one.frac_coords * [1, 1, 0.5], one.frac_coords * [1, 1, 0.5] + [0, 0, 0.5]])
    double = Crystal(
        lattice=one.lattice * np.array([[1.0], [1.0], [2.0]]),
        frac_coords=images[np.concatenate([order, order + 6])] + 0.1,
        numbers=np.tile(one.numbers, 2)[np.concatenate([order, order + 6])],
    )
    for first, second in zip(explained_verdicts(one), explained_verdicts(double), strict=True):
        assert first.outcome is second.outcome
        assert first.value == pytest.approx(second.value, nan_ok=True, abs=1e-9)


def test_effective_coordination_counts_equal_neighbours_and_forgets_far_ones() -> None:
    assert effective_weights(np.full(6, 2.1)).sum() == pytest.approx(6.0)
    assert effective_weights(np.array([2.0, 2.0, 2.0, 2.0, 4.0, 4.0])).sum() == pytest.approx(4.0, abs=1e-3)


def test_a_radius_between_two_states_is_interpolated() -> None:
    two, three = ionic_radius(26, 2, 6), ionic_radius(26, 3, 6)
    assert (two, three) == (0.78, 0.645)
    assert ionic_radius(26, 2.5, 6) == pytest.approx((0.78 + 0.645) / 2)
    assert ionic_radius(1, -1, 6) is None
    assert SYMBOLS[26] == "Fe"
