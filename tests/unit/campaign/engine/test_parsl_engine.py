"""Real workers of Parsl, real schedulers' scripts."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.interface import Limits
from matwright.campaign.engine.parsl_engine import ParslEngine
from matwright.campaign.engine.providers import make_provider
from matwright.campaign.engine.settings import EngineSettings, Provider, engine_settings, load_engine_settings
from matwright.campaign.retry import RetryPolicy
from matwright.campaign.store.address import structure_hash
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.screening.potential import FailureKind

pytest.importorskip("parsl")
from campaign_parts import Misbehaving, rock_salt

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Parsl leaves sockets to the collector
LENGTHS = [5.0 + i / 100 for i in range(60)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db") as opened:
        yield opened


def campaign(store: Store, evaluator: Misbehaving) -> Campaign:
    made = Campaign(store, "test", evaluator, retry=RetryPolicy(first_delay=0.1))
    made.propose([rock_salt(length) for length in LENGTHS])
    return made


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> str:
    """A word in the environment of every process that the test starts, by which it finds them again."""
    word = f"MATWRIGHT_TEST_{secrets.token_hex(6)}"
    monkeypatch.setenv(word, "1")
    return word


def descendants(word: str) -> list[int]:
    """Processes that were started under the word, directly or not, in the order of their numbers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "environ").read_bytes() and (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it is gone, or somebody else's
            continue
    return sorted(found)


def test_a_campaign_on_workers_ends_with_every_candidate_recorded(store: Store, marked: str) -> None:
    evaluator = Misbehaving(does={5.01: "exit", 5.03: "hang"}, batch_size=4)
    running = campaign(store, evaluator)
    with ParslEngine(EngineSettings(workers=1), limits=Limits(seconds=1.5)) as engine:
        status = running.run(engine)
    assert (status.recorded, status.left.computing) == (len(LENGTHS), 0)
    kinds = {}
    for record in store.records.iterate():
        kinds[record.structure] = None if record.failure is None else record.failure.kind
    assert kinds.pop(structure_hash(rock_salt(5.01))) is FailureKind.POISON
    assert kinds.pop(structure_hash(rock_salt(5.03))) is FailureKind.TIMED_OUT
    assert set(kinds.values()) == {None}
    time.sleep(1.5)
    assert descendants(marked) == []


@pytest.mark.slow
def test_workers_that_die_are_replaced(store: Store, marked: str) -> None:
    evaluator = Misbehaving(does=dict.fromkeys((round(length, 6) for length in LENGTHS), "nap"))
    running = campaign(store, evaluator)
    stop = threading.Event()

    def kill_workers() -> None:
        for _ in range(3):
            if stop.wait(4.0):
                return
            for pid in descendants(marked)[-2:]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    killer = threading.Thread(target=kill_workers)
    with ParslEngine(EngineSettings(workers=2), limits=Limits(seconds=10.0)) as engine:
        killer.start()
        status = running.run(engine)
        stop.set()
        killer.join()
    assert status.recorded == len(LENGTHS)
    assert store.records.count(failed=True) == 0


def test_misuse_ends_the_campaign_and_the_workers(store: Store) -> None:
    class Local:
        __module__ = "__main__"

    with pytest.raises(InputError, match="put the class Local into a module"):
        next(ParslEngine(EngineSettings()).run(Local(), lambda _: []))  # type: ignore[arg-type]


def test_settings_come_from_toml_and_say_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text('[engine]\nprovider = "slurm"\nworkers = 64\nnodes = 2\nqueue = "long"\nwalltime = "12:00:00"\n')
    settings = load_engine_settings(path)
    assert settings == EngineSettings(provider=Provider.SLURM, workers=64, nodes=2, queue="long", walltime="12:00:00")
    assert settings.all_workers == 128
    for table, words in (
        ({"worker": 2}, "did you mean 'workers'"),
        ({"provider": "slrum"}, "did you mean 'slurm'"),
        ({"workers": 0}, "at least 1"),
        ({"workers": "two"}, "whole number"),
        ({"walltime": "a day"}, "hours:minutes:seconds"),
        ({"nodes": 2}, "this machine is one node"),
        ({"provider": "kubernetes"}, "names the container image"),
        ({"provider": "kubernetes", "image": "m", "nodes": 2}, "ask for more engine.blocks"),
        ({"provider": "kubernetes", "image": "m", "account": "us"}, "belong to slurm and pbs"),
        ({"provider": "kubernetes", "image": "m", "memory": 0}, "in GiB and above 0, found 0"),
        ({"memory": "4Gi"}, "in GiB and above 0, found '4Gi'"),
    ):
        with pytest.raises(InputError, match=words):
            engine_settings(table)
    path.write_text("[engines]\n")
    with pytest.raises(InputError, match="has no table .engine"):
        load_engine_settings(path)


def _rendered(settings: EngineSettings, command: str, reply: str, folder: Path, patch: pytest.MonkeyPatch) -> str:
    """The script that a provider hands to its scheduler, whose command is played by a shell script."""
    scheduler = folder / "bin" / command
    scheduler.parent.mkdir()
    scheduler.write_text(
        f'#!/bin/sh\nfor script; do :; done\necho "$@" > {folder}/words\ncp "$script" {folder}/script\necho "{reply}"\n'
    )
    scheduler.chmod(0o755)
    patch.setenv("PATH", f"{scheduler.parent}{os.pathsep}{os.environ['PATH']}")
    provider = make_provider(settings)
    provider.script_dir = str(folder)
    provider.submit("start-workers", settings.workers, "test")
    return (folder / "script").read_text()


def test_the_script_for_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EngineSettings(
        provider=Provider.SLURM,
        workers=8,
        nodes=2,
        queue="long",
        account="materials",
        walltime="12:30:00",
        options="#SBATCH --mem=64g",
        setup="module load python",
    )
    script = _rendered(settings, "sbatch", "Submitted batch job 7", tmp_path, monkeypatch)
    for line in (
        "#SBATCH --nodes=2",
        "#SBATCH --partition=long",
        "#SBATCH --account=materials",
        "#SBATCH --time=750",
        "#SBATCH --mem=64g",
        "export OMP_NUM_THREADS=1",
        "module load python",
    ):
        assert line in script.splitlines()
    assert "srun" in script
    assert "start-workers" in script
    assert "--exclusive" not in script


def test_the_script_for_pbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EngineSettings(
        provider=Provider.PBS,
        workers=8,
        queue="long",
        account="materials",
        walltime="12:30:00",
        setup="conda activate m",
    )
    script = _rendered(settings, "qsub", "7.server", tmp_path, monkeypatch)
    words = (tmp_path / "words").read_text()
    assert "-A materials" in words
    assert "-q long" in words
    for line in (
        "#PBS -l walltime=12:30:00",
        "#PBS -l select=1:ncpus=8",
        "export OMP_NUM_THREADS=1",
        "conda activate m",
    ):
        assert line in script.splitlines()
    assert "start-workers" in script
