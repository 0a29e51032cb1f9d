"""Counts, over the training crystals, which element replaces which: the table that ion exchange ships with.

Run as: python scripts/build_substitutions.py --data FOLDER
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path

from matwright.generation.baselines.ion_exchange import count_substitutions, make_parents
from matwright.materials.interop import from_cif

TABLES = Path(__file__).resolve().parents[1] / "src" / "matwright" / "data" / "tables"


def main() -> None:
    """Read, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with mp_crystals.csv.gz")
    parser.add_argument("--limit", type=int, default=None, help="use only the first rows")
    arguments = parser.parse_args()
    with gzip.open(arguments.data / "mp_crystals.csv.gz", "rt", encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["split"] == "train"][: arguments.limit]
    parents = make_parents([from_cif(row["cif"]) for row in rows], [row["material_id"] for row in rows])
    table = count_substitutions(parents)
    source = f"{len(parents)} training crystals of the Materials Project (CC BY 4.0); pairs of one prototype"
    table.write(TABLES / "substitutions.json", source=source)
    print(f"{len(table.elements)} elements, {int((table.counts > 0).sum())} ordered pairs from {len(parents)} crystals")


if __name__ == "__main__":
    main()
