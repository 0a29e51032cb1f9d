"""How often a measured powder pattern finds its own crystal in a library of crystals that training never saw.

    python benchmarks/match.py                  # 1,000 test crystals, the disturbances of the stated bar
    python benchmarks/match.py --task hard      # also background, zero shift, uneven intensities, thermal damping
    python benchmarks/match.py -n 100           # a quick look

Library: all crystals of the test part of `mp_crystals.csv.gz` in the folder MATWRIGHT_DATA (default ../shared/data).
Queries: n of them, drawn by the seed. Each method sees the same patterns, background subtracted; a crystal counts as
found only at its own place in the library. Plain cosine compares the pattern with the ideal ones (width 0.25°).
Re-ranking fits strain, zero shift and width of the first 100. Where the crystal that came first instead is of the same
structure type and, free to strain, gives the noise-free pattern to a cosine of 0.98, no method could tell the two
apart by their patterns: such misses are counted apart, and remain misses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matwright.api.match.library import MatchLibrary, build_library
from matwright.api.match.model import Matcher, load_matcher
from matwright.api.match.search import SearchSettings, rank, shortlist
from matwright.data.record import parse_row
from matwright.data.sources import open_source
from matwright.errors import MatwrightError
from matwright.materials.crystal import Crystal
from matwright.materials.symmetry import prototype_key
from matwright.physics.diffraction.axis import AxisPattern
from matwright.physics.diffraction.background import without_background
from matwright.physics.diffraction.disturbance import IDEAL, Disturbance, disturbed
from matwright.physics.diffraction.fit import fit_candidates
from matwright.physics.diffraction.peaks import side_by_side
from matwright.runs import provenance

ROOT = Path(__file__).resolve().parents[1]
TASKS = {
    "bar": Disturbance(noise=0.05, strain=0.01, widths=(0.1, 0.4), mixing=1.0),
    "hard": Disturbance(
        noise=0.05, strain=0.01, widths=(0.1, 0.4), mixing=1.0, zero=0.1, background=0.5, scatter=0.2, damping=1.0
    ),
}
PEAKS, SHORT, CHUNK = 512, 100, 256
PLAIN = Disturbance(widths=(0.25, 0.25))
LOOK_ALIKE = 0.98
Ranking = Callable[[AxisPattern], Sequence[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--task", choices=list(TASKS), default="bar")
    parser.add_argument("--model", default="mp-matcher")
    parser.add_argument("--part", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=data_folder() / "mp_crystals.csv.gz")
    options = parser.parse_args()
    matcher = load_matcher(options.model)
    library = read(options.data, options.part, matcher)
    rng = np.random.default_rng(options.seed)
    truth = rng.choice(len(library), min(options.n, len(library)), replace=False)
    patterns = measured(library, truth, TASKS[options.task], rng)
    print(f"{options.task}: {TASKS[options.task]}")
    print(f"{len(truth)} queries, {len(library)} crystals, seed {options.seed}, commit {provenance()['commit']}")
    print(f"{'method':34} {'first':>7} {'top 5':>7} {'top 20':>7} {'top 100':>8} {'s a query':>10} {'look-alikes':>12}")
    for name, method in methods(library, matcher).items():
        report(name, method, patterns, truth, library)


def report(
    name: str, method: Ranking, patterns: NDArray[np.float32], truth: NDArray[np.int64], library: MatchLibrary
) -> None:
    """Run one method over all patterns and print its line."""
    method(query(patterns[0]))  # warm
    places, wrong, start = [], [], time.process_time()
    for pattern, index in zip(patterns, truth.tolist(), strict=True):
        order = list(method(query(pattern)))
        places.append(order.index(index) if index in order else len(library))
        if places[-1] > 0:
            wrong.append((index, order[0]))
    seconds = (time.process_time() - start) / len(truth)
    alike = sum(look_alike(library, true, found) for true, found in wrong)
    shares = [100 * np.mean(np.array(places) < limit) for limit in (1, 5, 20, 100)]
    first, five, twenty, hundred = (f"{share:.1f} %" for share in shares)
    print(
        f"{name:34} {first:>7} {five:>7} {twenty:>7} {hundred:>8} {seconds:>10.3f} {alike:>5} of {len(wrong):>3}",
        flush=True,
    )


def query(pattern: NDArray[np.float32]) -> AxisPattern:
    return without_background(AxisPattern(intensity=pattern.astype(np.float64)))


def methods(library: MatchLibrary, matcher: Matcher) -> dict[str, Ranking]:
    """Each takes a pattern without background and returns places in the library, best first."""
    every = np.arange(len(library))
    plain = measured(library, every, PLAIN, np.random.default_rng(0))
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    settings = SearchSettings(shortlist=SHORT)

    def cosine(pattern: AxisPattern) -> NDArray[np.int64]:
        return np.argsort(-(plain @ pattern.intensity.astype(np.float32)))

    def cosine_fitted(pattern: AxisPattern) -> NDArray[np.int64]:
        some = cosine(pattern)[:SHORT]
        fits = fit_candidates(pattern, side_by_side([library.peaks(index) for index in some.tolist()], PEAKS))
        return some[fits.order]

    def embedding(pattern: AxisPattern) -> NDArray[np.int64]:
        return shortlist(pattern, library, matcher, SearchSettings(shortlist=len(library)))[0]

    def graphs(pattern: AxisPattern) -> NDArray[np.int64]:
        return np.argsort(-(states @ matcher.query(pattern.intensity[None])[0]))

    def fitted(pattern: AxisPattern) -> list[int]:
        return [match.index for match in rank(pattern, library, matcher, settings)]

    states = matcher.crystal_states([library.crystals[index] for index in every.tolist()])
    return {
        "plain cosine": cosine,
        "plain cosine + re-ranking": cosine_fitted,
        "embedding, graphs alone": graphs,
        "embedding": embedding,
        "embedding + re-ranking (`match`)": fitted,
    }


def measured(
    library: MatchLibrary, places: NDArray[np.int64], how: Disturbance, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(n, N_POINTS) patterns of some crystals of the library."""
    parts = []
    for start in range(0, len(places), CHUNK):
        peaks = [library.peaks(index) for index in places[start : start + CHUNK].tolist()]
        parts.append(disturbed(side_by_side(peaks, PEAKS), how, rng))
    return np.concatenate(parts)


def look_alike(library: MatchLibrary, true: int, found: int) -> bool:
    """Whether two crystals are of one structure type and one can be strained to give the pattern of the other."""
    try:
        if prototype_key(library.crystals[true], 0.1) != prototype_key(library.crystals[found], 0.1):
            return False
    except MatwrightError:  # no symmetry found
        return False
    ideal = disturbed(side_by_side([library.peaks(true)], PEAKS), IDEAL, np.random.default_rng(0))[0]
    fits = fit_candidates(AxisPattern(intensity=ideal.astype(np.float64)), side_by_side([library.peaks(found)], PEAKS))
    return bool(fits.similarity[0] > LOOK_ALIKE)


def read(table: Path, part: str, matcher: Matcher) -> MatchLibrary:
    """The crystals of one part of the split as a library, peaks simulated beforehand."""
    if not table.is_file():
        raise SystemExit(f"{table} is absent: set MATWRIGHT_DATA to the folder with the data sets")
    rows: list[tuple[str, Crystal]] = []
    for row in open_source(table, structure="cif", id_column="material_id", split_column="split").rows():
        if row.part == part:
            crystal = parse_row(row)
            if isinstance(crystal, Crystal):
                rows.append((row.id, crystal))
    return build_library(rows, matcher, on_reject=lambda name, problem: print(f"{name}: {problem}"))


def data_folder() -> Path:
    import os

    return Path(os.environ.get("MATWRIGHT_DATA", ROOT.parent / "shared" / "data"))


if __name__ == "__main__":
    main()
