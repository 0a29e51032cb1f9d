"""Generators by name, for benchmarks: shipped ones, and ion exchange from crystals of a table's training part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from matwright.api.generate import load_generator
from matwright.errors import InputError
from matwright.generation.baselines.ion_exchange import IonExchange
from matwright.generation.baselines.substitution import SubstitutionTable
from matwright.generation.interface import Generator
from matwright.materials.interop import from_cif


def named_generator(name: str, rows: Sequence[dict[str, str]], *, parents: int, seed: int) -> Generator:
    """The generator of that name; ion exchange draws its parents from the rows whose split is "train".

    Parents that cannot be read are left out, and how many is printed.
    """
    if name != "ion-exchange":
        return load_generator(name)
    train = [row for row in rows if row["split"] == "train"]
    crystals, ids, unread = [], [], 0
    for index in np.random.default_rng(seed).permutation(len(train))[:parents]:
        try:
            crystals.append(from_cif(train[index]["cif"]))
        except InputError:
            unread += 1
            continue
        ids.append(train[index]["material_id"])
    if unread:
        print(f"ion exchange: {unread} of {unread + len(ids)} parents cannot be read")
    return IonExchange.from_crystals(crystals, ids, table=SubstitutionTable.load())
