from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.units import convert, parse_unit, same_dimension

FAMILIES = [
    ["eV", "meV", "kJ/mol", "kcal/mol", "Ha", "Ry", "J"],
    ["eV/atom", "meV/atom", "kJ/mol/atom"],
    ["GPa", "MPa", "kbar", "eV/Å^3", "N/m^2", "atm"],
    ["K", "degC", "degF", "mK"],
    ["S/cm", "mS cm^-1", "1/(ohm*m)"],
    ["W/mK", "W/(m*K)", "W m⁻¹ K⁻¹", "mW/(cm K)"],
    ["g/cm^3", "kg/m³", "u/Å^3"],
    ["µV/K", "uV/K", "V/K"],
    ["1", "%", "ppm", "wt%"],
    ["h", "min", "s", "day"],
    ["µB/atom", "muB/atom"],
]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    family = draw(st.sampled_from(FAMILIES))
    return draw(st.sampled_from(family)), draw(st.sampled_from(family))


@given(pairs(), st.integers(-(10**9), 10**9).map(lambda n: n / 1000))
def test_conversion_inverts(units: tuple[str, str], value: float) -> None:
    there = convert(value, units[0], units[1])
    scale = abs(value) + 1e4 * (parse_unit(units[0]).offset != parse_unit(units[1]).offset)
    assert convert(there, units[1], units[0]) == pytest.approx(value, rel=1e-9, abs=1e-9 * scale + 1e-12)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1.0, "eV/atom", "meV/atom", 1000.0),
        (1.0, "eV", "kJ/mol", 96.4853321),
        (160.21766208, "GPa", "eV/Å^3", 1.0),
        (25.0, "°C", "K", 298.15),
        (77.0, "degF", "degC", 25.0),
        (1.0, "a0", "Å", 0.529177211),
        (1.0, "g/cm³", "kg m^-3", 1000.0),
        (1.0, "µV/K", "V/K", 1e-6),
        (1.0, "A^3", "Å^3", 1.0),
        (0.5, "h", "min", 30.0),
    ],
)
def test_known_factors(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-8)


def test_arrays_keep_their_shape_and_nan() -> None:
    converted = convert(np.array([[1.0, np.nan]]), "GPa", "MPa")
    np.testing.assert_array_equal(converted, [[1000.0, np.nan]])


def test_per_atom_is_not_per_cell() -> None:
    assert not same_dimension("eV/atom", "eV")
    assert not same_dimension("eV/atom", "eV/f.u.")
    with pytest.raises(InputError, match="different things"):
        convert(1.0, "eV/atom", "eV")


@pytest.mark.parametrize(
    ("wrong", "hint"), [("gpa", "'GPa'"), ("ev/atom", "'eV'"), ("angstroms", "'angstrom'"), ("kelvin", "no unit")]
)
def test_an_unknown_unit_names_the_nearest(wrong: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        parse_unit(wrong)


@pytest.mark.parametrize("wrong", ["", "eV/", "eV/(atom", "eV)", "^2", "eV $"])
def test_a_malformed_unit_is_refused(wrong: str) -> None:
    with pytest.raises(InputError):
        parse_unit(wrong)


def test_logarithms_convert_into_each_other_and_back_to_values() -> None:
    assert convert(-3.0, "log10(S/cm)", "log10(S/m)") == pytest.approx(-1.0)
    assert convert(-3.0, "log10(S/cm)", "S/m") == pytest.approx(0.1)
    assert convert(1e-3, "S/cm", "log10(mS cm^-1)") == pytest.approx(0.0, abs=1e-12)
    found = convert(np.array([1.0, 0.0, -1.0, np.nan]), "MPa", "log10(MPa)")
    np.testing.assert_array_equal(found, [0.0, -np.inf, np.nan, np.nan])
    assert same_dimension("log10(S/cm)", "S/m")
    assert not same_dimension("log10(S/cm)", "S")
    for wrong in ("log10(degC)", "log10(log10(K))", "log10(", "log10()"):
        with pytest.raises(InputError):
            parse_unit(wrong)
