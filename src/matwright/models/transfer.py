"""A new model that starts from the weights of a trained one: its encoder, and its heads where both know a property."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from matwright.models.config import GemPpmConfig
from matwright.models.scaled import ScaledModel

_HEADS = ("heads.linear.weight", "heads.linear.bias")


@torch.no_grad()
def start_from(model: ScaledModel, trained: ScaledModel) -> tuple[str, ...]:
    """Copy the weights of a trained model of the same sizes in place, and return the properties whose heads came along.

    A head comes along with centre and scale where both models predict the property in the same unit by a head of the
    same kind, so that at first the new model says what the trained one would. The other heads stay as they are.
    """
    own, given = model.network.state_dict(), trained.network.state_dict()
    own |= {name: given[name] for name in own if name not in _HEADS}
    shared: list[str] = []
    rows, known = _rows(model.network.config), _rows(trained.network.config)
    places = {spec.name: place for place, spec in enumerate(trained.specs)}
    for place, (spec, head) in enumerate(zip(model.specs, model.network.config.heads, strict=True)):
        there = places.get(spec.name)
        if there is None or trained.specs[there].unit != spec.unit or trained.network.config.heads[there] != head:
            continue
        for name in _HEADS:
            own[name] = _with_rows(own[name], rows[spec.name], given[name][known[spec.name]])
        model.centre[place], model.scale[place] = trained.centre[there], trained.scale[there]
        shared.append(spec.name)
    model.network.load_state_dict(own)
    return tuple(shared)


def _rows(config: GemPpmConfig) -> Mapping[str, slice]:
    """Head → its rows of the last layer."""
    found, start = {}, 0
    for head in config.heads:
        found[head.name] = slice(start, start + head.n_outputs)
        start += head.n_outputs
    return found


def _with_rows(values: Tensor, rows: slice, new: Tensor) -> Tensor:
    changed = values.clone()
    changed[rows] = new
    return changed
