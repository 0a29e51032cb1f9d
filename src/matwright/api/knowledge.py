"""What a model knows of its targets: how the training values are spread, and how large held-out errors are where."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec

if TYPE_CHECKING:
    from matwright.models.interface import Prediction

FACTS = "targets"
"""Under this name the facts of a model hold what it knows of its targets, by property."""
LEVELS = (0.0, 0.005, 0.01, 0.02, *(round(0.05 * step, 2) for step in range(1, 20)), 0.98, 0.99, 0.995, 1.0)
"""Shares of the training values below each kept quantile."""
EDGE_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
"""Quantiles of the training values at which the held-out errors are told apart,"""
EVEN_EDGES = 9
"""and as many values evenly between the lowest and the highest hundredth, for values that crowd at one end."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegionErrors:
    """Held-out records whose predicted value lies in a range.

    Attributes:
        lower, upper: the range, whole bins that hold the one asked for; infinite at the ends.
        n: records predicted in it.
        mae, bias: mean absolute error, and mean of predicted minus true value, of these; NaN for none.
        coverage: share of these whose interval holds the true value; NaN for none, or without intervals.
        n_true: records whose true value lies in it; of these `n_found` are predicted in it too.
    """

    lower: float
    upper: float
    n: int
    mae: float
    bias: float
    coverage: float
    n_true: int
    n_found: int


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetKnowledge:
    """What a model knows of one property.

    Attributes:
        unit: of all values.
        n: training records with a known value.
        values: (n_levels,) quantiles of their values at LEVELS.
        part: which held-out part the errors are of, "test" or "validation".
        edges: (n_bins - 1,) rising values between the bins.
        counts: (n_bins, n_bins) records by bin of the true (rows) and of the predicted value (columns).
        absolute, signed: (n_bins,) sums over the records predicted in each bin of |error| and of predicted - true.
        covered: (n_bins,) how many of them lie in their interval, at `level`; None where the model gives none.
        level: nominal coverage of the intervals.
    """

    unit: str
    n: int
    values: NDArray[np.float64]
    part: str
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    absolute: NDArray[np.float64]
    signed: NDArray[np.float64]
    covered: NDArray[np.int64] | None
    level: float

    @classmethod
    def measured(
        cls, spec: PropertySpec, trained: NDArray[np.float64], part: str, truth: NDArray[np.float64], found: Prediction
    ) -> Self:
        """What the training values (n,) and predictions with known values (m,) of a held-out part say; NaN: missing.

        Raises:
            InputError: no training value is known.
        """
        known = trained[~np.isnan(trained)]
        if len(known) == 0:
            raise InputError(f"{spec.name} has no known value in the training part")
        edges = _edges(known)
        there = ~np.isnan(truth) & np.isfinite(found.mean)
        error, n_bins = (found.mean - truth)[there], len(edges) + 1
        rows, columns = (np.searchsorted(edges, one[there], side="right") for one in (truth, found.mean))
        bounded = bool(np.isfinite(found.lower[there]).all()) and there.any()
        inside = (truth >= found.lower) & (truth <= found.upper)
        counts = np.zeros((n_bins, n_bins), dtype=np.int64)
        np.add.at(counts, (rows, columns), 1)
        return cls(
            unit=spec.unit,
            n=len(known),
            values=np.quantile(known, LEVELS),
            part=part,
            edges=edges,
            counts=counts,
            absolute=np.bincount(columns, np.abs(error), n_bins).astype(np.float64),
            signed=np.bincount(columns, error, n_bins).astype(np.float64),
            covered=np.bincount(columns, inside[there], n_bins).astype(np.int64) if bounded else None,
            level=found.level,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: numbers to six significant digits, each row of the counts as one text."""
        return {
            "unit": self.unit,
            "n": self.n,
            "quantiles": _plain(self.values),
            "part": self.part,
            "edges": _plain(self.edges),
            "counts": [" ".join(map(str, row)) for row in self.counts.tolist()],
            "absolute": _plain(self.absolute),
            "signed": _plain(self.signed),
            "covered": None if self.covered is None else self.covered.tolist(),
            "level": None if self.covered is None else self.level,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """What `as_dict` gave.

        Raises:
            InputError: something is missing or of another shape.
        """
        try:
            made = cls(
                unit=str(content["unit"]),
                n=int(content["n"]),
                values=np.array(content["quantiles"], dtype=np.float64),
                part=str(content["part"]),
                edges=np.array(content["edges"], dtype=np.float64),
                counts=np.array([[int(word) for word in row.split()] for row in content["counts"]], dtype=np.int64),
                absolute=np.array(content["absolute"], dtype=np.float64),
                signed=np.array(content["signed"], dtype=np.float64),
                covered=None if content["covered"] is None else np.array(content["covered"], dtype=np.int64),
                level=math.nan if content["level"] is None else float(content["level"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"what the model knows of its targets cannot be read: {error!r}") from error
        n_bins = len(made.edges) + 1
        sums = [one.shape for one in (made.absolute, made.signed, made.covered) if one is not None]
        if (made.values.shape, made.counts.shape) != ((len(LEVELS),), (n_bins, n_bins)) or set(sums) != {(n_bins,)}:
            raise InputError("what the model knows of its targets has numbers of another shape")
        return made

    @property
    def n_held_out(self) -> int:
        """Held-out records with a known value."""
        return int(self.counts.sum())

    @property
    def mae(self) -> float:
        """Mean absolute error over all held-out records; NaN for none."""
        return float(self.absolute.sum() / self.n_held_out) if self.n_held_out else math.nan

    def share_below(self, value: float) -> float:
        """Share of the training values below `value`, between the quantiles along straight lines."""
        if value <= self.values[0]:
            return 0.0
        if value > self.values[-1]:
            return 1.0
        levels, first = np.array(LEVELS), int(np.searchsorted(self.values, value, side="left"))
        low, high = self.values[first - 1], self.values[first]
        return float(levels[first - 1] + (levels[first] - levels[first - 1]) * (value - low) / (high - low))

    def share_within(self, lower: float | None, upper: float | None) -> float:
        """Share of the training values from `lower` to `upper`, bounds included; None: no bound."""
        above = 0.0 if lower is None else self.share_below(lower)
        return max(self._share_up_to(upper) - above, 0.0)

    def _share_up_to(self, upper: float | None) -> float:
        """Share of the values of at most `upper`; values that occur often stand for a run of quantiles."""
        if upper is None or upper >= self.values[-1]:
            return 1.0
        same = np.flatnonzero(self.values == upper)
        return LEVELS[int(same[-1])] if len(same) else self.share_below(upper)

    def region(self, lower: float | None, upper: float | None) -> RegionErrors:
        """The held-out errors of the bins that touch the range from `lower` to `upper`."""
        ends = np.concatenate([[-np.inf], self.edges, [np.inf]])
        first = 0 if lower is None else int(np.searchsorted(self.edges, lower, side="right"))
        last = len(self.edges) if upper is None else int(np.searchsorted(self.edges, upper, side="left"))
        chosen = slice(first, max(last, first) + 1)
        n = int(self.counts[:, chosen].sum())
        return RegionErrors(
            lower=float(ends[first]),
            upper=float(ends[chosen.stop]),
            n=n,
            mae=float(self.absolute[chosen].sum() / n) if n else math.nan,
            bias=float(self.signed[chosen].sum() / n) if n else math.nan,
            coverage=float(self.covered[chosen].sum() / n) if n and self.covered is not None else math.nan,
            n_true=int(self.counts[chosen].sum()),
            n_found=int(self.counts[chosen, chosen].sum()),
        )


def _edges(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rising values between bins: quantiles, and even ones where no quantile is near."""
    edges = np.unique(np.quantile(known, EDGE_LEVELS))
    low, high = np.quantile(known, (0.01, 0.99)).tolist()
    even = np.linspace(low, high, EVEN_EDGES)
    far = np.abs(even[:, None] - edges[None, :]).min(axis=1) > 0.5 * (high - low) / EVEN_EDGES
    return np.unique(np.concatenate([edges, even[far]]))


def _plain(numbers: NDArray[np.float64]) -> list[float]:
    return [float(f"{number:.6g}") for number in numbers.tolist()]


def target_facts(
    specs: Sequence[PropertySpec],
    trained: NDArray[np.float64],
    part: str,
    truth: NDArray[np.float64],
    predictions: Mapping[str, Prediction],
) -> dict[str, Any]:
    """What a model knows of each numeric target, as plain values for JSON.

    Args:
        specs: one a column of `trained` and `truth`.
        trained: (n_train, n_targets) values of the training part, NaN where missing.
        part: "test" or "validation".
        truth: (n, n_targets) values of this held-out part, NaN where missing.
        predictions: of the held-out part, with intervals, by property.
    """
    return {
        spec.name: TargetKnowledge.measured(
            spec, trained[:, column], part, truth[:, column], predictions[spec.name]
        ).as_dict()
        for column, spec in enumerate(specs)
        if not spec.classes and spec.name in predictions and not np.isnan(trained[:, column]).all()
    }


def read_knowledge(facts: Mapping[str, Any]) -> dict[str, TargetKnowledge]:
    """What the facts of a model say of its targets, by property; nothing for a model that was made before they did.

    Raises:
        InputError: it is broken.
    """
    content = facts.get(FACTS) or {}
    return {str(name): TargetKnowledge.from_dict(entry) for name, entry in content.items()}
