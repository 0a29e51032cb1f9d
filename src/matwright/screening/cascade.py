"""The cheap rules of the cascade on one crystal, from cheap to dear, every verdict kept."""

from __future__ import annotations

from collections.abc import Mapping

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.residual import culprit
from matwright.screening.rules import Rule, asked_rules
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict


def apply_rules(
    crystal: Crystal,
    thresholds: Thresholds,
    *,
    rules: Mapping[str, Rule] | None = None,
    stop_at_first: bool = True,
) -> tuple[Verdict, ...]:
    """The verdicts of one crystal in the order of `rules` (None: the rules that the thresholds ask for).

    With `stop_at_first` nothing dearer is computed once the total residual exceeds ε (E32): the last verdict is then
    the rejection. A rule that the crystal itself makes impossible (a disordered formula) counts as failed, with that
    reason.
    """
    verdicts: list[Verdict] = []
    for name, rule in (asked_rules(thresholds) if rules is None else rules).items():
        try:
            verdict = rule(crystal, thresholds)
        except InputError as error:
            verdict = Verdict(rule=name, residual=float("inf"), threshold=0.0, passed=False, reason=str(error))
        verdicts.append(verdict)
        if stop_at_first and not verdict.passed and culprit(verdicts, thresholds.residual) is not None:
            break
    return tuple(verdicts)
