"""Starts a wider autoencoder from a trained one: weights that read the latent get further, empty columns."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from matwright.generation.autoencoder import SequenceAutoencoder

AFTER_LATENT: Mapping[str, int] = {
    "formula_start.weight": 0,
    "formula_memory.weight_ih_l0": 0,
    "unit_head.0.weight": 0,
    "group_head.0.weight": 32,
    "structure_context.0.weight": 32 + 48,
    "structure_start.weight": 0,
    "structure_memory.weight_ih_l0": 0,
    "shape_head.0.weight": 0,
    "frame.0.weight": 6,
}
"""Decoder weights that may read the latent → columns that stand behind it."""


def start_from(model: SequenceAutoencoder, trained: SequenceAutoencoder) -> tuple[str, ...]:
    """Copy the decoder's weights in place; the names of those that keep their fresh values come back.

    Columns for latent dimensions that the trained decoder did not have start at zero, so that at first the wider
    decoder writes what the trained one would.
    """
    own, given = model.decoder.state_dict(), trained.decoder.state_dict()
    fresh = []
    for name, value in own.items():
        if name not in given:
            fresh.append(name)
        elif value.shape == given[name].shape:
            own[name] = given[name].clone()
        elif name in AFTER_LATENT and value.shape[0] == given[name].shape[0]:
            own[name] = _widened(given[name], value.shape[1], AFTER_LATENT[name])
        else:
            fresh.append(name)
    model.decoder.load_state_dict(own)
    return tuple(fresh)


def _widened(weight: Tensor, width: int, after: int) -> Tensor:
    """The weight with zero columns `after` columns before its end."""
    cut = weight.shape[1] - after
    return torch.cat([weight[:, :cut], weight.new_zeros(len(weight), width - weight.shape[1]), weight[:, cut:]], dim=1)
