"""A map keeps neighbours, finds crowds and those that stand alone, and is the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.explain.maps import SPARSE, Projection, draw_map


def crowds(n: int = 40, width: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three crowds of n points and, last, one point far from all; with the crowd of each."""
    rng = np.random.default_rng(seed)
    centres = 10 * rng.normal(size=(3, width))
    points = np.concatenate([centre + rng.normal(size=(n, width)) for centre in centres])
    stranger = centres.mean(axis=0) + 25 * rng.normal(size=(1, width))
    return np.concatenate([points, stranger]), np.repeat([0, 1, 2, 3], [n, n, n, 1])


@pytest.mark.parametrize("projection", list(Projection))
def test_crowds_stay_together_and_become_clusters(projection: Projection) -> None:
    points, crowd = crowds()
    drawn = draw_map(points, projection=projection)
    assert drawn.coordinates.shape == (121, 2)
    distances = np.linalg.norm(drawn.coordinates[:120, None] - drawn.coordinates[None, :120], axis=2)
    nearest = np.argsort(distances, axis=1)[:, 1:6]
    assert (crowd[nearest] == crowd[:120, None]).mean() > 0.98
    for index in range(3):
        found = drawn.clusters[crowd == index]
        main = np.bincount(found).argmax()
        assert main > 0
        assert (found == main).mean() > 0.9
    sizes = np.bincount(drawn.clusters)[1:]
    assert (np.diff(sizes) <= 0).all()  # the first cluster is the largest


def test_a_stranger_stands_alone_and_members_do_not() -> None:
    points, _ = crowds()
    drawn = draw_map(points, projection=Projection.PCA)
    assert drawn.local_factor[-1] >= SPARSE
    assert drawn.is_local_outlier[:-1].mean() < 0.02


def test_the_same_seed_gives_the_same_map() -> None:
    points, _ = crowds(20)
    first, second = draw_map(points, seed=3), draw_map(points, seed=3)
    np.testing.assert_array_equal(first.coordinates, second.coordinates)
    np.testing.assert_array_equal(first.clusters, second.clusters)


def test_units_of_the_embedding_and_constant_columns_do_not_matter() -> None:
    points, _ = crowds(20)
    scaled = np.column_stack([points * np.logspace(-2, 2, points.shape[1]), np.full(len(points), 7.0)])
    plain, other = (draw_map(values, projection=Projection.PCA) for values in (points, scaled))
    np.testing.assert_allclose(np.abs(plain.coordinates), np.abs(other.coordinates), atol=1e-8)
    assert plain.kept == pytest.approx(other.kept)
    assert 0.5 < plain.kept < 1


def test_copies_do_not_make_their_neighbours_outliers() -> None:
    points, _ = crowds(30)
    copied = np.concatenate([points, np.repeat(points[:1], 60, axis=0)])
    drawn = draw_map(copied, projection=Projection.PCA)
    assert not drawn.is_local_outlier[:90].any()
    assert len(set(drawn.local_factor[91:].tolist())) == 1


@pytest.mark.parametrize("n", [5, 7])
def test_a_handful_is_enough(n: int) -> None:
    points = np.random.default_rng(0).normal(size=(n, 4))
    drawn = draw_map(points)
    assert np.isfinite(drawn.coordinates).all()
    assert np.isfinite(drawn.local_factor).all()


def test_what_cannot_be_mapped_is_refused() -> None:
    with pytest.raises(InputError, match="at least 5 materials, found 4"):
        draw_map(np.eye(4))
    with pytest.raises(InputError, match="no difference"):
        draw_map(np.ones((9, 3)))
