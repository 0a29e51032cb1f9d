"""Reinforcement learning of the generator: policy, reward, REINFORCE and PPO in one loop (E28–E31)."""
