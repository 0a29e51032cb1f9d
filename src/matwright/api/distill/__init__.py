"""Distill: a trained model in a few short formulas of physical descriptors, each with its errors."""

from matwright.api.distill.files import PAGE_FILE, TABLE_FILE, read_formulas
from matwright.api.distill.result import DistillResult, DistillSettings, JudgedFormula
from matwright.api.distill.run import distill
from matwright.api.distill.table import table_of

__all__ = [
    "PAGE_FILE",
    "TABLE_FILE",
    "DistillResult",
    "DistillSettings",
    "JudgedFormula",
    "distill",
    "read_formulas",
    "table_of",
]
