"""Workers on Kubernetes: a server on a real socket plays the cluster's API, a shell the container of a pod."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.parsl_engine import ParslEngine
from matwright.campaign.engine.providers import make_provider
from matwright.campaign.engine.settings import EngineSettings, Provider, load_engine_settings
from matwright.campaign.store.store import Store
from matwright.errors import InputError

pytest.importorskip("parsl")
from campaign_parts import Volume, rock_salt

kube_config = pytest.importorskip("kubernetes.config.kube_config")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Parsl leaves sockets to the collector
TOML = """
[engine]
provider = "kubernetes"
image = "registry.example/matwright:1"
queue = "materials"
workers = {workers}
memory = 1.5
setup = "{setup}"
address = "127.0.0.1"
"""
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
users: [{{name: me, user: {{token: secret}}}}]
"""


class Cluster:
    """What the API was asked for, and the pods that run; a pod's container is a shell where `runs` says so."""

    def __init__(self, *, runs: bool, log: Path) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self._runs, self._log = runs, log
        self._containers: dict[str, subprocess.Popen[bytes]] = {}

    def create(self, name: str, pod: dict[str, Any]) -> None:
        self.pods[name] = pod
        if self._runs:
            container = pod["spec"]["containers"][0]
            with self._log.open("ab") as log:
                self._containers[name] = subprocess.Popen(
                    [*container["command"], *container["args"]], stdout=log, stderr=log, start_new_session=True
                )

    def phase(self, name: str) -> str:
        container = self._containers.get(name)
        return "Running" if container is None or container.poll() is None else "Failed"

    def delete(self, name: str) -> None:
        container = self._containers.pop(name, None)
        if container is not None:
            os.killpg(container.pid, signal.SIGKILL)
            container.wait()


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _read(self) -> dict[str, Any]:
            cluster.asked.append(f"{self.command} {self.path}")
            return dict(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"))

        def do_POST(self) -> None:
            pod = self._read()
            cluster.create(pod["metadata"]["name"], pod)
            self._answer(201, {**pod, "status": {"phase": "Pending"}})

        def do_GET(self) -> None:
            self._read()
            name = self.path.rpartition("/")[2]
            self._answer(200, {**cluster.pods[name], "status": {"phase": cluster.phase(name)}})

        def do_DELETE(self) -> None:
            self._read()
            name = self.path.rpartition("/")[2]
            cluster.delete(name)
            self._answer(200, cluster.pods[name])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the library)
            """Nothing on stderr."""

    return Handler


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    played = Cluster(runs=request.param == "runs", log=tmp_path / "pods.log")
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(played)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        config = tmp_path / "kubeconfig"
        config.write_text(KUBECONFIG.format(port=server.server_address[1]), encoding="utf-8")
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(config))  # read when it was imported
        try:
            yield played
        finally:
            for name in list(played.pods):
                played.delete(name)
            server.shutdown()
            thread.join()


def _settings(folder: Path, *, workers: int, setup: str) -> EngineSettings:
    path = folder / "cluster.toml"
    path.write_text(TOML.format(workers=workers, setup=setup), encoding="utf-8")
    return load_engine_settings(path)


@pytest.mark.parametrize("cluster", ["asked"], indirect=True)
def test_the_pod_is_as_the_settings_say(cluster: Cluster, tmp_path: Path) -> None:
    provider = make_provider(_settings(tmp_path, workers=3, setup="source /venv/bin/activate"))
    job = provider.submit("start-workers", 3, "test")
    (pod,) = cluster.pods.values()
    assert cluster.asked == ["POST /api/v1/namespaces/materials/pods"]
    assert pod["metadata"]["name"].startswith("matwright.")
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "registry.example/matwright:1"
    assert container["resources"]["limits"] == {"cpu": "3", "memory": "4608Mi"}
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert container["command"] == ["/bin/bash"]
    flag, script = container["args"]
    assert flag == "-c"
    lines = [line for line in script.splitlines() if line]
    assert {"export OMP_NUM_THREADS=1", "export OPENBLAS_NUM_THREADS=1", "export MKL_NUM_THREADS=1"} <= set(lines)
    assert lines[-2:] == ["source /venv/bin/activate", "start-workers"]
    assert [str(one.state) for one in provider.status([job])] == ["JobState.RUNNING"]
    provider.cancel([job])
    path = f"/api/v1/namespaces/materials/pods/{pod['metadata']['name']}"
    assert cluster.asked[1:] == [f"GET {path}", f"DELETE {path}"]


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["runs"], indirect=True)
def test_a_campaign_is_evaluated_in_a_pod(cluster: Cluster, tmp_path: Path) -> None:
    """The command of the pod starts workers that find the way back; no more than one thread each."""
    here = f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={os.pathsep.join(filter(None, sys.path))}"
    settings = _settings(tmp_path, workers=2, setup=here)
    with Store.open(tmp_path / "store.db") as store, ParslEngine(settings) as engine:
        campaign = Campaign(store, "pods", Volume())
        campaign.propose([rock_salt(5.0 + place / 100) for place in range(20)])
        status = campaign.run(engine)
        assert (status.recorded, status.left.computing) == (20, 0), (tmp_path / "pods.log").read_text()
        assert all(record.failure is None for record in store.records.iterate())
        (pod,) = cluster.pods.values()
        script = pod["spec"]["containers"][0]["args"][1]
        assert "process_worker_pool" in script
        assert "--max_workers_per_node=2" in script
    assert cluster.asked[0] == "POST /api/v1/namespaces/materials/pods"
    assert cluster.asked[-1].startswith("DELETE /api/v1/namespaces/materials/pods/matwright.")


def test_where_no_cluster_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InputError, match="no cluster of Kubernetes is configured here"):
        make_provider(EngineSettings(provider=Provider.KUBERNETES, image="matwright:latest"))


def test_without_its_client_it_says_so() -> None:
    program = """
import sys
sys.modules["kubernetes"] = None  # as if it were not installed
from matwright.campaign.engine.providers import make_provider
from matwright.campaign.engine.settings import EngineSettings, Provider
make_provider(EngineSettings(provider=Provider.KUBERNETES, image="matwright:latest"))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "InputError: Kubernetes needs its client; install it with: pip install 'matwright[cluster]'" in said.stderr
