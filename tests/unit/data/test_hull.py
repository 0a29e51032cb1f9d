from __future__ import annotations

import csv
import gzip
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from matwright.data.hull import Hull
from matwright.errors import CalculationError, InputError
from matwright.materials.formula import parse_amounts

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
LI, OX, FE = 3, 8, 26


def test_a_line_by_hand() -> None:
    hull = Hull.from_phases([({LI: 2, OX: 1}, -2.0)])
    assert hull.hull_energy({LI: 2, OX: 1}) == pytest.approx(-2.0)
    assert hull.hull_energy({LI: 1, OX: 1}) == pytest.approx(-1.5)  # Li2O + O: three quarters of the atoms in Li2O
    assert hull.energy_above_hull({LI: 1, OX: 1}, -1.0) == pytest.approx(0.5)
    assert hull.energy_above_hull({LI: 4, OX: 2}, -2.5) == pytest.approx(-0.5)
    assert hull.hull_energy({LI: 7}) == 0.0
    mixture = hull.decomposition({LI: 1, OX: 1})
    assert mixture.products == (("Li2O", pytest.approx(0.75)), ("O", pytest.approx(0.25)))


def test_a_phase_above_the_line_does_not_count() -> None:
    hull = Hull.from_phases([({LI: 1, OX: 1}, -1.0), ({LI: 3, OX: 1}, -0.4), ({FE: 1, LI: 1}, 0.3)])
    assert hull.hull_energy({LI: 3, OX: 1}) == pytest.approx(-0.5)
    assert hull.hull_energy({LI: 1, FE: 1}) == 0.0


def test_what_the_hull_does_not_know_is_said() -> None:
    hull = Hull.from_phases([({LI: 2, OX: 1}, -2.0)], elements=[FE])
    assert hull.has_elements({LI, OX, FE})
    assert not hull.has_element(2)
    assert hull.missing_elements([LI, 2, 118]) == {2, 118}
    assert (hull.n_compounds([LI, OX, FE]), hull.known_system([LI, FE]), hull.known_system([LI])) == (1, False, False)
    with pytest.raises(CalculationError, match="He"):
        hull.energy_above_hull({2: 1, LI: 1}, 0.0)
    with pytest.raises(CalculationError, match="nan"):
        hull.energy_above_hull({LI: 1}, float("nan"))
    for wrong in ({}, {LI: 0.0}, {LI: -1.0}, {0: 1.0}, {LI: float("nan")}):
        with pytest.raises(InputError):
            hull.hull_energy(wrong)
    many = hull.energies_above_hull([{LI: 1}, {2: 1}, {OX: 1}], np.array([0.1, 0.0, np.nan]))
    np.testing.assert_allclose(many, [0.1, np.nan, np.nan])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(0, 80))
def test_the_mixture_is_the_optimum_of_the_linear_program(seed: int, n_elements: int, n_phases: int) -> None:
    """Whole-number compositions with many ties and degenerate vertices, against an independent solver."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, (n_phases, n_elements))
    counts = counts[counts.sum(axis=1) > 0]
    energies = np.round(rng.normal(-0.5, 1.0, len(counts)), 1)
    hull = Hull.from_phases(
        [({z + 1: int(n) for z, n in enumerate(row) if n}, float(e)) for row, e in zip(counts, energies, strict=True)],
        elements=range(1, n_elements + 1),
    )
    wanted = rng.integers(1, 5, n_elements)
    fractions = np.concatenate([np.eye(n_elements), (counts / counts.sum(axis=1, keepdims=True)).T], axis=1)
    costs = np.concatenate([np.zeros(n_elements), energies])
    expected = linprog(costs, A_eq=fractions, b_eq=wanted / wanted.sum(), method="highs").fun
    composition = {z + 1: float(n) for z, n in enumerate(wanted)}
    assert hull.hull_energy(composition) == pytest.approx(expected, abs=1e-7)
    mixture = hull.decomposition(composition)
    assert sum(share for _, share in mixture.products) == pytest.approx(1.0)


def test_the_shipped_hull() -> None:
    hull = Hull.load()
    assert hull is Hull.load()
    assert len(hull.energies) == 33536
    assert len(hull.elements) == 84
    assert not hull.has_elements([2, 10, 36])
    phosphate = parse_amounts("LiFePO4")
    assert hull.decomposition(phosphate).products == (("LiFePO4", pytest.approx(1.0)),)
    assert hull.hull_energy(phosphate) == pytest.approx(-2.4740, abs=1e-4)  # MP2020
    assert hull.known_system([11, 17])
    assert hull.energy_above_hull(parse_amounts("NaCl3"), 0.0) > 1.0


def test_every_stable_phase_lies_on_its_own_hull() -> None:
    hull = Hull.load()
    for row in np.random.default_rng(0).choice(len(hull.energies), 300, replace=False):
        filled = hull.numbers[row] > 0
        amounts = dict(zip(hull.numbers[row, filled].tolist(), hull.amounts[row, filled].tolist(), strict=True))
        assert hull.energy_above_hull(amounts, float(hull.energies[row])) == pytest.approx(0.0, abs=1e-6)


def test_a_look_up_takes_milliseconds() -> None:
    hull = Hull.load()
    hull.hull_energy({3: 1, 8: 4, 15: 1, 26: 1})
    systems = [
        {3: 1, 8: 5, 15: 1, 16: 1, 25: 1},
        {11: 1, 14: 2, 8: 7, 26: 1},
        {56: 1, 22: 1, 8: 3},
        {37: 3, 34: 1, 29: 2},
    ]
    start = time.process_time()
    for composition in systems:
        hull.hull_energy(composition)
    assert (time.process_time() - start) / len(systems) < 0.02  # the bar of 3 ms, with room for a busy machine


@pytest.mark.skipif(not (DATA / "mp_hull_85014.csv.gz").exists(), reason="the optional data folder is not here")
def test_against_the_published_decomposition_energies() -> None:
    """On the source's scale 94 % of unstable compositions agree to 2e-5 eV/atom; where they differ, ours is the lower.

    Where they differ (by up to 6 meV/atom) the published value is the higher one, as of a minimiser that stopped early,
    but why is not known; a second
    linear-program solver confirms the hull of this package on those rows.
    """
    with gzip.open(DATA / "mp_hull_85014.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    hull = Hull.from_phases(
        (parse_amounts(row["formula"]), float(row["target_Ef"])) for row in table if float(row["target_Ed"]) <= 0
    )
    rows = [row for row in table if float(row["target_Ed"]) > 0]
    rows = [rows[i] for i in np.random.default_rng(7).choice(len(rows), 2000, replace=False)]
    compositions = [parse_amounts(row["formula"]) for row in rows]
    found = hull.energies_above_hull(compositions, np.array([float(row["target_Ef"]) for row in rows]))
    difference = found - np.array([float(row["target_Ed"]) for row in rows])
    assert difference.min() > -2e-5
    assert np.mean(difference < 2e-5) > 0.93
    assert difference.max() < 6e-3


@pytest.mark.skipif(not (DATA / "mp_crystals.csv.gz").exists(), reason="the optional data folder is not here")
def test_the_shipped_hull_is_on_the_scale_of_present_energies() -> None:
    """Distances that the Materials Project states for crystals with bromine, iodine, selenium, tellurium, sulfur."""
    with gzip.open(DATA / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["source"] != "flla" and row["split"] == "test"]
    compositions = [parse_amounts(row["formula"]) for row in rows]
    found = Hull.load().energies_above_hull(
        compositions, np.array([float(row["formation_energy_per_atom"]) for row in rows])
    )
    difference = found - np.array([float(row["e_above_hull"]) for row in rows])
    for number in (16, 34, 35, 52, 53):
        inside = np.array([number in amounts for amounts in compositions]) & np.isfinite(difference)
        assert inside.sum() > 20
        assert np.median(np.abs(difference[inside])) < 0.01
