"""Density functional theory on claimed gaps: what reinforcement learning calls a hit, computed with GPAW.

    python benchmarks/rl_confirm_dft.py --judged confirm.jsonl --python ~/gpaw/bin/python --ways ppo --n 30 --known 10

takes the claims of a gap that benchmarks/rl_confirm.py relaxed and judged (its --out), in their random order, and
computes the gap of each at its relaxed geometry: PBE, plane waves, `QuickGap`. The predictor, CGCNN and
the Materials Project speak of PBE gaps, too. The same is done for known crystals that have such a gap in the
Materials Project: what the judge accepts of these is its sensitivity.

Left out, and counted, are crystals with open shells of d or f electrons, since the calculation has no magnetism and no
U, and those with actinides, for which there are no data sets; and claims of a formula that the predictor `band-gap`
or the earlier one that taught it has learned from such a calculation (`scripts/computed_gaps.csv.gz`,
`scripts/earlier_gaps.txt`). A crystal takes a minute; an existing --out is continued.

With --frozen-f the trivalent lanthanides from Pr to Tm (not Eu) count as closed: their f electrons stay in the core, as
in the calculations of the Materials Project. Their data sets are made once, and the folder is told to GPAW:

    gpaw dataset Er -f PBE -C "[Xe]4f11,5d1,6s2" -P 5s,6s,5p,6p,5d,d -r 2.4 -t fcore -w     # and so on
    export GPAW_SETUP_PATH=$PWD

The number behind 4f is that of `FROZEN`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rl import TARGETS
from rl_confirm import DATA, ROOT, known_crystals

from matwright.materials.crystal import Crystal
from matwright.materials.interop import reduced_formula
from matwright.materials.silence import quiet_warnings
from matwright.materials.target import parse_target
from matwright.runs import provenance
from matwright.screening.dft.quick_gap import METAL, QuickGap, has_open_shells
from matwright.screening.potential import Failure
from matwright.screening.trials import crystal_of

TARGET, KNOWN = "band_gap", "known crystals"
LEARNED, EARLIER = ROOT / "scripts" / "computed_gaps.csv.gz", ROOT / "scripts" / "earlier_gaps.txt"
FROZEN = {"Pr": 2, "Nd": 3, "Sm": 5, "Gd": 7, "Tb": 8, "Dy": 9, "Ho": 10, "Er": 11, "Tm": 12}
"""f electrons of the trivalent ion."""
DATASET = "fcore"
JUDGES = ("band_gap by predictor", "band_gap by cgcnn")
STABLE = "e_above_hull by sevennet-0"
Candidates = dict[str, list[tuple[Crystal, dict[str, float]]]]
"""Way → crystals, and what others said of each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judged", type=Path, default=Path("confirm.jsonl"))
    parser.add_argument("--python", default="python3", help="a Python that can import gpaw")
    parser.add_argument("--ways", default="ppo")
    parser.add_argument("--n", type=int, default=30, help="claims of each way to compute")
    parser.add_argument("--known", type=int, default=10, help="known crystals to compute")
    parser.add_argument("--kspacing", type=float, default=0.5, help="1/Å, with 2π")
    parser.add_argument("--frozen-f", action="store_true", help="take lanthanides, with their f electrons in the core")
    parser.add_argument("--workers", type=int, default=2, help="calculations at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("confirm-dft.jsonl"))
    options = parser.parse_args()
    gpaw = QuickGap(options.python, options.kspacing, dict.fromkeys(FROZEN, DATASET) if options.frozen_f else {})
    print(f"commit {provenance()['commit']}; {gpaw}", flush=True)
    lines = [json.loads(text) for text in options.out.read_text().splitlines()] if options.out.exists() else []
    done = {(line["way"], line["place"]) for line in lines}
    every = candidates(options)
    left = [one for one in chosen(every, options) if one[:2] not in done]
    with ThreadPoolExecutor(options.workers) as pool:
        for line in pool.map(lambda one: computed(*one, gpaw), left):
            lines.append(line)
            with options.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
    report(lines, every, options)


def chosen(every: Candidates, options: argparse.Namespace) -> Iterator[tuple[str, int, Crystal, dict[str, float]]]:
    """The way, the place in its list, the crystal, and what others said of it."""
    for way, some in every.items():
        n = options.known if way == KNOWN else options.n
        fit = [(place, *one) for place, one in enumerate(some) if can_be_computed(one[0], options)]
        fit = [one for one in fit if not was_learned(one[1])]
        for place, crystal, opinions in fit[:n]:
            yield way, place, crystal, opinions


def can_be_computed(crystal: Crystal, options: argparse.Namespace) -> bool:
    """Whether all its shells are closed, or in the core."""
    return not has_open_shells(crystal, FROZEN if options.frozen_f else ())


@cache
def learned_formulas() -> frozenset[str]:
    """Of which the predictor, or the earlier one that taught it, has a computed gap in its training part."""
    return frozenset([*pd.read_csv(LEARNED).formula, *EARLIER.read_text().split()])


def was_learned(crystal: Crystal) -> bool:
    """Whether the predictor has learned a computed gap of this formula."""
    return reduced_formula(crystal) in learned_formulas()


def candidates(options: argparse.Namespace) -> Candidates:
    """All claims of each way that relaxed, and the known crystals."""
    judged = [json.loads(text) for text in options.judged.read_text().splitlines()]
    found: Candidates = {
        way: [
            (crystal_of(line["crystal"]), line["opinions"])
            for line in judged
            if line["target"] == TARGET and line["way"] == way and "crystal" in line
        ]
        for way in options.ways.split(",")
    }
    with quiet_warnings():
        known = known_crystals(TARGET, options.data, 4 * options.known, options.seed) if options.known else []
    return found | {KNOWN: [(crystal, {}) for crystal in known]}


def computed(way: str, place: int, crystal: Crystal, opinions: dict[str, float], gpaw: QuickGap) -> dict[str, Any]:
    """One line of the file."""
    start = time.perf_counter()
    answer = gpaw.gap(crystal)
    seconds = time.perf_counter() - start
    line = {"way": way, "place": place, "formula": reduced_formula(crystal), "opinions": opinions, "seconds": seconds}
    if isinstance(answer, Failure):
        line |= {"failure": answer.reason}
        print(f"{way} {line['formula']}: {answer.reason}, {seconds:.0f} s", flush=True)
    else:
        line |= {"band_gap": answer}
        said = ", ".join(f"{name.split(' by ')[1]} {opinions[name]:.2f}" for name in JUDGES if name in opinions)
        print(f"{way} {line['formula']}: {answer:.2f} eV ({said}), {seconds:.0f} s", flush=True)
    return line


def report(lines: list[dict[str, Any]], every: Candidates, options: argparse.Namespace) -> None:
    """Print two rows a way; shares are of all claims that were tried."""
    gap, _ = (parse_target(text) for text in TARGETS[TARGET][0])
    print(f"\n{'; '.join(TARGETS[TARGET][0])}")
    heads = ["claims", "tried", "failed", "metals", "inside", "inside and near the hull"]
    heads += ["MAE of the predictor", "MAE of CGCNN"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for way, some in every.items():
        own = [line for line in lines if line["way"] == way]
        if own:
            fit = [crystal for crystal, _ in some if can_be_computed(crystal, options)]
            word = f"{way}: {len(fit)} of {len(some)} can be computed"
            print(_row(f"{word}, {sum(map(was_learned, fit))} of these learned", own))
        still = [line for line in own if gap.satisfied(line["opinions"].get(JUDGES[0], np.nan))]
        if still:
            print(_row(f"{way}, also inside by the predictor when relaxed", still))
    print(f"{sum(line['seconds'] for line in lines):.0f} s in all")


def _row(word: str, lines: list[dict[str, Any]]) -> str:
    gap, hull = (parse_target(text) for text in TARGETS[TARGET][0])
    gaps = np.array([line.get("band_gap", np.nan) for line in lines], dtype=np.float64)
    inside = gap.satisfied(gaps)
    near = hull.satisfied([line["opinions"].get(STABLE, np.nan) for line in lines])
    shares = [f"{n} ({n / len(lines):.0%})" for n in (int(inside.sum()), int((inside & near).sum()))]
    cells = [word, len(lines), int(np.isnan(gaps).sum()), int((gaps < METAL).sum()), *shares]
    for name in JUDGES:
        errors = np.abs(gaps - [line["opinions"].get(name, np.nan) for line in lines])
        cells.append(f"{np.nanmean(errors):.2f} eV" if np.isfinite(errors).any() else "-")
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
