"""Words for what materials share: formula, chemical system, prototype. Splits and leakage checks work on these."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from matwright.data.record import RawRow, parse_row
from matwright.elements import SYMBOLS
from matwright.errors import CalculationError
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.formula import formula_text, reduce_amounts
from matwright.materials.material import Structure, amounts_of
from matwright.materials.microstructure import Microstructure
from matwright.materials.molecule import Molecule
from matwright.materials.symmetry import prototype_key


class GroupKind(Enum):
    """What two materials must share to be kept on the same side of a split."""

    FORMULA = "formula"
    SYSTEM = "system"
    PROTOTYPE = "prototype"
    STRUCTURE = "structure"


def group_key(structure: Structure, kind: GroupKind) -> str:
    """The word that names the structure's group: "LiFePO4", "Fe-Li-O-P", "225:a|b", or "NaCl 225:a|b".

    Where no symmetry can be found, the anonymised formula stands for the prototype ("?:A1B1"); for a molecule it is
    a word for its skeleton of bonds, whatever the elements.
    """
    return _KEYS[kind](structure)


def row_key(row: RawRow, kind: GroupKind) -> str:
    """The group of a row, its structure parsed for it; a function of a module, so that worker processes can run it.

    Raises:
        InputError: the row cannot be used.
    """
    return group_key(parse_row(row), kind)


def system_text(numbers: Sequence[int] | NDArray[np.int64]) -> str:
    """The chemical system of some atomic numbers, symbols in alphabetical order: "Fe-Li-O-P"."""
    return "-".join(sorted(SYMBOLS[number] for number in {int(number) for number in numbers}))


def packed_keys(
    numbers: NDArray[np.integer],
    amounts_of_nodes: NDArray[np.floating],
    counts: NDArray[np.integer],
    kind: GroupKind,
) -> list[str]:
    """(n_structures) formula or system keys from elements laid end to end, without any structure.

    Args:
        numbers: (n,) atomic numbers of all structures, one structure after the other.
        amounts_of_nodes: (n,) how many atoms of that element each stands for: 1, an occupancy, an atomic fraction.
        counts: (n_structures) how many entries each structure has.
        kind: FORMULA or SYSTEM; the other kinds need the structure.

    Raises:
        ValueError: another kind.
    """
    if kind not in (GroupKind.FORMULA, GroupKind.SYSTEM):
        raise ValueError(f"{kind.value} keys need the structure")
    ends = np.cumsum(counts).tolist()
    entries = list(zip(numbers.tolist(), amounts_of_nodes.tolist(), strict=True))
    pieces = (entries[end - count : end] for end, count in zip(ends, counts.tolist(), strict=True))
    if kind is GroupKind.SYSTEM:
        return [system_text([number for number, _ in piece]) for piece in pieces]
    return [formula_text(_summed(piece)) for piece in pieces]


def _summed(entries: Iterable[tuple[int, float]]) -> dict[int, float]:
    sums: dict[int, float] = {}
    for number, amount in entries:
        sums[number] = sums.get(number, 0.0) + amount
    return sums


def _formula(structure: Structure) -> str:
    return formula_text(amounts_of(structure))


def _system(structure: Structure) -> str:
    return system_text(list(amounts_of(structure)))


def _prototype(structure: Structure) -> str:
    if isinstance(structure, Molecule):
        return f"molecule:{_skeleton(structure, np.zeros(len(structure), dtype=np.int64))}"
    if isinstance(structure, Crystal):
        try:
            return prototype_key(structure)
        except CalculationError:
            pass
    counts = sorted(reduce_amounts(amounts_of(structure)).values())
    return "?:" + "".join(f"{chr(65 + place)}{count:g}" for place, count in enumerate(counts))


def _skeleton(molecule: Molecule, colours: NDArray[np.int64]) -> str:
    """A digest of the graph of bonds with coloured atoms (Weisfeiler-Lehman), whatever the order of the atoms."""
    words = [str(colour) for colour in colours.tolist()]
    neighbours: list[list[int]] = [[] for _ in words]
    for first, second, _ in molecule.bonds or ():
        neighbours[first].append(second)
        neighbours[second].append(first)
    for _ in range(_ROUNDS):
        words = [
            hashlib.sha256(f"{word}({','.join(sorted(words[other] for other in near))})".encode()).hexdigest()
            for word, near in zip(words, neighbours, strict=True)
        ]
    return hashlib.sha256(",".join(sorted(words)).encode()).hexdigest()[:12]


def _structure(structure: Structure) -> str:
    if isinstance(structure, Molecule):
        return f"{structure.formula} molecule:{_skeleton(structure, structure.numbers)}"
    if isinstance(structure, Composition):
        return _formula(structure)
    if isinstance(structure, Microstructure):
        return f"{_formula(structure)} microstructure:{structure.content_hash()[:12]}"
    return f"{_formula(structure)} {_prototype(structure)}"


_ROUNDS = 6  # bonds over which two skeletons are told apart

_KEYS: dict[GroupKind, Callable[[Structure], str]] = {
    GroupKind.FORMULA: _formula,
    GroupKind.SYSTEM: _system,
    GroupKind.PROTOTYPE: _prototype,
    GroupKind.STRUCTURE: _structure,
}
