"""Train the shipped crystal generator (src/matwright/shipped/mp-generator).

    python scripts/train_generator.py mp_crystals.csv.gz OUT [--wide] [--start mp-generator] [--epochs 48]
        [--minutes 25] [--workers 2] [--cache sequences.jsonl] [--graphs mp-crystal] [--set NAME=VALUE ...]

TABLE: columns `cif`, `split` (train, val, test), `n_atoms`, `e_above_hull` in eV/atom. Only training rows near the hull
and without noble gases are learned from, validation rows are held out, test rows are not touched. `--wide` trains a
latent that holds its crystal (64 dimensions, told to every act, read by an LSTM over the orbits too, a flow as prior);
`--start` begins with the decoder of another generator. The state is kept in OUT after each epoch: the same command
goes on with an interrupted training. `--cache` keeps the encoded sequences for a further run. `--graphs` names a
trained property model whose embedding of each crystal's graph the recognition network reads beside the sequence (E25).
`--set` changes a setting of the training (`FitConfig`), as in `--set consistency=0.1`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from matwright.api.generate import load_generator
from matwright.api.graph_reader import ModelReader
from matwright.api.train_generator import train_generator
from matwright.cli.progress import progress
from matwright.generation.corpus import encode_all
from matwright.generation.decoder import DecoderConfig
from matwright.generation.encoder import EncoderConfig
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_report import EpochReport
from matwright.generation.latent import LatentGenerator
from matwright.generation.wyckoff import Orbit, SymmetrySequence
from matwright.materials.interop import from_cif
from matwright.physics.chemistry import NOBLE_GASES
from matwright.serialization import atomic_write_text, hash_file

MAX_ATOMS, MAX_ABOVE_HULL = 24, 0.1
WIDE_DECODER = DecoderConfig(latent=64, latent_in_cell=True, optional_latent=True, prior_layers=8, dropout=0.2)
WIDE_ENCODER = EncoderConfig(latent=64, width=256, memory=160)
WIDE_FIT = FitConfig(
    learning_rate=1.5e-3, free_nats=0.0, free_total=36.0, geometry_weight=0.5, without_latent=0.3, swapped=0.5,
    kl_warmup=0.02,
)  # fmt: skip
WITHOUT_GRAPH = 0.1
"""Share of the crystals whose graph a recognition network that reads graphs does not see in training."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--start")
    parser.add_argument("--graphs")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    parts = read_parts(options.table, options.workers, options.cache)
    options.out.mkdir(parents=True, exist_ok=True)
    start = load_generator(options.start) if options.start else None
    effort = {"epochs": options.epochs, "minutes": options.minutes, "seed": options.seed}
    named = (text.split("=") for text in options.set)
    settings = {name: type(getattr(FitConfig(), name))(value) for name, value in named}
    encoder = WIDE_ENCODER if options.wide else EncoderConfig()
    if options.graphs:
        width = ModelReader(options.graphs).width
        encoder = replace(encoder, graph_model=options.graphs, graph_width=width)
        effort["without_graph"] = WITHOUT_GRAPH
    train_generator(
        parts["train"],
        parts["val"],
        out=options.out,
        name=options.out.name,
        decoder=WIDE_DECODER if options.wide else None,
        encoder=encoder,
        fit=replace(WIDE_FIT if options.wide else FitConfig(), **effort | settings),
        start=start.trained if isinstance(start, LatentGenerator) else None,
        rebuilt=250,
        keep_state=True,
        max_atoms=MAX_ATOMS,
        data={
            "source": "Materials Project (CC BY 4.0), rows with split train; validation: val",
            "sha256": hash_file(options.table),
            "e_above_hull_max_eV_per_atom": MAX_ABOVE_HULL,
            "max_atoms": MAX_ATOMS,
            "noble_gases": False,
        },
        on_epoch=show,
    )


def show(report: EpochReport) -> None:
    terms = ", ".join(f"{name} {value:.2f}" for name, value in report.valid.items())
    physics = ", ".join(f"{name} {value:.4f}" for name, value in report.physics.items())
    print(f"epoch {report.epoch} {report.seconds:.0f} s: train {report.train_loss:.2f}, held out {report.bound:.2f} "
          f"nats ({terms}), {report.active_units} active units, mutual information at least {report.information:.1f}, "
          f"{report.without_latent:.2f} without a latent; {physics}; rebuilt {report.rebuilt}", flush=True)  # fmt: skip


def read_parts(table: Path, workers: int, cache: Path | None) -> dict[str, list[SymmetrySequence]]:
    """Sequences of the training and validation rows."""
    if cache is not None and cache.is_file():
        lines = [json.loads(line) for line in cache.read_text().splitlines()]
        return {part: [_sequence(line) for line in lines if line["part"] == part] for part in ("train", "val")}
    rows = pd.read_csv(table)
    near = (rows["e_above_hull"] <= MAX_ABOVE_HULL) & (rows["n_atoms"] <= MAX_ATOMS)
    rows = rows[near & rows["split"].isin(["train", "val"])]
    listener = progress()
    listener.start("encoding crystals", len(rows))
    crystals = (from_cif(text) for text in rows["cif"])
    sequences = list(encode_all(crystals, workers=workers, on_done=listener.advance))
    listener.finish()
    parts: dict[str, list[SymmetrySequence]] = {"train": [], "val": []}
    for part, sequence in zip(rows["split"], sequences, strict=True):
        if sequence is not None and not NOBLE_GASES & sequence.composition.keys():
            parts[part].append(sequence)
    if cache is not None:
        lines = [json.dumps(_line(part, s)) for part, found in parts.items() for s in found]
        atomic_write_text(cache, "\n".join(lines) + "\n")
    return parts


def _line(part: str, sequence: SymmetrySequence) -> dict[str, Any]:
    orbits = [[orbit.number, orbit.letter, list(orbit.free)] for orbit in sequence.orbits]
    return {"part": part, "group": sequence.space_group, "orbits": orbits, "lattice": list(sequence.lattice)}


def _sequence(line: dict[str, Any]) -> SymmetrySequence:
    orbits = tuple(Orbit(number=number, letter=letter, free=tuple(free)) for number, letter, free in line["orbits"])
    return SymmetrySequence(space_group=line["group"], orbits=orbits, lattice=tuple(line["lattice"]))


if __name__ == "__main__":
    main()
