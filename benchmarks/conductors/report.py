"""Table and pictures of the benchmark of Li-ion conductors, from what its runs left behind."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from conductors.structures import measured_structure
from matwright.data.hull import Hull
from matwright.data.references import load_references
from matwright.materials.crystal import Crystal
from matwright.materials.supercell import roomy
from matwright.physics.diffraction.pattern import powder_pattern, powder_peaks
from matwright.physics.thermodynamics import stability
from matwright.physics.transport import BOLTZMANN
from matwright.screening.conduction import ConductionSettings, Conductivity, analysed
from matwright.screening.dynamics import Replica, Trajectory
from matwright.screening.trials import crystal_of

ROOM = 10.0
MEASURED: Mapping[str, Mapping[str, str]] = {
    "Li6PS5Cl": {"cell": "a 9.898 Å", "sigma": "2.05 (OBELiX 122); 0.033 to 2.05 in OBELiX", "energy": "0.3 to 0.4"},
    "Li10GeP2S12": {
        "cell": "a 8.719, c 12.639 Å",
        "sigma": "12.1 (OBELiX j8q); 1.4 to 24.6 in OBELiX",
        "energy": "0.22 (Kuhn et al. 2013)",
    },
    "Li3YCl6": {"cell": "a 11.200, c 6.044 Å", "sigma": "0.51 (Asano et al. 2018)", "energy": "0.40 (the same)"},
}


def report(folder: Path, data: Path, potential: str) -> None:
    """Print the tables, draw `arrhenius.png` and `patterns.png`."""
    hull, references = Hull.load(), load_references(potential)
    found: dict[str, Conductivity] = {}
    crystals: dict[str, Crystal] = {}
    for path in sorted(folder.glob("*.json")):
        if path.name == "screen.json":
            _screened(json.loads(path.read_text(encoding="utf-8")))
            continue
        name, record = path.stem, json.loads(path.read_text(encoding="utf-8"))
        crystals[name] = crystal_of(record["crystal"])
        place = stability(crystals[name], record["energy_per_atom"], references, hull)
        print(f"\n{name}: {len(crystals[name])} atoms")
        print(f"  cell: {_cell(name, record, data)}; measured {MEASURED.get(name, {}).get('cell', '-')}")
        print(f"  formation energy {place.formation_energy:.3f}, above the hull {place.e_above_hull:.3f} eV/atom")
        if not (folder / f"{name}.npz").is_file():
            print("  not moved")
            continue
        found[name] = analysed(_trajectories(folder, name, record, crystals[name]), ConductionSettings())
        _told(found[name], record, MEASURED.get(name, {}))
    _draw_arrhenius(found, folder / "arrhenius.png")
    _draw_patterns(crystals, data, potential, folder / "patterns.png")


def _screened(rows: list[dict[str, Any]]) -> None:
    print("| formula | predicted σ, mS/cm | formation energy, eV/atom | above the hull, eV/atom |\n|---|---|---|---|")
    for row in rows:
        if "e_above_hull" in row:
            print(
                f"| {row['formula']} | {row['predicted']:.2g} | {row['formation_energy']:.3f} "
                f"| {row['e_above_hull']:.3f} |"
            )
        else:
            print(f"| {row['formula']} | {row['predicted']:.2g} | {row['failure']} | |")


def _cell(name: str, record: dict[str, Any], data: Path) -> str:
    """Lengths and angles of the measured structure's cell, strained as the supercell was at rest."""
    given, rested = np.array(record["given"]["lattice"]), np.array(record["crystal"]["lattice"])
    volume = abs(np.linalg.det(rested)) / len(record["given"]["numbers"])
    if name not in MEASURED:
        return f"{volume:.2f} Å³/atom"
    conventional = measured_structure(name, data).lattice @ np.linalg.inv(given) @ rested
    a, b, c = np.linalg.norm(conventional, axis=1)
    return f"a {a:.3f}, b {b:.3f}, c {c:.3f} Å, {volume:.2f} Å³/atom"


def _trajectories(folder: Path, name: str, record: dict[str, Any], crystal: Crystal) -> list[Trajectory]:
    cell = roomy(crystal, ROOM, max_atoms=300)
    kept = np.load(folder / f"{name}.npz")
    return [
        Trajectory(
            replica=Replica(crystal=cell, temperature=float(kelvin)),
            step=told["step"],
            positions=kept[kelvin].astype(np.float64),
            energies=np.zeros(0),
            kinetic=told["kinetic"],
            seconds=told["cpu_seconds"],
        )
        for kelvin, told in record["temperatures"].items()
        if kelvin in kept
    ]


def _told(found: Conductivity, record: dict[str, Any], measured: Mapping[str, str]) -> None:
    print("  | K | ps | kinetic K | D, 1e-6 cm²/s | of the charge | σ, mS/cm | jumps | counts |")
    for point in found.points:
        told = record["temperatures"][f"{point.temperature:g}"]
        print(
            f"  | {point.temperature:g} | {told['picoseconds']:.1f} | {point.kinetic:.0f} "
            f"| {point.tracer.value * 1e6:.1f} ± {point.tracer.std * 1e6:.1f} "
            f"| {point.collective.value * 1e6:.0f} ± {point.collective.std * 1e6:.0f} | {1e3 * point.conductivity:.0f} "
            f"| {point.tracer.hops:.0f} | {point.reason or 'yes'} |"
        )
    seconds = sum(told["cpu_seconds"] for told in record["temperatures"].values())
    print(f"  {found.atoms} atoms, {found.room:.1f} Å to their images, {seconds:.0f} CPU s of dynamics")
    if found.fit is not None and found.at_room is not None and found.log_std is not None:
        factor = math.exp(found.log_std)
        print(f"  Ea {found.fit.energy:.2f} ± {found.fit.energy_std:.2f} eV; measured {measured.get('energy', '-')}")
        print(f"  chi2 of the line {found.fit.chi2:.1f} a degree of freedom")
        print(
            f"  σ(300 K) {1e3 * found.at_room:.2g} mS/cm, within a factor of {factor:.1f} (one standard deviation); "
            f"measured {measured.get('sigma', '-')}"
        )
    else:
        print(f"  no conductivity at 300 K: {found.reason}")


def _draw_arrhenius(found: Mapping[str, Conductivity], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.8, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, (name, one) in enumerate(found.items()):
        colour = f"C{place}"
        axes.plot([], [], "o", color=colour, label=name.replace("screened-", "screened: "))
        for good in (True, False):
            points = [point for point in one.points if point.resolved is good and point.tracer.value > 0]
            axes.errorbar(
                [1e3 / point.temperature for point in points],
                [point.tracer.value for point in points],
                yerr=[min(point.tracer.std, 0.9 * point.tracer.value) for point in points],
                fmt="o",
                color=colour,
                markerfacecolor=colour if good else "white",
                capsize=2,
            )
        if one.fit is not None:
            kelvin = np.linspace(300.0, 1200.0, 100)
            line = np.exp(one.fit.log_prefactor - one.fit.energy / (BOLTZMANN * kelvin))
            axes.plot(1e3 / kelvin, line, color=colour, linewidth=0.8)
    axes.set(yscale="log", xlabel="1000 K / T", ylabel="tracer diffusion (cm²/s)")
    axes.plot([], [], "o", color="black", markerfacecolor="white", label="not in the fit")
    figure.legend(fontsize=8, loc="outside right upper")
    figure.savefig(path, dpi=110)


def _draw_patterns(crystals: Mapping[str, Crystal], data: Path, potential: str, path: Path) -> None:
    from matplotlib.figure import Figure

    names = [name for name in crystals if name in MEASURED]
    figure = Figure(figsize=(5.6, 1.7 * len(names)), layout="constrained")
    angles = np.arange(10.0, 60.0, 0.02)
    for axes, name in zip(np.atleast_1d(figure.subplots(len(names), 1, sharex=True)), names, strict=True):
        shown = {"measured structure": measured_structure(name, data), f"at rest, {potential}": crystals[name]}
        for (label, crystal), shift in zip(shown.items(), (1.1, 0.0), strict=True):
            pattern = powder_pattern(powder_peaks(crystal, limits=(10.0, 60.0)), angles, width=0.15, mixing=0.5)
            axes.plot(angles, pattern / pattern.max() + shift, linewidth=0.7, label=label)
        axes.set(ylabel=name, yticks=[])
        axes.legend(fontsize=7, loc="upper right")
    axes.set_xlabel("2θ (degrees, Cu Kα)")
    figure.savefig(path, dpi=110)
