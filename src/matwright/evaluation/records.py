"""Predictions for many records of a store, and the validation numbers that steer a fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.evaluation.metrics import class_nll, mean_absolute_error
from matwright.graphs.interface import GraphSource
from matwright.materials.properties import PropertySpec
from matwright.models.interface import BatchPrediction, PropertyModel, join_predictions

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch

BATCH_SIZE = 64  # larger ones leave the processor's cache and are slower


def predict_records(
    model: PropertyModel,
    source: GraphSource,
    indices: NDArray[np.int64],
    *,
    batch_size: int = BATCH_SIZE,
    on_done: Callable[[int], None] | None = None,
) -> BatchPrediction:
    """Return the predictions for the records at `indices`, in their order.

    Raises:
        InputError: there are no indices.
    """
    if len(indices) == 0:
        raise InputError("there is nothing to predict")
    parts = []
    for start in range(0, len(indices), batch_size):
        chosen = indices[start : start + batch_size]
        parts.append(model.predict(source.batch(chosen)))
        if on_done is not None:
            on_done(len(chosen))
    return join_predictions(parts)


def fractions_of(batch: GraphBatch) -> NDArray[np.float32]:
    """Return (n_crystals, n_elements) atomic fractions by atomic number."""
    # heavy (torch): behind its door
    from matwright.elements import ELEMENT_FEATURES
    from matwright.models.composition import element_fractions

    fractions: NDArray[np.float32] = element_fractions(batch, len(ELEMENT_FEATURES)).float().cpu().numpy()
    return fractions


def record_fractions(source: GraphSource, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (n, n_elements) atomic fractions of the records at `indices`, in their order."""
    parts = [
        fractions_of(source.batch(indices[start : start + BATCH_SIZE])) for start in range(0, len(indices), BATCH_SIZE)
    ]
    return np.concatenate(parts)


def compositions(fractions: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return (n,) which composition each record has, counted from 0, by its atomic fractions (n, n_elements).

    Fractions that agree to a thousandth are those of one composition.
    """
    _, found = np.unique(np.round(fractions, 3), axis=0, return_inverse=True)
    return np.asarray(found.ravel(), dtype=np.int64)


def held_out_groups(fractions: NDArray[np.float32], learned: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return (n,) which group of dependent records each held-out record belongs to, counted from 0.

    Args:
        fractions: (n, n_elements) atomic fractions of the held-out records.
        learned: (n_learned, n_elements) of the records that the model learned from.
    """
    own, known = compositions(fractions), known_compositions(fractions, learned)
    return dependent_groups(own, known)


def known_compositions(fractions: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return (n,) whether the compositions (n, n_elements) stand among others, (n_others, n_elements)."""
    both = compositions(np.concatenate([fractions, others]))
    return np.isin(both[: len(fractions)], both[len(fractions) :])


def dependent_groups(own: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (n,) which group of dependent records each belongs to, counted from 0.

    Held-out records of one composition (polymorphs, an alloy at several temperatures) share what its being new does to
    their errors. Where the composition is known it does nothing, and each record counts by itself.

    Args:
        own: (n,) the composition of each record.
        known: (n,) whether other records that the model learned from have it.
    """
    alone = own.max(initial=-1) + 1 + np.arange(len(own))
    _, found = np.unique(np.where(known, alone, own), return_inverse=True)
    return np.asarray(found.ravel(), dtype=np.int64)


def spans_parts(own: NDArray[np.int64], parts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (n,) whether a record's composition, `own` counted from 0, stands in other parts than its own too."""
    pairs = np.unique(np.stack([own, parts], axis=1), axis=0)
    return np.asarray(np.bincount(pairs[:, 0])[own] > 1)


def class_shares(spec: PropertySpec, prediction: BatchPrediction) -> NDArray[np.float64]:
    """Return the (n, n_classes) probabilities of a categorical property."""
    return np.stack([prediction.properties[f"{spec.name}={label}"].mean for label in spec.classes], axis=1)


def validation_numbers(
    specs: Sequence[PropertySpec], prediction: BatchPrediction, targets: NDArray[np.float64], scale: Sequence[float]
) -> Mapping[str, float]:
    """Return one error a property and their mean as "score".

    The errors are "mae_<property>" in its unit and "nll_<property>" in nats for a categorical one; the score is the
    mean over properties of MAE/scale and NLL, so that it has no unit. A property without a known value is left out.

    Args:
        specs: one a column of `targets`.
        prediction: of the same records.
        targets: (n, n_targets), NaN where unknown.
        scale: one a target, in its unit.
    """
    numbers: dict[str, float] = {}
    shares: list[float] = []
    for column, spec in enumerate(specs):
        known = ~np.isnan(targets[:, column])
        if not known.any():
            continue
        truth = targets[known, column]
        if spec.classes:
            nll = class_nll(truth.astype(np.int64), class_shares(spec, prediction)[known])
            numbers[f"nll_{spec.name}"] = nll
            shares.append(nll)
        else:
            mae = mean_absolute_error(truth, prediction.properties[spec.name].mean[known])
            numbers[f"mae_{spec.name}"] = mae
            shares.append(mae / scale[column])
    return {"score": float(np.mean(shares)), **numbers} if shares else numbers
