"""PPO starts as the plain policy gradient and stops pushing beyond its clip; REINFORCE has the exact gradient."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from matwright.generation.rl.losses import advantages, imitation_loss, ppo_loss, reinforce_loss

numbers = st.integers(-30, 30).map(lambda tenths: tenths / 10)


def gradient(loss: object, log_prob: torch.Tensor, drawn: torch.Tensor, advantage: torch.Tensor) -> torch.Tensor:
    leaf = log_prob.clone().requires_grad_()
    loss(leaf, drawn, advantage, 0.2).backward()  # type: ignore[operator]
    return leaf.grad


@given(values=st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=6))
def test_at_ratio_one_both_losses_have_the_plain_policy_gradient(values: list[tuple[float, float, float]]) -> None:
    table = torch.tensor(values)
    log_prob, advantage = table[:, :2], table[:, 2]
    plain = -advantage[:, None].expand(-1, 2) / len(values)
    torch.testing.assert_close(gradient(ppo_loss, log_prob, log_prob, advantage), plain)
    torch.testing.assert_close(gradient(reinforce_loss, log_prob, log_prob, advantage), plain)


@given(move=st.floats(0.25, 2.0), advantage=st.floats(0.125, 3.0))
def test_beyond_the_clip_only_the_way_back_has_a_gradient(move: float, advantage: float) -> None:
    drawn, sizes = torch.zeros(1, 1), torch.tensor([advantage])
    up, down = torch.full((1, 1), move), torch.full((1, 1), -move)
    assert gradient(ppo_loss, up, drawn, sizes) == 0.0  # better already, and farther than the clip
    assert gradient(ppo_loss, down, drawn, -sizes) == 0.0  # worse already, and farther than the clip
    assert gradient(ppo_loss, up, drawn, -sizes) > 0.0  # the wrong way: minimising brings it back
    assert gradient(ppo_loss, down, drawn, sizes) < 0.0


def test_each_kind_of_choice_is_clipped_by_itself() -> None:
    found = gradient(ppo_loss, torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2), torch.tensor([1.0]))
    assert found.tolist() == [[0.0, -1.0]]


def test_the_policy_gradient_of_a_bandit_is_that_of_its_expected_reward() -> None:
    """Over all arms, weighted by their probability, E[A ∇log π] equals ∇E[R]."""
    logits = torch.tensor([0.3, -0.2, 0.9, 0.0], dtype=torch.float64, requires_grad=True)
    rewards = torch.tensor([1.0, 0.0, -2.0, 0.5], dtype=torch.float64)
    exact = torch.autograd.grad((logits.softmax(0) * rewards).sum(), logits)[0]
    weighted = logits.softmax(0).detach() * (rewards - 0.7) * 4  # any baseline; times n, since the loss is a mean
    loss = reinforce_loss(logits.log_softmax(0)[:, None], torch.zeros(4, 1), weighted, 0.2)
    torch.testing.assert_close(-torch.autograd.grad(loss, logits)[0], exact)


def test_advantages_have_a_baseline_of_the_others_and_unit_size() -> None:
    rewards = torch.tensor([1.0, 2.0, 3.0, 6.0])
    found = advantages(rewards)
    assert torch.isclose(found[0], (rewards[0] - rewards[1:].mean()) / rewards.std())
    assert torch.isclose(found.mean(), torch.tensor(0.0), atol=1e-6)
    assert advantages(torch.tensor([5.0])).tolist() == [0.0]
    assert advantages(torch.full((4,), 2.0)).tolist() == [0.0] * 4


def test_imitation_never_pushes_away() -> None:
    log_prob = torch.zeros(2, 1, requires_grad=True)
    imitation_loss(log_prob, torch.tensor([-1.0, 2.0])).backward()
    assert log_prob.grad is not None
    assert log_prob.grad[:, 0].tolist() == [0.0, -1.0]
