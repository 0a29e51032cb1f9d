"""A whole design run on the toy pipeline, as its own process: `python toy_design.py OUT [--resume]`."""

from __future__ import annotations

import sys

from toy import FormulaPredictor, PrototypeGenerator

from matwright.api.design import DesignResult, DesignSettings, design
from matwright.materials.constraints import Constraints
from matwright.materials.target import parse_target
from matwright.screening.limits import HullLimits, RelaxationLimits
from matwright.screening.thresholds import Thresholds

SETTINGS = DesignSettings(
    targets=(parse_target("bulk_modulus>=40 GPa"), parse_target("minimise e_above_hull")),
    constraints=Constraints(allowed=frozenset({3, 11, 12, 13, 20, 21, 22, 30, 8, 9, 16, 17})),
    budget=6,
    pool=160,
    max_steps=25,
    per_formula=1,
    thresholds=Thresholds(
        hull=HullLimits(max_e_above_hull=1.0), relaxation=RelaxationLimits(max_fmax=1.0, max_smax=20.0)
    ),
)


def run(out: str, *, resume: bool = False, workers: int = 1) -> DesignResult:
    """The run every test compares with."""
    predictors = {"toy": FormulaPredictor()}
    return design(SETTINGS, out, resume=resume, workers=workers, generator=PrototypeGenerator(), predictors=predictors)


if __name__ == "__main__":
    try:
        run(sys.argv[1], resume="--resume" in sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)
