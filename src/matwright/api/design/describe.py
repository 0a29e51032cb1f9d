"""Short descriptions of a candidate that tables, file names and the report share."""

from __future__ import annotations

from collections import Counter

from matwright.api.design.records import DesignRecord
from matwright.materials.crystal import Crystal
from matwright.materials.formula import formula_text

KNOWN_STRUCTURE = "known_structure"
"""Rule that compares a candidate with the library of known materials; its reason says how novel the candidate is."""


def formula_of(crystal: Crystal) -> str:
    """The reduced formula of an ordered crystal, for instance "LiFePO4"."""
    return formula_text(Counter(int(number) for number in crystal.numbers))


def space_group_number(record: DesignRecord) -> int | None:
    """International number 1..230 as last measured, None where no rung has determined it."""
    measured = record.measured("space_group")
    return None if measured is None or measured.value is None else int(measured.value)


def space_group_symbol(number: int | None) -> str:
    """Short Hermann–Mauguin symbol without spaces, for instance "Fm-3m"; empty for None."""
    if number is None:
        return ""
    from moyopy import SpaceGroupType  # heavy: behind its door

    return str(SpaceGroupType(number).hm_short).replace(" ", "")


def novelty_of(record: DesignRecord) -> str:
    """What the last comparison with known materials said, for instance "new composition"; empty before it."""
    verdicts = (v for rung in reversed(record.rungs) for v in rung.verdicts if v.rule == KNOWN_STRUCTURE)
    return next((verdict.reason for verdict in verdicts), "")
