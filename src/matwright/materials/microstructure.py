"""The microstructure: phases on a periodic grid of pixels, each phase itself a material (E2)."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.elements import symbol
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.serialization import hash_json

PIXEL_EDGE, VACUUM = 2.0, 12.0
"""Å; the edge of a pixel and the height of the cell in a microstructure drawn as a layer: elasticity has no scale."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One of the materials that a microstructure is made of, elastically isotropic.

    Attributes:
        composition: what it is made of.
        young_modulus: GPa, above 0; None where it is not known.
        poisson_ratio: in (-1, 0.5), without unit; None where it is not known.

    Raises:
        InputError: at construction, when a modulus is impossible or only one of the two is stated.
    """

    composition: Composition
    young_modulus: float | None = None
    poisson_ratio: float | None = None

    def __post_init__(self) -> None:
        if (self.young_modulus is None) != (self.poisson_ratio is None):
            raise InputError("a phase states Young's modulus and Poisson's ratio together or neither")
        if self.young_modulus is not None and not 0 < self.young_modulus < math.inf:
            raise InputError(f"Young's modulus of a phase is above 0 GPa, found {self.young_modulus}")
        if self.poisson_ratio is not None and not -1 < self.poisson_ratio < 0.5:
            raise InputError(f"Poisson's ratio of a phase lies in (-1, 0.5), found {self.poisson_ratio}")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Microstructure:
    """A periodic two-dimensional cell of square pixels, the same along the third direction.

    Attributes:
        grid: (n_y, n_x) int64, the phase of each pixel as a place in `phases`; row 0 is the lowest.
        phases: at least one; none is left out of the grid's numbering.

    Raises:
        InputError: at construction, when the grid is empty or names a phase that does not exist.
    """

    grid: NDArray[np.int64]
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        grid = np.array(self.grid, dtype=np.int64)
        if grid.ndim != 2 or grid.size == 0:
            raise InputError(f"a microstructure is a grid (n_y, n_x) of pixels, found shape {grid.shape}")
        if not self.phases:
            raise InputError("a microstructure needs at least one phase")
        if grid.min() < 0 or grid.max() >= len(self.phases):
            raise InputError(
                f"pixels name phases 0..{len(self.phases) - 1} of the microstructure, found {grid.min()}..{grid.max()}"
            )
        grid.setflags(write=False)
        object.__setattr__(self, "grid", grid)

    def __len__(self) -> int:
        return self.grid.size

    @property
    def area_fractions(self) -> NDArray[np.float64]:
        """(n_phases,) share of the pixels of each phase."""
        return np.bincount(self.grid.ravel(), minlength=len(self.phases)) / self.grid.size

    @property
    def composition(self) -> Composition:
        """The compositions of the phases weighted by their areas: as if all held as many atoms in a volume."""
        sums: dict[int, float] = {}
        for phase, area in zip(self.phases, self.area_fractions.tolist(), strict=True):
            for number, fraction in phase.composition.fractions:
                sums[number] = sums.get(number, 0.0) + area * fraction
        return Composition.from_amounts({number: amount for number, amount in sums.items() if amount > 0})

    def as_layer(self) -> Crystal:
        """A layer with one disordered site a pixel, shared by the elements of its phase: what a model sees."""
        n_y, n_x = self.grid.shape
        rows, columns = np.indices((n_y, n_x))
        places = np.stack([(columns + 0.5) / n_x, (rows + 0.5) / n_y, np.full((n_y, n_x), 0.5)], axis=-1)
        occupancies = [phase.composition.fractions for phase in self.phases]
        majority = [max(shares, key=lambda share: share[1])[0] for shares in occupancies]
        pixels = self.grid.ravel().tolist()
        return Crystal(
            lattice=np.diag([n_x * PIXEL_EDGE, n_y * PIXEL_EDGE, VACUUM]),
            frac_coords=places.reshape(-1, 3),
            numbers=np.array([majority[pixel] for pixel in pixels]),
            occupancies=tuple(occupancies[pixel] for pixel in pixels),
            pbc=(True, True, False),
        )

    def content_hash(self) -> str:
        """A hex digest of the grid and its phases."""
        digest = hashlib.sha256(repr(self.grid.shape).encode())
        digest.update(np.ascontiguousarray(self.grid).tobytes())
        return hash_json(["microstructure", digest.hexdigest(), list(self.phases)])


def from_microstructure_json(text: str) -> Microstructure:
    """Read ``{"grid": ["0011", "0110"], "phases": ["Al", {"formula": "C5H8", "young_modulus": 0.07, …}]}``.

    Each word of "grid" is a row of pixels, the lowest row first, a digit a pixel; a row may also be a list of numbers.
    A phase is a formula, or an object with "formula", "young_modulus" (GPa) and "poisson_ratio".

    Raises:
        InputError: the text is no such object, or the values are impossible.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"the microstructure is no JSON: {error}") from error
    if not isinstance(content, dict) or set(content) != {"grid", "phases"}:
        raise InputError('a microstructure is a JSON object with "grid" and "phases"')
    rows = content["grid"]
    if not isinstance(rows, list) or not rows:
        raise InputError('"grid" of a microstructure is a list of rows of pixels')
    pixels = [_pixels(row) for row in rows]
    if len({len(row) for row in pixels}) != 1:
        raise InputError("the rows of a microstructure differ in length")
    phases = content["phases"]
    if not isinstance(phases, list):
        raise InputError('"phases" of a microstructure is a list of formulas')
    return Microstructure(grid=np.array(pixels), phases=tuple(_phase(phase) for phase in phases))


def to_microstructure_json(microstructure: Microstructure) -> str:
    """The text that `from_microstructure_json` reads."""
    phases = [
        {"formula": _formula(phase.composition)}
        | ({} if phase.young_modulus is None else {"young_modulus": phase.young_modulus})
        | ({} if phase.poisson_ratio is None else {"poisson_ratio": phase.poisson_ratio})
        for phase in microstructure.phases
    ]
    digits = len(microstructure.phases) <= 10
    grid = ["".join(map(str, row)) if digits else row for row in microstructure.grid.tolist()]
    return json.dumps({"grid": grid, "phases": phases})


def _pixels(row: object) -> list[int]:
    if isinstance(row, str) and row.isdigit():
        return [int(digit) for digit in row]
    if isinstance(row, list) and all(type(pixel) is int for pixel in row):
        return list(row)
    raise InputError(f"a row of a microstructure is a word of digits or a list of whole numbers, found {row!r}")


def _phase(phase: object) -> Phase:
    if isinstance(phase, str):
        return Phase(composition=Composition.from_formula(phase))
    known = {"formula", "young_modulus", "poisson_ratio"}
    if not isinstance(phase, dict) or "formula" not in phase or not set(phase) <= known:
        raise InputError(f"a phase is a formula or an object with {', '.join(sorted(known))}, found {phase!r}")
    numbers = {name: phase[name] for name in known - {"formula"} if name in phase}
    if not all(isinstance(value, int | float) for value in numbers.values()):
        raise InputError(f"the moduli of a phase are numbers, found {phase!r}")
    return Phase(composition=Composition.from_formula(str(phase["formula"])), **numbers)


def _formula(composition: Composition) -> str:
    return "".join(f"{symbol(number)}{fraction:.12f}" for number, fraction in composition.fractions)
