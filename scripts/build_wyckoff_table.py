"""Build the table of space groups that ships as src/matwright/generation/wyckoff/space_groups.json.

Everything in it is a crystallographic fact (International Tables for Crystallography, volume A): the operations of
each group in one standard setting come from moyopy, the letter and first coordinate triplet of each Wyckoff position
from pyxtal's copy of the International Tables, and the normalisers are searched for here. Every position is checked
against the operations before it is written, so that the two sources cannot disagree unnoticed.

Usage: python scripts/build_wyckoff_table.py
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import moyopy
import numpy as np
import pandas as pd
import pyxtal.database
from numpy.typing import NDArray
from pyxtal.symmetry import Group

DENOMINATOR = 24
"""Every translation and special coordinate of the standard settings is a multiple of 1/24."""

SOURCE = (
    "Facts of the International Tables for Crystallography, volume A: operations through moyopy, letters and first "
    "coordinates through pyxtal, normalisers searched for; written by scripts/build_wyckoff_table.py"
)

Ints = NDArray[np.int64]
TARGET = Path(__file__).parents[1] / "src" / "matwright" / "generation" / "wyckoff" / "space_groups.json"


def twentyfourths(values: Any) -> Ints:
    """Translations as integers in units of 1/24, wrapped to [0, 24)."""
    scaled = np.asarray(values, dtype=float) * DENOMINATOR
    rounded = np.rint(scaled).astype(np.int64)
    if np.abs(scaled - rounded).max() > 1e-6:
        raise ValueError(f"not a multiple of 1/{DENOMINATOR}: {values}")
    return rounded % DENOMINATOR


def parse_triplet(text: str) -> tuple[Ints, Ints]:
    """Read "x, 2x, z+1/4" as (W (3, dof), w (3,) in 24ths); the columns are the letters used, in x, y, z order."""
    letters = [letter for letter in "xyz" if letter in text]
    linear = np.zeros((3, len(letters)), dtype=np.int64)
    constant = []
    for row, term in enumerate(text.replace(" ", "").split(",")):
        offset = Fraction(0)
        for sign, amount, letter in re.findall(r"([+-]?)(\d+(?:/\d+)?)?([xyz]?)", term):
            if not amount and not letter:
                continue
            value = Fraction(amount or 1) * (-1 if sign == "-" else 1)
            if letter:
                linear[row, letters.index(letter)] += int(value)
            else:
                offset += value
        constant.append(float(offset))
    return linear, twentyfourths(constant)


def orbit_size(linear: Ints, constant: Ints, rotations: Ints, translations: Ints) -> int:
    """Number of distinct points (as functions of the free coordinates) that the operations make."""
    images = np.concatenate(
        [
            (rotations @ linear).reshape(len(rotations), -1),
            (rotations @ constant + translations) % DENOMINATOR,
        ],
        axis=1,
    )
    return len(np.unique(images, axis=0))


def check_triplets(listed: list[str], rotations: Ints, translations: Ints, centring: Ints) -> bool:
    """Whether all listed triplets (without centring) are the images of the first under the operations."""
    values = {"x": 0.1372, "y": 0.2911, "z": 0.0653}

    def point(text: str) -> NDArray[np.float64]:
        linear, constant = parse_triplet(text)
        free = np.array([values[letter] for letter in "xyz" if letter in text])
        return linear @ free + constant / DENOMINATOR

    images = rotations @ point(listed[0]) + translations / DENOMINATOR
    images = (images[:, None] + centring / DENOMINATOR).reshape(-1, 3)
    for text in listed:
        distance = images - point(text)
        if np.abs(distance - np.rint(distance)).max(axis=1).min() > 1e-9:
            return False
    return True


def polar_axes(rotations: Ints) -> list[int]:
    """The cell axes along which the origin is not fixed by the operations."""
    return [axis for axis in range(3) if (rotations[:, :, axis] == np.eye(3, dtype=np.int64)[axis]).all()]


def in_lattice(shifts: Ints, centring: Ints) -> NDArray[np.bool_]:
    """Which shifts (..., 3) in 24ths are lattice translations."""
    wrapped = shifts % DENOMINATOR
    return np.any([(wrapped == vector).all(axis=-1) for vector in centring], axis=0)


def normalising_shifts(linear: Ints, grid: Ints, rotations: Ints, translations: Ints, centring: Ints) -> Ints:
    """The p of `grid` with (linear, p) G (linear, p)^-1 = G; empty when the linear part does not normalise."""
    inverse = np.rint(np.linalg.inv(linear)).astype(np.int64)
    lookup = {rotation.tobytes(): translation for rotation, translation in zip(rotations, translations, strict=True)}
    for rotation, translation in zip(rotations, translations, strict=True):
        image = linear @ rotation @ inverse
        if image.tobytes() not in lookup:
            return grid[:0]
        residue = linear @ translation + grid @ (np.eye(3, dtype=np.int64) - image).T - lookup[image.tobytes()]
        grid = grid[in_lattice(residue, centring)]
    return grid


def linear_candidates(number: int) -> list[Ints]:
    """Proper unimodular matrices that keep the metric type (monoclinic: cell choices with entries up to 2)."""
    if number < 3:
        return [np.eye(3, dtype=np.int64)]  # all unimodular matrices normalise: reduction happens at run time
    if number < 16:
        entries = itertools.product((0, 1, -1, 2, -2), repeat=4)
        planes = [(p, q, r, s) for p, q, r, s in entries if abs(p * s - q * r) == 1]
        return [
            np.array([[p, 0, q], [0, p * s - q * r, 0], [r, 0, s]], dtype=np.int64)
            for p, q, r, s in sorted(planes, key=lambda plane: (plane != (1, 0, 0, 1), sum(map(abs, plane))))
        ]
    if 143 <= number <= 194:
        sixfold = np.array([[1, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.int64)
        twofold = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], dtype=np.int64)
        powers = [np.linalg.matrix_power(sixfold, power) for power in range(6)]
        return powers + [power @ twofold for power in powers]
    matrices = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            matrix = np.zeros((3, 3), dtype=np.int64)
            matrix[range(3), order] = signs
            if round(np.linalg.det(matrix)) == 1:
                matrices.append(matrix)
    return sorted(matrices, key=lambda matrix: not (matrix == np.eye(3)).all())


def in_plane_lattice(linear: Ints, centring: Ints) -> bool:
    """Whether a change of cell keeps the centring vectors."""
    return bool(in_lattice(centring @ linear.T, centring).all())


def normaliser(number: int, rotations: Ints, translations: Ints, centring: Ints) -> dict[str, Any]:
    """Representatives of the proper normaliser modulo the group: linear parts with offsets, and pure translations."""
    polar = polar_axes(rotations)
    axes = [[0] if axis in polar else range(DENOMINATOR) for axis in range(3)]
    grid = np.array(list(itertools.product(*axes)), dtype=np.int64)
    grid = grid[np.argsort(grid.sum(axis=1), kind="stable")]
    identity = np.eye(3, dtype=np.int64)
    keep = np.array([axis not in polar for axis in range(3)])
    shifts, seen = [], set()
    for shift in normalising_shifts(identity, grid, rotations, translations, centring):
        if shift.tobytes() not in seen:
            shifts.append(shift.tolist())
            seen.update(image.tobytes() for image in (shift + centring) % DENOMINATOR * keep)
    linear, offsets, known = [], [], set()
    for candidate in linear_candidates(number):
        if candidate.tobytes() in known or not in_plane_lattice(candidate, centring):
            continue
        found = normalising_shifts(candidate, grid, rotations, translations, centring)
        if len(found):
            linear.append(candidate.ravel().tolist())
            offsets.append(found[0].tolist())
            known.update((candidate @ rotation).tobytes() for rotation in rotations)
    return {"linear": linear, "offsets": offsets, "translations": shifts}


def positions(number: int, triplets: list[list[str]], rotations: Ints, translations: Ints, order: int) -> list[Any]:
    """[letter, multiplicity, site symmetry, W rows, w in 24ths] of each position, from a to the general one."""
    table = []
    reference = list(reversed(Group(number).Wyckoff_positions))
    for index, listed in enumerate(reversed(triplets)):
        linear, constant = parse_triplet(listed[0])
        multiplicity = orbit_size(linear, constant, rotations, translations)
        if multiplicity != reference[index].multiplicity or order % multiplicity:
            raise ValueError(f"group {number}: position {index} has {multiplicity} points")
        if not check_triplets(listed, rotations, translations, translations[(rotations == np.eye(3)).all(axis=(1, 2))]):
            raise ValueError(f"group {number}: position {index} is listed in another setting")
        reference[index].get_site_symmetry()
        letter = "abcdefghijklmnopqrstuvwxyzA"[index]
        if letter != reference[index].letter:
            raise ValueError(f"group {number}: {letter} is {reference[index].letter} in the reference")
        rows = linear.tolist() if linear.size else []
        table.append([letter, multiplicity, reference[index].site_symm, rows, constant.tolist()])
    return table


def build_group(number: int, triplets: list[list[str]]) -> dict[str, Any]:
    """The facts of one space group in the standard setting."""
    operations = moyopy.operations_from_number(number, setting=moyopy.Setting.standard())
    rotations = np.array(operations.rotations, dtype=np.int64)
    translations = twentyfourths(operations.translations)
    identity = np.eye(3, dtype=np.int64)
    centring = translations[(rotations == identity).all(axis=(1, 2))]
    centring = centring[np.lexsort(centring.T[::-1])]
    _, first = np.unique(rotations.reshape(-1, 9), axis=0, return_index=True)
    cosets = np.sort(first)
    return {
        "number": number,
        "symbol": moyopy.SpaceGroupType(number).hm_short,
        "centring": centring.tolist(),
        "rotations": rotations[cosets].reshape(-1, 9).tolist(),
        "translations": translations[cosets].tolist(),
        "positions": positions(number, triplets, rotations, translations, len(rotations)),
        "normaliser": normaliser(number, rotations[cosets], translations[cosets], centring),
    }


def main() -> None:
    """Write the table."""
    folder = Path(pyxtal.database.__file__).parent
    listed = pd.read_csv(folder / "wyckoff_list.csv")["0"]
    groups = [build_group(number, ast.literal_eval(listed[number])) for number in range(1, 231)]
    table = {"source": SOURCE, "denominator": DENOMINATOR, "groups": groups}
    text = json.dumps(table, separators=(",", ":"))
    TARGET.write_text(text.replace('{"number"', '\n{"number"') + "\n")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, {sum(len(group['positions']) for group in groups)} positions")


if __name__ == "__main__":
    main()
