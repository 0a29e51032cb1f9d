"""Join the tables that the shipped predictor `band-gap` learns from into one, with one split by formula.

    python scripts/build_gap_table.py gaps.csv.gz --computed computed_gaps.csv.gz --relaxed relaxed.csv.gz --teacher RUN

Gaps of `mp_crystals.csv.gz` (Materials Project) and `dielectric.csv.gz` (Petousis 2017) as in
`build_predictor_table.py`, which also says how the parts are decided, and those that `compute_gaps.py` computed of
claims of reinforcement learning. A computed crystal stands there twice, relaxed and as it was claimed, with the gap
that it has when relaxed: so the model learns what a claim will be worth. Both stand in the training part REPEATS
times: they are few among many, and of the kind that is asked for.

Of what `relax_claims.py` relaxed the gaps are not known. Those of a formula of the training part stand there as they
were claimed, with the gap that the teacher predicts of them when relaxed; other parts hold none of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from build_predictor_table import dielectric, formula_key, in_parts, materials_project

from matwright.api.predict import load_predictor
from matwright.materials.interop import from_cif

REPEATS = 5
COMPUTED, TAUGHT = "gpaw", "teacher"


def main() -> None:
    """Write the joined table to the path given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--computed", type=Path, nargs="+", required=True)
    parser.add_argument("--relaxed", type=Path, nargs="*", default=[])
    parser.add_argument("--teacher", default="band-gap", help="shipped model or folder")
    options = parser.parse_args()
    known = materials_project()
    computed = pd.concat([pd.read_csv(path) for path in options.computed]).assign(source=COMPUTED)
    frames = [known, dielectric(known), with_keys(computed), with_keys(as_claimed(computed))]
    if options.relaxed:
        relaxed = pd.concat([pd.read_csv(path) for path in options.relaxed]).assign(source=TAUGHT)
        frames.append(with_keys(as_claimed(taught(relaxed[~relaxed.id.isin(computed.id)], options.teacher))))
    table = pd.concat(frames, ignore_index=True)
    table = in_parts(table[table.band_gap.notna()], known)
    table = table[~table.source.str.startswith(TAUGHT) | (table.split == "train")]
    print(table.groupby(["source", "split"]).band_gap.count().to_string())
    again = table[table.source.str.startswith(COMPUTED) & (table.split == "train")]
    table = pd.concat([table, *[again] * (REPEATS - 1)], ignore_index=True)
    table[["id", "source", "cif", "band_gap", "split"]].to_csv(options.out, index=False)


def with_keys(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the formula that decides the part of a row."""
    return table.assign(key=[formula_key(text) for text in table.cif])


def as_claimed(table: pd.DataFrame) -> pd.DataFrame:
    """The same rows with the crystals as they were claimed."""
    return table.assign(id=table.id + "-claimed", cif=table.claimed_cif, source=table.source + ", as claimed")


def taught(table: pd.DataFrame, teacher: str) -> pd.DataFrame:
    """The table with the gaps that the teacher predicts of its relaxed crystals."""
    return table.assign(
        band_gap=load_predictor(teacher).predict([from_cif(text) for text in table.cif])["band_gap"].mean
    )


if __name__ == "__main__":
    main()
