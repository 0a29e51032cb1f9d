"""The table of an explanation: one row a part, from the reference to the prediction."""

from __future__ import annotations

from collections.abc import Iterator

from matwright.elements import SYMBOLS
from matwright.explain.attribution import Attribution
from matwright.explain.explanation import Explanation

COLUMNS = (
    "material", "formula", "property", "unit", "part", "name", "site", "partner", "distance_A",
    "contribution", "saliency", "attention",
)  # fmt: skip
"""Sites count from 1; contributions of a property, with the reference, sum to its prediction."""

Row = tuple[object, ...]


def table_rows(explanation: Explanation) -> Iterator[Row]:
    """Yield the rows of all properties; what is unknown is None."""
    for attribution in explanation.explained.attributions:
        head = (explanation.id, explanation.formula, attribution.spec.name, attribution.spec.unit)
        for row in _parts(explanation, attribution):
            yield (*head, *row)


def _parts(explanation: Explanation, attribution: Attribution) -> Iterator[Row]:
    yield _row("reference", "", attribution.reference)
    yield from _atoms(explanation, attribution)
    yield from _bonds(explanation, attribution)
    yield from _composition(explanation, attribution)
    conditions = zip(
        explanation.conditions, attribution.contributions.conditions, attribution.saliency.conditions, strict=False
    )
    for name, value, saliency in conditions:
        yield _row("condition", name, value, saliency=saliency)
    prediction = float(explanation.predictions[attribution.spec.name].mean[0])
    yield _row("cut", "at physical bounds, and rounding", prediction - attribution.value)
    yield _row("prediction", "", prediction)


def _row(
    part: str, name: str, value: float, *, saliency: float | None = None, attention: float | None = None,
    site: int | None = None, partner: int | None = None, distance: float | None = None,
) -> Row:  # fmt: skip
    return part, name, site, partner, distance, value, saliency, attention


def _atoms(explanation: Explanation, attribution: Attribution) -> Iterator[Row]:
    for site, name in enumerate(explanation.site_names()):
        yield _row(
            "atom",
            name,
            attribution.contributions.atoms[site],
            saliency=attribution.saliency.atoms[site],
            attention=explanation.explained.attention_atoms[site],
            site=site + 1,
        )


def _bonds(explanation: Explanation, attribution: Attribution) -> Iterator[Row]:
    bonds, names = explanation.explained.bonds, explanation.site_names()
    distances = bonds.distances
    for index in range(len(bonds)):
        first, second = int(bonds.first[index]), int(bonds.second[index])
        yield _row(
            "bond",
            f"{names[first]}-{names[second]}",
            attribution.contributions.bonds[index],
            saliency=attribution.saliency.bonds[index],
            attention=explanation.explained.attention_bonds[index],
            site=first + 1,
            partner=second + 1,
            distance=distances[index] or None,
        )


def _composition(explanation: Explanation, attribution: Attribution) -> Iterator[Row]:
    parts, saliency = attribution.contributions, attribution.saliency
    for number in range(1, len(parts.fractions)):
        yield _row("amount", SYMBOLS[number], parts.fractions[number], saliency=saliency.fractions[number])
    for name, value, slope in zip(explanation.explained.statistics, parts.statistics, saliency.statistics, strict=True):
        yield _row("statistic", name, value, saliency=slope)
