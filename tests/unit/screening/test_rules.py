"""Rules, thresholds and the cascade on crystals that break exactly one rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.cascade import apply_rules
from matwright.screening.limits import ChemistryLimits, DensityLimits, GeometryLimits, ResidualLimits, SymmetryLimits
from matwright.screening.residual import culprit, residual_total
from matwright.screening.rules import RULES
from matwright.screening.thresholds import Thresholds, load_thresholds, thresholds_from_mapping


def _pair(length: float, numbers: tuple[int, int], shift: float = 0.5) -> Crystal:
    return Crystal(
        lattice=np.eye(3) * length, frac_coords=np.array([[0, 0, 0], [shift] * 3]), numbers=np.array(numbers)
    )


CAESIUM_CHLORIDE = _pair(4.12, (55, 17))


def test_a_known_crystal_passes_every_rule() -> None:
    verdicts = apply_rules(CAESIUM_CHLORIDE, Thresholds())
    assert [verdict.rule for verdict in verdicts] == list(RULES)
    assert culprit(verdicts) is None
    assert residual_total(verdicts) == 0.0
    assert all(verdict.reason == "" and verdict.seconds >= 0 for verdict in verdicts)


@pytest.mark.parametrize(
    ("crystal", "rule"),
    [
        (_pair(1.7, (55, 17)), "min_volume_per_atom"),
        (_pair(9.0, (55, 17)), "max_volume_per_atom"),
        (_pair(5.5, (1, 1)), "min_density"),
        (_pair(2.6, (79, 78)), "max_density"),
        (_pair(4.0, (23, 2)), "noble_gases"),
        (_pair(4.12, (55, 17), shift=0.05), "min_distance"),
        (_pair(4.12, (55, 35), shift=0.13), "min_distance_share"),
        (_pair(4.12, (56, 9)), "charge_balance"),
    ],
)
def test_the_first_broken_rule_rejects_with_a_reason(crystal: Crystal, rule: str) -> None:
    verdicts = apply_rules(crystal, Thresholds())
    assert verdicts[-1].rule == rule
    assert [verdict.passed for verdict in verdicts] == [True] * (len(verdicts) - 1) + [False]
    assert verdicts[-1].residual > 0
    assert verdicts[-1].reason


def test_all_rules_can_be_asked_for() -> None:
    verdicts = apply_rules(_pair(1.7, (2, 17)), Thresholds(), stop_at_first=False)
    assert len(verdicts) == len(RULES)
    assert sum(not verdict.passed for verdict in verdicts) >= 2


def test_the_residual_is_the_distance_to_the_limit() -> None:
    (verdict,) = apply_rules(_pair(4.12, (55, 17), shift=0.05), Thresholds(), rules={"d": RULES["min_distance"]})
    assert verdict.value == pytest.approx(0.05 * 4.12 * 3**0.5)
    assert verdict.residual == pytest.approx(verdict.threshold - verdict.value)
    assert verdict.unit == "Å"


def test_the_user_sets_the_thresholds() -> None:
    helium = _pair(4.0, (23, 2))
    allowed = Thresholds(chemistry=ChemistryLimits(noble_gases=True, charge_balance=False))
    assert all(verdict.passed for verdict in apply_rules(helium, allowed))
    dense = Thresholds(density=DensityLimits(max_volume_per_atom=20.0))
    assert not apply_rules(CAESIUM_CHLORIDE, dense)[-1].passed


def test_symmetry_is_asked_for_only_where_the_user_does() -> None:
    cube, skewed = CAESIUM_CHLORIDE, _pair(4.12, (55, 17), shift=0.4)
    asked = Thresholds(symmetry=SymmetryLimits(min_operations=24))
    assert "min_operations" not in {verdict.rule for verdict in apply_rules(cube, Thresholds())}
    assert apply_rules(cube, asked)[-1].value == 48
    assert [v.rule for v in apply_rules(skewed, asked) if not v.passed] == ["min_operations"]


def test_a_rule_of_the_rule_base_rejects_where_it_is_named() -> None:
    named = Thresholds(chemistry=ChemistryLimits(rule_base=("electronegativity_balance", "hume_rothery_size")))
    salt = {verdict.rule: verdict for verdict in apply_rules(CAESIUM_CHLORIDE, named)}
    assert salt["electronegativity_balance"].value > 2
    assert salt["hume_rothery_size"].passed
    assert "does not apply" in salt["hume_rothery_size"].reason
    alloy = apply_rules(_pair(3.6, (55, 29)), named)  # caesium and copper differ much in size
    assert alloy[-1].rule == "hume_rothery_size"
    assert alloy[-1].residual == pytest.approx(alloy[-1].value - alloy[-1].threshold)


def test_the_total_residual_is_in_units_of_the_thresholds() -> None:
    tight = Thresholds(geometry=GeometryLimits(min_distance=4.0), density=DensityLimits(min_density=5.0))
    verdicts = apply_rules(CAESIUM_CHLORIDE, tight, stop_at_first=False)
    broken = {verdict.rule: verdict.residual for verdict in verdicts if not verdict.passed}
    assert set(broken) == {"min_density", "min_distance"}
    expected = broken["min_density"] / 5.0 + broken["min_distance"] / 4.0
    assert residual_total(verdicts) == pytest.approx(expected)
    assert culprit(verdicts) == next(verdict for verdict in verdicts if not verdict.passed)
    assert culprit(verdicts, ResidualLimits(epsilon=1.01 * expected)) is None
    first_alone = culprit(verdicts, ResidualLimits(epsilon=0.99 * expected))
    assert first_alone is not None
    assert first_alone.rule == "min_distance"
    heavy = ResidualLimits(weights=(("min_density", 0.0), ("min_distance", 3.0)))
    assert residual_total(verdicts, heavy) == pytest.approx(3 * broken["min_distance"] / 4.0)


def test_within_epsilon_a_broken_rule_does_not_stop_the_climb() -> None:
    lenient = Thresholds(density=DensityLimits(min_density=4.0), residual=ResidualLimits(epsilon=0.1))
    verdicts = apply_rules(CAESIUM_CHLORIDE, lenient)
    assert [verdict.rule for verdict in verdicts] == list(RULES)
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == ["min_density"]


def test_a_disordered_crystal_is_rejected_not_raised() -> None:
    disordered = Crystal(
        lattice=np.eye(3) * 3,
        frac_coords=np.zeros((1, 3)),
        numbers=np.array([29]),
        occupancies=(((29, 0.5), (79, 0.5)),),
    )
    verdicts = apply_rules(disordered, Thresholds())
    assert not verdicts[-1].passed
    assert "disordered" in verdicts[-1].reason


def test_thresholds_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.toml"
    text = (
        "[geometry]\nmin_distance = 1.2\n[chemistry]\ncharge_balance = false\n[residual.weights]\nmin_density = 0.5\n"
    )
    path.write_text(text, encoding="utf-8")
    assert load_thresholds(path) == Thresholds(
        geometry=GeometryLimits(min_distance=1.2),
        chemistry=ChemistryLimits(charge_balance=False),
        residual=ResidualLimits(weights=(("min_density", 0.5),)),
    )


def test_the_example_file_is_the_image_of_the_defaults(tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[3] / "configs" / "filter.toml"
    assert example.read_text(encoding="utf-8") == Thresholds().as_toml()
    assert load_thresholds(example) == Thresholds()


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    chosen = Thresholds(
        chemistry=ChemistryLimits(rule_base=("bond_valence", "hume_rothery_size"), noble_gases=True),
        residual=ResidualLimits(epsilon=0.25, weights=(("bond_valence", 0.0), ("fmax", 2.5))),
    )
    path = tmp_path / "mine.toml"
    path.write_text(chosen.as_toml(), encoding="utf-8")
    assert load_thresholds(path) == chosen


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"geometry": {"min_distanse": 1.0}},
            r"did you mean 'min_distance'\?; known: min_distance",
        ),
        ({"conduction": {"min_conductivity": 1.0}}, r"did you mean 'min_ionic_conductivity'\?"),  # it was in mS/cm
        ({"geometri": {}}, r"did you mean 'geometry'\?; known: density"),
        ({"geometry": {"min_density": 1.0}}, r"it stands in \[density\]"),
        ({"geometry": {"min_distance": -1.0}}, "lies in 0 to 10 Å, found -1.0"),
        ({"geometry": {"min_distance": "far"}}, "is a number"),
        ({"geometry": 3}, r"write \[geometry\]"),
        ({"chemistry": {"charge_balance": 1}}, "true or false"),
        ({"chemistry": {"rule_base": ["bond_valense"]}}, "did you mean 'bond_valence'"),
        ({"chemistry": {"rule_base": "bond_valence"}}, "list of names"),
        ({"density": {"min_density": 30.0}}, "below max_density"),
        ({"density": {"min_density": float("nan")}}, "lies in"),
        ({"relaxation": {"max_steps": 2.5}}, "whole number"),
        ({"residual": {"weights": 2.0}}, r"\[residual.weights\]"),
        ({"residual": {"weights": {"fmax": -1}}}, "lies in 0 to inf"),
    ],
)
def test_wrong_thresholds_say_what_is_wrong(tables: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        thresholds_from_mapping(tables)


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("a = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"t.toml: there is no table \[a\]"):
        load_thresholds(path)
    path.write_text("a = = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="TOML"):
        load_thresholds(path)
