"""Readiness on its own: known structures predicted, and the folder with numbers and picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matwright.api.readiness.result import READINESS_FILE, Readiness
from matwright.materials.constraints import Constraints
from matwright.materials.target import Target
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text, write_json

PAGE_FILE = "readiness.html"
KIND = "readiness"


def known_near(
    path: Path, models: Sequence[str], targets: Sequence[Target], conditions: Sequence[str] = ()
) -> tuple[int, int]:
    """How many structures a folder or file holds, and how many of them are predicted to meet every demand.

    Objectives accept everything; energies above the hull come from predicted formation energies. `conditions` are those
    of `DesignSettings`.

    Raises:
        InputError: nothing is there, or no model predicts a target or knows a condition.
    """
    # heavy (torch): behind their doors
    from matwright.api.design.novelty import read_known
    from matwright.api.design.surrogate import load_surrogates
    from matwright.data.hull import Hull
    from matwright.errors import CalculationError

    surrogates = load_surrogates(models, conditions, Hull.load())
    surrogates.check(targets)
    crystals = read_known(str(path))
    near = 0
    for found in surrogates.measure(crystals):
        if isinstance(found, CalculationError):
            continue
        values = {measured.name: measured.value for measured in found if measured.value is not None}
        near += all(target.name in values and bool(target.satisfied(values[target.name])) for target in targets)
    return len(crystals), near


def write_readiness(
    ready: Readiness,
    out: Path,
    *,
    models: Sequence[str],
    conditions: Sequence[str] = (),
    constraints: Constraints,
    known: Path | None,
) -> None:
    """Write readiness.json, readiness.html and run.json into a new folder.

    Raises:
        InputError: the folder is occupied.
    """
    from matwright.api.report.readiness import render_readiness  # behind its door: only files need the page

    settings = {
        "targets": [str(one.target) for one in ready.targets],
        "models": list(models),
        "conditions": list(conditions),
        "constraints": asdict(constraints),
        "known": known,
    }
    run = RunFolder.create(out, kind=KIND, settings=settings, seed=0)
    write_json(run.file(READINESS_FILE), ready.as_dict())
    atomic_write_text(run.file(PAGE_FILE), render_readiness(ready, record=run.record))
    run.finish({"standing": [one.standing.value for one in ready.targets]})
