"""Pictures are drawn as PNG from any sensible input, negative losses and missing values included."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from matwright.evaluation.plots import Curve, SpreadCurves, plot_calibration, plot_learning_curves, plot_parity

PNG = b"\x89PNG"


def test_learning_curves(tmp_path: Path) -> None:
    curves = [
        Curve(epochs=[1, 2, 3], train_loss=[0.5, 0.1, -0.2], validation={"mae_gap": [1.0, 0.5, 0.4]}),
        Curve(epochs=[1, 2], train_loss=[0.4, 0.3], validation={"mae_gap": [1.1, float("nan")], "score": [1.0, 0.9]}),
    ]
    plot_learning_curves(curves, {"mae_gap": "gap\nvalidation MAE (eV)", "mae_other": "other"}, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(PNG)
    plot_learning_curves([Curve(epochs=[], train_loss=[], validation={})], {}, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").read_bytes().startswith(PNG)


def test_parity(tmp_path: Path) -> None:
    truth, mean = np.array([0.0, 1.0, np.nan, 2.0]), np.array([0.1, 0.9, 5.0, 2.2])
    for std in (np.zeros(4), np.full(4, 0.3)):
        plot_parity(truth, mean, std, name="gap", unit="eV", note="n = 3", path=tmp_path / "parity.png")
        assert (tmp_path / "parity.png").read_bytes().startswith(PNG)
    plot_parity(truth[:1], truth[:1], truth[:1], name="gap", unit="eV", note="", path=tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(PNG)


def test_calibration(tmp_path: Path) -> None:
    shares = np.linspace(0, 1, 101)
    for levels, errors in (({0.5: 0.48, 0.9: 0.91}, np.array([0.1, 0.0, 2.0])), ({}, np.zeros(3))):
        sigmas = np.array([0.2, 0.3, 0.9])
        curves = SpreadCurves(
            shares=shares,
            observed=shares**2,
            levels=levels,
            spread=sigmas,
            error=errors,
            sigmas=sigmas,
            errors=errors,
        )
        plot_calibration(curves, name="gap", unit="eV", note="n = 3", path=tmp_path / "calibration.png")
        assert (tmp_path / "calibration.png").read_bytes().startswith(PNG)
