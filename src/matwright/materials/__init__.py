"""Frozen values: crystals, molecules, compositions, conditions, properties, targets, constraints."""
