"""How honest a model's uncertainty is: metrics by part of the data, old and new chemical systems, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matwright.materials.properties import PropertySpec

if TYPE_CHECKING:
    from matwright.models.interface import BatchPrediction
    from matwright.uncertainty.stored import Trust

LEVELS = (0.5, 0.9, 0.95)
FEW = 20  # records of a part below which its numbers would say little
KNOWN_SYSTEMS, NEW_SYSTEMS, DOMAIN = "test_known_systems", "test_new_systems", "domain"


def judge(
    specs: Sequence[PropertySpec],
    prediction: BatchPrediction,
    truth: NDArray[np.float64],
    trust: Trust,
    centres: NDArray[np.float64],
) -> dict[str, Any]:
    """Return one report a property with a known value, as plain values for JSON.

    Args:
        specs: one a column of `truth`.
        prediction: of the records, with calibrated standard deviations (see `Trust.of`).
        truth: (n, n_targets), NaN where unknown.
        trust: gives the intervals at each level.
        centres: (n_targets,) means of the training part.
    """
    from matwright.evaluation.metrics import report_classes, report_regression
    from matwright.evaluation.records import class_shares

    reports: dict[str, Any] = {}
    for column, spec in enumerate(specs):
        values = truth[:, column]
        if spec.classes:
            if not np.isnan(values).all():
                reports[spec.name] = asdict(report_classes(values, class_shares(spec, prediction)))
            continue
        plain = prediction.properties[spec.name]
        if np.isnan(values).all():
            continue
        report = asdict(
            report_regression(values, plain.mean, plain.std, bounds_at_levels(spec, prediction, trust), spec.unit)
        )
        report["mae_of_mean"] = float(np.nanmean(np.abs(values - centres[column])))
        for name in ("coverage", "width"):
            report[name] = {f"{level:g}": value for level, value in report[name].items()}
        reports[spec.name] = report
    return reports


def bounds_at_levels(
    spec: PropertySpec, prediction: BatchPrediction, trust: Trust
) -> dict[float, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return lower and upper bounds, (n,) each, of the intervals at each of LEVELS; nothing without a calibration."""
    calibration = trust.calibrations.get(spec.name)
    if calibration is None:
        return {}
    return {level: calibration.bounds(prediction.properties[spec.name], level) for level in LEVELS}


def judge_systems(
    specs: Sequence[PropertySpec],
    prediction: BatchPrediction,
    truth: NDArray[np.float64],
    trust: Trust,
    centres: NDArray[np.float64],
    fractions: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> dict[str, Any]:
    """Return the reports of test records in chemical systems that training knows, and in others, and how both differ.

    "domain" then holds the numbers of both, and "auc", the probability that the domain score of a record in a new
    system is above that of one in a known system. A part of fewer than FEW records is left out.

    Args:
        specs, prediction, truth, trust, centres: as for `judge`, of the test part.
        fractions: (n_train, n_elements) and (n_test, n_elements) atomic fractions of the training and the test part.
    """
    from matwright.evaluation.metrics import area_under_roc

    trained, tested = (_systems(part) for part in fractions)
    new = ~np.isin(tested, trained)
    parts = {KNOWN_SYSTEMS: ~new, NEW_SYSTEMS: new}
    found: dict[str, Any] = {
        name: judge(specs, prediction.at(chosen), truth[chosen], trust, centres)
        for name, chosen in parts.items()
        if chosen.sum() >= FEW
    }
    if len(found) == len(parts) and trust.domain is not None:
        score = next(iter(prediction.properties.values())).domain_score
        found[DOMAIN] = {
            "auc": area_under_roc(new.astype(np.int64), score),
            "known": int((~new).sum()),
            "new": int(new.sum()),
        }
    return found


def _systems(fractions: NDArray[np.float32]) -> NDArray[np.void]:
    """(n,) which elements each record holds, as bytes that can be compared."""
    bits = np.ascontiguousarray(np.packbits(fractions > 0, axis=1))
    return bits.view(np.dtype((np.void, bits.shape[1])))[:, 0]


def write_calibration_picture(
    spec: PropertySpec,
    prediction: BatchPrediction,
    truth: NDArray[np.float64],
    report: Mapping[str, Any],
    part: str,
    path: Path,
) -> None:
    """Write the calibration picture of one property of one part; nothing where it has no standard deviations.

    Args:
        spec: of the property.
        prediction: of the part.
        truth: (n,) of the property, NaN where unknown.
        report: of `judge` for the property.
        part: its name.
        path: of the PNG file.
    """
    from matwright.evaluation.distributions import reliability, spread_bins
    from matwright.evaluation.metrics import known
    from matwright.evaluation.plots import SpreadCurves, plot_calibration  # heavy (matplotlib)

    if report["ence"] is None:
        return
    own = prediction.properties[spec.name]
    values, mean, std = known(truth, own.mean, own.std)
    shares, observed = reliability(values, mean, std)
    spread, error = spread_bins(values, mean, std)
    curves = SpreadCurves(
        shares=shares,
        observed=observed,
        levels={float(level): share for level, share in report["coverage"].items()},
        spread=spread,
        error=error,
        sigmas=std,
        errors=np.abs(values - mean),
    )
    note = (
        f"{part}, n = {report['n']}\nmiscalibration {report['miscalibration_area']:.3f}\n"
        f"ENCE {report['ence']:.2f}\nSpearman {report['spearman']:.2f}"
    )
    plot_calibration(curves, name=spec.name, unit=spec.unit, note=note, path=path)


def trust_table(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the metrics of the uncertainty of numeric properties as lines of Markdown; none where there are none."""
    rows = [
        f"| {name} ({report['unit']}) | {report['nll']:.3f} | {report['crps']:.4g} | "
        f"{report['miscalibration_area']:.3f} | {report['sharpness']:.4g} | {report['ence']:.2f} | "
        f"{' / '.join(f'{width:.4g}' for width in report['width'].values())} |"
        for name, report in reports.items()
        if report.get("ence") is not None
    ]
    head = "| property | NLL (nats) | CRPS | miscalibration area | sharpness | ENCE | width at 50 / 90 / 95 % |"
    return [head, "|---|---|---|---|---|---|---|", *rows] if rows else []


def systems_lines(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return in words how test records of new chemical systems differ from those of known ones; none where unknown."""
    if DOMAIN not in metrics:
        return []
    domain, known, new = metrics[DOMAIN], metrics[KNOWN_SYSTEMS], metrics[NEW_SYSTEMS]
    lines = [
        f"- {domain['new']} of the test records are of chemical systems that training does not know, {domain['known']} "
        f"of known ones; the domain score tells them apart with an area under the ROC curve of {domain['auc']:.2f}."
    ]
    for name in [name for name, report in new.items() if "mae" in report and name in known]:
        mae, coverage = (
            " and ".join(words)
            for words in zip(
                *(
                    (f"{r[name]['mae']:.4g}", f"{100 * r[name]['coverage'].get('0.9', np.nan):.1f} %")
                    for r in (known, new)
                ),
                strict=True,
            )
        )
        lines.append(f"- {name}: MAE {mae} {new[name]['unit']}, coverage of 90 % intervals {coverage} (known, new).")
    return lines
