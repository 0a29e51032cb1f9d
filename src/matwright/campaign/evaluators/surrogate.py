"""A trained property model as an evaluator: the cheapest evidence, each value with its standard deviation."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.models.learned import Learned
from matwright.screening.potential import Failure, FailureKind
from matwright.serialization import hash_file, hash_json

if TYPE_CHECKING:
    from matwright.graphs.builder import Graph
    from matwright.models.checkpoint import ModelFile
    from matwright.models.interface import Prediction, PropertyModel


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateEvaluator:
    """Predicts with a model folder as `train` writes it; conditions, where the model knows any, are unknown to it.

    Attributes:
        folder: of the model, which every worker must be able to read.
        name: of the evaluator.
        version: hash of weights and settings.
        units: of the properties that the model predicts.
        cost: CPU seconds of one prediction.
    """

    folder: Path
    name: str
    version: str
    units: Mapping[str, str]
    cost: float = 0.005

    @classmethod
    def of(cls, folder: Path, *, name: str | None = None) -> Self:
        """Make the evaluator of a model folder.

        Raises:
            InputError: it holds no model.
        """
        model, described = _load(folder)
        units = {spec.name: spec.unit for spec in model.specs if not spec.classes}
        version = _version(folder, described)
        return cls(folder=folder, name=name or f"surrogate-{folder.name}", version=version, units=units)

    @property
    def fidelity(self) -> Fidelity:
        """A surrogate."""
        return Fidelity.SURROGATE

    @property
    def settings(self) -> Mapping[str, Any]:
        """Nothing: the version says it all."""
        return {}

    @property
    def batch_size(self) -> int:
        """Crystals of one model call."""
        return 64

    def prepare(self) -> None:
        """Load the weights.

        Raises:
            InputError: the folder holds no model.
        """
        _load(self.folder)

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Mean and standard deviation of every property; a crystal of which no graph can be made is refused.

        Raises:
            InputError: the folder holds no model, or no longer the one that the evaluator was made of.
        """
        model, described = _load(self.folder)
        if _version(self.folder, described) != self.version:
            raise InputError(f"the model in {self.folder} is no longer the one that the campaign began with")
        start = time.perf_counter()
        graphs = [_graph(crystal, described) for crystal in crystals]
        good = [graph for graph in graphs if not isinstance(graph, Failure)]
        predictions = _predict(model, described, good) if good else {}
        seconds = (time.perf_counter() - start) / max(1, len(crystals))
        answers: list[Evaluation] = []
        place = 0
        for graph in graphs:
            if isinstance(graph, Failure):
                answers.append(Evaluation(answer=graph, seconds=seconds))
                continue
            values = {name: _quantity(predictions[name], place) for name in self.units}
            answers.append(Evaluation(answer=values, seconds=seconds))
            place += 1
        return answers


def _quantity(prediction: Prediction, place: int) -> Quantity:
    return Quantity(value=float(prediction.mean[place]), unit=prediction.spec.unit, std=float(prediction.std[place]))


def _graph(crystal: Crystal, described: ModelFile) -> Graph | Failure:
    try:
        return described.graph(crystal)
    except InputError as problem:
        return Failure(reason=str(problem), kind=FailureKind.REFUSED)


def _predict(model: PropertyModel, described: ModelFile, graphs: Sequence[Graph]) -> Mapping[str, Prediction]:
    # heavy (torch): behind its door
    from matwright.graphs.batch import collate
    from matwright.graphs.ragged import Labels
    from matwright.training.compute import fast_mode

    schema = described.config.conditions
    if schema is None:
        labels = Labels.of_conditions(np.zeros((len(graphs), 0)))
    else:
        unknown = np.tile(schema.encode(schema.unknown), (len(graphs), 1))
        labels = Labels.of_conditions(unknown, steps=[schema.encode_steps(schema.unknown)] * len(graphs))
    with fast_mode():
        return model.predict(collate(graphs, labels)).properties


def _version(folder: Path, described: ModelFile) -> str:
    """Hash of weights and settings, and of what a model of compositions sees, which used to be the structure."""
    files = [*sorted(folder.rglob("*.safetensors")), folder / "model.json"]
    found = {str(file.relative_to(folder)): hash_file(file) for file in files if file.is_file()}
    return hash_json(found | ({"sees": "composition"} if described.learned is Learned.COMPOSITIONS else {}))


@functools.lru_cache(maxsize=2)
def _load(folder: Path) -> tuple[PropertyModel, ModelFile]:
    """Load a model once a process."""
    from matwright.uncertainty.stored import load_property_model  # heavy (torch): behind its door

    return load_property_model(folder)
