"""Smaller and faster forms of a trained network: half precision, eight-bit integers, pruned weights.

Each form is a property model that predicts like the one it was made from, so that it can be judged by the same table.
What a form saves on disk is counted from its numbers; what it saves in time must be measured, since small matrices on
a processor gain little from short numbers.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import final

import torch
from torch import nn

from matwright.errors import CalculationError, InputError
from matwright.models.forms import Form
from matwright.models.scaled import ScaledModel

PRUNED_SHARE = 0.5
"""Share of the weights of linear layers that PRUNED sets to 0, the smallest first over all layers (one shot)."""
_HALVED = (nn.Linear, nn.Embedding)


def in_form(model: ScaledModel, form: Form) -> ScaledModel:
    """The model in a form; the model itself is left alone.

    Raises:
        CalculationError: this build of torch cannot make the form.
    """
    return _FORMS[form](copy.deepcopy(model).eval())


def stored_bytes(model: ScaledModel, form: Form) -> int:
    """Bytes of the numbers of a model on disk in a form; zeros of PRUNED take the room of any number."""
    matrices = _matrices(model)
    whole: int = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    large: int = sum(value.numel() for value in matrices.values())
    if form is Form.FLOAT16:
        return whole - 2 * large
    if form is Form.INT8:
        rows: int = sum(value.shape[0] for value in matrices.values())
        return whole - 3 * large + 4 * rows  # one scale a row
    return whole


def halved_weights(model: ScaledModel) -> ScaledModel:
    """The model with the matrices of its layers rounded to half precision; they still are single-precision numbers."""
    with torch.no_grad():
        for value in _matrices(model).values():
            value.copy_(value.half().float())
    return model


def half_state(model: ScaledModel) -> dict[str, torch.Tensor]:
    """The numbers of a model by name, matrices in half precision: a checkpoint of about half the size."""
    names = set(_matrices(model))
    return {
        name: (value.half() if name in names else value).detach().cpu().contiguous().clone()
        for name, value in model.state_dict().items()
    }


def _matrices(model: ScaledModel) -> dict[str, torch.Tensor]:
    """The weights of linear layers and embeddings by their name in the state."""
    return {f"{name}.weight": module.weight for name, module in model.named_modules() if isinstance(module, _HALVED)}


@final
class BrainFloatLinear(nn.Module):
    """A linear layer that multiplies in brain floats; what comes in and goes out is single precision."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().bfloat16(), requires_grad=False)
        bias = None if layer.bias is None else layer.bias.detach().bfloat16()
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Multiply and add."""
        return nn.functional.linear(inputs.bfloat16(), self.weight, self.bias).float()


def _brain_floats(model: ScaledModel) -> ScaledModel:
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, BrainFloatLinear(child))
    return model


def _quantised(model: ScaledModel) -> ScaledModel:
    try:
        # torch announces that this moves to another package; no other one is needed for a measurement
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch.ao.quantization import quantize_dynamic

            quantised: ScaledModel = quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    except (ImportError, RuntimeError, NotImplementedError) as error:
        raise CalculationError(f"this build of torch has no eight-bit linear layers: {error}") from error
    return quantised


def _pruned(model: ScaledModel) -> ScaledModel:
    """The smallest weights of the linear layers set to 0, each weighed by the root mean square of its layer."""
    layers = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise InputError("the model has no linear layer to prune")
    with torch.no_grad():
        sizes = [weight.abs() / weight.square().mean().sqrt().clamp(min=1e-12) for weight in layers]
        limit = torch.quantile(torch.cat([size.flatten() for size in sizes]), PRUNED_SHARE)
        for weight, size in zip(layers, sizes, strict=True):
            weight[size < limit] = 0.0
    return model


_FORMS: Mapping[Form, Callable[[ScaledModel], ScaledModel]] = MappingProxyType(
    {
        Form.FLOAT32: lambda model: model,
        Form.FLOAT16: halved_weights,
        Form.BFLOAT16: _brain_floats,
        Form.INT8: _quantised,
        Form.PRUNED: _pruned,
    }
)
