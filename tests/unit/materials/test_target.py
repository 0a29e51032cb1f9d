from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.materials.properties import KNOWN_PROPERTIES, PropertySpec, parse_target_column
from matwright.materials.target import Target, TargetKind, parse_target


@pytest.mark.parametrize(
    ("text", "kind", "lower", "upper"),
    [
        ("bulk_modulus>=200 GPa", TargetKind.MINIMUM, 200.0, None),
        ("bulk_modulus > 0.2 TPa", TargetKind.MINIMUM, 200.0, None),
        ("e_above_hull<=50 meV/atom", TargetKind.MAXIMUM, None, 0.05),
        ("band_gap=1.5±0.3 eV", TargetKind.VALUE, 1.2, 1.8),
        ("band_gap=1.5+-0.3eV", TargetKind.VALUE, 1.2, 1.8),
        ("band_gap = 1.2..1.8 eV", TargetKind.RANGE, 1.2, 1.8),
        ("formation_energy=-1..-.5 eV/atom", TargetKind.RANGE, -1.0, -0.5),
        ("poisson_ratio<=.3", TargetKind.MAXIMUM, None, 0.3),
        ("melting_temperature=100±10 °C", TargetKind.VALUE, 363.15, 383.15),
        ("minimize e_above_hull", TargetKind.MINIMISE, None, None),
        ("maximise bulk_modulus", TargetKind.MAXIMISE, None, None),
    ],
)
def test_reads_what_users_write(text: str, kind: TargetKind, lower: float | None, upper: float | None) -> None:
    target = parse_target(text)
    assert target.kind is kind
    assert target.unit == KNOWN_PROPERTIES[target.name].unit
    for found, expected in ((target.lower, lower), (target.upper, upper)):
        assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bandgp>=1 eV", "did you mean 'band_gap'"),
        ("band_gap>=1", "no unit"),
        ("band_gap>=1 GPa", "found 'GPa'"),
        ("band_gap>=1 eW", "no unit 'eW'"),
        ("band_gap=1.5 eV", "tolerance or a range"),
        ("band_gap>=1±2 eV", "bound and a tolerance"),
        ("band_gap=2..1 eV", "above the upper bound"),
        ("bulk_modulus>=5000 GPa", "cannot be met"),
        ("band_gap<=-1 eV", "cannot be met"),
        ("hello", "cannot be read"),
        ("minimise hello", "no property"),
    ],
)
def test_refuses_with_one_clear_sentence(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_target(text)
    assert "\n" not in str(caught.value)


NUMBERS = st.integers(0, 30000).map(lambda n: n / 1000)


@given(st.sampled_from(list(TargetKind)), NUMBERS, NUMBERS)
def test_the_text_of_a_target_reads_back_to_it(kind: TargetKind, first: float, width: float) -> None:
    text = {
        TargetKind.MINIMUM: f"band_gap>={first} eV",
        TargetKind.MAXIMUM: f"band_gap<={first} eV",
        TargetKind.RANGE: f"band_gap={first}..{first + width!r} eV",
        TargetKind.VALUE: f"band_gap={first}±{width} eV",
        TargetKind.MINIMISE: "minimise band_gap",
        TargetKind.MAXIMISE: "maximise band_gap",
    }[kind]
    target = parse_target(text)
    assert target.kind is kind
    assert parse_target(str(target)) == target


def test_distance_is_zero_inside_and_linear_outside() -> None:
    target = parse_target("band_gap=1..2 eV")
    np.testing.assert_allclose(target.distance([0.5, 1.0, 1.5, 2.0, 3.0, np.nan]), [0.5, 0, 0, 0, 1.0, np.nan])
    assert target.satisfied([0.5, 1.5, np.nan]).tolist() == [False, True, False]
    assert target.centre == 1.5
    assert parse_target("minimise band_gap").distance(np.ones((2, 3))).tolist() == [[0, 0, 0]] * 2


def test_an_own_property_can_be_a_target() -> None:
    known = {"colour": PropertySpec(name="colour", unit="nm")}
    assert parse_target("colour<=0.5 µm", known).upper == pytest.approx(500)


def test_impossible_targets_cannot_be_built() -> None:
    with pytest.raises(InputError):
        Target(name="x", unit="1", kind=TargetKind.MINIMUM)
    with pytest.raises(InputError):
        Target(name="x", unit="1", kind=TargetKind.MINIMUM, lower=float("nan"))


def test_a_target_column_has_a_known_unit_and_bounds() -> None:
    spec = parse_target_column("bulk_modulus:kbar")
    assert (spec.unit, spec.lower, spec.upper) == ("kbar", 0.0, pytest.approx(10000.0))
    assert parse_target_column("hardness:GPa") == PropertySpec(name="hardness", unit="GPa")
    for wrong, says in [("band_gap", "band_gap:eV"), ("band_gap:K", "found 'K'"), ("x:foo", "no unit 'foo'")]:
        with pytest.raises(InputError, match=says):
            parse_target_column(wrong)
