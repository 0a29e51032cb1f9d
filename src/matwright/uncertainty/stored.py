"""Calibration on disk, beside the weights, and the whole nesting of wrappers read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.models.blend_file import load_shares
from matwright.models.checkpoint import ModelFile, load_members, read_model_file
from matwright.models.interface import BatchPrediction, PropertyModel
from matwright.serialization import atomic_write_bytes
from matwright.uncertainty.conformal import DEFAULT_LEVEL, Calibration, ConformalModel, with_intervals
from matwright.uncertainty.domain import DomainModel, DomainReference, with_domain
from matwright.uncertainty.ensemble import EnsembleModel
from matwright.uncertainty.spread import SpreadModel

CALIBRATION_FILE = "calibration.safetensors"
FORMAT = "matwright-calibration-3"
HEADER = "calibration"
OLD_NEAR = 3  # nearest compositions in files that do not name their number
SPREAD_ARRAYS, SPREAD_NUMBERS = ("weights", "centre", "scale"), ("least", "middle", "floor", "near")
DOMAIN_ARRAYS = ("centre", "scale", "weights", "floors", "usual", "deviation", "held_out")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trust:
    """What makes an ensemble's predictions trustworthy: intervals by property, and where the training data lie."""

    calibrations: Mapping[str, Calibration]
    domain: DomainReference | None

    def around(self, model: PropertyModel, level: float = DEFAULT_LEVEL) -> PropertyModel:
        """Return the model with intervals and, where there is a reference, a domain score."""
        placed = model if self.domain is None else DomainModel(model, self.domain)
        return ConformalModel(placed, self.calibrations, level)

    def of(
        self, plain: BatchPrediction, fractions: NDArray[np.float32], level: float = DEFAULT_LEVEL
    ) -> BatchPrediction:
        """Return predictions that the bare model made, as `around` would have given them.

        Args:
            plain: of n materials.
            fractions: (n, n_elements) of the same materials.
            level: nominal coverage of the intervals.
        """
        placed = plain if self.domain is None else with_domain(plain, fractions, self.domain)
        return with_intervals(placed, self.calibrations, level)


def save_trust(folder: Path, trust: Trust) -> None:
    """Write `calibration.safetensors`, atomically."""
    from safetensors.numpy import save  # heavy: behind its door

    tensors: dict[str, NDArray[Any]] = {}
    for name, calibration in trust.calibrations.items():
        tensors |= {f"scores/{name}": calibration.scores, f"covered/{name}": calibration.covered}
        tensors |= {f"spread/{name}/{field}": getattr(calibration.spread, field) for field in SPREAD_ARRAYS}
    properties = {
        name: {field: getattr(calibration.spread, field) for field in SPREAD_NUMBERS}
        for name, calibration in trust.calibrations.items()
    }
    if trust.domain is not None:
        tensors |= {f"domain/{field}": getattr(trust.domain, field) for field in DOMAIN_ARRAYS}
        tensors["domain/sample"] = trust.domain.sample.astype(np.float16)
        tensors |= _sparse(trust.domain.roots)
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    described: dict[str, object] = {"format": FORMAT, "properties": properties}
    if trust.domain is not None:
        described["near"] = trust.domain.near
    header = json.dumps(described)  # one entry: safetensors keeps no order
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
                raise InputError(
                    f"{path} is not a calibration that this version of matwright reads: train the model again"
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        calibrations = {name: _calibration(name, entry, arrays) for name, entry in header["properties"].items()}
        domain = _domain(arrays, int(header.get("near", OLD_NEAR))) if "domain/sample" in arrays else None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return Trust(calibrations=calibrations, domain=domain)


def _calibration(name: str, numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> Calibration:
    weights, centre, scale = (arrays[f"spread/{name}/{field}"] for field in SPREAD_ARRAYS)
    least, middle, floor, near = (float(numbers[field]) for field in SPREAD_NUMBERS)
    spread = SpreadModel(
        weights=weights, centre=centre, scale=scale, least=least, middle=middle, floor=floor, near=near
    )
    return Calibration(scores=arrays[f"scores/{name}"], covered=arrays[f"covered/{name}"], spread=spread)


def _domain(arrays: Mapping[str, NDArray[Any]], near: int) -> DomainReference:
    fields = {field: arrays[f"domain/{field}"] for field in DOMAIN_ARRAYS}
    roots = np.zeros(tuple(arrays["domain/roots_shape"].tolist()), np.float32)
    roots[arrays["domain/roots_rows"], arrays["domain/roots_columns"]] = arrays["domain/roots_values"]
    return DomainReference(sample=arrays["domain/sample"].astype(np.float32), roots=roots, near=near, **fields)


def _sparse(roots: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Compositions hold few elements: only those are kept."""
    rows, columns = np.nonzero(roots)
    return {
        "domain/roots_shape": np.array(roots.shape, np.int64),
        "domain/roots_rows": rows.astype(np.int32),
        "domain/roots_columns": columns.astype(np.uint8),
        "domain/roots_values": roots[rows, columns],
    }


def load_property_model(folder: Path, level: float = DEFAULT_LEVEL) -> tuple[PropertyModel, ModelFile]:
    """Return the trained model of a folder with all its wrappers, and what `model.json` says.

    Raises:
        InputError: the folder holds no model, or a broken one, or the level is not in (0, 1).
    """
    described = read_model_file(folder)
    return load_trust(folder).around(load_plain_model(folder, described), level), described


def load_plain_model(folder: Path, described: ModelFile) -> PropertyModel:
    """Return the ensemble of a folder with the forest that may stand beside it, without intervals.

    Raises:
        InputError: a file is missing or broken.
    """
    model = EnsembleModel(load_members(folder, described))
    return load_shares(folder, described.config.conditions).around(model) if described.forest else model
