"""The only door to pymatgen, ASE and structure files: everything else in the package sees `Crystal`.

The libraries are imported inside the functions (heavy: behind their door) and their warnings are silenced there only.
"""

from __future__ import annotations

import gzip
import io
import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from matwright.elements import SYMBOLS
from matwright.errors import InputError
from matwright.materials.cif_blocks import crystal_block
from matwright.materials.crystal import Crystal, SiteOccupancy
from matwright.materials.formula import formula_text
from matwright.materials.molecule_files import check_one_frame
from matwright.materials.overlap import MIN_DISTANCE, closest_pair
from matwright.materials.plain_cif import plain_crystal
from matwright.materials.silence import quiet_stderr, quiet_warnings
from matwright.materials.symmetry import standard_primitive

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core.structure import Structure

_FULL = 1.0 - 1e-6


def from_pymatgen(structure: Structure) -> Crystal:
    """The crystal of a pymatgen Structure; charges, spins and site properties are left behind.

    Raises:
        InputError: it has no site, a site that is not an element, or impossible numbers.
    """
    if len(structure) == 0:
        raise InputError("the structure has no atoms")
    sites = [_occupancy(site.species.items()) for site in structure]
    ordered = all(len(site) == 1 and site[0][1] >= _FULL for site in sites)
    return Crystal(
        lattice=np.array(structure.lattice.matrix),
        frac_coords=np.array(structure.frac_coords),
        numbers=np.array([max(site, key=lambda pair: pair[1])[0] for site in sites]),
        occupancies=None if ordered else tuple(sites),
        pbc=(bool(structure.pbc[0]), bool(structure.pbc[1]), bool(structure.pbc[2])),
    )


def _occupancy(species: Iterable[tuple[Any, float]]) -> SiteOccupancy:
    shares: dict[int, float] = {}
    for specie, share in species:
        number = getattr(specie, "Z", None)
        if not isinstance(number, int | np.integer) or not 1 <= number < len(SYMBOLS):
            raise InputError(f"a site holds {str(specie)!r}, which is not an element")
        shares[int(number)] = shares.get(int(number), 0.0) + float(share)
    return tuple(sorted((number, min(share, 1.0)) for number, share in shares.items()))


def to_pymatgen(crystal: Crystal) -> Structure:
    """A pymatgen Structure with the same sites in the same order, occupancies and periodicity included."""
    from pymatgen.core.lattice import Lattice  # heavy: behind its door
    from pymatgen.core.structure import Structure

    if crystal.occupancies is None:
        species: list[Any] = [SYMBOLS[number] for number in crystal.numbers]
    else:
        species = [{SYMBOLS[number]: share for number, share in site} for site in crystal.occupancies]
    lattice = Lattice(crystal.lattice, pbc=crystal.pbc)
    return Structure(lattice, species, crystal.frac_coords, to_unit_cell=False)


def from_ase(atoms: Atoms) -> Crystal:
    """The crystal of an ASE Atoms object with a cell.

    Raises:
        InputError: it has no atoms, no cell, or impossible numbers.
    """
    if len(atoms) == 0:
        raise InputError("the structure has no atoms")
    if abs(atoms.cell.volume) < 1e-3:
        raise InputError("the structure has no cell; without one it is a molecule, not a crystal")
    return Crystal(
        lattice=np.array(atoms.cell.array),
        frac_coords=np.array(atoms.cell.scaled_positions(atoms.positions)),
        numbers=np.array(atoms.numbers),
        pbc=(bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
    )


def to_ase(crystal: Crystal) -> Atoms:
    """An ASE Atoms object with the same atoms in the same order.

    Raises:
        InputError: the crystal is disordered, which ASE cannot hold.
    """
    from ase import Atoms  # heavy: behind its door

    if not crystal.is_ordered:
        raise InputError("a disordered crystal cannot be given to ASE; choose an ordered approximant first")
    return Atoms(numbers=crystal.numbers, scaled_positions=crystal.frac_coords, cell=crystal.lattice, pbc=crystal.pbc)


def from_cif(text: str) -> Crystal:
    """The crystal of a CIF, with all symmetry operations applied; partial occupancies are kept.

    Data blocks without atoms, as journals write them, are passed over.

    Raises:
        InputError: it cannot be read, holds no crystal or several, numbers that are not finite, or atoms nearer than
            0.5 Å.
    """
    text = crystal_block(text)
    plain = plain_crystal(text)
    if plain is not None:
        return _checked(plain)
    from pymatgen.io.cif import CifParser  # heavy: behind its door

    try:
        with quiet_warnings():
            structures = CifParser.from_str(text, occupancy_tolerance=1.05).parse_structures(
                primitive=False, check_occu=True, on_error="raise"
            )
    except InputError:
        raise
    except Exception as problem:  # a hostile file may fail anywhere inside the parser
        raise InputError(f"the CIF cannot be read: {_one_line(problem)}") from problem
    if not structures:
        raise InputError("the CIF has no atoms")
    return _checked(from_pymatgen(structures[0]))


def to_cif(crystal: Crystal, symprec: float | None = None) -> str:
    """The crystal as CIF text: all atoms in P1, or with the symmetry found at `symprec` Å (the conventional cell)."""
    from pymatgen.io.cif import CifWriter  # heavy: behind its door

    with quiet_warnings(), quiet_stderr():
        return str(
            CifWriter(to_pymatgen(crystal), symprec=symprec, refine_struct=symprec is not None, significant_figures=10)
        )


def from_poscar(text: str) -> Crystal:
    r"""The crystal of a POSCAR; a literal "\n" in place of line breaks is understood.

    Raises:
        InputError: it cannot be read, does not name its elements, or the atoms are impossible (see `from_cif`).
    """
    from pymatgen.io.vasp.inputs import BadPoscarWarning, Poscar  # heavy: behind its door

    lines = text.replace("\\n", "\n") if "\n" not in text.strip() else text
    try:
        with quiet_warnings():
            warnings.simplefilter("error", BadPoscarWarning)  # it means that the elements were invented
            structure = Poscar.from_str(lines).structure
    except Exception as problem:  # a hostile file may fail anywhere inside the parser
        raise InputError(f"the POSCAR cannot be read: {_one_line(problem)}") from problem
    return _checked(from_pymatgen(structure))


def to_poscar(crystal: Crystal) -> str:
    """The crystal as POSCAR text (direct coordinates, atoms grouped by element).

    Raises:
        InputError: the crystal is disordered, which the format cannot hold.
    """
    if not crystal.is_ordered:
        raise InputError("a disordered crystal cannot be written as POSCAR; write a CIF")
    order = np.argsort(crystal.numbers, kind="stable")
    numbers, counts = np.unique(crystal.numbers, return_counts=True)
    rows = [formula_text(amounts(crystal)), "1.0"]
    rows += [" ".join(f"{x:.12f}" for x in vector) for vector in crystal.lattice]
    rows += [" ".join(SYMBOLS[number] for number in numbers), " ".join(map(str, counts)), "direct"]
    rows += [
        " ".join(f"{x:.12f}" for x in crystal.frac_coords[site]) + f" {SYMBOLS[crystal.numbers[site]]}"
        for site in order
    ]
    return "\n".join(rows) + "\n"


def read_structure(path: Path | str) -> Crystal:
    """The crystal in a file: .cif, POSCAR/CONTCAR/.vasp/.poscar, .xyz/.extxyz (one frame), .json; also with .gz.

    Raises:
        InputError: no such file, an unknown kind of file, or contents that are no crystal; the message names the file.
    """
    path = Path(path)
    if not path.is_file():
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a file")
        raise InputError(f"there is no file {str(path)!r}")
    name = path.name.removesuffix(".gz")
    suffix = Path(name).suffix.lower()
    try:
        if suffix == ".cif":
            return from_cif(read_text(path))
        if suffix in (".vasp", ".poscar") or name.upper().startswith(("POSCAR", "CONTCAR")):
            return from_poscar(read_text(path))
        if suffix in (".xyz", ".extxyz"):
            return from_extxyz(read_text(path))
        if suffix == ".json":
            return from_json(read_text(path))
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from problem
    raise InputError(f"{path}: unknown kind of structure file; known are .cif, POSCAR, .vasp, .xyz, .extxyz, .json")


def read_text(path: Path) -> str:
    """The text of a file, unpacked when its name ends in .gz.

    Raises:
        InputError: it cannot be read.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", errors="replace") as stream:
            return str(stream.read())
    except (OSError, EOFError) as problem:
        raise InputError(f"the file cannot be read: {_one_line(problem)}") from problem


def from_extxyz(text: str) -> Crystal:
    """The crystal of an extended XYZ text of one frame; errors as in `from_cif`."""
    from ase.io import read  # heavy: behind its door

    check_one_frame(text)
    try:
        atoms = read(io.StringIO(text), index=0, format="extxyz")
    except Exception as problem:  # a hostile file may fail anywhere inside the parser
        raise InputError(f"the extxyz cannot be read: {_one_line(problem)}") from problem
    if isinstance(atoms, list):
        raise InputError("the extxyz holds no single structure")
    return _checked(from_ase(atoms))


def from_json(text: str) -> Crystal:
    """The crystal of pymatgen's JSON form of a Structure; errors as in `from_cif`."""
    from pymatgen.core.structure import Structure  # heavy: behind its door

    try:
        with quiet_warnings():
            structure = Structure.from_dict(json.loads(text))
    except Exception as problem:  # a hostile file may fail anywhere inside the parser
        raise InputError(f"the JSON is no pymatgen structure: {_one_line(problem)}") from problem
    return _checked(from_pymatgen(structure))


def _checked(crystal: Crystal) -> Crystal:
    close = closest_pair(crystal, MIN_DISTANCE)
    if close is not None:
        first, second, distance = close
        names = f"{SYMBOLS[crystal.numbers[first]]} and {SYMBOLS[crystal.numbers[second]]}"
        where = (
            f"atoms {first + 1} and {second + 1} ({names})" if first != second else f"atom {first + 1} and its image"
        )
        raise InputError(f"{where} overlap: {distance:.3f} Å apart, the least is {MIN_DISTANCE} Å")
    return crystal


def _one_line(problem: BaseException) -> str:
    text = " ".join(str(problem).split())
    return text[:200] or type(problem).__name__


def amounts(crystal: Crystal) -> dict[int, float]:
    """Atomic number → number of atoms in the cell (fractional where sites are disordered)."""
    if crystal.occupancies is None:
        numbers, counts = np.unique(crystal.numbers, return_counts=True)
        return {int(number): float(count) for number, count in zip(numbers, counts, strict=True)}
    sums: dict[int, float] = {}
    for site in crystal.occupancies:
        for number, share in site:
            sums[number] = sums.get(number, 0.0) + share
    return sums


def reduced_formula(crystal: Crystal) -> str:
    """The reduced formula, elements by rising electronegativity, for instance "LiFePO4"."""
    return formula_text(amounts(crystal))


def primitive(crystal: Crystal, symprec: float = 1e-2) -> Crystal:
    """The standardised primitive cell found at `symprec` Å; orientation and origin may change.

    Raises:
        InputError: the crystal is not periodic in three directions.
        CalculationError: no symmetry can be found.
    """
    return standard_primitive(crystal, symprec)
