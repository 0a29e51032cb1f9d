"""What a material and its conditions are read from: formulas, percents, molecules, archives, conditions and steps."""

from __future__ import annotations

import csv
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matwright.data.cell_values import parse_value
from matwright.data.record import RawRow, parse_row
from matwright.data.sources import open_source
from matwright.data.sources.percents import PercentColumns
from matwright.data.sources.reading import Reading
from matwright.data.sources.step_columns import StepColumns, StepField
from matwright.elements import atomic_number
from matwright.errors import InputError
from matwright.materials import interop
from matwright.materials.composition import Composition
from matwright.materials.conditions import ConditionColumn, ConditionSchema, StepVocabulary
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule
from matwright.materials.processing import ProcessStep
from matwright.materials.properties import ColumnText, PropertySpec, parse_target_column

STRENGTH = PropertySpec(name="yield_strength", unit="MPa", lower=0.0)
SALT = Crystal(lattice=np.eye(3) * 4, frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), numbers=np.array([11, 17]))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def reasons(rows: list[RawRow]) -> list[str]:
    return [row.problem or "" for row in rows]


@pytest.mark.parametrize(
    ("cell", "value", "sign"),
    [("5", 5.0, 0), ("<1E-10", 1e-10, -1), (" > 5 ", 5.0, 1), ("≤3", 3.0, -1), (">=2", 2.0, 1), (7, 7.0, 0)],
)
def test_a_bound_is_a_value_with_a_sign(cell: object, value: float, sign: int) -> None:
    read = parse_value(cell, "x", None, None)
    assert (read.value, read.sign, read.problem) == (value, sign, None)
    logarithm = parse_value(cell, "x", None, None, logarithm=True)
    assert logarithm.value == pytest.approx(math.log10(value))
    assert logarithm.sign == sign


@pytest.mark.parametrize(
    ("cell", "says"), [("<", "not a number"), ("<-1", "no logarithm"), ("0", "no logarithm"), ("inf", "infinite")]
)
def test_a_cell_that_says_nothing_is_a_problem(cell: str, says: str) -> None:
    assert says in str(parse_value(cell, "x", None, None, logarithm=True).problem)


def test_a_target_may_be_learned_as_its_logarithm(tmp_path: Path) -> None:
    spec = parse_target_column("ionic_conductivity=sigma (S/cm):S/cm").as_logarithm()
    assert (spec.unit, spec.lower) == ("log10(S/cm)", None)
    assert ColumnText.parse("ionic_conductivity=sigma (S/cm):S/cm").column == "sigma (S/cm)"
    path = write(tmp_path / "t.csv", [{"formula": "LiCl", "sigma (S/cm)": cell} for cell in ("1e-3", "<1E-10", "0")])
    source = open_source(path, targets=[spec], columns={spec.name: "sigma (S/cm)"}, logarithms=[spec.name])
    rows = list(source.rows())
    assert [row.targets[0] for row in rows[:2]] == pytest.approx([-3, -10])
    assert [row.censored for row in rows[:2]] == [(0,), (-1,)]
    assert "no logarithm" in str(rows[2].problem)


def test_a_formula_column_is_enough(tmp_path: Path) -> None:
    cells = [{"composition": text, "yield_strength": "500"} for text in ("Fe0.7Cr0.3", "", "Xx2")]
    rows = list(open_source(write(tmp_path / "t.csv", cells), targets=[STRENGTH]).rows())
    assert parse_row(rows[0]).content_hash() == Composition.from_formula("Fe7Cr3").content_hash()
    assert rows[1].problem == "no formula"
    with pytest.raises(InputError, match="Xx"):
        parse_row(rows[2])


def test_a_formula_stands_in_where_the_structure_is_missing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cifs.zip", "w") as archive:
        archive.writestr("some/a.cif", interop.to_cif(SALT))
    path = write(tmp_path / "t.csv", [{"ID": name, "True Composition": "NaCl"} for name in ("a", "b")])
    reading = Reading(structure="ID", formula="True Composition")
    source = open_source(path, reading=reading, structures=tmp_path / "cifs.zip")
    found = [parse_row(row) for row in source.rows()]
    assert isinstance(found[0], Crystal)
    assert found[1] == Composition.from_formula("NaCl")
    with pytest.raises(InputError, match="no file or folder"):
        open_source(path, reading=reading, structures=tmp_path / "none.zip")
    strict = open_source(path, structure="ID", structures=tmp_path / "cifs.zip")
    assert reasons(list(strict.rows()))[1].startswith("there is no structure 'b'")
    before = source.data_hash()
    with zipfile.ZipFile(tmp_path / "cifs.zip", "a") as archive:
        archive.writestr("b.cif", interop.to_cif(SALT))
    assert source.data_hash() != before


def test_an_archive_is_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.cif", interop.to_cif(SALT))
        archive.writestr("b.poscar", interop.to_poscar(SALT))
        archive.writestr("values.csv", "name,yield_strength\na,1\nb,2\n")
    assert [row.id for row in open_source(tmp_path / "all.zip").rows()] == ["a", "b"]
    source = open_source(tmp_path / "all.zip", targets=[STRENGTH])
    assert [(row.id, row.targets, len(parse_row(row))) for row in source.rows()] == [("a", (1.0,), 2), ("b", (2.0,), 2)]
    (tmp_path / "bad.zip").write_text("x")
    with pytest.raises(InputError, match="ZIP"):
        open_source(tmp_path / "bad.zip")


def test_percents_of_elements_make_a_composition(tmp_path: Path) -> None:
    cells = [
        {"wt_Ni": "60", "wt_Cr": "20", "wt_Al": "20", "wt_total": "100"},
        {"wt_Ni": "60", "wt_Cr": "20", "wt_Al": "", "wt_total": "80"},
        {"wt_Ni": "x", "wt_Cr": "20", "wt_Al": "0", "wt_total": "80"},
    ]
    path = write(tmp_path / "t.csv", cells)
    percents = PercentColumns.find("wt_*", cells[0])
    assert [column for _, column in percents.columns] == ["wt_Ni", "wt_Cr", "wt_Al"]
    rows = list(open_source(path, reading=Reading(percents=percents)).rows())
    assert parse_row(rows[0]) == Composition.from_weight_percent({28: 60, 24: 20, 13: 20})
    assert "sum to 100" in reasons(rows)[1]
    assert "not a number" in reasons(rows)[2]
    scaled = PercentColumns.find("wt_*", cells[0], rescale=True)
    assert scaled.composition(cells[1]) == Composition.from_weight_percent({28: 75, 24: 25})
    rest = PercentColumns.find("C,Mn", ["C", "Mn", "P"], unit="at%", balance="Fe")
    assert rest.composition({"C": 1.0, "Mn": "9"}) == Composition.from_atomic_percent({6: 1, 25: 9, 26: 90})
    assert rest.composition({"C": None, "Mn": ""}).elements == {atomic_number("Fe")}
    for pattern, says in [("at_*", "no column fits"), ("*_*", "one star"), ("wt_Ni,wt_C", "did you mean 'wt_Cr'")]:
        with pytest.raises(InputError, match=says):
            PercentColumns.find(pattern, cells[0])
    with pytest.raises(InputError, match="wt% or at%"):
        PercentColumns.find("wt_*", cells[0], unit="kg")


def test_molecules_from_lists(tmp_path: Path) -> None:
    cells = [
        {"Elements": "['O','H','H']", "XYZ": "[[0.,0,.117],[0,.757,-.47],[0,-0.757,-4.7e-1]]"},
        {"Elements": "['O','H']", "XYZ": "[[0,0,0]]"},
        {"Elements": "", "XYZ": "[[0,0,0]]"},
    ]
    source = open_source(write(tmp_path / "t.csv", cells), reading=Reading(molecule=("Elements", "XYZ")))
    rows = list(source.rows())
    water = parse_row(rows[0])
    assert isinstance(water, Molecule)
    assert water.bonds == ((0, 1, 1.0), (0, 2, 1.0))
    with pytest.raises(InputError, match="shape"):
        parse_row(rows[1])
    assert rows[2].problem == "the molecule is missing"


def test_a_cell_may_hold_xyz_text(tmp_path: Path) -> None:
    cells = [{"xyz": "1\nhelium\nHe 0 0 0"}, {"xyz": r"2\nhydrogen\nH 0 0 0\nH 0 0 0.7"}]
    rows = list(open_source(write(tmp_path / "t.csv", cells)).rows())
    assert [len(parse_row(row)) for row in rows] == [1, 2]


SCHEMA = ConditionSchema(
    columns=(
        ConditionColumn(name="temperature", unit="degC"),
        ConditionColumn(name="route", categories=("cast", "powder")),
    ),
    steps=StepVocabulary(operations=("age", "pressing"), coolings=("air",)),
)


def test_conditions_and_steps_come_as_numbers(tmp_path: Path) -> None:
    cells = [
        {"formula": "Ni", "T [degC]": "20", "how": "powder", "heat": "age 700 K 4 h, air"},
        {"formula": "Ni", "T [degC]": "", "how": "", "heat": ""},
        {"formula": "Ni", "T [degC]": "0", "how": "milled", "heat": ""},
        {"formula": "Ni", "T [degC]": "0", "how": "cast", "heat": "sinter 700 K"},
        {"formula": "Ni", "T [degC]": "<5", "how": "cast", "heat": json.dumps([{"operation": "age", "time": "1 day"}])},
    ]
    reading = Reading(conditions=(("temperature", "T [degC]"), ("route", "how")), steps=StepColumns(text="heat"))
    rows = list(open_source(write(tmp_path / "t.csv", cells), reading=reading, schema=SCHEMA).rows())
    assert rows[0].conditions == (20.0, 1.0)
    assert rows[0].steps[0][:3] == (0.0, 700.0, 4.0)
    assert [math.isnan(value) for value in rows[1].conditions] == [True, True]
    assert rows[1].steps == ()
    assert reasons(rows)[2].startswith("route is one of cast, powder, found 'milled'")
    assert "'sinter' of a processing step is not known" in reasons(rows)[3]
    assert reasons(rows)[4] == "temperature is a bound, not a number"
    assert rows[4].steps[0][2] == 24.0


def numbered(*texts: str) -> list[StepField]:
    return [StepField.parse(text) for text in texts]


def test_numbered_columns_are_steps_in_their_order() -> None:
    texts = (
        "pressing=HIP [MPa]:pressure:MPa",
        "age=Treatment {n} [degC]:temperature:degC",
        "age=Treatment {n} [min]:time:min",
        "age=Treatment {n} cooling:cooling",
    )
    names = ["HIP [MPa]"]
    names += [f"Treatment {n} {what}" for n in (1, 2, 3) for what in ("[degC]", "[min]", "cooling")]
    found = StepColumns.find(numbered(*texts), names)
    assert sorted(found.named()) == sorted(names)
    cells: dict[str, Any] = dict.fromkeys(names, "0") | {
        "HIP [MPa]": "100",
        "Treatment 1 [degC]": "700",
        "Treatment 1 [min]": "90",
        "Treatment 1 cooling": "Air",
        "Treatment 2 cooling": "unknown",
        "Treatment 3 [degC]": "",
        "Treatment 3 [min]": "60",
        "Treatment 3 cooling": "",
    }
    assert found.steps(cells) == (
        ProcessStep(operation="pressing", pressure=100.0),
        ProcessStep(operation="age", temperature=973.15, time=1.5, cooling="air"),
        ProcessStep(operation="age", time=1.0),
    )
    with pytest.raises(InputError, match="not a number"):
        found.steps(cells | {"HIP [MPa]": "much"})
    with pytest.raises(InputError, match=r"no column 'Step 1'"):
        StepColumns.find(numbered("Step {n}:time:h"), names)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("T {n}:temprature:K", "did you mean 'temperature'"),
        ("T {n}:temperature", "needs a unit"),
        ("T {n}:temperature:h", "needs a unit"),
        ("C {n}:cooling:K", "has no unit"),
        ("T {n}", "column:field:unit"),
    ],
)
def test_a_column_of_steps_that_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        StepField.parse(text)


@pytest.mark.parametrize(
    "reading",
    [
        Reading(),
        Reading(structure="cif", formula="f", id_column="id", conditions=(("t", "T"),)),
        Reading(percents=PercentColumns.find("C,Mn", ["C", "Mn"], balance="Fe"), steps=StepColumns(text="s")),
        Reading(molecule=("e", "x"), steps=StepColumns.find(numbered("a=T {n}:time:h"), ["T 1", "T 2"])),
    ],
)
def test_a_reading_survives_json_and_leaves_out_what_a_table_lacks(reading: Reading) -> None:
    assert Reading.from_dict(json.loads(json.dumps(reading.as_dict()))) == reading
    bare, left_out = reading.within([])
    assert len(left_out) == len(reading.conditions) + (reading.steps is not None)
    assert (bare.conditions, bare.steps) == ((), None)
    assert reading.within(reading.named()) == (reading, [])


def test_an_excel_table(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (("Formula", "yield_strength", None), ("Ni3Al", 500, None), (None, None, None), ("NiAl", "<10", None)):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    rows = list(open_source(tmp_path / "t.xlsx", targets=[STRENGTH]).rows())
    assert [(row.payload, row.targets, row.censored) for row in rows] == [
        ("Ni3Al", (500.0,), (0,)),
        ("NiAl", (10.0,), (-1,)),
    ]
    (tmp_path / "bad.xlsx").write_text("x")
    with pytest.raises(InputError, match="Excel"):
        open_source(tmp_path / "bad.xlsx")
