from __future__ import annotations

import csv
import gzip
import json
import math
import os
import pickle
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matwright.data.record import Rejection, RejectionLog, parse_row, parsed
from matwright.data.sources import open_source
from matwright.errors import InputError
from matwright.materials import interop
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule
from matwright.materials.properties import PropertySpec, parse_target_column

DATA = Path(os.environ.get("MATWRIGHT_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
GAP = parse_target_column("band_gap:eV")
ENERGY = parse_target_column("formation_energy_per_atom:eV/atom")


def salt(size: float = 4.0) -> Crystal:
    return Crystal(
        lattice=np.eye(3) * size, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17])
    )


def table_rows(n: int = 4) -> list[dict[str, Any]]:
    return [
        {
            "material_id": f"m-{i}",
            "cif": interop.to_cif(salt(4 + i / 10)),
            "band_gap": "" if i == 1 else str(i / 2),
            "split": ["train", "valid", "Test", "holdout"][i % 4],
        }
        for i in range(n)
    ]


def write_csv(path: Path, rows: list[dict[str, Any]], note: str = "") -> Path:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", newline="", encoding="utf-8") as stream:
        stream.write(note)
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture(params=["csv", "csv.gz", "noted", "parquet", "json", "jsonl.gz"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    rows = table_rows()
    if request.param == "parquet":
        return write_parquet(tmp_path / "t.parquet", rows)
    if request.param == "json":
        (tmp_path / "t.json").write_text(json.dumps(rows, indent=2))
        return tmp_path / "t.json"
    if request.param == "jsonl.gz":
        with gzip.open(tmp_path / "t.jsonl.gz", "wt") as stream:
            stream.write("\n".join(json.dumps(row) for row in rows))
        return tmp_path / "t.jsonl.gz"
    if request.param == "noted":
        return write_csv(tmp_path / "t.csv", rows, note="# ref: someone, somewhere, 2015\n")
    return write_csv(tmp_path / f"t.{request.param}", rows)


def test_every_kind_of_table_gives_the_same_rows(table: Path) -> None:
    source = open_source(table, targets=[GAP], split_column="split")
    rows = list(source.rows())
    assert [row.id for row in rows] == ["m-0", "m-1", "m-2", "m-3"]
    assert [row.part for row in rows] == ["train", "val", "test", "holdout"]
    assert [row.targets[0] for row in rows] == pytest.approx([0.0, math.nan, 1.0, 1.5], nan_ok=True)
    assert [row.number for row in rows] == [1, 2, 3, 4]
    crystals = [parse_row(pickle.loads(pickle.dumps(row))) for row in rows]
    assert [crystal.lattice[0, 0] for crystal in crystals] == pytest.approx([4.0, 4.1, 4.2, 4.3])
    assert next(source.rows()) == rows[0]
    assert len(source.data_hash()) == 64


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"targets": [PropertySpec(name="bandgap", unit="eV")]}, "did you mean 'band_gap'.*material_id, cif"),
        ({"structure": "CIF"}, "no column 'CIF'; did you mean 'cif'"),
        ({"split_column": "splits"}, "did you mean 'split'"),
        ({"id_column": "nowhere"}, "no column 'nowhere'"),
        ({"targets": [GAP, GAP]}, "named twice"),
    ],
)
def test_a_missing_column_names_those_that_exist(table: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_source(table, **options)


def test_a_property_can_stand_under_another_name(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [{"cif": "data_x", "K_VRH": "12.5"}])
    modulus = parse_target_column("bulk_modulus:GPa")
    source = open_source(path, targets=[modulus], columns={"bulk_modulus": "K_VRH"})
    assert next(source.rows()).targets == (12.5,)
    assert next(source.rows()).id == "row-1"


def test_bad_rows_are_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = table_rows(7)
    rows[1]["band_gap"] = "wide"
    rows[2]["cif"] = rows[2]["cif"].replace("0.5000000000", "nan")
    rows[3]["cif"] = ""
    rows[4]["band_gap"] = "-3"
    rows[5]["cif"] = "nowhere.cif"
    path = write_csv(tmp_path / "t.csv", rows)
    with RejectionLog(tmp_path / "rejected.csv") as log:
        records = list(parsed(open_source(path, targets=[GAP]).rows(), log))
    assert [record.id for record in records] == ["m-0", "m-6"]
    with (tmp_path / "rejected.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [int(line["row"]) for line in found] == [2, 3, 4, 5, 6]
    assert all(line["file"] == str(path) for line in found)
    for line, says in zip(found, ["not a number", "finite", "missing", "physically", "nowhere.cif"], strict=True):
        assert says in line["reason"]
    with pytest.raises(InputError, match=r"row 2 \(m-1\)"), RejectionLog(strict=True) as strict:
        list(parsed(open_source(path, targets=[GAP]).rows(), strict))


def test_without_rejections_no_file_is_made(tmp_path: Path) -> None:
    with RejectionLog(tmp_path / "rejected.csv") as log:
        assert log.count == 0
    assert not (tmp_path / "rejected.csv").exists()
    log = RejectionLog()
    log.add(Rejection(file="f", row=1, id="a", reason="b"))
    assert log.count == 1


@pytest.mark.parametrize("form", ["poscar", "flat poscar", "path", "json"])
def test_a_structure_cell_may_be_text_or_a_path(tmp_path: Path, form: str) -> None:
    (tmp_path / "salt.cif").write_text(interop.to_cif(salt()))
    cell = {
        "poscar": interop.to_poscar(salt()),
        "flat poscar": interop.to_poscar(salt()).replace("\n", "\\n"),
        "path": "salt.cif",
        "json": json.dumps(interop.to_pymatgen(salt()).as_dict()),
    }[form]
    source = open_source(write_csv(tmp_path / "t.csv", [{"structure": cell}]))
    (record,) = parsed(source.rows(), RejectionLog(strict=True))
    assert record.structure.numbers.tolist() == [11, 17]


def test_the_hash_follows_the_files_that_are_pointed_to(tmp_path: Path) -> None:
    (tmp_path / "salt.cif").write_text(interop.to_cif(salt()))
    path = write_csv(tmp_path / "t.csv", [{"file": "salt.cif", "band_gap": "1"}])
    before = open_source(path).data_hash()
    assert open_source(path).data_hash() == before
    assert open_source(path, targets=[GAP]).data_hash() != before
    (tmp_path / "salt.cif").write_text(interop.to_cif(salt(4.5)))
    assert open_source(path).data_hash() != before


def test_empty_and_unknown_sources_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("cif,band_gap\n")
    (tmp_path / "twice.csv").write_text("cif,cif\na,b\n")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "cut.json").write_text('[{"cif": "data_x"}, {"cif": ')
    (tmp_path / "numbers.json").write_text("[1, 2]")
    (tmp_path / "bad.parquet").write_text("no parquet")
    (tmp_path / "bad.csv.gz").write_text("no gzip")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty.extxyz").write_text("")
    (tmp_path / "bad.db").write_text("no database, but long enough to be looked at as one" * 40)
    (tmp_path / "folder").mkdir()
    for name, says in {
        "empty.csv": "empty",
        "header.csv": "no rows",
        "twice.csv": "two columns 'cif'",
        "other.csv": "no structure or formula column.*a, b",
        "empty.json": "no rows",
        "numbers.json": "array of objects",
        "bad.parquet": "Parquet",
        "bad.csv.gz": "cannot be read",
        "notes.txt": "unknown kind",
        "empty.extxyz": "no frames",
        "bad.db": "ASE database",
        "folder": "no structure file",
        "none": "no file or folder",
    }.items():
        with pytest.raises(InputError, match=says):
            open_source(tmp_path / name)
    with pytest.raises(InputError, match="breaks off"):
        list(open_source(tmp_path / "cut.json").rows())


def test_a_folder_with_a_table(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"m{i}.cif").write_text(interop.to_cif(salt(4 + i)))
    assert [row.id for row in open_source(tmp_path).rows()] == ["m0", "m1", "m2", "m3"]
    with pytest.raises(InputError, match="no table"):
        open_source(tmp_path, targets=[GAP])
    lines = [("m1", "1.5"), ("m0.cif", "0.5"), ("m9", "2"), ("m1.cif", "3")]
    write_csv(tmp_path / "values.csv", [{"name": name, "band_gap": gap} for name, gap in lines])
    source = open_source(tmp_path, targets=[GAP])
    with RejectionLog(tmp_path / "out.log") as log:
        records = list(parsed(source.rows(), log))
    assert [(record.id, record.targets, record.structure.lattice[0, 0]) for record in records] == [
        ("m1", (1.5,), pytest.approx(5)),
        ("m0", (0.5,), pytest.approx(4)),
    ]
    reasons = (tmp_path / "out.log").read_text()
    for says in (
        "no structure file 'm9'",
        "second row for the file 'm1.cif'",
        "m2.cif",
        "m3.cif",
        "no row of values.csv",
    ):
        assert says in reasons
    assert log.count == 4
    with pytest.raises(InputError, match="did you mean 'band_gap'"):
        open_source(tmp_path, targets=[PropertySpec(name="band_gp", unit="eV")])
    before = source.data_hash()
    (tmp_path / "m2.cif").write_text("changed")
    assert source.data_hash() != before


def test_extxyz_frames(tmp_path: Path) -> None:
    from ase.io import write

    frames = []
    for i in range(3):
        atoms = interop.to_ase(salt(4 + i))
        atoms.info = {"id": f"f{i}"} | ({} if i == 1 else {"band_gap": i / 2})
        frames.append(atoms)
    write(tmp_path / "a.extxyz", frames)
    rows = list(open_source(tmp_path / "a.extxyz", targets=[GAP]).rows())
    assert [row.id for row in rows] == ["f0", "f1", "f2"]
    assert [row.targets[0] for row in rows] == pytest.approx([0.0, math.nan, 1.0], nan_ok=True)
    assert [parse_row(row).lattice[0, 0] for row in rows] == pytest.approx([4, 5, 6])
    with pytest.raises(InputError, match="did you mean 'band_gap'"):
        open_source(tmp_path / "a.extxyz", targets=[PropertySpec(name="gap", unit="eV")], columns={"gap": "bandgap"})
    text = (tmp_path / "a.extxyz").read_text()
    (tmp_path / "cut.extxyz").write_text(text[: text.rindex("Cl")])
    with pytest.raises(InputError, match="frame 3"):
        open_source(tmp_path / "cut.extxyz")


def test_ase_database(tmp_path: Path) -> None:
    from ase import Atoms
    from ase.db import connect

    with connect(tmp_path / "a.db") as database:
        database.write(interop.to_ase(salt()), band_gap=1.0, name="salt")
        database.write(interop.to_ase(salt(5.0)), data={"band_gap": 2.0}, name="big")
        database.write(Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.7]]), name="molecule")
    source = open_source(tmp_path / "a.db", targets=[GAP])
    with RejectionLog(tmp_path / "rejected.csv") as log:
        records = list(parsed(source.rows(), log))
    assert [(record.id, record.targets) for record in records[:2]] == [("salt", (1.0,)), ("big", (2.0,))]
    assert isinstance(records[2].structure, Molecule)


def _peak(rows: Iterator[Any]) -> int:
    tracemalloc.start()
    for _ in rows:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("kind", ["csv.gz", "jsonl", "parquet"])
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path, kind: str) -> None:
    cif = interop.to_cif(salt())
    peaks = []
    for n in (500, 4000):
        rows = [{"cif": cif + f"# {i}", "band_gap": "1"} for i in range(n)]
        path = tmp_path / f"{n}.{kind}"
        if kind == "parquet":
            write_parquet(path, rows)
        elif kind == "jsonl":
            path.write_text("\n".join(map(json.dumps, rows)))
        else:
            write_csv(path, rows)
        source = open_source(path, targets=[GAP])
        peaks.append(_peak(source.rows()))
    assert peaks[1] < peaks[0] * 1.5 + 200_000  # eight times the rows


def test_a_cell_larger_than_the_csv_modules_limit(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [{"cif": interop.to_cif(salt()) + "#" * 200_000}])
    assert len(parse_row(next(open_source(path).rows()))) == 2


@pytest.mark.skipif(not (DATA / "mp_crystals.csv.gz").exists(), reason="the optional data folder is not here")
def test_real_tables() -> None:
    source = open_source(DATA / "mp_crystals.csv.gz", targets=[ENERGY, GAP], split_column="split")
    rows = list(source.rows())
    assert len(rows) == 21792
    assert not any(row.problem for row in rows)
    assert sum(math.isnan(row.targets[1]) for row in rows) == 21792 - 8232
    modulus = parse_target_column("bulk_modulus:GPa")
    elastic = open_source(
        DATA / "elastic_tensors.csv.gz", structure="poscar", targets=[modulus], columns={"bulk_modulus": "K_VRH"}
    )
    crystal = parse_row(next(elastic.rows()))
    assert len(crystal) > 0
    layers = open_source(DATA / "2dmatpedia_1224.db", targets=[GAP], columns={"band_gap": "bandgap"})
    assert sum(1 for _ in layers.rows()) == 1224


def test_a_row_of_another_length_is_reported(tmp_path: Path) -> None:
    cif = interop.to_cif(salt()).replace('"', "")
    (tmp_path / "t.csv").write_text(f'band_gap,cif\n1,"{cif}"\n2\n\n3,"{cif}",4\n5,"{cif}"\n')
    rows = list(open_source(tmp_path / "t.csv", targets=[GAP]).rows())
    assert [row.problem for row in rows] == [
        None,
        "the row has 1 cells, the header 2",
        "the row has 3 cells, the header 2",
        None,
    ]
    (tmp_path / "first.csv").write_text("band_gap,cif\n1\n")
    with pytest.raises(InputError, match="first row"):
        open_source(tmp_path / "first.csv")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_spreadsheet_may_divide_cells_by_semicolons_or_tabs(tmp_path: Path, mark: str) -> None:
    head = ["formula", "band_gap", '"of, which one"']
    lines = [head, ["NaCl", "1.5", "a,b"], ["KCl", "0,5", "c"]]
    (tmp_path / "t.csv").write_text("".join(mark.join(cells) + "\n" for cells in lines), encoding="utf-8-sig")
    first, second = open_source(tmp_path / "t.csv", targets=[GAP], id_column="of, which one").rows()
    assert (first.id, first.payload, first.targets, first.problem) == ("a,b", "NaCl", (1.5,), None)
    assert second.problem is not None
    assert "decimals with a point" in second.problem


def test_a_table_in_utf_16_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("formula,band_gap\nNaCl,1\n", encoding="utf-16")
    with pytest.raises(InputError, match="save it as UTF-8"):
        open_source(tmp_path / "t.csv", targets=[GAP])


def test_json_may_hold_values_by_part_and_name(tmp_path: Path) -> None:
    """The form in which JARVIS gives its targets; structures lie in a folder, under the name and the formula."""
    (tmp_path / "cifs").mkdir()
    for number, name in enumerate(("A-1_NaCl", "A-2_NaCl", "B_NaCl", "B_ClNa")):
        (tmp_path / "cifs" / f"{name}.cif").write_text(interop.to_cif(salt(5.6 + 0.1 * number)))
    (tmp_path / "gap.json").write_text(json.dumps({"train": {"A-1": 1.5}, "val": {"B": 2.5}, "test": {"A-2": 3.5}}))
    source = open_source(
        tmp_path / "gap.json",
        structure="id",
        targets=[GAP],
        columns={"band_gap": "value"},
        split_column="split",
        structures=tmp_path / "cifs",
    )
    log = RejectionLog(strict=False)
    assert [(r.id, r.targets, r.part) for r in parsed(source.rows(), log)] == [
        ("A-1", (1.5,), "train"),
        ("A-2", (3.5,), "test"),
    ]
    assert log.count == 1, "two files begin with B, so that the name says neither"


def test_json_may_hold_structures_as_objects_and_columns(tmp_path: Path) -> None:
    row = {"structure": interop.to_pymatgen(salt()).as_dict(), "band_gap": 1}
    (tmp_path / "t.json").write_text(json.dumps([row, row]))
    records = list(parsed(open_source(tmp_path / "t.json", targets=[GAP]).rows(), RejectionLog(strict=True)))
    assert [record.targets for record in records] == [(1.0,), (1.0,)]
    for columns in (
        {"columns": list(row), "index": [0, 1], "data": [list(row.values())] * 2},
        {name: {"0": cell, "1": cell} for name, cell in row.items()},
    ):
        (tmp_path / "c.json").write_text(json.dumps(columns))
        records = list(parsed(open_source(tmp_path / "c.json", targets=[GAP]).rows(), RejectionLog(strict=True)))
        assert [record.targets for record in records] == [(1.0,), (1.0,)]
    for uneven, says in [
        ({"columns": ["cif"], "data": [["a", "b"]]}, "each of its 1 columns"),
        ({"cif": {"0": "a"}, "band_gap": {"0": 1, "1": 2}}, "different rows"),
    ]:
        (tmp_path / "c.json").write_text(json.dumps(uneven))
        with pytest.raises(InputError, match=says):
            list(open_source(tmp_path / "c.json").rows())


def test_classes_become_their_places(tmp_path: Path) -> None:
    metal = PropertySpec(name="is_metal", unit="1", classes=("no", "yes"))
    rows = [{"cif": "data_x", "is_metal": word} for word in ("yes", "no", "", "maybe")]
    found = list(open_source(write_csv(tmp_path / "t.csv", rows), targets=[metal]).rows())
    assert [row.targets[0] for row in found] == pytest.approx([1.0, 0.0, math.nan, math.nan], nan_ok=True)
    assert [row.problem is None for row in found] == [True, True, True, False]
