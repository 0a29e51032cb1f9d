"""What the last layer gives for each target: means, spreads and class probabilities, and the loss of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from matwright.models.config import HeadConfig, HeadKind
from matwright.models.elastic import ElasticOutputs

_LOG_SPREAD_RANGE = (-6.0, 3.0)  # of a standardised target: a spread of 0.0025 to 20 standard deviations


@final
class Heads(nn.Module):
    """(n_crystals, n_outputs) raw outputs of all heads side by side; `split` gives the columns of one."""

    def __init__(self, in_width: int, heads: tuple[HeadConfig, ...]) -> None:
        super().__init__()
        self.heads = heads
        self.linear = nn.Linear(in_width, sum(head.n_outputs for head in heads))
        self.elastic = ElasticOutputs(heads) if any(head.kind is HeadKind.ELASTIC for head in heads) else None
        self.n_terms = len(heads) if self.elastic is None else len(heads) - self.elastic.n_free

    def forward(
        self, state: Tensor, inverse_temperature: Tensor | None = None, stiffness: Tensor | None = None
    ) -> Tensor:
        """Map (n_crystals, in_width) states to raw outputs.

        Args:
            state: of each material.
            inverse_temperature: (n_crystals, n_heads) of `InverseTemperature`; needed by Arrhenius heads alone.
            stiffness: (n_crystals, 6, 6) of `ElasticTensor`; needed by elastic heads alone.
        """
        outputs: Tensor = self.linear(state)
        if self.elastic is not None and stiffness is not None:
            outputs = self.elastic(outputs, stiffness)
        if inverse_temperature is None:
            return outputs
        parts = [
            _arrhenius(part, inverse_temperature[:, column]) if head.kind is HeadKind.ARRHENIUS else part
            for column, (head, part) in enumerate(zip(self.heads, self.split(outputs), strict=True))
        ]
        return torch.cat(parts, dim=1)

    def split(self, outputs: Tensor) -> tuple[Tensor, ...]:
        """Return one (n_crystals, n_outputs of the head) view a head, in the order of the heads."""
        return torch.split(outputs, [head.n_outputs for head in self.heads], dim=1)

    def loss(
        self, outputs: Tensor, targets: Tensor, mask: Tensor, censored: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean of the heads' losses and each one by name; labels that are missing do not count.

        Each head is averaged over its own known labels and weighted by their share, so that a batch with one lone
        label of a target does not let it pull as hard as a full column.

        Args:
            outputs: (n_crystals, n_outputs).
            targets: (n_crystals, n_targets), standardised values or class indices, anything where missing.
            mask: (n_crystals, n_targets) bool, True where known.
            censored: (n_crystals, n_targets), -1 where the true value lies below the target, +1 above, 0 exact; a
                prediction on the right side of such a target costs nothing. None for all exact.
        """
        terms: dict[str, Tensor] = {}
        total = outputs.new_zeros(())
        shared = None if self.elastic is None else self.elastic.loss(outputs, targets, mask)
        for column, (head, part) in enumerate(zip(self.heads, self.split(outputs), strict=True)):
            known = mask[:, column] & ~part[:, 0].isnan()  # a law says nothing where its temperature is missing
            part = part.nan_to_num(nan=0.0)  # noqa: PLW2901 (so that no gradient becomes NaN either)
            if censored is not None and head.kind is not HeadKind.CLASS:
                known = known & ~_satisfied(part[:, 0], targets[:, column], censored[:, column])
            if head.kind is HeadKind.ELASTIC and shared is not None:
                losses = shared[:, column]
            else:
                losses = _LOSSES[head.kind](part, targets[:, column])
            losses = torch.where(known, losses, 0.0)
            terms[head.name] = losses.sum() / known.sum().clamp(min=1)
            total = total + losses.sum() / len(losses)
        return total / self.n_terms, terms


def mean_and_spread(kind: HeadKind, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, (n_crystals,) each, of a numeric head; the spread of POINT is 0."""
    if kind is HeadKind.POINT:
        return outputs[:, 0], torch.zeros_like(outputs[:, 0])
    return outputs[:, 0], outputs[:, 1].clamp(*_LOG_SPREAD_RANGE).exp()


def class_probabilities(outputs: Tensor) -> Tensor:
    """Return (n_crystals, n_classes) probabilities of a CLASS head."""
    return outputs.softmax(dim=1)


def _arrhenius(outputs: Tensor, inverse_temperature: Tensor) -> Tensor:
    """(n_crystals, 3): mean at the temperature (NaN where that is missing), log spread, slope (>= 0) against 1000/T."""
    slope = functional.softplus(outputs[:, 2])
    missing = inverse_temperature.isnan()
    mean = outputs[:, 0] - slope * inverse_temperature.nan_to_num(nan=0.0)
    return torch.stack([mean.masked_fill(missing, torch.nan), outputs[:, 1], slope], dim=1)


def _satisfied(mean: Tensor, target: Tensor, censored: Tensor) -> Tensor:
    """(n_crystals,) bool: the target is a bound and the prediction lies on its right side."""
    return ((censored < 0) & (mean < target)) | ((censored > 0) & (mean > target))


def _absolute(outputs: Tensor, target: Tensor) -> Tensor:
    return (outputs[:, 0] - target).abs()


def _gaussian(outputs: Tensor, target: Tensor) -> Tensor:
    log_spread = outputs[:, 1].clamp(*_LOG_SPREAD_RANGE)
    return 0.5 * ((outputs[:, 0] - target) * torch.exp(-log_spread)).square() + log_spread


def _decoupled(outputs: Tensor, target: Tensor) -> Tensor:
    fixed_mean = torch.stack([outputs[:, 0].detach(), outputs[:, 1]], dim=1)
    return _absolute(outputs, target) + _SPREAD_WEIGHT * _gaussian(fixed_mean, target)


def _cross_entropy(outputs: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(outputs, target.long(), reduction="none")


_SPREAD_WEIGHT = 0.1  # the spread learns from its own output alone: a small pull on the shared layers is enough

_LOSSES: Mapping[HeadKind, Callable[[Tensor, Tensor], Tensor]] = {
    HeadKind.POINT: _absolute,
    HeadKind.GAUSSIAN: _gaussian,
    HeadKind.DECOUPLED: _decoupled,
    HeadKind.CLASS: _cross_entropy,
    HeadKind.ARRHENIUS: _decoupled,
}
"""By kind; the losses of ELASTIC heads depend on each other (see `ElasticOutputs.loss`)."""
