"""Training that starts from a trained model: which one, whether it fits, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matwright.api.models import find_model, model_hash
from matwright.api.train_settings import TrainSettings
from matwright.errors import InputError
from matwright.models.config import HeadKind

if TYPE_CHECKING:
    from matwright.api.predict import Predictor

RATE = 0.1
"""Share of a protocol's learning rate, so that what the start knows is not washed out."""


def with_network(settings: TrainSettings) -> TrainSettings:
    """The settings with the network of the model that they start from; as they are where they start from none.

    Raises:
        InputError: there is no such model, or it is one that none can start from.
    """
    if settings.start is None:
        return settings
    from matwright.models.checkpoint import read_model_file  # heavy (torch): behind its door

    described = read_model_file(find_model(settings.start))
    if settings.conditions is not None or described.config.conditions is not None:
        raise InputError("a start knows no conditions, and is a model without any: train this one from the beginning")
    if settings.sizes or settings.network is not None:
        raise InputError("the sizes of the network are those of the start; leave them out")
    if any(head.kind is HeadKind.ELASTIC for head in described.config.heads):
        raise InputError(f"{settings.start} predicts elastic tensors, from which no other model can start")
    return replace(settings, network=described.config)


def check_materials(settings: TrainSettings, lattices: NDArray[np.float64]) -> None:
    """Make sure that the training graphs, with lattices (n, 3, 3), are of what the start learned from.

    Raises:
        InputError: they are structures and it learned from compositions, or the other way round.
    """
    if settings.start is None:
        return
    from matwright.models.checkpoint import read_model_file  # heavy (torch): behind its door
    from matwright.models.learned import Learned

    learned, given = read_model_file(find_model(settings.start)).learned, Learned.of_lattices(lattices)
    if learned is not given:
        raise InputError(f"{settings.start} learned from {learned.value}, this table holds {given.value}")


def start_folder(settings: TrainSettings) -> Path | None:
    """The folder of the model to start from."""
    return None if settings.start is None else find_model(settings.start)


def without_ancestors(predictors: Mapping[str, Predictor]) -> dict[str, Predictor]:
    """The models without those from whose weights another of them started: they would say the same thing twice."""
    starts = {one.facts["start"]["hash"] for one in predictors.values() if "start" in one.facts}
    return {name: one for name, one in predictors.items() if not starts or model_hash(one.folder) not in starts}


def about_start(settings: TrainSettings) -> Mapping[str, Any]:
    """What is kept of the start: its name and a hash of its weights; nothing without one."""
    if settings.start is None:
        return {}
    return {"start": {"model": settings.start, "hash": model_hash(find_model(settings.start))}}
