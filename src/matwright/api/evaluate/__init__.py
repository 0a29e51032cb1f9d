"""Evaluate: what generated crystals are worth beside a reference set, every number with the settings it depends on."""
