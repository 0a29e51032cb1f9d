"""Explaining into a folder: a table that adds up, a page that opens anywhere, and what made them."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from matwright.api.explain import PAGE_FILE, REJECTED_FILE, TABLE_FILE, Explainer, explain_to_folder, load_explainer
from matwright.api.inputs import read_inputs
from matwright.api.report import diverging
from matwright.api.report.waterfall import Step, waterfall
from matwright.data.record import RawRow, Rejection, StructureKind, parse_row
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_ase, to_cif

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def cubic(numbers: tuple[int, int], edge: float, second: float) -> Crystal:
    coords = np.array([[0.0, 0.0, 0.0], [second] * 3])
    return Crystal(lattice=edge * FCC, frac_coords=coords, numbers=np.array(numbers))


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return load_explainer("mp-crystal")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("structures")
    (folder / "NaCl.cif").write_text(to_cif(cubic((11, 17), 5.69, 0.5)))
    (folder / "Si <b>.cif").write_text(to_cif(cubic((14, 14), 5.47, 0.25)))
    (folder / "bad.cif").write_text("no structure")
    return folder


@pytest.fixture(scope="module")
def out(explainer: Explainer, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "explained"
    refused: list[Rejection] = []
    rows = read_inputs([files])
    properties = ["band_gap", "bulk_modulus"]
    assert explain_to_folder(explainer, rows, folder, properties=properties, on_reject=refused.append) == 2
    assert [rejection.id for rejection in refused] == ["bad"]
    return folder


def test_every_frame_of_a_file_is_a_material_and_a_broken_file_is_one_bad_row(tmp_path: Path) -> None:
    from ase.io import write

    salts = [to_ase(cubic((11, 17), edge, 0.5)) for edge in (5.6, 5.7)]
    write(tmp_path / "two.extxyz", salts)
    write(tmp_path / "one.xyz", salts[1], format="extxyz")
    (tmp_path / "cut.xyz").write_text("3\n\nNa 0 0 0\n")
    rows = list(read_inputs([tmp_path / name for name in ("two.extxyz", "cut.xyz", "one.xyz")]))
    assert [row.id for row in rows] == ["two.extxyz#1", "two.extxyz#2", "cut.xyz", "one.xyz"]
    assert "breaks off" in str(rows[2].problem)
    read = [parse_row(row) for row in (*rows[:2], rows[3])]
    assert [one.volume for one in read if isinstance(one, Crystal)] == pytest.approx([5.6**3 / 4, *[5.7**3 / 4] * 2])


def test_the_table_adds_up_for_every_material_and_property(out: Path) -> None:
    sums: dict[tuple[str, str], float] = defaultdict(float)
    predictions: dict[tuple[str, str], float] = {}
    with (out / TABLE_FILE).open(newline="") as file:
        for row in csv.DictReader(file):
            key, value = (row["material"], row["property"]), float(row["contribution"])
            if row["part"] == "prediction":
                predictions[key] = value
            else:
                sums[key] += value
            assert row["unit"] == {"band_gap": "eV", "bulk_modulus": "GPa"}[row["property"]]
    assert len(predictions) == 4
    for key, value in predictions.items():
        assert sums[key] == pytest.approx(value, rel=0.01, abs=0.02)
    assert predictions["NaCl", "bulk_modulus"] == pytest.approx(25, abs=10)


class Page(HTMLParser):
    """Fails on tags closed in the wrong order and on anything from outside."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert not (name in {"src", "href"} and "//" in (value or "")), value
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_needs_nothing_from_outside(out: Path) -> None:
    text = (out / PAGE_FILE).read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert "url(http" not in text
    assert "@import" not in text
    assert "Si &lt;b&gt;" in text
    assert text.count('<figure class="crystal attributed"') == 4
    assert text.count("completeness error") >= 4
    assert text.count('<svg class="waterfall"') == 4
    used = set(re.findall(r'fill="url\(#(\w+)\)"', text))
    assert used
    assert all(f'<radialGradient id="{name}"' in text for name in used)
    assert "model_hash" in text


def test_the_run_says_what_made_it_and_what_was_left_out(out: Path) -> None:
    from matwright.serialization import read_json

    record = read_json(out / "run.json")
    assert record["kind"] == "explain"
    assert record["settings"]["model"] == "mp-crystal"
    assert record["results"] == {"explained": 2, "rejected": 1}
    assert "bad.cif" in (out / REJECTED_FILE).read_text()


def test_an_occupied_folder_is_refused_and_a_fruitless_run_leaves_none(
    explainer: Explainer, out: Path, files: Path, tmp_path: Path
) -> None:
    before = (out / TABLE_FILE).read_bytes()
    with pytest.raises(InputError, match="already holds an? explain run"):
        explain_to_folder(explainer, read_inputs([files]), out, on_reject=lambda _: None)
    assert (out / TABLE_FILE).read_bytes() == before
    rows = [RawRow(id="x", file="x", number=1, kind=StructureKind.CIF, payload="none")]
    with pytest.raises(InputError, match="none of the 1 materials"):
        explain_to_folder(explainer, rows, tmp_path / "new", on_reject=lambda _: None)
    assert not (tmp_path / "new").exists()


def test_the_waterfall_ends_where_the_contributions_lead() -> None:
    picture = waterfall(1.0, [Step(name="Na", value=2.0), Step(name="a <b> " * 9, value=-0.5)], "eV", "gap")
    marks = [float(x) for x in re.findall(r'<circle class="mean" cx="([\d.]+)"', picture)]
    bars = [
        (float(x), float(w)) for x, w in re.findall(r'<rect class="\w+" x="([\d.]+)" y="\d+" width="([\d.]+)"', picture)
    ]
    assert bars[0][0] == pytest.approx(marks[0], abs=0.1)  # starts at the reference
    assert bars[1][0] == pytest.approx(marks[1], abs=0.1)  # the last one, downwards, ends at the prediction
    assert bars[0][0] + bars[0][1] == pytest.approx(bars[1][0] + bars[1][1], abs=0.2)
    assert "<b>" not in picture


def test_the_colours_diverge_from_zero() -> None:
    assert diverging.shade(0.0, 3.0) == 0 == diverging.shade(1.0, 0.0)
    assert diverging.shade(-3.0, 3.0) == -diverging.LEVELS
    assert diverging.shade(9.0, 3.0) == diverging.LEVELS
    colours = [diverging.colour(level) for level in range(-diverging.LEVELS, diverging.LEVELS + 1)]
    assert len(set(colours)) == len(colours)
    assert colours[0] == "#2166ac"
    assert colours[-1] == "#b2182b"
