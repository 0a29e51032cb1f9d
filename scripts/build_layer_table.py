"""Build the table of layer groups that ships as src/matwright/generation/layers/layer_groups.json.

Everything in it is a crystallographic fact (International Tables for Crystallography, volume E): the operations of
each of the 80 groups in one standard setting come from moyopy, the letter and first coordinate triplet of each Wyckoff
position from pyxtal's copy of the International Tables. Every position is checked against the operations before it is
written, so that the two sources cannot disagree unnoticed.

Usage: python scripts/build_layer_table.py
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import moyopy
import numpy as np
import pandas as pd
import pyxtal.database
from build_wyckoff_table import check_triplets, orbit_size, parse_triplet, twentyfourths
from pyxtal.symmetry import Group

SOURCE = (
    "Facts of the International Tables for Crystallography, volume E: operations through moyopy, letters and first "
    "coordinates through pyxtal; written by scripts/build_layer_table.py"
)
TARGET = Path(__file__).parents[1] / "src" / "matwright" / "generation" / "layers" / "layer_groups.json"


def build_group(number: int, triplets: list[list[str]]) -> dict[str, Any]:
    """The facts of one layer group in the standard setting."""
    found = moyopy.operations_from_layer_number(number, setting=moyopy.LayerSetting.standard())
    rotations = np.array(found.rotations, dtype=np.int64)
    translations = twentyfourths(found.translations)
    if translations[:, 2].any():
        raise ValueError(f"layer group {number} moves along the direction without period")
    centring = translations[(rotations == np.eye(3, dtype=np.int64)).all(axis=(1, 2))]
    centring = centring[np.lexsort(centring.T[::-1])]
    _, first = np.unique(rotations.reshape(-1, 9), axis=0, return_index=True)
    cosets = np.sort(first)
    positions = []
    reference = list(reversed(Group(number, dim=2).Wyckoff_positions))
    for index, listed in enumerate(reversed(triplets)):
        linear, constant = parse_triplet(listed[0])
        multiplicity = orbit_size(linear, constant, rotations, translations)
        if multiplicity != len(listed) or len(rotations) % multiplicity:
            raise ValueError(f"layer group {number}: position {index} has {multiplicity} points, {len(listed)} listed")
        if not check_triplets(listed, rotations, translations, centring):
            raise ValueError(f"layer group {number}: position {index} is listed in another setting")
        if constant[2] or (linear.size and (linear[2] != 0).sum() > 1):
            raise ValueError(f"layer group {number}: position {index} mixes height and plane")
        letter = "abcdefghijklmnopqrstuvwxyz"[index]
        if (letter, multiplicity) != (reference[index].letter, reference[index].multiplicity):
            raise ValueError(f"layer group {number}: position {letter} is {reference[index].letter} in the reference")
        reference[index].get_site_symmetry()
        rows = linear.tolist() if linear.size else []
        positions.append([letter, multiplicity, reference[index].site_symm, rows, constant.tolist()])
    return {
        "number": number,
        "symbol": moyopy.LayerGroupType(number).hm_short,
        "system": str(moyopy.LayerGroupType(number).lattice_system).lower(),
        "centring": centring.tolist(),
        "rotations": rotations[cosets].reshape(-1, 9).tolist(),
        "translations": translations[cosets].tolist(),
        "positions": positions,
    }


def main() -> None:
    """Write the table."""
    listed = pd.read_csv(Path(pyxtal.database.__file__).parent / "layer.csv")["0"]
    groups = [build_group(number, ast.literal_eval(listed[number])) for number in range(1, 81)]
    text = json.dumps({"source": SOURCE, "denominator": 24, "groups": groups}, separators=(",", ":"))
    TARGET.write_text(text.replace('{"number"', '\n{"number"') + "\n")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, {sum(len(group['positions']) for group in groups)} positions")


if __name__ == "__main__":
    main()
