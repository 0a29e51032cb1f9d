"""Graphs: how fast they are built, opened and drawn, and whether memory stays flat when there are many.

    python benchmarks/graphs.py            # speed, about two minutes
    python benchmarks/graphs.py --memory   # also peak memory of building and training on 10,000 and 100,000 graphs

Prints one line a number, wall time and CPU time beside each other: on a busy machine only the second says what the
code costs. Every part runs in a process of its own with one thread. The crystals are those of `mp_crystals.csv.gz` in
the folder MATWRIGHT_DATA (default ../shared/data); more than there are repeats them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Self

import numpy as np

TARGET = "formation_energy_per_atom"
BATCH, DRAWS, STORED = 64, 500, 20_000
DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=4000, help="different crystals that are parsed")
    parser.add_argument("--memory", action="store_true", help="also measure peak memory while building and training")
    parser.add_argument("--sizes", default="10000,100000", help="numbers of graphs compared by --memory")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    from matwright.runs import provenance

    machine = f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}"
    print(f"commit {provenance()['commit'] or 'unknown'}, seed {arguments.seed}, {machine}")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        _alone(build_speed, arguments.sample, arguments.seed)
        _alone(write_store, store, STORED, arguments.sample, arguments.seed)
        _alone(drawing_speed, store, arguments.seed)
        if arguments.memory:
            for size in map(int, arguments.sizes.split(",")):
                path = Path(folder) / f"store-{size}"
                _alone(write_store, path, size, arguments.sample, arguments.seed)
                _alone(train, path, arguments.seed)


def build_speed(sample: int, seed: int) -> None:
    """Crystals in memory → graphs, one process."""
    from matwright.graphs.builder import build_graph

    crystals = [row.payload for row in parsed_rows(sample, seed)]
    build_graph(crystals[0])
    with _Clock() as clock:
        graphs = [build_graph(crystal) for crystal in crystals]
    atoms = np.mean([len(graph) for graph in graphs])
    shells = np.concatenate([graph.counts for graph in graphs])
    print(f"crystals: {len(graphs)} of {atoms:.1f} atoms, {shells.mean():.1f} neighbours each, most {shells.max()}")
    clock.rate("graphs built", len(graphs), "graphs/s")


def write_store(path: Path, size: int, sample: int, seed: int) -> None:
    """Crystals in memory → a store on disk, one process."""
    from matwright.data.record import parse_row
    from matwright.graphs.packing import build_store

    rows = parsed_rows(sample, seed)
    before = _peak()
    with _Clock() as clock:
        build_store(
            islice(cycle(rows), size), parse_row, path, source_hash=f"{size} of {sample}", target_names=(TARGET,)
        )
    total = sum(file.stat().st_size for file in path.iterdir()) / 1e6
    clock.rate(f"store of {size} written ({total:.0f} MB)", size, "graphs/s")
    print(f"  peak memory while it is built: {_peak():.0f} MB, {before:.0f} MB of it with the crystals before")


def drawing_speed(path: Path, seed: int) -> None:
    """Open a store and draw random batches."""
    _compute_with_one_thread()
    from matwright.graphs.batch import perturb
    from matwright.graphs.store import GraphStore

    GraphStore.open(path)
    opened = _repeated(lambda: GraphStore.open(path), 20)
    store = GraphStore.open(path)
    print(_spread(f"store of {len(store)} opened", opened))
    rng = np.random.default_rng(seed)
    drawn = _repeated(lambda: store.batch(rng.integers(0, len(store), BATCH)), DRAWS)
    print(_spread(f"random batch of {BATCH} drawn", drawn))
    batch = store.batch(rng.integers(0, len(store), BATCH))
    print(_spread(f"batch of {BATCH} perturbed", _repeated(lambda: perturb(batch, 0.02, 0.01), DRAWS)))


def train(path: Path, seed: int) -> None:
    """One epoch over a store with the default protocol, in random order."""
    torch = _compute_with_one_thread()
    from matwright.graphs.store import GraphStore
    from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
    from matwright.models.gem_ppm import GemPpm
    from matwright.training.fit import FitData, fit
    from matwright.training.settings import protocol

    store = GraphStore.open(path)
    torch.manual_seed(seed)
    model = GemPpm(GemPpmConfig(heads=(HeadConfig(name=TARGET, kind=HeadKind.POINT),)))
    settings = replace(protocol("default", epochs=1).settings, save_seconds=1e9)
    indices = np.arange(len(store))
    with tempfile.TemporaryDirectory() as folder, _Clock() as clock:
        data = FitData(source=store, train=indices, validation=indices[:0])
        fit(model, data, settings, folder=Path(folder), seed=seed)
    clock.rate(f"one epoch over {len(store)}", len(store), "graphs/s")
    print(f"  peak memory while training on {len(store)} graphs: {_peak():.0f} MB")


def parsed_rows(sample: int, seed: int) -> list[Any]:
    """Rows of the table that hold their crystal, a random sample in random order."""
    from matwright.data.record import StructureKind, parse_row
    from matwright.data.sources.opening import open_source
    from matwright.materials.properties import KNOWN_PROPERTIES

    rows = list(open_source(DATA / "mp_crystals.csv.gz", structure="cif", targets=[KNOWN_PROPERTIES[TARGET]]).rows())
    chosen = np.random.default_rng(seed).permutation(len(rows))[:sample]
    return [replace(rows[i], kind=StructureKind.READY, payload=parse_row(rows[i])) for i in chosen]


class _Clock:
    """Wall and CPU time of a block."""

    def __enter__(self) -> Self:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self._start[0], time.process_time() - self._start[1]

    def rate(self, what: str, n: int, unit: str) -> None:
        print(f"{what}: {n / self.wall:.0f} {unit} by the clock, {n / self.cpu:.0f} by CPU time")


def _repeated(action: Callable[[], object], times: int) -> list[tuple[float, float]]:
    """(wall, CPU) seconds of each call."""
    action()
    taken = []
    for _ in range(times):
        with _Clock() as clock:
            action()
        taken.append((clock.wall, clock.cpu))
    return taken


def _spread(what: str, taken: Sequence[tuple[float, float]]) -> str:
    wall, cpu = 1e3 * np.array(taken).T
    return (
        f"{what}: median {np.median(wall):.2f} ms by the clock (fastest tenth below {np.quantile(wall, 0.1):.2f}), "
        f"{np.median(cpu):.2f} ms by CPU time"
    )


def _peak() -> float:
    """MB, the largest resident set of this process so far."""
    scale = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6


def _compute_with_one_thread() -> Any:
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    return torch


def _alone(function: Callable[..., None], *arguments: object) -> None:
    """Run in a process of its own, so that its peak memory is its own."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"{function.__name__} failed")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines: Iterator[str] = iter(info.read_text().splitlines() if info.exists() else ())
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
