"""A map of materials as a model sees them: two coordinates, clusters and outliers of their embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.rng import derive_seed

MIN_MATERIALS = 5
VARIANCE = 0.95
"""Share of the variance of the standardised embeddings that the leading components keep."""
PERPLEXITY = 30.0
CLUSTER_SHARE, SMALLEST_CLUSTER, LARGEST_SHARE = 0.01, 5, 0.2
"""A cluster holds at least this share of the materials and this many, and at most that share where there are many."""
LOCAL_NEIGHBOURS, SPARSE = 20, 2.0
"""A material is a local outlier where its surroundings are this many times sparser than those of its neighbours."""


@final
class Projection(StrEnum):
    """TSNE keeps neighbours together; PCA keeps the directions in which the materials differ most."""

    TSNE = "tsne"
    PCA = "pca"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddingMap:
    """Where n materials lie.

    Attributes:
        projection: how the coordinates were made.
        coordinates: (n, 2) float64, no unit.
        clusters: (n,) int64, 1 for the largest cluster of the map, 2 for the next …; 0 for materials in none.
        local_factor: (n,) float64, local outlier factor among the n materials, about 1 inside a cloud.
        components: how many principal components keep `VARIANCE`.
        kept: share of the variance of the embeddings that lies along the two coordinates of a PCA; NaN for t-SNE.
    """

    projection: Projection
    coordinates: NDArray[np.float64]
    clusters: NDArray[np.int64]
    local_factor: NDArray[np.float64]
    components: int
    kept: float

    @property
    def is_local_outlier(self) -> NDArray[np.bool_]:
        """(n,) whether a material lies alone."""
        return self.local_factor >= SPARSE


def draw_map(
    embeddings: NDArray[np.floating], *, projection: Projection = Projection.TSNE, seed: int = 0
) -> EmbeddingMap:
    """Return the map of (n, width) embeddings; the same seed gives the same map.

    The embeddings are standardised and reduced to the leading principal components. Outliers are found among these
    (M. M. Breunig et al., SIGMOD 2000), clusters on the map itself (HDBSCAN; R. Campello et al., PAKDD 2013).

    Raises:
        InputError: there are fewer than five materials, or all are the same.
    """
    from sklearn.decomposition import PCA  # heavy: behind its door

    if len(embeddings) < MIN_MATERIALS:
        raise InputError(f"a map needs at least {MIN_MATERIALS} materials, found {len(embeddings)}")
    values = np.asarray(embeddings, dtype=np.float64)
    spread = values.std(axis=0)
    varying = spread > 1e-6 * max(float(spread.max()), 1e-6)
    if not varying.any():
        raise InputError("the model sees no difference between these materials: there is nothing to map")
    standard = (values[:, varying] - values[:, varying].mean(axis=0)) / spread[varying]
    reduction = PCA(svd_solver="full").fit(standard)
    shares = np.cumsum(reduction.explained_variance_ratio_)
    n_kept = max(2, int(np.searchsorted(shares, VARIANCE)) + 1)
    points = reduction.transform(standard)[:, :n_kept]
    coordinates = _coordinates(points, projection, seed)
    return EmbeddingMap(
        projection=projection,
        coordinates=coordinates,
        clusters=_clusters(coordinates),
        local_factor=_local_factor(points),
        components=points.shape[1],
        kept=float(shares[min(1, len(shares) - 1)]) if projection is Projection.PCA else float("nan"),
    )


def _coordinates(points: NDArray[np.float64], projection: Projection, seed: int) -> NDArray[np.float64]:
    if points.shape[1] == 1:
        points = np.column_stack([points, np.zeros(len(points))])
    if projection is Projection.PCA:
        return points[:, :2]
    from sklearn.manifold import TSNE  # heavy: behind its door

    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    state = derive_seed(seed, "map") % 2**32
    return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=state).fit_transform(points), np.float64)


def _clusters(coordinates: NDArray[np.float64]) -> NDArray[np.int64]:
    from sklearn.cluster import HDBSCAN  # heavy: behind its door

    least = max(SMALLEST_CLUSTER, round(CLUSTER_SHARE * len(coordinates)))
    most = max(10 * least, round(LARGEST_SHARE * len(coordinates)))
    model = HDBSCAN(min_cluster_size=least, max_cluster_size=most, min_samples=SMALLEST_CLUSTER, copy=True)
    found = model.fit_predict(coordinates)
    names, sizes = np.unique(found[found >= 0], return_counts=True)
    clusters = np.zeros(len(found), dtype=np.int64)
    for rank, name in enumerate(names[np.argsort(-sizes, kind="stable")], start=1):
        clusters[found == name] = rank
    return clusters


def _local_factor(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Repeated materials count once: a crowd of copies would make its neighbours look alone."""
    from sklearn.neighbors import LocalOutlierFactor  # heavy: behind its door

    distinct, place = np.unique(points.round(4), axis=0, return_inverse=True)
    if len(distinct) < MIN_MATERIALS:
        return np.ones(len(points))
    model = LocalOutlierFactor(n_neighbors=min(LOCAL_NEIGHBOURS, len(distinct) - 1)).fit(distinct)
    factors: NDArray[np.float64] = -model.negative_outlier_factor_[place.reshape(-1)]
    return factors
