"""The rungs themselves: what is measured on a candidate, which verdicts follow, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan

from matwright.api.design import result
from matwright.materials.crystal import Crystal
from matwright.materials.target import Target, TargetKind
from matwright.screening.cascade import apply_rules
from matwright.screening.hull_distance import HULL_DISTANCE
from matwright.screening.rules import at_most
from matwright.screening.rung import Measurement, Rung, broken, judged
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict

DOMAIN = "domain_score"
"""The measurement that says how unlike the training data a candidate is, and the rule about it."""
VALENCE = "usual_valence"
"""The rule that a gap needs usual oxidation states."""
PREDICTED_HULL = "predicted_e_above_hull"
"""The rule that the interval of the predicted energy above the hull reaches the limit."""

__all__ = ["broken", "duplicate_verdict", "judged", "rules_rung", "target_verdicts", "trust_verdicts"]


def rules_rung(crystal: Crystal, thresholds: Thresholds, targets: Sequence[Target]) -> Rung:
    """The cheap rules of the cascade, up to the one with which the total residual exceeds ε.

    Where a gap is asked for, usual oxidation states are, too: a property model does not see a missing electron.
    """
    chemistry = thresholds.chemistry
    wanted = chemistry.valence_of_gap and any(target.asks_for_a_gap for target in targets)
    if wanted and VALENCE not in chemistry.rule_base:
        thresholds = replace(thresholds, chemistry=replace(chemistry, rule_base=(*chemistry.rule_base, VALENCE)))
    verdicts = apply_rules(crystal, thresholds)
    seconds = sum(verdict.seconds for verdict in verdicts)
    return judged(result.RULES, verdicts, residual=thresholds.residual, seconds=seconds)


def duplicate_verdict(rule: str, twin: str | None) -> Verdict:
    """1 equal structure found against 0 allowed."""
    found = 0.0 if twin is None else 1.0
    reason = "" if twin is None else f"same structure as {twin}"
    return Verdict(rule=rule, residual=found, value=found, threshold=0.0, unit="1", passed=twin is None, reason=reason)


def target_verdicts(targets: Sequence[Target], measurements: Sequence[Measurement]) -> list[Verdict]:
    """One verdict a demand: it fails when the whole interval misses the target.

    The residual is the distance between interval and target; the threshold is the target's bound on that side. An exact
    measurement is an interval of no width. Objectives never reject.
    """
    by_name = {measurement.name: measurement for measurement in measurements}
    return [
        _target_verdict(target, by_name[target.name])
        for target in targets
        if not target.is_objective and target.name in by_name
    ]


def trust_verdicts(measurements: Sequence[Measurement], thresholds: Thresholds) -> list[Verdict]:
    """The verdicts on domain score and predicted energy above the hull, where the thresholds ask for them."""
    limits, most = thresholds.surrogate, thresholds.hull.max_e_above_hull
    scores = [measured.value for measured in measurements if measured.name == DOMAIN and measured.value is not None]
    verdicts = [at_most(DOMAIN, score, limits.max_domain_score, "1") for score in scores if limits.max_domain_score < 1]
    if limits.hull_interval:
        stable = Target(name=HULL_DISTANCE, unit="eV/atom", kind=TargetKind.MAXIMUM, upper=most)
        verdicts += [replace(one, rule=PREDICTED_HULL) for one in target_verdicts([stable], measurements)]
    return verdicts


def _target_verdict(target: Target, measured: Measurement) -> Verdict:
    value = measured.value if measured.value is not None else float("nan")
    low = measured.lower if measured.lower is not None else value
    high = measured.upper if measured.upper is not None else value
    below = max(target.lower - high, 0.0) if target.lower is not None else 0.0
    above = max(low - target.upper, 0.0) if target.upper is not None else 0.0
    residual = below + above
    bound = target.upper if above > 0 or target.lower is None else target.lower
    passed = residual == 0.0 and not isnan(value)
    reason = ""
    if not passed:
        spread = f" ({low:.4g}..{high:.4g})" if low != high else ""
        side = "above" if above > 0 else "below"
        unit = "" if target.unit == "1" else f" {target.unit}"
        reason = f"{target.name} {value:.4g}{spread}{unit} lies {side} {bound:.4g}{unit}"
    return Verdict(
        rule=f"target:{target.name}",
        residual=residual,
        value=value,
        threshold=bound if bound is not None else float("nan"),
        unit=target.unit,
        passed=passed,
        reason=reason,
    )
