"""Physics residuals: zero where the law holds, positive where it does not, reported by name, and they teach."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matwright.errors import InputError
from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import build_graph
from matwright.graphs.ragged import Labels
from matwright.materials.conditions import ConditionColumn, ConditionSchema
from matwright.materials.crystal import Crystal
from matwright.materials.properties import KNOWN_PROPERTIES, PropertySpec
from matwright.models.config import GemPpmConfig, HeadConfig
from matwright.models.gem_ppm import GemPpm
from matwright.models.residuals import PhysicsResiduals
from matwright.models.scaled import ScaledModel, TargetScale
from matwright.physics import laws

KELVIN = ConditionSchema(columns=(ConditionColumn(name="temperature", unit="degC"),))
SPECS = {name: KNOWN_PROPERTIES[name] for name in KNOWN_PROPERTIES}


def batch(numbers: list[int], temperature: float = float("nan")) -> GraphBatch:
    crystal = Crystal(lattice=np.eye(3) * 4.0, frac_coords=np.arange(len(numbers))[:, None] * 0.3 + np.zeros(3),
                      numbers=np.array(numbers))  # fmt: skip
    return collate([build_graph(crystal)], Labels.of_conditions(np.array([[temperature]])))


def residual(name: str, values: dict[str, float], some: GraphBatch) -> float:
    specs = [SPECS[key] if key in SPECS else PropertySpec(name=key, unit="1") for key in values]
    found = PhysicsResiduals({name: 1.0}, specs, KELVIN)
    means, scale = torch.tensor([list(values.values())]), torch.ones(len(values))
    total, terms = found(means, scale, some)
    assert float(terms[f"residual_{name}"]) == pytest.approx(float(total))
    return float(total) ** 0.5


def test_zt_agrees_with_its_parts() -> None:
    # Bi2Te3 at 300 K: S = 200 µV/K, σ = 1e5 S/m, κ = 1.5 W/(m K) give ZT = 0.8
    parts = {"seebeck_coefficient": 200.0, "electrical_conductivity": 1e3, "thermal_conductivity": 1.5}
    some = batch([83], 300.0 - 273.15)
    assert residual("zt", {"zt": 0.8, **parts}, some) == pytest.approx(0.0, abs=1e-4)
    assert residual("zt", {"zt": 0.3, **parts}, some) == pytest.approx(0.5, abs=1e-4)


def test_zt_says_nothing_without_a_temperature() -> None:
    parts = {"seebeck_coefficient": 200.0, "electrical_conductivity": 1e3, "thermal_conductivity": 1.5}
    assert residual("zt", {"zt": 0.3, **parts}, batch([83])) == 0.0


def test_debye_temperature_of_aluminium() -> None:
    """K = 76 GPa, G = 26 GPa, 16.6 Å³ an atom: θ_D measured 428 K (Kittel), from these moduli about 400 K."""
    theta = laws.debye_temperature(76.0, 26.0, 16.6, 26.98)
    assert 380 < theta < 430
    crystal = batch([13] * 3)
    volume = 64.0 / 3
    exact = laws.debye_temperature(76.0, 26.0, volume, 26.982)
    values = {"bulk_modulus": 76.0, "shear_modulus": 26.0, "debye_temperature": exact}
    assert residual("debye", values, crystal) == pytest.approx(0.0, abs=1e-4)
    assert residual("debye", {**values, "debye_temperature": 2 * exact}, crystal) == pytest.approx(np.log(2), rel=1e-3)


def test_a_law_counts_by_the_share_of_structures_that_it_speaks_of() -> None:
    spec = SPECS["formation_energy_per_atom"]
    crystals = [Crystal(lattice=np.eye(3) * 4.0, frac_coords=np.zeros((1, 3)), numbers=np.array([26]))]
    mixed = Crystal(lattice=np.eye(3) * 4.0, frac_coords=np.array([[0.0] * 3, [0.5] * 3]), numbers=np.array([26, 8]))
    some = collate([build_graph(crystal) for crystal in [*crystals, mixed, mixed, mixed]])
    total, terms = PhysicsResiduals({"elements": 2.0}, [spec], None)(torch.full((4, 1), -0.5), torch.ones(1), some)
    assert float(terms["residual_elements"]) == pytest.approx(0.25)
    assert float(total) == pytest.approx(2.0 * 0.25 / 4)


def test_young_modulus_follows_from_the_others() -> None:
    values = {"bulk_modulus": 160.0, "shear_modulus": 80.0, "young_modulus": 9 * 160 * 80 / (3 * 160 + 80)}
    assert residual("young", values, batch([26])) == pytest.approx(0.0, abs=1e-5)
    assert laws.poisson_ratio(160.0, 80.0) == pytest.approx((480 - 160) / (2 * 560))


def test_only_pure_elements_are_held_at_or_above_zero() -> None:
    values = {"formation_energy_per_atom": -0.5}
    assert residual("elements", values, batch([26, 26])) == pytest.approx(0.5)
    assert residual("elements", values, batch([26, 8])) == 0.0
    assert residual("elements", {"formation_energy_per_atom": 0.5}, batch([26])) == 0.0


def test_bounds_are_those_of_the_property() -> None:
    assert residual("bounds", {"band_gap": -0.25}, batch([14])) == pytest.approx(0.25)
    assert residual("bounds", {"band_gap": 0.25}, batch([14])) == 0.0


def test_unknown_or_unsupported_residuals_are_refused() -> None:
    with pytest.raises(InputError, match="no physics residual 'gravity'"):
        PhysicsResiduals({"gravity": 1.0}, [SPECS["zt"]], None)
    with pytest.raises(InputError, match="needs the target seebeck_coefficient"):
        PhysicsResiduals({"zt": 1.0}, [SPECS["zt"]], KELVIN)


def test_the_loss_reports_each_residual_and_its_gradient_reaches_the_weights() -> None:
    torch.manual_seed(0)
    config = GemPpmConfig(
        heads=(HeadConfig(name="band_gap"),), width=8, layers=1, residuals=(("bounds", 10.0),), reconstruction=0.5
    )
    scale = TargetScale(centre=np.array([-5.0]), scale=np.array([1.0]))
    model = ScaledModel(GemPpm(config), [SPECS["band_gap"]], scale)
    loss, terms = model.loss(collate([build_graph(c) for c in _two()], Labels.of_targets(np.array([[1.0], [np.nan]]))))
    assert set(terms) == {"band_gap", "residual_bounds", "reconstruction"}
    assert float(terms["residual_bounds"].detach()) > 1.0
    loss.backward()
    assert float(model.network.heads.linear.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]


def _two() -> list[Crystal]:
    sites = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]])
    return [Crystal(lattice=np.eye(3) * a, frac_coords=sites, numbers=np.array([11, 17])) for a in (4.0, 4.5)]


def test_every_residual_can_be_asked_for_by_name() -> None:
    from matwright.api.train_settings import residuals_named

    assert residuals_named(["bounds=1", "debye = 0.5"]) == (("bounds", 1.0), ("debye", 0.5))
    with pytest.raises(InputError, match="there are: bounds, zt"):
        residuals_named(["gravity=1"])
