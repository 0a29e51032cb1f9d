"""The mixture densities integrate to one and are sampled as they say."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from matwright.generation.densities import (
    normal_log_prob,
    normal_sample,
    sample_categorical,
    wrapped_normal_log_prob,
    wrapped_normal_sample,
)


@given(st.lists(st.integers(-30, 30), min_size=2, max_size=4), st.integers(1, 25), st.integers(-20, 20))
def test_circle_density_integrates_to_one_and_is_periodic(tenths: list[int], hundredths: int, offset: int) -> None:
    logits, width, centre = [tenth / 10 for tenth in tenths], hundredths / 100, offset / 10
    k, n = len(logits), 4000
    grid = (torch.arange(n) + 0.5) / n
    parameters = (
        torch.tensor([logits]).expand(n, -1),
        (centre + torch.arange(k) / k)[None].expand(n, -1),
        torch.full((n, k), width),
    )
    density = wrapped_normal_log_prob(grid, *parameters).exp()
    assert abs(density.mean().item() - 1) < 2e-3
    shifted = wrapped_normal_log_prob(grid + 1, *parameters).exp()
    torch.testing.assert_close(density, shifted, atol=2e-3, rtol=2e-3)


def test_circle_samples_follow_the_density() -> None:
    n = 20_000
    parameters = (
        torch.log(torch.tensor([[0.7, 0.3]])).expand(n, -1),
        torch.tensor([[0.98, 0.5]]).expand(n, -1),
        torch.tensor([[0.04, 0.02]]).expand(n, -1),
    )
    value = wrapped_normal_sample(*parameters, temperature=1.0, generator=torch.Generator().manual_seed(0))
    assert ((value >= 0) & (value < 1)).all()
    near_half = ((value - 0.5).abs() < 0.1).float().mean().item()
    assert abs(near_half - 0.3) < 0.015
    wrapped = (((value - 0.98 + 0.5) % 1) - 0.5)[(value - 0.5).abs() > 0.2]
    assert abs(wrapped.std().item() - 0.04) < 0.002


def test_line_density_and_samples_agree() -> None:
    n = 40_000
    logits, mean = torch.zeros(n, 1), torch.tensor([[[1.0, -2.0]]]).expand(n, 1, 2)
    width = torch.tensor([[[0.5, 0.1]]]).expand(n, 1, 2)
    value = normal_sample(logits, mean, width, temperature=1.0, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(value.mean(0), torch.tensor([1.0, -2.0]), atol=0.02, rtol=0)
    torch.testing.assert_close(value.std(0), torch.tensor([0.5, 0.1]), atol=0.01, rtol=0)
    both = torch.ones(n, 2, dtype=torch.bool)
    entropy = -normal_log_prob(value, logits, mean, width, both).mean().item()
    assert abs(entropy - sum(0.5 * math.log(2 * math.pi * math.e * s**2) for s in (0.5, 0.1))) < 0.03
    first = both.clone()
    first[:, 1] = False
    alone = -normal_log_prob(value, logits, mean, width, first).mean().item()
    assert abs(alone - 0.5 * math.log(2 * math.pi * math.e * 0.25)) < 0.03


def test_forbidden_choices_are_never_drawn_and_cold_draws_are_greedy() -> None:
    logits = torch.tensor([[1.0, 3.0, -1e9]]).expand(5000, -1)
    warm = sample_categorical(logits, temperature=1.0, generator=torch.Generator().manual_seed(0))
    assert not (warm == 2).any()
    assert abs((warm == 1).float().mean().item() - 1 / (1 + math.exp(-2))) < 0.02
    cold = sample_categorical(logits, temperature=0.05, generator=torch.Generator().manual_seed(0))
    assert (cold == 1).all()
