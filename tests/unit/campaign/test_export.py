"""Records in the formats of others, read back by those others."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase.db import connect
from ase.io import read
from campaign_parts import Volume, rock_salt
from pyarrow import parquet
from pymatgen.io.optimade import OptimadeStructureAdapter

from matwright.campaign.evaluator import Evaluation, Quantity
from matwright.campaign.export.formats import Format, export
from matwright.campaign.overview import overview
from matwright.campaign.store.address import structure_hash
from matwright.campaign.store.store import Store
from matwright.campaign.store.writing import Finding
from matwright.cli import main
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_pymatgen
from matwright.screening.potential import Failure, FailureKind

MIXED = Crystal(
    lattice=np.diag([4.0, 4.0, 4.0]),
    frac_coords=np.zeros((1, 3)),
    numbers=np.array([11]),
    occupancies=(((11, 0.5), (19, 0.25)),),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a value on a relaxed crystal, a failure, and a disordered crystal."""
    crystals = [rock_salt(5.6), rock_salt(5.7), MIXED]
    found = [
        Evaluation(answer={"score": Quantity(value=3.5, unit="GPa", std=0.5)}, crystal=rock_salt(5.61), seconds=2.0),
        Evaluation(answer=Failure(reason="no energy", kind=FailureKind.NOT_CONVERGED)),
        Evaluation(answer={"score": Quantity(value=-1.25, unit="GPa")}),
    ]
    with Store.open(tmp_path / "store.db") as opened:
        campaign = opened.campaign("salts")
        opened.propose(campaign, crystals)
        findings = [
            Finding(structure=structure_hash(crystal), evaluation=one)
            for crystal, one in zip(crystals, found, strict=True)
        ]
        opened.settle(opened.register(Volume()), findings)
        opened.propose(opened.campaign("one"), crystals[:1])
        yield opened


def test_csv_and_parquet_hold_every_record_with_its_units(store: Store, tmp_path: Path) -> None:
    assert export(store, Format.CSV, tmp_path / "a.csv").written == 3
    assert export(store, Format.PARQUET, tmp_path / "a.parquet").written == 3
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["score [GPa]"] for row in rows] == ["3.5", "", "-1.25"]
    assert [row["score [GPa]"] for row in table] == [3.5, None, -1.25]
    assert [row["score.std [GPa]"] for row in table] == [0.5, None, None]
    assert [row["failure"] for row in table] == [None, "not converged", None]
    assert rows[1]["reason"] == table[1]["reason"] == "no energy"
    assert [row["structure"] for row in rows] == [row["structure"] for row in table]
    assert rows[0]["structure"] == structure_hash(rock_salt(5.6))


def test_extxyz_and_ase_hold_the_structures_and_say_what_they_cannot(store: Store, tmp_path: Path) -> None:
    for kind in (Format.EXTXYZ, Format.ASE):
        done = export(store, kind, tmp_path / f"a.{kind.value}")
        assert done.written == 2
        assert [reason for _, reason in done.skipped] == [
            "a disordered crystal cannot be given to ASE; choose an ordered approximant first"
        ]
    frames = read(tmp_path / "a.extxyz", index=":")
    assert frames[0].info["score"] == 3.5
    assert frames[0].info["score_unit"] == "GPa"
    assert np.allclose(frames[0].cell.array, rock_salt(5.61).lattice)
    assert frames[1].info["failure"] == "not converged"
    with connect(str(tmp_path / "a.ase"), type="db") as database:
        rows = list(database.select())
    assert rows[0].score == 3.5
    assert (rows[0].data["score_unit"], rows[0].data["evaluator_version"]) == ("GPa", "1")
    assert np.allclose(rows[0].toatoms().cell.array, rock_salt(5.61).lattice)
    assert (rows[1].failure, rows[1].data["failure_reason"]) == ("not converged", "no energy")


def test_optimade_lines_come_back_as_the_same_structures(store: Store, tmp_path: Path) -> None:
    assert export(store, Format.OPTIMADE, tmp_path / "a.jsonl").written == 3
    header, described, *entries = map(json.loads, (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines())
    assert header["x-optimade"]["meta"]["api_version"] == "1.2.0"
    assert described["properties"]["_matwright_score"] == {"description": "score", "type": "float", "unit": "GPa"}
    for entry, crystal in zip(entries, (rock_salt(5.61), rock_salt(5.7)), strict=False):
        back = OptimadeStructureAdapter.get_structure(entry)
        assert np.allclose(back.lattice.matrix, crystal.lattice)
        assert back.composition == to_pymatgen(crystal).composition
    first, _, mixed = (entry["attributes"] for entry in entries)
    assert (first["chemical_formula_reduced"], first["chemical_formula_anonymous"]) == ("ClNa", "AB")
    assert (first["elements"], first["elements_ratios"]) == (["Cl", "Na"], [0.5, 0.5])
    assert first["_matwright_score"] == 3.5
    assert mixed["species"][0]["chemical_symbols"] == ["Na", "K", "vacancy"]
    assert (mixed["structure_features"], mixed["chemical_formula_reduced"]) == (["disorder"], None)


def test_one_campaign_can_be_exported_and_nothing_is_overwritten(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "one.csv"
    assert export(store, Format.CSV, out, campaign="one").written == 1
    with pytest.raises(InputError, match="there already"):
        export(store, Format.CSV, out)
    with pytest.raises(InputError, match="no campaign 'two'; it has salts, one"):
        export(store, Format.CSV, tmp_path / "two.csv", campaign="two")
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["one.csv"]


def test_the_command_says_what_is_in_a_store(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "info", str(tmp_path / "store.db")]) == 0
    said = capsys.readouterr().out
    assert said.splitlines() == overview(store).lines()
    assert "records: 3, 1 of them failures (1 not converged)" in said
    assert "campaign salts: 3 candidates" in said
    out = tmp_path / "records.csv"
    assert main(["store", "export", str(tmp_path / "store.db"), "--format", "csv", "--out", str(out), "--quiet"]) == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["inform", "store.db"], "did you mean 'info'"),
        (["info", "absent.db"], "there is no store"),
        (["export", "store.db", "--format", "cvs", "--out", "a.csv"], "did you mean 'csv'"),
        (["export", "store.db", "--format", "csv"], "--out names the new file"),
    ],
)
def test_wrong_words_get_one_sentence(
    store: Store,
    tmp_path: Path,
    words: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["store", *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
