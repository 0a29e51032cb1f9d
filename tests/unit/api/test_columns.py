"""What a user says of a table's columns becomes a source with targets, conditions and steps."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from matwright.api.columns import TableColumns
from matwright.data.record import parse_row
from matwright.errors import InputError
from matwright.materials.composition import Composition

ROWS = [
    {"wt_Cr": 20, "wt_Al": 5, "T [degC]": 20, "route": "cast", "heat": "age 850 degC 4 h", "YS": 500, "kind": "hard"},
    {"wt_Cr": 10, "wt_Al": 2, "T [degC]": 900, "route": "powder", "heat": "roll, water", "YS": ">700", "kind": "soft"},
    {"wt_Cr": 10, "wt_Al": 2, "T [degC]": "", "route": "", "heat": "age 850", "YS": "", "kind": "soft"},
]
ALLOYS = TableColumns(
    targets=("yield_strength=YS:MPa", "kind:class"),
    logarithms=("yield_strength",),
    percents="wt_*",
    balance="Ni",
    conditions=("temperature=T [degC]:degC", "route"),
    steps="heat",
    group_column="route",
)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist([{name: str(cell) for name, cell in row.items()} for row in ROWS]), path)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_words_become_a_source(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "t.csv", ROWS) if kind == "csv" else write_parquet(tmp_path / "t.parquet")
    source = ALLOYS.open(path)
    strength, kinds = source.targets
    assert (strength.name, strength.unit) == ("yield_strength", "log10(MPa)")
    assert kinds.classes == ("hard", "soft")
    schema = source.wanted.schema
    assert schema is not None
    assert schema.names == ("temperature", "route")
    assert schema.columns[1].categories == ("cast", "powder")
    assert schema.steps is not None
    assert schema.steps.operations == ("age", "roll")
    rows = list(source.rows())
    assert parse_row(rows[0]) == Composition.from_weight_percent({24: 20, 13: 5}, balance=28)
    assert rows[0].targets == pytest.approx((2.69897, 0.0), abs=1e-5)
    assert rows[1].censored == (1, 0)
    assert [row.group for row in rows] == ["cast", "powder", ""]
    assert "without a unit" in str(rows[2].problem)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"percents": "at_*"}, "no column fits 'at_\\*'"),
        ({"percents": None}, "balance element or rescaling needs"),
        ({"percents": None, "balance": None}, "no structure or formula column"),
        ({"balance": "Nx"}, "Nx"),
        ({"rescale": True}, "not both"),
        ({"percent_unit": "mol%"}, "wt% or at%"),
        ({"conditions": ("T [degC]:degR",)}, "no unit"),
        ({"conditions": ("temp:K",)}, "no column 'temp'"),
        ({"conditions": ("route", "route")}, "stands twice"),
        ({"steps": "heta"}, "did you mean 'heat'"),
        ({"steps": "route"}, None),
        ({"step_columns": ("T {n}:time:h",)}, "not both"),
        ({"steps": None, "step_columns": ("T {n}:time:h",)}, "no column 'T 1'"),
        ({"logarithms": ("strength",)}, "did you mean 'yield_strength'"),
        ({"logarithms": ("kind",)}, "has no logarithm"),
        ({"targets": ("YS:MPa", "route:class"), "logarithms": ("YS",)}, None),
        ({"targets": ("YS",), "logarithms": ()}, "written name:unit"),
        ({"targets": ("wt_Cr:class",), "logarithms": ()}, None),
        ({"molecule": "wt_Cr"}, "two columns"),
        ({"formula": "route"}, "choose one"),
        ({"group_column": "none"}, "no column 'none'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(tmp_path: Path, changes: dict[str, Any], says: str | None) -> None:
    path = write(tmp_path / "t.csv", ROWS)
    if says is None:  # unusual, but it makes sense
        assert replace(ALLOYS, **changes).open(path).targets
        return
    with pytest.raises(InputError, match=says):
        replace(ALLOYS, **changes).open(path)


def test_a_category_with_too_many_words_is_a_number_without_its_unit(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [{"formula": "Ni", "T": n, "y": n, "empty": ""} for n in range(60)])
    with pytest.raises(InputError, match="a number needs its unit"):
        TableColumns(targets=("y:eV",), conditions=("T",)).open(path)
    with pytest.raises(InputError, match="is empty"):
        TableColumns(targets=("y:eV",), conditions=("empty",)).open(path)
    with pytest.raises(InputError, match="no processing step"):
        TableColumns(targets=("y:eV",), steps="empty").open(path)
