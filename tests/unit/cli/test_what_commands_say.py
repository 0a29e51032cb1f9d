from __future__ import annotations

import pytest

from matwright.cli import main
from matwright.cli.design import _with_interval
from matwright.materials.target import parse_target
from matwright.screening.rung import Measurement


def test_a_survivor_below_its_target_shows_the_interval_that_reaches_it() -> None:
    modulus = Measurement(name="bulk_modulus", value=198.2, unit="GPa", lower=175.4, upper=222.0, level=0.9)
    assert _with_interval(modulus) == "bulk_modulus 198 GPa (175 to 222)"
    figure = Measurement(name="zt", value=0.643, unit="1", lower=0.241, upper=1.05, level=0.9)
    assert _with_interval(figure) == "zt 0.643 (0.241 to 1.05)"
    assert _with_interval(Measurement(name="density", value=4.0, unit="g/cm^3")) == "density 4 g/cm^3"


def test_the_help_of_optimise_names_the_models_that_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    from matwright.api.optimise import OptimiseSettings

    assert main(["optimise", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    models = OptimiseSettings(targets=(parse_target("band_gap>=1 eV"),)).models
    assert f"[default: {' and '.join(models)}]" in shown
