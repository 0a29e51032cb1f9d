"""COV: how much of a reference set generated crystals come near (recall), how many of them are near it (precision).

T. Xie et al., ICLR 2022 (CDVAE). Two crystals are near when their structure fingerprints lie within one cut-off and
their composition fingerprints within another; as published, the nearest by structure and the nearest by composition may
be two different crystals. The cut-off of the compositions is worth what the scale it is measured on is worth: the
published one is fixed, and a scale taken from the reference itself gives other numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BLOCK = 1000
"""Generated crystals whose distances to all of the reference are held at once."""
ROUNDING = 1e-9
"""Spread of a feature, as a share of its mean where that is above 1, up to which it counts as constant."""


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


class Scaling(StrEnum):
    """What composition fingerprints are standardised by before the cut-off is applied."""

    PUBLISHED = "published"
    REFERENCE = "reference"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompositionScale:
    """Mean and spread by which composition fingerprints are standardised.

    Attributes:
        mean, spread: (n_composition,) of each feature, in its own unit; an infinite spread leaves a feature out.
        source: where they come from, in words.
    """

    mean: Floats
    spread: Floats
    source: str

    @classmethod
    def of(cls, reference: Fingerprints) -> CompositionScale:
        """Mean and spread of the reference's own compositions; features that are constant there are left out.

        Constant is what differs by rounding alone: the same element in other amounts gives the last digit otherwise.
        """
        known = reference.composition[np.isfinite(reference.composition).all(1)]
        mean, spread = known.mean(0), known.std(0)
        varies = spread > ROUNDING * np.maximum(1.0, np.abs(mean))
        return cls(mean=mean, spread=np.where(varies, spread, np.inf), source="the reference")

    def standardised(self, composition: Floats) -> Floats:
        """(n, n_composition) without unit, from features in their own units."""
        return np.asarray((composition - self.mean) / self.spread)


@lru_cache(maxsize=1)
def published_scale() -> CompositionScale:
    """The fixed scale of CDVAE, in the order of matminer's Magpie features; source: `data/tables/README.md`."""
    table = resources.files("matwright.data") / "tables" / "magpie_scale.csv"
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    mean, spread = (np.array([float(row[column]) for row in rows]) for column in ("mean", "spread"))
    return CompositionScale(mean=mean, spread=spread, source="the fixed constants published with CDVAE")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """COV of n_generated crystals against n_reference ones.

    Attributes:
        recall: share of the reference that has a generated crystal near.
        precision: share of all generated crystals (those without a fingerprint count) near one of the reference.
        by_structure, by_composition: (recall, precision) where only that part has to be near: what limits COV.
        mean_recall_distance, mean_precision_distance: (structure, composition) mean distance to the nearest.
        without_fingerprint: generated crystals without one, and reference crystals without one (left out).
        scale: what the compositions were standardised by, in words.
    """

    recall: float
    precision: float
    by_structure: tuple[float, float]
    by_composition: tuple[float, float]
    mean_recall_distance: tuple[float, float]
    mean_precision_distance: tuple[float, float]
    without_fingerprint: tuple[int, int]
    n_generated: int
    n_reference: int
    scale: str


def coverage(
    generated: Fingerprints, reference: Fingerprints, cut: CutOffs, scale: CompositionScale | None = None
) -> Coverage:
    """COV recall and precision on a scale of compositions; None: that of the reference (`CompositionScale.of`)."""
    scale = scale or CompositionScale.of(reference)
    own, other = generated.usable, reference.usable
    n_generated, n_found, n_reference = len(own), int(own.sum()), int(other.sum())
    missing = (n_generated - n_found, len(other) - n_reference)
    if not n_found or not n_reference:
        nowhere, none = (float("nan"), float("nan")), (0.0, 0.0)
        return Coverage(
            recall=0.0, precision=0.0, by_structure=none, by_composition=none, mean_recall_distance=nowhere,
            mean_precision_distance=nowhere, without_fingerprint=missing, n_generated=n_generated,
            n_reference=n_reference, scale=scale.source,
        )  # fmt: skip
    structure = _nearest(generated.structure[own], reference.structure[other])
    composition = _nearest(
        scale.standardised(generated.composition[own]), scale.standardised(reference.composition[other])
    )
    alike = [one <= cut.structure for one in structure]
    akin = [one <= cut.composition for one in composition]
    return Coverage(
        recall=float((alike[0] & akin[0]).mean()),
        precision=float((alike[1] & akin[1]).sum() / n_generated),
        by_structure=(float(alike[0].mean()), float(alike[1].sum() / n_generated)),
        by_composition=(float(akin[0].mean()), float(akin[1].sum() / n_generated)),
        mean_recall_distance=(float(structure[0].mean()), float(composition[0].mean())),
        mean_precision_distance=(float(structure[1].mean()), float(composition[1].mean())),
        without_fingerprint=missing,
        n_generated=n_generated,
        n_reference=n_reference,
        scale=scale.source,
    )


def _nearest(generated: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Euclidean distance of each reference row (m,) to the nearest generated one, and of each generated row (n,)."""
    from scipy.spatial.distance import cdist  # heavy: behind its door

    recalled, precise = np.full(len(reference), np.inf), []
    for start in range(0, len(generated), BLOCK):
        block = np.asarray(cdist(generated[start : start + BLOCK], reference))
        recalled = np.minimum(recalled, block.min(0))
        precise.append(block.min(1))
    return recalled, np.concatenate(precise)
