"""Domain scores of materials whose place is known: at home, of a new element, far off in embedding space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.interface import BatchPrediction, bare_prediction
from matwright.uncertainty import domain
from matwright.uncertainty.domain import DomainReference, Places, with_domain

ENERGY = PropertySpec(name="energy", unit="eV/atom")
ELEMENTS, KNOWN = 12, 10


def places(n: int, seed: int) -> Places:
    """Ternary mixtures of the first ten elements, and embeddings that know nothing of them."""
    rng = np.random.default_rng(seed)
    fractions = np.zeros((n, ELEMENTS), np.float32)
    for row in fractions:
        row[rng.choice(KNOWN, 3, replace=False)] = rng.dirichlet(np.ones(3))
    return Places(embedding=rng.normal(size=(n, 8)).astype(np.float32), fractions=fractions)


@pytest.fixture(scope="module")
def reference() -> DomainReference:
    return DomainReference.fit(places(3000, 0), places(1000, 1), np.random.default_rng(0))


def score(reference: DomainReference, where: Places) -> np.ndarray:
    return reference.score(reference.distances(where))


def test_the_score_is_uniform_at_home(reference: DomainReference) -> None:
    found = score(reference, places(1000, 2))
    assert np.abs(np.quantile(found, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.07


def test_what_is_far_in_either_way_is_marked(reference: DomainReference) -> None:
    home = places(200, 3)
    away = replace(home, embedding=home.embedding + 20)
    assert (score(reference, away) == 1).all()
    fractions = home.fractions.copy()
    fractions[:, KNOWN] = 1.0  # half of each material is an element that training has never seen
    strange = replace(home, fractions=fractions / fractions.sum(1, keepdims=True))
    assert (score(reference, strange) > 0.95).all()
    assert score(reference, home).mean() < 0.6


def test_distances_of_compositions_by_hand() -> None:
    train = Places(
        embedding=np.array([[0.0], [1.0]], np.float32), fractions=np.array([[1, 0, 0], [0.5, 0.5, 0]], np.float32)
    )
    reference = DomainReference.fit(train, train, np.random.default_rng(0))
    asked = Places(
        embedding=np.array([[0.0], [0.0]], np.float32), fractions=np.array([[0, 0, 1], [1, 0, 0]], np.float32)
    )
    found = reference.distances(asked)
    half = np.sqrt(0.5)
    first, second, never = 1 / ((1 - half) / 2), 1 / (half / 2), 1 / 0.01  # w² from the deviation of two values
    apart = np.sqrt(first * (1 - half) ** 2 + second * half**2)
    of_new = [np.sqrt(never + first * half**2 + second * half**2), np.sqrt(never + first)]
    np.testing.assert_allclose(found[:, 0], [min(of_new), 0.0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[:, 1], 1.0, rtol=1e-3)  # 0 and 2 deviations away
    of_two = replace(reference, near=3).distances(asked)  # as in models of before; there are two
    np.testing.assert_allclose(of_two[:, 0], [np.mean(of_new), apart / 2], rtol=1e-5)


def test_polymorphs_count_once_and_large_data_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    one = places(300, 0)
    doubled = Places(embedding=np.tile(one.embedding, (2, 1)), fractions=np.tile(one.fractions, (2, 1)))
    reference = DomainReference.fit(doubled, one, np.random.default_rng(0))
    assert reference.roots.shape == (300, ELEMENTS)
    monkeypatch.setattr(domain, "MAX_SAMPLE", 100)
    thin = DomainReference.fit(doubled, one, np.random.default_rng(0))
    assert thin.sample.shape == (100, 8)
    assert thin.roots.shape == (100, ELEMENTS)
    same = DomainReference.fit(doubled, one, np.random.default_rng(0))
    np.testing.assert_array_equal(thin.held_out, same.held_out)


def test_one_composition_in_many_states() -> None:
    """Alloys of one composition differ by their processing alone: then another composition is what is odd."""
    rng = np.random.default_rng(0)
    fractions = np.tile(np.array([[0.5, 0.5, 0.0]], np.float32), (400, 1))
    same = Places(embedding=rng.normal(size=(400, 4)).astype(np.float32), fractions=fractions)
    reference = DomainReference.fit(same.at(np.arange(300)), same.at(np.arange(300, 400)), rng)
    new = Places(embedding=same.embedding[300:], fractions=np.tile(np.array([[0, 0, 1]], np.float32), (100, 1)))
    assert (score(reference, new) == 1).all()
    assert 0.3 < score(reference, same.at(np.arange(300, 400))).mean() < 0.7


def test_a_composition_between_known_ones_is_not_unlike_them() -> None:
    """A grid of mixtures, each measured in many states, divided at random: all held-out compositions are known."""
    rng = np.random.default_rng(0)

    def mixtures(shares: np.ndarray) -> Places:
        fractions = np.stack([shares, 1 - shares, 0 * shares], axis=1).astype(np.float32)
        return Places(embedding=rng.normal(size=(len(shares), 4)).astype(np.float32), fractions=fractions)

    grid = np.linspace(0.2, 0.8, 13)
    reference = DomainReference.fit(mixtures(rng.choice(grid, 400)), mixtures(rng.choice(grid, 100)), rng)
    assert np.mean(score(reference, mixtures(np.full(100, 0.475))) > 0.95) < 0.2
    assert np.mean(score(reference, mixtures(rng.choice(grid, 100))) > 0.95) < 0.2
    assert (score(reference, mixtures(np.full(100, 0.01))) > 0.95).all()


def test_a_known_composition_is_known_whatever_its_last_digit() -> None:
    shares = np.array([0.0025, 0.0245, 0.0615, 0.3], np.float32)
    train = Places(embedding=np.eye(4, dtype=np.float32), fractions=np.stack([shares, 1 - shares], axis=1))
    reference = DomainReference.fit(train, train, np.random.default_rng(0))
    apart = reference.spacing(train, train)[:, 0]
    near = [np.delete(train.fractions, row, axis=0) for row in range(4)]
    roots = [np.sqrt(others) - np.sqrt(own) for others, own in zip(near, train.fractions, strict=True)]
    expected = [np.sqrt(((root * reference.weights) ** 2).sum(1)).min() for root in roots]
    np.testing.assert_allclose(apart, expected, rtol=2e-2)


def test_few_held_out_records_are_joined_by_parts_of_the_training() -> None:
    train, few, new = places(1000, 0), places(8, 1), places(1000, 2)
    parts = np.arange(1000) % 10
    joined = DomainReference.fit(train, few, np.random.default_rng(0), parts)
    alone = DomainReference.fit(train, few, np.random.default_rng(0))
    assert (len(alone.held_out), len(joined.held_out)) == (8, 1008)
    at = [0.1, 0.5, 0.9]
    off = [np.abs(np.quantile(score(one, new), at) - at).max() for one in (joined, alone)]
    assert off[0] < 0.07 < off[1]
    found = joined.between_parts(train, parts)
    others = DomainReference.fit(train.at(parts != 3), few, np.random.default_rng(0))
    same = replace(others, centre=joined.centre, scale=joined.scale, weights=joined.weights)
    same = replace(same, sample=domain.half_precision((train.embedding[parts != 3] - same.centre) / same.scale))
    np.testing.assert_allclose(found[parts == 3], same.distances(train.at(parts == 3)), rtol=1e-5)
    with pytest.raises(InputError, match="one part"):
        joined.between_parts(train, parts * 0)


def test_predictions_get_score_and_distance(reference: DomainReference) -> None:
    where = places(5, 4)
    plain = BatchPrediction(properties={"energy": bare_prediction(ENERGY, np.zeros(5))}, embedding=where.embedding)
    found = with_domain(plain, where.fractions, reference)
    np.testing.assert_array_equal(found.properties["energy"].domain_score, score(reference, where))
    assert found.distance is not None
    np.testing.assert_array_equal(found.distance, reference.distances(where)[:, 1])
    assert plain.distance is None


def test_nothing_to_compare_with() -> None:
    with pytest.raises(InputError, match="needs embeddings"):
        DomainReference.fit(places(0, 0), places(3, 0), np.random.default_rng(0))
