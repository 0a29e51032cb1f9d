"""The dear rungs on known crystals: elastic tensor, equation of state, phonons and specimen, with what each costs.

Every rung as `matwright screen --until phonon` climbs it, with its default settings; each crystal alone, one thread.

Run as: python benchmarks/evidence.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from matwright.materials.crystal import Crystal
from matwright.runs import provenance
from matwright.screening.evidence import ElasticStage, EquationOfStateStage, PhononStage
from matwright.screening.potential import load_potential
from matwright.screening.rung import Measurement, Rung
from matwright.screening.specimen import SpecimenStage
from matwright.screening.stage import Stage
from matwright.screening.thresholds import Thresholds
from matwright.screening.verdict import Verdict

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
CRYSTALS = {
    "Si": (5.431, (14, 14), 0.25),
    "MgO": (4.212, (12, 8), 0.5),
    "NaCl": (5.640, (11, 17), 0.5),
    "Cu": (3.615, (29,), 0.0),
}
"""Lattice constant in Å, elements, place of the second atom on the diagonal."""
COLUMNS = (
    "elastic_c11", "elastic_c12", "elastic_c44", "elastic_bulk_modulus", "bulk_modulus_eos", "lowest_frequency",
    "supercell_atoms", "specimen_stiffness",
)  # fmt: skip


@dataclass(frozen=True)
class Climbing:
    """A crystal with what the rungs below measured."""

    crystal: Crystal
    verdicts: tuple[Verdict, ...] = ()
    rungs: Mapping[str, Rung] = field(default_factory=dict)

    def measured(self, name: str) -> Measurement | None:
        """The measurement of that name, or None."""
        found = (rung.measured(name) for rung in self.rungs.values())
        return next((one for one in found if one is not None), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", default="chgnet")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    potential, thresholds = load_potential(arguments.potential), Thresholds()
    stages: list[Stage] = [
        ElasticStage(potential=potential, thresholds=thresholds),
        EquationOfStateStage(potential=potential, thresholds=thresholds),
        SpecimenStage(thresholds=thresholds),
        PhononStage(potential=potential, thresholds=thresholds),
    ]
    print(f"{potential.name} {potential.version}; {thresholds.elastic}; {thresholds.equation_of_state};")
    print(f"{thresholds.phonon}; commit {provenance()['commit']}\n")
    costs = " | ".join(f"CPU s, {stage.name.replace('_', ' ')}" for stage in stages)
    print(f"| crystal | c11 | c12 | c44 | K, tensor | K, equation | lowest, THz | atoms | E of the bar | {costs} |")
    print("|" + "---|" * (9 + len(stages)))
    for name in CRYSTALS:
        print(_row(name, stages))


def _row(name: str, stages: list[Stage]) -> str:
    edge, numbers, place = CRYSTALS[name]
    sites = np.array([[0.0] * 3, [place] * 3])[: len(numbers)]
    climber = Climbing(Crystal(lattice=edge * FCC, frac_coords=sites, numbers=np.array(numbers)))
    seconds = []
    for stage in stages:
        start = time.process_time()
        (climb,) = stage.climb([climber])
        seconds.append(time.process_time() - start)
        if not climb.rung.passed:
            return f"| {name} | stopped at {stage.name}: {climb.rung.reason} |"
        climber = Climbing(climb.relaxed or climber.crystal, rungs={**climber.rungs, stage.name: climb.rung})
    taken = [climber.measured(one) for one in COLUMNS]
    shown = [f"{one.value:.4g}" if one is not None and one.value is not None else "" for one in taken]
    return f"| {name} | {' | '.join(shown)} | {' | '.join(f'{second:.2f}' for second in seconds)} |"


if __name__ == "__main__":
    main()
