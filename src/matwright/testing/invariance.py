"""The laws of a materials model, each a function that raises AssertionError with the difference it measured.

A model is any `predict(crystals)` that returns (n_crystals,) or (n_crystals, n_outputs) numbers. Whatever else a
model does, the names and the order of the atoms, the origin, the orientation and the cell are choices of the writer
of the file and not of nature, so that they must not show in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matwright.materials.crystal import Crystal

Predict = Callable[[Sequence[Crystal]], ArrayLike]
"""Crystals → (n_crystals,) or (n_crystals, n_outputs) numbers."""

Law = Callable[..., None]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far two results may lie apart: |a - b| <= absolute + relative * max(|a|, |b|)."""

    absolute: float = 1e-4
    relative: float = 1e-4


SINGLE = Tolerance()
"""For models that compute in single precision."""


def check_atom_order(
    predict: Predict, crystal: Crystal, rng: np.random.Generator, tolerance: Tolerance = SINGLE
) -> None:
    """The order in which the atoms are listed does not matter."""
    order = rng.permutation(len(crystal))
    occupancies = None if crystal.occupancies is None else tuple(crystal.occupancies[i] for i in order)
    other = replace(
        crystal, frac_coords=crystal.frac_coords[order], numbers=crystal.numbers[order], occupancies=occupancies
    )
    _compare(predict, "the order of the atoms", crystal, other, tolerance)


def check_origin(predict: Predict, crystal: Crystal, rng: np.random.Generator, tolerance: Tolerance = SINGLE) -> None:
    """The origin does not matter, in periodic directions and in others."""
    other = replace(crystal, frac_coords=crystal.frac_coords + rng.random(3))
    _compare(predict, "the origin", crystal, other, tolerance)


def check_rotation(predict: Predict, crystal: Crystal, rng: np.random.Generator, tolerance: Tolerance = SINGLE) -> None:
    """The orientation of the crystal does not matter, nor does its mirror image, for a scalar property."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    for name, matrix in (("a rotation", turn * np.linalg.det(turn)), ("a reflection", -turn * np.linalg.det(turn))):
        _compare(predict, name, crystal, replace(crystal, lattice=crystal.lattice @ matrix), tolerance)


def check_lattice_shift(
    predict: Predict, crystal: Crystal, rng: np.random.Generator, tolerance: Tolerance = SINGLE
) -> None:
    """Which periodic image of an atom is written down does not matter."""
    shifts = rng.integers(-3, 4, size=crystal.frac_coords.shape) * np.array(crystal.pbc)
    _compare(predict, "lattice shifts", crystal, replace(crystal, frac_coords=crystal.frac_coords + shifts), tolerance)


def check_equivalent_cell(
    predict: Predict, crystal: Crystal, rng: np.random.Generator, tolerance: Tolerance = SINGLE
) -> None:
    """Another cell of the same lattice gives the same result."""
    matrix = _unimodular(crystal.pbc, rng)
    other = replace(crystal, lattice=matrix @ crystal.lattice, frac_coords=crystal.frac_coords @ np.linalg.inv(matrix))
    _compare(predict, "an equivalent cell", crystal, other, tolerance)


def check_supercell(
    predict: Predict,
    crystal: Crystal,
    rng: np.random.Generator,
    tolerance: Tolerance = SINGLE,
    *,
    extensive: bool = False,
) -> None:
    """A supercell has the same intensive properties and n times the extensive ones."""
    multiples = rng.permutation([3, 1, 1] if len(crystal) > 4 else [2, 2, 1])
    a, b, c = (int(n) if periodic else 1 for n, periodic in zip(multiples, crystal.pbc, strict=True))
    other = supercell(crystal, (a, b, c))
    factor = len(other) / len(crystal) if extensive else 1.0
    small, large = _results(predict, [crystal])[0], _results(predict, [other])[0]
    _close("a supercell", factor * small, large, tolerance)


def check_batch_equals_parts(predict: Predict, crystals: Sequence[Crystal], tolerance: Tolerance = SINGLE) -> None:
    """What else is in the batch, and in which order, does not matter."""
    alone = np.concatenate([_results(predict, [crystal]) for crystal in crystals])
    _close("the rest of the batch", alone, _results(predict, crystals), tolerance)
    backwards = _results(predict, list(reversed(crystals)))
    _close("the order of the batch", alone[::-1], backwards, tolerance)


def check_smooth(
    predict: Predict,
    crystal: Crystal,
    rng: np.random.Generator,
    tolerance: Tolerance = SINGLE,
    *,
    distance: float = 0.3,
    steps: int = 40,
) -> None:
    """Moving one atom by `distance` Å changes the result without jumps, though neighbours come and go on the way.

    Of `steps` places on the way the two neighbouring ones are taken between which the result changes most, or stands
    out most from the changes before and after, and looked at ten times closer, four times over: what then still
    changes by more than the tolerance, over less than a millionth of an Å, is a jump.
    """
    atom = int(rng.integers(len(crystal)))
    direction = rng.normal(size=3)
    direction *= distance / np.linalg.norm(direction)

    def at(fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        return _results(predict, [_moved(crystal, atom, fraction * direction) for fraction in fractions])

    for standing_out in (False, True):
        places = np.linspace(0.0, 1.0, steps + 1)
        values = at(places)
        for _ in range(4):
            widest = _widest(values, standing_out=standing_out)
            places = np.linspace(places[widest], places[widest + 1], 11)
            values = at(places)
        change = float(np.abs(np.diff(values, axis=0)).max())
        allowed = tolerance.absolute + tolerance.relative * float(np.abs(values).max())
        if not change <= allowed:
            way = distance * (places[1] - places[0])
            raise AssertionError(
                f"the result jumps by {change:.3g} (allowed {allowed:.3g}) while atom {atom} moves by {way:.1g} Å"
            )


def check_single_atom(
    predict: Predict, crystal: Crystal, rng: np.random.Generator, tolerance: Tolerance = SINGLE
) -> None:
    """The first atom alone in the cell, with its own images for neighbours, gives a result that obeys the laws."""
    occupancies = None if crystal.occupancies is None else crystal.occupancies[:1]
    alone = replace(crystal, frac_coords=crystal.frac_coords[:1], numbers=crystal.numbers[:1], occupancies=occupancies)
    check_finite(predict, alone)
    check_rotation(predict, alone, rng, tolerance)
    check_equivalent_cell(predict, alone, rng, tolerance)


def check_finite(predict: Predict, crystal: Crystal) -> None:
    """The result is a finite number."""
    values = _results(predict, [crystal])
    if not np.isfinite(values).all():
        raise AssertionError(f"the result is not finite: {values[0]}")


def check_same_precision(
    predict_single: Predict, predict_double: Predict, crystals: Sequence[Crystal], tolerance: Tolerance = SINGLE
) -> None:
    """Single precision gives nearly what double precision gives."""
    _close(
        "single instead of double precision",
        _results(predict_double, crystals),
        _results(predict_single, crystals),
        tolerance,
    )


def check_inputs_not_mutated(predict: Predict, crystal: Crystal) -> None:
    """The crystals are as they were, and asking twice gives the same answer."""
    before = crystal.content_hash()
    first = _results(predict, [crystal])
    second = _results(predict, [crystal])
    if crystal.content_hash() != before:
        raise AssertionError("the model changed the crystal it was given")
    if not np.array_equal(first, second, equal_nan=True):
        raise AssertionError(f"asking twice gives answers {np.abs(first - second).max():.3g} apart")


def check_save_load(predict: Predict, loaded: Predict, crystals: Sequence[Crystal]) -> None:
    """A model that was saved and loaded gives exactly the same numbers."""
    before, after = _results(predict, crystals), _results(loaded, crystals)
    if not np.array_equal(before, after, equal_nan=True):
        raise AssertionError(f"saving and loading changes the result by {np.abs(before - after).max():.3g}")


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "atom order": check_atom_order,
        "origin": check_origin,
        "rotation": check_rotation,
        "lattice shift": check_lattice_shift,
        "equivalent cell": check_equivalent_cell,
        "supercell": check_supercell,
        "smooth": check_smooth,
        "single atom": check_single_atom,
    }
)
"""The laws for intensive outputs that take (predict, crystal, rng, tolerance)."""


def supercell(crystal: Crystal, multiples: tuple[int, int, int]) -> Crystal:
    """The same crystal in a cell that is repeated `multiples` times along a, b and c."""
    scale = np.array(multiples)
    shifts = np.stack(np.meshgrid(*(np.arange(n) for n in multiples), indexing="ij"), axis=-1).reshape(-1, 3)
    frac = (crystal.frac_coords[None] + shifts[:, None]) / scale
    return replace(
        crystal,
        lattice=crystal.lattice * scale[:, None],
        frac_coords=frac.reshape(-1, 3),
        numbers=np.tile(crystal.numbers, len(shifts)),
        occupancies=None if crystal.occupancies is None else crystal.occupancies * len(shifts),
    )


def _widest(values: NDArray[np.float64], *, standing_out: bool) -> int:
    """Before which of the places in a row the result, (n_places, n_outputs), changes most."""
    changes = np.abs(np.diff(values, axis=0)).max(axis=1)
    if standing_out:
        around = np.pad(changes, 1, mode="edge")
        changes = changes - (around[:-2] + around[2:]) / 2.0
    return int(changes.argmax())


def _moved(crystal: Crystal, atom: int, way: NDArray[np.float64]) -> Crystal:
    """One atom moved by `way`, (3,) Å."""
    frac = crystal.frac_coords.copy()
    frac[atom] += way @ np.linalg.inv(crystal.lattice)
    return replace(crystal, frac_coords=frac)


def _unimodular(pbc: tuple[bool, bool, bool], rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, 3) whole numbers of determinant 1 that combine the periodic cell vectors alone."""
    matrix = np.eye(3)
    periodic = np.flatnonzero(pbc)
    for _ in range(4 if len(periodic) > 1 else 0):
        to, by = rng.choice(periodic, size=2, replace=False)
        matrix[to] += rng.choice([-1.0, 1.0]) * matrix[by]
    return matrix


def _results(predict: Predict, crystals: Sequence[Crystal]) -> NDArray[np.float64]:
    """(n_crystals, n_outputs)."""
    values: NDArray[Any] = np.asarray(predict(crystals), dtype=np.float64)
    if len(values) != len(crystals):
        raise AssertionError(f"{len(crystals)} crystals gave {len(values)} results")
    return values.reshape(len(crystals), -1)


def _compare(predict: Predict, what: str, crystal: Crystal, other: Crystal, tolerance: Tolerance) -> None:
    _close(what, _results(predict, [crystal])[0], _results(predict, [other])[0], tolerance)


def _close(what: str, one: NDArray[np.float64], other: NDArray[np.float64], tolerance: Tolerance) -> None:
    allowed = tolerance.absolute + tolerance.relative * np.maximum(np.abs(one), np.abs(other))
    excess = np.abs(one - other) - allowed
    if not (excess <= 0).all():  # also when a result is not a number
        worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
        raise AssertionError(
            f"{what} changes the result by {np.abs(one - other).flat[worst]:.3g} "
            f"(allowed {allowed.flat[worst]:.3g}): {one.flat[worst]:.8g} and {other.flat[worst]:.8g}"
        )
