"""Mapping into a folder: the table and the page hold every material, and say what was left out."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from matwright.api.inputs import read_inputs
from matwright.api.map import COLUMNS, PAGE_FILE, TABLE_FILE, map_to_folder
from matwright.api.predict import load_predictor
from matwright.data.record import RawRow, Rejection, StructureKind
from matwright.errors import InputError
from matwright.explain.maps import Projection
from matwright.materials.crystal import Crystal
from matwright.serialization import read_json
from small_data import crystals, write_table


@pytest.fixture(scope="module")
def some() -> list[Crystal]:
    return crystals(60)


@pytest.fixture(scope="module")
def table(some: list[Crystal], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "crystals.csv"
    write_table(path, some, bad_rows=2)
    return path


@pytest.fixture(scope="module")
def out(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "map"
    refused: list[Rejection] = []
    rows = read_inputs([table], structure="poscar")
    mapped = map_to_folder("mp-crystal", rows, folder, projection=Projection.TSNE, on_reject=refused.append)
    assert len(mapped.names) == 60
    assert [rejection.id for rejection in refused] == ["bad0", "bad1"]
    return folder


def read(out: Path) -> list[dict[str, str]]:
    with (out / TABLE_FILE).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_holds_the_predictions_of_the_model(out: Path, some: list[Crystal]) -> None:
    rows = read(out)
    assert [row["material"] for row in rows] == [f"c{index}" for index in range(60)]
    assert list(rows[0])[: len(COLUMNS)] == list(COLUMNS)
    found = load_predictor("mp-crystal").predict(some)
    for name, unit in (("band_gap", "eV"), ("bulk_modulus", "GPa")):
        values = [float(row[f"{name} ({unit})"]) for row in rows]
        np.testing.assert_allclose(values, found[name].mean, rtol=1e-3, atol=1e-3)
    scores = np.array([float(row["domain_score"]) for row in rows])
    np.testing.assert_allclose(scores, found["band_gap"].domain_score, atol=2e-3)
    assert [row["unlike_training_data"] for row in rows] == ["yes" if score >= 0.95 else "no" for score in scores]
    assert all(row["cluster"] == "" or int(row["cluster"]) > 0 for row in rows)


def test_copies_of_a_crystal_lie_together(some: list[Crystal], tmp_path: Path) -> None:
    rows = [
        RawRow(id=str(index), file="t", number=index, kind=StructureKind.READY, payload=crystal)
        for index, crystal in enumerate([*some[:20], some[0]])
    ]
    map_to_folder("mp-crystal", rows, tmp_path / "m", projection=Projection.PCA, on_reject=lambda _: None)
    first, *_, last = read(tmp_path / "m")
    assert (first["x"], first["y"]) == (last["x"], last["y"])


class Page(HTMLParser):
    """Fails on anything that the page would load from outside."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert not (name in {"src", "href"} and "//" in (value or "")), value
        assert tag not in {"link", "iframe", "img"}


def test_the_page_needs_nothing_from_outside_and_shows_every_property(out: Path) -> None:
    text = (out / PAGE_FILE).read_text(encoding="utf-8")
    Page().feed(text)
    assert "Plotly.newPlot" in text
    for words in ("band gap (eV)", "shear modulus (GPa)", "domain score", '"cluster"'):
        assert words in text
    assert "60 of the 62 rows" in text
    record = read_json(out / "run.json")
    assert record["results"] == {"mapped": 60, "rows": 62, "rejected": 2}


def test_a_sample_is_drawn_by_seed_and_stated(table: Path, tmp_path: Path) -> None:
    def drawn(name: str, seed: int) -> list[str]:
        rows = read_inputs([table], structure="poscar")
        folder = tmp_path / name
        map_to_folder(
            "mp-crystal", rows, folder, projection=Projection.PCA, sample=20, seed=seed, on_reject=lambda _: None
        )
        page = (folder / PAGE_FILE).read_text(encoding="utf-8")
        assert re.search(r"(18|19|20) of the 62 rows", page)
        return [row["material"] for row in read(folder)]

    first, again, other = drawn("a", 1), drawn("b", 1), drawn("c", 2)
    assert first == again != other
    assert first == sorted(first, key=lambda name: int(name[1:]))


def test_names_are_shown_as_text(some: list[Crystal], tmp_path: Path) -> None:
    name = "</script><b>x"
    rows = [
        RawRow(id=name, file="t", number=index, kind=StructureKind.READY, payload=crystal)
        for index, crystal in enumerate(some[:6])
    ]
    map_to_folder("mp-crystal", rows, tmp_path / "m", projection=Projection.PCA, on_reject=lambda _: None)
    assert name not in (tmp_path / "m" / PAGE_FILE).read_text(encoding="utf-8")


def test_too_few_materials_leave_no_folder(some: list[Crystal], tmp_path: Path) -> None:
    rows = [RawRow(id="a", file="t", number=1, kind=StructureKind.READY, payload=some[0])]
    with pytest.raises(InputError, match="at least 5 materials, found 1"):
        map_to_folder("mp-crystal", rows, tmp_path / "m", projection=Projection.PCA, on_reject=lambda _: None)
    assert not (tmp_path / "m").exists()
