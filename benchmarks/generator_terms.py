"""What each further term of a generator's loss and a second reader bring: short trainings that differ in one thing.

    python benchmarks/generator_terms.py [--rows 3000] [--epochs 3] [--variants none,graph,...] [--out terms.csv]

Every training starts with the decoder of the shipped generator and a fresh recognition network, learns from the first
rows of the training part of mp_crystals (as scripts/train_generator.py takes it) for some epochs, with the settings
that mp-generator was trained with. Variants: none; graph (E25: the recognition network reads the embedding of
`mp-crystal` too); distance, density, charge (R_k of E24) and physics (all three); consistency (E27); adversarial.

Printed: nats on held-out rows with a latent and without, crystals that come back from their latent mean (at most 20
atoms, StructureMatcher 0.3, 0.5, 10), the three regularisers on held-out rows, and of free draws before any rejection
the shares that are structurally valid (CDVAE, self-images included), keep all contact rules, and are neutral (smact14).
Data: MATWRIGHT_DATA or ../shared/data.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from matwright.api.generate import load_generator
from matwright.api.graph_reader import ModelReader
from matwright.api.train_generator import train_generator
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.contacts import contacts
from matwright.generation.fit_config import FitConfig
from matwright.generation.fit_report import EpochReport
from matwright.generation.latent import LatentGenerator
from matwright.generation.masks import MaskRules
from matwright.generation.prior_fit import PriorFitConfig
from matwright.generation.sampler import sample_sequences
from matwright.generation.wyckoff import SymmetrySequence
from matwright.generation.wyckoff.decode import decode_arrays
from matwright.materials.constraints import NO_CONSTRAINTS
from matwright.physics.chemistry import counts_of, is_charge_balanced
from matwright.rng import torch_generator
from matwright.runs import provenance

ROOT = Path(__file__).resolve().parents[1]
GRAPH_MODEL = "mp-crystal"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "graph": {"without_graph": 0.1},
    "physics": {"distance_weight": 10.0, "density_weight": 10.0, "charge_weight": 10.0},
    "distance": {"distance_weight": 10.0},
    "density": {"density_weight": 10.0},
    "charge": {"charge_weight": 10.0},
    "consistency": {"consistency": 1.0},
    "adversarial": {"adversarial": 1.0},
}


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    sys.path.insert(0, str(ROOT / "scripts"))  # the settings of the shipped generator stand in its script
    import train_generator as script

    start = load_generator("mp-generator")
    if not isinstance(start, LatentGenerator):
        raise SystemExit("the shipped generator is no learned one")
    parts = script.read_parts(options.data / "mp_crystals.csv.gz", 1, options.cache)
    train, valid = _covering(parts["train"], options.rows), parts["val"][: options.held_out]
    print(f"{len(train)} training and {len(valid)} held-out rows, {options.epochs} epochs, seed {options.seed}, "
          f"commit {provenance()['commit']}, one thread", flush=True)  # fmt: skip
    fit = replace(script.WIDE_FIT, epochs=options.epochs, minutes=1e6, seed=options.seed, learning_rate=options.rate)
    rows = []
    for name in options.variants.split(","):
        begun = time.process_time()
        row = _trained(name, replace(fit, **VARIANTS[name]), start.trained, script, (train, valid), options)
        rows.append({"variant": name, **row, "cpu_s": round(time.process_time() - begun)})
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
        _write(options.out, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MATWRIGHT_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--rows", type=int, default=3000, help="training rows")
    parser.add_argument("--held-out", type=int, default=500, help="validation rows")
    parser.add_argument("--rebuilt", type=int, default=100, help="validation rows decoded from their latents")
    parser.add_argument("--draws", type=int, default=500, help="free draws")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", default="none,graph,physics,consistency,adversarial")
    parser.add_argument("--cache", type=Path, help="encoded sequences, as scripts/train_generator.py keeps them")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--out", type=Path, default=Path("generator_terms.csv"))
    return parser.parse_args()


def _covering(sequences: list[SymmetrySequence], n: int) -> list[SymmetrySequence]:
    """The first n sequences, the last of them replaced so that every element of all sequences occurs."""
    first: dict[int, int] = {}
    for place, sequence in enumerate(sequences):
        for number in sequence.composition:
            first.setdefault(number, place)
    late = sorted({place for place in first.values() if place >= n})
    return [*sequences[: n - len(late)], *(sequences[place] for place in late)]


def _trained(
    name: str, fit: FitConfig, start: TrainedGenerator, script: Any, parts: Any, options: argparse.Namespace
) -> dict[str, float]:
    """Train one variant and measure it."""
    encoder, reader = script.WIDE_ENCODER, None
    if name == "graph":
        reader = ModelReader(GRAPH_MODEL)
        encoder = replace(encoder, graph_model=GRAPH_MODEL, graph_width=reader.width)
    reports: list[EpochReport] = []
    with tempfile.TemporaryDirectory() as folder:
        trained = train_generator(
            *parts, out=Path(folder), name=name, decoder=start.model.decoder.config, encoder=encoder, fit=fit,
            prior=PriorFitConfig(epochs=0), reader=reader, start=start, on_epoch=reports.append,
            rebuilt=options.rebuilt,
        )  # fmt: skip
    last = reports[-1]
    told = last.bound + last.valid["kl"]
    found = {
        "with_latent": told, "kl": last.valid["kl"], "without_latent": last.without_latent,
        "rebuilt": last.rebuilt.crystal if last.rebuilt else float("nan"),
        "formula": last.rebuilt.formula if last.rebuilt else float("nan"),
        **last.physics, **_free(trained, start, options),
    }  # fmt: skip
    return {key: round(float(value), 4) for key, value in found.items()}


def _free(trained: TrainedGenerator, start: TrainedGenerator, options: argparse.Namespace) -> dict[str, float]:
    """Free draws at the shipped temperatures, before any rejection."""
    rules = MaskRules(trained.packer.vocabulary, trained.packer.catalogue, NO_CONSTRAINTS)
    rollout = sample_sequences(
        trained.model.decoder, rules, options.draws, temperatures=start.temperatures,
        generator=torch_generator(options.seed, "terms"),
    )  # fmt: skip
    arrays, _ = trained.packer.arrays(rollout.batch.select(rollout.complete.nonzero()[:, 0]))
    crystals = decode_arrays(arrays)
    touching = contacts(crystals)
    valid = (touching.distance >= 0.5) & (touching.volume_per_atom >= 0.1)
    neutral = [is_charge_balanced(counts_of(crystal)) for crystal in crystals.crystals()]
    return {
        "valid": valid.sum() / options.draws,
        "contacts": touching.pass_rules(trained.rules).sum() / options.draws,
        "neutral": float(np.mean(neutral)),
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
