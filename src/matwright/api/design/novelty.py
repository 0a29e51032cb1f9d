"""Whether a candidate is a known material: against the shipped library and, where given, the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import final

from matwright.api.design.describe import KNOWN_STRUCTURE, formula_of
from matwright.data.known import KnownMaterials
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.verdict import Verdict

KNOWN_TABLE = "known_table"
KNOWN_COMPOSITION = "known_composition"
STRUCTURE_SUFFIXES = (".cif", ".vasp", ".poscar", ".xyz", ".extxyz", ".json", ".gz")


@final
class Library:
    """Known materials: fingerprints that ship with the package, and structures the user gave.

    Args:
        own: the user's structures; a candidate is compared with those of its formula by StructureMatcher.
        only_new_compositions: whether a listed formula is enough to call a candidate known.
    """

    def __init__(self, own: Iterable[Crystal] = (), *, only_new_compositions: bool = False) -> None:
        self._only_new_compositions = only_new_compositions
        self._known = KnownMaterials.load()
        self._own: dict[str, list[Crystal]] = {}
        for crystal in own:
            self._own.setdefault(formula_of(crystal), []).append(crystal)

    def statement(self) -> str:
        """What "novel" is held against, for the report."""
        text = (
            f"the formula together with the space group is not among {len(self._known.structures):,} fingerprints of "
            "crystals from the Materials Project, AFLOW and JARVIS; "
            f"{len(self._known.formulas):,} known formulas, most of them of the Materials Project, tell a new "
            "composition from a known one. It is not a search of the literature."
        )
        count = sum(map(len, self._own.values()))
        return f"{text} The user's own table adds {count:,} structures." if count else text

    def verdicts(self, crystal: Crystal, space_group: int) -> tuple[Verdict, ...]:
        """Verdicts on structure, on composition where only new ones are wanted, and on the user's own table."""
        formula = formula_of(crystal)
        listed = self._known.has_formula(formula)
        known = self._known.has_structure(formula, space_group)
        if known:
            reason = f"{formula} with space group {space_group} is a known material"
        else:
            reason = "known composition, this structure is not in the library" if listed else "new composition"
        verdicts = [_verdict(KNOWN_STRUCTURE, reason, known=known)]
        if self._only_new_compositions:
            reason = f"{formula} is a known composition" if listed else "new composition"
            verdicts.append(_verdict(KNOWN_COMPOSITION, reason, known=listed))
        if self._own:
            twin = self._matches_own(crystal, formula)
            reason = (
                f"{formula} is the same structure as one in the user's table" if twin else "not in the user's table"
            )
            verdicts.append(_verdict(KNOWN_TABLE, reason, known=twin))
        return tuple(verdicts)

    def _matches_own(self, crystal: Crystal, formula: str) -> bool:
        from pymatgen.analysis.structure_matcher import StructureMatcher  # heavy: behind its door

        from matwright.materials.interop import to_pymatgen

        matcher, structure = StructureMatcher(), to_pymatgen(crystal)
        return any(matcher.fit(structure, to_pymatgen(other)) for other in self._own.get(formula, ()))


def _verdict(rule: str, reason: str, *, known: bool) -> Verdict:
    """1 known structure found against 0 allowed."""
    found = float(known)
    return Verdict(
        rule=rule, residual=found, value=found, threshold=0.0, unit="1", passed=not known, reason=reason, seconds=0.0
    )


def read_known(path: str) -> list[Crystal]:
    """The ordered crystals in a folder of structure files or in one file.

    Raises:
        InputError: nothing is there, or nothing in it can be read as a crystal.
    """
    from matwright.materials.interop import read_structure  # heavy: behind its door

    place = Path(path)
    if not place.exists():
        raise InputError(f"there is no file or folder {path!r} to take known materials from")
    files = sorted(p for p in place.iterdir() if p.suffix.lower() in STRUCTURE_SUFFIXES) if place.is_dir() else [place]
    if not files:
        raise InputError(f"the folder {path!r} holds no structure files ({', '.join(STRUCTURE_SUFFIXES)})")
    return [crystal for crystal in map(read_structure, files) if crystal.is_ordered]
