"""Li-ion conductors end to end: three known ones beside their measured values, and the best few of a screening.

known: Li6PS5Cl and Li10GeP2S12 from OBELiX's CIFs, the smallest supercell of the primitive cell whose atoms are further
than 10 Å from their own images, partly occupied sites settled there by `materials.annealing`; Li3YCl6 from the ordered
structure type of Li3ErCl6, its half-occupied Li sites settled in the same way. At rest under --potential; molecular
dynamics at constant volume, all temperatures in one batch. Trajectories stay in --out: temperatures asked for later are
added. Ctrl-C ends a production where it is, and keeps it.

screen: crystals of the Materials Project that hold Li and no transition metal, ranked by the shipped model
`li-conductor`; the best are relaxed and placed on the hull, and the first --move of the stable ones moved.

report: the table and the pictures, from what is in --out.

Data: MATWRIGHT_DATA or ../shared/data. One thread, denormals flushed.

Run as: python benchmarks/li_conductor.py known --out li-conductors --production 5
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from conductors.report import report
from conductors.structures import KNOWN, ROOM, candidates, known

from matwright.materials.crystal import Crystal
from matwright.materials.supercell import roomy
from matwright.runs import provenance
from matwright.screening.conduction import REST
from matwright.screening.dynamics import DynamicsSettings, Replica, Trajectory, run_dynamics
from matwright.screening.potential import Potential, load_potential
from matwright.screening.relax import Relaxation, relax
from matwright.screening.trials import crystal_of, plain_crystal

DEFAULT = os.environ.get("MATWRIGHT_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data"))


def main() -> int:
    """Do one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("known", "screen", "report"))
    parser.add_argument("--out", type=Path, default=Path("li-conductors"))
    parser.add_argument("--only", nargs="*", default=None, help="names of known conductors")
    parser.add_argument("--production", type=float, default=5.0, help="ps at each temperature")
    parser.add_argument("--equilibration", type=float, default=0.5, help="ps")
    parser.add_argument("--timestep", type=float, default=3.0, help="fs")
    parser.add_argument("--temperatures", type=float, nargs="*", default=[600.0, 700.0, 850.0, 1050.0], help="K")
    parser.add_argument("--minutes", type=float, default=1e9, help="of CPU, after which a production ends where it is")
    parser.add_argument("--relax", type=int, default=24, help="candidates of the screening that are relaxed")
    parser.add_argument("--move", type=int, default=1, help="stable ones that are moved")
    parser.add_argument("--potential", default="chgnet", help="of this --out: chgnet or sevennet-0")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(DEFAULT))
    arguments = parser.parse_args()
    if not (arguments.data / "obelix_train_cifs.zip").is_file():
        print(f"{arguments.data}/obelix_train_cifs.zip is not there: set MATWRIGHT_DATA", file=sys.stderr)
        return 2
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "report":
        report(arguments.out, arguments.data, arguments.potential)
    elif arguments.stage == "known":
        for name in arguments.only or KNOWN:
            moved(name, known(name, arguments.data, arguments.seed), load_potential(arguments.potential), arguments)
    else:
        _screen(arguments)
    return 0


def moved(name: str, crystal: Crystal, potential: Potential, arguments: argparse.Namespace) -> None:
    """Bring a crystal to rest and move it at the temperatures that are not there yet."""
    path = arguments.out / f"{name}.json"
    if path.is_file():
        record = json.loads(path.read_text(encoding="utf-8"))
    else:
        record = _rested(crystal, potential)
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    if record.get("potential", "chgnet") != potential.name:
        raise SystemExit(f"{path} is of {record['potential']}: choose another --out")
    wanted = [kelvin for kelvin in arguments.temperatures if f"{kelvin:g}" not in record["temperatures"]]
    cell = roomy(crystal_of(record["crystal"]), ROOM, max_atoms=300)
    print(f"{name}: {len(cell)} atoms, {wanted} K", flush=True)
    if not wanted:
        return
    settings = DynamicsSettings(
        timestep=arguments.timestep,
        equilibration=arguments.equilibration,
        production=arguments.production,
        interval=10 * arguments.timestep,
        seed=arguments.seed,
    )
    began, stopped = time.process_time(), []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))

    def tell(step: int, steps: int) -> None:
        if step % 50 == 0:
            print(f"  {step}/{steps} steps, {time.process_time() - began:.0f} CPU s", flush=True)

    found = run_dynamics(
        [Replica(crystal=cell, temperature=kelvin) for kelvin in wanted],
        potential,
        settings=settings,
        on_step=tell,
        go_on=lambda: not stopped and time.process_time() - began < 60 * arguments.minutes,
    )
    paths = dict(np.load(arguments.out / f"{name}.npz")) if (arguments.out / f"{name}.npz").is_file() else {}
    for kelvin, one in zip(wanted, found, strict=True):
        told: dict[str, Any] = {"cpu_seconds": (time.process_time() - began) / len(wanted), "run": provenance()}
        told |= {"timestep": settings.timestep, "equilibration": settings.equilibration, "seed": settings.seed}
        if isinstance(one, Trajectory):
            paths[f"{kelvin:g}"] = one.positions.astype(np.float32)
            told |= {"kinetic": one.kinetic, "step": one.step, "picoseconds": one.step * (len(one.positions) - 1)}
        else:
            told["failure"] = one.reason
        record["temperatures"][f"{kelvin:g}"] = told
    np.savez_compressed(arguments.out / f"{name}.npz", **paths)
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    if stopped:
        raise KeyboardInterrupt


def _rested(crystal: Crystal, potential: Potential) -> dict[str, Any]:
    (outcome,) = relax([crystal], potential, settings=REST)
    if not isinstance(outcome, Relaxation) or not outcome.converged:
        raise SystemExit(f"the crystal does not come to rest: {outcome.reason}")
    return {
        "given": plain_crystal(crystal),
        "crystal": plain_crystal(outcome.crystal),
        "energy_per_atom": outcome.energy_per_atom,
        "potential": potential.name,
        "temperatures": {},
    }


def _screen(arguments: argparse.Namespace) -> None:
    """Predicted, relaxed, on the hull, moved; every candidate's way is written down."""
    potential = load_potential(arguments.potential)
    rows = candidates(arguments.data, potential, count=arguments.relax)
    (arguments.out / "screen.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    stable = [row for row in rows if row.get("e_above_hull", 1.0) <= 0.05]
    for row in stable[: arguments.move]:
        moved(f"screened-{row['formula']}", crystal_of(row["crystal"]), potential, arguments)


if __name__ == "__main__":
    sys.exit(main())
