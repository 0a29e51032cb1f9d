"""Powder diffraction: what a laboratory sees of a crystal, simulated and fitted (F1)."""
