"""The files of an optimisation: curves as CSV and PNG, the candidates with every term, their CIFs, the generator."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from matwright.api.optimise.settings import OptimiseSettings
from matwright.evaluation.plots import plot_panels
from matwright.generation.checkpoint import TrainedGenerator, save_generator
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.assessment import known
from matwright.generation.rl.learner import StepReport
from matwright.generation.rl.policy import Policy
from matwright.generation.rl.reward import nondominated
from matwright.generation.sequence_cif import sequence_to_cif
from matwright.materials.formula import formula_text
from matwright.runs import RunFolder, provenance
from matwright.serialization import atomic_write_text, to_plain

CURVES, PICTURE, CANDIDATES, CIFS = "curves.csv", "curves.png", "candidates.csv", "cifs"
MOST_CIFS = 200
PANELS: Mapping[str, str] = {
    "reward": "mean reward",
    "hit_rate": "hit rate",
    "validity": "validity",
    "uniqueness": "uniqueness",
    "entropy": "entropy (nats)",
    "kl": "KL to the start (nats)",
}
"""Column of the reports → label of its axis."""


def write_curves(run: RunFolder, reports: Sequence[StepReport]) -> None:
    """Write curves.csv, one row a step."""
    atomic_write_text(run.file(CURVES), _csv([asdict(report) for report in reports]))


def draw_curves(run: RunFolder, reports: Sequence[StepReport]) -> None:
    """Draw curves.png."""
    steps = [report.step for report in reports]
    panels = {label: [getattr(report, name) for report in reports] for name, label in PANELS.items()}
    plot_panels(steps, panels, "step", run.file(PICTURE))


def write_candidates(run: RunFolder, trained: TrainedGenerator, archive: Archive) -> None:
    """Write candidates.csv, the best first, and CIFs of the first `MOST_CIFS`.

    The columns are id, formula, space group, atoms, whether it is a known material, whether it stands on the Pareto
    front of targets, energy above the hull and uncertainty; the step that found it; the reward with its terms before
    their weights; the distance to each target; and every predicted property with its standard deviation.
    """
    names = [name for name in archive.columns if name.startswith("objective_")]
    judged = [archive.columns[name] for name in [*names, "e_above_hull", "uncertainty_term"]]
    front = nondominated(np.stack(judged, axis=1))
    listed = known(trained, archive)
    rows: list[dict[str, Any]] = []
    for place, sequence in enumerate(trained.packer.unpack(archive.batch)):
        if sequence is None:  # an archived crystal was decoded, so its angles meet
            continue
        identity = f"c{place + 1:05d}"
        formula = formula_text(sequence.composition)
        if place < MOST_CIFS:
            atomic_write_text(run.file(CIFS, f"{identity}_{formula}.cif"), sequence_to_cif(sequence))
        facts = {
            "id": identity,
            "formula": formula,
            "space_group": sequence.space_group,
            "n_atoms": sequence.n_atoms,
            "known": int(listed[place]),
            "pareto": int(front[place]),
        }
        rows.append(facts | {name: f"{values[place]:.6g}" for name, values in archive.columns.items()})
    atomic_write_text(run.file(CANDIDATES), _csv(rows))


def save_tuned(run: RunFolder, policy: Policy, settings: OptimiseSettings, facts: Mapping[str, Any]) -> None:
    """Write the tuned policy into the run folder as a generator that `generate` and `design` read."""
    start = policy.trained
    record = {
        **start.record,
        "tuned": {
            "from": settings.generator,
            "targets": [str(target) for target in settings.targets],
            "settings": to_plain(settings),
            "made": provenance(),
            **facts,
        },
    }
    name = f"{start.name}-{settings.learning.algorithm.value}"
    model = start.model  # the encoder stays; the decoder's weights are put in for the time of writing
    before = {key: value.clone() for key, value in model.decoder.state_dict().items()}
    model.decoder.load_state_dict(policy.decoder.state_dict())
    try:
        save_generator(replace(start, name=name, record=record), run.path)
    finally:
        model.decoder.load_state_dict(before)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["id"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
