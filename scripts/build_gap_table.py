"""Join the tables that the shipped predictor `band-gap` learns from into one, with one split by formula.

    python scripts/build_gap_table.py gaps.csv.gz computed_gaps.csv.gz [MORE.csv.gz ...]

Gaps of `mp_crystals.csv.gz` (Materials Project) and `dielectric.csv.gz` (Petousis 2017) as in
`build_predictor_table.py`, which also says how the parts are decided, and those that `compute_gaps.py` computed of
claims of reinforcement learning. A computed crystal of the training part stands there REPEATS times: they are few among
many, and of the kind that is asked for. Then, the shipped model is

    matwright train gaps.csv.gz --structure cif --split-column split --target band_gap:eV --start mp-crystal \
      --ensemble 2 --minutes 1.5 --out RUN
"""

from __future__ import annotations

import sys

import pandas as pd
from build_predictor_table import dielectric, formula_key, in_parts, materials_project

REPEATS = 5


def main() -> None:
    """Write the joined table to the path given."""
    if len(sys.argv) < 3:
        sys.exit("usage: build_gap_table.py OUT.csv.gz COMPUTED.csv.gz [MORE.csv.gz ...]")
    known = materials_project()
    computed = pd.concat([pd.read_csv(path) for path in sys.argv[2:]])
    computed["key"], computed["source"] = [formula_key(text) for text in computed.cif], "gpaw"
    table = pd.concat([known, dielectric(known), computed], ignore_index=True)
    table = in_parts(table[table.band_gap.notna()], known)
    print(table.groupby(["source", "split"]).band_gap.count())
    again = table[(table.source == "gpaw") & (table.split == "train")]
    table = pd.concat([table, *[again] * (REPEATS - 1)], ignore_index=True)
    table[["id", "source", "cif", "band_gap", "split"]].to_csv(sys.argv[1], index=False)


if __name__ == "__main__":
    main()
