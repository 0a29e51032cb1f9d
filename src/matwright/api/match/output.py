"""What a match writes: tables, structures, the overlay and one page."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from matwright.api.match.picture import measured_angles, overlay
from matwright.api.report.shell import made_by, section, whole_page
from matwright.errors import MatwrightError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import reduced_formula, to_cif
from matwright.materials.symmetry import site_symmetry
from matwright.physics.diffraction.axis import AXIS
from matwright.physics.geometry import density
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_bytes, atomic_write_text

if TYPE_CHECKING:
    from matwright.api.match.run import MatchResult
    from matwright.api.match.search import Match

MATCH_COLUMNS = (
    "rank", "material", "formula", "space_group", "n_atoms", "density_g_cm3", "similarity", "embedding_similarity",
    "volume_strain_percent", "zero_shift_deg", "width_deg", "as_good_as_first", "cif",
)  # fmt: skip
PHASE_COLUMNS = (
    "phase", "material", "formula", "weight_fraction", "weight_fraction_std", "scattering_fraction",
)  # fmt: skip
TIE = 0.005
"""Difference in similarity below which noise, texture or a small impurity may decide the order of two matches."""

_CIFS = 5  # best matches whose structures are written


def write_result(result: MatchResult, run: RunFolder) -> None:
    """Write all files of a match and finish the run."""
    rows = list(_match_rows(result, run))
    atomic_write_text(run.file("matches.csv"), _csv(MATCH_COLUMNS, rows))
    phases = list(_phase_rows(result))
    atomic_write_text(run.file("phases.csv"), _csv(PHASE_COLUMNS, phases))
    atomic_write_text(run.file("pattern.csv"), _pattern_csv(result))
    labels = [f"{row[2]} ({row[1]}), {100 * float(row[3]):.0f} wt%" for row in phases]
    picture = overlay(result.pattern, result.mixture, labels, result.wavelength)
    atomic_write_bytes(run.file("overlay.png"), picture)
    best = rows[0]
    run.finish(
        {
            "best": {"material": best[1], "formula": best[2], "similarity": result.matches[0].similarity},
            "as_good_as_first": sum(row[11] == "yes" for row in rows),
            "phases": [dict(zip(PHASE_COLUMNS, row, strict=True)) for row in phases],
            "explained": result.mixture.amounts.explained,
            "wavelength_A": result.wavelength,
            "library": len(result.library),
        }
    )
    atomic_write_text(run.file("report.html"), _page(result, rows, phases, picture, run))


def _match_rows(result: MatchResult, run: RunFolder) -> Iterable[list[str]]:
    best = result.matches[0].similarity
    for rank, match in enumerate(result.matches, start=1):
        crystal = result.library.crystals[match.index]
        name, formula = result.library.names[match.index], reduced_formula(crystal)
        cif = ""
        if rank <= _CIFS:
            cif = f"cifs/{rank}-{_file_name(formula)}.cif"
            atomic_write_text(run.file(cif), to_cif(crystal))
        yield [
            str(rank),
            name,
            formula,
            _space_group(crystal),
            str(len(crystal)),
            f"{density(crystal):.4g}",
            f"{match.similarity:.4f}",
            f"{match.embedding:.4f}",
            f"{100 * match.volume_strain:.3f}",
            f"{match.zero:.3f}",
            "" if np.isnan(match.width) else f"{match.width:g}",
            "yes" if _fitted(match, result.matches[0]) and match.similarity > best - TIE else "no",
            cif,
        ]


def _fitted(match: Match, best: Match) -> bool:
    """Whether the match came as far in the fit as the best."""
    return not (np.isnan(match.width) and not np.isnan(best.width))


def _phase_rows(result: MatchResult) -> Iterable[list[str]]:
    amounts = result.mixture.amounts
    for place, match in enumerate(result.mixture.phases):
        yield [
            str(place + 1),
            result.library.names[match.index],
            reduced_formula(result.library.crystals[match.index]),
            f"{amounts.weight[place]:.4f}",
            f"{amounts.std[place]:.4f}",
            f"{amounts.scattering[place]:.4f}",
        ]


def _pattern_csv(result: MatchResult) -> str:
    part = slice(result.pattern.first, result.pattern.last)
    names = [f"phase_{place + 1}" for place in range(len(result.mixture.phases))]
    columns = [
        measured_angles(AXIS[part], result.wavelength),
        result.pattern.intensity[part],
        result.mixture.profiles[:, part].sum(axis=0),
        *result.mixture.profiles[:, part],
    ]
    rows = ([f"{value:.6g}" for value in row] for row in np.column_stack(columns))
    return _csv(("two_theta_deg", "measured_without_background", "explained", *names), rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _space_group(crystal: Crystal) -> str:
    try:
        return str(site_symmetry(crystal).number)
    except MatwrightError:  # no symmetry found: the column stays empty
        return ""


def _file_name(formula: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in formula)[:60]


def _page(
    result: MatchResult, rows: Sequence[Sequence[str]], phases: Sequence[Sequence[str]], picture: bytes, run: RunFolder
) -> str:
    best, tied = rows[0], [row for row in rows[1:] if row[11] == "yes"]
    explained = 100 * result.mixture.amounts.explained
    lead = (
        f"Best match: <strong>{escape(best[2])}</strong> ({escape(best[1])}), similarity {best[6]}; "
        f"all phases together explain {explained:.0f} % of the pattern's sum of squares."
    )
    if tied:
        names = ", ".join(f"{escape(row[2])} ({escape(row[1])})" for row in tied[:6])
        lead += f" The pattern alone cannot tell it from {names}: name the elements, or ask a chemist."
    image = (
        f'<img alt="overlay" style="max-width:100%" src="data:image/png;base64,{base64.b64encode(picture).decode()}">'
    )
    caveats = (
        "Weight fractions are among the phases listed, from whole-profile non-negative least squares (Hill and Howard, "
        "1987) with atoms at rest, without texture and microabsorption; their uncertainty is that of the noise alone. "
        "Similarity is a cosine: 1 would be a perfect fit, noise lowers it."
    )
    body = (
        f'<header><p class="kicker">Pattern match · {escape(result.measured.name)}</p><h1>{escape(best[2])}</h1>'
        f'<p class="lead">{lead}</p></header><main>'
        + section("Overlay", "", image)
        + section("Phases", caveats, _html_table(PHASE_COLUMNS, phases))
        + section("Matches", "Every number is in matches.csv.", _html_table(MATCH_COLUMNS[:12], [r[:12] for r in rows]))
        + section("What made this page", "", made_by(run.record))
        + "</main>"
    )
    return whole_page(f"{result.measured.name} · matwright match", body)


def _html_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column.replace('_', ' '))}</th>" for column in columns)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'
    return f'<div class="scroll">{table}</div>'
