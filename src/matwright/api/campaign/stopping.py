"""The rules that end a campaign, asked between rounds of what the store knows."""

from __future__ import annotations

from matwright.api.campaign.ledger import Ledger
from matwright.api.campaign.settings import StopSettings


def stop_reason(ledger: Ledger, rules: StopSettings) -> str:
    """The rule that ends the campaign now, in words; empty where it goes on."""
    hits = len(ledger.hits)
    reached = (
        (rules.hits, hits, f"{hits} hits found"),
        (rules.evaluations, ledger.n_evaluations, f"{ledger.n_evaluations} evaluations done"),
        (rules.hours, ledger.spent / 3600, f"{ledger.spent / 3600:.3g} hours of computing spent"),
        (rules.rounds, ledger.rounds, f"{ledger.rounds} rounds done"),
        (rules.no_improvement, _idle(ledger), f"no improvement in {_idle(ledger)} rounds"),
    )
    return next((words for limit, now, words in reached if limit is not None and now >= limit), "")


def _idle(ledger: Ledger) -> int:
    """Rounds since the last one that brought a better merit or a new hit; the first one always counts as one."""
    last, best = 0, None
    for number in range(ledger.rounds):
        own = [ledger.decided(one) for one in ledger.standings if one.member.round_number == number]
        merits = [merit for values in own if (merit := ledger.goal.merit(values)) is not None]
        top = max(merits, default=None)
        if any(ledger.goal.is_hit(values) for values in own) or (top is not None and (best is None or top > best)):
            last = number
        best = top if best is None or (top is not None and top > best) else best
    return max(0, ledger.rounds - 1 - last)
