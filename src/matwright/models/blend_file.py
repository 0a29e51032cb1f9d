"""The forests of a model on disk, beside the weights: one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
FORMAT, HEADER = "matwright-forest-3", "forest"
OLD_FORMAT, OLDER_FORMAT = "matwright-forest-2", "matwright-forest-1"  # without trees that learned errors
FIELDS = ("feature", "number", "usual")
BOOSTED, DOUBT = "boosted-", "doubt-"


def save_shares(folder: Path, shares: Shares) -> None:
    """Write `forest.safetensors`, atomically."""
    from safetensors.numpy import save  # heavy: behind its door

    tensors: dict[str, NDArray[Any]] = {}
    for name, share in shares.shares.items():
        for kind, forest in (("", share.forest), (BOOSTED, share.boosted), (DOUBT, share.doubt)):
            if forest is not None:
                tensors |= {f"{kind}{field}/{name}": getattr(forest, field) for field in FIELDS}
    weights = {name: share.weights for name, share in shares.shares.items()}
    layout = {"repeats": shares.layout.repeats, "geometry": shares.layout.geometry}
    header = json.dumps({"format": FORMAT, **layout, "weights": weights})
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
            if header.get("format") not in (FORMAT, OLD_FORMAT, OLDER_FORMAT):
                raise InputError(f"{path} is not a forest that this version of matwright reads: train the model again")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        if header["format"] == OLDER_FORMAT:  # the mean of randomised trees alone, which saw no geometry
            header |= {
                "geometry": False,
                "weights": {name: [weight, 0.0] for name, weight in header["weights"].items()},
            }
        shares = {
            name: Share(
                forest=_forest(arrays, "", name),
                boosted=_forest(arrays, BOOSTED, name),
                weights=tuple(float(weight) for weight in weights),
                doubt=_forest(arrays, DOUBT, name),
            )
            for name, weights in header["weights"].items()
        }
        layout = FlatLayout(schema=schema, repeats=int(header["repeats"]), geometry=bool(header["geometry"]))
        if any(share.lacks for share in shares.values()):
            raise InputError(f"{path} lacks trees that count")
        return Shares(layout=layout, shares=shares)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _forest(arrays: Mapping[str, NDArray[Any]], kind: str, name: str) -> Forest | None:
    if f"{kind}{FIELDS[0]}/{name}" not in arrays:
        return None
    return Forest(**{field: arrays[f"{kind}{field}/{name}"] for field in FIELDS})
