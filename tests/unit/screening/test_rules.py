"""Rules, thresholds and the cascade on crystals that break exactly one rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.cascade import apply_rules, passed, residual_total, screen
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
    assert passed(verdicts)
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
    allowed = Thresholds(noble_gases=True, charge_balance=False)
    assert passed(apply_rules(helium, allowed))
    assert not passed(apply_rules(CAESIUM_CHLORIDE, Thresholds(max_volume_per_atom=20.0)))


def test_a_disordered_crystal_is_rejected_not_raised() -> None:
    disordered = Crystal(
        lattice=np.eye(3) * 3,
        frac_coords=np.zeros((1, 3)),
        numbers=np.array([29]),
        occupancies=(((29, 0.5), (79, 0.5)),),
    )
    (verdicts,) = screen([disordered], Thresholds())
    assert not passed(verdicts)
    assert "disordered" in verdicts[-1].reason


def test_thresholds_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.toml"
    path.write_text("[thresholds]\nmin_distance = 1.2\ncharge_balance = false\n", encoding="utf-8")
    found = load_thresholds(path)
    assert found == Thresholds(min_distance=1.2, charge_balance=False)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"min_distanse": 1.0}, "did you mean 'min_distance'"),
        ({"min_distance": -1.0}, "at least 0"),
        ({"min_distance": "far"}, "number"),
        ({"charge_balance": 1}, "type bool"),
        ({"min_density": 30.0}, "below max_density"),
        ({"min_density": float("nan")}, "at least 0"),
    ],
)
def test_wrong_thresholds_say_what_is_wrong(table: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        thresholds_from_mapping(table)


def test_a_file_without_the_table_or_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("a = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="no table"):
        load_thresholds(path)
    path.write_text("a = = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="TOML"):
        load_thresholds(path)
