"""S.U.N. of generated crystals: stable by two potentials, unique, novel; three generators on one budget.

Each generator proposes n crystals without a target. All are relaxed with CHGNet (batched, in worker processes), and
their energies above the hull of the Materials Project are taken with CHGNet and with SevenNet-0 at the same geometry
(MP2020-corrected), each against its own elemental references. Results are appended as they come, so that a second call
with the same settings goes on where the first one ended. A generator is a shipped name or the folder of a trained or
tuned one. With --draw F each draws F times as many, and those nearest to the hull by `mp-crystal` are tried; --phonon N
asks CHGNet for the phonons of N random hits of each; --figure draws the energies above the hull. Data: MATWRIGHT_DATA
or ../shared/data (novelty reference and the parents of ion exchange).

Run as: python benchmarks/sun.py --n 300 [--phonon 50] [--figure docs/figures/sun.png] [--draw 4]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tasks.generators import named_generator
from tasks.hull_distances import best_by_hull, draw_distances, hits

from matwright.data.known import KnownMaterials
from matwright.evaluation.generation import (
    Assessed,
    FormulaKey,
    MatchSettings,
    Share,
    StructureComparison,
    is_compositionally_valid,
    is_structurally_valid,
    share_of_group_one,
    stable_unique_novel,
)
from matwright.materials.crystal import Crystal
from matwright.materials.formula import parse_formula
from matwright.materials.interop import from_cif
from matwright.runs import provenance
from matwright.screening.lattice_dynamics import phonons
from matwright.screening.potential import Failure, load_potential
from matwright.screening.relax import RelaxationSettings
from matwright.screening.relaxing import smallest_cell
from matwright.screening.thresholds import Thresholds
from matwright.screening.trials import (
    CHUNK,
    Trial,
    TrialSettings,
    assessed,
    crystal_of,
    plain_crystal,
    try_crystals,
)

ROOT = Path(__file__).resolve().parents[1]
POTENTIALS = ("chgnet", "sevennet-0")
MATCH = MatchSettings()


def main() -> int:
    """Generate, relax, assess, print."""
    arguments = _arguments()
    data = arguments.data
    if not (data / "mp_crystals.csv.gz").is_file():
        print(f"{data}/mp_crystals.csv.gz is not there: set MATWRIGHT_DATA", file=sys.stderr)
        return 2
    rows = table_rows(data)
    lines = _open(arguments)
    names = arguments.generators.split(",")
    for name in names:
        _generate(name, arguments, lines, rows)
    _relax(names, arguments, lines)
    _shake(names, arguments, lines, rows)
    _report(names, arguments, lines, rows)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MATWRIGHT_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--n", type=int, default=300, help="crystals a generator")
    parser.add_argument("--generators", default="mp-generator,random,ion-exchange")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fmax", type=float, default=0.1, help="eV/Å")
    parser.add_argument("--smax", type=float, default=1.0, help="GPa")
    parser.add_argument("--max-steps", type=int, default=250)
    parser.add_argument("--parents", type=int, default=3000, help="training crystals that ion exchange starts from")
    parser.add_argument("--draw", type=int, default=1, help="times --n that are drawn, to be screened by mp-crystal")
    parser.add_argument("--phonon", type=int, default=0, help="phonons of so many hits a generator")
    parser.add_argument("--figure", type=Path, help="PNG of the energies above the hull")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--out", type=Path, default=Path("sun.jsonl"), help="results; an existing file is continued")
    return parser.parse_args()


def table_rows(data: Path) -> list[dict[str, str]]:
    """The rows of the table of known crystals."""
    with gzip.open(data / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _open(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Lines of an earlier call with the same settings; a new file starts with a line of settings."""
    names = ("seed", "fmax", "smax", "max_steps", "parents", "draw")
    settings = {"kind": "settings", **{name: getattr(arguments, name) for name in names}}
    if not arguments.out.exists():
        _append(arguments.out, [settings])
        return [settings]
    lines: list[dict[str, Any]] = []
    for text in arguments.out.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            print("a half-written last line is left out", file=sys.stderr)
    if not lines or lines[0] != settings:
        raise SystemExit(f"{arguments.out} holds results of other settings: choose another --out")
    return lines


def _append(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as handle:
        for line in lines:
            handle.write(json.dumps(line) + "\n")


def _generate(
    name: str, arguments: argparse.Namespace, lines: list[dict[str, Any]], rows: list[dict[str, str]]
) -> None:
    have = {line["index"] for line in lines if line["kind"] == "candidate" and line["generator"] == name}
    if have >= set(range(arguments.n)):
        return
    generator = named_generator(name, rows, parents=arguments.parents, seed=arguments.seed)
    start = time.process_time()
    candidates = best_by_hull(generator, arguments.n, arguments.draw, arguments.seed)
    seconds = (time.process_time() - start) / arguments.n
    print(f"{name}: {arguments.n} crystals, {seconds * 1e3:.1f} ms each", flush=True)
    new = []
    for index, candidate in enumerate(candidates):
        if index not in have:
            crystal = smallest_cell(candidate.crystal)
            line = {"kind": "candidate", "generator": name, "index": index, "crystal": plain_crystal(crystal)}
            line["structure_valid"] = is_structurally_valid(candidate.crystal)
            line["composition_valid"] = is_compositionally_valid(candidate.crystal)
            new.append(line | {"cpu_seconds": seconds})
    _append(arguments.out, new)
    lines.extend(new)


def _relax(names: list[str], arguments: argparse.Namespace, lines: list[dict[str, Any]]) -> None:
    """Relax and evaluate what has no result yet; generators take turns, so that an early stop is still fair."""
    done = {(line["generator"], line["index"]) for line in lines if line["kind"] == "result"}
    jobs = [
        line
        for line in lines
        if line["kind"] == "candidate"
        and line["generator"] in names
        and line["index"] < arguments.n
        and (line["generator"], line["index"]) not in done
    ]
    jobs.sort(key=lambda line: (line["index"] // CHUNK, line["generator"], line["index"]))
    settings = TrialSettings(
        potentials=POTENTIALS,
        relaxation=RelaxationSettings(fmax=arguments.fmax, smax=arguments.smax, max_steps=arguments.max_steps),
        workers=arguments.workers,
    )
    named = [(f"{line['generator']}:{line['index']}", crystal_of(line["crystal"])) for line in jobs]
    start, finished = time.perf_counter(), 0
    for trials in try_crystals(named, settings):
        results = [_result(trial) for trial in trials]
        _append(arguments.out, results)
        lines.extend(results)
        finished += len(results)
        elapsed = time.perf_counter() - start
        left = elapsed / finished * (len(jobs) - finished)
        print(f"{finished}/{len(jobs)} relaxed, {elapsed:.0f} s, about {left:.0f} s left", flush=True)


def _result(trial: Trial) -> dict[str, Any]:
    """A trial as a line of the results file."""
    name, index = trial.key.rsplit(":", 1)
    return {"kind": "result", "generator": name, "index": int(index), "trial": trial.to_plain()}


def _shake(
    names: list[str], arguments: argparse.Namespace, lines: list[dict[str, Any]], rows: list[dict[str, str]]
) -> None:
    """Phonons of random hits that have none yet."""
    comparison, known, potential = StructureComparison(MATCH), KnownCrystals(rows), None
    for name in names if arguments.phonon else ():
        trials = [Trial.from_plain(line["trial"]) for line in _of(lines, "result", name, arguments.n)]
        items = [assessed(trial) for trial in trials]
        found = hits(items, novelty(items, comparison, known), POTENTIALS, comparison)
        order = np.random.default_rng(arguments.seed).permutation(found)[: arguments.phonon]
        done = {line["index"] for line in _of(lines, "phonon", name, arguments.n)}
        for place in order.tolist():
            crystal = trials[place].crystal
            if place in done or crystal is None:
                continue
            potential = potential or load_potential(POTENTIALS[0])
            start = time.process_time()
            (answer,) = phonons([crystal], potential)
            line = {"kind": "phonon", "generator": name, "index": place, "cpu_seconds": time.process_time() - start}
            failed = isinstance(answer, Failure)
            line |= {"failure": answer.reason} if isinstance(answer, Failure) else {"lowest": answer.lowest}
            _append(arguments.out, [line])
            lines.append(line)
            print(f"{name}:{place} phonons {'failed' if failed else 'done'}", flush=True)


def novelty(items: Sequence[Assessed], comparison: StructureComparison, known: KnownCrystals) -> list[bool]:
    """(n,) whether each relaxed crystal matches no known one; False where relaxation failed."""
    new = iter(comparison.novel([item.crystal for item in items if item.crystal is not None], known))
    return [bool(next(new)) if item.crystal is not None else False for item in items]


def _report(
    names: list[str], arguments: argparse.Namespace, lines: list[dict[str, Any]], rows: list[dict[str, str]]
) -> None:
    comparison = StructureComparison(MATCH)
    known = KnownCrystals(rows)
    _print_settings(arguments, len(rows))
    summary = {}
    for name in names:
        candidates = _of(lines, "candidate", name, arguments.n)
        results = _of(lines, "result", name, arguments.n)
        summary[name] = _summary(candidates, results, comparison, known)
        _print_one(name, summary[name])
        _print_phonons(_of(lines, "phonon", name, arguments.n))
    if arguments.figure is not None:
        arguments.figure.parent.mkdir(parents=True, exist_ok=True)
        draw_distances({name: _above(_of(lines, "result", name, arguments.n)) for name in names}, arguments.figure)
    cpu = sum(line.get("trial", line).get("cpu_seconds", 0.0) for line in lines)
    print(f"\nCPU time of everything in {arguments.out}: {cpu / 60:.1f} minutes")
    path = arguments.out.with_suffix(".summary.json")
    path.write_text(json.dumps(summary, indent=1), encoding="utf-8")


def _above(results: list[dict[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Potential → (n,) eV/atom above the hull, infinite where it failed."""
    items = [assessed(Trial.from_plain(line["trial"])) for line in results]
    return {name: np.array([item.e_above_hull.get(name, np.inf) for item in items]) for name in POTENTIALS}


def _print_phonons(lines: list[dict[str, Any]]) -> None:
    """The share of hits without imaginary frequencies; a failed one counts as unstable."""
    if lines:
        limit = Thresholds().phonon.max_imaginary
        stable = sum("failure" not in line and line["lowest"] >= -limit for line in lines)
        seconds = np.mean([line["cpu_seconds"] for line in lines])
        failed = sum("failure" in line for line in lines)
        share = _percent({"count": stable, "n": len(lines)})
        print(f"  phonon-stable hits {share} of {len(lines)}, {failed} failed, {seconds:.1f} CPU s each")


class KnownCrystals:
    """Known crystals by reduced formula, parsed when they are asked for."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self._texts: dict[FormulaKey, list[str]] = {}
        for row in rows:
            key = tuple(sorted(parse_formula(row["formula"]).items()))
            self._texts.setdefault(key, []).append(row["cif"])
        self._parsed: dict[FormulaKey, list[Crystal]] = {}

    def __call__(self, key: FormulaKey) -> list[Crystal]:
        """The known crystals of one reduced formula."""
        if key not in self._parsed:
            self._parsed[key] = [from_cif(text) for text in self._texts.get(key, [])]
        return self._parsed[key]


def _of(lines: list[dict[str, Any]], kind: str, name: str, n: int) -> list[dict[str, Any]]:
    found = [line for line in lines if line["kind"] == kind and line["generator"] == name and line["index"] < n]
    return sorted(found, key=lambda line: int(line["index"]))


def _summary(
    candidates: list[dict[str, Any]],
    results: list[dict[str, Any]],
    comparison: StructureComparison,
    known: KnownCrystals,
) -> dict[str, Any]:
    n = len(candidates)
    crystals = [crystal_of(line["crystal"]) for line in candidates]
    trials = [Trial.from_plain(line["trial"]) for line in results]
    items = [assessed(trial) for trial in trials]
    novel = novelty(items, comparison, known)
    unique = comparison.classes(crystals) == np.arange(n)
    rows = stable_unique_novel(items, novel, potentials=POTENTIALS, comparison=comparison)
    steps = [trial.steps for trial in trials if trial.crystal is not None]
    return {
        "n": n,
        "structure_valid": _share(sum(line["structure_valid"] for line in candidates), n),
        "composition_valid": _share(sum(line["composition_valid"] for line in candidates), n),
        "unique": _share(int(unique.sum()), n),
        "novel": _share(sum(novel), n),
        "space_group_1": asdict(share_of_group_one(crystals)),
        "failed": sum(trial.crystal is None for trial in trials),
        "converged": _share(sum(trial.converged for trial in trials), n),
        "mean_atoms": float(np.mean([len(crystal) for crystal in crystals])),
        "mean_steps": float(np.mean(steps)) if steps else 0.0,
        "ms_per_crystal_step": 1e3 * sum(trial.relax_cpu_seconds for trial in trials) / max(1, sum(steps) + len(steps)),
        "thresholds": [asdict(row) for row in rows],
    }


def _share(count: int, n: int) -> dict[str, int]:
    return {"count": int(count), "n": n}


def _print_settings(arguments: argparse.Namespace, n_known: int) -> None:
    commit = provenance()["commit"] or "unknown"
    limits = f"fmax {arguments.fmax} eV/Å, smax {arguments.smax} GPa, at most {arguments.max_steps} steps"
    matcher = f"StructureMatcher(ltol={MATCH.ltol}, stol={MATCH.stol}, angle_tol={MATCH.angle_tol})"
    screened = (
        f"; the nearest to the hull by mp-crystal of {arguments.draw} times as many" if arguments.draw > 1 else ""
    )
    print(f"""
S.U.N. with {arguments.n} crystals a generator, seed {arguments.seed}{screened}; commit {commit}, {platform.machine()}
relaxed with CHGNet 0.3.0: {limits}, cell free;
  an unconverged crystal counts with the energy it reached, a failed one as not stable
stable: within the threshold by CHGNet and by SevenNet-0 (MP2020 corrections) at the CHGNet geometry, each against its
  own elemental references (fitted on training crystals), above the hull of mp_hull_85014; no noble gas, no element
  without hull data
unique, novel: {matcher}; novel against {n_known} crystals of mp_crystals, relaxed
new composition: not among the {len(KnownMaterials.load().formulas):,} formulas listed in the Materials Project's tables
random: formulas of known binaries and ternaries with one element swapped, pyxtal, groups 2-230
ion-exchange: {arguments.parents} training parents, replacements drawn from counts over training pairs of one prototype
valid: shortest distance 0.5 Å with self-images, volume 0.1 Å³; SMACT with smact14; intervals are 95 % (Wilson)""")


def _print_one(name: str, summary: dict[str, Any]) -> None:
    print(f"\n{name} (n = {summary['n']}, {summary['mean_atoms']:.1f} atoms on average)")
    for key in ("structure_valid", "composition_valid", "unique", "novel", "space_group_1", "converged"):
        print(f"  {key:18s} {_percent(summary[key])}")
    cost = f"{summary['mean_steps']:.1f} steps, {summary['ms_per_crystal_step']:.1f} ms a step"
    print(f"  failed {summary['failed']}, {cost}")
    for row in summary["thresholds"]:
        alone = ", ".join(f"{potential} {_percent(part)}" for potential, part in row["stable_by"].items())
        both = f"stable by both {_percent(row['stable'])}"
        print(f"  ≤ {row['threshold']:4.2f} eV/atom: S.U.N. {_percent(row['sun'])}; {both}")
        print(f"      alone: {alone}")
        print(f"      S.U.N. with a composition not listed in the Materials Project {_percent(row['sun_new_formula'])}")
        print(f"      S.U.N. in systems without any known compound {_percent(row['sun_empty_system'])}")


def _percent(part: dict[str, int]) -> str:
    share = Share(**part)
    low, high = share.interval
    return f"{100 * share.value:5.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


if __name__ == "__main__":
    sys.exit(main())
