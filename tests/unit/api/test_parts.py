"""How a table is divided: by a column, by what materials share, and what the leakage check says."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.api.columns import TableColumns
from matwright.api.parts import SplitMethod, SplitSettings, choose_parts, split_settings
from matwright.data.groups import GroupKind, group_key
from matwright.data.record import parse_row
from matwright.data.sources import Source
from matwright.errors import InputError
from matwright.graphs.packing import build_store
from matwright.graphs.store import GraphStore
from small_data import ENERGY, crystals, write_table

SOME = crystals(150, seed=2)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, GraphStore]:
    folder = tmp_path_factory.mktemp("parts")
    write_table(folder / "table.csv", SOME, bad_rows=1)
    targets = (f"{ENERGY.name}:eV/atom", "metal:class")
    source = TableColumns(targets=targets, structure="poscar", split_column="split").open(folder / "table.csv")
    store = build_store(
        source.rows(), parse_row, folder / "store", source_hash=source.data_hash(), target_names=[ENERGY.name, "metal"]
    )
    return source, store


def test_classes_are_read_from_the_column(opened: tuple[Source, GraphStore]) -> None:
    source, store = opened
    assert source.targets[1].classes == ("no", "yes")
    assert set(store.targets[:, 1]) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("method", "kind"),
    [(SplitMethod.FORMULA, GroupKind.FORMULA), (SplitMethod.SYSTEM, GroupKind.SYSTEM)],
)
def test_groups_stay_together(opened: tuple[Source, GraphStore], method: SplitMethod, kind: GroupKind) -> None:
    source, store = opened
    chosen = choose_parts(store, source, SplitSettings(method=method, refuse_leakage=True), seed=0)
    parts = (chosen.parts.train, chosen.parts.validation, chosen.parts.test)
    assert sorted(np.concatenate(parts)) == list(range(len(SOME)))
    keys = [{group_key(SOME[index], kind) for index in part} for part in parts]
    assert sum(map(len, keys)) == len(set.union(*keys))
    assert chosen.leakage == ""
    again = choose_parts(store, source, SplitSettings(method=method), seed=0).parts
    assert again.train.tolist() == chosen.parts.train.tolist()
    other = choose_parts(store, source, SplitSettings(method=method), seed=1).parts
    assert other.train.tolist() != chosen.parts.train.tolist()


def test_prototypes_stay_together(opened: tuple[Source, GraphStore]) -> None:
    source, store = opened
    division = SplitSettings(method=SplitMethod.PROTOTYPE, fractions=(0.4, 0.3, 0.3))  # there are but five prototypes
    parts = choose_parts(store, source, division, seed=0).parts
    keys = [
        {group_key(SOME[index], GroupKind.PROTOTYPE) for index in part}
        for part in (parts.train, parts.validation, parts.test)
    ]
    assert sum(map(len, keys)) == len(set.union(*keys)) == 5


def test_leakage_is_told_or_refused(opened: tuple[Source, GraphStore]) -> None:
    source, store = opened
    assert "share their formula" in choose_parts(store, source, split_settings("random", None), seed=0).leakage
    with pytest.raises(InputError, match="the split leaks"):
        choose_parts(store, source, split_settings("random", None, refuse_leakage=True), seed=0)
    given = choose_parts(store, source, split_settings(None, "split"), seed=0)
    assert given.leakage
    assert given.parts.test.tolist() == list(range(4, len(SOME), 5))


def test_wrong_words_are_refused(opened: tuple[Source, GraphStore]) -> None:
    source, store = opened
    with pytest.raises(InputError, match="not both"):
        split_settings("random", "split")
    with pytest.raises(InputError, match="random, formula, system, prototype"):
        split_settings("alphabet", None)
    assert split_settings(None, None).method is SplitMethod.FORMULA
    with pytest.raises(InputError, match="no record in 'val'"):
        choose_parts(store, source, SplitSettings(fractions=(0.9, 0.0, 0.1)), seed=0)
    with pytest.raises(InputError, match="more than 50"):
        TableColumns(targets=("poscar:class",), structure="poscar").open(source.path)
