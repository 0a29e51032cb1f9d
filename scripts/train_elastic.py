"""Train the shipped model `elastic` (src/matwright/shipped/elastic) on the table of build_elastic_table.py.

    python scripts/train_elastic.py TABLE OUT [--minutes 7] [--members 2] [--forest 25] [--scalar] [--store FOLDER]

The full tensors teach all components, the scalar moduli what they are averages of. `--scalar` trains the peer of
benchmarks/elastic.py instead: the same encoder with two plain heads for Hill's K and G, on the same rows.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from matwright.api.columns import TableColumns
from matwright.api.parts import split_settings
from matwright.api.train import train
from matwright.api.train_settings import TrainSettings
from matwright.cli.progress import progress
from matwright.models.config import GemPpmConfig, HeadConfig
from matwright.physics.elasticity import AVERAGE_NAMES, ELASTIC_UNITS
from matwright.training.settings import protocol

PEER = ("bulk_modulus", "shear_modulus")
NETWORK = GemPpmConfig(heads=(HeadConfig(name="any"),), angular_order=2)
ORIGIN = (
    "1,181 elastic tensors of de Jong et al. 2015 (doi 10.1038/sdata.2015.9, PBE); Hill's K and G of 3,923 crystals of "
    "AFLOW (AEL); Voigt's K and G of 442 crystals of JARVIS-DFT; joined by scripts/build_elastic_table.py"
)
LIMITS = (
    "Tensors were learned from 937 crystals, K and G from 4,379: the anisotropy is less certain than the averages.",
    "The values are those of density functional theory at 0 K: 5 to 10 % softer than experiment for many crystals.",
    "Every predicted crystal is Born stable by construction: the model cannot say that a crystal is unstable.",
    "Trees beside the networks speak of K and G alone; the tensor of the networks is scaled to these.",
    "Layered crystals, whose softest constants are a hundredth of the stiffest, are few in the data: their universal "
    "anisotropy is underestimated.",
    "The formulas Si, MgO and Cu were kept out of training to be compared with experiment.",
)


def main() -> None:
    """Train and write the run folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=7.0, help="CPU minutes a member")
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--forest", type=int, default=25, help="randomised trees beside the tensor; 0 for none")
    parser.add_argument("--scalar", action="store_true")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    names = PEER if given.scalar else (*AVERAGE_NAMES, "elastic_tensor")
    targets = tuple(f"{name}:{ELASTIC_UNITS.get(name, 'GPa')}" for name in names)
    columns = TableColumns(targets=targets, structure="structure", id_column="id", split_column="split")
    source = columns.open(given.table)
    how = protocol("default", minutes=given.minutes)
    settings = TrainSettings(
        specs=source.targets,
        split=split_settings(None, "split", refuse_leakage=True),
        protocol="default",
        how=replace(how, settings=replace(how.settings, save_seconds=60.0)),
        members=given.members,
        network=NETWORK,
        forest=0 if given.scalar else given.forest,
        seed=given.seed,
    )
    facts = {"origin": ORIGIN, "limits": list(LIMITS)}
    result = train(
        source,
        settings,
        out=given.out,
        resume=given.resume,
        workers=given.workers,
        store_folder=given.store,
        name="elastic-scalar" if given.scalar else "elastic",
        facts=facts,
        progress=progress(quiet=False),
    )
    for name in PEER:
        print(f"{name}: test MAE {result.metrics['test'][name]['mae']:.2f} GPa")


if __name__ == "__main__":
    main()
