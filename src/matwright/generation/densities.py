"""Mixture densities for fractional coordinates (on the circle) and for the shape of the cell (on the line)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
COORDINATE_WIDTH = (0.003, 0.25)
"""Smallest and largest standard deviation of a coordinate component, in fractions of the cell edge."""
SHAPE_WIDTH = (0.01, 2.0)
"""Smallest and largest standard deviation of a cell-shape component, in standardised units."""


def bounded_width(raw: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Standard deviations between the bounds, smooth in `raw` and geometric: raw = 0 gives their geometric mean."""
    low, high = math.log(bounds[0]), math.log(bounds[1])
    return torch.exp(low + (high - low) * torch.sigmoid(raw))


def circle_grid(n_components: int) -> Tensor:
    """(n_components,) evenly spaced starting points of the component means on [0, 1); multiples of 1/24 come first."""
    return torch.arange(n_components) / n_components


def tempered(density: tuple[Tensor, Tensor, Tensor], temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, means and widths of the mixture that sampling at `temperature` draws from."""
    logits, mean, width = density
    return logits / temperature, mean, temperature * width


def wrapped_normal_log_prob(value: Tensor, logits: Tensor, mean: Tensor, width: Tensor) -> Tensor:
    """(n,) log density of coordinates on [0, 1) under mixtures of wrapped normals.

    Args:
        value: (n,) coordinates.
        logits, mean, width: (n, n_components) unnormalised log weights, means and standard deviations.
    """
    delta = value[:, None] - mean
    nearest = delta - torch.round(delta)
    images = nearest[..., None] + torch.tensor([-1.0, 0.0, 1.0])
    terms = -0.5 * (images / width[..., None]) ** 2
    component = torch.logsumexp(terms, dim=-1) - torch.log(width) - _LOG_ROOT_2PI
    return torch.logsumexp(torch.log_softmax(logits, dim=-1) + component, dim=-1)


def wrapped_normal_sample(
    logits: Tensor, mean: Tensor, width: Tensor, *, temperature: float, generator: torch.Generator
) -> Tensor:
    """(n,) coordinates on [0, 1); a temperature below 1 sharpens the weights and narrows the components."""
    picked = sample_categorical(logits, temperature=temperature, generator=generator)[:, None]
    noise = torch.randn(len(logits), generator=generator)
    value = mean.gather(1, picked)[:, 0] + temperature * width.gather(1, picked)[:, 0] * noise
    return value - torch.floor(value)


def normal_log_prob(value: Tensor, logits: Tensor, mean: Tensor, width: Tensor, active: Tensor) -> Tensor:
    """(n,) log density of vectors under mixtures of diagonal normals, over the active dimensions only.

    Args:
        value: (n, n_dims); active: (n, n_dims) bool.
        logits: (n, n_components); mean, width: (n, n_components, n_dims).
    """
    scaled = (value[:, None, :] - mean) / width
    terms = -0.5 * scaled**2 - torch.log(width) - _LOG_ROOT_2PI
    component = (terms * active[:, None, :]).sum(-1)
    return torch.logsumexp(torch.log_softmax(logits, dim=-1) + component, dim=-1)


def normal_sample(
    logits: Tensor, mean: Tensor, width: Tensor, *, temperature: float, generator: torch.Generator
) -> Tensor:
    """(n, n_dims) vectors; a temperature below 1 sharpens the weights and narrows the components."""
    picked = sample_categorical(logits, temperature=temperature, generator=generator)
    rows = torch.arange(len(picked))
    noise = torch.randn(mean.shape[0], mean.shape[2], generator=generator)
    return mean[rows, picked] + temperature * width[rows, picked] * noise


def sample_categorical(logits: Tensor, *, temperature: float, generator: torch.Generator) -> Tensor:
    """(n,) indices drawn from softmax(logits / temperature), by the Gumbel trick; −∞ marks what is forbidden."""
    uniform = torch.rand(logits.shape, generator=generator).clamp_min(1e-20)
    gumbel = -torch.log(-torch.log(uniform) + 1e-20)
    return (logits / temperature + gumbel).argmax(dim=-1)


def choice_log_prob(logits: Tensor, choice: Tensor) -> Tensor:
    """(…,) log-probability of each row's choice (…,) under softmax of logits (…, n_choices)."""
    return torch.log_softmax(logits, dim=-1).gather(-1, choice[..., None])[..., 0]
