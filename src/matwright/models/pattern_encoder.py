"""From a powder pattern to a state of the whole and to tokens of its parts: a small 1-D convolutional encoder (F1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from matwright.errors import InputError
from matwright.physics.diffraction.axis import AXIS, N_POINTS, STEP

_FAINT = 0.1  # of the highest point: below it the second channel is linear, above it logarithmic


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PatternEncoderConfig:
    """Sizes of the pattern encoder.

    Attributes:
        points: of the logarithmic axis, a multiple of 32.
        channels: of the four convolutions that halve the axis.
        blocks: residual convolutions after them.
        summary: channels of the flattened summary of the whole pattern.
        hidden: width of the hidden layer between summary and state.
    """

    points: int = 1024
    channels: tuple[int, int, int, int] = (24, 48, 64, 96)
    blocks: int = 2
    summary: int = 32
    hidden: int = 256

    def __post_init__(self) -> None:
        if self.points < 32 or self.points % 32 or min(self.channels) < 1 or self.blocks < 0:
            raise InputError("a pattern encoder has a multiple of 32 points, channels of at least 1 and blocks >= 0")

    @property
    def n_tokens(self) -> int:
        """Parts of the pattern with a token of their own."""
        return self.points // 32


@final
class PatternEncoder(nn.Module):
    """Patterns on the common axis, (n, N_POINTS), into states (n, width) and tokens (n, n_tokens, width).

    Inside, the axis is that of ln(sin θ): there an isotropic strain of the crystal is a shift by the same number of
    points everywhere, which convolutions are made for. The highest point of each pattern counts as 1.
    """

    def __init__(self, config: PatternEncoderConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.axis = LogAxis(config.points)
        sizes = (2, *config.channels)
        self.reduce = nn.Sequential(
            *(_convolution(*sizes[i : i + 2], kernel=(9, 7, 5, 5)[i], stride=2) for i in range(4))
        )
        last = config.channels[-1]
        self.blocks = nn.ModuleList(_convolution(last, last, kernel=3, stride=1) for _ in range(config.blocks))
        self.place = nn.Parameter(0.02 * torch.randn(last, config.points // 16))
        self.token = nn.Linear(last, width)
        self.summary = nn.Conv1d(last, config.summary, 1)
        self.hidden = nn.Linear(config.summary * config.points // 16, config.hidden)
        self.state = nn.Linear(config.hidden, width)

    def forward(self, patterns: Tensor) -> tuple[Tensor, Tensor]:
        """Return (states, tokens); neither is normalised."""
        parts = self.reduce(self.axis(_channels(patterns)))  # (n, channels, points / 16)
        for block in self.blocks:
            parts = parts + block(parts)
        tokens: Tensor = self.token(functional.avg_pool1d(parts + self.place, 2).transpose(1, 2))
        flat = functional.silu(self.hidden(functional.silu(self.summary(parts)).flatten(1)))
        state: Tensor = self.state(flat)
        return state, tokens


@final
class LogAxis(nn.Module):
    """Mean intensity in bins of equal width in ln(sin θ), exact for the piecewise constant pattern."""

    def __init__(self, points: int) -> None:
        super().__init__()
        ends = np.log(np.sin(np.radians(AXIS[[0, -1]]) / 2.0))
        edges = np.degrees(2.0 * np.arcsin(np.exp(np.linspace(ends[0], ends[1], points + 1))))
        place = np.clip((edges - AXIS[0]) / STEP + 0.5, 0.5, N_POINTS - 0.5)
        whole = np.minimum(place.astype(np.int64), N_POINTS - 1)
        self.register_buffer("whole", torch.from_numpy(whole), persistent=False)
        self.register_buffer("share", torch.from_numpy(place - whole).float(), persistent=False)
        self.register_buffer("widths", torch.from_numpy(np.diff(place)).float(), persistent=False)
        self.whole: Tensor
        self.share: Tensor
        self.widths: Tensor

    def forward(self, patterns: Tensor) -> Tensor:
        """Return (..., points) from (..., N_POINTS)."""
        sums = functional.pad(patterns.cumsum(-1), (1, 0))  # area left of each point
        at = sums[..., self.whole] + self.share * patterns[..., self.whole]
        return at.diff(dim=-1) / self.widths


def _channels(patterns: Tensor) -> Tensor:
    """(n, 2, N_POINTS): the pattern with its highest point at 1, and a logarithm of it that raises the faint peaks."""
    scaled = patterns / patterns.amax(dim=1, keepdim=True).clamp_min(1e-12)
    return torch.stack([scaled, torch.asinh(scaled / _FAINT)], dim=1)


def _convolution(inside: int, outside: int, *, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inside, outside, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(outside),
        nn.SiLU(),
    )
