"""PANalytical's .xrdml, read with a parser that refuses entities and document types."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat  # its entities are refused below, which is what makes it safe

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

_TEXTS = frozenset(
    {
        "kAlpha1",
        "kAlpha2",
        "ratioKAlpha2KAlpha1",
        "startPosition",
        "endPosition",
        "listPositions",
        "intensities",
        "counts",
        "beamAttenuationFactors",
    }
)
_MOST_POINTS = 5_000_000


def read_xrdml(text: str, path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], float | None]:
    """2θ (n,) in degrees, intensity (n,) and the wavelength in Å (None where not said) of the first scan over 2θ.

    Raises:
        InputError: it is no well-formed XML, defines entities, or holds no scan over 2θ.
    """
    scans, source = _parse(text, path)
    for scan in scans:
        values = scan.get("intensities") or scan.get("counts")
        if values is None:
            continue
        intensity = _numbers(values, path)
        if "beamAttenuationFactors" in scan and "counts" in scan and "intensities" not in scan:
            factors = _numbers(scan["beamAttenuationFactors"], path)
            intensity = intensity * factors if len(factors) == len(intensity) else intensity
        angles = _angles(scan, len(intensity), path)
        if angles is not None:
            return angles, intensity, _wavelength(source, path)
    raise InputError(f"{path} holds no scan over 2θ with its intensities")


def _parse(text: str, path: Path) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The texts of each scan, and those that stand outside of scans."""
    scans: list[dict[str, str]] = []
    outside: dict[str, str] = {}
    pieces: list[str] = []
    place: list[str] = []  # names of the open elements
    axes: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        place.append(name)
        if name == "scan":
            scans.append({})
        if name == "positions":
            axes.append(attributes.get("axis", "").lower().replace(" ", ""))
        pieces.clear()

    def end(_: str) -> None:
        name = place.pop()
        if name in _TEXTS:
            here = scans[-1] if "scan" in place else outside
            omega = "positions" in place and axes and axes[-1] not in ("2theta", "2theta-theta")
            if not omega:
                here.setdefault(name, "".join(pieces).strip())
        pieces.clear()

    def refuse(*_: object) -> None:
        raise InputError(f"{path} defines a document type or entities, which no measurement needs; it was not read")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = pieces.append
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as problem:
        raise InputError(f"{path} is no well-formed XML: {problem}") from problem
    return scans, outside


def _numbers(text: str, path: Path) -> NDArray[np.float64]:
    try:
        values = np.array(text.split(), dtype=np.float64)
    except ValueError:
        raise InputError(f"{path} holds {text.strip()[:40]!r} where numbers are expected") from None
    if not 1 <= len(values) <= _MOST_POINTS:
        raise InputError(f"{path} holds a scan of {len(values)} points")
    return values


def _angles(scan: dict[str, str], count: int, path: Path) -> NDArray[np.float64] | None:
    if "listPositions" in scan:
        listed = _numbers(scan["listPositions"], path)
        return listed if len(listed) == count else None
    if "startPosition" in scan and "endPosition" in scan:
        ends = [_numbers(scan[name], path)[0] for name in ("startPosition", "endPosition")]
        return np.linspace(ends[0], ends[1], count)
    return None


def _wavelength(source: dict[str, str], path: Path) -> float | None:
    """Kα1 alone, or the mean of the doublet where the second line is there."""
    if not source.get("kAlpha1"):
        return None
    first = float(_numbers(source["kAlpha1"], path)[0])
    if not source.get("kAlpha2"):
        return first
    second = float(_numbers(source["kAlpha2"], path)[0])
    ratio = float(_numbers(source["ratioKAlpha2KAlpha1"], path)[0]) if source.get("ratioKAlpha2KAlpha1") else 0.5
    return (first + ratio * second) / (1.0 + ratio)
