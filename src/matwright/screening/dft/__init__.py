"""Density functional theory: inputs from named settings, runs of real codes, and what went wrong where it did."""
