"""The model card: what a trained model is, what it was trained on, how good it is, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matwright.api.condition_ranges import describe_conditions
from matwright.api.trust import systems_lines, trust_table
from matwright.materials.properties import PropertySpec
from matwright.models.learned import Learned

CARD_FILE = "card.md"
_START = (
    "- What the model that this one started from had learned from may hold materials of the test part: their errors "
    "flatter then."
)
ERRORS, LIMITS = "## Errors on the test part", "## Limits"
VALIDATION_ERRORS = "## Errors on the validation part, to which the intervals were fitted"


def model_card(name: str, specs: Sequence[PropertySpec], facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown from the facts that `model.json` keeps (see `train`)."""
    data, split, fit = facts["data"], facts["split"], facts["fit"]
    counts = ", ".join(f"{part} {count}" for part, count in split["counts"].items())
    lines = [
        f"# {name}",
        "",
        f"Predicts {', '.join(_title(spec) for spec in specs)} of materials. GEM-PPM, {facts['members']} "
        f"member{'s' if facts['members'] > 1 else ''} of {facts['parameters']:,} weights.",
        "",
        "## Data",
        "",
        f"- Source: {data['file']}, {data['records']:,} records used, {data['rejected']:,} rejected.",
        f"- Content hash: `{data['hash']}`",
        f"- Split: {split['method']}; {counts}.",
        *([f"- Origin: {data['origin']}"] if data.get("origin") else []),
        f"- Materials: {data['materials']}.",
        *_suspicious(data),
        "",
        *_conditions(facts),
        "## Training",
        "",
        f"- Protocol: {fit['protocol']} ({fit['note']}); loss {fit['loss']}; seed {facts['seed']}."
        + (f" Conditions join the structure by {fit['fusion']} fusion." if fit["fusion"] else ""),
        *_forest(facts),
        *_start(facts),
        f"- Budget: {_budget(fit)}; {fit['cpu_seconds']:,.0f} CPU seconds in all, "
        f"{fit['records_per_second']:,.0f} graphs a CPU second.",
        *([f"- Command: `{facts['command']}`"] if facts.get("command") else []),
        f"- Made by matwright {facts['version']}, commit {facts['commit'] or 'unknown'}, on {facts['platform']}.",
        "",
    ]
    return "\n".join([*lines, *error_sections(facts["metrics"]), LIMITS, "", *_limits(facts), ""])


def error_sections(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what the metrics of `assess` say as the lines of the card's sections on errors."""
    lines: list[str] = []
    for part, title in (("test", ERRORS), ("validation", VALIDATION_ERRORS)):
        if part in metrics:
            lines += [title, "", *_table(metrics[part]), ""]
            if honest := trust_table(metrics[part]):
                lines += [*honest, ""]
    if systems := systems_lines(metrics):
        lines += ["## New chemical systems", "", *systems, ""]
    return lines


def _forest(facts: Mapping[str, Any]) -> list[str]:
    weights = facts.get("forest")
    if not weights:
        return []
    each = {name: given if isinstance(given, list | tuple) else [given, 0.0, 0.0] for name, given in weights.items()}
    shares = ", ".join(
        f"{mean:.2f}, {median:.2f} and {boosted:.2f} of {name}" for name, (mean, median, boosted) in each.items()
    )
    return [
        f"- Trees stand beside the networks; mean and median of randomised ones and boosted ones give {shares}; each "
        "member left out a tenth of the training part, by composition, on which these weights were found."
    ]


def _suspicious(data: Mapping[str, Any]) -> list[str]:
    count, kept = data["suspicious"], data["keeps_suspicious"]
    done = "were used as they are" if kept else "count as missing"
    lines = [f"- {count:,} records have processing steps with numbers that are hard to believe; these {done}."]
    unlabelled = [f"- {data['unlabelled']:,} records state no target and were left out."]
    return (lines if count else []) + (unlabelled if data["unlabelled"] else [])


def _conditions(facts: Mapping[str, Any]) -> list[str]:
    if not facts["conditions"]:
        return []
    lines = [f"- {line}" for line in describe_conditions(facts["conditions"])]
    about = "What the training part knows of them; a prediction beyond it is warned of."
    return ["## Conditions", "", about, "", *lines, ""]


def _title(spec: PropertySpec) -> str:
    return f"{spec.name} ({'classes ' + ', '.join(spec.classes) if spec.classes else spec.unit})"


def _budget(fit: Mapping[str, Any]) -> str:
    return f"{fit['epochs']} epochs a member" if fit["epochs"] else f"{fit['minutes']:g} CPU minutes a member"


def _table(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "| property | n | MAE | RMSE | R² | MAE of the mean | coverage at 50 / 90 / 95 % | Spearman(error, σ) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    classes = []
    for name, report in reports.items():
        if "accuracy" in report:
            auc = "" if report["auc"] is None else f", area under ROC {report['auc']:.3f}"
            classes.append(
                f"- {name}: n {report['n']}, accuracy {report['accuracy']:.3f}, balanced "
                f"{report['balanced_accuracy']:.3f}, NLL {report['nll']:.3f}{auc}"
            )
            continue
        coverage = " / ".join(f"{100 * share:.1f}" for share in report["coverage"].values())
        spearman = "" if report["spearman"] is None else f"{report['spearman']:.2f}"
        lines.append(
            f"| {name} ({report['unit']}) | {report['n']} | {report['mae']:.4g} | {report['rmse']:.4g} | "
            f"{report['r2']:.3f} | {report['mae_of_mean']:.4g} | {coverage} | {spearman} |"
        )
    bounds = [
        f"- {name}: {report['bounds']['n']} values are only known as bounds and do not count above; "
        f"{100 * report['bounds']['respected']:.0f} % of the predictions respect theirs"
        for name, report in reports.items()
        if "bounds" in report
    ]
    unseen = ", ".join(f"{report['unseen']} of {name}" for name, report in reports.items() if report.get("unseen"))
    if unseen:
        bounds.append(
            f"- The intervals were fitted to these and to training records that no part of the model saw: {unseen}"
        )
    return [*(lines if len(lines) > 2 else []), *classes, *([""] if bounds else []), *bounds]


_LEARNED: Mapping[Learned, Sequence[str]] = {
    Learned.COMPOSITIONS: ("- Learned from compositions alone: of a crystal or molecule only the composition counts.",),
    Learned.STRUCTURES: ("- Learned from structures alone: a bare composition is refused.",),
    Learned.BOTH: (),
}


def _start(facts: Mapping[str, Any]) -> list[str]:
    start = facts.get("start")
    return [f"- Started from the weights of {start['model']} (`{start['hash']}`)."] if start else []


def _limits(facts: Mapping[str, Any]) -> list[str]:
    elements = facts["data"]["elements"]
    return [
        f"- Trained on materials of {facts['data']['smallest']} to {facts['data']['largest']} atoms (elements, where "
        f"only a composition is known) with {len(elements)} elements ({', '.join(elements)}); other elements and far "
        "larger structures are out of domain.",
        "- The values repeat the method and level of theory of the data, with its errors.",
        "- The split decides what the errors mean: materials unlike the data are predicted worse than the test part; "
        "a domain score near 1 marks them.",
        "- Intervals keep their nominal coverage on materials like the validation part, not on others.",
        *_LEARNED[Learned.of_facts(facts)],
        *([_START] if facts.get("start") else []),
        *(f"- {limit}" for limit in facts.get("limits", ())),
    ]
