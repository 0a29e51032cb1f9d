"""Trained models on disk: a folder with `model.json` and safetensors; nothing in it is ever executed.

`model.json` is written last: a folder that holds it is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from matwright import __version__
from matwright.errors import InputError
from matwright.graphs.builder import Graph, build_graph
from matwright.materials.material import Structure
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig
from matwright.models.gem_ppm import GemPpm
from matwright.models.learned import Learned
from matwright.models.scaled import ScaledModel, TargetScale
from matwright.serialization import atomic_write_bytes, read_json, write_json

MODEL_FILE = "model.json"
FORMAT = "matwright property model"
SCHEMA = 1
"""Raised whenever an older program could not read the folder any more."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """What `model.json` says.

    Attributes:
        specs: the properties, in the order of the heads.
        config: of every member's network.
        n_members: how many members the ensemble has.
        forest: whether a forest stands beside them (see `models.blend`).
        facts: what made the model and how good it is, for the model card: plain JSON.
    """

    specs: tuple[PropertySpec, ...]
    config: GemPpmConfig
    n_members: int
    forest: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def learned(self) -> Learned:
        """What the model learned from."""
        return Learned.of_facts(self.facts)

    def graph(self, structure: Structure) -> Graph:
        """The graph of a structure as the model sees it: of its composition, where it learned from nothing else.

        Raises:
            InputError: two atoms coincide, or it is a bare composition and the model learned from structures alone.
        """
        return build_graph(self.learned.seen(structure), self.config.graph)


def member_file(folder: Path, index: int) -> Path:
    """Return where the weights of a member lie."""
    return folder / f"member-{index}.safetensors"


def save_member(folder: Path, index: int, model: ScaledModel) -> None:
    """Write the weights and the target scale of one member, atomically."""
    from safetensors.torch import save  # heavy: behind its door

    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    atomic_write_bytes(member_file(folder, index), save(tensors))


def write_model_file(folder: Path, model: ModelFile) -> None:
    """Write `model.json`, after which the folder counts as a trained model."""
    write_json(
        folder / MODEL_FILE,
        {
            "format": FORMAT,
            "schema": SCHEMA,
            "version": __version__,
            "specs": [asdict(spec) for spec in model.specs],
            "config": model.config.as_dict(),
            "members": model.n_members,
            "forest": model.forest,
            "facts": model.facts,
        },
    )


def read_model_file(folder: Path) -> ModelFile:
    """Return what `model.json` of the folder says.

    Raises:
        InputError: the folder holds no trained model, or one of another version or broken.
    """
    path = folder / MODEL_FILE
    if not path.is_file():
        raise InputError(f"{folder} holds no trained property model ({MODEL_FILE} is missing)")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} does not describe a property model of matwright")
    if content.get("schema") != SCHEMA:
        raise InputError(f"{path} has schema {content.get('schema')}; this version of matwright reads {SCHEMA}")
    try:
        return ModelFile(
            specs=tuple(_read_spec(entry) for entry in content["specs"]),
            config=GemPpmConfig.from_dict(content["config"]),
            n_members=int(content["members"]),
            forest=bool(content.get("forest", False)),
            facts=dict(content.get("facts") or {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is broken: {error!r}") from error


def load_members(folder: Path, model: ModelFile) -> list[ScaledModel]:
    """Return the members of the ensemble in eval mode, without gradients.

    Raises:
        InputError: a file of weights is missing, broken, or of another shape than `model.json` says.
    """
    return [load_member(folder, index, model.config, model.specs) for index in range(model.n_members)]


def load_member(folder: Path, index: int, config: GemPpmConfig, specs: Sequence[PropertySpec]) -> ScaledModel:
    """Return one member (see `load_members`)."""
    # heavy: behind its door
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = member_file(folder, index)
    unit = TargetScale(centre=np.zeros(len(specs)), scale=np.ones(len(specs)))
    with torch.random.fork_rng(devices=[]):  # initial weights are thrown away: leave the caller's random state
        result = ScaledModel(GemPpm(config), specs, unit)
    try:
        result.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: the model is not whole") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except RuntimeError as error:  # torch's word for weights of other names or shapes
        raise InputError(f"{path} does not hold the weights that {MODEL_FILE} describes") from error
    return result.eval().requires_grad_(requires_grad=False)


def _read_spec(entry: Mapping[str, Any]) -> PropertySpec:
    return PropertySpec(**{**entry, "classes": tuple(entry.get("classes", ()))})
