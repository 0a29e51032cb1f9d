"""A crystal as something to look at: atoms, half bonds and cell edges in space, drawn as a vector picture.

`draw` gives the still picture that prints and needs no script; `viewer.js` draws the same scene after a drag.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.api.report.palette import element_colour
from matwright.elements import COVALENT_RADIUS, ELECTRONEGATIVITY, SYMBOLS
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule

BOND_STRETCH = 1.16
"""Two atoms are joined when they are nearer than this times the sum of their covalent radii."""
ATOM_SCALE = 0.40
"""Drawn radius of an atom over its covalent radius."""
EDGE_PIECES = 4
"""Pieces a cell edge is cut into, so that each hides behind the atoms that stand in front of it."""
MAX_DRAWN_ATOMS = 160
VIEW_DISTANCE = 5.0
"""Distance of the eye over the radius of the scene (a mild perspective)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Things to draw, centred at the origin and scaled into the unit sphere.

    Attributes:
        positions: (n_atoms, 3) atoms of one cell and their images on its faces.
        sites: (n_atoms,) site of the structure that each is, or is an image of.
        radii: (n_atoms,) drawn radii on the same scale.
        numbers: (n_atoms,) atomic numbers.
        bonds: (n_bonds, 2) indices of joined atoms.
        edges: (n_pieces, 2, 3) pieces of the cell's edges.
        reach: Å, the length that is 1 here.
    """

    positions: NDArray[np.float64]
    sites: NDArray[np.int64]
    radii: NDArray[np.float64]
    numbers: NDArray[np.int64]
    bonds: NDArray[np.int64]
    edges: NDArray[np.float64]
    reach: float

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that occur, most electropositive first."""
        present = {int(z) for z in self.numbers}
        return tuple(sorted(present, key=lambda z: (float(np.nan_to_num(ELECTRONEGATIVITY[z], nan=9.0)), z)))

    def to_json(self, paint: Paint | None = None) -> str:
        """What `viewer.js` needs, short: {p: positions, r: radii, b: bonds, e: edges} and g, f, t of the paint."""
        paint = paint or element_paint(self)
        return json.dumps(
            {
                "p": np.round(self.positions, 3).tolist(),
                "r": np.round(self.radii, 3).tolist(),
                "b": self.bonds.tolist(),
                "e": np.round(self.edges, 3).tolist(),
                "g": paint.balls,
                "f": paint.bonds,
                "t": paint.labels,
            },
            separators=(",", ":"),
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Paint:
    """The colours of a scene.

    Attributes:
        balls: id of the gradient (see `ball`) of each atom.
        bonds: colours of the two halves of each bond.
        labels: what stands on each ball, nothing anywhere where empty.
    """

    balls: tuple[str, ...]
    bonds: tuple[tuple[str, str], ...]
    labels: tuple[str, ...] = ()


def element_paint(scene: Scene) -> Paint:
    """Atoms and half bonds in the colours of their elements."""
    colours = {int(z): element_colour(int(z)) for z in set(scene.numbers.tolist())}
    return Paint(
        balls=tuple(f"e{z}" for z in scene.numbers.tolist()),
        bonds=tuple((colours[int(scene.numbers[i])], colours[int(scene.numbers[j])]) for i, j in scene.bonds),
    )


def build_scene(structure: Crystal | Molecule) -> Scene:
    """The scene of one cell, with the images of atoms that lie on its faces, or of a molecule."""
    if isinstance(structure, Molecule):
        cartesian, sites = structure.coords, np.arange(len(structure))
        corners, edges = cartesian, np.zeros((0, 2, 3))
    else:
        fractional, sites = _with_face_images(structure)
        cartesian = fractional @ structure.lattice
        corners = np.array(list(itertools.product((0.0, 1.0), repeat=3))) @ structure.lattice
        edges = _edge_pieces(structure.lattice)
    numbers = structure.numbers[sites]
    centre = corners.mean(axis=0)
    drawn = ATOM_SCALE * _radii(numbers)
    reach = max(
        float((np.linalg.norm(cartesian - centre, axis=1) + drawn).max()),
        float(np.linalg.norm(corners - centre, axis=1).max()),
    )
    return Scene(
        positions=(cartesian - centre) / reach,
        sites=sites,
        radii=drawn / reach,
        numbers=numbers,
        bonds=_bonds(cartesian, numbers),
        edges=(edges - centre) / reach,
        reach=reach,
    )


def _with_face_images(crystal: Crystal) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Atoms of the cell plus the images of those on a face, edge or corner (fractional coordinate 0 seen at 1 too).

    Returns:
        fractional coordinates (n, 3); the site of each, (n,).
    """
    coords = np.where(crystal.frac_coords > 1 - 1e-3, crystal.frac_coords - 1, crystal.frac_coords)
    sites = np.arange(len(crystal))
    for axis in range(3):
        on_face = np.abs(coords[:, axis]) < 1e-3
        if not crystal.pbc[axis] or len(coords) + int(on_face.sum()) > MAX_DRAWN_ATOMS:
            continue
        shift = np.eye(3)[axis]
        coords = np.concatenate([coords, coords[on_face] + shift])
        sites = np.concatenate([sites, sites[on_face]])
    return coords, sites


def _radii(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.nan_to_num(COVALENT_RADIUS[numbers].astype(np.float64), nan=1.5)


def _bonds(cartesian: NDArray[np.float64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_bonds, 2) pairs near enough to be joined; where anions are present, only pairs of unlike character."""
    radii = _radii(numbers)
    distances = np.linalg.norm(cartesian[:, None] - cartesian[None], axis=-1)
    near = (distances < BOND_STRETCH * (radii[:, None] + radii[None])) & (distances > 1e-3)
    pull = np.nan_to_num(ELECTRONEGATIVITY[numbers].astype(np.float64), nan=2.0)
    if pull.max() > 2.4 and pull.min() < 2.0:  # cations and anions: two cations that happen to be near are no bond
        near &= (pull[:, None] > 2.0) | (pull[None] > 2.0)
    first, second = np.nonzero(np.triu(near))
    return np.stack([first, second], axis=1)


def _edge_pieces(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """(12 * EDGE_PIECES, 2, 3) Å."""
    pieces = []
    ticks = np.linspace(0.0, 1.0, EDGE_PIECES + 1)
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        for corner in itertools.product((0.0, 1.0), repeat=2):
            for start, end in itertools.pairwise(ticks):
                ends = np.zeros((2, 3))
                ends[:, others] = corner
                ends[:, axis] = (start, end)
                pieces.append(ends @ lattice)
    return np.array(pieces)


def first_view(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) rotation that looks at the cell a little from the right and from above, c upwards.

    Rows are the directions right, up and towards the eye.
    """
    up = lattice[2] / np.linalg.norm(lattice[2])
    right = lattice[0] - (lattice[0] @ up) * up
    right /= np.linalg.norm(right)
    if np.linalg.det(lattice) < 0:
        right = -right
    towards = np.cross(right, up)
    upright = np.stack([right, up, towards])
    yaw, pitch = np.radians(24.0), np.radians(14.0)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    return np.asarray(tilt @ turn @ upright)


def draw(scene: Scene, rotation: NDArray[np.float64], paint: Paint | None = None) -> str:
    """The scene as the inside of an SVG of viewBox "-1 -1 2 2", farthest things first; by element where unpainted."""
    paint = paint or element_paint(scene)
    points = scene.positions @ rotation.T
    edges = scene.edges @ rotation.T
    shapes: list[tuple[float, str]] = []
    for start, end in edges:
        (x1, y1, _), (x2, y2, _) = _project(start), _project(end)
        line = f'<line class="edge" x1="{x1:.3f}" y1="{y1:.3f}" x2="{x2:.3f}" y2="{y2:.3f}"/>'
        shapes.append((float(start[2] + end[2]) / 2, line))
    for ends, colours in zip(scene.bonds, paint.bonds, strict=True):
        middle = points[ends].mean(axis=0)
        for index, colour in zip(ends, colours, strict=True):
            shapes.append(_half_bond(points[index], middle, colour))
    for index, (point, radius) in enumerate(zip(points, scene.radii, strict=True)):
        x, y, size = _project(point)
        ball = f'<circle cx="{x:.3f}" cy="{y:.3f}" r="{radius * size:.3f}" fill="url(#{paint.balls[index]})"/>'
        if paint.labels:
            ball += f'<text x="{x:.3f}" y="{y:.3f}">{paint.labels[index]}</text>'
        shapes.append((float(point[2]), ball))
    return "".join(shape for _, shape in sorted(shapes, key=lambda item: item[0]))


def _project(point: NDArray[np.float64]) -> tuple[float, float, float]:
    """(x, y) on the page and the magnification there."""
    size = VIEW_DISTANCE / (VIEW_DISTANCE - float(point[2])) * 0.97
    return float(point[0]) * size, -float(point[1]) * size, size


def _half_bond(start: NDArray[np.float64], end: NDArray[np.float64], colour: str) -> tuple[float, str]:
    (x1, y1, _), (x2, y2, _) = _project(start), _project(end)
    line = f'<line class="bond" x1="{x1:.3f}" y1="{y1:.3f}" x2="{x2:.3f}" y2="{y2:.3f}" stroke="{colour}"/>'
    return float(start[2] + 3 * end[2]) / 4, line


def gradients(numbers: set[int]) -> str:
    """SVG definitions of the shaded balls of these elements, shared by all pictures of a page."""
    return "".join(ball(f"e{number}", element_colour(number)) for number in sorted(numbers))


def ball(name: str, colour: str) -> str:
    """The SVG definition of a shaded ball."""
    return (
        f'<radialGradient id="{name}" cx=".36" cy=".32" r=".72">'
        f'<stop offset="0" stop-color="color-mix(in oklab, {colour} 42%, white)"/>'
        f'<stop offset=".45" stop-color="{colour}"/>'
        f'<stop offset="1" stop-color="color-mix(in oklab, {colour} 62%, black)"/></radialGradient>'
    )


def legend(scene: Scene) -> str:
    """The elements of the scene with their colours, as HTML."""
    entries = (f'<span><i style="background:{element_colour(z)}"></i>{SYMBOLS[z]}</span>' for z in scene.elements)
    return '<span class="legend">' + "".join(entries) + "</span>"
