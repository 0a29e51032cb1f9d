"""Structure files that lie together: in a folder, or in a ZIP archive."""

from __future__ import annotations

import gzip
import hashlib
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import final

from matwright.data.record import StructureKind
from matwright.errors import InputError
from matwright.materials.structure_files import FRAME_ENDINGS, MOLECULE_ENDINGS
from matwright.serialization import hash_file

TablePath = Path | zipfile.Path
"""A table on disk or inside an archive."""

ENDINGS = (".cif", ".vasp", ".poscar", *FRAME_ENDINGS, *MOLECULE_ENDINGS)
_KINDS = {".cif": StructureKind.CIF} | dict.fromkeys(FRAME_ENDINGS, StructureKind.EXTXYZ)
_KINDS |= dict.fromkeys(MOLECULE_ENDINGS, StructureKind.MOLFILE)
Read = Callable[[str], tuple[StructureKind, str]]
"""Name of a member → kind and payload of a row."""


@final
@dataclass(frozen=True)
class Bundle:
    """A folder or ZIP archive with structure files; in an archive, folders are looked into.

    Attributes:
        path: of the folder or archive.
    """

    path: Path

    @property
    def is_archive(self) -> bool:
        """Whether it is a ZIP archive."""
        return is_archive(self.path)

    @cached_property
    def names(self) -> list[str]:
        """The names of the structure files, sorted.

        Raises:
            InputError: the archive cannot be read.
        """
        return [name for name in self.all_names if is_structure(name)]

    @cached_property
    def all_names(self) -> list[str]:
        """The names of all files, sorted."""
        if not self.is_archive:
            with os.scandir(self.path) as entries:
                return sorted(entry.name for entry in entries if entry.is_file())
        try:
            with zipfile.ZipFile(self.path) as archive:
                return sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())
        except (zipfile.BadZipFile, OSError) as problem:
            raise InputError(f"{self.path} cannot be read as a ZIP archive: {problem}") from problem

    @cached_property
    def by_stem(self) -> dict[str, str]:
        """Name without folder and ending → name, for each structure file."""
        return {stem(name): name for name in self.names}

    def find(self, word: str) -> str | None:
        """The structure file of that name, given with or without its ending; None where there is none.

        A name before an underscore is enough where no other file begins so: JVASP-1002 for JVASP-1002_Si.cif.
        """
        return word if word in self._known else self.by_stem.get(word) or self._by_beginning.get(word)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _by_beginning(self) -> dict[str, str]:
        beginnings = [found.partition("_")[0] for found in self.by_stem]
        times = Counter(beginnings)
        pairs = zip(beginnings, self.by_stem.values(), strict=True)
        return {beginning: name for beginning, name in pairs if times[beginning] == 1}

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """Yield a function that gives the kind and payload of a structure file."""
        if not self.is_archive:
            yield lambda name: (StructureKind.PATH, str(self.path / name))
            return
        with zipfile.ZipFile(self.path) as archive:

            def read(name: str) -> tuple[StructureKind, str]:
                data = archive.read(name)
                text = gzip.decompress(data) if name.endswith(".gz") else data
                suffix = PurePosixPath(name.lower().removesuffix(".gz")).suffix
                return _KINDS.get(suffix, StructureKind.POSCAR), text.decode("utf-8", "replace")

            yield read

    def tables(self, is_table: Callable[[TablePath], bool]) -> list[TablePath]:
        """The tables in it, by name."""
        found: list[TablePath] = [
            zipfile.Path(self.path, name) if self.is_archive else self.path / name
            for name in self.all_names
            if not is_structure(name)
        ]
        return [path for path in found if is_table(path)]

    def hash(self) -> str:
        """A hex digest of the names and bytes of its structure files (of the whole archive)."""
        if self.is_archive:
            return hash_file(self.path)
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(f"{name}\0{hash_file(self.path / name)}\0".encode())
        return digest.hexdigest()


def is_archive(path: Path) -> bool:
    """Whether the name is that of a ZIP archive."""
    return path.suffix.lower() == ".zip"


def is_structure(name: str) -> bool:
    """Whether a file's name is that of a structure file."""
    bare = PurePosixPath(name).name.lower().removesuffix(".gz")
    return bare.endswith(ENDINGS) or bare.startswith(("poscar", "contcar"))


def stem(name: str) -> str:
    """A structure file's name without folders and ending."""
    bare = PurePosixPath(name).name.removesuffix(".gz")
    return next((bare[: -len(end)] for end in ENDINGS if bare.lower().endswith(end)), bare)
