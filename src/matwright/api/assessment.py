"""How good a trained model is: calibration on the validation part, errors and coverage on both held-out parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.trust import judge, judge_systems, write_calibration_picture
from matwright.materials.properties import PropertySpec
from matwright.rng import generator
from matwright.serialization import write_json

if TYPE_CHECKING:
    from matwright.graphs.store import GraphStore
    from matwright.models.interface import BatchPrediction, Prediction, PropertyModel
    from matwright.training.fit import FitResult
    from matwright.uncertainty.stored import Trust

METRICS_FILE = "metrics.json"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """(n,) indices of the three parts of the data into the store; `test` may be empty."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """What is known of training records as if they had been held out.

    Attributes:
        parts: (n_train,) the part of each record; what speaks of one part has seen the others alone.
        properties: predictions of the n_train records by property, the mean NaN where there is none.
    """

    parts: NDArray[np.int64]
    properties: Mapping[str, Prediction]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What was found.

    Attributes:
        trust: intervals and domain reference.
        metrics: plain numbers by part ("validation", "test", and of the test part "test_known_systems" and
            "test_new_systems") and property; "domain" says how the domain score tells the last two apart.
        validation, test: the predictions they come from, with intervals; test is None where that part is empty.
    """

    trust: Trust
    metrics: Mapping[str, Mapping[str, Any]]
    validation: BatchPrediction
    test: BatchPrediction | None


def assess(
    model: PropertyModel,
    store: GraphStore,
    parts: Parts,
    specs: Sequence[PropertySpec],
    *,
    seed: int,
    unseen: Unseen | None = None,
) -> Assessment:
    """Calibrate intervals and domain score on the validation part and judge both held-out parts.

    Coverage on the validation part is what the intervals were fitted to; only the test part's says whether they hold.
    Where there is something `unseen`, the calibration learns from it too.
    """
    # heavy (torch): behind its door
    from matwright.evaluation.records import predict_records, record_fractions

    truth = exact_targets(store, parts.validation)
    plain, fractions = predict_records(model, store, parts.validation), record_fractions(store, parts.validation)
    at_home = record_fractions(store, parts.train)
    trust = _trust(model, store, parts, specs, plain, (at_home, fractions), seed, unseen)
    validation = trust.of(plain, fractions)
    centres = np.nanmean(store.targets[parts.train], axis=0)
    metrics = {"validation": judge(specs, validation, truth, trust, centres)}
    _add_bounds(metrics["validation"], specs, validation, store, parts.validation)
    _add_unseen(metrics["validation"], unseen)
    if len(parts.test) == 0:
        return Assessment(trust=trust, metrics=metrics, validation=validation, test=None)
    tested = record_fractions(store, parts.test)
    test = trust.of(predict_records(model, store, parts.test), tested)
    truth = exact_targets(store, parts.test)
    metrics["test"] = judge(specs, test, truth, trust, centres)
    _add_bounds(metrics["test"], specs, test, store, parts.test)
    metrics |= judge_systems(specs, test, truth, trust, centres, (at_home, tested))
    return Assessment(trust=trust, metrics=metrics, validation=validation, test=test)


def _trust(
    model: PropertyModel,
    store: GraphStore,
    parts: Parts,
    specs: Sequence[PropertySpec],
    validation: BatchPrediction,
    fractions: tuple[NDArray[np.float32], NDArray[np.float32]],
    seed: int,
    unseen: Unseen | None,
) -> Trust:
    """Place the training part and calibrate on the validation part; `fractions` are of these two."""
    # heavy (torch): behind its door
    from matwright.evaluation.records import (
        compositions,
        dependent_groups,
        held_out_groups,
        predict_records,
        spans_parts,
    )
    from matwright.models.interface import join_property
    from matwright.uncertainty.conformal import Calibration
    from matwright.uncertainty.domain import MAX_SAMPLE, DomainReference, Places
    from matwright.uncertainty.stored import Trust

    sample = np.sort(generator(seed, "domain sample").permutation(len(parts.train))[:MAX_SAMPLE])
    home = Places(
        embedding=predict_records(model, store, parts.train[sample]).embedding, fractions=fractions[0][sample]
    )
    held_out = Places(embedding=validation.embedding, fractions=fractions[1])
    divided = None if unseen is None else unseen.parts[sample]
    domain = DomainReference.fit(home, held_out, generator(seed, "domain"), divided)
    groups = held_out_groups(fractions[1], fractions[0])
    found = [
        _HeldOut(
            truth=exact_targets(store, parts.validation),
            properties=validation.properties,
            distance=domain.distances(held_out)[:, 1],
            groups=groups,
        )
    ]
    if unseen is not None and divided is not None:
        own = compositions(fractions[0])
        known = spans_parts(own, unseen.parts)
        found.append(
            _HeldOut(
                truth=exact_targets(store, parts.train[sample]),
                properties={name: prediction.at(sample) for name, prediction in unseen.properties.items()},
                distance=domain.between_parts(home, divided)[:, 1],
                groups=len(groups) + dependent_groups(own[sample], known[sample]),
            )
        )
    calibrations = {}
    for column, spec in enumerate(specs):
        given = [part for part in found if spec.name in part.properties]
        if spec.classes or all(
            np.isnan(part.truth[:, column] + part.properties[spec.name].mean).all() for part in given
        ):
            continue
        calibrations[spec.name] = Calibration.fit(
            np.concatenate([part.truth[:, column] for part in given]),
            join_property([part.properties[spec.name] for part in given]),
            np.concatenate([part.distance for part in given]),
            np.concatenate([part.groups for part in given]),
        )
    return Trust(calibrations=calibrations, domain=domain)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _HeldOut:
    """What calibrates: truth (n, n_targets), predictions by property, distances and groups of records, (n,) each."""

    truth: NDArray[np.float64]
    properties: Mapping[str, Prediction]
    distance: NDArray[np.float64]
    groups: NDArray[np.int64]


def exact_targets(store: GraphStore, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, n_targets) the values at `indices`, NaN where missing and where only a bound of the value is known."""
    exact: NDArray[np.float64] = np.where(store.censored[indices] == 0, store.targets[indices], np.nan)
    return exact


def _add_bounds(
    reports: dict[str, Any],
    specs: Sequence[PropertySpec],
    prediction: BatchPrediction,
    store: GraphStore,
    indices: NDArray[np.int64],
) -> None:
    """Add to each report how many bounds there are ("<1E-10") and in which share the prediction respects them."""
    for column, spec in enumerate(specs):
        signs = store.censored[indices, column]
        if spec.name not in reports or not signs.any():
            continue
        bounded = signs != 0
        above = prediction.properties[spec.name].mean[bounded] - store.targets[indices, column][bounded]
        respected = float((above * signs[bounded] >= 0).mean())
        reports[spec.name]["bounds"] = {"n": int(bounded.sum()), "respected": respected}


def _add_unseen(reports: dict[str, Any], unseen: Unseen | None) -> None:
    """Add to each report how many training records calibrated the property too, where some did."""
    for name, prediction in {} if unseen is None else unseen.properties.items():
        if name in reports:
            reports[name]["unseen"] = int(np.isfinite(prediction.mean).sum())


def write_pictures(
    folder: Path,
    results: Sequence[FitResult],
    found: Assessment,
    store: GraphStore,
    parts: Parts,
    specs: Sequence[PropertySpec],
) -> None:
    """Write metrics.json, learning-curve.png, and parity-<property>.png and calibration-<property>.png of numbers."""
    from matwright.evaluation.plots import Curve, plot_learning_curves, plot_parity  # heavy (matplotlib)

    write_json(folder / METRICS_FILE, found.metrics)
    curves = [
        Curve(
            epochs=[row.epoch for row in result.history],
            train_loss=[row.train_loss for row in result.history],
            validation=_columns([row.validation for row in result.history]),
        )
        for result in results
    ]
    labels = {
        f"nll_{spec.name}" if spec.classes else f"mae_{spec.name}": f"{spec.name}\nvalidation NLL (nats)"
        if spec.classes
        else f"{spec.name}\nvalidation MAE ({spec.unit})"
        for spec in specs
    }
    plot_learning_curves(curves, labels, folder / "learning-curve.png")
    part, prediction = ("test", found.test) if found.test is not None else ("validation", found.validation)
    truth = exact_targets(store, parts.test if part == "test" else parts.validation)
    for column, spec in enumerate(specs):
        if spec.classes or np.isnan(truth[:, column]).all():
            continue
        values, report = prediction.properties[spec.name], found.metrics[part][spec.name]
        plot_parity(
            truth[:, column],
            values.mean,
            values.std,
            name=spec.name,
            unit=spec.unit,
            note=f"{part}, n = {report['n']}\nMAE {report['mae']:.4g} {spec.unit}\nR² {report['r2']:.3f}",
            path=folder / f"parity-{spec.name}.png",
        )
        picture = folder / f"calibration-{spec.name}.png"
        write_calibration_picture(spec, prediction, truth[:, column], report, part, picture)


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    names = sorted({name for row in rows for name in row})
    return {name: [row.get(name, float("nan")) for row in rows] for name in names}
