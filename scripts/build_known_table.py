"""Write the library of fingerprints of known materials (src/matwright/data/tables/mp_known.npz).

    python scripts/build_known_table.py HULL.csv.gz STRUCTURES...

HULL: a table with a column `formula`. STRUCTURES: tables with a column `cif` or `poscar` (and `spacegroup`, where
given), or zip files of CIFs. What is written are hashes of facts: formulas, and formulas with space groups. A structure
is entered with the space group at every tolerance, so that a candidate is not called novel because of a tolerance.
"""

from __future__ import annotations

import gzip
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from matwright.data.known import KnownMaterials
from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.materials.formula import formula_text, parse_amounts
from matwright.materials.interop import from_cif, from_poscar
from matwright.materials.symmetry import site_symmetry

TABLE = Path(__file__).parents[1] / "src" / "matwright" / "data" / "tables" / "mp_known.npz"
TOLERANCES = (0.01, 0.1)
READERS = {"cif": from_cif, "poscar": from_poscar}


def main(hull_path: str, *structure_paths: str) -> None:
    """Read all tables and write the library."""
    formulas = {formula_text(parse_amounts(str(text))) for text in pd.read_csv(hull_path)["formula"]}
    pairs: set[tuple[str, int]] = set()
    for path in structure_paths:
        before, count = len(pairs), 0
        for crystal, stated in _structures(Path(path)):
            formula = formula_text(Counter(int(number) for number in crystal.numbers))
            formulas.add(formula)
            pairs |= {(formula, number) for number in _space_groups(crystal, stated)}
            count += 1
        print(f"{path}: {count} structures, {len(pairs) - before} new fingerprints", file=sys.stderr, flush=True)
    known = KnownMaterials.from_pairs(formulas, pairs)
    np.savez_compressed(TABLE, formulas=known.formulas, structures=known.structures)
    print(f"{len(known.formulas)} formulas, {len(known.structures)} structures, {TABLE.stat().st_size} bytes")


def _structures(path: Path) -> Iterator[tuple[Crystal, int | None]]:
    """Ordered crystals with the space group the file states (None where it states none)."""
    for kind, text, stated in _texts(path):
        try:
            crystal = READERS[kind](text)
        except InputError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        if crystal.is_ordered:
            yield crystal, stated


def _texts(path: Path) -> Iterator[tuple[str, str, int | None]]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".cif"):
                    yield "cif", archive.read(name).decode("utf-8", "replace"), None
        return
    with gzip.open(path, "rt", encoding="utf-8") as file:
        comments = sum(1 for _ in iter(lambda: file.readline().startswith("#"), False))
    rows = pd.read_csv(path, skiprows=comments)
    kind = next(name for name in READERS if name in rows)
    stated = rows["spacegroup"] if "spacegroup" in rows else [None] * len(rows)
    for text, number in zip(rows[kind], stated, strict=True):
        yield kind, str(text), None if number is None else int(number)


def _space_groups(crystal: Crystal, stated: int | None) -> set[int]:
    found = set() if stated is None else {stated}
    for tolerance in TOLERANCES:
        try:
            found.add(site_symmetry(crystal, tolerance).number)
        except CalculationError:
            continue
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
