from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.materials import interop
from matwright.materials.crystal import Crystal
from matwright.materials.overlap import closest_pair
from matwright.materials.plain_cif import plain_crystal
from matwright.materials.silence import quiet_warnings

SALT = Crystal(
    lattice=np.array([[0, 2.82, 2.82], [2.82, 0, 2.82], [2.82, 2.82, 0]]),
    frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
    numbers=np.array([11, 17]),
)
ALLOY = Crystal(
    lattice=np.eye(3) * 3.6,
    frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
    numbers=np.array([29, 8]),
    occupancies=(((28, 0.25), (29, 0.75)), ((8, 0.5),)),
)


@st.composite
def crystals(draw: st.DrawFn) -> Crystal:
    """Ordered crystals in skewed cells with no two atoms closer than 0.8 Å."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_atoms = draw(st.integers(1, 6))
    while True:
        lattice = np.diag(rng.uniform(3.0, 9.0, 3)) + rng.uniform(-1.0, 1.0, (3, 3))
        crystal = Crystal(
            lattice=lattice,
            frac_coords=rng.random((n_atoms, 3)),
            numbers=rng.choice([1, 3, 8, 11, 17, 26, 57, 82], n_atoms),
        )
        if crystal.volume > 10 and closest_pair(crystal, 0.8) is None:
            return crystal


def fingerprint(crystal: Crystal) -> np.ndarray:
    """(n, 3) sorted (element, element, distance) of every atom to the images around it: equal for equal crystals."""
    grid = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T
    delta = crystal.frac_coords[None, :] - crystal.frac_coords[:, None]
    delta = (delta - np.round(delta))[:, :, None, :] + grid
    lengths = np.linalg.norm(delta @ crystal.lattice, axis=-1)
    first = np.broadcast_to(crystal.numbers[:, None, None], lengths.shape)
    second = np.broadcast_to(crystal.numbers[None, :, None], lengths.shape)
    rows = np.stack([first.ravel(), second.ravel(), lengths.ravel()], axis=1)
    return rows[np.lexsort((np.round(rows[:, 2], 6), rows[:, 1], rows[:, 0]))]


def same(first: Crystal, second: Crystal, tolerance: float) -> bool:
    a, b = fingerprint(first), fingerprint(second)
    return a.shape == b.shape and bool((a[:, :2] == b[:, :2]).all()) and np.abs(a[:, 2] - b[:, 2]).max() < tolerance


@settings(max_examples=40, deadline=None)
@given(crystals())
def test_pymatgen_and_ase_give_back_the_very_crystal(crystal: Crystal) -> None:
    for back in (interop.from_pymatgen(interop.to_pymatgen(crystal)), interop.from_ase(interop.to_ase(crystal))):
        np.testing.assert_array_equal(back.numbers, crystal.numbers)
        np.testing.assert_allclose(back.lattice, crystal.lattice, atol=1e-12)
        shift = back.frac_coords - crystal.frac_coords
        assert np.abs(shift - np.round(shift)).max() < 1e-12


@settings(max_examples=40, deadline=None)
@given(crystals())
def test_files_give_back_the_crystal(crystal: Crystal) -> None:
    assert same(interop.from_cif(interop.to_cif(crystal)), crystal, 1e-5)
    assert same(interop.from_poscar(interop.to_poscar(crystal)), crystal, 1e-8)
    assert same(interop.from_poscar(interop.to_poscar(crystal).replace("\n", "\\n")), crystal, 1e-8)


def test_cif_with_symmetry_is_the_same_crystal() -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    text = interop.to_cif(SALT, symprec=0.01)
    assert "Fm-3m" in text
    back = interop.from_cif(text)
    assert len(back) == 8
    assert StructureMatcher().fit(interop.to_pymatgen(back), interop.to_pymatgen(SALT))


def test_a_disordered_crystal_survives() -> None:
    for back in (interop.from_pymatgen(interop.to_pymatgen(ALLOY)), interop.from_cif(interop.to_cif(ALLOY))):
        assert back.occupancies == ALLOY.occupancies
        np.testing.assert_array_equal(back.numbers, [29, 8])
    assert interop.amounts(ALLOY) == {28: 0.25, 29: 0.75, 8: 0.5}
    for refuse in (interop.to_ase, interop.to_poscar):
        with pytest.raises(InputError, match="disordered"):
            refuse(ALLOY)


def test_a_layer_keeps_its_periodicity() -> None:
    layer = Crystal(
        lattice=np.eye(3) * 4, frac_coords=np.array([[0.1, 0.2, 1.5]]), numbers=np.array([6]), pbc=(True, True, False)
    )
    for back in (interop.from_pymatgen(interop.to_pymatgen(layer)), interop.from_ase(interop.to_ase(layer))):
        assert back.pbc == (True, True, False)
        np.testing.assert_allclose(back.frac_coords, layer.frac_coords)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("0.5000000000  0.5000000000  0.5000000000", "0.5  nan  0.5", "finite|NaN"),
        ("_cell_length_a   3.9880822459", "_cell_length_a   nan", "finite|NaN"),
        ("0.5000000000  0.5000000000  0.5000000000", "0.01  0.01  0.01", "overlap"),
        ("0.5000000000  0.5000000000  0.5000000000", "0.0  0.0  0.0", "overlap|[Oo]ccupancy"),
        ("_cell_length_a   3.9880822459", "_cell_length_a   0.3", "overlap"),
        ("Cl  Cl1", "Qq  Qq1", "element"),
        ("_atom_site", "_other", "read|atoms"),
    ],
)
def test_an_impossible_cif_is_refused_with_its_reason(old: str, new: str, says: str) -> None:
    text = interop.to_cif(SALT)
    assert old in text
    with pytest.raises(InputError, match=says) as caught:
        interop.from_cif(text.replace(old, new))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "hello", "data_x\n", "\x00\x01"])
def test_text_that_is_no_structure_is_refused(text: str) -> None:
    for read in (interop.from_cif, interop.from_poscar):
        with pytest.raises(InputError):
            read(text)


def test_a_poscar_must_name_its_elements() -> None:
    with pytest.raises(InputError, match="lements"):
        interop.from_poscar("x\n1.0\n3 0 0\n0 3 0\n0 0 3\n1 1\ndirect\n0 0 0\n.5 .5 .5\n")


def test_self_images_count_as_overlap() -> None:
    thin = Crystal(lattice=np.diag([0.4, 5.0, 5.0]), frac_coords=np.zeros((1, 3)), numbers=np.array([1]))
    assert closest_pair(thin) == (0, 0, pytest.approx(0.4))
    skewed = Crystal(
        lattice=np.array([[5.0, 0, 0], [10.3, 0.2, 0], [0, 0, 5.0]]),
        frac_coords=np.zeros((1, 3)),
        numbers=np.array([1]),
    )
    found = closest_pair(skewed)
    assert found is not None
    assert found[2] == pytest.approx(np.hypot(0.3, 0.2))
    wire = Crystal(
        lattice=np.diag([0.4, 5.0, 5.0]), frac_coords=np.zeros((1, 3)), numbers=np.array([1]), pbc=(False, True, True)
    )
    assert closest_pair(wire) is None


def test_split_sites_are_no_overlap() -> None:
    split = Crystal(
        lattice=np.eye(3) * 4,
        frac_coords=np.array([[0, 0, 0], [0.05, 0, 0]]),
        numbers=np.array([3, 3]),
        occupancies=(((3, 0.5),), ((3, 0.5),)),
    )
    assert closest_pair(split) is None
    assert interop.from_cif(interop.to_cif(split)).occupancies == split.occupancies


def test_files_are_read_by_their_kind(tmp_path: Path) -> None:
    from ase.io import write

    (tmp_path / "a.cif").write_text(interop.to_cif(SALT))
    (tmp_path / "POSCAR_1").write_text(interop.to_poscar(SALT))
    with gzip.open(tmp_path / "b.vasp.gz", "wt") as stream:
        stream.write(interop.to_poscar(SALT))
    write(tmp_path / "c.extxyz", interop.to_ase(SALT))
    interop.to_pymatgen(SALT).to(str(tmp_path / "d.json"))
    for name in ("a.cif", "POSCAR_1", "b.vasp.gz", "c.extxyz", "d.json"):
        assert same(interop.read_structure(tmp_path / name), SALT, 1e-5), name
    (tmp_path / "e.docx").write_text("x")
    (tmp_path / "f.cif").write_text("x")
    (tmp_path / "g.json").write_text("[1]")
    (tmp_path / "h.xyz").write_text("1\n\nH 0 0 0\n")
    (tmp_path / "i.cif.gz").write_text("no gzip")
    for name, says in [
        ("e.docx", "unknown kind"),
        ("f.cif", "f.cif"),
        ("g.json", "JSON"),
        ("h.xyz", "no cell"),
        ("i.cif.gz", "read"),
        ("none", "no file"),
    ]:
        with pytest.raises(InputError, match=says):
            interop.read_structure(tmp_path / name)


def test_a_cif_of_a_journal_has_blocks_without_atoms() -> None:
    crystal = interop.to_cif(SALT)
    note = "data_global\n_publ_contact_author 'A. Author'\n_publ_section_comment\n;\ndata_of_ours\n;\n"
    assert same(interop.from_cif(note + crystal), SALT, 1e-5)
    symmetric = interop.to_cif(SALT, symprec=0.01)
    assert same(interop.from_cif(note + symmetric), interop.from_cif(symmetric), 1e-12)
    assert same(interop.from_cif(crystal + "\ndata_empty\n"), SALT, 1e-5)


def test_a_cif_of_several_crystals_is_refused_by_their_names() -> None:
    two = "".join(interop.to_cif(SALT).replace("data_NaCl", f"data_{name}") for name in ("cold", "hot"))
    with pytest.raises(InputError, match=r"2 crystals \(cold, hot\)"):
        interop.from_cif(two)


def test_a_file_of_several_frames_is_refused(tmp_path: Path) -> None:
    from ase.io import write

    write(tmp_path / "run.extxyz", [interop.to_ase(SALT)] * 2)
    with pytest.raises(InputError, match=r"run\.extxyz: .*more than one frame"):
        interop.read_structure(tmp_path / "run.extxyz")
    with pytest.raises(InputError, match="is a folder"):
        interop.read_structure(tmp_path)


def test_formula_and_primitive_cell() -> None:
    cubic = interop.from_cif(interop.to_cif(SALT, symprec=0.01))
    assert interop.reduced_formula(cubic) == interop.reduced_formula(SALT) == "NaCl"
    assert len(interop.primitive(cubic)) == 2
    assert interop.primitive(cubic).volume == pytest.approx(SALT.volume, rel=1e-6)
    doubled = interop.from_pymatgen(interop.to_pymatgen(ALLOY).make_supercell([2, 1, 1], in_place=False))
    small = interop.primitive(doubled)
    assert sorted(small.occupancies or ()) == sorted(ALLOY.occupancies or ())


def test_importing_the_door_is_light() -> None:
    code = (
        "import sys, matwright.materials.interop; "
        "print([m for m in ('torch', 'pymatgen', 'ase', 'pandas', 'moyopy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(max_examples=30, deadline=None)
@given(crystals())
def test_the_quick_reader_agrees_with_the_full_parser(crystal: Crystal) -> None:
    from pymatgen.io.cif import CifParser

    text = interop.to_cif(crystal)
    quick = plain_crystal(text)
    assert quick is not None
    with quiet_warnings():
        (full,) = CifParser.from_str(text).parse_structures(primitive=False)
    np.testing.assert_allclose(quick.lattice, full.lattice.matrix, atol=1e-8)
    assert same(quick, interop.from_pymatgen(full), 2e-3)  # pymatgen moves coordinates near 1/3 to 1/3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'x, y, z'", "'-x, -y, -z'"),
        ("  1  'x, y, z'", "  1  'x, y, z'\n  2  '-x, -y, -z'"),
        ("data_NaCl", "data_NaCl\ndata_other"),
        ("  Na  Na0  1  0.0000000000  0.0000000000  0.0000000000  1", "  Na  Na0  1  0.0  0.0  0.0  0.5"),
        ("Na  Na0", "Na+  Na0"),
        ("_cell_length_a   3.9880822459", "_cell_length_a   3.988(2)"),
        ("_cell_length_a   3.9880822459", "_note\n;\ntext\n;\n_cell_length_a   3.9880822459"),
        ("_symmetry_equiv_pos_as_xyz", "_some_other_column"),
    ],
)
def test_what_is_not_plain_goes_to_the_full_parser(old: str, new: str) -> None:
    text = interop.to_cif(SALT)
    assert old in text
    changed = text.replace(old, new).replace("_symmetry_Int_Tables_number   1\n", "")
    assert plain_crystal(changed) is None
