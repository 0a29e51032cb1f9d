"""COV and match rate on the published data sets Perov-5 and Carbon-24, and the match rate on Materials Project rows.

    python benchmarks/perov_carbon.py perov-5 --minutes 8 --out perov      # train, then measure on the validation part
    python benchmarks/perov_carbon.py carbon-24 --minutes 8 --out carbon
    python benchmarks/perov_carbon.py perov-5 --ceiling 1000               # COV of training structures: what can be had
    python benchmarks/perov_carbon.py perov-5 --out perov --inner          # COV on the inner held-out tenth
    python benchmarks/perov_carbon.py mp --rows 100                        # the shipped generator, nothing is trained

Perov-5 and Carbon-24: a generator is trained on the released structures without the validation and test ids, and
measured on the validation part; its own training curve is judged on a tenth of the training ids, and so is what is
chosen about sampling. COV as published (T. Xie et al., ICLR 2022): 10,000 samples, valid or not, against all validation
rows, published cut-offs, compositions on the published scale; the same on the scale of the reference stands beside it.
Match rate (structure prediction): k crystals for each drawn validation row, at its composition and number of atoms;
StructureMatcher(ltol=0.3, stol=0.5, angle_tol=10).
mp: validation rows of mp_crystals with at most 20 atoms, which the shipped generator was not trained on.
Data: MATWRIGHT_DATA or ../shared/data.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from matwright.api.evaluate.measures import CrystalSet, symmetry, validity
from matwright.api.evaluate.settings import EvaluationSettings, matcher_text
from matwright.api.generate import load_generator
from matwright.api.train_generator import train_generator
from matwright.cli.progress import progress
from matwright.errors import InputError
from matwright.evaluation.coverage import CUT_OFFS, Fingerprints, coverage, published_scale
from matwright.evaluation.fingerprints import fingerprints
from matwright.evaluation.generation import StructureComparison
from matwright.evaluation.matching import PREDICTION_MATCH, MatchRate, match_rate
from matwright.generation.checkpoint import load_trained
from matwright.generation.contacts import ContactRules
from matwright.generation.corpus import encode_all
from matwright.generation.decoder import DecoderConfig
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_report import EpochReport
from matwright.generation.interface import Generator
from matwright.generation.latent import LatentGenerator
from matwright.generation.sampler import Temperatures
from matwright.materials.constraints import Constraints
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, from_poscar
from matwright.physics.chemistry import counts_of
from matwright.runs import provenance

ROOT = Path(__file__).resolve().parents[1]
FILES = {"perov-5": "perov5_structures.json.zip", "carbon-24": "carbon24_structures.json.zip"}
MAX_ATOMS = 20
"""Of the Materials Project rows."""
TRIES = 20
INNER = 10
"""Every tenth training id is held out of the training."""
DECODER = DecoderConfig(optional_latent=True, dropout=0.1)
"""Draws are free, so that the decoder learns to do without a latent: the inner tenth gets 3 nats more than with one."""
WITHOUT_LATENT = 0.9
TEMPERATURES = {
    "perov-5": Temperatures(),
    "carbon-24": Temperatures(structure=0.6, shape=0.3, coordinate=0.2),
}
"""Chosen on the inner tenth."""
RULES = {
    "perov-5": ContactRules(),
    "carbon-24": ContactRules(min_ratio=0.81, volume_per_atom=(5.43, 8.91)),
}
"""Of carbon: the 0.1 and 99.9 % quantiles of the structures trained on."""


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(f"{options.data_set}, seed {options.seed}, commit {provenance()['commit']}, one thread", flush=True)
    if options.data_set == "mp":
        _print_match_rate(load_generator("mp-generator"), _mp_rows(options.data), options)
        return
    parts = _released(options.data / FILES[options.data_set])
    inner = list(parts["train"].values())[::INNER]
    held_out = [from_poscar(text) for text in (inner if options.inner else parts["val"].values())]
    options.out.mkdir(parents=True, exist_ok=True)
    if options.ceiling:
        rng = np.random.default_rng(options.seed)
        outer = [text for place, text in enumerate(parts["train"].values()) if place % INNER]
        rows = rng.permutation(len(outer))[: options.ceiling]
        _print_coverage([from_poscar(outer[row]) for row in rows], held_out, options)
        return
    generator = _trained(parts["train"], options)
    start = time.process_time()
    samples = [one.crystal for one in generator.sample(options.samples, seed=options.seed)]
    print(f"{len(samples)} samples in {time.process_time() - start:.1f} CPU-seconds", flush=True)
    _print_coverage(samples, held_out, options)
    _print_match_rate(generator, held_out, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MATWRIGHT_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("data_set", choices=[*FILES, "mp"])
    parser.add_argument("--minutes", type=float, default=8.0, help="of training")
    parser.add_argument("--samples", type=int, default=10_000, help="crystals for COV")
    parser.add_argument("--ceiling", type=int, default=0, help="measure COV of so many training structures instead")
    parser.add_argument(
        "--inner", action="store_true", help="measure on the inner tenth instead of the validation part"
    )
    parser.add_argument("--rows", type=int, default=200, help="validation rows for the match rate; 0: none")
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
    if not (options.out / "model.json").is_file():
        _train(texts, options)
    trained = replace(load_trained(options.out), rules=RULES[options.data_set])
    return LatentGenerator(trained, temperatures=TEMPERATURES[options.data_set])


def _train(texts: dict[str, str], options: argparse.Namespace) -> None:
    listener = progress()
    listener.start("encoding", len(texts))
    sequences = list(encode_all((from_poscar(t) for t in texts.values()), on_done=listener.advance))
    listener.finish()
    usable = sum(sequence is not None for sequence in sequences)
    print(f"{usable} of {len(sequences)} training structures can be written as sequences", flush=True)
    train_generator(
        [s for place, s in enumerate(sequences) if s is not None and place % INNER],
        [s for s in sequences[::INNER] if s is not None],
        out=options.out,
        name=options.data_set,
        decoder=DECODER,
        fit=FitConfig(epochs=1000, minutes=options.minutes, seed=options.seed, without_latent=WITHOUT_LATENT),
        max_atoms=max(s.n_atoms for s in sequences if s is not None),
        keep_state=True,
        on_epoch=_show,
    )


def _show(report: EpochReport) -> None:
    print(
        f"epoch {report.epoch} {report.seconds:.0f} s: held out {report.without_latent:.2f} nats without a latent",
        flush=True,
    )


def _mp_rows(data: Path) -> list[Crystal]:
    found = []
    with gzip.open(data / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if row["split"] == "val" and int(row["n_atoms"]) <= MAX_ATOMS:
                found.append(from_cif(row["cif"]))
    return found


def _print_coverage(samples: Sequence[Crystal], held_out: Sequence[Crystal], options: argparse.Namespace) -> None:
    settings = EvaluationSettings(seed=options.seed)
    own = CrystalSet.of([str(i) for i in range(len(samples))], samples, settings.symprec)
    reference = CrystalSet.of([str(i) for i in range(len(held_out))], held_out, settings.symprec)
    for row in validity(own)[0] + symmetry(own, reference, settings):
        print(f"{row.name:28s} {row.value:.4f}  (n {row.n}; {row.setting})", flush=True)
    ours, theirs = _prints(samples, options.out), _prints(held_out, options.out)
    cut, rng = CUT_OFFS[options.data_set], np.random.default_rng(options.seed)
    sizes = sorted({min(size, len(samples)) for size in (500, 1000, len(samples))})
    for size in sizes:
        drawn = _rows_of(ours, np.arange(size))
        for few in sorted({min(size, len(held_out)), len(held_out)}):
            against = _rows_of(theirs, rng.permutation(len(held_out))[:few])
            for scale in (published_scale(), None):
                found = coverage(drawn, against, cut, scale)
                print(
                    f"COV-R {found.recall:.4f}, COV-P {found.precision:.4f}; structure alone "
                    f"{_pair(found.by_structure)}, composition alone {_pair(found.by_composition)}; "
                    f"{found.n_generated} samples ({found.without_fingerprint[0]} without a fingerprint count as far), "
                    f"{found.n_reference} rows; cut-offs {cut.structure}, {cut.composition}; "
                    f"compositions standardised by {found.scale}",
                    flush=True,
                )


def _pair(values: tuple[float, float]) -> str:
    return f"{values[0]:.4f} and {values[1]:.4f}"


def _rows_of(prints: Fingerprints, rows: NDArray[np.int64]) -> Fingerprints:
    return Fingerprints(structure=prints.structure[rows], composition=prints.composition[rows])


def _prints(crystals: Sequence[Crystal], folder: Path) -> Fingerprints:
    """Their fingerprints, kept in the folder under the hash of the crystals."""
    key = hashlib.sha256("".join(crystal.content_hash() for crystal in crystals).encode()).hexdigest()[:16]
    path = folder / f"fingerprints-{key}.npz"
    if not path.is_file():
        listener, start = progress(), time.process_time()
        listener.start("fingerprints", len(crystals))
        found = fingerprints(crystals, on_done=listener.advance)
        listener.finish()
        print(f"{len(crystals)} fingerprints in {time.process_time() - start:.0f} CPU-seconds", flush=True)
        np.savez_compressed(path, structure=found.structure, composition=found.composition)
    with np.load(path) as kept:
        return Fingerprints(structure=kept["structure"], composition=kept["composition"])


def _print_match_rate(generator: Generator, held_out: Sequence[Crystal], options: argparse.Namespace) -> None:
    """Print the match rate at k = 1 and k = 20; a composition that the generator cannot write counts as missed."""
    if not options.rows:
        return
    drawn = np.random.default_rng(options.seed).permutation(len(held_out))[: options.rows]
    targets, seed = [held_out[row] for row in drawn], options.seed
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
