"""Batched relaxation against one-by-one ASE FIRE with the package's own CHGNet calculator: time, steps, energies.

Crystals of the Materials Project are rattled (0.1 Å) and their cells scaled by 0.85 to 1.25 in volume; both sides relax
positions and cell until the largest force on an atom and the largest component of the stress are small enough. CPU time
of one thread, denormals flushed on both sides, one process. Data: MATWRIGHT_DATA or ../shared/data.

Run as: python benchmarks/relaxation.py --n 20
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, primitive, reduced_formula, to_ase

DEFAULT = os.environ.get("MATWRIGHT_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data"))


def main() -> int:
    """Relax both ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--fmax", type=float, default=0.03, help="eV/Å")
    parser.add_argument("--smax", type=float, default=0.1, help="GPa")
    parser.add_argument("--max-steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(DEFAULT))
    arguments = parser.parse_args()
    if not (arguments.data / "mp_crystals.csv.gz").is_file():
        print(f"{arguments.data}/mp_crystals.csv.gz is not there: set MATWRIGHT_DATA", file=sys.stderr)
        return 2
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    crystals = _crystals(arguments)
    ours, peer = _batched(crystals, arguments), _one_by_one(crystals, arguments)
    gap = np.abs(ours[2] - peer[2]) * 1e3
    both = np.isfinite(gap) & ours[3] & peer[3]
    size = np.mean([len(crystal) for crystal in crystals])
    print(f"{len(crystals)} crystals, {size:.1f} atoms, {arguments.fmax} eV/Å and {arguments.smax} GPa")
    for name, (seconds, steps, _, done) in (("batched quasi-Newton", ours), ("ASE FIRE, one by one", peer)):
        per_step = 1e3 * seconds / steps.sum()
        print(
            f"{name}: {seconds:6.1f} CPU s, {60 * len(crystals) / seconds:5.1f} crystals a CPU minute, "
            f"{done.sum()} converged, {steps.mean():5.1f} steps a crystal, {per_step:5.1f} ms a step"
        )
    within = int((gap[both] <= 1.0).sum())
    print(f"{peer[0] / ours[0]:.1f} times the throughput; energies within 1 meV/atom: {within} of {both.sum()}")
    lower, higher = both & (ours[2] < peer[2] - 1e-3), both & (ours[2] > peer[2] + 1e-3)
    print(f"of the others {lower.sum()} ended lower with ours and {higher.sum()} higher")
    for index in np.flatnonzero(lower | higher):
        print(f"  {reduced_formula(crystals[index])}: {1e3 * (ours[2] - peer[2])[index]:+.1f} meV/atom")
    return 0


def _crystals(arguments: argparse.Namespace) -> list[Crystal]:
    rng = np.random.default_rng(arguments.seed)
    with gzip.open(arguments.data / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        rows = [
            row
            for row in csv.DictReader(handle)
            if row["split"] == "test" and int(row["n_atoms"]) <= arguments.max_atoms
        ]
    found = []
    for index in rng.permutation(len(rows))[: arguments.n]:
        crystal = primitive(from_cif(rows[index]["cif"]))
        moves = rng.normal(0, 0.1 / np.sqrt(3), (len(crystal), 3)) @ np.linalg.inv(crystal.lattice)
        lattice = crystal.lattice * float(np.cbrt(rng.uniform(0.85, 1.25)))
        found.append(Crystal(lattice=lattice, frac_coords=crystal.frac_coords + moves, numbers=crystal.numbers))
    return found


Result = tuple[float, NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]
"""CPU seconds; steps, eV/atom and whether it converged for each crystal."""


def _batched(crystals: list[Crystal], arguments: argparse.Namespace) -> Result:
    from matwright.screening.potential import Failure, load_potential
    from matwright.screening.relax import RelaxationSettings, relax

    potential = load_potential("chgnet")
    potential.evaluate(crystals[:1])
    start = time.process_time()
    settings = RelaxationSettings(fmax=arguments.fmax, smax=arguments.smax, max_steps=arguments.max_steps)
    outcomes = relax(crystals, potential, settings=settings)
    seconds = time.process_time() - start
    steps = np.array([0 if isinstance(outcome, Failure) else outcome.steps + 1 for outcome in outcomes])
    energies = [np.nan if isinstance(outcome, Failure) else outcome.energy_per_atom for outcome in outcomes]
    done = np.array([not isinstance(outcome, Failure) and outcome.converged for outcome in outcomes])
    return seconds, steps, np.array(energies), done


def _one_by_one(crystals: list[Crystal], arguments: argparse.Namespace) -> Result:
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE
    from ase.units import GPa
    from chgnet.model.dynamics import CHGNetCalculator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calculator = CHGNetCalculator(use_device="cpu")
        seconds, steps, energies, done = 0.0, [], [], []
        for crystal in crystals:
            atoms = to_ase(crystal)
            atoms.calc = calculator
            start = time.process_time()
            optimizer = FIRE(FrechetCellFilter(atoms), logfile=None)
            for _ in optimizer.irun(fmax=0.0, steps=arguments.max_steps):
                force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
                stress = float(np.abs(atoms.get_stress()).max()) / GPa
                if force <= arguments.fmax and stress <= arguments.smax:
                    break
            seconds += time.process_time() - start
            steps.append(optimizer.nsteps + 1)
            energies.append(float(atoms.get_potential_energy()) / len(crystal))
            done.append(force <= arguments.fmax and stress <= arguments.smax)
    return seconds, np.array(steps), np.array(energies), np.array(done)


if __name__ == "__main__":
    sys.exit(main())
