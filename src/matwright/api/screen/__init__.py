"""Screening of given crystals: the cascade from cheap rules to phonons, every verdict kept."""

from matwright.api.screen.inputs import Inputs
from matwright.api.screen.run import screen
from matwright.api.screen.settings import RUNGS, ScreenSettings

__all__ = ["RUNGS", "Inputs", "ScreenSettings", "screen"]
