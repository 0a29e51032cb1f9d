"""Symmetry-true sequences, generators and their baselines."""
