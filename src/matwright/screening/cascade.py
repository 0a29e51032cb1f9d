"""The cascade over many candidates: rules from cheap to dear, every verdict kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.rules import RULES, Rule
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict


def apply_rules(
    crystal: Crystal,
    thresholds: Thresholds,
    *,
    rules: Mapping[str, Rule] = RULES,
    stop_at_first: bool = True,
) -> tuple[Verdict, ...]:
    """The verdicts of one crystal in the order of `rules`.

    With `stop_at_first` nothing dearer is computed once a rule has failed: the last verdict is then the rejection.
    A rule that the crystal itself makes impossible (a disordered formula) counts as failed, with that reason.
    """
    verdicts: list[Verdict] = []
    for name, rule in rules.items():
        try:
            verdict = rule(crystal, thresholds)
        except InputError as error:
            verdict = Verdict(rule=name, residual=float("inf"), threshold=0.0, passed=False, reason=str(error))
        verdicts.append(verdict)
        if stop_at_first and not verdict.passed:
            break
    return tuple(verdicts)


def screen(
    crystals: Sequence[Crystal],
    thresholds: Thresholds,
    *,
    rules: Mapping[str, Rule] = RULES,
    stop_at_first: bool = True,
) -> Iterator[tuple[Verdict, ...]]:
    """The verdicts of each crystal, one after the other, as they are found."""
    for crystal in crystals:
        yield apply_rules(crystal, thresholds, rules=rules, stop_at_first=stop_at_first)


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Whether every verdict passed."""
    return all(verdict.passed for verdict in verdicts)


def residual_total(verdicts: Sequence[Verdict]) -> float:
    """Σ r_j over the rules in units of each threshold (E32); 0 when all passed."""
    return sum(v.residual / v.threshold if v.threshold > 0 else v.residual for v in verdicts)
