"""The one fit: it learns, repeats, resumes to the same weights, and refuses what it cannot train."""

from __future__ import annotations

import csv
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_fit import SETTINGS, Network, Points, run

from matwright.errors import CalculationError, InputError
from matwright.training.fit import FitData, fit, remove_state
from matwright.training.settings import FitSettings, protocol

SCRIPT = Path(__file__).with_name("small_fit.py")


def test_learns_and_logs(tmp_path: Path) -> None:
    model, result = run(tmp_path, settings=replace(SETTINGS, epochs=30, patience=None, average=0.9))
    first, last = result.history[0].validation["score"], result.history[-1].validation["score"]
    assert last < 0.8 * first
    assert result.steps == 30 * round(200 / 16)
    assert not model.training
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(float(row["epoch"])) for row in rows] == list(range(1, 31))
    assert float(rows[-1]["val_score"]) == pytest.approx(last, rel=1e-4)
    assert float(rows[-1]["learning_rate"]) < 1e-2 * SETTINGS.learning_rate


def test_same_seed_same_weights_and_callers_random_state_untouched(tmp_path: Path) -> None:
    torch.manual_seed(1)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, _ = run(tmp_path / "a")
    two, _ = run(tmp_path / "b")
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert all(torch.equal(p, q) for p, q in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_kill_and_resume_gives_the_same_weights(tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(tmp_path / "killed")], env=environment)
    whole, _ = run(tmp_path / "whole")
    state = tmp_path / "killed" / "fit.safetensors"
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.Random().uniform(0.0, 0.8))  # any moment will do
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the process ended before it could be killed"
    killed, _ = run(tmp_path / "killed", resume=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, killed.state_dict()[name]), name
    assert log_without_time(tmp_path / "whole") == log_without_time(tmp_path / "killed")


def test_resume_from_between_the_last_step_of_an_epoch_and_its_log_row(tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    often = replace(SETTINGS, save_seconds=0.0)  # the state is saved after every step
    kept: list[bytes] = []

    def keep_the_state(model: torch.nn.Module) -> dict[str, float]:
        kept.append((tmp_path / "whole" / "fit.safetensors").read_bytes())
        return {"score": 1.0 / len(kept)}

    run(tmp_path / "whole", settings=often, evaluate=keep_the_state)
    (tmp_path / "killed" / "fit.safetensors").write_bytes(kept[1])
    del kept[1:]
    run(tmp_path / "killed", settings=often, evaluate=keep_the_state, resume=True)
    assert log_without_time(tmp_path / "whole") == log_without_time(tmp_path / "killed")


def log_without_time(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open() as file:
        return [row[:-2] for row in csv.reader(file)]


def test_resume_of_another_fit_is_refused(tmp_path: Path) -> None:
    run(tmp_path, settings=replace(SETTINGS, epochs=1, save_seconds=0.0))
    with pytest.raises(InputError, match="other settings"):
        run(tmp_path, resume=True, settings=replace(SETTINGS, epochs=2, save_seconds=0.0))


def test_resume_from_a_broken_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fit.safetensors").write_bytes(b"not tensors")
    with pytest.raises(InputError, match="cannot be read"):
        run(tmp_path, resume=True)
    remove_state(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_budget_in_minutes_ends_in_time_and_schedule_follows_it(tmp_path: Path) -> None:
    settings = FitSettings(minutes=1.0 / 60, batch_size=16)
    before = time.process_time()
    _, result = run(tmp_path, settings=settings)
    assert 0.9 < result.seconds < 1.5
    assert time.process_time() - before < 8  # imports included
    assert result.history[-1].rate < 0.1 * settings.learning_rate


def test_patience_stops_and_keeps_the_best(tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=200, patience=2, average=None, learning_rate=0.05)
    model, result = run(tmp_path, settings=settings)
    assert result.stopped_early
    scores = [row.validation["score"] for row in result.history]
    points = Points(260)
    with torch.no_grad():
        score = float(model.loss(points.batch(np.arange(200, 260)))[0])
    assert score == pytest.approx(min(scores), rel=1e-3)
    assert result.best_epoch == 1 + int(np.argmin(scores))


def test_epoch_uses_every_record_once(tmp_path: Path) -> None:
    seen: list[np.ndarray] = []

    class Watched(Points):
        def batch(self, indices: np.ndarray) -> object:
            seen.append(np.array(indices))
            return super().batch(indices)

    data = FitData(source=Watched(50), train=np.arange(50), validation=np.arange(0))
    fit(Network(), data, FitSettings(epochs=2, batch_size=16), folder=tmp_path, seed=0)
    sizes = [len(part) for part in seen]
    assert max(sizes) - min(sizes) <= 1
    epochs = np.concatenate(seen).reshape(2, 50)
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert list(epochs[0]) != list(epochs[1])


def test_diverging_loss_is_an_error(tmp_path: Path) -> None:
    class Diverging(Network):
        def loss(self, _batch: object) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            value = next(self.parameters()).sum() * math.nan
            return value, {}

    data = FitData(source=Points(32), train=np.arange(32), validation=np.arange(0))
    with pytest.raises(CalculationError, match="learning rate"):
        fit(Diverging(), data, FitSettings(epochs=1), folder=tmp_path, seed=0)


def test_wrong_input_is_refused_at_the_door(tmp_path: Path) -> None:
    data = FitData(source=Points(32), train=np.arange(32), validation=np.arange(0))
    with pytest.raises(InputError, match="no method loss"):
        fit(torch.nn.Linear(1, 1), data, FitSettings(epochs=1), folder=tmp_path, seed=0)
    with pytest.raises(InputError, match="nothing to train on"):
        FitData(source=Points(4), train=np.arange(0), validation=np.arange(4))
    for wrong in ({}, {"epochs": 1, "minutes": 1.0}, {"epochs": 0}, {"minutes": -1.0}, {"epochs": 1, "average": 1.0}):
        with pytest.raises(InputError):
            FitSettings(**wrong)
    with pytest.raises(InputError, match="known are default, paper"):
        protocol("papr")
    assert protocol("paper").settings.epochs == 300
    assert protocol("default", minutes=2).settings.epochs is None
