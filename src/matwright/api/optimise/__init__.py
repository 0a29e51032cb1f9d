"""Reinforcement learning of a generator towards targets, from the command line and from Python."""
