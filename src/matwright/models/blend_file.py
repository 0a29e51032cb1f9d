"""The forests of a model on disk, beside the weights: one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.conditions import ConditionSchema
from matwright.models.blend import Share, Shares
from matwright.models.flat import FlatLayout
from matwright.models.forest import Forest
from matwright.serialization import atomic_write_bytes

FOREST_FILE = "forest.safetensors"
FORMAT, HEADER = "matwright-forest-1", "forest"
FIELDS = ("feature", "number", "usual")


def save_shares(folder: Path, shares: Shares) -> None:
    """Write `forest.safetensors`, atomically."""
    from safetensors.numpy import save  # heavy: behind its door

    tensors: dict[str, NDArray[Any]] = {}
    for name, share in shares.shares.items():
        tensors |= {f"{field}/{name}": getattr(share.forest, field) for field in FIELDS}
    weights = {name: share.weight for name, share in shares.shares.items()}
    header = json.dumps({"format": FORMAT, "repeats": shares.layout.repeats, "weights": weights})
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    atomic_write_bytes(folder / FOREST_FILE, save(contiguous, metadata={HEADER: header}))


def load_shares(folder: Path, schema: ConditionSchema | None) -> Shares:
    """Read `forest.safetensors` of a model that knows these conditions.

    Raises:
        InputError: the file is missing or broken.
    """
    from safetensors import SafetensorError, safe_open  # heavy: behind its door

    path = folder / FOREST_FILE
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
            if header.get("format") != FORMAT:
                raise InputError(f"{path} is not a forest that this version of matwright reads: train the model again")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        shares = {
            name: Share(
                forest=Forest(**{field: arrays[f"{field}/{name}"] for field in FIELDS}),
                weight=float(weight),
            )
            for name, weight in header["weights"].items()
        }
        return Shares(layout=FlatLayout(schema=schema, repeats=int(header["repeats"])), shares=shares)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
