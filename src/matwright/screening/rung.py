"""One rung of a candidate's climb: what was measured, judged and said.

A rung is one step from proposal to evidence (uniqueness, rules, surrogate, relaxation, hull, elastic constants …):
numbers with units, verdicts with residual and threshold, and the code and version that produced them. Nothing here
knows which rungs exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from matwright import __version__
from matwright.screening.limits import ResidualLimits
from matwright.screening.residual import STRICT, culprit
from matwright.screening.verdict import Verdict


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number that a rung found out.

    Attributes:
        name: for instance "bulk_modulus", "e_above_hull", "volume_per_atom".
        value: the number, in `unit`; None when the rung could not find it.
        unit: for instance "GPa"; "1" for a pure number.
        lower, upper: interval around the value at `level`, None where the rung gives no interval.
        level: nominal coverage of the interval, for instance 0.9.
    """

    name: str
    value: float | None
    unit: str
    lower: float | None = None
    upper: float | None = None
    level: float | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What one step measured and decided for one candidate.

    Attributes:
        name: name of the step, unique within a record.
        passed: whether the candidate goes on to the next rung.
        reason: one sentence when it does not pass (also a remark where it does); empty when there is nothing to say.
        verdicts: one per rule that was applied, each with residual, threshold and reason.
        measurements: the numbers found, each with its unit.
        code, version: what computed them, for instance "chgnet 0.3.0" of package version "0.4.2".
        seconds: wall-clock time spent on this candidate here; it takes no part in tables that must repeat exactly.
    """

    name: str
    passed: bool
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    code: str = "matwright"
    version: str = ""
    seconds: float = 0.0

    def measured(self, name: str) -> Measurement | None:
        """The measurement of that name, or None when this rung did not take it."""
        return next((m for m in self.measurements if m.name == name), None)


def judged(
    name: str,
    verdicts: Sequence[Verdict],
    measurements: Sequence[Measurement] = (),
    *,
    before: Sequence[Verdict] = (),
    residual: ResidualLimits = STRICT,
    code: str = "matwright",
    version: str = __version__,
    seconds: float = 0.0,
) -> Rung:
    """A rung that passes when the total residual stays within ε (E32); at ε = 0, when all verdicts do.

    Its reason is that of the verdict with which ε was exceeded; a verdict that failed within ε is a remark.

    Args:
        name: of the rung.
        verdicts: of this rung.
        measurements: of this rung.
        before: verdicts of the rungs below, whose residuals count too.
        residual: ε and the weights.
        code, version: what computed the numbers.
        seconds: wall time of this candidate on this rung.
    """
    beyond = culprit([*before, *verdicts], residual)
    remark = next((f"{v.reason} (within ε or without weight)" for v in verdicts if not v.passed), "")
    return Rung(
        name=name,
        passed=beyond is None,
        reason=remark if beyond is None else beyond.reason,
        verdicts=tuple(verdicts),
        measurements=tuple(measurements),
        code=code,
        version=version,
        seconds=seconds,
    )


def broken(
    name: str, reason: str, *, code: str = "matwright", version: str = __version__, seconds: float = 0.0
) -> Rung:
    """A rung that could not be climbed because the calculation failed."""
    return Rung(name=name, passed=False, reason=reason, code=code, version=version, seconds=seconds)


def rung_to_json(rung: Rung) -> dict[str, Any]:
    """A rung as JSON values."""
    return {
        "name": rung.name,
        "passed": rung.passed,
        "reason": rung.reason,
        "verdicts": [plain_fields(verdict) for verdict in rung.verdicts],
        "measurements": [plain_fields(measurement) for measurement in rung.measurements],
        "code": rung.code,
        "version": rung.version,
        "seconds": rung.seconds,
    }


def rung_from_json(data: Mapping[str, Any]) -> Rung:
    """The rung written by `rung_to_json`."""
    return Rung(
        **{
            **data,
            "verdicts": tuple(Verdict(**verdict) for verdict in data["verdicts"]),
            "measurements": tuple(Measurement(**measurement) for measurement in data["measurements"]),
        }
    )


def plain_fields(value: Any) -> dict[str, Any]:
    """The fields of a frozen dataclass, one level deep."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
