"""How an engine is set up: workers on this machine, or the provider of a cluster; one to one with a TOML table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from math import inf
from pathlib import Path
from typing import Any, final

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.serialization import read_toml

_WALLTIME = re.compile(r"^\d{1,4}:[0-5]\d:[0-5]\d$")


@final
class Provider(Enum):
    """Where workers come from."""

    LOCAL = "local"
    SLURM = "slurm"
    PBS = "pbs"
    KUBERNETES = "kubernetes"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Workers and where they come from.

    Attributes:
        provider: local, slurm, pbs or kubernetes.
        workers: processes on each node, one computing thread each.
        nodes: nodes of one job of the scheduler; blocks: such jobs at the same time.
        walltime: hours:minutes:seconds of such a job; a new one follows while there is work.
        queue: partition (Slurm), queue (PBS) or namespace (Kubernetes); "" for the default one.
        account: that pays; "" for none.
        options: further lines for the head of the job's script, for instance "#SBATCH --mem=64g".
        setup: shell lines before the worker starts, for instance "module load python".
        image: of the container (Kubernetes).
        memory: GiB for each worker (Kubernetes, of which a pod gets that of all its workers; elsewhere see `options`).
        address: by which workers reach this machine; "" for every address that it has.
    """

    provider: Provider = Provider.LOCAL
    workers: int = 1
    nodes: int = 1
    blocks: int = 1
    walltime: str = "24:00:00"
    queue: str = ""
    account: str = ""
    options: str = ""
    setup: str = ""
    image: str = ""
    memory: float = 2.0
    address: str = ""

    def __post_init__(self) -> None:
        for name in ("workers", "nodes", "blocks"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"engine.{name} must be a whole number of at least 1, found {value!r}")
        for name in ("walltime", "queue", "account", "options", "setup", "image", "address"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"engine.{name} must be a text, found {getattr(self, name)!r}")
        if not _WALLTIME.match(self.walltime):
            raise InputError(f"engine.walltime is hours:minutes:seconds, found {self.walltime!r}")
        if self.provider is Provider.LOCAL and (self.nodes, self.blocks) != (1, 1):
            raise InputError("this machine is one node: engine.nodes and engine.blocks belong to a cluster")
        if isinstance(self.memory, bool) or not isinstance(self.memory, int | float) or not 0 < self.memory < inf:
            raise InputError(f"engine.memory is in GiB and above 0, found {self.memory!r}")
        if self.provider is Provider.KUBERNETES:
            self._check_pods()

    def _check_pods(self) -> None:
        if not self.image:
            raise InputError("engine.image names the container image in which workers run on Kubernetes")
        if self.nodes != 1:
            raise InputError("a pod lies on one node: ask for more engine.blocks, which are pods, not for engine.nodes")
        if self.account or self.options:
            raise InputError("engine.account and engine.options belong to slurm and pbs: Kubernetes has none")

    @property
    def all_workers(self) -> int:
        """Workers of all nodes and blocks."""
        return self.workers * self.nodes * self.blocks


def engine_settings(table: Mapping[str, Any]) -> EngineSettings:
    """Settings from a table of names and values; what is not named keeps its default.

    Raises:
        InputError: an unknown name or provider (the message gives the nearest), or an impossible value.
    """
    known = [field.name for field in fields(EngineSettings)]
    for name in table:
        if name not in known:
            raise InputError(f"there is no setting engine.{name}{nearest_hint(name, known)}; known: {', '.join(known)}")
    values = dict(table)
    providers = [provider.value for provider in Provider]
    wanted = values.pop("provider", Provider.LOCAL.value)
    if wanted not in providers:
        hint = nearest_hint(str(wanted), providers)
        raise InputError(f"engine.provider is one of {', '.join(providers)}, found {wanted!r}{hint}")
    return EngineSettings(provider=Provider(wanted), **values)


def load_engine_settings(path: Path) -> EngineSettings:
    """Settings from the table [engine] of a TOML file.

    Raises:
        InputError: the file cannot be read (see `read_toml`), has no such table, or a name or value is wrong.
    """
    content = read_toml(path)
    if not isinstance(content.get("engine"), dict):
        raise InputError(f"{path} has no table [engine]")
    return engine_settings(content["engine"])
