"""Measures a crystal generator without any potential: speed, validity, symmetry, uniqueness, novelty, chemistry.

    python benchmarks/generator.py [--generator mp-generator] [-n 1000] [--seed 0] [--data mp_crystals.csv.gz]
    python benchmarks/generator.py -n 10000 --speed

Raw validity is that of all decoded draws before the generator's own contact rules; final validity that of what it
hands out. Structural validity (CDVAE): shortest distance at least 0.5 Å, periodic self-images included, and a volume
of at least 0.1 Å³. Neutrality: SMACT with the oxidation states `smact14`; single elements and metals pass.
Uniqueness and novelty: pymatgen's StructureMatcher with default tolerances on primitive cells, within equal reduced
formulas; novelty against the training rows of the table (skipped where the table is absent). Rebuilt: validation
crystals of at most 20 atoms decoded greedily from the mean of their latent, equal by StructureMatcher(0.3, 0.5, 10).
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from matwright.api.generate import load_generator
from matwright.evaluation.generation import is_structurally_valid
from matwright.evaluation.populations import total_variation
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.contacts import contacts
from matwright.generation.corpus import encode_all, packed
from matwright.generation.fit_report import INFORMATION_ROWS, evaluate
from matwright.generation.latent import LatentGenerator
from matwright.generation.masks import MaskRules
from matwright.generation.rebuild import rebuild_rates, small
from matwright.generation.sampler import sample_sequences
from matwright.generation.wyckoff.decode import decode_arrays, to_arrays
from matwright.materials.constraints import NO_CONSTRAINTS
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, reduced_formula, to_pymatgen
from matwright.physics.chemistry import counts_of, is_charge_balanced
from matwright.rng import torch_generator
from matwright.runs import provenance

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core.structure import Structure

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MATWRIGHT_DATA", ROOT.parent / "shared" / "data")) / "mp_crystals.csv.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--generator", default="mp-generator")
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rebuilt", type=int, default=400, help="validation crystals decoded from their latents")
    parser.add_argument("--speed", action="store_true", help="sampling and validity alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    generator = load_generator(options.generator)
    if not isinstance(generator, LatentGenerator):
        raise SystemExit("this benchmark measures learned generators; benchmarks/sun.py compares all")
    made = provenance()
    print(f"generator {generator.name}, n {options.n}, seed {options.seed}, commit {made['commit']}, one thread")
    print(f"machine {platform.processor() or platform.machine()}, torch {torch.__version__}")
    print_raw(generator, options.n, options.seed)
    generator.sample(200, seed=options.seed + 1)  # warm: tables are built once a process
    wall, cpu = time.perf_counter(), time.process_time()
    samples = generator.sample_sequences(options.n, seed=options.seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tally = generator.tally
    print(f"seconds for all            {wall:8.1f} (wall), {cpu:.1f} (CPU time)")
    print(f"sampled, decoded, tested   {options.n / wall:8.0f} crystals/s (wall), {options.n / cpu:.0f} (CPU time)")
    print(f"draws                      {tally.drawn} ({tally.incomplete} incomplete, {tally.colliding} colliding)")
    print(f"acceptance                 {tally.accepted / tally.drawn:8.3f}")
    crystals = [sample.crystal for sample in samples]
    print(f"final validity (CDVAE)     {np.mean([is_structurally_valid(crystal) for crystal in crystals]):8.3f}")
    groups = Counter(sample.sequence.space_group for sample in samples)
    print(f"share of space group 1     {groups[1] / len(samples):8.3f}")
    print(f"neutral (smact14)          {np.mean([is_charge_balanced(counts_of(c)) for c in crystals]):8.3f}")
    if options.speed:
        return
    structures = [to_pymatgen(crystal) for crystal in crystals]
    print(f"unique                     {unique_share(structures):8.3f}")
    if options.data.is_file():
        compare(crystals, structures, groups, options.data)
        print_latent(generator.trained, options.data, options.rebuilt)


def print_raw(generator: LatentGenerator, n: int, seed: int) -> None:
    """Print validity of plain draws from the decoder, without contact rules or drawing apart."""
    trained = generator.trained
    rules = MaskRules(trained.packer.vocabulary, trained.packer.catalogue, NO_CONSTRAINTS)
    rollout = sample_sequences(
        trained.model.decoder,
        rules,
        n,
        temperatures=trained.temperatures,
        generator=torch_generator(seed, "raw"),
    )
    complete = rollout.complete.nonzero()[:, 0]
    sequences = [s for s in trained.packer.unpack(rollout.batch.select(complete)) if s is not None]
    found = contacts(decode_arrays(to_arrays(sequences)))
    valid = (found.distance >= 0.5) & (found.volume_per_atom >= 0.1)
    print(f"raw validity (CDVAE)       {valid.sum() / n:8.3f} of all draws ({len(sequences) / n:.3f} complete)")
    print(f"raw, contact rules         {found.pass_rules(trained.rules).sum() / n:8.3f}")


def unique_share(structures: list[Structure]) -> float:
    """Return the share left when of equal structures one is kept."""
    kept: dict[str, list[Structure]] = defaultdict(list)
    matcher = _matcher()
    for structure in structures:
        same = kept[structure.composition.reduced_formula]
        if not any(matcher.fit(structure, other) for other in same):
            same.append(structure)
    return sum(map(len, kept.values())) / len(structures)


def compare(crystals: list[Crystal], structures: list[Structure], groups: Counter[int], table: Path) -> None:
    """Print novelty and distances of distributions against the training rows."""
    import pandas as pd

    rows = pd.read_csv(table)
    train = rows[(rows["split"] == "train") & (rows["n_atoms"] <= 24)]
    wanted = {reduced_formula(crystal) for crystal in crystals}
    library: dict[str, list[Structure]] = defaultdict(list)
    elements: Counter[int] = Counter()
    for cif, formula in zip(train["cif"], train["formula"], strict=True):
        composition = _composition(formula)
        elements.update(composition.keys())
        if _reduced(composition) in wanted:
            library[_reduced(composition)].append(to_pymatgen(from_cif(cif)))
    matcher = _matcher()
    novel = [
        not any(matcher.fit(structure, other) for other in library[reduced_formula(crystal)])
        for crystal, structure in zip(crystals, structures, strict=True)
    ]
    print(f"novel (training rows)      {np.mean(novel):8.3f}")
    new_formula = [not library[reduced_formula(crystal)] for crystal in crystals]
    print(f"new formula                {np.mean(new_formula):8.3f}")
    ours = Counter(int(z) for crystal in crystals for z in np.unique(crystal.numbers))
    print(f"elements, total variation  {total_variation(ours.elements(), elements.elements()):8.3f}")
    spread = Counter(int(group) for group in train["spacegroup"])
    print(f"groups, total variation    {total_variation(groups.elements(), spread.elements()):8.3f}")


def print_latent(trained: TrainedGenerator, table: Path, n: int) -> None:
    """Print how much the latent holds: held-out bound, active units, information, crystals that come back from it."""
    import pandas as pd

    rows = pd.read_csv(table)
    near = (rows["split"] == "val") & (rows["n_atoms"] <= trained.packer.vocabulary.max_atoms)
    near &= rows["e_above_hull"] <= 0.1
    found = encode_all(from_cif(cif) for cif in rows.loc[near, "cif"])
    data = packed(trained.packer, [s for s in found if s is not None and trained.packer.fits(s)], trained.reader)
    report = evaluate(trained.model, data)
    print(f"validation rows            {len(data)} within 0.1 eV/atom of the hull, not trained on")
    print(f"evidence lower bound       {report.bound:8.2f} nats, KL {report.valid['kl']:.2f}")
    print(f"active units               {report.active_units} of {trained.model.decoder.config.latent}")
    limit = math.log(min(len(data), INFORMATION_ROWS))
    print(f"mutual information         {report.information:8.2f} nats at least (the estimate ends at {limit:.2f})")
    rates = rebuild_rates(trained.model, trained.packer, data.batch.select(small(data.batch, n)))
    print(f"rebuilt from latent mean   {rates.crystal:8.3f} of {rates.n} with at most 20 atoms, greedy")
    print(f"   formula, with symmetry  {rates.formula:8.3f} {rates.symmetry:8.3f}")


def _composition(formula: str) -> dict[int, int]:
    from matwright.materials.formula import parse_formula

    return parse_formula(formula)


def _reduced(composition: dict[int, int]) -> str:
    from matwright.materials.formula import formula_text

    return formula_text(composition)


def _matcher() -> StructureMatcher:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher()


if __name__ == "__main__":
    main()
