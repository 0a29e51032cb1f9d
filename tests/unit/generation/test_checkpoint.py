"""A generator comes back from disk as it was; what is not one is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from matwright.errors import InputError
from matwright.generation.checkpoint import TrainedGenerator, load_trained, save_generator
from matwright.generation.latent import LatentGenerator
from matwright.serialization import read_json, write_json


def test_save_and_load_gives_the_same_generator(trained: TrainedGenerator, tmp_path: Path) -> None:
    save_generator(trained, tmp_path)
    again = load_trained(tmp_path)
    assert again.packer.vocabulary == trained.packer.vocabulary
    assert again.packer.scaling == trained.packer.scaling
    for name, tensor in trained.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor)
    before, after = (LatentGenerator(t).sample(5, seed=1) for t in (trained, again))
    assert [c.crystal.content_hash() for c in before] == [c.crystal.content_hash() for c in after]


def test_record_says_how_it_was_trained(trained: TrainedGenerator) -> None:
    assert trained.record["n_train"] > 0
    assert trained.record["active_units"] >= 1
    assert trained.record["held_out_nats"]["bound"] < 20


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("format", "something else", "another format"),
        ("version", 99, "format version 99"),
        ("decoder", {"latnet": 4}, "must have the keys"),
        ("decoder", {"latent": 4}, "does not hold the weights"),
    ],
)
def test_a_foreign_description_is_refused(
    trained_folder: Path, tmp_path: Path, key: str, value: object, sentence: str
) -> None:
    folder = shutil.copytree(trained_folder, tmp_path / "model")
    write_json(folder / "model.json", {**read_json(folder / "model.json"), key: value})
    with pytest.raises(InputError, match=sentence):
        load_trained(folder)


def test_damaged_weights_are_refused(trained_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained_folder, tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match="does not hold the weights"):
        load_trained(folder)
