"""Round trip of real crystals through symmetry sequences: share that comes back, same space group, speed.

Prints, for the crystals of the table with at most --max-atoms atoms: how many come back equal after decode(encode(x))
(pymatgen's StructureMatcher on primitive cells, default and tight tolerances), with the same space group; whether a
second encoding gives the same sequence, and one after a change of cell, origin, orientation and order of atoms; how
often the space group agrees with the table's column at two tolerances; crystals per second (CPU time of one thread).
Each failure is listed with its reason.

Usage: python benchmarks/wyckoff.py [--data FOLDER] [--n N | --n 0 for all] [--seed 0]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher

from matwright.errors import MatwrightError
from matwright.generation.wyckoff import SymmetrySequence, decode, decode_batch, encode
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_cif, to_pymatgen
from matwright.materials.silence import quiet_warnings

DEFAULT_DATA = os.environ.get("MATWRIGHT_DATA", str(Path(__file__).parents[2] / "shared" / "data"))
SAME = 1e-3
LOOSE = StructureMatcher(primitive_cell=True)
TIGHT = StructureMatcher(primitive_cell=True, ltol=0.02, stol=0.02, angle_tol=0.5)


def read(folder: Path, max_atoms: int) -> list[tuple[str, int, str]]:
    """(id, space group of the table, CIF) of each row with few enough atoms."""
    with gzip.open(folder / "mp_crystals.csv.gz", "rt", newline="") as file:
        rows = csv.DictReader(file)
        return [
            (row["material_id"], int(float(row["spacegroup"])), row["cif"])
            for row in rows
            if int(row["n_atoms"]) <= max_atoms
        ]


def disguised(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """The same crystal in another cell (volume once or twice), with another origin, orientation and order of atoms."""
    while True:
        change = rng.integers(-1, 2, (3, 3))
        if 0.5 < abs(np.linalg.det(change)) < 2.5:
            break
    cell = to_pymatgen(crystal).make_supercell(change.tolist(), in_place=False)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.linalg.det(rotation)  # a proper rotation: mirror images are other crystals
    order = rng.permutation(len(cell))
    return Crystal(
        lattice=cell.lattice.matrix @ rotation,
        frac_coords=(cell.frac_coords + rng.random(3))[order],
        numbers=np.array(cell.atomic_numbers)[order],
    )


def space_group_of(crystal: Crystal, symprec: float) -> int:
    """Space group found by encode, 0 when it fails."""
    try:
        return encode(crystal, symprec=symprec).space_group
    except MatwrightError:
        return 0


def same_after(crystal: Crystal, sequence: SymmetrySequence) -> tuple[bool, bool]:
    """(same space group, same sequence) of a crystal encoded again."""
    try:
        again = encode(crystal)
    except MatwrightError:
        return False, False
    return again.space_group == sequence.space_group, again.distance(sequence) < SAME


class Report:
    """Counts per question, and the failures."""

    comparisons = ("equal, tight tolerances", "space group of the table at 0.01 Å", "space group of the table at 0.1 Å")
    """Questions that are no failure when answered no: they compare with other choices of tolerance."""

    def __init__(self) -> None:
        self.yes: Counter[str] = Counter()
        self.failures: list[str] = []

    def note(self, question: str, *, answer: bool, what: str) -> None:
        """Count one answer."""
        self.yes[question] += answer
        if not answer and question not in self.comparisons:
            self.failures.append(f"{question}: {what}")


def encode_all(parsed: list[tuple[str, int, Crystal]], report: Report) -> tuple[list[SymmetrySequence | None], float]:
    """(sequence of each crystal, None where it failed; crystals per second)."""
    sequences: list[SymmetrySequence | None] = []
    started = time.process_time()
    for name, _, crystal in parsed:
        try:
            sequences.append(encode(crystal))
        except MatwrightError as error:
            sequences.append(None)
            report.failures.append(f"encode: {name}: {error}")
    return sequences, len(parsed) / (time.process_time() - started)


def examine(
    name: str, listed: int, crystal: Crystal, sequence: SymmetrySequence, report: Report, rng: np.random.Generator
) -> None:
    """Ask every question about one crystal."""
    what = f"{name}, group {sequence.space_group}"
    decoded = decode(sequence)
    structures = to_pymatgen(crystal), to_pymatgen(decoded)
    close = TIGHT.fit(*structures)
    report.note("equal, tight tolerances", answer=close, what=what)
    report.note("equal (StructureMatcher, primitive)", answer=close or LOOSE.fit(*structures), what=what)
    group, sequence_same = same_after(decoded, sequence)
    report.note("same space group after decode", answer=group, what=what)
    report.note("same sequence after decode", answer=sequence_same, what=what)
    report.note(
        "same sequence, decoded and disguised", answer=same_after(disguised(decoded, rng), sequence)[1], what=what
    )
    report.note("same sequence, raw and disguised", answer=same_after(disguised(crystal, rng), sequence)[1], what=what)
    report.note("space group of the table at 0.01 Å", answer=sequence.space_group == listed, what=what)
    report.note("space group of the table at 0.1 Å", answer=space_group_of(crystal, 0.1) == listed, what=what)


def decode_rates(sequences: list[SymmetrySequence]) -> tuple[float, float]:
    """Crystals per second, decoded one by one and as one batch of at least 5,000."""
    many = sequences * math.ceil(5000 / len(sequences))
    decode_batch(many[:100])
    started = time.process_time()
    for sequence in many:
        decode(sequence)
    one_by_one = len(many) / (time.process_time() - started)
    started = time.process_time()
    decode_batch(many)
    return one_by_one, len(many) / (time.process_time() - started)


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(DEFAULT_DATA))
    parser.add_argument("--n", type=int, default=1000, help="crystals drawn at random, 0 for all")
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf, help="examine no more crystals after this time")
    options = parser.parse_args()

    rng = np.random.default_rng(options.seed)
    rows = read(options.data, options.max_atoms)
    chosen = rng.permutation(len(rows))[: options.n or None]
    with quiet_warnings():
        parsed = [(*rows[index][:2], from_cif(rows[index][2])) for index in chosen]
    report = Report()
    sequences, encode_rate = encode_all(parsed, report)
    examined, end = 0, time.monotonic() + 60.0 * options.minutes
    for (name, listed, crystal), sequence in zip(parsed, sequences, strict=True):
        if time.monotonic() > end:
            break
        examined += 1
        if sequence is not None:
            examine(name, listed, crystal, sequence, report, rng)
    one_by_one, together = decode_rates([sequence for sequence in sequences if sequence is not None])

    print(
        f"{len(parsed)} crystals of at most {options.max_atoms} atoms encoded, {examined} examined, seed {options.seed}"
    )
    for question, count in report.yes.items():
        print(f"{question:40s} {count:6d}  {100 * count / examined:7.3f} %")
    for action, rate in (
        ("encode, first pass", encode_rate),
        ("decode, one by one", one_by_one),
        ("decode, batch", together),
    ):
        print(f"{action:40s} {rate:6.0f} crystals per second of CPU time")
    print(f"{len(report.failures)} failures")
    for failure in report.failures:
        print("  " + failure)


if __name__ == "__main__":
    main()
