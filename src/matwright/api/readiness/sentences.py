"""The three sentences: what the models know, how accurate they are there, and what is known nearby."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matwright.api.knowledge import RegionErrors
from matwright.api.readiness.result import KnownMaterials, Standing, TargetReadiness
from matwright.elements import SYMBOLS
from matwright.materials.target import TargetKind

FEW = 10
"""Held-out materials in a range below which their errors say little."""
BEST = 0.05
"""Share of the training values that an objective (minimise, maximise) is about."""


def three_sentences(
    judged: Sequence[TargetReadiness], missing: Sequence[int], known: KnownMaterials
) -> tuple[str, str, str]:
    """The sentences of a report; `missing` are elements that are asked for and that no model has seen."""
    return _of_knowledge(judged, missing), _of_accuracy(judged), _of_materials(judged, known)


_WORDS = {
    Standing.INSIDE: "lies inside what {model} knows: {n} of its {all} training materials ({share}) are there",
    Standing.EDGE: "lies at the edge of what {model} knows: only {n} of its {all} training materials are there",
    Standing.OUTSIDE: "lies outside of what {model} knows: none of its {all} training materials, which reach from "
    "{least} to {most}, is there",
}


def _of_knowledge(judged: Sequence[TargetReadiness], missing: Sequence[int]) -> str:
    clauses = [_knowledge_clause(one) for one in judged]
    if missing:
        clauses.append(f"no model has seen {', '.join(SYMBOLS[number] for number in missing)} in training")
    return _sentence(clauses)


def _knowledge_clause(one: TargetReadiness) -> str:
    if one.standing is Standing.EXACT:
        return f"the {words(one.target.name)} follows from the structure and needs no model"
    if one.knowledge is None:
        who = f"{one.model} does not say what it knows of" if one.model else "no model here predicts"
        return f"{who} {one.target.name}"
    if one.basis != one.target.name:
        return (
            f"the {words(one.target.name)} follows from the {words(one.basis)}, which {one.model} has learned from "
            f"{one.knowledge.n:,} materials, and from the hull"
        )
    least, most = (f"{_number(value)} {_unit(one.unit)}".strip() for value in one.knowledge.values[[0, -1]])
    share = one.n_inside / one.knowledge.n
    said = _WORDS[one.standing].format(
        model=one.model,
        n=f"{one.n_inside:,}",
        all=f"{one.knowledge.n:,}",
        share=_percent(share),
        least=least,
        most=most,
    )
    return f"{_demand(one)} {said}"


def _of_accuracy(judged: Sequence[TargetReadiness]) -> str:
    clauses = [_accuracy_clause(one) for one in judged if one.region is not None]
    if not clauses:
        return "How accurate the predictions are there is not known."
    return _sentence(clauses)


def _accuracy_clause(one: TargetReadiness) -> str:
    region, knowledge = one.region, one.knowledge
    if region is None or knowledge is None:
        return ""
    unit = _unit(one.unit)
    name = words(one.basis)
    overall = f"{_number(knowledge.mae)} {unit}".strip()
    if one.basis != one.target.name or knowledge.n_held_out == 0:
        return f"the {name} has a mean error of {overall} on {knowledge.n_held_out:,} held-out materials"
    where = f"of the {region.n:,} held-out materials predicted {_between(region, unit)}"
    if region.n < FEW:
        return (
            f"only {region.n} held-out materials are predicted in that range of {name}, too few to say how accurate "
            f"the model is there ({overall} over all {knowledge.n_held_out:,})"
        )
    said = [f"{where} the {name} is off by {_number(region.mae)} {unit}".strip() + f" in the mean ({overall} over all)"]
    lean = "too high" if region.bias > 0 else "too low"
    said.append(f"on average {_number(abs(region.bias))} {unit}".strip() + f" {lean}")
    if not math.isnan(region.coverage):
        said.append(f"{_percent(region.coverage)} of the {100 * knowledge.level:g} % intervals hold")
    if region.n_true:
        found = _percent(region.n_found / region.n_true)
        said.append(f"and {found} of the materials that are there are predicted there")
    return ", ".join(said)


def _of_materials(judged: Sequence[TargetReadiness], known: KnownMaterials) -> str:
    clauses = []
    if known.n_given is not None:
        clauses.append(
            f"of the {known.n_given:,} materials given, {known.n_given_near:,} are predicted to meet every demand"
        )
    for one in judged:
        if one.knowledge is not None and one.basis == one.target.name:
            n = f"{one.n_inside:,} training materials are" if one.n_inside else "no training material is"
            clauses.append(f"{n} known with {_demand(one)}")
    if known.n_stable < known.n_stable_all:
        clauses.append(
            f"{known.n_stable:,} of the {known.n_stable_all:,} stable compounds of the hull table consist of the "
            "elements allowed"
        )
    else:
        clauses.append(f"the hull table lists {known.n_stable:,} stable compounds")
    if known.n_energy is not None:
        clauses.append(f"{known.n_energy:,} of them have a formation energy in the range")
    return _sentence(clauses)


def _demand(one: TargetReadiness) -> str:
    name, unit = words(one.target.name), _unit(one.unit)
    if one.target.is_objective:
        best = "lowest" if one.target.kind is TargetKind.MINIMISE else "highest"
        bound = one.upper if one.upper is not None else one.lower
        side = "at most" if one.upper is not None else "at least"
        return f"the {best} {100 * BEST:g} % of the {name} ({side} {_number(bound)} {unit})".replace(" )", ")")
    if one.lower is not None and one.upper is not None:
        return f"{_article(name)} of {_number(one.lower)} to {_number(one.upper)} {unit}".strip()
    if one.lower is not None:
        return f"{_article(name)} of at least {_number(one.lower)} {unit}".strip()
    return f"{_article(name)} of at most {_number(one.upper)} {unit}".strip()


def _between(region: RegionErrors, unit: str) -> str:
    low, high = region.lower, region.upper
    if math.isinf(low) and math.isinf(high):
        return "anywhere"
    if math.isinf(low):
        return f"below {_number(high)} {unit}".strip()
    if math.isinf(high):
        return f"above {_number(low)} {unit}".strip()
    return f"from {_number(low)} to {_number(high)} {unit}".strip()


def words(name: str) -> str:
    """The name of a property in running text."""
    plain = name.removesuffix("_per_atom")
    return _NAMES.get(plain) or plain.replace("_", " ")


_NAMES = {
    "e_above_hull": "energy above hull",
    "young_modulus": "Young's modulus",
    "poisson_ratio": "Poisson's ratio",
    "zt": "figure of merit ZT",
}


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit


def _number(value: float | None) -> str:
    """About three digits, without powers of ten where people write none."""
    if value is None or math.isnan(value):
        return "?"
    return (f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}").replace("-", "−")


def _percent(share: float) -> str:
    return "?" if math.isnan(share) else f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _sentence(clauses: Sequence[str]) -> str:
    text = "; ".join(clause for clause in clauses if clause)
    return f"{text[0].upper()}{text[1:]}."
