"""Predict: trained models by name, applied to materials under conditions, and to stores of graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.conditions import conditions_of_values
from matwright.api.models import find_model
from matwright.errors import InputError
from matwright.materials.conditions import Conditions
from matwright.materials.crystal import Crystal
from matwright.materials.material import Structure
from matwright.materials.properties import PropertySpec
from matwright.models.interface import Prediction
from matwright.progress import Progress, silent

if TYPE_CHECKING:
    from matwright.graphs.builder import Graph
    from matwright.graphs.interface import GraphSource
    from matwright.graphs.ragged import Labels
    from matwright.graphs.store import GraphStore
    from matwright.models.checkpoint import ModelFile
    from matwright.models.interface import BatchPrediction, PropertyModel

DEFAULT_LEVEL = 0.9


def load_predictor(name_or_path: str | Path, *, level: float = DEFAULT_LEVEL) -> Predictor:
    """Return a trained property model: a shipped one by name ("mp-crystal") or a run folder of `train`.

    Args:
        name_or_path: see above.
        level: nominal coverage of the intervals, in (0, 1).

    Raises:
        InputError: there is no such model, it is broken, it is no property model, or the level is impossible.
    """
    from matwright.uncertainty.stored import load_property_model  # heavy (torch): behind its door

    folder = find_model(name_or_path)
    model, described = load_property_model(folder, level)
    return Predictor(str(name_or_path), folder, model, described)


Stated = Conditions | Mapping[str, float | str | None]
"""Conditions of a material: a value, or name → number in the unit of the condition, "850 degC", or a category; and
"steps" → its processing in words."""


@final
class Predictor:
    """A trained property model with its intervals and domain score, ready for materials.

    Attributes:
        name: as it was asked for.
        folder: where it was read from.
        specs: the properties it predicts, by name.
        facts: what made it and how good it is (see the model card).
        schema: the conditions it knows, None where it knows none.
        graph_settings: the neighbour rule it was built for.
        learned: from what it learned, compositions or structures.
        gives_tensor: whether it predicts elastic tensors, which only crystals periodic in three directions have.
    """

    def __init__(self, name: str, folder: Path, model: PropertyModel, described: ModelFile) -> None:
        self.name = name
        self.folder = folder
        self.specs: dict[str, PropertySpec] = {spec.name: spec for spec in model.specs}
        self.facts = described.facts
        self.schema = described.config.conditions
        self.learned = described.learned
        self._model, self._described = model, described
        self.graph_settings = described.config.graph
        self.gives_tensor = described.config.elastic

    def graph(self, structure: Structure) -> Graph:
        """Return a crystal, molecule or composition as the model sees it (see `models.learned`).

        Raises:
            InputError: two atoms coincide, or the model is for crystals periodic in three directions, or structures of
                any kind, and this is none.
        """
        if self.gives_tensor and not (isinstance(structure, Crystal) and all(structure.pbc)):
            raise InputError(f"{self.name} predicts elastic tensors, which need a crystal periodic in three directions")
        return self._described.graph(structure)

    def predict(
        self, structures: Sequence[Structure], conditions: Stated | Sequence[Stated] | None = None
    ) -> dict[str, Prediction]:
        """Return one prediction a property, of as many values as there are structures, in their order.

        A categorical property appears as one probability a class, named "<property>=<class>".

        Args:
            structures: crystals, molecules or compositions.
            conditions: of each structure, or one for all; None where nothing is known. What is not named is missing.

        Raises:
            InputError: there is no structure, one in which two atoms coincide, or conditions that the model does not
                know.
        """
        labels = self.labels(len(structures), conditions)
        return self.predict_graphs([self.graph(structure) for structure in structures], labels)

    def labels(self, n: int, conditions: Stated | Sequence[Stated] | None) -> Labels:
        """Return the conditions of n structures as `predict_graphs` takes them; arguments and errors as `predict`."""
        from matwright.graphs.ragged import Labels  # behind its door: only prediction needs graphs

        each = [conditions] * n if conditions is None or isinstance(conditions, Conditions | Mapping) else conditions
        if len(each) != n:
            raise InputError(f"{n} structures need as many conditions, or one for all; found {len(each)}")
        if self.schema is None:
            if any(one is not None for one in each):
                raise InputError(f"the model {self.name} knows no conditions; it was trained without them")
            return Labels.of_conditions(np.zeros((n, 0)))
        found = [self.schema.unknown if one is None else conditions_of_values(self.schema, one) for one in each]
        values = np.array([self.schema.encode(one) for one in found]).reshape(n, len(self.schema.columns))
        return Labels.of_conditions(values, steps=[self.schema.encode_steps(one) for one in found])

    def predict_graphs(self, graphs: Sequence[Graph], labels: Labels | None = None) -> dict[str, Prediction]:
        """Return the predictions for graphs made by `graph` under the conditions of `labels`; None for unknown ones.

        Raises:
            InputError: there is no graph.
        """
        known = self.labels(len(graphs), None) if labels is None else labels
        return dict(self._predict(_Listed(graphs, known), np.arange(len(graphs)), None).properties)

    def predict_source(self, source: GraphSource, n: int) -> dict[str, Prediction]:
        """Return the predictions for the first n graphs of a source of graphs such as the model learned from.

        They are built by its own neighbour rule and carry conditions as `labels` gives them, where it knows any.

        Raises:
            InputError: n is 0.
        """
        return dict(self._predict(source, np.arange(n), None).properties)

    def predict_store(
        self, store: GraphStore, indices: NDArray[np.int64] | None = None, *, progress: Progress | None = None
    ) -> dict[str, Prediction]:
        """Return the predictions for the records of a store at `indices`, (n,); by default for all.

        The words of its conditions must be coded as in the model's schema.

        Raises:
            InputError: the store was built by another neighbour rule than the model's or for other conditions, or
                nothing was chosen, or graphs are of a kind (composition or structure) that the model never saw.
        """
        if store.settings != self.graph_settings:
            raise InputError("the graphs of this store were built by another neighbour rule than the model's")
        if store.condition_names != (() if self.schema is None else self.schema.names):
            raise InputError("the graphs of this store belong to other conditions than the model's")
        chosen = np.arange(len(store)) if indices is None else indices
        self.learned.check(store.lattices[chosen])
        return dict(self._predict(store, chosen, progress).properties)

    def embed(
        self, structures: Sequence[Structure], conditions: Stated | Sequence[Stated] | None = None
    ) -> NDArray[np.float32]:
        """Return (n_structures, width) where the structures lie in the model's embedding space.

        Arguments and errors as for `predict`.
        """
        listed = _Listed([self.graph(structure) for structure in structures], self.labels(len(structures), conditions))
        return self._predict(listed, np.arange(len(structures)), None).embedding

    def _predict(self, source: Any, indices: NDArray[np.int64], progress: Progress | None) -> BatchPrediction:
        # heavy (torch): behind its door
        from matwright.evaluation.records import predict_records
        from matwright.training.compute import fast_mode

        with fast_mode():
            return predict_records(self._model, source, indices, on_done=(progress or silent()).advance)


@final
@dataclass(frozen=True, slots=True)
class _Listed:
    """Graphs in a list with their conditions, drawn by index like those of a store."""

    graphs: Sequence[Graph]
    labels: Labels

    def batch(self, indices: NDArray[np.int64]) -> Any:
        from matwright.graphs.batch import collate  # heavy (torch): behind its door

        return collate([self.graphs[index] for index in indices.tolist()], self.labels.at(indices))
