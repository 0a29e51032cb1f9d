"""Train the shipped pattern matcher and its library (src/matwright/shipped/mp-matcher).

    python scripts/train_matcher.py mp_crystals.csv.gz OUT [--epochs 2] [--cache patterns.npz] [--resume]

TABLE: columns `cif`, `material_id`, `split` (train, val, test). Only training rows are learned from, validation rows
choose the weight of the graph in the library; test rows are not touched by the training. The library that is written
beside the model holds every row of the table. Simulating 21,800 patterns takes about a minute and a half; `--cache`
keeps them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from matwright.api.match.library import build_library, save_library
from matwright.api.match.model import LIBRARY_FILE, load_matcher
from matwright.api.match.training import MatchData, train_matcher
from matwright.cli.progress import progress
from matwright.data.record import parse_row
from matwright.data.sources import open_source
from matwright.errors import MatwrightError
from matwright.graphs.builder import build_graph
from matwright.graphs.store import pack
from matwright.materials.crystal import Crystal
from matwright.models.contrastive import ContrastiveConfig
from matwright.physics.diffraction.peaks import Peaks, peaks_on_axis
from matwright.physics.diffraction.reflections import reflections
from matwright.serialization import hash_file
from matwright.training.settings import FitSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    listener = progress(quiet=False)
    names, parts, crystals = read_table(options.table)
    peaks = simulated(crystals, options.cache)
    learned = np.flatnonzero(np.isin(parts, ["train", "val"]))
    facts = train_matcher(
        MatchData(
            graphs=pack([build_graph(crystals[index]) for index in learned]),
            peaks=[peaks[index] for index in learned],
            train=np.flatnonzero(parts[learned] == "train"),
            validation=np.flatnonzero(parts[learned] == "val"),
        ),
        ContrastiveConfig(),
        FitSettings(epochs=options.epochs, batch_size=128, learning_rate=2e-3),
        out=options.out,
        seed=options.seed,
        about={"table": options.table.name, "sha256": hash_file(options.table), "rows": len(names)},
        resume=options.resume,
        progress=listener,
    )
    print(json.dumps(facts["validation"]["recall"], indent=2))
    rows = list(zip(names, crystals, strict=True))
    library = build_library(rows, load_matcher(options.out), on_reject=refuse, progress=listener)
    save_library(library, options.out / LIBRARY_FILE)


def read_table(table: Path) -> tuple[list[str], np.ndarray, list[Crystal]]:
    """Names, parts of the split and crystals of all rows."""
    names, parts, crystals = [], [], []
    for row in open_source(table, structure="cif", id_column="material_id", split_column="split").rows():
        crystal = parse_row(row)
        if isinstance(crystal, Crystal):
            names.append(row.id)
            parts.append(row.part)
            crystals.append(crystal)
    return names, np.array(parts), crystals


def simulated(crystals: list[Crystal], cache: Path | None) -> list[Peaks]:
    """The peaks of all crystals, from the cache where there is one for as many."""
    if cache is not None and cache.is_file():
        with np.load(cache, allow_pickle=False) as file:
            counts, fields = file["counts"], [file[name] for name in ("log_g", "area", "response")]
        if len(counts) == len(crystals):
            ends = np.cumsum(counts)[:-1]
            split = [np.split(field, ends) for field in fields]
            return [Peaks(log_g=a, area=b, response=c) for a, b, c in zip(*split, strict=True)]
    peaks = [peaks_on_axis(reflections(crystal)) for crystal in crystals]
    if cache is not None:
        np.savez(
            cache,
            counts=np.array([len(one) for one in peaks]),
            log_g=np.concatenate([one.log_g for one in peaks]),
            area=np.concatenate([one.area for one in peaks]),
            response=np.concatenate([one.response for one in peaks]),
        )
    return peaks


def refuse(name: str, problem: MatwrightError) -> None:
    print(f"{name}: {problem}")


if __name__ == "__main__":
    main()
