"""The words of the report: names of rungs, rules and columns, and how formulas and targets are set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from matwright.api.design import result
from matwright.materials.target import Target, TargetKind

RUNG_TITLES = {
    result.UNIQUE: ("Unique", "not the same structure as another candidate of this run"),
    result.NOVEL: ("Novel", "not a known material"),
    result.RULES: ("Rules", "distances, density, charge neutrality"),
    result.SURROGATE: ("Surrogate model", "the predicted interval reaches every target"),
    result.SELECTION: ("Budget", "among the best by score"),
    result.RELAXATION: ("Relaxed", "atoms and cell come to rest under the potential"),
    result.RECHECK: ("Checked again", "rules, uniqueness and novelty of the relaxed structure"),
    result.PREDICTION: ("Predicted again", "the interval of the relaxed structure reaches every target"),
    result.HULL: ("Stable", "energy above the convex hull within the limit"),
}

RULE_TITLES = {
    "duplicate": "same structure as another candidate",
    "duplicate_relaxed": "relaxes into another candidate",
    "known_structure": "known structure",
    "known_composition": "known composition",
    "known_table": "in the user's own table of known materials",
    "min_distance": "atoms too close",
    "min_distance_share": "atoms too close for their size",
    "charge_balance": "no charge-neutral assignment",
    "noble_gases": "contains a noble gas",
    "min_density": "density too low",
    "max_density": "density too high",
    "min_volume_per_atom": "volume per atom too small",
    "max_volume_per_atom": "volume per atom too large",
    "e_above_hull": "too far above the hull",
    "fmax": "forces did not come to rest",
    "smax": "stress did not come to rest",
    "min_operations": "not symmetric enough",
    "domain_score": "unlike the training data",
    "predicted_e_above_hull": "predicted too far above the hull",
    "predicted_least_eigenvalue": "predicted too soft in one direction",
    "predicted_anisotropy": "predicted too anisotropic",
    "eos_bulk_modulus": "too easy to squeeze",
    "eos_misfit": "no smooth equation of state",
    "least_eigenvalue": "elastically unstable",
    "elastic_misfit": "no tensor of its point group fits the stresses",
    "specimen_strain": "yields too much under the load",
    "specimen_residual": "the field is not in equilibrium",
    "specimen_boundary": "the boundaries are not met",
    "imaginary_frequency": "imaginary phonons",
    "ionic_conductivity": "ions hardly move",
    "budget": "better-scored candidates filled the budget",
    "same_formula": "better-scored structures of the same formula",
    result.RELAXATION: "the calculation failed",
}

SYMBOLS = {
    "bulk_modulus": "bulk modulus <i>K</i>",
    "shear_modulus": "shear modulus <i>G</i>",
    "band_gap": "band gap <i>E</i><sub>g</sub>",
    "formation_energy_per_atom": "formation energy",
    "e_above_hull": "energy above hull",
}

GLOSSARY = (
    ("Score", "The product of probabilities described under “How candidates are ranked”: 1 is certain success."),
    (
        "Interval",
        "Where the surrogate expects the true value, with the stated coverage. It is calibrated on held-out materials "
        "(split-conformal prediction): among materials like the training data that share of intervals holds the value.",
    ),
    (
        "Energy above hull",
        "How much energy per atom would be gained if the compound fell apart into the most stable known phases of the "
        "same composition. Zero or less: stable against all of them.",
    ),
    (
        "Formation energy",
        "Energy per atom relative to the elements in their most stable form, both computed with the same potential.",
    ),
    (
        "Unlike training data",
        "The percentile of the candidate's distance to the training data among held-out materials. Near 100 % the "
        "surrogate extrapolates and its interval may be too narrow.",
    ),
    (
        "No known compound of these elements",
        "The hull of this chemical system is empty, so that the energy above it is only a formation energy.",
    ),
    ("Residual", "How far a candidate lies beyond the threshold of a rule, in the rule's unit; 0 where it passes."),
    (
        "Known composition",
        "The formula is listed among known materials, but not with this space group in the library at hand. It may "
        "still be known elsewhere. A <em>new composition</em> is not listed at all.",
    ),
)


def label(name: str) -> str:
    """A property or rule name as HTML."""
    return SYMBOLS.get(name) or escape(name.replace("_", " "))


def rule_title(rule: str) -> str:
    """What a rule stops, as HTML."""
    if rule.startswith("target:"):
        return f"{label(rule.removeprefix('target:'))} out of reach"
    return RULE_TITLES.get(rule) or escape(rule.replace("_", " "))


def formula_html(formula: str) -> str:
    """A formula with its numbers set low."""
    return re.sub(r"(\d+(?:\.\d+)?)", r"<sub>\1</sub>", escape(formula))


def space_group_html(symbol: str) -> str:
    """A Hermann–Mauguin symbol: letters slanted, bars over digits, screw indices set low."""
    return re.sub(r"-(\d)|_(\d)|([A-Za-z]+)", _set_part, symbol)


def _set_part(part: re.Match[str]) -> str:
    bar, low, letters = part.groups()
    if bar:
        return f'<span class="bar">{bar}</span>'
    return f"<sub>{low}</sub>" if low else f"<i>{letters}</i>"


def unit_html(unit: str) -> str:
    """A unit as it is printed: g/cm³ for "g/cm^3", W/(m·K) for "W/(m*K)", nothing for "1"."""
    raised = re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_RAISED), unit.replace("*", "·"))
    return "" if unit == "1" else escape(raised)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def conditions_html(said: Sequence[str]) -> str:
    """A paragraph with the conditions that a run was told, nothing for none."""
    return f"<p>Under the conditions {escape(', '.join(said))}.</p>" if said else ""


def target_html(target: Target) -> str:
    """A demand as a reader says it."""
    name, unit = label(target.name), f" {unit_html(target.unit)}".rstrip()
    if target.kind is TargetKind.MINIMISE:
        return f"{name} as low as possible"
    if target.kind is TargetKind.MAXIMISE:
        return f"{name} as high as possible"
    if target.kind is TargetKind.MINIMUM:
        return f"{name} ≥ {target.lower:g}{unit}"
    if target.kind is TargetKind.MAXIMUM:
        return f"{name} ≤ {target.upper:g}{unit}"
    low, high = target.lower or 0.0, target.upper or 0.0
    if target.kind is TargetKind.VALUE:
        centre, half = (low + high) / 2, (high - low) / 2
        return f"{name} = {centre:g} ± {half:g}{unit}"
    return f"{name} between {low:g} and {high:g}{unit}"
