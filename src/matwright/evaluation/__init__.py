"""Judging predictions and generated crystals: metrics as pure functions, and their pictures."""
