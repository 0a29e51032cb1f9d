"""Workers on a second host: a network namespace of its own, to which a scheduler sends jobs."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.parsl_engine import ParslEngine
from matwright.campaign.engine.settings import EngineSettings, Provider
from matwright.campaign.store.store import Store

pytest.importorskip("parsl")
from campaign_parts import rock_salt
from network_parts import Where, network

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Parsl leaves sockets to the collector
]

HERE, THERE = "10.213.77.1", "10.213.77.2"
PROGRAMS = {
    "sbatch": """
export SLURM_JOB_NAME=job$$ SLURM_CPUS_ON_NODE=1 SLURM_JOB_NUM_NODES=1
setsid ip netns exec {host} bash "$1" > "$1.log" 2>&1 < /dev/null &
echo "Submitted batch job $!"
""",
    "srun": 'exec bash "${@: -1}"\n',
    "sacct": "exit 1\n",
    "squeue": """
for id in $(echo "${@: -1}" | tr , ' '); do kill -0 -- "-$id" 2> /dev/null && echo "$id R"; done
exit 0
""",
    "scancel": 'for id in "$@"; do kill -9 -- "-$id" 2> /dev/null; done\nexit 0\n',
}
"""What a job passes through on its way: the commands of Slurm, for one node, which is the namespace `host`."""


def _ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


@pytest.fixture
def host() -> Iterator[str]:
    """A network namespace joined to this one by a pair of virtual cards."""
    if shutil.which("ip") is None:
        pytest.skip("there is no command ip (iproute2)")
    name = f"mw{secrets.token_hex(3)}"
    made = _ip("netns", "add", name)
    if made.returncode != 0:
        pytest.skip(f"no network namespace can be made: {made.stderr.strip()}")
    try:
        steps = (
            ("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name),
            ("addr", "add", f"{HERE}/30", "dev", f"{name}a"),
            ("link", "set", f"{name}a", "up"),
            ("-n", name, "addr", "add", f"{THERE}/30", "dev", f"{name}b"),
            ("-n", name, "link", "set", f"{name}b", "up"),
            ("-n", name, "link", "set", "lo", "up"),
        )
        for step in steps:
            done = _ip(*step)
            if done.returncode != 0:
                pytest.skip(f"the namespace cannot be joined to this network: {done.stderr.strip()}")
        yield name
    finally:
        _ip("netns", "del", name)
        _ip("link", "del", f"{name}a")


def test_workers_on_another_host_do_the_work(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{body.replace('{host}', host)}", encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    places = os.pathsep.join(filter(None, sys.path))
    settings = EngineSettings(
        provider=Provider.SLURM,
        workers=1,
        walltime="00:10:00",
        address=HERE,
        setup=f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={places}",
    )
    with Store.open(tmp_path / "store.db") as store:
        campaign = Campaign(store, "there", Where())
        campaign.propose([rock_salt(5.0 + i / 50) for i in range(40)])
        with ParslEngine(settings, logs=tmp_path / "logs") as engine:
            status = campaign.run(engine)
        assert status.recorded == 40
        records = list(store.records.iterate())
    networks = {record.values["network"].value for record in records}
    assert len(networks) == 1
    assert networks != {network()}
    assert {record.values["threads"].value for record in records} == {1.0}
    assert len({record.values["volume"].value for record in records}) == 40
