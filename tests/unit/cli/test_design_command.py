from __future__ import annotations

from matwright.cli.design import _with_interval
from matwright.screening.rung import Measurement


def test_a_survivor_below_its_target_shows_the_interval_that_reaches_it() -> None:
    modulus = Measurement(name="bulk_modulus", value=198.2, unit="GPa", lower=175.4, upper=222.0, level=0.9)
    assert _with_interval(modulus) == "bulk_modulus 198 GPa (175 to 222)"
    assert _with_interval(Measurement(name="density", value=4.0, unit="g/cm^3")) == "density 4 g/cm^3"
