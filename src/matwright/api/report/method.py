"""How the ranking was made and what it cannot know, in the reader's words and with this run's own numbers."""

from __future__ import annotations

from html import escape

from matwright.api.design.result import DesignResult
from matwright.api.design.stability import POTENTIAL_ERROR
from matwright.api.report import wording


def ranking_rule(outcome: DesignResult) -> str:
    """The formula of the score with the factors of this run."""
    factors = [
        f"P({wording.target_html(target)})"
        if not target.is_objective
        else f"P(better {wording.label(target.name)} than the pool)"
        for target in outcome.targets
    ]
    factors.append(f"P(energy above hull ≤ {outcome.stability:g} eV/atom)")
    error = f"{1000 * POTENTIAL_ERROR:.0f} meV/atom"
    return f'<p class="formula-line">score = {" · ".join(factors)}</p>' + "".join(
        f"<p>{text.format(error=error)}</p>" for text in RULE_TEXTS
    )


RULE_TEXTS = (
    "Each probability comes from a two-sided normal distribution that has the prediction as its median and reproduces "
    "the calibrated interval. Before relaxation the energy above hull follows from the predicted formation energy; "
    "after it, from the potential's, with a standard deviation of {error} (its error against density functional theory "
    "on known crystals).",
    "A quantity to be as low or as high as possible counts with the probability of beating a candidate drawn from the "
    "pool. The factors are treated as independent.",
    "Candidates are chosen for relaxation by this score, and the survivors are ranked by the same score of the relaxed "
    "structure.",
)

CAVEATS = (
    "The properties are <strong>predictions of a surrogate model</strong>, not calculations. Its intervals are "
    "calibrated on held-out known materials; a new material may lie outside what it has learned (see “Unlike training "
    "data”).",
    "The energies come from <strong>one potential</strong> ({potential}). Where two potentials were compared, several "
    "candidates that one called stable the other did not. Check the best ones with a second method before you spend "
    "money on them.",
    "The hull holds the <strong>known compounds of the Materials Project</strong> at zero temperature. In a chemical "
    "system that nobody has studied the hull is empty and every compound looks stable.",
    "<strong>No phonons</strong> were computed: roughly two thirds of generated crystals, even stable-looking ones, "
    "turn out to be dynamically unstable.",
    "Band gaps are on the scale of PBE calculations, which are <strong>too small</strong> against experiment, often by "
    "a third or more.",
)


def caveats(outcome: DesignResult) -> str:
    """The limits a reader must know, as a list."""
    settings = outcome.provenance.get("settings", {})
    potential = escape(str(settings.get("potential", "chgnet")))
    points = [caveat.format(potential=potential) for caveat in CAVEATS]
    known = escape(str(outcome.provenance.get("novelty", "")))
    if known:
        points.append(f"<strong>Novel</strong> means: {known}")
    return '<ul class="caveats">' + "".join(f"<li>{point}</li>" for point in points) + "</ul>"
