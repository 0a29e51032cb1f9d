"""The packed store: what is read back, when it is used again, and what an interrupted build leaves."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from crystals import Row, parse, parse_fatally, rows

from matwright.errors import InputError, ResourceError
from matwright.graphs.batch import GraphBatch, collate
from matwright.graphs.builder import build_graph
from matwright.graphs.packing import build_store
from matwright.graphs.ragged import Labels
from matwright.graphs.settings import GraphSettings
from matwright.graphs.store import GraphStore, pack
from matwright.graphs.writer import RowPlace
from matwright.serialization import read_json, write_json

NAMES = ("energy", "gap")


def good(candidates: list[Row]) -> list[Row]:
    kept = []
    for row in candidates:
        try:
            build_graph(parse(row))
        except InputError:
            continue
        kept.append(row)
    return kept


def labels_of(kept: list[Row]) -> Labels:
    return Labels.of_targets(np.array([row.targets for row in kept]))


def expected(kept: list[Row]) -> GraphBatch:
    return collate([build_graph(parse(row)) for row in kept], labels_of(kept))


def assert_same(one: GraphBatch, other: GraphBatch) -> None:
    for field in fields(GraphBatch):
        assert torch.equal(getattr(one, field.name), getattr(other, field.name)), field.name


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> GraphStore:
    return build_store(rows(150), parse, tmp_path_factory.mktemp("a") / "store", source_hash="x", target_names=NAMES)


def test_what_was_written_is_read_back_in_order(built: GraphStore) -> None:
    kept = good(rows(150))
    assert 100 < len(kept) < 150
    assert len(built) == len(kept)
    assert built.ids == [row.id for row in kept]
    assert built.parts.tolist() == [row.part for row in kept]
    assert np.array_equal(built.targets, np.array([row.targets for row in kept]), equal_nan=True)
    assert built.target_names == NAMES
    assert_same(built.batch(np.arange(len(kept))), expected(kept))


def test_any_order_and_repeats_can_be_drawn(built: GraphStore) -> None:
    kept = good(rows(150))
    order = [17, 3, 4, 5, 5, 0, len(kept) - 1]
    assert_same(built.batch(order), expected([kept[i] for i in order]))


def test_a_subset_is_a_store(built: GraphStore) -> None:
    part = built.subset([9, 2, 30])
    assert part.ids == [built.ids[i] for i in (9, 2, 30)]
    assert_same(part.batch([2, 0]), built.batch([30, 9]))
    assert_same(part.subset([1]).batch([0]), built.batch([2]))


def test_another_process_can_draw_from_it(built: GraphStore) -> None:
    part = pickle.loads(pickle.dumps(built.subset([9, 2, 30])))
    assert part.ids == built.subset([9, 2, 30]).ids
    assert_same(part.batch([0, 1]), built.batch([9, 2]))
    assert len(pickle.dumps(built)) < 100_000


def test_graphs_packed_in_memory_give_the_same_batch(built: GraphStore) -> None:
    kept = good(rows(40))
    graphs = [build_graph(parse(row)) for row in kept]
    packed = pack(graphs, labels=labels_of(kept), ids=[row.id for row in kept])
    assert_same(packed.batch([4, 1, 2]), built.batch([4, 1, 2]))
    assert packed.ids == built.ids[: len(kept)]
    assert pack(graphs[:3]).ids == ["0", "1", "2"]
    assert pack(graphs[:3]).batch([0]).targets.shape == (1, 0)


def test_bad_rows_are_reported_in_order_also_by_a_store_used_again(tmp_path: Path) -> None:
    def build() -> list[tuple[str, str, int, str]]:
        told: list[tuple[str, str, int, str]] = []

        def tell(row: RowPlace, reason: str) -> None:
            told.append((row.id, row.file, row.number, reason))

        build_store(rows(60), parse, tmp_path / "s", source_hash="x", target_names=NAMES, on_reject=tell)
        return told

    told = build()
    kept = {row.id for row in good(rows(60))}
    bad = [row.id for row in rows(60) if row.id not in kept]
    assert [name for name, *_ in told] == bad
    assert any("twice" in reason for *_, reason in told)
    assert ("row-7", "made.csv", 8, "seed 7 is bad") in told
    assert build() == told


def test_several_processes_write_the_same_bytes(built: GraphStore, tmp_path: Path) -> None:
    many = build_store(rows(150), parse, tmp_path / "s", source_hash="x", target_names=NAMES, workers=2)
    assert built.path is not None
    assert many.path is not None
    files = sorted(file.name for file in built.path.iterdir())
    assert files == sorted(file.name for file in many.path.iterdir())
    for name in files:
        assert (built.path / name).read_bytes() == (many.path / name).read_bytes(), name


def test_a_store_of_the_same_content_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = build_store(rows(5), parse, path, source_hash="x", target_names=NAMES)

    def never(row: Row) -> object:
        raise AssertionError("the store should not be built again")

    again = build_store(rows(5), never, path, source_hash="x", target_names=NAMES)  # type: ignore[arg-type]
    assert again.content_hash == first.content_hash
    other = build_store(rows(9), parse, path, source_hash="y", target_names=NAMES)
    assert other.content_hash != first.content_hash
    assert len(other) == len(good(rows(9)))
    wider = GraphSettings(cutoff=4.0)
    assert build_store(rows(5), parse, path, source_hash="y", target_names=NAMES, settings=wider).settings == wider
    assert [file.name for file in tmp_path.iterdir()] == ["s"]


def test_what_is_no_store_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a graph store"):
        build_store(rows(5), parse, tmp_path, source_hash="x", target_names=NAMES)
    with pytest.raises(InputError, match="not a graph store"):
        GraphStore.open(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def strict(row: object, reason: str) -> None:
        raise InputError(reason)

    with pytest.raises(InputError, match="twice"):
        build_store(rows(60), parse, tmp_path / "s", source_hash="x", target_names=NAMES, on_reject=strict)
    with pytest.raises(InputError, match="none of the 1 rows"):
        build_store([rows(8)[7]], parse, tmp_path / "s", source_hash="x", target_names=NAMES)
    with pytest.raises(InputError, match="2 target values"):
        build_store(rows(8), parse, tmp_path / "s", source_hash="x", target_names=("energy",))
    assert list(tmp_path.iterdir()) == []


def test_workers_that_are_stopped_or_killed_leave_nothing(tmp_path: Path) -> None:
    def strict(row: object, reason: str) -> None:
        raise InputError(reason)

    with pytest.raises(InputError, match="twice"):
        build_store(rows(600), parse, tmp_path / "s", source_hash="x", target_names=NAMES, on_reject=strict, workers=2)
    with pytest.raises(ResourceError, match="memory ran out"):
        build_store(rows(200), parse_fatally, tmp_path / "s", source_hash="x", target_names=NAMES, workers=2)
    assert list(tmp_path.iterdir()) == []


def test_building_graphs_does_not_load_torch() -> None:
    code = "import sys, matwright.graphs.packing as p; sys.exit('torch' in sys.modules or 'pymatgen' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_store_cut_short_is_not_opened(tmp_path: Path) -> None:
    store = build_store(rows(30), parse, tmp_path / "s", source_hash="x", target_names=NAMES)
    assert store.path is not None
    file = store.path / "rows.npy"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InputError, match="not whole"):
        GraphStore.open(store.path)
    with pytest.raises(InputError, match="ends too early"):
        store.batch(np.arange(len(store)))


def test_a_store_of_another_schema_is_built_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    build_store(rows(5), parse, path, source_hash="x", target_names=NAMES)
    meta = read_json(path / "meta.json")
    write_json(path / "meta.json", {**meta, "schema": 0, "content_hash": "old"})
    with pytest.raises(InputError, match="this version"):
        GraphStore.open(path)
    assert len(build_store(rows(5), parse, path, source_hash="x", target_names=NAMES)) == len(good(rows(5)))


FULL = """
import resource, sys
sys.path.insert(0, {here!r})
from crystals import parse, rows
from matwright.graphs.packing import build_store
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    build_store(rows(2000), parse, {path!r}, source_hash="x", target_names=("a", "b"))
except OSError as error:
    print(type(error).__name__)
"""


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path) -> None:
    code = FULL.format(here=str(Path(__file__).parent), path=str(tmp_path / "s"))
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("OSError\n", "")
    assert list(tmp_path.iterdir()) == []


BUILD = """
import sys
sys.path.insert(0, {here!r})
from crystals import parse_slowly, rows
from matwright.graphs.packing import build_store
if __name__ == "__main__":
    build_store(rows(2000), parse_slowly, {path!r}, source_hash="x", target_names=("a", "b"), workers=2)
"""


def test_a_killed_build_leaves_nothing_that_opens(tmp_path: Path) -> None:
    script, path = tmp_path / "build.py", tmp_path / "out" / "store"
    script.write_text(BUILD.format(here=str(Path(__file__).parent), path=str(path)))
    process = subprocess.Popen([sys.executable, str(script)])
    _wait_for(lambda: process.poll() is not None or any(_sizes(path.parent)))
    assert process.poll() is None
    workers = _children(process.pid)
    assert len(workers) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    leftovers = list(path.parent.iterdir())
    assert len(leftovers) == 1
    assert not path.exists()
    for folder in (path, leftovers[0]):
        with pytest.raises(InputError, match="not a graph store"):
            GraphStore.open(folder)
    _wait_for(lambda: not any(_is_alive(worker) for worker in workers))
    store = build_store(rows(20), parse, path, source_hash="x", target_names=NAMES)
    assert len(store) == len(good(rows(20)))
    assert list(path.parent.iterdir()) == [path]


def _sizes(folder: Path) -> list[int]:
    """Full buffers of the rows that a build has written so far, bytes."""
    return [file.stat().st_size // 20_000 for file in folder.glob(".store.partial-*/rows.npy")]


def _wait_for(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children")
    if not listed.exists():
        pytest.skip("needs /proc to see the worker processes")
    return [int(child) for child in listed.read_text().split()]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
