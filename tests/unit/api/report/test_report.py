"""The report: a scene that is the crystal, figures that put numbers where they belong, a page that says it all."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import finished
import numpy as np
import pytest
from toy import prototype

from matwright.api.design import DesignResult, result
from matwright.api.design.records import Measurement
from matwright.api.report import render_report
from matwright.api.report.cards import conventional_cell
from matwright.api.report.figures import Axis, axis_for, interval_strip, number
from matwright.api.report.palette import element_colour
from matwright.api.report.scene import build_scene, draw, first_view
from matwright.api.report.wording import formula_html, space_group_html, target_html, unit_html
from matwright.materials.target import parse_target


@pytest.fixture(scope="module")
def outcome() -> DesignResult:
    return finished.finish()


@pytest.fixture(scope="module")
def page(outcome: DesignResult) -> str:
    return render_report(
        outcome, title="a <run>", cifs={identity: f"cifs/{identity}.cif" for identity in outcome.ranked}
    )


def test_rock_salt_is_drawn_with_its_face_images_and_bonds() -> None:
    scene = build_scene(conventional_cell(prototype(0, 12, 8)))
    assert len(scene.numbers) == 27
    assert sorted(np.unique(scene.numbers, return_counts=True)[1].tolist()) == [13, 14]
    assert len(scene.bonds) == 54
    assert all(scene.numbers[i] != scene.numbers[j] for i, j in scene.bonds)
    assert np.linalg.norm(scene.positions, axis=1).max() <= 1.0
    assert json.loads(scene.to_json())["b"] == scene.bonds.tolist()


def test_the_picture_is_valid_svg_with_nearer_atoms_drawn_later() -> None:
    crystal = conventional_cell(prototype(3, 20, 9))
    scene, view = build_scene(crystal), first_view(crystal.lattice)
    assert np.allclose(view @ view.T, np.eye(3))
    assert np.linalg.det(view) == pytest.approx(1.0)
    root = ET.fromstring(f"<svg>{draw(scene, view)}</svg>")
    circles = [child for child in root if child.tag == "circle"]
    assert len(circles) == len(scene.numbers)
    depths = np.sort((scene.positions @ view.T)[:, 2])
    nearest = (scene.positions @ view.T)[np.argmax((scene.positions @ view.T)[:, 2])]
    assert depths[-1] == nearest[2]
    assert float(circles[-1].attrib["cx"]) == pytest.approx(nearest[0] * 5 / (5 - nearest[2]) * 0.97, abs=2e-3)


def test_every_element_has_a_colour() -> None:
    colours = [element_colour(z) for z in range(1, 119)]
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)
    assert len(set(colours)) > 100


def test_an_axis_puts_values_where_they_belong() -> None:
    axis = Axis(low=0.0, high=10.0, start=100.0, end=0.0)
    assert [axis.at(value) for value in (0.0, 5.0, 10.0, 99.0)] == [100.0, 50.0, 0.0, 0.0]
    assert Axis(low=0.0, high=1.0, start=0, end=1).ticks() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert Axis(low=-0.13, high=0.27, start=0, end=1).ticks() == pytest.approx([-0.1, 0.0, 0.1, 0.2])


def test_the_strip_shows_interval_mean_and_target() -> None:
    measured = Measurement(name="bulk_modulus", value=210.0, unit="GPa", lower=190.0, upper=260.0, level=0.9)
    target = parse_target("bulk_modulus>=200 GPa")
    axis = axis_for([measured], target, 0.0, 240.0)
    root = ET.fromstring(interval_strip(measured, None, target, axis))
    zone = next(child for child in root if child.attrib.get("class") == "zone")
    interval = next(child for child in root if child.attrib.get("class") == "interval")
    assert float(zone.attrib["x"]) == pytest.approx(axis.at(200.0), abs=0.06)
    assert float(interval.attrib["x1"]) < float(zone.attrib["x"]) < float(interval.attrib["x2"])
    assert "90 % interval 190 to 260" in root.attrib["aria-label"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (-1.2345, "−1.23"),
        (0.0196, "0.020"),
        (12.34, "12.3"),
        (231.4, "231"),
        (None, "–"),
        (-1e-9, "0.000"),
    ],
)
def test_numbers_are_set_as_people_write_them(value: float | None, text: str) -> None:
    assert number(value) == text


def test_formulas_groups_and_targets_are_set_as_chemists_write_them() -> None:
    assert formula_html("Ca2SiO4") == "Ca<sub>2</sub>SiO<sub>4</sub>"
    assert space_group_html("Fm-3m") == '<i>Fm</i><span class="bar">3</span><i>m</i>'
    assert space_group_html("P2_1/c") == "<i>P</i>2<sub>1</sub>/<i>c</i>"
    assert "= 1.5 ± 0.3 eV" in target_html(parse_target("band_gap=1.5±0.3 eV"))
    assert "as low as possible" in target_html(parse_target("minimise e_above_hull"))
    assert target_html(parse_target("density<=5 g/cm^3")).endswith("≤ 5 g/cm³")
    assert unit_html("W/(m*K^-2)") == "W/(m·K⁻²)"
    assert unit_html("<b>") == "&lt;b&gt;"


class Balance(HTMLParser):
    """Fails on tags that are closed in the wrong order."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_escapes_what_it_is_given(page: str) -> None:
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert "a &lt;run&gt;" in page
    assert "a note with &lt;angle&gt; brackets" in page
    assert "matwright design &lt;b&gt;" in page


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert "url(http" not in page
    assert "@import" not in page


def test_the_page_holds_every_survivor_every_rung_and_the_rule_of_ranking(page: str, outcome: DesignResult) -> None:
    for identity in outcome.ranked:
        assert f'<article id="{identity}">' in page
        assert f'href="cifs/{identity}.cif"' in page
    for step in outcome.funnel():
        assert f'<td class="count">{step.passed}</td>' in page
    assert "score = P(" in page
    assert page.count('<tr class="survivor">') == len(outcome.ranked)
    assert page.count('<figure class="crystal"') == len(outcome.ranked)


def test_without_survivors_the_closest_misses_are_shown() -> None:
    nothing = finished.finish(finished.failure)
    text = render_report(nothing, title="none", cifs={})
    assert "No candidate passed every rung" in text
    assert "The closest misses" in text
    assert "no energy" in text
    assert nothing.funnel()[-1].rung == result.RELAXATION
