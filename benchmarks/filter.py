"""What each cheap rule of the filter removes, and what it would have cost to let it through.

A third each of the candidates comes from the shipped generator, from random symmetric crystals and from ion exchange.
No rule stops anything here: every candidate gets every cheap verdict, is relaxed with CHGNet and placed on the hull of
the Materials Project. Of those within 0.1 eV/atom of the hull, --elastic drawn at random get an elastic tensor with
relaxed ions, and --phonon of these phonons. A rule's precision is the share of what it rejects that the dear rung
rejects too; its recall the share of what the dear rung rejects that the rule rejects. Results are appended as they
come; --resume goes on with them. Data: MATWRIGHT_DATA or ../shared/data (the parents of ion exchange).

Run as: python benchmarks/filter.py -n 1000
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tasks.generators import named_generator

from matwright.api.design.surrogate import Surrogates
from matwright.api.elastic import predict_tensors
from matwright.api.predict import load_predictor
from matwright.data.hull import Hull
from matwright.data.references import load_references
from matwright.materials.crystal import Crystal
from matwright.physics.elasticity import moduli
from matwright.physics.rules.base import REFERENCES
from matwright.physics.thermodynamics import stability
from matwright.runs import provenance
from matwright.screening.cascade import apply_rules
from matwright.screening.deformation import elastic_tensors
from matwright.screening.lattice_dynamics import phonons
from matwright.screening.limits import ChemistryLimits
from matwright.screening.potential import Failure, Potential, load_potential
from matwright.screening.relax import RelaxationSettings, relax
from matwright.screening.rules import RULES_OF_RUNG, rules_of
from matwright.screening.thresholds import Thresholds
from matwright.screening.trials import crystal_of, plain_crystal

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("mp-generator", "random", "ion-exchange")
POTENTIAL = "chgnet"
RELAXATION = RelaxationSettings(fmax=0.1, smax=1.0, max_steps=200)
LIMIT = Thresholds().hull.max_e_above_hull
CHUNK = 16
PARENTS = 3000


def main() -> int:
    """Generate, relax, judge, print."""
    arguments = _arguments()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if not (arguments.data / "mp_crystals.csv.gz").is_file():
        print(f"{arguments.data}/mp_crystals.csv.gz is not there: set MATWRIGHT_DATA", file=sys.stderr)
        return 2
    book = Book(arguments)
    generate(book, arguments)
    relax_all(book)
    above = hull_distances(book)
    near = np.array(sorted(index for index, distance in above.items() if distance <= LIMIT))
    chosen = np.random.default_rng(arguments.seed).permutation(near)[: arguments.elastic].tolist()
    strain_all(book, chosen)
    shake_all(book, chosen[: arguments.phonon])
    report(book, above)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("MATWRIGHT_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("-n", type=int, default=1000, help="candidates of all sources together")
    parser.add_argument("--elastic", type=int, default=80, help="elastic tensors")
    parser.add_argument("--phonon", type=int, default=0, help="phonons, of the first of those")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--out", type=Path, default=Path("filter.jsonl"), help="file of results")
    parser.add_argument("--resume", action="store_true", help="go on with the results in --out")
    return parser.parse_args()


class Book:
    """The results on disk: one JSON line each, in the order in which they came."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.path: Path = arguments.out
        settings = {"kind": "settings", "n": arguments.n, "seed": arguments.seed, "potential": POTENTIAL}
        self.lines: list[dict[str, Any]] = []
        if self.path.exists() and not arguments.resume:
            raise SystemExit(f"{self.path} exists: --resume goes on with it, or choose another --out")
        if self.path.exists():
            self.lines = self._read()
            if self.lines[0] != settings:
                raise SystemExit(f"{self.path} holds results of other settings: choose another --out")
        else:
            self.add([settings])

    def _read(self) -> list[dict[str, Any]]:
        """The lines that are there; one that a kill cut off is taken away."""
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self.path.write_bytes(whole)
        return [json.loads(text) for text in whole.splitlines()]

    def add(self, lines: Sequence[dict[str, Any]]) -> None:
        """Append results, whole lines at once."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
        self.lines.extend(lines)

    def of(self, kind: str) -> dict[int, dict[str, Any]]:
        """The lines of one kind by number of the candidate."""
        return {line["index"]: line for line in self.lines if line["kind"] == kind}


def generate(book: Book, arguments: argparse.Namespace) -> None:
    """Write every candidate that is not there yet."""
    if len(book.of("candidate")) == arguments.n:
        return
    crystals: list[tuple[str, Crystal]] = []
    for place, name in enumerate(SOURCES):
        count = len(range(place, arguments.n, len(SOURCES)))
        generator = named_generator(name, _rows(arguments), parents=PARENTS, seed=arguments.seed)
        crystals += [(name, candidate.crystal) for candidate in generator.sample(count, seed=arguments.seed)]
    book.add(
        [
            {"kind": "candidate", "index": index, "source": name, "crystal": plain_crystal(crystal)}
            for index, (name, crystal) in enumerate(crystals)
        ]
    )


def _rows(arguments: argparse.Namespace) -> list[dict[str, str]]:
    with gzip.open(arguments.data / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def relax_all(book: Book) -> None:
    """Relax every candidate that has no result yet, sources in turn."""
    candidates, done = book.of("candidate"), book.of("relaxed")
    jobs = sorted(candidates.keys() - done.keys(), key=lambda index: _in_turn(index, len(candidates)))
    potential = load_potential(POTENTIAL) if jobs else None
    begin, finished = time.perf_counter(), 0
    for chunk in chunks(jobs):
        assert potential is not None
        start = time.process_time()
        outcomes = relax([crystal_of(candidates[index]["crystal"]) for index in chunk], potential, settings=RELAXATION)
        seconds = time.process_time() - start
        steps = [1 if isinstance(outcome, Failure) else outcome.steps + 1 for outcome in outcomes]
        shares = np.array(steps) * [len(candidates[index]["crystal"]["numbers"]) for index in chunk]
        lines = []
        for index, outcome, share in zip(chunk, outcomes, shares / shares.sum(), strict=True):
            line: dict[str, Any] = {"kind": "relaxed", "index": index, "seconds": float(seconds * share)}
            if isinstance(outcome, Failure):
                lines.append(line | {"failure": outcome.reason})
                continue
            line |= {"crystal": plain_crystal(outcome.crystal), "energy_per_atom": outcome.energy_per_atom}
            lines.append(line | {"fmax": outcome.fmax, "smax": outcome.smax, "steps": outcome.steps})
        book.add(lines)
        finished += len(chunk)
        left = (time.perf_counter() - begin) / finished * (len(jobs) - finished)
        print(f"{finished}/{len(jobs)} relaxed, about {left:.0f} s left", file=sys.stderr, flush=True)


def _in_turn(index: int, n: int) -> tuple[int, int]:
    """A sort key that lets the sources take turns, so that an early stop is still fair."""
    third = -(-n // len(SOURCES))
    return index % third, index


def chunks(jobs: Sequence[int]) -> Iterator[Sequence[int]]:
    """Consecutive jobs, `CHUNK` at a time."""
    for start in range(0, len(jobs), CHUNK):
        yield jobs[start : start + CHUNK]


def hull_distances(book: Book) -> dict[int, float]:
    """eV/atom above the hull by candidate; infinite where relaxation failed or did not come to rest."""
    hull, references, limits = Hull.load(), load_references(POTENTIAL), Thresholds().relaxation
    found = {}
    for index, line in book.of("relaxed").items():
        rests = "failure" not in line and line["fmax"] <= limits.max_fmax and line["smax"] <= limits.max_smax
        if rests:
            energy = line["energy_per_atom"]
            found[index] = stability(crystal_of(line["crystal"]), energy, references, hull).e_above_hull
        else:
            found[index] = math.inf
    return found


def strain_all(book: Book, chosen: Sequence[int]) -> None:
    """The least eigenvalue of the elastic tensor of each chosen candidate."""

    def strain(crystal: Crystal, potential: Potential) -> dict[str, Any]:
        (answer,) = elastic_tensors([crystal], potential)
        if isinstance(answer, Failure):
            return {"failure": answer.reason}
        return {"least": float(moduli(answer.stiffness[None]).least_eigenvalue[0]), "misfit": answer.misfit}

    _each(book, "elastic", chosen, strain)


def shake_all(book: Book, chosen: Sequence[int]) -> None:
    """The lowest frequency of each chosen candidate."""

    def shake(crystal: Crystal, potential: Potential) -> dict[str, Any]:
        (answer,) = phonons([crystal], potential)
        if isinstance(answer, Failure):
            return {"failure": answer.reason}
        return {"lowest": answer.lowest, "atoms": answer.atoms}

    _each(book, "phonon", chosen, shake)


def _each(book: Book, kind: str, chosen: Sequence[int], work: Callable[[Crystal, Potential], dict[str, Any]]) -> None:
    relaxed, done = book.of("relaxed"), book.of(kind)
    jobs = [index for index in chosen if index not in done]
    potential = load_potential(POTENTIAL) if jobs else None
    begin = time.perf_counter()
    for place, index in enumerate(jobs, start=1):
        assert potential is not None
        start = time.process_time()
        found = work(crystal_of(relaxed[index]["crystal"]), potential)
        book.add([{"kind": kind, "index": index, "seconds": time.process_time() - start, **found}])
        left = (time.perf_counter() - begin) / place * (len(jobs) - place)
        print(f"{place}/{len(jobs)} {kind}, about {left:.0f} s left", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Rejecter:
    """One cheap rule at one threshold: whom it rejects, and what it costs in all, CPU seconds."""

    name: str
    limit: str
    rejects: NDArray[np.bool_]
    seconds: float


def cheap_rules(crystals: Sequence[Crystal]) -> list[Rejecter]:
    """Every cheap rule on every candidate, with some further thresholds where the default asks for little."""
    thresholds = Thresholds(chemistry=ChemistryLimits(rule_base=tuple(REFERENCES)))
    found = []
    for rung in RULES_OF_RUNG:
        for name, rule in rules_of(rung, thresholds).items():
            rule(crystals[0], thresholds)  # loads what it needs
            start = time.process_time()
            verdicts = [apply_rules(crystal, thresholds, rules={name: rule})[0] for crystal in crystals]
            seconds = time.process_time() - start
            if name == "min_operations":
                values = np.array([verdict.value for verdict in verdicts])
                found += [Rejecter(name, f">= {least}", values < least, seconds) for least in (2, 4, 8)]
                continue
            limits = {verdict.threshold for verdict in verdicts if not math.isnan(verdict.threshold)}
            limit = f"{limits.pop():g}" if len(limits) == 1 else "see docs/rules.md"
            found.append(Rejecter(name, limit, np.array([not verdict.passed for verdict in verdicts]), seconds))
    return [*found, *_surrogate(crystals), *_predicted_elastic(crystals)]


def _surrogate(crystals: Sequence[Crystal]) -> list[Rejecter]:
    predictor = load_predictor("mp-crystal")
    predictor.predict(crystals[:2])
    start = time.process_time()
    rows = Surrogates({"mp-crystal": predictor}, Hull.load()).measure(crystals)
    seconds = time.process_time() - start
    taken = [{} if isinstance(row, Exception) else {one.name: one for one in row} for row in rows]
    above = [row.get("e_above_hull") for row in taken]
    lower = np.array([math.inf if one is None or one.lower is None else one.lower for one in above])
    mean = np.array([math.inf if one is None or one.value is None else one.value for one in above])
    score = np.array([math.inf if "domain_score" not in row else row["domain_score"].value for row in taken])
    return [
        Rejecter("predicted_e_above_hull", f"interval reaches {LIMIT:g} eV/atom", lower > LIMIT, seconds),
        Rejecter("predicted_e_above_hull", f"mean <= {LIMIT:g} eV/atom", mean > LIMIT, seconds),
        Rejecter("predicted_e_above_hull", f"mean <= {2 * LIMIT:g} eV/atom", mean > 2 * LIMIT, seconds),
        Rejecter("domain_score", "<= 0.9", score > 0.9, seconds),
        Rejecter("domain_score", "<= 0.99", score > 0.99, seconds),
    ]


def _predicted_elastic(crystals: Sequence[Crystal]) -> list[Rejecter]:
    predictor = load_predictor("elastic")
    predict_tensors(predictor, crystals[:2], symprec=0.1)
    start = time.process_time()
    tensors = predict_tensors(predictor, crystals, symprec=0.1)
    seconds = time.process_time() - start
    least = np.array([tensor.moduli.least_eigenvalue[0] for tensor in tensors])
    anisotropy = np.array([tensor.moduli.anisotropy[0] for tensor in tensors])
    name = "predicted_least_eigenvalue"
    return [
        *[Rejecter(name, f">= {limit:g} GPa", least < limit, seconds) for limit in (5, 10, 20)],
        *[Rejecter("predicted_anisotropy", f"<= {limit:g}", anisotropy > limit, seconds) for limit in (2, 5)],
    ]


def report(book: Book, above: dict[int, float]) -> None:
    """Print the tables."""
    candidates, relaxed = book.of("candidate"), book.of("relaxed")
    order = sorted(candidates)
    crystals = [crystal_of(candidates[index]["crystal"]) for index in order]
    distance = np.array([above[index] for index in order])
    cost = np.array([relaxed[index]["seconds"] for index in order])
    found = cheap_rules(crystals)
    _print_sources(book, order, distance)
    print("\n| rule | limit | rejects | precision | recall | good ones lost | relaxation saved, s | cost, ms each |")
    print("|---|---|---|---|---|---|---|---|")
    for rule in [*found, _cascade(found)]:
        print(f"| {rule.name} | {rule.limit} | {_against(rule.rejects, distance > LIMIT)} ", end="")
        print(f"| {cost[rule.rejects].sum():.1f} | {1e3 * rule.seconds / len(order):.3g} |")
    for kind, broken in (("elastic", _unstable), ("phonon", _imaginary)):
        _print_dear(kind, book, order, found, broken)
    print(f"\nCPU: relaxation {cost.sum():.0f} s, {cost.mean():.2f} s a candidate; commit {provenance()['commit']}")


def _cascade(rules: Sequence[Rejecter]) -> Rejecter:
    """The rules that stand in the cascade by default, together."""
    names = {name for rung in ("density", "geometry", "chemistry") for name in RULES_OF_RUNG[rung]}
    default = [rule for rule in rules if rule.name in names]
    rejects = np.any([rule.rejects for rule in default], axis=0)
    return Rejecter("all of the default cascade", "", rejects, sum(rule.seconds for rule in default))


def _against(rejects: NDArray[np.bool_], bad: NDArray[np.bool_]) -> str:
    """Cells: how many are rejected, precision, recall, good ones among them with their share of all good ones."""
    hits, lost, good = int((rejects & bad).sum()), int((rejects & ~bad).sum()), max(int((~bad).sum()), 1)
    precision = f"{hits / rejects.sum():.0%}" if rejects.any() else "–"
    recall = f"{hits / bad.sum():.0%}" if bad.any() else "–"
    return f"{int(rejects.sum())} | {precision} | {recall} | {lost} ({lost / good:.0%})"


def _print_sources(book: Book, order: Sequence[int], distance: NDArray[np.float64]) -> None:
    sources = np.array([book.of("candidate")[index]["source"] for index in order])
    print(f"{len(order)} candidates, seed {book.lines[0]['seed']}; {POTENTIAL}: {RELAXATION}")
    print(f"\n| source | candidates | within {LIMIT:g} eV/atom of the hull |")
    print("|---|---|---|")
    for source in (*SOURCES, ""):
        own = sources == source if source else np.ones(len(order), dtype=bool)
        print(f"| {source or 'all'} | {own.sum()} | {(distance[own] <= LIMIT).mean():.0%} |")


def _unstable(line: dict[str, Any]) -> bool:
    return "failure" in line or line["least"] <= 0 or line["misfit"] > Thresholds().elastic.max_misfit


def _imaginary(line: dict[str, Any]) -> bool:
    return "failure" in line or line["lowest"] < -Thresholds().phonon.max_imaginary


def _print_dear(
    kind: str,
    book: Book,
    order: Sequence[int],
    rules: Sequence[Rejecter],
    broken: Callable[[dict[str, Any]], bool],
) -> None:
    """The rules that reject any of those that climbed a dear rung, against what that rung says."""
    lines = book.of(kind)
    chosen = np.array([place for place, index in enumerate(order) if index in lines], dtype=np.int64)
    if not len(chosen):
        return
    bad = np.array([broken(lines[order[place]]) for place in chosen])
    failed = sum("failure" in line for line in lines.values())
    seconds = np.array([line["seconds"] for line in lines.values()])
    print(f"\n{kind}: {len(chosen)} candidates near the hull, {bad.sum()} rejected ({failed} of them failed), ", end="")
    print(f"{seconds.mean():.2f} CPU s each (median {np.median(seconds):.2f})")
    print("\n| rule | limit | rejects | precision | recall | good ones lost |")
    print("|---|---|---|---|---|---|")
    for rule in rules:
        if rule.rejects[chosen].any():
            print(f"| {rule.name} | {rule.limit} | {_against(rule.rejects[chosen], bad)} |")


if __name__ == "__main__":
    sys.exit(main())
