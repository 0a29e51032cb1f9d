"""Crystals whose rules a textbook answers."""

from __future__ import annotations

import numpy as np

from matwright.elements import atomic_number
from matwright.materials.crystal import Crystal

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def crystal(lattice: np.ndarray, sites: dict[str, list[tuple[float, float, float]]]) -> Crystal:
    numbers = [atomic_number(name) for name, places in sites.items() for _ in places]
    coords = [place for places in sites.values() for place in places]
    return Crystal(lattice=lattice, frac_coords=np.array(coords), numbers=np.array(numbers))


def rock_salt(cation: str, anion: str, a: float) -> Crystal:
    return crystal(a * FCC, {cation: [(0, 0, 0)], anion: [(0.5, 0.5, 0.5)]})


def zinc_blende(cation: str, anion: str, a: float) -> Crystal:
    return crystal(a * FCC, {cation: [(0, 0, 0)], anion: [(0.25, 0.25, 0.25)]})


def perovskite(big: str, small: str, anion: str, a: float) -> Crystal:
    faces = [(0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5)]
    return crystal(a * np.eye(3), {big: [(0, 0, 0)], small: [(0.5, 0.5, 0.5)], anion: faces})


def rutile(cation: str, anion: str, a: float, c: float, u: float) -> Crystal:
    anions = [(u, u, 0), (-u, -u, 0), (0.5 + u, 0.5 - u, 0.5), (0.5 - u, 0.5 + u, 0.5)]
    return crystal(np.diag([a, a, c]), {cation: [(0, 0, 0), (0.5, 0.5, 0.5)], anion: anions})
