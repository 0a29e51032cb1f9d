"""Match from end to end on small libraries: packed crystals, libraries of all kinds, mixtures, and what is written."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from matwright.api.match.crystals import pack_crystals, unpack_crystals
from matwright.api.match.library import MatchLibrary, build_library, load_library, save_library
from matwright.api.match.model import Matcher, load_matcher, save_matcher
from matwright.api.match.run import MatchSettings, match_file, match_to_folder
from matwright.api.match.search import SearchSettings, search
from matwright.data.record import Rejection
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_cif
from matwright.models.contrastive import ContrastiveConfig, ContrastiveMatcher, graph_side
from matwright.models.pattern_encoder import PatternEncoderConfig
from matwright.physics.diffraction.axis import AXIS, AxisPattern
from matwright.physics.diffraction.pattern import powder_pattern, powder_peaks
from matwright.physics.geometry import density
from small_data import crystals, poscar

CONFIG = ContrastiveConfig(
    graph=graph_side(width=8, layers=1),
    pattern=PatternEncoderConfig(points=64, channels=(4, 4, 8, 8), blocks=0, summary=4, hidden=16),
    width=16,
)


def disordered() -> Crystal:
    crystal = crystals(1)[0]
    sites = [((number, 1.0),) for number in crystal.numbers.tolist()]
    sites[0] = ((26, 0.25), (28, 0.5))
    return replace(crystal, occupancies=tuple(sites), numbers=np.array([28, *crystal.numbers[1:]]))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matcher that has learned nothing: short lists as long as the library leave the choice to the fit."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    save_matcher(ContrastiveMatcher(CONFIG), folder, graph_share=0.1, facts={"note": "untrained"})
    return folder


@pytest.fixture(scope="module")
def matcher(model_folder: Path) -> Matcher:
    return load_matcher(model_folder)


@pytest.fixture(scope="module")
def library(matcher: Matcher) -> MatchLibrary:
    rows = [(f"c{index}", crystal) for index, crystal in enumerate(crystals(20, seed=4))]
    return build_library([*rows, ("mixed", disordered())], matcher, on_reject=lambda name, _: pytest.fail(name))


def write_pattern(path: Path, parts: list[tuple[Crystal, float]], line: str = "CuKa", noise: float = 0.0) -> Path:
    """A measured mixture: (crystal, weight fraction) pairs on a sloping background."""
    angles = np.arange(10.0, 90.0, 0.02) if line == "CuKa" else np.arange(5.0, 45.0, 0.01)
    total = np.zeros(len(angles))
    for crystal, weight in parts:
        peaks = powder_peaks(crystal, line, limits=(3, 100))
        absolute = _scattering(crystal, line) / crystal.volume**2 * weight / density(crystal)
        width = 0.15 if line == "CuKa" else 0.07
        total += powder_pattern(replace(peaks, intensity=peaks.intensity * absolute), angles, width=width, mixing=0.4)
    total = 1000 * total / total.max() + 200 * np.exp(-angles / 50)
    total += noise * np.random.default_rng(0).standard_normal(len(angles))
    np.savetxt(path, np.column_stack([angles, total]), fmt="%.4f")
    return path


def _scattering(crystal: Crystal, line: str) -> float:
    """The strongest peak of one cell, from the definition: what `powder_peaks` sets to 100."""
    from matwright.physics.diffraction.axis import lorentz_polarisation, two_theta
    from matwright.physics.diffraction.radiation import wavelength_of
    from matwright.physics.diffraction.reflections import reflections

    length = wavelength_of(line)
    found = reflections(crystal, g_max=2 * np.sin(np.radians(50)) / length)
    angle = two_theta(found.g, length)
    group = np.round(angle, 4)
    area = found.strength * lorentz_polarisation(angle)
    return float(max(area[group == value].sum() for value in np.unique(group[angle > 3])))


def test_packed_crystals_come_back(library: MatchLibrary) -> None:
    some = [*crystals(5, seed=1), disordered()]
    packed = unpack_crystals(pack_crystals(some).arrays())
    assert len(packed) == 6
    for index, crystal in enumerate(some):
        back = packed[index]
        np.testing.assert_allclose(back.lattice, crystal.lattice, atol=1e-6)
        difference = back.frac_coords - crystal.frac_coords
        assert np.abs(difference - np.rint(difference)).max() < 1e-5
        assert back.numbers.tolist() == crystal.numbers.tolist()
        assert (back.occupancies is None) == (crystal.occupancies is None)
    assert packed[5].occupancies == disordered().occupancies
    assert set(np.flatnonzero(packed.elements()[5])) >= {26, 28}
    with pytest.raises(InputError, match="do not fit together"):
        unpack_crystals({**packed.arrays(), "numbers": packed.numbers[:-1]})
    with pytest.raises(InputError, match="lacks shares"):
        unpack_crystals({name: array for name, array in packed.arrays().items() if name != "shares"})


def test_a_library_survives_its_file(library: MatchLibrary, matcher: Matcher, tmp_path: Path) -> None:
    path = tmp_path / "library.npz"
    save_library(library, path)
    back = load_library(path, matcher)
    assert back.names == library.names
    np.testing.assert_allclose(back.vectors, library.vectors, atol=0.01)
    torch.manual_seed(1)
    other = ContrastiveMatcher(CONFIG)
    save_matcher(other, tmp_path, graph_share=0.0, facts={})
    again = load_library(path, load_matcher(tmp_path))  # vectors of another matcher are computed anew
    assert np.abs(again.vectors - library.vectors).max() > 0.05


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"\x93NUMPY"])
def test_a_broken_library_is_one_sentence(content: bytes, matcher: Matcher, tmp_path: Path) -> None:
    path = tmp_path / "library.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no library of matwright"):
        load_library(path, matcher)


def test_a_file_of_pickles_is_refused(matcher: Matcher, tmp_path: Path) -> None:
    path = tmp_path / "library.npz"
    np.savez(path, about=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="no library of matwright"):
        load_library(path, matcher)


@pytest.mark.parametrize("line", ["CuKa", "MoKa"])
def test_the_crystal_of_a_pattern_comes_first(
    library: MatchLibrary, matcher: Matcher, tmp_path: Path, line: str
) -> None:
    from matwright.api.match.pattern_file import read_pattern
    from matwright.physics.diffraction.axis import to_axis
    from matwright.physics.diffraction.radiation import wavelength_of

    for truth in (0, 7, 20):
        path = write_pattern(tmp_path / "one.xy", [(library.crystals[truth], 1.0)], line, noise=20.0)
        measured = read_pattern(path)
        found = search(to_axis(measured.two_theta, measured.intensity, wavelength_of(line)), library, matcher)
        assert found[0].index == truth
        assert found[0].similarity > 0.9


def test_elements_narrow_the_search(library: MatchLibrary, matcher: Matcher) -> None:
    pattern = AxisPattern(intensity=np.exp(-(((AXIS - 40) / 0.2) ** 2)))
    first = library.crystals[0]
    own = frozenset(first.numbers.tolist())
    found = search(pattern, library, matcher, SearchSettings(allowed=own))
    assert {match.index for match in found} == {
        index for index in range(len(library)) if set(np.flatnonzero(library.elements[index])) <= own
    }
    required = search(pattern, library, matcher, SearchSettings(required=frozenset({8})))
    assert all(library.elements[match.index, 8] for match in required)
    with pytest.raises(InputError, match="made of the elements asked for"):
        search(pattern, library, matcher, SearchSettings(allowed=frozenset({2})))


def test_a_mixture_is_taken_apart_with_its_weight_fractions(
    library: MatchLibrary, model_folder: Path, tmp_path: Path
) -> None:
    save_library(library, tmp_path / "library.npz")
    parts = [(library.crystals[2], 0.6), (library.crystals[9], 0.4)]
    path = write_pattern(tmp_path / "mix.xy", parts, noise=5.0)
    settings = MatchSettings(library=str(tmp_path / "library.npz"), model=str(model_folder))
    result = match_file(path, settings, on_reject=lambda _: None)
    found = {
        match.index: weight for match, weight in zip(result.mixture.phases, result.mixture.amounts.weight, strict=True)
    }
    assert set(found) == {2, 9}
    assert found[2] == pytest.approx(0.6, abs=0.03)
    assert result.mixture.amounts.explained > 0.95


def test_the_folder_holds_tables_pictures_structures_and_the_library(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "structures"
    folder.mkdir()
    some = crystals(6, seed=4)
    for index, crystal in enumerate(some):
        (folder / f"c{index}.cif").write_text(to_cif(crystal))
    (folder / "bad.cif").write_text("data_nothing\n")
    path = write_pattern(tmp_path / "one.xy", [(some[3], 1.0)])
    settings = MatchSettings(library=str(folder), model=str(model_folder), top=4)
    rejected: list[Rejection] = []
    match_to_folder(path, settings, out=tmp_path / "out", on_reject=rejected.append)
    names = {file.name for file in (tmp_path / "out").iterdir()} - {".lock"}
    assert names == {
        "matches.csv", "phases.csv", "pattern.csv", "overlay.png", "report.html", "run.json", "cifs", "library.npz",
        "rejected.csv",
    }  # fmt: skip
    assert [rejection.id for rejection in rejected] == ["bad"]
    with (tmp_path / "out" / "matches.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[0]["material"] == "c3"
    assert (tmp_path / "out" / rows[0]["cif"]).is_file()
    assert (tmp_path / "out" / "overlay.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert str(tmp_path) not in json.loads((tmp_path / "out" / "run.json").read_text())["settings"]["pattern"]
    with (tmp_path / "out" / "pattern.csv").open() as file:
        table = list(csv.DictReader(file))
    assert float(table[0]["two_theta_deg"]) == pytest.approx(10.0, abs=0.05)
    with pytest.raises(InputError, match="not empty"):
        match_to_folder(path, settings, out=tmp_path / "out", on_reject=rejected.append)
    again = replace(settings, library=str(tmp_path / "out" / "library.npz"))
    assert match_file(path, again, on_reject=rejected.append).matches[0].similarity > 0.95


def test_a_table_is_a_library_and_formulas_are_rejected(model_folder: Path, tmp_path: Path) -> None:
    some = crystals(3, seed=4)
    table = tmp_path / "table.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "poscar"])
        writer.writerows([(f"c{index}", poscar(crystal)) for index, crystal in enumerate(some)])
        writer.writerow(["worse", "no structure"])
    path = write_pattern(tmp_path / "one.xy", [(some[1], 1.0)])
    rejected: list[Rejection] = []
    settings = MatchSettings(library=str(table), structure="poscar", model=str(model_folder))
    result = match_file(path, settings, on_reject=rejected.append)
    assert result.library.names[result.matches[0].index] == "c1"
    assert [rejection.id for rejection in rejected] == ["worse"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"library": "nowhere"}, "there is no file or folder"),
        ({"library": "none.npz"}, "there is no file"),
        ({"wavelength": "12"}, "wavelength lies in"),
        ({"model": "mp-generator"}, "does not hold a pattern matcher"),
    ],
)
def test_wrong_settings_are_one_sentence(
    change: dict[str, str], sentence: str, model_folder: Path, tmp_path: Path
) -> None:
    path = write_pattern(tmp_path / "one.xy", [(crystals(1)[0], 1.0)])
    settings = replace(MatchSettings(library="none.npz", model=str(model_folder)), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=sentence):
        match_to_folder(path, settings, out=tmp_path / "out", on_reject=lambda _: None)
    assert not (tmp_path / "out").exists()


def test_a_matcher_survives_its_folder(model_folder: Path, tmp_path: Path) -> None:
    matcher = load_matcher(model_folder)
    patterns = np.random.default_rng(0).random((2, len(AXIS)))
    np.testing.assert_allclose(np.linalg.norm(matcher.query(patterns), axis=1), 1.0, atol=1e-5)
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((model_folder / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="does not hold the weights"):
        load_matcher(tmp_path)
