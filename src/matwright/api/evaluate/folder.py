"""The verb: read generated crystals and a reference, measure, and write table, JSON and picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import final

import numpy as np

from matwright.api.evaluate.measures import (
    CrystalSet,
    covering,
    crystal_systems,
    distances,
    matches,
    novelty,
    symmetry,
    uniqueness,
    validity,
)
from matwright.api.evaluate.settings import EvaluationSettings, Measure
from matwright.api.evaluate.stability import judged, sun_measures, trials_of
from matwright.data.record import RawRow, Rejection, RejectionLog, parse_row
from matwright.errors import InputError, MatwrightError
from matwright.evaluation.generation import Assessed
from matwright.materials.crystal import Crystal
from matwright.physics.geometry import density
from matwright.progress import Progress, silent
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text, write_json

TABLE_FILE, JSON_FILE, PICTURE_FILE, TRIALS_FILE = "measures.csv", "evaluation.json", "evaluation.png", "trials.jsonl"
REJECTED_FILE = "rejected.csv"


def measure(
    own: CrystalSet,
    reference: CrystalSet | None,
    settings: EvaluationSettings,
    *,
    progress: Progress | None = None,
) -> list[Measure]:
    """Everything that needs no potential.

    Raises:
        InputError: COV, METRe, pairs or distances are asked for without a reference, or a library is missing.
    """
    listener = progress or silent()
    if reference is None and (settings.cut_offs is not None or settings.paired):
        raise InputError("COV and match rate need reference crystals; --reference shipped holds formulas only")
    listener.start("validity, uniqueness, novelty")
    rows, valid = validity(own)
    rows += uniqueness(own, settings) + novelty(own, reference, settings) + symmetry(own, reference, settings)
    listener.finish()
    if reference is None:
        return rows
    drawn = own.at(np.flatnonzero(valid)).drawn(settings.sample, settings.seed)
    against = reference.drawn(settings.sample, settings.seed)
    if len(drawn):
        rows += distances(drawn, against, settings)
    rows += covering(own, reference, settings, listener)
    listener.start("matching the reference")
    rows += matches(own, reference, settings)
    listener.finish()
    return rows


def evaluate_to_folder(
    rows: Iterable[RawRow],
    reference: Iterable[RawRow] | None,
    out: Path,
    *,
    settings: EvaluationSettings,
    sources: dict[str, object],
    on_reject: Callable[[Rejection], None],
    strict: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> list[Measure]:
    """Write measures.csv, evaluation.json, evaluation.png and run.json into a new folder; the measures come back.

    Args:
        rows: generated crystals, of `read_inputs`.
        reference: reference crystals; None: the library that ships with the package.
        out: new folder, or with `resume` that of an interrupted call (kept: relaxations).
        settings: what is measured.
        sources: where the crystals come from, for run.json.
        on_reject: told of each row that cannot be used; they also stand in rejected.csv.
        strict: raise for the first row that cannot be used.
        resume: go on with the run in `out`.
        progress: told of each stage.

    Raises:
        InputError: no crystal could be used, the folder is occupied, or a row with `strict`.
    """
    listener = progress or silent()
    facts = {"settings": asdict(settings), **sources}
    if resume:
        run = RunFolder.open_for_resume(out, kind="evaluate", settings=facts, seed=settings.seed)
    else:
        run = RunFolder.create(out, kind="evaluate", settings=facts, seed=settings.seed)
    with RejectionLog(run.file(REJECTED_FILE), strict=strict) as log:
        reader = _Reader(log, on_reject, settings.symprec, listener)
        own = reader.read(rows, "reading crystals")
        other = None if reference is None else reader.read(reference, "reading reference crystals")
    found = measure(own, other, settings, progress=listener)
    items: Sequence[Assessed] = ()
    if settings.trials is not None:
        trials = trials_of(own, settings.trials, run.file(TRIALS_FILE), listener)
        items, thresholds = judged(own, trials, other, settings)
        found += sun_measures(thresholds, other, settings)
    _write(run, own, other, found, items)
    run.finish({"crystals": len(own), "reference": 0 if other is None else len(other), "rejected": log.count})
    return found


@final
class _Reader:
    """Reads rows as ordered crystals; what cannot be used is rejected with its reason."""

    def __init__(
        self, log: RejectionLog, on_reject: Callable[[Rejection], None], symprec: float, progress: Progress
    ) -> None:
        self._log, self._on_reject, self._symprec, self._progress = log, on_reject, symprec, progress

    def read(self, rows: Iterable[RawRow], stage: str) -> CrystalSet:
        """The crystals of the rows.

        Raises:
            InputError: none could be used.
        """
        names, crystals, unusable = [], [], 0
        self._progress.start(stage)
        for row in rows:
            try:
                crystals.append(_ordered_crystal(row))
            except MatwrightError as problem:
                unusable += 1
                rejection = Rejection.of(row, problem)
                self._log.add(rejection)
                self._on_reject(rejection)
            else:
                names.append(_bare(row.id))
            self._progress.advance()
        self._progress.finish()
        if not crystals:
            raise InputError(f"{stage}: there is no crystal that can be used")
        if len(set(names)) < len(names):
            names = [f"{name}_{place}" for place, name in enumerate(names)]
        return CrystalSet.of(names, crystals, self._symprec, unusable)


def _bare(name: str) -> str:
    """A file's name without its ending, so that NaCl.cif pairs with the row NaCl."""
    return name[:-4] if name.lower().endswith(".cif") else name


def _ordered_crystal(row: RawRow) -> Crystal:
    structure = parse_row(row)
    if not isinstance(structure, Crystal) or not all(structure.pbc):
        raise InputError("only crystals periodic in three directions are evaluated")
    if not structure.is_ordered:
        raise InputError("the crystal is disordered: its sites are partly occupied, so no single structure is meant")
    return structure


def _write(
    run: RunFolder, own: CrystalSet, other: CrystalSet | None, found: Sequence[Measure], items: Sequence[Assessed]
) -> None:
    from matwright.evaluation.generation_plot import Population, plot_populations  # heavy (matplotlib)

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["measure", "value", "unit", "low_95", "high_95", "n", "setting"])
    for one in found:
        low, high = one.interval or ("", "")
        writer.writerow([one.name, one.value, one.unit, low, high, one.n, one.setting])
    atomic_write_text(run.file(TABLE_FILE), text.getvalue())
    plain = [{**asdict(one), "value": None if math.isnan(one.value) else one.value} for one in found]
    write_json(run.file(JSON_FILE), {"measures": plain, "run": run.record})
    above = [min(item.e_above_hull.values(), key=abs) for item in items if item.e_above_hull]
    sets = [("generated", own, above), *([] if other is None else [("reference", other, [])])]
    plot_populations(
        [
            Population(
                label=label,
                density=np.array([density(crystal) for crystal in crystals.crystals]),
                n_elements=np.array([len(set(crystal.numbers.tolist())) for crystal in crystals.crystals]),
                systems=crystal_systems(crystals.groups),
                e_above_hull=np.array(energies, dtype=float),
            )
            for label, crystals, energies in sets
        ],
        run.file(PICTURE_FILE),
    )
