"""Settings files: what is written is read, and what is not understood is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from matwright.api.hyperparameters import HyperParameters
from matwright.api.parts import SplitSettings
from matwright.api.train_settings import TrainSettings
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.training.settings import protocol

CHOSEN = HyperParameters(
    learning_rate=0.002,
    width=48,
    layers=2,
    dropout=0.1,
    batch_size=32,
    weight_decay=1e-05,
    pooling="attention",
    joint=True,
    memory=True,
    reconstruction=0.3,
)
SETTINGS = TrainSettings(
    specs=(PropertySpec(name="gap", unit="eV"),),
    split=SplitSettings(),
    protocol="default",
    how=protocol("default", epochs=3),
)


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "best.toml"
    path.write_text("# a remark\n" + CHOSEN.as_toml())
    assert HyperParameters.read(path) == CHOSEN
    json_path = tmp_path / "best.json"
    json_path.write_text('{"width": 48}')
    assert HyperParameters.read(json_path) == HyperParameters(width=48)


def test_applied_and_left_alone() -> None:
    applied = CHOSEN.apply(SETTINGS)
    assert (applied.config.width, applied.config.layers, applied.config.dropout) == (48, 2, 0.1)
    network = applied.config
    assert (network.pooling, network.joint, network.memory, network.reconstruction) == ("attention", True, True, 0.3)
    fit = applied.how.settings
    assert (fit.learning_rate, fit.batch_size, fit.weight_decay, fit.epochs) == (0.002, 32, 1e-05, 3)
    assert HyperParameters().apply(SETTINGS) == SETTINGS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("widht = 3", "did you mean 'width'"),
        ("width = 3.5", "whole number"),
        ("learning_rate = 'fast'", "is a number"),
        ("dropout = true", "is a number"),
        ("pooling = 'median'", "pooling is one of mean, mean\\+max, attention, sum, found 'median'"),
        ("memory = 1", "memory is true or false"),
        ("width: 3", r"not valid TOML \(line 1: "),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        HyperParameters.read(path)


def test_wrong_values() -> None:
    with pytest.raises(InputError, match="at least 1"):
        _ = HyperParameters(width=0).apply(SETTINGS).config
    with pytest.raises(InputError, match="learning_rate must be above 0"):
        HyperParameters(learning_rate=-1.0).apply(SETTINGS)
