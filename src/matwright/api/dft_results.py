"""Density-functional results that were computed elsewhere, taken back: a table of values, a record of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from matwright.campaign.evaluator import Quantity
from matwright.campaign.evaluators.dft import dft_quantities
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.store.address import structure_from_text, structure_hash, structure_text
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import read_structure, reduced_formula
from matwright.runs import provenance
from matwright.screening.dft.problems import Problem
from matwright.screening.dft.settings import DftCode, DftSettings
from matwright.screening.dft.vasp import differences
from matwright.screening.dft.vasp_output import VaspRun, is_vasp, read_vasp
from matwright.serialization import atomic_write_text, write_json

GIVEN = "crystal.json"
"""The crystal that inputs were written for, with all its digits: the file by which results find back to it."""
TABLE = "values.csv"
_SAME = 2e-4
"""Å between a crystal and what a program of eight decimals makes of it."""
_UNITS: Mapping[str, str] = {
    "energy_per_atom": "eV/atom",
    "energy_sigma0_per_atom": "eV/atom",
    "volume_per_atom": "Å^3/atom",
    "fmax": "eV/Å",
    "smax": "GPa",
    "pressure": "GPa",
    "band_gap": "eV",
    "steps": "1",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """One folder with a finished calculation.

    Attributes:
        folder: where it lies.
        given: the crystal that it was to compute, None where nothing says so.
        answer: what it says, or why it says nothing.
        notes: what a person should know, one sentence each.
    """

    folder: Path
    given: Crystal | None
    answer: VaspRun | Problem
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> Mapping[str, Quantity]:
        """The quantities; empty for a failure."""
        run = self.answer
        if isinstance(run, Problem):
            return {}
        sigma0 = Quantity(value=run.energy_sigma0 / len(run.result), unit=_UNITS["energy_sigma0_per_atom"])
        steps = Quantity(value=float(run.steps), unit=_UNITS["steps"])
        return {**dft_quantities(run.result, run.point), "energy_sigma0_per_atom": sigma0, "steps": steps}


def read_calculations(folder: Path, settings: DftSettings | None = None) -> list[Calculation]:
    """The calculations of VASP in a folder, or in those inside it.

    Args:
        folder: of one calculation, or of many.
        settings: that they were to be made with; None where there are none.

    Raises:
        InputError: there is none; one was not made as the settings say; two are of one crystal.
    """
    if settings is not None and settings.code is not DftCode.VASP:
        raise InputError(f"results of VASP are read back; the settings {settings.name} are of {settings.code.value}")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder" if folder.exists() else f"{folder} does not exist")
    folders = [folder] if is_vasp(folder) else sorted(one for one in folder.iterdir() if one.is_dir() and is_vasp(one))
    if not folders:
        raise InputError(f"{folder} holds no calculation of VASP: there is no vasprun.xml in it or in its folders")
    found = [_calculation(one, settings) for one in folders]
    seen: dict[str, Path] = {}
    for one in found:
        if one.given is not None:
            other = seen.setdefault(structure_hash(one.given), one.folder)
            if other != one.folder:
                raise InputError(f"{other} and {one.folder} are of one crystal; keep one of them")
    return found


def _calculation(folder: Path, settings: DftSettings | None) -> Calculation:
    answer = read_vasp(folder)
    stated = _stated(folder)
    if isinstance(answer, Problem):
        return Calculation(folder=folder, given=stated, answer=answer)
    if settings is not None and (other := differences(answer, settings)):
        raise InputError(f"{folder} was not computed with {settings.name} {settings.version}: {'; '.join(other)}")
    if stated is None or _same(stated, answer.given):
        return Calculation(folder=folder, given=stated or answer.given, answer=answer)
    note = f"{folder} started from another structure than its {GIVEN}, and is recorded for the one it started from"
    return Calculation(folder=folder, given=answer.given, answer=answer, notes=(note,))


def _stated(folder: Path) -> Crystal | None:
    """The crystal that the inputs were written for, or that the POSCAR holds."""
    exact, poscar = folder / GIVEN, folder / "POSCAR"
    if exact.is_file():
        try:
            return structure_from_text(exact.read_text(encoding="utf-8"))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{exact} is no crystal as `matwright dft write` writes it: {error}") from error
    return read_structure(poscar) if poscar.is_file() else None


def _same(one: Crystal, other: Crystal) -> bool:
    """Whether two crystals are the same within rounding, in any order of their atoms."""
    if sorted(one.numbers.tolist()) != sorted(other.numbers.tolist()):
        return False
    if np.abs(one.lattice - other.lattice).max() > _SAME:
        return False
    apart = one.frac_coords[:, None] - other.frac_coords[None]
    near = np.linalg.norm((apart - np.round(apart)) @ one.lattice, axis=2) < _SAME
    near &= one.numbers[:, None] == other.numbers[None]
    return bool(near.any(axis=0).all() and near.any(axis=1).all())


def write_given(crystal: Crystal, folder: Path) -> None:
    """Write the crystal of a calculation beside its inputs, with all digits."""
    atomic_write_text(folder / GIVEN, structure_text(crystal))


def write_results(found: Sequence[Calculation], out: Path, settings: DftSettings | None = None) -> None:
    """Write a table of values, which a lookup of a campaign reads, and `NAME.json` for each calculation.

    Args:
        found: by `read_calculations`.
        out: a folder that exists.
        settings: as there.
    """
    origin = provenance()
    rows: dict[str, Mapping[str, Quantity]] = {}
    described: dict[str, Mapping[str, str]] = {}
    for one in found:
        write_json(out / f"{one.folder.resolve().name}.json", {**_record(one, settings), **origin})
        if one.given is not None:
            address = structure_hash(one.given)
            reason = one.answer.reason if isinstance(one.answer, Problem) else ""
            rows[address] = one.values
            described[address] = {"formula": reduced_formula(one.given), "folder": str(one.folder), "failure": reason}
    ValueTable(units=dict(_UNITS), rows=rows, described=described).write(out / TABLE)


def _record(one: Calculation, settings: DftSettings | None) -> dict[str, object]:
    """What `run.json` says of a calculation that was run here, and what this one was made with."""
    record: dict[str, object] = {
        "folder": str(one.folder),
        "settings": None if settings is None else settings.plain(),
        "structure": None if one.given is None else structure_hash(one.given),
        "notes": list(one.notes),
    }
    run = one.answer
    if isinstance(run, Problem):
        return record | {"failure": {"kind": run.kind.value, "reason": run.reason}}
    return record | {
        "program": f"vasp {run.version}",
        "made_with": dict(run.facts),
        "values": {name: {"value": quantity.value, "unit": quantity.unit} for name, quantity in one.values.items()},
        "forces": {"value": run.point.forces.tolist(), "unit": "eV/Å"},
        "stress": {"value": run.point.stress.tolist(), "unit": "eV/Å^3"},
        "result": structure_text(run.result),
    }
