"""COV: how much of a reference set generated crystals come near (recall), how many of them are near it (precision).

T. Xie et al., ICLR 2022 (CDVAE). Two crystals are near when their structure fingerprints lie within one cut-off and
their composition fingerprints within another; as published, the nearest by structure and the nearest by composition may
be two different crystals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CutOffs:
    """Largest distance of fingerprints, no unit, at which two crystals are near: structure, composition."""

    structure: float
    composition: float


CUT_OFFS: Mapping[str, CutOffs] = {
    "mp-20": CutOffs(structure=0.4, composition=10.0),
    "perov-5": CutOffs(structure=0.2, composition=4.0),
    "carbon-24": CutOffs(structure=0.2, composition=4.0),
}
"""The published cut-offs, by data set."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fingerprints:
    """Fingerprints of n crystals; a row of NaN where one could not be computed.

    Attributes:
        structure: (n, n_structure).
        composition: (n, n_composition).
    """

    structure: Floats
    composition: Floats

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(n,) whether both could be computed."""
        return np.asarray(np.isfinite(self.structure).all(1) & np.isfinite(self.composition).all(1))

    def scaled_by(self, reference: Fingerprints) -> Fingerprints:
        """With compositions standardised by the mean and spread of the reference's; constant columns stay at zero."""
        known = reference.composition[np.isfinite(reference.composition).all(1)]
        spread = known.std(0)
        scaled = (self.composition - known.mean(0)) / np.where(spread > 0, spread, 1.0)
        return Fingerprints(structure=self.structure, composition=np.where(spread > 0, scaled, 0.0 * scaled))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """COV of n_generated crystals against n_reference ones.

    Attributes:
        recall: share of the reference that has a generated crystal near.
        precision: share of all generated crystals (those without a fingerprint count) near one of the reference.
        mean_recall_distance, mean_precision_distance: (structure, composition) mean distance to the nearest.
        without_fingerprint: generated crystals without one, and reference crystals without one (left out).
    """

    recall: float
    precision: float
    mean_recall_distance: tuple[float, float]
    mean_precision_distance: tuple[float, float]
    without_fingerprint: tuple[int, int]
    n_generated: int
    n_reference: int


def coverage(generated: Fingerprints, reference: Fingerprints, cut: CutOffs) -> Coverage:
    """COV recall and precision; compositions are standardised by the reference first."""
    own = _of(generated.scaled_by(reference), generated.usable)
    other = _of(reference.scaled_by(reference), reference.usable)
    structure = _distances(own.structure, other.structure)
    composition = _distances(own.composition, other.composition)
    n_generated, n_reference = len(generated.usable), len(other.structure)
    missing = (n_generated - len(own.structure), len(reference.usable) - n_reference)
    if not len(own.structure) or not n_reference:
        none = (float("nan"), float("nan"))
        return Coverage(
            recall=0.0, precision=0.0, mean_recall_distance=none, mean_precision_distance=none,
            without_fingerprint=missing, n_generated=n_generated, n_reference=n_reference,
        )  # fmt: skip
    near = [(structure.min(axis), composition.min(axis)) for axis in (0, 1)]
    hits = [(s <= cut.structure) & (c <= cut.composition) for s, c in near]
    means = [(float(s.mean()), float(c.mean())) for s, c in near]
    return Coverage(
        recall=float(hits[0].mean()),
        precision=float(hits[1].sum() / n_generated),
        mean_recall_distance=means[0],
        mean_precision_distance=means[1],
        without_fingerprint=missing,
        n_generated=n_generated,
        n_reference=n_reference,
    )


def _of(fingerprints: Fingerprints, rows: NDArray[np.bool_]) -> Fingerprints:
    return Fingerprints(structure=fingerprints.structure[rows], composition=fingerprints.composition[rows])


def _distances(first: Floats, second: Floats) -> Floats:
    """(n, m) Euclidean distances."""
    from scipy.spatial.distance import cdist  # heavy: behind its door

    return np.asarray(cdist(first, second))
