"""The files of a screening: every verdict, every candidate, the survivors' structures, one page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from math import isnan

from matwright.api.design.describe import formula_of
from matwright.api.design.records import DesignRecord, record_to_json
from matwright.api.design.tables import cif_text, records_csv
from matwright.api.screen.page import screen_page
from matwright.api.screen.result import ScreenResult
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text

VERDICT_COLUMNS = (
    "id", "material", "formula", "rung", "rule", "value", "unit", "threshold", "residual", "weight", "passed", "reason",
    "seconds",
)  # fmt: skip


def write_screening(result: ScreenResult, folder: RunFolder) -> None:
    """Write every file and finish the run."""
    ranks = {record.id: rank for rank, record in enumerate(result.survivors, start=1)}
    atomic_write_text(folder.file("verdicts.csv"), _verdicts_csv(result))
    atomic_write_text(folder.file("candidates.csv"), records_csv(result.records, ranks))
    lines = (json.dumps(record_to_json(record), separators=(",", ":")) for record in result.records)
    atomic_write_text(folder.file("records.jsonl"), "".join(line + "\n" for line in lines))
    cifs = {}
    folder.file("cifs", "x").parent.mkdir(exist_ok=True)  # the folder is there even without survivors
    for record in result.survivors:
        name = f"cifs/{ranks[record.id]:04d}_{formula_of(record.crystal)}_{record.id}.cif"
        atomic_write_text(folder.file(name), cif_text(record.crystal))
        cifs[record.id] = name
    counts = {
        count.rung: {"entered": count.entered, "passed": count.passed, "seconds": round(count.seconds, 3)}
        for count in result.counts()
    }
    folder.finish({"candidates": len(result.records), "survivors": len(ranks), "rungs": counts})
    page = screen_page(result, folder.record, cifs, title=folder.path.resolve().name)
    atomic_write_text(folder.file("report.html"), page)


def material_of(record: DesignRecord) -> str:
    """The name of the candidate in its source."""
    return record.candidate.provenance.parents[0]


def _verdicts_csv(result: ScreenResult) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(VERDICT_COLUMNS)
    for record in result.records:
        writer.writerows(_rows(record, result))
    return text.getvalue()


def _rows(record: DesignRecord, result: ScreenResult) -> Iterator[list[str]]:
    """One row a verdict; a calculation that failed is a row of its rung without a value."""
    about = [record.id, material_of(record), formula_of(record.candidate.crystal)]
    for rung in record.rungs:
        for verdict in rung.verdicts:
            numbers = [_text(verdict.value), verdict.unit, _text(verdict.threshold), _text(verdict.residual)]
            weight = f"{result.settings.thresholds.residual.weight(verdict.rule):g}"
            # a rung's time is that of all its rules where they were not timed one by one
            said = [weight, str(verdict.passed), verdict.reason]
            seconds = verdict.seconds or rung.seconds / len(rung.verdicts)
            yield [*about, rung.name, verdict.rule, *numbers, *said, f"{seconds:.3g}"]
        if not rung.verdicts:
            said = ["1", str(rung.passed), rung.reason]
            yield [*about, rung.name, rung.name, "", "", "", "", *said, f"{rung.seconds:.3g}"]


def _text(value: float) -> str:
    return "" if isnan(value) else f"{value:.6g}"
