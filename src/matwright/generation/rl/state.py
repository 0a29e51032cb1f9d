"""The whole state of a learner as one file, so that a killed run goes on exactly where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from matwright.errors import InputError
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.diversity import Buckets
from matwright.generation.rl.learner import BestStep, Learner, StepReport
from matwright.generation.rl.reward import Scale
from matwright.generation.sequence_batch import SequenceBatch
from matwright.serialization import atomic_write_bytes

HEADER = "learner"
FORMAT = "matwright-learner-2"
BATCH = "archive/batch/"
POLICY, BEST = "policy/", "best/"


def save_state(path: Path, learner: Learner, reports: Sequence[StepReport]) -> None:
    """Write weights, optimiser, buckets, archive and reports to `path`, atomically."""
    from safetensors.torch import save  # heavy: behind its door

    tensors = {f"{POLICY}{name}": value for name, value in learner.policy.decoder.state_dict().items()}
    if learner.best is not None:
        tensors |= {f"{BEST}{name}": value for name, value in learner.best.weights.items()}
    for number, state in learner.optimiser.state_dict()["state"].items():
        tensors |= {f"adam/{number}/{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors["buckets/keys"] = torch.from_numpy(learner.buckets.keys.view(np.int64))
    tensors["buckets/counts"] = torch.from_numpy(learner.buckets.counts)
    tensors["hits/keys"] = torch.from_numpy(learner.hit_keys.view(np.int64))
    if learner.archive is not None:
        tensors |= _archive_tensors(learner.archive)
    facts = {
        "format": FORMAT,
        "step": learner.step,
        "scored": learner.scored,
        "brake": learner.brake,
        "best": None if learner.best is None else asdict(learner.best.report),
        "scales": {name: asdict(scale) for name, scale in learner.scorer.reward.scales.items()},
        "columns": [] if learner.archive is None else list(learner.archive.columns),
        "reports": [asdict(report) for report in reports],
    }
    copies = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    atomic_write_bytes(path, save(copies, metadata={HEADER: json.dumps(facts)}))


def load_scales(path: Path) -> dict[str, Scale]:
    """The scales that the rewards of a saved run were measured with.

    Raises:
        InputError: the file is missing or not the state of a learner.
    """
    return {name: Scale(**values) for name, values in _read(path)[0]["scales"].items()}


def restore_state(path: Path, learner: Learner) -> list[StepReport]:
    """Put a saved state into a new learner of the same settings; the reports of its steps come back.

    Raises:
        InputError: the file is missing, or does not belong to such a learner.
    """
    facts, tensors = _read(path)
    try:
        learner.policy.decoder.load_state_dict(_named(tensors, POLICY))
        described = learner.optimiser.state_dict()
        learner.optimiser.load_state_dict({**described, "state": _adam(tensors)})
        learner.buckets = Buckets(_keys(tensors["buckets/keys"]), tensors["buckets/counts"].numpy())
        learner.hit_keys = _keys(tensors["hits/keys"])
        learner.archive = _archive(tensors, facts["columns"]) if "archive/z" in tensors else None
    except (KeyError, RuntimeError, ValueError) as problem:
        raise InputError(f"{path} does not belong to a run with these settings") from problem
    learner.step, learner.scored, learner.brake = int(facts["step"]), int(facts["scored"]), float(facts["brake"])
    if facts["best"] is not None:
        learner.best = BestStep(report=StepReport(**facts["best"]), weights=_named(tensors, BEST))
    return [StepReport(**report) for report in facts["reports"]]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open  # heavy: behind its door

    try:
        with safe_open(path, framework="pt") as file:
            facts: dict[str, Any] = json.loads((file.metadata() or {}).get(HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError) as problem:
        raise InputError(f"{path} cannot be read: {problem}") from problem
    if facts.get("format") != FORMAT:
        raise InputError(f"{path} is not the state of a learner that this version of matwright reads")
    return facts, tensors


def _named(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _adam(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam/"):
            _, number, field = name.split("/")
            state.setdefault(int(number), {})[field] = value
    return state


def _archive_tensors(archive: Archive) -> dict[str, Tensor]:
    columns = {field.name: getattr(archive.batch, field.name) for field in fields(SequenceBatch)}
    tensors = {f"{BATCH}{name}": column for name, column in columns.items() if column is not None}
    tensors |= {f"archive/columns/{name}": torch.from_numpy(values) for name, values in archive.columns.items()}
    return tensors | {"archive/z": archive.z, "archive/keys": torch.from_numpy(archive.keys.view(np.int64))}


def _archive(tensors: Mapping[str, Tensor], columns: Sequence[str]) -> Archive:
    return Archive(
        batch=SequenceBatch(**_named(tensors, BATCH)),
        z=tensors["archive/z"],
        keys=_keys(tensors["archive/keys"]),
        columns={name: tensors[f"archive/columns/{name}"].numpy() for name in columns},
    )


def _keys(tensor: Tensor) -> Any:
    return tensor.numpy().view(np.uint64)
