"""Training of a matcher through `fit`: the folder it writes is one that `match` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from matwright.api.match.model import load_matcher
from matwright.api.match.training import RANKS, MatchData, best_share, recalls, train_matcher
from matwright.graphs.builder import build_graph
from matwright.graphs.store import pack
from matwright.models.contrastive import ContrastiveConfig, graph_side
from matwright.models.pattern_encoder import PatternEncoderConfig
from matwright.physics.diffraction.peaks import peaks_on_axis
from matwright.physics.diffraction.reflections import reflections
from matwright.training.settings import FitSettings
from small_data import crystals

CONFIG = ContrastiveConfig(
    graph=graph_side(width=8, layers=1),
    pattern=PatternEncoderConfig(points=64, channels=(4, 4, 8, 8), blocks=0, summary=4, hidden=16),
    width=16,
)


def test_a_trained_matcher_is_read_again_and_says_what_made_it(tmp_path: Path) -> None:
    some = crystals(32)
    data = MatchData(
        graphs=pack([build_graph(crystal) for crystal in some]),
        peaks=[peaks_on_axis(reflections(crystal)) for crystal in some],
        train=np.arange(24),
        validation=np.arange(24, 32),
    )
    facts = train_matcher(data, CONFIG, FitSettings(epochs=2, batch_size=12), out=tmp_path, about={"table": "small"})
    assert {file.name for file in tmp_path.iterdir()} == {"model.json", "model.safetensors", "log.csv"}
    matcher = load_matcher(tmp_path)
    assert matcher.facts["n_train"] == facts["n_train"] == 24
    assert matcher.facts["data"] == {"table": "small"}
    assert 0 <= matcher.graph_share <= 1
    assert matcher.embed(some[:3], data.peaks[:3]).shape == (3, 16)


def test_recalls_count_places_and_the_share_is_the_one_that_finds_most() -> None:
    measured = torch.eye(6)
    wrong = torch.eye(6).roll(1, dims=0)
    found = recalls(measured, wrong, torch.eye(6))
    assert found["ideal"] == [1.0] * len(RANKS)
    assert found["graph"][0] == 0.0
    assert best_share(measured, wrong, torch.eye(6)) == 0.0
    assert best_share(measured, torch.eye(6), wrong) > 0.4
