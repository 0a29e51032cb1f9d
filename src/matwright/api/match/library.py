"""Libraries of crystals to match against: the shipped one, a folder or table of the user, or a prepared file."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.match.crystals import PackedCrystals, pack_crystals, unpack_crystals
from matwright.data.record import RawRow, Rejection, parse_row
from matwright.data.sources import open_source
from matwright.errors import InputError, MatwrightError
from matwright.materials.crystal import Crystal
from matwright.progress import Progress, silent
from matwright.serialization import atomic_write_bytes

if TYPE_CHECKING:
    from matwright.api.match.model import Matcher
    from matwright.physics.diffraction.peaks import Peaks

FORMAT = "matwright crystal library 1"
_CHUNK = 128  # crystals embedded together


@final
class MatchLibrary:
    """Crystals with their names and their places in the matcher's space; peaks are computed when first needed.

    Attributes:
        names: (n,) one a crystal.
        crystals: (n,) packed.
        vectors: (n, width) float32, in the space of the matcher whose `model_hash` stands beside it.
        model_hash: of the matcher that made the vectors.
        elements: (n, 119) bool, which elements each holds.
    """

    def __init__(
        self, names: Sequence[str], crystals: PackedCrystals, vectors: NDArray[np.float32], model_hash: str
    ) -> None:
        if not len(names) == len(crystals) == len(vectors):
            raise InputError(f"the library has {len(names)} names, {len(crystals)} crystals, {len(vectors)} vectors")
        self.names = tuple(names)
        self.crystals = crystals
        self.vectors = vectors
        self.model_hash = model_hash
        self.elements = crystals.elements()
        self._peaks: dict[int, Peaks] = {}

    def __len__(self) -> int:
        return len(self.names)

    def peaks(self, index: int) -> Peaks:
        """The peaks of a crystal; computed once."""
        from matwright.physics.diffraction.peaks import peaks_on_axis  # heavy (pymatgen's tables): behind its door
        from matwright.physics.diffraction.reflections import reflections

        if index not in self._peaks:
            self._peaks[index] = peaks_on_axis(reflections(self.crystals[index]))
        return self._peaks[index]

    def remember(self, peaks: Sequence[Peaks]) -> None:
        """Keep the peaks of all crystals, computed elsewhere."""
        self._peaks = dict(enumerate(peaks))


def build_library(
    rows: Sequence[tuple[str, Crystal]],
    matcher: Matcher,
    *,
    on_reject: Callable[[str, MatwrightError], None],
    progress: Progress | None = None,
) -> MatchLibrary:
    """A library of named crystals; those that give no pattern go to `on_reject`.

    Raises:
        InputError: none could be used.
    """
    from matwright.physics.diffraction.peaks import peaks_on_axis  # heavy: behind its door
    from matwright.physics.diffraction.reflections import reflections

    listener = progress or silent()
    listener.start("simulating patterns", len(rows))
    kept: list[tuple[str, Crystal]] = []
    peaks: list[Peaks] = []
    for name, crystal in rows:
        try:
            peaks.append(peaks_on_axis(reflections(crystal)))
            kept.append((name, crystal))
        except MatwrightError as problem:
            on_reject(name, problem)
        listener.advance()
    if not kept:
        raise InputError("none of the structures of the library gives a powder pattern")
    crystals = [crystal for _, crystal in kept]
    vectors = matcher.embed(crystals, peaks, progress=listener)
    library = MatchLibrary([name for name, _ in kept], pack_crystals(crystals), vectors, matcher.hash)
    library.remember(peaks)
    return library


def read_library(
    path: Path,
    matcher: Matcher,
    *,
    on_reject: Callable[[Rejection], None],
    structure: str | None = None,
    progress: Progress | None = None,
) -> MatchLibrary:
    """The library at `path`: a prepared .npz file, a folder of structure files, or a table.

    Raises:
        InputError: there is nothing at `path`, it is no library, or none of its structures can be used.
    """
    if path.suffix.lower() == ".npz":
        return load_library(path, matcher, progress=progress)
    listener = progress or silent()
    listener.start("reading the library")
    read: list[tuple[str, Crystal]] = []
    by_name: dict[str, RawRow] = {}
    for row in open_source(path, structure=structure).rows():
        by_name[row.id] = row
        try:
            crystal = parse_row(row)
            if not isinstance(crystal, Crystal):
                raise InputError("a powder pattern needs a crystal, not a molecule or a formula")
            read.append((row.id, crystal))
        except MatwrightError as problem:
            on_reject(Rejection.of(row, problem))
        listener.advance()
    return build_library(
        read,
        matcher,
        on_reject=lambda name, problem: on_reject(Rejection.of(by_name[name], problem)),
        progress=listener,
    )


def save_library(library: MatchLibrary, path: Path) -> None:
    """Write names, crystals and vectors (8 bits a component) as one compressed .npz file, atomically."""
    scale = float(np.abs(library.vectors).max()) / 127.0
    arrays: dict[str, NDArray[Any]] = {
        **library.crystals.arrays(),
        "vectors": np.rint(library.vectors / scale).astype(np.int8),
        "scale": np.array(scale),
        "about": np.frombuffer(
            json.dumps({"format": FORMAT, "model": library.model_hash, "names": library.names}).encode(), np.uint8
        ),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic_write_bytes(path, buffer.getvalue())


def load_library(path: Path, matcher: Matcher, *, progress: Progress | None = None) -> MatchLibrary:
    """The library that `save_library` wrote; vectors of another matcher are computed anew.

    Raises:
        InputError: the file is missing, broken, or of another format.
    """
    try:
        data = io.BytesIO(path.read_bytes())  # NumPy leaves a broken file open
        with np.load(data, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays["about"].tobytes())
        names = [str(name) for name in about["names"]]
        vectors = arrays["vectors"].astype(np.float32) * np.float32(arrays["scale"])
        known = about["format"] == FORMAT
    except FileNotFoundError:
        raise InputError(f"there is no file {str(path)!r}") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as problem:
        raise InputError(f"{path} is no library of matwright, or it is broken: {problem}") from problem
    if not known:
        raise InputError(f"{path} is a library of another format ({about['format']!r})")
    crystals = unpack_crystals(arrays)
    if about["model"] == matcher.hash:
        return MatchLibrary(names, crystals, vectors, matcher.hash)
    rows = [(name, crystals[index]) for index, name in enumerate(names)]
    return build_library(rows, matcher, on_reject=lambda *_: None, progress=progress)
