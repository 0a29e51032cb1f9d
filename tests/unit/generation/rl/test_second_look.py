"""The second look: who gets one, what several looks add up to, and what a shaken crystal is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matwright.generation.rl.second_look import SHIFT, STRETCH, SecondLook, pooled, shaken
from matwright.generation.wyckoff.decode import CrystalArrays
from matwright.materials.properties import PropertySpec
from matwright.materials.target import parse_target
from matwright.models.interface import Prediction, bare_prediction

SIZE = PropertySpec(name="size", unit="1")
KNOWN = {SIZE.name: SIZE}
TARGETS = (parse_target("size>=50", KNOWN),)


class Size:
    """A `Surrogate` of the volume of the cell, off by a constant; it counts what it is asked."""

    def __init__(self, off: float = 0.0, sigma: float = 1.0) -> None:
        self._off, self._sigma, self.asked = off, sigma, 0

    @property
    def specs(self) -> Mapping[str, PropertySpec]:
        return KNOWN

    def predict(self, crystals: CrystalArrays) -> Mapping[str, Prediction]:
        self.asked += len(crystals)
        volume = np.abs(np.linalg.det(crystals.lattices)) + self._off
        return {SIZE.name: replace(bare_prediction(SIZE, volume), epistemic=np.full(len(volume), self._sigma))}


def cubes(volumes: list[float]) -> CrystalArrays:
    n = len(volumes)
    return CrystalArrays(
        lattices=np.eye(3) * np.cbrt(volumes)[:, None, None],
        frac_coords=np.zeros((2 * n, 3)),
        numbers=np.full(2 * n, 6),
        offsets=np.arange(0, 2 * n + 1, 2),
    )


def test_only_what_comes_near_is_looked_at_again() -> None:
    first, second = Size(), Size(off=10.0)
    found = SecondLook(first, second, TARGETS, copies=0).predict(cubes([10.0, 46.0, 48.0, 80.0]))["size"]
    np.testing.assert_allclose(found.mean, [10.0, 46.0, 58.0, 90.0])
    assert (first.asked, second.asked) == (4, 2)


def test_an_objective_looks_at_everything_again() -> None:
    second = Size(off=10.0)
    look = SecondLook(Size(), second, (parse_target("maximise size", KNOWN),), copies=1)
    assert (look.predict(cubes([10.0, 46.0]))["size"].mean > 15.0).all()
    assert second.asked == 4


def test_what_hangs_on_the_cell_is_less_sure() -> None:
    found = SecondLook(Size(), Size(), TARGETS, copies=2).predict(cubes([64.0]))["size"]
    volumes = 64.0 * np.array([1.0, (1 + STRETCH) ** 3, (1 - STRETCH) ** 3])
    np.testing.assert_allclose(found.mean, volumes.mean())
    np.testing.assert_allclose(found.epistemic, np.sqrt(1.0 + volumes.var()))


@given(st.lists(st.lists(st.integers(-5, 5), min_size=3, max_size=3), min_size=1, max_size=4))
def test_looks_that_agree_are_one_look(values: list[list[int]]) -> None:
    looks = [bare_prediction(SIZE, np.array(row, dtype=float)) for row in values]
    same = pooled([looks[0]] * len(looks))
    np.testing.assert_allclose(same.mean, looks[0].mean)
    np.testing.assert_allclose(same.epistemic, looks[0].epistemic, atol=1e-9)
    assert (pooled(looks).epistemic >= looks[0].epistemic - 1e-12).all()


def test_a_shaken_crystal_is_nearly_the_same_and_always_alike() -> None:
    crystals = cubes([64.0, 125.0])
    before = crystals.frac_coords.copy()
    moved = shaken(crystals, 0)
    np.testing.assert_array_equal(crystals.frac_coords, before)
    np.testing.assert_allclose(np.linalg.det(moved.lattices), np.array([64.0, 125.0]) * (1 + STRETCH) ** 3)
    distance = np.linalg.norm(moved.frac_coords * np.repeat(np.cbrt([64.0, 125.0]), 2)[:, None], axis=1)
    assert 0 < distance.min() <= distance.max() < 6 * SHIFT
    np.testing.assert_array_equal(moved.frac_coords, shaken(crystals, 0).frac_coords)
    assert not np.array_equal(moved.frac_coords, shaken(crystals, 1).frac_coords)
