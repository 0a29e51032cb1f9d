"""Both backbones keep the laws of the decoder: steps equal teacher forcing, and files say which one it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from matwright.api.train_generator import train_generator
from matwright.errors import InputError
from matwright.generation.backbone import Backbone, CausalTransformer
from matwright.generation.checkpoint import TrainedGenerator, load_trained
from matwright.generation.decoder import DecoderConfig
from matwright.generation.fit_config import FitConfig
from matwright.generation.latent import LatentGenerator
from matwright.generation.likelihood import sequence_log_prob
from matwright.generation.masks import MaskRules, trace_masks
from matwright.generation.sampler import Temperatures, sample_sequences
from matwright.materials.constraints import NO_CONSTRAINTS

from .conftest import SMALL, known_structures


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> TrainedGenerator:
    folder = tmp_path_factory.mktemp("transformer")
    sequences = known_structures()
    train_generator(
        sequences, sequences[::3], out=folder, name="test-transformer",
        decoder=replace(SMALL, backbone=Backbone.TRANSFORMER),
        fit=FitConfig(epochs=20, batch_size=32, learning_rate=5e-3, averaging=0.9, free_nats=0.1),
    )  # fmt: skip
    return load_trained(folder)


def test_log_probabilities_are_those_of_teacher_forcing(transformer: TrainedGenerator) -> None:
    packer, decoder = transformer.packer, transformer.model.decoder
    rules = MaskRules(packer.vocabulary, packer.catalogue, NO_CONSTRAINTS)
    rollout = sample_sequences(
        decoder, rules, 64, temperatures=Temperatures(), generator=torch.Generator().manual_seed(5)
    )
    rows = rollout.complete.nonzero()[:, 0]
    batch = rollout.batch.select(rows)
    with torch.no_grad():
        again = sequence_log_prob(decoder, batch, trace_masks(batch, rules), rollout.z[rows])
    for name, value in again.items():
        torch.testing.assert_close(value, rollout.log_prob[name][rows], atol=5e-3, rtol=1e-3)


def test_a_transformer_learns_and_writes_crystals(transformer: TrainedGenerator) -> None:
    assert transformer.model.decoder.config.backbone is Backbone.TRANSFORMER
    assert transformer.record["held_out_nats"]["bound"] > -25
    samples = LatentGenerator(transformer).sample_sequences(10, seed=1)
    assert len(samples) == 10


def test_steps_one_by_one_equal_steps_together() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        memory = CausalTransformer(6, 8, longest=5, dropout=0.0).eval()
        inputs = torch.randn(3, 5, 6)
        state = (torch.randn(1, 3, 8), torch.randn(1, 3, 8))
    with torch.no_grad():
        together, _ = memory(inputs, state)
        steps = []
        for place in range(5):
            output, state = memory(inputs[:, place : place + 1], state)
            steps.append(output)
            if place == 2:  # rows can leave, as finished sequences do
                keep = torch.tensor([2, 0])
                inputs, state = inputs[keep], (state[0][:, keep], state[1][:, keep])
    torch.testing.assert_close(torch.cat(steps[:3], 1), together[:, :3], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat(steps[3:], 1), together[[2, 0], 3:], atol=1e-5, rtol=1e-5)


def test_backbones_are_named_and_older_files_have_the_recurrent_one(trained_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lstm or transformer"):
        DecoderConfig(backbone="gru")  # type: ignore[arg-type]  # as a file may say
    facts = json.loads((trained_folder / "model.json").read_text())
    del facts["decoder"]["backbone"]
    (tmp_path / "model.json").write_text(json.dumps(facts))
    (tmp_path / "model.safetensors").write_bytes((trained_folder / "model.safetensors").read_bytes())
    assert load_trained(tmp_path).model.decoder.config.backbone is Backbone.LSTM
