"""Reading measured powder patterns: two-column text, CSV, and PANalytical's .xrdml."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

_LARGEST_FILE = 1 << 28  # bytes after unpacking; no powder pattern comes near
_FEWEST_POINTS = 50
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredPattern:
    """A pattern as it was measured.

    Attributes:
        two_theta: (n,) degrees, rising.
        intensity: (n,) counts or another unit.
        wavelength: Å where the file says it, else None.
        name: of the file.
    """

    two_theta: NDArray[np.float64]
    intensity: NDArray[np.float64]
    wavelength: float | None
    name: str


def read_pattern(path: Path) -> MeasuredPattern:
    """Read a pattern: .xrdml, or text with 2θ and intensity in its first two columns (any ending; also .gz).

    Lines that do not begin with two numbers are taken for headings before the first that does, and are an error after
    it. Angles that fall are turned round, intensities at equal angles are averaged.

    Raises:
        InputError: there is no such file, it cannot be read, or it holds no powder pattern; the sentence says why.
    """
    text = _read(path)
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        from matwright.api.match.xrdml import read_xrdml  # behind its door: only this kind of file needs a parser

        angles, intensity, wavelength = read_xrdml(text, path)
    else:
        angles, intensity = _columns(text, path)
        wavelength = None
    angles, intensity = _in_order(angles, intensity)
    _check(angles, intensity, path)
    return MeasuredPattern(two_theta=angles, intensity=intensity, wavelength=wavelength, name=path.name)


def _read(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}")
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            data = bytes(stream.read(_LARGEST_FILE + 1))
    except (OSError, EOFError) as problem:
        raise InputError(f"{path} cannot be read: {problem}") from problem
    if len(data) > _LARGEST_FILE:
        raise InputError(f"{path} is larger than 256 MB, which no powder pattern is")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:4096]:
        raise InputError(f"{path} is a binary file; export the pattern as two-column text (.xy) or .xrdml")
    return data.decode("utf-8", errors="replace")


def _columns(text: str, path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows: list[tuple[float, float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = _cells(line)
        if len(cells) >= 2 and _NUMBER.match(cells[0]) and _NUMBER.match(cells[1]):
            rows.append((float(cells[0]), float(cells[1])))
        elif rows and any(cells) and not line.lstrip().startswith(("#", "!", ";", "//")):
            raise InputError(f"{path}, line {number}: two numbers are expected (2θ and intensity), found {line[:60]!r}")
    if not rows:
        raise InputError(f"{path} holds no line with two numbers (2θ in degrees and intensity)")
    table = np.array(rows)
    return table[:, 0], table[:, 1]


def _cells(line: str) -> list[str]:
    """The cells of a line, separated by tabs, commas, semicolons (with decimal commas) or blanks."""
    line = line.strip().replace('"', "")
    if ";" in line:
        return [cell.strip().replace(",", ".") for cell in line.split(";")]
    if "," in line:
        return [cell.strip() for cell in line.split(",")]
    return line.split()


def _in_order(
    angles: NDArray[np.float64], intensity: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if (np.diff(angles) > 0).all():
        return angles, intensity
    known = np.isfinite(angles) & np.isfinite(intensity)
    distinct, place = np.unique(angles[known], return_inverse=True)
    sums = np.bincount(place, weights=intensity[known], minlength=len(distinct))
    return distinct, sums / np.maximum(np.bincount(place, minlength=len(distinct)), 1)


def _check(angles: NDArray[np.float64], intensity: NDArray[np.float64], path: Path) -> None:
    if not (np.isfinite(angles).all() and np.isfinite(intensity).all()):
        raise InputError(f"{path} holds numbers that are not finite")
    if len(angles) < _FEWEST_POINTS:
        raise InputError(
            f"{path} has {len(angles)} points at different angles, a pattern has at least {_FEWEST_POINTS}"
        )
    if angles[0] < 0 or angles[-1] >= 180:
        raise InputError(
            f"{path}: the first column reaches from {angles[0]:g} to {angles[-1]:g}; 2θ in degrees lies within 0..180"
        )
    if np.ptp(intensity) == 0:
        raise InputError(f"{path}: every intensity is {intensity[0]:g}, there are no peaks")
