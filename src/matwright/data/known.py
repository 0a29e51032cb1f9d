"""Which materials are known: a compact library of fingerprints against which novelty is stated.

The library answers two questions without holding a structure: is this formula listed in the Materials Project, and is
this formula listed with this space group? It stores hashes, so an answer "known" is wrong with a probability of about
2e-5 (formulas, 32 bits) and below 1e-10 (structures, 64 bits); an answer "not known" is never wrong about what the
library holds. A new structure may still be known elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import final

import numpy as np
from numpy.typing import NDArray

_TABLE = "mp_known.npz"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownMaterials:
    """Sorted hashes of known formulas and of known (formula, space group) pairs.

    Attributes:
        formulas: (n_formulas,) uint32.
        structures: (n_structures,) uint64.
    """

    formulas: NDArray[np.uint32]
    structures: NDArray[np.uint64]

    @classmethod
    def load(cls) -> KnownMaterials:
        """The library that ships with the package; read once a process."""
        return _load_shipped()

    @classmethod
    def from_pairs(cls, formulas: Iterable[str], pairs: Iterable[tuple[str, int]]) -> KnownMaterials:
        """A library of reduced formulas, and of reduced formulas with international space-group numbers."""
        formula_hashes = {formula_hash(formula) for formula in formulas}
        pair_hashes = {structure_hash(formula, number) for formula, number in pairs}
        return cls(
            formulas=np.array(sorted(formula_hashes), dtype=np.uint32),
            structures=np.array(sorted(pair_hashes), dtype=np.uint64),
        )

    def has_formula(self, formula: str) -> bool:
        """Whether the reduced formula (as `formula_text` writes it) is listed with any structure or energy."""
        return _holds(self.formulas, np.uint32(formula_hash(formula)))

    def has_structure(self, formula: str, space_group: int) -> bool:
        """Whether a structure of this reduced formula and space group is listed."""
        return _holds(self.structures, np.uint64(structure_hash(formula, space_group)))


def formula_hash(formula: str) -> int:
    """32-bit hash of a reduced formula."""
    return int.from_bytes(hashlib.blake2b(formula.encode(), digest_size=4).digest(), "big")


def structure_hash(formula: str, space_group: int) -> int:
    """64-bit hash of a reduced formula with a space-group number."""
    return int.from_bytes(hashlib.blake2b(f"{formula}|{space_group}".encode(), digest_size=8).digest(), "big")


def _holds(sorted_hashes: NDArray[np.uint32] | NDArray[np.uint64], wanted: np.uint32 | np.uint64) -> bool:
    place = int(np.searchsorted(sorted_hashes, wanted))
    return place < len(sorted_hashes) and bool(sorted_hashes[place] == wanted)


@lru_cache(maxsize=1)
def _load_shipped() -> KnownMaterials:
    with (resources.files("matwright.data") / "tables" / _TABLE).open("rb") as file, np.load(file) as table:
        return KnownMaterials(formulas=table["formulas"], structures=table["structures"])
