"""`matwright dft`: inputs for density-functional codes, single points where one is installed, results taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matwright.errors import CalculationError, InputError
from matwright.materials.properties import nearest_hint

if TYPE_CHECKING:
    from matwright.materials.crystal import Crystal
    from matwright.screening.dft.calculation import Programs
    from matwright.screening.dft.settings import DftSettings

ACTIONS = ("write", "run", "read")


def dft(
    action: Annotated[
        str, typer.Argument(help="write (input files), run (a single point) or read (finished results of VASP).")
    ],
    file: Annotated[
        Path, typer.Argument(help="Structure file (CIF, POSCAR, extxyz, JSON); for read a folder of VASP, or of many.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for the files.")],
    settings: Annotated[
        str | None,
        typer.Option(
            help="qe-pbe-debian, qe-lda-debian, gpaw-pbe, vasp-mp-relax, or a TOML file of your own. "
            "read needs none, and checks that they were used where they are named."
        ),
    ] = None,
    pseudopotentials: Annotated[
        Path | None, typer.Option(help="Folder of the pseudopotentials; else that of Debian's quantum-espresso-data.")
    ] = None,
    python: Annotated[str, typer.Option(help="A Python that can import gpaw.")] = "python3",
) -> None:
    """Write the inputs of a density-functional calculation by named settings, run it, or read its results back.

    Settings are TOML files with name and version; energies of different settings do not mix. Files for VASP are written
    for those who have it: INCAR, POSCAR, KPOINTS and the names of the potentials. What it computed comes back by read:
    one record a calculation, and a table of values that a campaign looks up.
    """
    from matwright.materials.interop import read_structure
    from matwright.screening.dft.calculation import Programs, make_code
    from matwright.screening.dft.espresso import DEBIAN
    from matwright.screening.dft.settings import DftCode, load_dft_settings

    if action not in ACTIONS:
        raise InputError(f"dft does one of {', '.join(ACTIONS)}, found {action!r}{nearest_hint(action, ACTIONS)}")
    if action == "read":
        _read(file, None if settings is None else load_dft_settings(settings), out)
        return
    if settings is None:
        raise InputError(f"dft {action} needs --settings: the name of a preset or a TOML file")
    chosen = load_dft_settings(settings)
    crystal = read_structure(file)
    if not crystal.is_ordered or not all(crystal.pbc):
        raise InputError(f"{file} is disordered or not periodic in three directions; order it first")
    programs = Programs(pseudopotentials=pseudopotentials or DEBIAN, python=python)
    if out.exists():
        raise InputError(f"{out} is already there; choose a new folder")
    if action == "run":
        _run(crystal, file, chosen, programs, out)
        return
    if chosen.code is DftCode.VASP:
        from matwright.api.dft_results import write_given
        from matwright.screening.dft.vasp import write_vasp

        out.mkdir(parents=True)
        write_vasp(crystal, chosen, out)
        write_given(crystal, out)
    else:
        code = make_code(chosen, programs)
        out.mkdir(parents=True)
        code.write(crystal, chosen, out)
    typer.echo(f"{', '.join(sorted(path.name for path in out.iterdir()))}: {out}")


def _run(crystal: Crystal, file: Path, settings: DftSettings, programs: Programs, out: Path) -> None:
    """One single point; its files and `run.json` in the new folder, also where it failed."""
    from matwright.campaign.evaluators.dft import dft_quantities
    from matwright.runs import provenance
    from matwright.screening.dft.calculation import DftPotential
    from matwright.screening.potential import Failure

    potential = DftPotential(settings, programs)
    answer, files = potential.calculate(crystal)
    out.mkdir(parents=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    run: dict[str, Any] = {"settings": settings.plain(), "program": potential.version, **provenance()}
    if isinstance(answer, Failure):
        run["failure"] = {"kind": answer.kind.value, "reason": answer.reason}
        (out / "run.json").write_text(json.dumps(run, indent=1), encoding="utf-8")
        raise CalculationError(f"{file}: {answer.reason}; what there is lies in {out}")
    found = dft_quantities(crystal, answer)
    run["values"] = {name: {"value": one.value, "unit": one.unit} for name, one in found.items()}
    run["forces"] = {"value": answer.forces.tolist(), "unit": "eV/Å"}
    run["stress"] = {"value": answer.stress.tolist(), "unit": "eV/Å^3"}
    (out / "run.json").write_text(json.dumps(run, indent=1), encoding="utf-8")
    for name, one in found.items():
        typer.echo(f"{name}: {one.value:.6g} {one.unit}")
    typer.echo(f"{potential.name} {potential.version}: {out}")


def _read(folder: Path, settings: DftSettings | None, out: Path) -> None:
    """Finished calculations into records and a table of values; failures are told after everything is written."""
    from matwright.api.dft_results import TABLE, read_calculations, write_results
    from matwright.screening.dft.problems import Problem

    if out.exists():
        raise InputError(f"{out} is already there; choose a new folder")
    found = read_calculations(folder, settings)
    out.mkdir(parents=True)
    write_results(found, out, settings)
    failed = []
    for one in found:
        for note in one.notes:
            typer.echo(f"matwright: {note}", err=True)
        if isinstance(one.answer, Problem):
            failed.append(f"{one.folder}: {one.answer.reason}")
        else:
            energy = one.values["energy_per_atom"]
            typer.echo(f"{one.folder}: {energy.value:.6f} {energy.unit}, {one.answer.steps} ionic steps")
    typer.echo(f"{len(found) - len(failed)} of {len(found)} calculations with values: {out / TABLE}")
    if failed:
        raise CalculationError(f"{'; '.join(failed)}; what there is lies in {out}")
