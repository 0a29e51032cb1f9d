"""How good a trained model is: calibration on the validation part, errors and coverage on both held-out parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.materials.properties import PropertySpec
from matwright.rng import generator
from matwright.serialization import write_json

if TYPE_CHECKING:
    from matwright.graphs.store import GraphStore
    from matwright.models.interface import BatchPrediction, PropertyModel
    from matwright.training.fit import FitResult
    from matwright.uncertainty.stored import Trust

LEVELS = (0.5, 0.9, 0.95)
METRICS_FILE = "metrics.json"
DOMAIN_SAMPLE = 2_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """(n,) indices of the three parts of the data into the store; `test` may be empty."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What was found.

    Attributes:
        trust: intervals and domain reference.
        metrics: plain numbers by part ("validation", "test") and property.
        validation, test: the predictions they come from; test is None where that part is empty.
    """

    trust: Trust
    metrics: Mapping[str, Mapping[str, Any]]
    validation: BatchPrediction
    test: BatchPrediction | None


def assess(
    model: PropertyModel, store: GraphStore, parts: Parts, specs: Sequence[PropertySpec], *, seed: int
) -> Assessment:
    """Calibrate intervals and domain score on the validation part alone and judge both held-out parts.

    Coverage on the validation part is what the intervals were fitted to; only the test part's says whether they hold.
    """
    # heavy (torch): behind its door
    from matwright.evaluation.records import predict_records
    from matwright.uncertainty.conformal import Calibration
    from matwright.uncertainty.domain import DomainReference
    from matwright.uncertainty.stored import Trust

    validation = predict_records(model, store, parts.validation)
    truth = exact_targets(store, parts.validation)
    calibrations = {
        spec.name: Calibration.fit(truth[:, column], validation.properties[spec.name])
        for column, spec in enumerate(specs)
        if not spec.classes and not np.isnan(truth[:, column]).all()
    }
    sample = generator(seed, "domain sample").permutation(parts.train)[:DOMAIN_SAMPLE]
    home = predict_records(model, store, np.sort(sample)).embedding
    domain = DomainReference.fit(home, validation.embedding, generator(seed, "domain"))
    trust = Trust(calibrations=calibrations, domain=domain)
    test = predict_records(model, store, parts.test) if len(parts.test) else None
    centres = np.nanmean(store.targets[parts.train], axis=0)
    metrics = {"validation": _judge(specs, validation, truth, trust, centres)}
    _add_bounds(metrics["validation"], specs, validation, store, parts.validation)
    if test is not None:
        metrics["test"] = _judge(specs, test, exact_targets(store, parts.test), trust, centres)
        _add_bounds(metrics["test"], specs, test, store, parts.test)
    return Assessment(trust=trust, metrics=metrics, validation=validation, test=test)


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


def _judge(
    specs: Sequence[PropertySpec],
    prediction: BatchPrediction,
    truth: NDArray[np.float64],
    trust: Trust,
    centres: NDArray[np.float64],
) -> dict[str, Any]:
    from matwright.evaluation.metrics import report_classes, report_regression
    from matwright.evaluation.records import class_shares

    reports: dict[str, Any] = {}
    for column, spec in enumerate(specs):
        values = truth[:, column]
        if np.isnan(values).all():
            continue
        if spec.classes:
            reports[spec.name] = asdict(report_classes(values, class_shares(spec, prediction)))
            continue
        plain = prediction.properties[spec.name]
        calibration = trust.calibrations.get(spec.name)
        bands = {level: calibration.interval(plain, level) for level in LEVELS} if calibration else {}
        bounds = {level: (band.lower, band.upper) for level, band in bands.items()}
        report = asdict(report_regression(values, plain.mean, plain.std, bounds, spec.unit))
        report["mae_of_mean"] = float(np.nanmean(np.abs(values - centres[column])))
        for name in ("coverage", "width"):
            report[name] = {f"{level:g}": value for level, value in report[name].items()}
        reports[spec.name] = report
    return reports


def write_pictures(
    folder: Path,
    results: Sequence[FitResult],
    found: Assessment,
    store: GraphStore,
    parts: Parts,
    specs: Sequence[PropertySpec],
) -> None:
    """Write metrics.json, learning-curve.png, parity-<property>.png and the members' logs as one log.csv."""
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


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    names = sorted({name for row in rows for name in row})
    return {name: [row.get(name, float("nan")) for row in rows] for name in names}
