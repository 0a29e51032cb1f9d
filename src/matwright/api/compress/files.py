"""The files of a compression: the table, and the weights in the form that was kept."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matwright.api.card import CARD_FILE
from matwright.api.compress.result import CONTENT_FILE, TABLE_FILE, CompressResult, FormReport
from matwright.models.forms import Form
from matwright.serialization import atomic_write_bytes, atomic_write_text, write_json


def keep_form(out: Path, forms: Sequence[FormReport]) -> str:
    """Write the weights in half precision where that helps, and return the name of the form that now stands.

    Brain floats and integers are not written: what they gain depends on the processor.
    """
    half = next(form for form in forms if form.name == Form.FLOAT16)
    if not half.verdict.startswith("helps"):
        return Form.FLOAT32.value
    # heavy (torch): behind its door
    from safetensors.torch import save

    from matwright.models.checkpoint import load_members, member_file, read_model_file
    from matwright.models.compression import half_state

    student = load_members(out, read_model_file(out))[0]
    atomic_write_bytes(member_file(out, 0), save(half_state(student)))
    return Form.FLOAT16.value


def write_comparison(result: CompressResult, teacher: str) -> None:
    """Write compression.csv and compression.json, and add the table to the card."""
    rows = _rows(result)
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    atomic_write_text(result.folder / TABLE_FILE, buffer.getvalue())
    card = (result.folder / CARD_FILE).read_text(encoding="utf-8")
    text = "\n".join(
        [
            "## Compression",
            "",
            f"A student of `{teacher}`, trained on its predictions; weights kept as {result.kept}. Errors on "
            f"{result.n_test:,} test records; CPU time of one thread, on the machine above.",
            "",
            *_markdown(rows),
            "",
            *(f"- {note}" for note in result.notes),
            "",
        ]
    )
    atomic_write_text(result.folder / CARD_FILE, card.split("## Compression\n")[0].rstrip() + "\n\n" + text)
    content = {
        "teacher": teacher,
        "kept": result.kept,
        "n_test": result.n_test,
        "notes": list(result.notes),
        "forms": [asdict(form) for form in result.forms],
    }
    write_json(result.folder / CONTENT_FILE, content)


def _rows(result: CompressResult) -> list[list[str]]:
    heads = ["form"]
    for spec in result.specs:
        unit = "share wrong" if spec.classes else spec.unit
        heads += [f"error {spec.name} [{unit}]", f"to teacher {spec.name} [{unit}]"]
    heads += ["ms a material", "materials/s", "kB", "verdict"]
    rows = [heads]
    for form in result.forms:
        numbers = [value for spec in result.specs for value in (form.errors[spec.name], form.to_teacher[spec.name])]
        numbers += [form.ms, form.per_second, form.kilobytes]
        rows.append([form.name, *(_text(number) for number in numbers), form.verdict])
    return rows


def _markdown(rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


def _text(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.4g}"
