"""What an optimisation gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from matwright.generation.rl.archive import Archive
from matwright.generation.rl.assessment import Assessment
from matwright.generation.rl.learner import StepReport
from matwright.generation.rl.reward import Scale


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OptimiseResult:
    """The outcome of one optimisation.

    Attributes:
        before, after: fresh draws of the untuned and of the tuned generator, counted alike.
        reports: one a step.
        candidates: the best different ones of the whole run, hits first.
        scales: of each target's property among untuned crystals.
        generator: folder of the tuned generator, for `generate` and `design`.
    """

    before: Assessment
    after: Assessment
    reports: tuple[StepReport, ...]
    candidates: Archive
    scales: dict[str, Scale]
    generator: str

    def sentences(self) -> list[str]:
        """The outcome in a few sentences."""
        before, after = self.before, self.after
        last = self.reports[-1]
        return [
            f"hit rate among valid, unique and novel crystals: {before.hit_rate:.2%} before, {after.hit_rate:.2%} "
            f"after ({before.hits} of {before.novel}, {after.hits} of {after.novel}; {after.drawn} sequences each)",
            f"validity {before.validity:.1%} before, {after.validity:.1%} after; "
            f"uniqueness {before.uniqueness:.1%} before, {after.uniqueness:.1%} after",
            f"{last.scored} crystals scored in {last.step} steps of learning, {last.hits} different hits among them",
            "a hit is what the property model believes: relax and confirm with `matwright design`",
        ]
