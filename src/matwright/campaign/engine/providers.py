"""Parsl's providers from our settings: one function a kind, and what every worker's shell runs first."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from matwright.campaign.engine.settings import EngineSettings, Provider
from matwright.campaign.engine.supervisor import ONE_THREAD
from matwright.errors import InputError


def make_provider(settings: EngineSettings) -> Any:
    """The Parsl provider that the settings describe.

    Raises:
        InputError: it needs a package that is not installed, or a cluster that is not configured here.
    """
    return _MAKERS[settings.provider](settings)


def _exports() -> str:
    return "\n".join(f"export {name}={value}" for name, value in ONE_THREAD.items())


def _blocks(settings: EngineSettings) -> dict[str, Any]:
    """As many jobs as wanted, from the start to the end; one that dies is replaced."""
    return {
        "nodes_per_block": settings.nodes,
        "init_blocks": settings.blocks,
        "min_blocks": settings.blocks,
        "max_blocks": settings.blocks,
    }


def _local(settings: EngineSettings) -> Any:
    from parsl.providers import LocalProvider  # slow to load: only where workers are wanted

    # Workers are a process group of their own; they end with this process, also when that is killed.
    watch = f"(while kill -0 {os.getpid()} 2>/dev/null; do sleep 1; done; kill -9 0) &"
    path = f"export PYTHONPATH={shlex.quote(os.pathsep.join(filter(None, sys.path)))}"
    return LocalProvider(worker_init="\n".join([watch, path, _exports(), settings.setup]), **_blocks(settings))


def _slurm(settings: EngineSettings) -> Any:
    from parsl.launchers import SrunLauncher
    from parsl.providers import SlurmProvider

    return SlurmProvider(
        partition=settings.queue or None,
        account=settings.account or None,
        walltime=settings.walltime,
        scheduler_options=settings.options,
        worker_init="\n".join([_exports(), settings.setup]),
        cores_per_node=settings.workers,
        exclusive=False,
        launcher=SrunLauncher(),
        **_blocks(settings),
    )


def _pbs(settings: EngineSettings) -> Any:
    from parsl.launchers import MpiExecLauncher, SimpleLauncher
    from parsl.providers import PBSProProvider

    return PBSProProvider(
        queue=settings.queue or None,
        account=settings.account or None,
        walltime=settings.walltime,
        scheduler_options=settings.options,
        worker_init="\n".join([_exports(), settings.setup]),
        cpus_per_node=settings.workers,
        launcher=SimpleLauncher() if settings.nodes == 1 else MpiExecLauncher(),
        **_blocks(settings),
    )


def _kubernetes(settings: EngineSettings) -> Any:
    from parsl.providers import KubernetesProvider

    try:
        from kubernetes.config import ConfigException
    except ImportError:
        raise InputError("Kubernetes needs its client; install it with: pip install 'matwright[cluster]'") from None
    memory = f"{math.ceil(1024 * settings.memory * settings.workers)}Mi"
    try:
        return KubernetesProvider(
            image=settings.image,
            namespace=settings.queue or "default",
            worker_init="\n".join([_exports(), settings.setup]),
            max_cpu=settings.workers,
            init_cpu=settings.workers,
            max_mem=memory,
            init_mem=memory,
            pod_name="matwright",
            **_blocks(settings),
        )
    except ConfigException as error:
        raise InputError(
            f"no cluster of Kubernetes is configured here, by KUBECONFIG, ~/.kube/config or from within one: {error}"
        ) from error


_MAKERS: Mapping[Provider, Callable[[EngineSettings], Any]] = MappingProxyType(
    {
        Provider.LOCAL: _local,
        Provider.SLURM: _slurm,
        Provider.PBS: _pbs,
        Provider.KUBERNETES: _kubernetes,
    }
)
