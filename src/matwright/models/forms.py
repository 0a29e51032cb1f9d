"""The forms in which a trained network can be kept or computed (see `models.compression`)."""

from __future__ import annotations

from enum import StrEnum
from typing import final


@final
class Form(StrEnum):
    """A form of the numbers of a network.

    FLOAT32 as trained; FLOAT16 weights kept in half precision, computed in single; BFLOAT16 matrices multiplied in
    brain floats; INT8 weights of linear layers as eight-bit integers, inputs rounded on the way (dynamic quantisation);
    PRUNED the smaller half of the weights set to 0.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"
    PRUNED = "pruned"
