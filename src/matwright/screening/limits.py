"""The limits of each rung, and what its measurement needs: one small frozen value a rung, one table of `filter.toml`.

Every field carries its unit, the range it may lie in and its meaning, so that the example file, the messages and the
checks all say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, final

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.physics.transport import ION_CHARGES


def limit(default: object, means: str, *, unit: str = "1", low: float = 0.0, high: float = inf) -> Any:
    """A field of a rung's limits: a number within low..high in `unit`, a switch, or a list of names."""
    return field(default=default, metadata={"means": means, "unit": unit, "low": low, "high": high})


def check(limits: Any, rung: str) -> None:
    """Raise InputError unless every value is of its type and in its range."""
    for one in fields(limits):
        value, name = getattr(limits, one.name), f"{one.name} in [{rung}]"
        if isinstance(one.default, bool):
            if not isinstance(value, bool):
                raise InputError(f"{name} is true or false, found {value!r}")
        elif isinstance(one.default, tuple):
            if not isinstance(value, tuple) or not all(isinstance(word, str) for word in value):
                raise InputError(f"{name} is a list of names, found {value!r}")
        else:
            _check_number(value, name, whole=isinstance(one.default, int), known=one.metadata)


def _check_number(value: object, name: str, *, whole: bool, known: Any) -> None:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise InputError(f"{name} is a {'whole ' if whole else ''}number, found {value!r}")
    if not known["low"] <= value <= known["high"]:
        unit = "" if known["unit"] == "1" else f" {known['unit']}"
        raise InputError(f"{name} lies in {known['low']:g} to {known['high']:g}{unit}, found {value!r}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DensityLimits:
    """Room for the atoms, and no empty cell."""

    min_volume_per_atom: float = limit(3.0, "least volume an atom", unit="Å³/atom")
    max_volume_per_atom: float = limit(120.0, "largest volume an atom", unit="Å³/atom")
    min_density: float = limit(0.2, "least mass density", unit="g/cm³")
    max_density: float = limit(25.0, "largest mass density", unit="g/cm³")

    def __post_init__(self) -> None:
        check(self, "density")
        for name in ("volume_per_atom", "density"):
            if getattr(self, f"min_{name}") >= getattr(self, f"max_{name}"):
                raise InputError(f"min_{name} in [density] must lie below max_{name}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GeometryLimits:
    """Distances between atoms, periodic images of one and the same atom included."""

    min_distance: float = limit(0.5, "shortest distance", unit="Å", high=10.0)
    min_distance_share: float = limit(0.5, "shortest distance over twice the smallest covalent radius", high=2.0)

    def __post_init__(self) -> None:
        check(self, "geometry")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChemistryLimits:
    """Rules of the composition, and those of the rule base that are to reject."""

    charge_balance: bool = limit(True, "must pass the SMACT test (elements and alloys pass)")
    noble_gases: bool = limit(False, "noble gases are allowed")
    valence_of_gap: bool = limit(True, "where design is asked for a gap, the rule usual_valence must hold")
    rule_base: tuple[str, ...] = limit((), "rules of `matwright rules` that must hold where they apply")

    def __post_init__(self) -> None:
        check(self, "chemistry")
        if self.rule_base:
            from matwright.physics.rules.base import REFERENCES  # slow to load: behind its door

            for word in self.rule_base:
                if word not in REFERENCES:
                    hint = nearest_hint(word, REFERENCES)
                    raise InputError(f"the rule base has no rule {word!r}{hint}; known: {', '.join(REFERENCES)}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetryLimits:
    """How symmetric a candidate must be; 1 operation asks for nothing, 2 refuse a crystal without any symmetry."""

    symprec: float = limit(0.1, "tolerance of the search", unit="Å", low=1e-4, high=1.0)
    min_operations: int = limit(1, "least order of the point group", low=1, high=48)

    def __post_init__(self) -> None:
        check(self, "symmetry")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateLimits:
    """What the property model may say; every --target must lie within reach of its interval besides."""

    max_domain_score: float = limit(1.0, "how unlike the training data (1: anything)", high=1.0)
    hull_interval: bool = limit(False, "the interval of the predicted energy above the hull must reach [hull]")

    def __post_init__(self) -> None:
        check(self, "surrogate")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedElasticLimits:
    """Of the tensor that the model `elastic` predicts, which is positive definite by construction."""

    min_eigenvalue: float = limit(0.0, "least eigenvalue of the stiffness (Mandel)", unit="GPa", high=1000.0)
    max_anisotropy: float = limit(100.0, "largest universal anisotropy")

    def __post_init__(self) -> None:
        check(self, "predicted_elastic")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxationLimits:
    """What may be left after relaxation, and when it stops."""

    max_fmax: float = limit(0.1, "largest force left", unit="eV/Å")
    max_smax: float = limit(1.0, "largest stress left", unit="GPa")
    max_steps: int = limit(300, "steps after which a relaxation stops", low=1)

    def __post_init__(self) -> None:
        check(self, "relaxation")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HullLimits:
    """Distance to the hull of known compounds."""

    max_e_above_hull: float = limit(0.1, "largest energy above the hull", unit="eV/atom")

    def __post_init__(self) -> None:
        check(self, "hull")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticLimits:
    """Of the tensor computed with the potential, ions relaxed."""

    min_eigenvalue: float = limit(0.0, "least eigenvalue of the stiffness (Mandel)", unit="GPa", high=1000.0)
    max_misfit: float = limit(0.2, "share of the stresses that the tensor of the point group leaves over", high=1.0)
    strain: float = limit(0.01, "size of the strains", low=1e-4, high=0.05)

    def __post_init__(self) -> None:
        check(self, "elastic")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EquationOfStateLimits:
    """Of the Birch-Murnaghan fit to energies of the crystal squeezed and stretched alike in all directions."""

    min_bulk_modulus: float = limit(1.0, "least bulk modulus", unit="GPa", high=1000.0)
    max_misfit: float = limit(5.0, "largest deviation from the fit", unit="meV/atom")
    span: float = limit(0.06, "change of volume on either side", low=0.005, high=0.3)
    points: int = limit(7, "volumes", low=5, high=31)

    def __post_init__(self) -> None:
        check(self, "equation_of_state")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenLimits:
    """Of a clamped bar of the candidate under a pull at its free end, solved by finite elements (E33-E35)."""

    traction: float = limit(0.1, "pull at the free end", unit="GPa", low=1e-6, high=100.0)
    max_strain: float = limit(0.05, "largest strain, beyond which a linear law means little", high=1.0)
    max_residual: float = limit(1e-8, "out-of-balance force over the force applied")
    max_boundary_error: float = limit(0.5, "deviation from the traction asked for, over the stress")
    elements: int = limit(6, "elements along the short sides of the bar", low=2, high=24)

    def __post_init__(self) -> None:
        check(self, "specimen")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PhononLimits:
    """Of the phonons computed with the potential by finite displacements in a supercell."""

    max_imaginary: float = limit(0.1, "largest imaginary frequency away from Γ", unit="THz")
    displacement: float = limit(0.02, "how far an atom is moved", unit="Å", low=1e-4, high=0.2)
    min_length: float = limit(9.0, "least distance between opposite faces of the supercell", unit="Å", low=1.0)
    max_atoms: int = limit(400, "largest supercell; a larger one counts as failed", low=1)

    def __post_init__(self) -> None:
        check(self, "phonon")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConductionLimits:
    """Of the ionic conductivity by molecular dynamics with the potential, extrapolated to 300 K."""

    min_ionic_conductivity: float = limit(0.0, "least ionic conductivity at 300 K", unit="S/cm")
    ions: tuple[str, ...] = limit(("Li", "Na"), "what moves: the first of these that the crystal holds")
    temperatures: int = limit(4, "temperatures, at equal steps of 1/T", low=4, high=12)
    lowest_temperature: float = limit(600.0, "lowest of them", unit="K", low=100.0, high=3000.0)
    highest_temperature: float = limit(1050.0, "highest of them", unit="K", low=100.0, high=3000.0)
    timestep: float = limit(2.0, "time step", unit="fs", low=0.1, high=5.0)
    production: float = limit(10.0, "length of each run, after 1 ps that is not kept", unit="ps", low=1.0)
    min_length: float = limit(10.0, "least distance of an atom to its own image", unit="Å", low=1.0)
    max_atoms: int = limit(250, "largest supercell; a larger one counts as failed", low=2)

    def __post_init__(self) -> None:
        check(self, "conduction")
        if self.lowest_temperature >= self.highest_temperature:
            raise InputError("lowest_temperature in [conduction] must lie below highest_temperature")
        for ion in self.ions:
            if ion not in ION_CHARGES:
                raise InputError(f"ions in [conduction] are among {', '.join(ION_CHARGES)}, found {ion!r}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualLimits:
    """The total residual of E32: Σ w_j r_j ≤ ε, each residual r_j in units of its own threshold.

    Attributes:
        epsilon: ε, no unit; at 0 every rule must hold.
        weights: (rule, w_j) where w_j is not 1; a rule of weight 0 is judged and does not reject.
    """

    epsilon: float = limit(0.0, "what all residuals together may come to, in thresholds")
    weights: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        _check_number(self.epsilon, "epsilon in [residual]", whole=False, known=fields(self)[0].metadata)
        for rule, weight in self.weights:
            known = {"low": 0.0, "high": inf, "unit": "1"}
            _check_number(weight, f"{rule} in [residual.weights]", whole=False, known=known)

    def weight(self, rule: str) -> float:
        """w_j of a rule."""
        return dict(self.weights).get(rule, 1.0)
