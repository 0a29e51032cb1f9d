"""Structure files of any kind: crystals, layers and molecules."""

from __future__ import annotations

from pathlib import Path

from matwright.errors import InputError
from matwright.materials import interop
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule
from matwright.materials.molecule_files import from_molfile, from_xyz

MOLECULE_ENDINGS = (".mol", ".sdf")
FRAME_ENDINGS = (".xyz", ".extxyz")


def read_any(path: Path | str) -> Crystal | Molecule:
    """The crystal or molecule in a file: as `interop.read_structure`, also .mol, .sdf, and XYZ without a cell.

    Raises:
        InputError: no such file, an unknown kind, or contents that are no structure; the message names the file.
    """
    path = Path(path)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in (*MOLECULE_ENDINGS, *FRAME_ENDINGS) or not path.is_file():
        return interop.read_structure(path)
    try:
        text = interop.read_text(path)
        return from_molfile(text) if suffix in MOLECULE_ENDINGS else from_frame(text)
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from problem


def from_frame(text: str) -> Crystal | Molecule:
    """The crystal of an extended XYZ frame with a cell, the molecule of one without."""
    comment = text.split("\n", 2)[1] if text.count("\n") else ""
    return interop.from_extxyz(text) if "lattice" in comment.lower() else from_xyz(text)
