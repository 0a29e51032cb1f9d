"""The cascade from cheap rules to interatomic potentials; every rung leaves a verdict with its reason."""
