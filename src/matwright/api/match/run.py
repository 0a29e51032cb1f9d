"""The verb: a measured pattern in, a folder with ranked crystals, phase fractions, pictures and files out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, final

from matwright.api.match.library import MatchLibrary, load_library, read_library, save_library
from matwright.api.match.mixture import Mixture, find_mixture
from matwright.api.match.model import LIBRARY_FILE, SHIPPED_MATCHER, Matcher, load_matcher
from matwright.api.match.pattern_file import MeasuredPattern, read_pattern
from matwright.api.match.search import Match, SearchSettings, rank
from matwright.api.models import find_model
from matwright.data.record import Rejection, RejectionLog
from matwright.errors import InputError
from matwright.progress import Progress, silent
from matwright.runs import RunFolder
from matwright.serialization import hash_file

if TYPE_CHECKING:
    from matwright.physics.diffraction.axis import AxisPattern

SHIPPED_LIBRARY = "shipped"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSettings:
    """What a match is asked to do.

    Attributes:
        library: "shipped", a folder of structure files, a table, or a prepared library (.npz).
        structure: column of a table that holds the structures, None for a usual one.
        wavelength: name or Å as text; None takes the file's, or CuKa where it says none.
        model: shipped matcher or folder of a trained one.
        search: short list, elements, fit.
        top: matches written, at least 1.
        phases: largest number of phases in the mixture, at least 1.
    """

    library: str = SHIPPED_LIBRARY
    structure: str | None = None
    wavelength: str | None = None
    model: str = SHIPPED_MATCHER
    search: SearchSettings = field(default_factory=SearchSettings)
    top: int = 20
    phases: int = 3

    def __post_init__(self) -> None:
        if self.top < 1 or not 1 <= self.phases <= 6:
            raise InputError(f"top is at least 1 and phases lies in 1..6, found {self.top} and {self.phases}")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchResult:
    """What a match found.

    Attributes:
        measured: the file's pattern.
        wavelength: Å that was used.
        pattern: on the common axis, background subtracted.
        matches: best first.
        mixture: phases and their amounts.
        library: that was searched.
    """

    measured: MeasuredPattern
    wavelength: float
    pattern: AxisPattern
    matches: tuple[Match, ...]
    mixture: Mixture
    library: MatchLibrary


def match_file(
    path: Path,
    settings: MatchSettings,
    *,
    on_reject: Callable[[Rejection], None],
    progress: Progress | None = None,
) -> MatchResult:
    """Match the pattern in a file against a library.

    Raises:
        InputError: the pattern or the library cannot be used, or no crystal has the elements asked for.
    """
    # behind its door: SciPy and pymatgen's tables
    from matwright.physics.diffraction.axis import to_axis
    from matwright.physics.diffraction.background import without_background
    from matwright.physics.diffraction.radiation import wavelength_of

    listener = progress or silent()
    measured = read_pattern(path)
    wavelength = wavelength_of(settings.wavelength or measured.wavelength or "CuKa")
    pattern = without_background(to_axis(measured.two_theta, measured.intensity, wavelength))
    matcher = load_matcher(settings.model)
    library = open_library(settings, matcher, on_reject=on_reject, progress=listener)
    listener.start("fitting candidates")
    matches = rank(pattern, library, matcher, settings.search)
    mixture = find_mixture(pattern, matches[0], library, matcher, settings.search, settings.phases)
    listener.finish()
    return MatchResult(
        measured=measured,
        wavelength=wavelength,
        pattern=pattern,
        matches=tuple(matches[: settings.top]),
        mixture=mixture,
        library=library,
    )


def open_library(
    settings: MatchSettings,
    matcher: Matcher,
    *,
    on_reject: Callable[[Rejection], None],
    progress: Progress | None = None,
) -> MatchLibrary:
    """The library that the settings name.

    Raises:
        InputError: there is none of that name, or it cannot be used.
    """
    if settings.library != SHIPPED_LIBRARY:
        path = Path(settings.library)
        return read_library(path, matcher, on_reject=on_reject, structure=settings.structure, progress=progress)
    return load_library(find_model(SHIPPED_MATCHER) / LIBRARY_FILE, matcher, progress=progress)


def match_to_folder(
    path: Path,
    settings: MatchSettings,
    *,
    out: Path,
    on_reject: Callable[[Rejection], None],
    progress: Progress | None = None,
) -> MatchResult:
    """Match as `match_file` and write matches.csv, phases.csv, pattern.csv, overlay.png, report.html, cifs/, run.json.

    A library that was built from structure files is written too, as library.npz, to be used again without that work.
    Nothing is written before there is a result; structures that cannot be used are listed in rejected.csv.

    Raises:
        InputError: as for `match_file`, or `out` is occupied.
    """
    from matwright.api.match.output import write_result  # behind its door: pictures and pages

    _refuse_occupied(out)
    rejected: list[Rejection] = []

    def reject(rejection: Rejection) -> None:
        rejected.append(rejection)
        on_reject(rejection)

    result = match_file(path, settings, on_reject=reject, progress=progress)
    run = RunFolder.create(
        out,
        kind="match",
        settings={"pattern": path.name, "match": settings},
        seed=0,
        data_hash=hash_file(path),
    )
    if settings.library != SHIPPED_LIBRARY and Path(settings.library).suffix.lower() != ".npz":
        save_library(result.library, run.file(LIBRARY_FILE))
    if rejected:
        with RejectionLog(run.file("rejected.csv")) as log:
            for rejection in rejected:
                log.add(rejection)
    write_result(result, run)
    return result


def _refuse_occupied(out: Path) -> None:
    """Raise before minutes of work are spent for a folder that cannot be written."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not empty; nothing was overwritten: give a new folder")
