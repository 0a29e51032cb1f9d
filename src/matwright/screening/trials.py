"""Trials of generated crystals: relaxed with one potential, judged by several, in worker processes; input of S.U.N.

Every crystal is relaxed with the first potential; the others give its energy at that geometry. A trial is a plain value
that can be written as a line of JSON, so that long work is continued where it ended.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, final

import numpy as np

from matwright.errors import CalculationError, InputError
from matwright.evaluation.generation import Assessed
from matwright.materials.crystal import Crystal
from matwright.screening.relax import RelaxationSettings

CHUNK = 12
"""Crystals that a worker takes at a time."""
_worker: dict[str, Any] = {}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSettings:
    """How crystals are tried.

    Attributes:
        potentials: names; the first relaxes, all of them judge.
        relaxation: when a relaxation ends.
        workers: processes.
    """

    potentials: tuple[str, ...] = ("chgnet", "sevennet-0")
    relaxation: RelaxationSettings = field(
        default_factory=lambda: RelaxationSettings(fmax=0.1, smax=1.0, max_steps=250)
    )
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.potentials:
            raise InputError("a trial needs at least one potential")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one crystal.

    Attributes:
        key: name of the crystal.
        crystal: as relaxed; None where that failed, `failure` then says why.
        energies: potential → eV/atom; a potential that failed is missing.
        steps, converged: of the relaxation.
        relax_cpu_seconds, cpu_seconds: the crystal's share of its chunk: relaxation alone, and all.
    """

    key: str
    crystal: Crystal | None = None
    failure: str | None = None
    energies: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    converged: bool = False
    relax_cpu_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def to_plain(self) -> dict[str, Any]:
        """As JSON."""
        names = ("key", "failure", "steps", "converged", "relax_cpu_seconds", "cpu_seconds")
        crystal = None if self.crystal is None else plain_crystal(self.crystal)
        return {**{name: getattr(self, name) for name in names}, "energies": dict(self.energies), "crystal": crystal}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """From what `to_plain` gave."""
        crystal = plain["crystal"]
        return cls(**{**plain, "crystal": None if crystal is None else crystal_of(crystal)})


def plain_crystal(crystal: Crystal) -> dict[str, Any]:
    """Lattice, fractional coordinates and atomic numbers of an ordered crystal as lists."""
    return {
        "lattice": crystal.lattice.tolist(),
        "frac_coords": crystal.frac_coords.tolist(),
        "numbers": crystal.numbers.tolist(),
    }


def crystal_of(plain: Mapping[str, Any]) -> Crystal:
    """The crystal that `plain_crystal` wrote."""
    return Crystal(
        lattice=np.array(plain["lattice"]),
        frac_coords=np.array(plain["frac_coords"]),
        numbers=np.array(plain["numbers"]),
    )


def try_crystals(jobs: Sequence[tuple[str, Crystal]], settings: TrialSettings) -> Iterator[list[Trial]]:
    """Relax and judge named crystals; the trials of a chunk come as soon as it is done, in any order of chunks.

    Raises:
        InputError: a potential is unknown or not installed.
    """
    from matwright.screening.potential import load_potential

    chunks = [list(jobs[start : start + CHUNK]) for start in range(0, len(jobs), CHUNK)]
    if not chunks:
        return
    if settings.workers <= 1:
        _worker["potentials"] = {name: load_potential(name) for name in settings.potentials}
        _worker["settings"] = settings
        yield from map(_work, chunks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(settings.workers, initializer=_start_worker, initargs=(settings,)) as pool:
        yield from pool.imap_unordered(_work, chunks)
        pool.close()
        pool.join()


def _start_worker(settings: TrialSettings) -> None:
    import torch

    from matwright.screening.potential import load_potential

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    _worker["potentials"] = {name: load_potential(name) for name in settings.potentials}
    _worker["settings"] = settings


def _work(jobs: list[tuple[str, Crystal]]) -> list[Trial]:
    from matwright.screening.potential import Failure
    from matwright.screening.relax import relax

    settings: TrialSettings = _worker["settings"]
    first, *others = settings.potentials
    potentials = _worker["potentials"]
    start = time.process_time()
    outcomes = relax([crystal for _, crystal in jobs], potentials[first], settings=settings.relaxation)
    relaxing = time.process_time() - start
    found: list[Trial] = []
    for (key, _), outcome in zip(jobs, outcomes, strict=True):
        if isinstance(outcome, Failure):
            found.append(Trial(key=key, failure=outcome.reason))
            continue
        energies = {first: outcome.energy_per_atom}
        for name in others:
            (point,) = potentials[name].evaluate([outcome.crystal])
            if not isinstance(point, Failure):
                energies[name] = point.energy / len(outcome.crystal)
        found.append(
            Trial(key=key, crystal=outcome.crystal, energies=energies, steps=outcome.steps, converged=outcome.converged)
        )
    spent = time.process_time() - start
    return [replace(one, relax_cpu_seconds=relaxing / len(jobs), cpu_seconds=spent / len(jobs)) for one in found]


def assessed(trial: Trial) -> Assessed:
    """The trial with its energies above the hull of known compounds, each against its potential's own references.

    A potential without references for the crystal's elements, or a crystal the hull knows nothing about, has no entry.
    """
    from matwright.data.hull import Hull
    from matwright.data.known import KnownMaterials
    from matwright.data.references import load_references
    from matwright.materials.interop import reduced_formula
    from matwright.physics.thermodynamics import stability

    if trial.crystal is None:
        return Assessed(crystal=None, e_above_hull={}, known_system=False)
    crystal, hull = trial.crystal, Hull.load()
    above: dict[str, float] = {}
    for name, energy in trial.energies.items():
        try:
            above[name] = stability(crystal, energy, load_references(name), hull).e_above_hull
        except CalculationError:
            continue
    return Assessed(
        crystal=crystal,
        e_above_hull=above,
        known_system=hull.known_system(set(crystal.numbers.tolist())),
        known_formula=KnownMaterials.load().has_formula(reduced_formula(crystal)),
    )
