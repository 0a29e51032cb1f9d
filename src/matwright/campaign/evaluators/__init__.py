"""Evaluators of every fidelity behind one protocol."""
