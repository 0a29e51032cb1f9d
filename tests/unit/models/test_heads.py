"""The loss of each kind of head, with labels missing."""

from __future__ import annotations

import math

import pytest
import torch

from matwright.models.config import HeadConfig, HeadKind
from matwright.models.heads import Heads, class_probabilities, mean_and_spread


def loss_of(
    kind: HeadKind, outputs: list[list[float]], targets: list[float], known: list[bool], n_classes: int = 0
) -> float:
    heads = Heads(4, (HeadConfig(name="y", kind=kind, n_classes=n_classes),))
    total, terms = heads.loss(torch.tensor(outputs), torch.tensor(targets)[:, None], torch.tensor(known)[:, None])
    share = sum(known) / len(known)
    assert float(terms["y"]) * share == pytest.approx(float(total))
    return float(terms["y"])


def test_point_is_the_mean_absolute_error() -> None:
    assert loss_of(HeadKind.POINT, [[1.0], [4.0]], [0.0, 6.0], [True, True]) == pytest.approx(1.5)


def test_gaussian_is_the_negative_log_likelihood() -> None:
    outputs, target = [[1.0, math.log(2.0)]], [4.0]
    expected = -torch.distributions.Normal(1.0, 2.0).log_prob(torch.tensor(4.0)) - 0.5 * math.log(2 * math.pi)
    assert loss_of(HeadKind.GAUSSIAN, outputs, target, [True]) == pytest.approx(float(expected))


def test_cross_entropy_of_classes() -> None:
    logits = [[0.0, 2.0, 1.0]]
    expected = -torch.tensor(logits).log_softmax(1)[0, 1]
    assert loss_of(HeadKind.CLASS, logits, [1.0], [True], n_classes=3) == pytest.approx(float(expected))
    assert class_probabilities(torch.tensor(logits)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", [HeadKind.POINT, HeadKind.GAUSSIAN, HeadKind.DECOUPLED])
def test_a_missing_label_does_not_count(kind: HeadKind) -> None:
    width = 1 if kind is HeadKind.POINT else 2
    row, other = [0.3] * width, [-7.0] * width
    alone = loss_of(kind, [row], [1.0], [True])
    assert loss_of(kind, [row, other], [1.0, 5.0], [True, False]) == pytest.approx(alone)
    assert loss_of(kind, [row, other], [1.0, 5.0], [True, True]) != pytest.approx(alone)


def test_a_target_without_any_label_costs_nothing() -> None:
    assert loss_of(HeadKind.DECOUPLED, [[1.0, 0.0]], [5.0], [False]) == 0.0


def test_the_spread_does_not_move_the_mean() -> None:
    """DECOUPLED: the gradient of the mean is that of the absolute error, whatever the spread."""
    heads = Heads(4, (HeadConfig(name="y", kind=HeadKind.DECOUPLED),))
    for log_spread in (-2.0, 0.0, 2.0):
        outputs = torch.tensor([[0.5, log_spread]], requires_grad=True)
        total, _ = heads.loss(outputs, torch.tensor([[2.0]]), torch.tensor([[True]]))
        (gradient,) = torch.autograd.grad(total, outputs)
        assert gradient[0, 0] == -1.0
        assert gradient[0, 1] != 0.0


def test_the_spread_learns_the_noise() -> None:
    """Fitted to N(3, 0.5²) noise, a bare output finds median 3 and spread 0.5."""
    generator = torch.Generator().manual_seed(0)
    targets = 3.0 + 0.5 * torch.randn(2000, 1, generator=generator)
    heads = Heads(4, (HeadConfig(name="y", kind=HeadKind.DECOUPLED),))
    free = torch.zeros(1, 2, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=0.05)
    for _ in range(400):
        loss, _ = heads.loss(free.expand(2000, 2), targets, torch.ones(2000, 1, dtype=torch.bool))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    mean, spread = mean_and_spread(HeadKind.DECOUPLED, free.detach())
    assert float(mean) == pytest.approx(3.0, abs=0.05)
    assert float(spread) == pytest.approx(0.5, rel=0.06)
