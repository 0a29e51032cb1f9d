"""The main job: from wanted properties to ranked candidates, each with its evidence."""

from matwright.api.design.records import DesignRecord, Measurement, Rung
from matwright.api.design.result import DesignResult
from matwright.api.design.run import design
from matwright.api.design.settings import DesignSettings

__all__ = ["DesignRecord", "DesignResult", "DesignSettings", "Measurement", "Rung", "design"]
