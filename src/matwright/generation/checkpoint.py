"""A trained generator on disk: `model.json` says what it is, `model.safetensors` holds its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, final

from matwright.errors import InputError
from matwright.generation.autoencoder import SequenceAutoencoder
from matwright.generation.catalogue import wyckoff_catalogue
from matwright.generation.cell_shape import CellScaling
from matwright.generation.contacts import ContactRules
from matwright.generation.decoder import DecoderConfig
from matwright.generation.encoder import EncoderConfig
from matwright.generation.graph_reader import GraphReader
from matwright.generation.packing import SequencePacker
from matwright.generation.sampler import Temperatures
from matwright.generation.vocabulary import Vocabulary
from matwright.serialization import atomic_write_bytes, read_json, write_json

FORMAT = "matwright-sequence-autoencoder"
VERSION = 1
MODEL_FILE, WEIGHTS_FILE = "model.json", "model.safetensors"
Config = TypeVar("Config")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedGenerator:
    """Everything that sampling needs.

    Attributes:
        name: what stands in provenance.
        model: the autoencoder, in evaluation mode.
        packer: vocabulary, catalogue and scaling.
        temperatures, rules: defaults of sampling.
        record: what the model was trained on and how well it did, as plain JSON.
        reader: reads graphs for a recognition network that reads them; without, it makes do with the sequences.
    """

    name: str
    model: SequenceAutoencoder
    packer: SequencePacker
    temperatures: Temperatures
    rules: ContactRules
    record: Mapping[str, Any]
    reader: GraphReader | None = None


def save_generator(trained: TrainedGenerator, folder: Path) -> None:
    """Write `model.json` and `model.safetensors` (half precision) into an existing folder."""
    from safetensors.torch import save  # heavy: behind its door

    model = trained.model
    write_json(
        folder / MODEL_FILE,
        {
            "format": FORMAT,
            "version": VERSION,
            "name": trained.name,
            "vocabulary": asdict(trained.packer.vocabulary),
            "scaling": asdict(trained.packer.scaling),
            "decoder": asdict(model.decoder.config),
            "encoder": asdict(model.encoder.config),
            "temperatures": asdict(trained.temperatures),
            "rules": asdict(trained.rules),
            "record": trained.record,
        },
    )
    weights = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    atomic_write_bytes(folder / WEIGHTS_FILE, save(weights))


def load_trained(folder: Path) -> TrainedGenerator:
    """Read a generator that `save_generator` wrote.

    Raises:
        InputError: a file is missing, or its contents are not those of a generator of this version.
    """
    facts = read_json(folder / MODEL_FILE)
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise InputError(f"{folder} does not hold a generator: {MODEL_FILE} has another format")
    if facts.get("version") != VERSION:
        raise InputError(f"the generator in {folder} has format version {facts.get('version')}, readable is {VERSION}")
    vocabulary = _config(Vocabulary, facts, "vocabulary", folder)
    catalogue = wyckoff_catalogue()
    model = SequenceAutoencoder(
        decoder=_config(DecoderConfig, facts, "decoder", folder),
        encoder=_config(EncoderConfig, facts, "encoder", folder),
        vocabulary=vocabulary,
        catalogue=catalogue,
    )
    _load_weights(model, folder / WEIGHTS_FILE)
    model.eval()
    return TrainedGenerator(
        name=str(facts["name"]),
        model=model,
        packer=SequencePacker(
            vocabulary=vocabulary, catalogue=catalogue, scaling=_config(CellScaling, facts, "scaling", folder)
        ),
        temperatures=_config(Temperatures, facts, "temperatures", folder),
        rules=_config(ContactRules, facts, "rules", folder),
        record=facts.get("record", {}),
    )


def _load_weights(model: SequenceAutoencoder, path: Path) -> None:
    from safetensors import SafetensorError  # heavy: behind its door
    from safetensors.torch import load

    try:
        weights = {name: tensor.float() for name, tensor in load(path.read_bytes()).items()}
        model.load_state_dict(weights)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (SafetensorError, RuntimeError) as problem:
        raise InputError(f"{path} does not hold the weights that {MODEL_FILE} describes") from problem


def _config(kind: type[Config], facts: Mapping[str, Any], key: str, folder: Path) -> Config:
    """A config dataclass from its JSON object: lists become tuples, unknown keys are refused.

    A key that is missing takes its default, so that generators trained before an option came can be read.
    """
    found = facts.get(key)
    names = {field.name: field.default is MISSING for field in fields(kind)}  # type: ignore[arg-type]
    needed = {name for name, needs in names.items() if needs}
    if not isinstance(found, dict) or not needed <= set(found) <= set(names):
        raise InputError(f"{folder / MODEL_FILE}: {key!r} must have the keys {', '.join(sorted(names))}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})
