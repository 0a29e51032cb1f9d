"""Real tables of alloys, electrolytes, thermoelectrics, compounds and molecules are read with what they state."""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice
from pathlib import Path

from matwright.api.columns import TableColumns
from matwright.data.record import StructureKind, parse_row
from matwright.data.sources import open_source
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.molecule import Molecule


def test_superalloys(data_folder: Path) -> None:
    treatment = "treatment=Heat treatment {n}"
    source = TableColumns(
        targets=("yield_strength=Yield Strength [MPa]:MPa",),
        percents="wt_*",
        rescale=True,
        conditions=("temperature=Test Temperature [degC]:degC", "Powder processed"),
        step_columns=(
            f"{treatment} Temperature [degC]:temperature:degC",
            f"{treatment} Time [hours]:time:h",
            f"{treatment} Cooling:cooling",
        ),
        group_column="name",
    ).open(data_folder / "ni_superalloys.csv.gz")
    rows = list(source.rows())
    assert len(rows) == 2800
    assert not any(row.problem for row in rows)
    assert sum(bool(row.doubts) for row in rows) == 66
    assert max(len(row.steps) for row in rows) == 5
    assert all(isinstance(parse_row(row), Composition) for row in rows)


def test_electrolytes(data_folder: Path) -> None:
    source = TableColumns(
        targets=("ionic_conductivity=Ionic conductivity (S cm-1):S/cm",),
        logarithms=("ionic_conductivity",),
        structure="ID",
        structures=data_folder / "obelix_train_cifs.zip",
        formula="True Composition",
    ).open(data_folder / "obelix_train.csv")
    rows = list(source.rows())
    assert not any(row.problem for row in rows)
    bounds = sum("<" in str(cells["Ionic conductivity (S cm-1)"]) for cells in source.cells())
    assert sum(row.censored != (0,) for row in rows) == bounds > 0
    assert Counter(row.kind for row in rows) == {StructureKind.CIF: 254, StructureKind.FORMULA: 478 - 254}
    for row in rows[:30]:
        assert isinstance(parse_row(row), Crystal if row.kind is StructureKind.CIF else Composition)


def test_thermoelectrics(data_folder: Path) -> None:
    source = TableColumns(
        targets=("zt=ZT:1", "electrical_conductivity=electrical_conductivity(S/m):S/m"),
        logarithms=("electrical_conductivity",),
        conditions=("temperature=temperature(K):K",),
    ).open(data_folder / "estm.xlsx")
    rows = list(source.rows())
    assert len(rows) == 5205
    assert not any(row.problem or math.isnan(row.conditions[0]) for row in rows)


def test_matbench_and_molecules(data_folder: Path) -> None:
    steels = TableColumns(targets=("yield_strength=yield strength:MPa",)).open(data_folder / "matbench_steels.json.bz2")
    assert sum(isinstance(parse_row(row), Composition) for row in steels.rows()) == 312
    qm9 = TableColumns(targets=("gap=HOMO_LUMO_gap_au:Ha",), molecule="Elements,XYZ_Ang", id_column="Index")
    for row in islice(qm9.open(data_folder / "qm9_10k.csv.gz").rows(), 300):
        molecule = parse_row(row)
        assert isinstance(molecule, Molecule)
        assert molecule.bonds


def test_an_archive_of_structures(data_folder: Path) -> None:
    rows = list(islice(open_source(data_folder / "jarvis_cifs.zip").rows(), 20))
    assert all(isinstance(parse_row(row), Crystal) for row in rows)
