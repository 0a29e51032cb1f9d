"""The files of a distillation: the table, the trees of operations, the picture and the page."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matwright.api.distill.result import DistillResult
from matwright.errors import InputError
from matwright.explain import expression
from matwright.explain.expression import Expression
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text, read_json, write_json

TABLE_FILE, FORMULAS_FILE, PICTURE_FILE, PAGE_FILE = "formulas.csv", "formulas.json", "front.png", "report.html"
FORMAT = "matwright formulas"


def read_formulas(path: Path) -> dict[str, Expression]:
    """The formulas of a formulas.json, by their text; evaluate them with `expression.evaluate` on `describe`.

    Raises:
        InputError: the file holds none.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} holds no formulas of matwright")
    formulas = [expression.from_json(entry.get("tree")) for entry in content.get("formulas", ())]
    return {expression.text(formula): formula for formula in formulas}


def write_files(result: DistillResult, run: RunFolder, model: str) -> None:
    """Write the table, the trees, the picture and the page."""
    # heavy (matplotlib): behind their doors
    from matwright.api.report.formulas import render_formulas
    from matwright.evaluation.plots import plot_front

    spec = result.spec
    unit = f" [{spec.unit}]"
    rows: list[list[str]] = [
        ["complexity", f"mae_to_model{unit}", "r2_to_model", f"mae_to_truth{unit}", "property", "formula"]
    ]
    for one in result.formulas:
        truth = "" if one.mae_to_truth is None else f"{one.mae_to_truth:.6g}"
        rows.append(
            [str(one.complexity), f"{one.mae_to_model:.6g}", f"{one.r2_to_model:.6g}", truth, spec.name, one.text]
        )
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    atomic_write_text(run.file(TABLE_FILE), buffer.getvalue())
    write_json(run.file(FORMULAS_FILE), _content(result, model))
    errors: dict[str, list[float]] = {"against the model": [one.mae_to_model for one in result.formulas]}
    if result.model_mae is not None:
        errors["against known values"] = [
            float("nan") if one.mae_to_truth is None else one.mae_to_truth for one in result.formulas
        ]
    best = {} if result.model_mae is None else {"the model against known values": result.model_mae}
    plot_front(
        [one.complexity for one in result.formulas],
        errors,
        label=f"mean absolute error, {spec.name} ({spec.unit})",
        best=best,
        path=run.file(PICTURE_FILE),
    )
    page = render_formulas(result, model=model, picture=PICTURE_FILE, record=run.record)
    atomic_write_text(run.file(PAGE_FILE), page)


def _content(result: DistillResult, model: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "model": model,
        "property": result.spec.name,
        "unit": result.spec.unit,
        "descriptors": [asdict(descriptor) for descriptor in result.descriptors],
        "formulas": [
            {
                "text": one.text,
                "complexity": one.complexity,
                "mae_to_model": one.mae_to_model,
                "mae_to_truth": one.mae_to_truth,
                "tree": expression.as_json(one.formula),
            }
            for one in result.formulas
        ],
    }
