"""The state of a fit on disk: one safetensors file with a JSON header, written atomically, read without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from matwright.errors import InputError

FORMAT = "matwright-fit-1"


def save_state(path: Path, tensors: Mapping[str, torch.Tensor], position: Mapping[str, Any]) -> None:
    """Write tensors and the JSON-able position to `path`; after a kill the file is the old one or the new one."""
    # heavy: behind its door
    from safetensors.torch import save

    from matwright.serialization import atomic_write_bytes

    flat = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    data = save(flat, metadata={"format": FORMAT, "position": json.dumps(position)})
    atomic_write_bytes(path, data)


def load_state(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return (tensors, position) of a saved state.

    Raises:
        InputError: the file is missing, broken or not a state of a fit.
    """
    # heavy: behind its door
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise InputError(f"{path} is not a saved training state")
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a mapping)
            position: dict[str, Any] = json.loads(header["position"])
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise InputError(f"the saved training state {path} cannot be read: {error}") from error
    return tensors, position


def pack_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the optimiser's moments as flat tensors named "<parameter index>/<moment>"."""
    packed: dict[str, torch.Tensor] = {}
    for index, moments in optimiser.state_dict()["state"].items():
        for name, value in moments.items():
            packed[f"{index}/{name}"] = torch.as_tensor(value)
    return packed


def unpack_optimiser(optimiser: torch.optim.Optimizer, packed: Mapping[str, torch.Tensor]) -> None:
    """Put moments from `pack_optimiser` back; groups (rates, decay) stay as they are."""
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in packed.items():
        index, name = key.split("/", 1)
        moments.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
