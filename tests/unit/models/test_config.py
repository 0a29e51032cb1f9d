"""The model's settings: what is refused, and that they survive being written down."""

from __future__ import annotations

import json

import pytest

from matwright.errors import InputError
from matwright.graphs.settings import GraphSettings
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind, Pooling

HEADS = (HeadConfig(name="band_gap"), HeadConfig(name="metal", kind=HeadKind.CLASS, n_classes=2))


def test_settings_survive_json() -> None:
    config = GemPpmConfig(heads=HEADS, width=48, pooling=Pooling.SUM, graph=GraphSettings(k=5))
    assert GemPpmConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_outputs_are_counted() -> None:
    kinds = (HeadKind.POINT, HeadKind.GAUSSIAN, HeadKind.DECOUPLED)
    heads = tuple(HeadConfig(name=kind, kind=kind) for kind in kinds)
    assert [head.n_outputs for head in (*heads, HEADS[1])] == [1, 2, 2, 2]
    assert GemPpmConfig(heads=heads).n_outputs == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"heads": ()},
        {"heads": (HEADS[0], HEADS[0])},
        {"heads": HEADS, "width": 0},
        {"heads": HEADS, "layers": 0},
        {"heads": HEADS, "angular_order": 3},
        {"heads": HEADS, "dropout": 1.0},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        GemPpmConfig(**wrong)  # type: ignore[arg-type]


def test_unknown_and_broken_settings_are_refused() -> None:
    good = GemPpmConfig(heads=HEADS).as_dict()
    with pytest.raises(InputError, match="unknown model settings"):
        GemPpmConfig.from_dict({**good, "widht": 3})
    with pytest.raises(InputError, match="cannot be read"):
        GemPpmConfig.from_dict({**good, "pooling": "median"})
    with pytest.raises(InputError, match="class head"):
        HeadConfig(name="x", kind=HeadKind.CLASS)
