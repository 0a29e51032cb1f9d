"""COV and match rate on the published data sets Perov-5 and Carbon-24, and the match rate on Materials Project rows.

    python benchmarks/perov_carbon.py perov-5 --minutes 8 --out perov      # train, then measure on the validation part
    python benchmarks/perov_carbon.py carbon-24 --minutes 8 --out carbon
    python benchmarks/perov_carbon.py mp --rows 100                        # the shipped generator, nothing is trained

Perov-5 and Carbon-24: a generator is trained on the released structures without the validation and test ids, and
measured on the validation part; its own training curve is judged on a tenth of the training ids. COV: valid samples
against as many validation rows, published cut-offs. Match rate (structure prediction): k crystals for each drawn
validation row, at its composition and number of atoms; StructureMatcher(ltol=0.3, stol=0.5, angle_tol=10).
mp: validation rows of mp_crystals with at most 20 atoms, which the shipped generator was not trained on.
Data: MATWRIGHT_DATA or ../shared/data.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from matwright.api.evaluate.measures import CrystalSet, covering, symmetry, validity
from matwright.api.evaluate.settings import EvaluationSettings, Measure, matcher_text
from matwright.api.generate import load_generator
from matwright.api.train_generator import train_generator
from matwright.cli.progress import progress
from matwright.errors import InputError
from matwright.evaluation.generation import StructureComparison
from matwright.evaluation.matching import PREDICTION_MATCH, MatchRate, match_rate
from matwright.generation.corpus import encode_all
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_report import EpochReport
from matwright.generation.interface import Generator
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, from_poscar
from matwright.physics.chemistry import counts_of
from matwright.runs import provenance

ROOT = Path(__file__).resolve().parents[1]
FILES = {"perov-5": "perov5_structures.json.zip", "carbon-24": "carbon24_structures.json.zip"}
MAX_ATOMS = 24
TRIES = 20


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(f"{options.data_set}, seed {options.seed}, commit {provenance()['commit']}, one thread", flush=True)
    if options.data_set == "mp":
        generator, held_out = load_generator("mp-generator"), _mp_rows(options.data)
    else:
        parts = _released(options.data / FILES[options.data_set])
        generator, held_out = _trained(parts["train"], options), [from_poscar(t) for t in parts["val"].values()]
        _print_coverage(generator, held_out, options)
    rng = np.random.default_rng(options.seed)
    rows = rng.permutation(len(held_out))[: options.rows]
    _print_match_rate(generator, [held_out[row] for row in rows], options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MATWRIGHT_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("data_set", choices=[*FILES, "mp"])
    parser.add_argument("--minutes", type=float, default=8.0, help="of training")
    parser.add_argument("--samples", type=int, default=1000, help="crystals for COV")
    parser.add_argument("--rows", type=int, default=200, help="validation rows for the match rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--out", type=Path, default=Path("published"), help="folder of the trained generator")
    return parser.parse_args()


def _released(path: Path) -> dict[str, dict[str, str]]:
    """Part → id → POSCAR text, the literal line breaks resolved; no id of val and test stands in train."""
    with zipfile.ZipFile(path) as archive:
        parts = json.loads(archive.read(archive.namelist()[0]))
    held_out = parts["val"].keys() | parts["test"].keys()
    parts["train"] = {name: text for name, text in parts["train"].items() if name not in held_out}
    return {part: {k: text.replace("\\n", "\n") for k, text in texts.items()} for part, texts in parts.items()}


def _trained(texts: dict[str, str], options: argparse.Namespace) -> Generator:
    """The generator in --out, trained on nine tenths of the texts where it is not there yet."""
    if (options.out / "model.json").is_file():
        return load_generator(options.out)
    listener = progress()
    listener.start("encoding", len(texts))
    sequences = list(encode_all((from_poscar(t) for t in texts.values()), on_done=listener.advance))
    listener.finish()
    usable = [sequence for sequence in sequences if sequence is not None]
    print(f"{len(usable)} of {len(sequences)} training structures can be written as sequences", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    train_generator(
        [s for i, s in enumerate(usable) if i % 10],
        usable[::10],
        out=options.out,
        name=options.data_set,
        fit=FitConfig(epochs=1000, minutes=options.minutes, seed=options.seed),
        max_atoms=MAX_ATOMS,
        keep_state=True,
        on_epoch=_show,
    )
    return load_generator(options.out)


def _show(report: EpochReport) -> None:
    print(f"epoch {report.epoch} {report.seconds:.0f} s: held out {report.bound:.2f} nats", flush=True)


def _mp_rows(data: Path) -> list[Crystal]:
    found = []
    with gzip.open(data / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if row["split"] == "val" and int(row["n_atoms"]) <= MAX_ATOMS - 4:
                found.append(from_cif(row["cif"]))
    return found


def _print_coverage(generator: Generator, held_out: Sequence[Crystal], options: argparse.Namespace) -> None:
    settings = EvaluationSettings(cut_offs=options.data_set, sample=options.samples, seed=options.seed)
    start = time.process_time()
    limits = Constraints(n_atoms=(1, MAX_ATOMS))
    samples = [one.crystal for one in generator.sample(options.samples, constraints=limits, seed=options.seed)]
    print(f"{len(samples)} samples in {time.process_time() - start:.1f} CPU-seconds", flush=True)
    own = CrystalSet.of([str(i) for i in range(len(samples))], samples, settings.symprec)
    reference = CrystalSet.of([str(i) for i in range(len(held_out))], held_out, settings.symprec)
    rows, valid = validity(own)
    rows += symmetry(own, reference, settings)
    against = reference.drawn(options.samples, options.seed)
    rows += covering(own.at(np.flatnonzero(valid)), against, settings, progress())
    for row in rows:
        _print(row)


def _print(row: Measure) -> None:
    print(f"{row.name:28s} {row.value:.4f}  (n {row.n}; {row.setting})", flush=True)


def _print_match_rate(generator: Generator, targets: Sequence[Crystal], seed: int) -> None:
    """Print the match rate at k = 1 and k = 20; a composition that the generator cannot write counts as missed."""
    listener = progress()
    listener.start("predicting structures", len(targets))
    tries: list[list[Crystal]] = []
    for target in targets:
        limits = Constraints(formula=counts_of(target), n_atoms=(len(target), len(target)))
        try:
            tries.append([one.crystal for one in generator.sample(TRIES, constraints=limits, seed=seed)])
        except InputError as problem:
            listener.note(str(problem))
            tries.append([])
        listener.advance()
    listener.finish()
    comparison = StructureComparison(PREDICTION_MATCH)
    for k in (1, TRIES):
        found = match_rate([own[:k] for own in tries], targets, comparison)
        print(f"match rate, k = {k}: {_rate(found)}; {matcher_text(PREDICTION_MATCH)}", flush=True)
    missing = sum(not own for own in tries)
    print(f"{missing} of {len(tries)} compositions could not be written and count as missed", flush=True)


def _rate(found: MatchRate) -> str:
    return f"{found.value:.1%} of {found.n} rows, mean rms {found.rms:.4f}"


if __name__ == "__main__":
    main()
