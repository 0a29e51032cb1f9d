"""Calibrate a trained model anew: intervals, domain score, the metrics of its card, what it knows of its targets.

    python scripts/recalibrate.py MODEL_FOLDER TABLE [--structure cif] [--split-column split]

`matwright train` does this itself; this is for models whose weights are older than the way they are calibrated, such as
a shipped one. TABLE is the table that the model was trained on, with its split. The errors of the means are taken anew
and must agree with those that the model's file states, else nothing is written. The weights stay as they are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from matwright.api.about import facts_of_targets
from matwright.api.assessment import assess
from matwright.api.card import CARD_FILE, ERRORS, LIMITS, error_sections
from matwright.api.knowledge import FACTS
from matwright.api.parts import SplitMethod, SplitSettings, choose_parts
from matwright.data.record import parse_row
from matwright.data.sources import open_source
from matwright.graphs.packing import build_store
from matwright.models.checkpoint import read_model_file, write_model_file
from matwright.serialization import atomic_write_text
from matwright.training.compute import fast_mode
from matwright.uncertainty.stored import load_plain_model, save_trust

AGREEMENT = 1e-3  # relative
ROUNDING = 1e-6  # of the largest error in the same unit: a component that symmetry forbids is rounding and nothing else


def main() -> None:
    """Calibrate and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model", type=Path)
    options.add_argument("table", type=Path)
    options.add_argument("--structure", default="cif")
    options.add_argument("--split-column", default="split")
    given = options.parse_args()
    described = read_model_file(given.model)
    source = open_source(
        given.table, structure=given.structure, targets=described.specs, split_column=given.split_column
    )
    with tempfile.TemporaryDirectory() as folder, fast_mode():
        store = build_store(
            source.rows(),
            parse_row,
            Path(folder) / "store",
            source_hash=source.data_hash(),
            target_names=[spec.name for spec in described.specs],
            settings=described.config.graph,
        )
        split = SplitSettings(method=SplitMethod.COLUMN, column=given.split_column)
        parts = choose_parts(store, source, split, seed=described.facts["seed"]).parts
        found = assess(
            load_plain_model(given.model, described), store, parts, described.specs, seed=described.facts["seed"]
        )
        known = facts_of_targets(described.specs, store, parts, found)
    stated = described.facts["metrics"]["test"]
    for name, report in stated.items():
        again = found.metrics["test"][name]["mae"]
        largest = max(other["mae"] for other in stated.values() if other["unit"] == report["unit"])
        if abs(again - report["mae"]) > AGREEMENT * report["mae"] + ROUNDING * largest:
            sys.exit(f"{name}: the test MAE is {again:.6g}, not {report['mae']:.6g}: is this the model's own table?")
        print(f"{name}: test MAE {again:.4g}, Spearman {found.metrics['test'][name]['spearman']:.3f}")
    card = (given.model / CARD_FILE).read_text(encoding="utf-8")
    before, after = card[: card.index(ERRORS)], card[card.index(LIMITS) :]
    atomic_write_text(given.model / CARD_FILE, before + "\n".join(error_sections(found.metrics)) + "\n" + after)
    save_trust(given.model, found.trust)
    facts = {**described.facts, FACTS: known, "metrics": found.metrics}
    write_model_file(given.model, replace(described, facts=facts))


if __name__ == "__main__":
    main()
