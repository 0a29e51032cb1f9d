"""Calibration on disk, beside the weights, and the whole nesting of wrappers read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from matwright.errors import InputError
from matwright.models.checkpoint import ModelFile, load_members, read_model_file
from matwright.models.interface import PropertyModel
from matwright.serialization import atomic_write_bytes
from matwright.uncertainty.conformal import DEFAULT_LEVEL, Calibration, ConformalModel
from matwright.uncertainty.domain import DomainModel, DomainReference
from matwright.uncertainty.ensemble import EnsembleModel

CALIBRATION_FILE = "calibration.safetensors"
FORMAT = "matwright-calibration-1"
HEADER = "calibration"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trust:
    """What makes an ensemble's predictions trustworthy: intervals by property, and where the training data lie."""

    calibrations: Mapping[str, Calibration]
    domain: DomainReference | None

    def around(self, model: PropertyModel, level: float = DEFAULT_LEVEL) -> PropertyModel:
        """Return the model with intervals and, where there is a reference, a domain score."""
        conformal = ConformalModel(model, self.calibrations, level)
        return conformal if self.domain is None else DomainModel(conformal, self.domain)


def save_trust(folder: Path, trust: Trust) -> None:
    """Write `calibration.safetensors`, atomically."""
    from safetensors.numpy import save  # heavy: behind its door

    tensors = {f"scores/{name}": calibration.scores for name, calibration in trust.calibrations.items()}
    properties = {name: {"floor": c.floor, "normalised": c.normalised} for name, c in trust.calibrations.items()}
    if trust.domain is not None:
        for name in ("centre", "scale", "sample", "distances"):
            tensors[f"domain/{name}"] = getattr(trust.domain, name)
        tensors["domain/sample"] = trust.domain.sample.astype(np.float16)
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    header = json.dumps({"format": FORMAT, "properties": properties})  # one entry: safetensors keeps no order
    data = save(contiguous, metadata={HEADER: header})
    atomic_write_bytes(folder / CALIBRATION_FILE, data)


def load_trust(folder: Path) -> Trust:
    """Read `calibration.safetensors`.

    Raises:
        InputError: the file is missing or broken.
    """
    # heavy: behind its door
    from safetensors import SafetensorError, safe_open

    path = folder / CALIBRATION_FILE
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
            if header.get("format") != FORMAT:
                raise InputError(f"{path} is not a calibration of a property model")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        calibrations = {
            name: Calibration(scores=arrays[f"scores/{name}"], floor=entry["floor"], normalised=entry["normalised"])
            for name, entry in header["properties"].items()
        }
        domain = (
            DomainReference(
                centre=arrays["domain/centre"],
                scale=arrays["domain/scale"],
                sample=arrays["domain/sample"].astype(np.float32),
                distances=arrays["domain/distances"],
            )
            if "domain/sample" in arrays
            else None
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return Trust(calibrations=calibrations, domain=domain)


def load_property_model(folder: Path, level: float = DEFAULT_LEVEL) -> tuple[PropertyModel, ModelFile]:
    """Return the trained model of a folder with all its wrappers, and what `model.json` says.

    Raises:
        InputError: the folder holds no model, or a broken one, or the level is not in (0, 1).
    """
    described = read_model_file(folder)
    ensemble = EnsembleModel(load_members(folder, described))
    return load_trust(folder).around(ensemble, level), described
