"""Reinforcement learning of a generator towards targets, from the command line and from Python."""

from matwright.api.optimise.result import OptimiseResult
from matwright.api.optimise.run import optimise
from matwright.api.optimise.settings import OptimiseSettings

__all__ = ["OptimiseResult", "OptimiseSettings", "optimise"]
