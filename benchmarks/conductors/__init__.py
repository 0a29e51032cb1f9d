"""Structures and report of the benchmark of Li-ion conductors."""
