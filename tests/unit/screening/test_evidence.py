"""The dear rungs of the cascade under a real potential: verdicts, measurements, failures as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata

import numpy as np
import pytest
from calculators import BCC, FCC, copper, effective_medium

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.physics.elasticity import COMPONENT_NAMES, components
from matwright.screening.evidence import ElasticStage, EquationOfStateStage, PhononStage
from matwright.screening.limits import PhononLimits, SpecimenLimits
from matwright.screening.potential import Failure, PointResult, load_potential
from matwright.screening.rung import Measurement, Rung
from matwright.screening.specimen import SpecimenStage
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict

SMALL = Thresholds(phonon=PhononLimits(min_length=6.0), specimen=SpecimenLimits(elements=3))


@dataclass(frozen=True)
class Climbing:
    crystal: Crystal
    verdicts: tuple[Verdict, ...] = ()
    taken: dict[str, float] = field(default_factory=dict)

    def measured(self, name: str) -> Measurement | None:
        return Measurement(name=name, value=self.taken[name], unit="GPa") if name in self.taken else None


def tensor(stiffness: np.ndarray, prefix: str = "") -> dict[str, float]:
    return {f"{prefix}{n}": float(v) for n, v in zip(COMPONENT_NAMES, components(stiffness), strict=True)}


def isotropic(young: float, poisson: float) -> np.ndarray:
    compliance = np.diag([1.0, 1.0, 1.0, *[2 * (1 + poisson)] * 3]) / young
    compliance[:3, :3] -= poisson / young * (1 - np.eye(3))
    return np.linalg.inv(compliance)


def measured(rung: Rung, name: str) -> float:
    found = rung.measured(name)
    assert found is not None
    assert found.value is not None
    return found.value


def test_stable_and_unstable_copper_up_the_dear_rungs() -> None:
    potential = effective_medium()
    face, body = Climbing(copper(3.6 * FCC)), Climbing(copper(2.9 * BCC))
    elastic = ElasticStage(potential=potential, thresholds=SMALL).climb([face, body])
    assert [climb.rung.passed for climb in elastic] == [True, False]
    assert "least_eigenvalue" in elastic[1].rung.reason
    assert elastic[0].relaxed is not None
    assert measured(elastic[0].rung, "elastic_bulk_modulus") == pytest.approx(134, abs=3)
    assert elastic[1].rung.measured("elastic_bulk_modulus") is None  # an unstable crystal has no averages
    squeezed = EquationOfStateStage(potential=potential, thresholds=SMALL).climb([face])
    assert squeezed[0].rung.passed
    assert measured(squeezed[0].rung, "bulk_modulus_eos") == pytest.approx(134, abs=3)
    shaken = PhononStage(potential=potential, thresholds=SMALL).climb([face, body])
    assert [climb.rung.passed for climb in shaken] == [True, False]
    (verdict,) = shaken[1].rung.verdicts
    assert verdict.residual == pytest.approx(-measured(shaken[1].rung, "lowest_frequency") - 0.1)
    assert "at q = (" in verdict.reason


def test_a_crystal_that_the_potential_does_not_know_fails_alone() -> None:
    unknown = Climbing(Crystal(lattice=3 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([92])))
    for stage in (ElasticStage, EquationOfStateStage, PhononStage):
        climbs = stage(potential=effective_medium(), thresholds=SMALL).climb([unknown, Climbing(copper(3.6 * FCC))])
        assert [climb.rung.passed for climb in climbs] == [False, True]
        assert climbs[0].rung.verdicts == ()
        assert "emt failed" in climbs[0].rung.reason


def test_a_specimen_is_solved_with_the_best_tensor_known() -> None:
    soft, stiff = tensor(isotropic(10.0, 0.3), "predicted_"), tensor(isotropic(200.0, 0.3))
    climber = Climbing(copper(3.6 * FCC), taken=soft | stiff)
    (climb,) = SpecimenStage(thresholds=SMALL).climb([climber])
    assert climb.rung.passed
    assert [verdict.rule for verdict in climb.rung.verdicts] == [
        "specimen_residual",
        "specimen_boundary",
        "specimen_strain",
    ]
    bar = measured(climb.rung, "specimen_stiffness")
    assert 200.0 < bar < 215.0  # the clamp stiffens the bar a little
    assert measured(climb.rung, "specimen_energy") == pytest.approx(-1e3 * 0.5 * 0.1**2 / bar, rel=1e-3)
    (predicted,) = SpecimenStage(thresholds=SMALL).climb([Climbing(climber.crystal, taken=soft)])
    assert measured(predicted.rung, "specimen_stiffness") == pytest.approx(bar / 20, rel=1e-6)


def test_a_specimen_that_yields_too_much_or_has_no_equilibrium() -> None:
    jelly = tensor(isotropic(0.5, 0.3))
    unstable = tensor(np.diag([100.0, 100.0, 100.0, 50.0, 50.0, -1.0]))
    stage = SpecimenStage(thresholds=SMALL)
    climbs = stage.climb([Climbing(copper(3.6 * FCC), taken=taken) for taken in (jelly, unstable, {})])
    reasons = [climb.rung.reason for climb in climbs]
    assert not any(climb.rung.passed for climb in climbs)
    assert "specimen_strain" in reasons[0]
    assert "not positive definite" in reasons[1]
    assert "climb the rung elastic" in reasons[2]


def test_any_ase_calculator_comes_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = metadata.EntryPoint(name="emt", value="ase.calculators.emt:EMT", group="matwright.potentials")
    real = metadata.entry_points

    def offered(**how: str) -> object:
        return [entry] if how.get("group") == "matwright.potentials" else real(**how)

    monkeypatch.setattr(metadata, "entry_points", offered)
    (found,) = load_potential("emt").evaluate([copper(3.6 * FCC)])
    (expected,) = effective_medium().evaluate([copper(3.6 * FCC)])
    assert isinstance(found, PointResult)
    assert not isinstance(expected, Failure)
    assert found.energy == expected.energy
    with pytest.raises(InputError, match="choose one of chgnet, sevennet-0, emt"):
        load_potential("emu")


@pytest.fixture(scope="module")
def chgnet() -> object:
    return load_potential("chgnet")


KNOWN = {
    "Si": (5.43, (14, 14), 0.25, (118, 48, 42)),
    "MgO": (4.21, (12, 8), 0.5, (213, 81, 87)),
    "Cu": (3.61, (29,), 0.0, (204, 176, 53)),
    "NaCl": (5.64, (11, 17), 0.5, None),
}
"""Lattice constant in Å, elements, place of the second atom; c11, c12, c44 in GPa of CHGNet 0.3.0 by matcalc 0.7."""


def known(name: str) -> Climbing:
    edge, numbers, place, _ = KNOWN[name]
    places = np.array([[0.0] * 3, [place] * 3])[: len(numbers)]
    return Climbing(Crystal(lattice=edge * FCC, frac_coords=places, numbers=np.array(numbers)))


def test_chgnet_has_the_constants_found_with_another_program(chgnet: object) -> None:
    names = ["Si", "MgO", "Cu"]
    stage = ElasticStage(potential=chgnet, thresholds=Thresholds())  # type: ignore[arg-type]
    for name, climb in zip(names, stage.climb([known(name) for name in names]), strict=True):
        assert climb.rung.passed
        found = [measured(climb.rung, f"elastic_{c}") for c in ("c11", "c12", "c44")]
        assert found == pytest.approx(KNOWN[name][3], rel=0.03), name


def test_salt_and_silicon_are_dynamically_stable_under_chgnet(chgnet: object) -> None:
    stage = PhononStage(potential=chgnet, thresholds=Thresholds())  # type: ignore[arg-type]
    for climb in stage.climb([known("NaCl"), known("Si")]):
        assert climb.rung.passed
        assert measured(climb.rung, "lowest_frequency") > 0.5
