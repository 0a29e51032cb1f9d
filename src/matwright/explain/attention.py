"""Where a network looks: the gates of its edge attention (E10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matwright.graphs.batch import GraphBatch
from matwright.models.layers import AttentionLayer
from matwright.models.scaled import ScaledModel


@torch.no_grad()
def slot_attention(model: ScaledModel, batch: GraphBatch) -> NDArray[np.float64]:
    """Return (n_slots,) attention of each atom to the neighbour in each slot: gate times envelope, mean over layers."""
    with _recorded(model.network.encoder.layers) as gates:
        model.network.encoder(batch)
    return np.asarray(np.mean([gate.reshape(-1).double().numpy() for gate in gates], axis=0))


@contextmanager
def _recorded(layers: torch.nn.ModuleList) -> Iterator[list[Tensor]]:
    """Collect the gates of every layer that runs inside the block."""
    gates: list[Tensor] = []

    def record(layer: AttentionLayer, inputs: tuple[Any, ...]) -> None:
        nodes, edges = inputs[:2]
        gates.append(layer.gates(nodes, edges))

    handles = [layer.register_forward_pre_hook(record) for layer in layers]
    try:
        yield gates
    finally:
        for handle in handles:
            handle.remove()
