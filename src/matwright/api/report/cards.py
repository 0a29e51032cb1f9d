"""The card of one candidate: its crystal to turn, its intervals against the targets, its place above the hull."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from matwright.api.condition_ranges import FAR_FROM_DATA
from matwright.api.design import result
from matwright.api.design.describe import formula_of, novelty_of, space_group_number, space_group_symbol
from matwright.api.design.records import DesignRecord, Measurement
from matwright.api.design.surrogate import FORMATION_ENERGY
from matwright.api.report import scene as scenes
from matwright.api.report import wording
from matwright.api.report.figures import Axis, interval_strip, number
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_stderr, quiet_warnings
from matwright.materials.target import Target


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CardStyle:
    """What all cards of a page share, so that they can be compared by eye.

    Attributes:
        properties: names of the predicted properties shown, targets first.
        axes: one axis a property.
        targets: bounded targets by property name.
        stability: limit of the energy above hull, eV/atom.
        cifs: file name of a candidate's CIF, relative to the page, by id.
    """

    properties: tuple[str, ...]
    axes: Mapping[str, Axis]
    targets: Mapping[str, Target]
    stability: float
    cifs: Mapping[str, str]


def card(record: DesignRecord, rank: int | None, style: CardStyle) -> tuple[str, set[int]]:
    """The card as HTML, and the atomic numbers whose coloured balls it uses."""
    picture, elements = crystal_figure(record.crystal)
    number_of_group = space_group_number(record)
    group = (
        f"{wording.space_group_html(space_group_symbol(number_of_group))} · {number_of_group}"
        if number_of_group
        else ""
    )
    place = f'<span class="place">{rank}</span>' if rank is not None else ""
    return (
        f'<article id="{record.id}"><div class="head">{place}'
        f'<h3 class="formula">{wording.formula_html(formula_of(record.crystal))}</h3>'
        f'<span class="group">{group}</span></div>'
        f'{picture}<div class="measures">{_measures(record, style)}</div>{_foot(record, rank, style)}</article>',
        elements,
    )


def crystal_figure(crystal: Crystal) -> tuple[str, set[int]]:
    """A picture of the conventional cell that the pointer can turn, and the elements in it."""
    shown = conventional_cell(crystal)
    scene = scenes.build_scene(shown)
    view = scenes.first_view(shown.lattice)
    named = f"crystal structure of {formula_of(crystal)}"
    return (
        f'<figure class="crystal" data-view="{json.dumps(view.round(4).tolist())}">'
        f'<svg viewBox="-1 -1 2 2" tabindex="0" role="img" aria-label="{named}; drag or use the arrow keys to turn it">'
        f'{scenes.draw(scene, view)}</svg><script type="application/json">{scene.to_json()}</script>'
        f"{scenes.legend(scene)}</figure>",
        {int(z) for z in scene.numbers},
    )


def conventional_cell(crystal: Crystal) -> Crystal:
    """The conventional standard cell (the crystal itself where symmetry cannot be told or the cell is too full)."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError  # heavy: behind its door

    from matwright.materials.interop import from_pymatgen, to_pymatgen

    try:
        with quiet_warnings(), quiet_stderr():
            cell = from_pymatgen(
                SpacegroupAnalyzer(to_pymatgen(crystal), symprec=0.1).get_conventional_standard_structure()
            )
    except (SymmetryUndeterminedError, ValueError, TypeError):  # spglib gives None for what it cannot standardise
        return crystal
    return cell if len(cell) <= scenes.MAX_DRAWN_ATOMS // 2 else crystal


def _measures(record: DesignRecord, style: CardStyle) -> str:
    rows = []
    for name in style.properties:
        if name == FORMATION_ENERGY and name not in style.targets:
            continue  # it enters the energy above the hull, and stands in the table
        measured = latest_prediction(record, name)
        if measured is None:
            continue
        before = _predicted(record, name, result.SURROGATE) if record.rung(result.PREDICTION) else None
        strip = interval_strip(measured, before, style.targets.get(name), style.axes[name])
        rows.append(_row(wording.label(name), value_html(measured, style.targets.get(name)), strip))
    hull = record.measured("e_above_hull")
    if hull is not None:
        limit = style.targets.get("e_above_hull")
        strip = interval_strip(hull, None, limit, style.axes["e_above_hull"]) if limit else ""
        rows.append(_row(wording.label("e_above_hull"), f"<b>{number(hull.value)}</b> eV/atom", strip))
    return "".join(rows)


def _row(name: str, value: str, picture: str) -> str:
    return f'<div class="measure"><span>{name}</span><span class="value">{value}</span>{picture}</div>'


def _predicted(record: DesignRecord, name: str, rung: str) -> Measurement | None:
    climbed = record.rung(rung)
    return None if climbed is None else climbed.measured(name)


def latest_prediction(record: DesignRecord, name: str) -> Measurement | None:
    """A property as predicted for the relaxed structure, else for the generated one."""
    return _predicted(record, name, result.PREDICTION) or _predicted(record, name, result.SURROGATE)


def value_html(measured: Measurement, target: Target | None = None) -> str:
    """The mean, set strong (and marked where it misses the target), with its interval and unit."""
    unit = f" {wording.unit_html(measured.unit)}".rstrip()
    missed = target is not None and measured.value is not None and not bool(target.satisfied(measured.value))
    mark = ' class="miss" title="the mean lies outside the target, the interval reaches it"' if missed else ""
    text = f"<b{mark}>{number(measured.value)}</b>{unit}"
    if measured.lower is not None and measured.upper is not None:
        text += f" <span>{number(measured.lower)} … {number(measured.upper)}</span>"
    return text


def _foot(record: DesignRecord, rank: int | None, style: CardStyle) -> str:
    remarks = []
    if rank is None:
        remarks.append(record.reason)
    elif novelty := novelty_of(record):
        remarks.append(novelty.split(",")[0])
    if (others := record.measured("known_compounds_in_system")) is not None and others.value == 0:
        remarks.append("no known compound of these elements")
    domain = record.measured("domain_score")
    if domain is not None and domain.value is not None and domain.value >= FAR_FROM_DATA:
        remarks.append("unlike the training data")
    score = record.measured("score")
    left = " · ".join(remarks)
    right = f"score {number(score.value)}" if score is not None else ""
    if record.id in style.cifs:
        right += f' · <a href="{style.cifs[record.id]}" download>CIF</a>'
    return f'<div class="foot"><span>{left}</span><span class="kept">{right}</span></div>'
