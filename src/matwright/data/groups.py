"""Words for what materials share: formula, chemical system, prototype. Splits and leakage checks work on these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from matwright.data.record import RawRow, parse_row
from matwright.elements import SYMBOLS
from matwright.errors import CalculationError
from matwright.materials.crystal import Crystal
from matwright.materials.formula import formula_text, reduce_amounts
from matwright.materials.interop import amounts, reduced_formula
from matwright.materials.symmetry import prototype_key


class GroupKind(Enum):
    """What two materials must share to be kept on the same side of a split."""

    FORMULA = "formula"
    SYSTEM = "system"
    PROTOTYPE = "prototype"
    STRUCTURE = "structure"


def group_key(crystal: Crystal, kind: GroupKind) -> str:
    """The word that names the crystal's group: "LiFePO4", "Fe-Li-O-P", "225:a|b", or "NaCl 225:a|b".

    Where no symmetry can be found, the anonymised formula stands for the prototype ("?:A1B1").
    """
    return _KEYS[kind](crystal)


def row_key(row: RawRow, kind: GroupKind) -> str:
    """The group of a row, its structure parsed for it; a function of a module, so that worker processes can run it.

    Raises:
        InputError: the row cannot be used.
    """
    return group_key(parse_row(row), kind)


def system_text(numbers: Sequence[int] | NDArray[np.int64]) -> str:
    """The chemical system of some atomic numbers, symbols in alphabetical order: "Fe-Li-O-P"."""
    return "-".join(sorted(SYMBOLS[number] for number in {int(number) for number in numbers}))


def packed_keys(numbers: NDArray[np.integer], atom_counts: NDArray[np.integer], kind: GroupKind) -> list[str]:
    """(n_crystals) formula or system keys from atoms laid end to end, without any structure.

    Args:
        numbers: (n_atoms,) atomic numbers of all crystals, one crystal after the other.
        atom_counts: (n_crystals,) how many atoms each has.
        kind: FORMULA or SYSTEM; the other kinds need the structure.

    Raises:
        ValueError: another kind.
    """
    if kind not in (GroupKind.FORMULA, GroupKind.SYSTEM):
        raise ValueError(f"{kind.value} keys need the structure")
    ends = np.cumsum(atom_counts).tolist()
    atoms = numbers.tolist()
    pieces = (atoms[end - count : end] for end, count in zip(ends, atom_counts.tolist(), strict=True))
    if kind is GroupKind.SYSTEM:
        return [system_text(piece) for piece in pieces]
    return [formula_text({number: float(count) for number, count in Counter(piece).items()}) for piece in pieces]


def _system(crystal: Crystal) -> str:
    return system_text(list(amounts(crystal)))


def _prototype(crystal: Crystal) -> str:
    try:
        return prototype_key(crystal)
    except CalculationError:
        counts = sorted(reduce_amounts(amounts(crystal)).values())
        return "?:" + "".join(f"{chr(65 + place)}{count:g}" for place, count in enumerate(counts))


def _structure(crystal: Crystal) -> str:
    return f"{reduced_formula(crystal)} {_prototype(crystal)}"


_KEYS: dict[GroupKind, Callable[[Crystal], str]] = {
    GroupKind.FORMULA: reduced_formula,
    GroupKind.SYSTEM: _system,
    GroupKind.PROTOTYPE: _prototype,
    GroupKind.STRUCTURE: _structure,
}
