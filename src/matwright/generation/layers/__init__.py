"""Layers (2-D materials) as symmetry-true sequences and back: layer group, Wyckoff positions, heights in Å."""

from matwright.generation.layers.decode import decode_layer
from matwright.generation.layers.encode import encode_layer
from matwright.generation.layers.sequence import LayerSequence
from matwright.generation.layers.tables import N_LAYER_GROUPS, LayerGroup, LayerPosition, layer_group

__all__ = [
    "N_LAYER_GROUPS",
    "LayerGroup",
    "LayerPosition",
    "LayerSequence",
    "decode_layer",
    "encode_layer",
    "layer_group",
]
