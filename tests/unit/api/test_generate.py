"""The verbs around generators: load, propose, write a folder."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from matwright.api.generate import generate_folder, load_generator, propose
from matwright.errors import InputError
from matwright.generation.interface import Candidate, Generator, Provenance
from matwright.generation.wyckoff import Orbit, SymmetrySequence
from matwright.generation.wyckoff.decode import decode
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.interop import read_structure
from matwright.serialization import read_json

SHIPPED = "mp-generator"


class _Salt:
    """A generator of one crystal, to see what `propose` does with strangers."""

    name = "salt"

    def sample(self, n: int, *, constraints: Constraints = NO_CONSTRAINTS, seed: int = 0) -> list[Candidate]:
        assert constraints == NO_CONSTRAINTS
        salt = SymmetrySequence(
            space_group=225, orbits=(Orbit(number=11, letter="a"), Orbit(number=17, letter="b")), lattice=(5.64,)
        )
        made = [Provenance(generator=self.name, seed=seed, index=index) for index in range(n)]
        return [Candidate(crystal=decode(salt), provenance=provenance) for provenance in made]


def test_an_unknown_generator_is_named() -> None:
    with pytest.raises(InputError, match="there is no generator 'dream'.*mp-generator"):
        load_generator("dream")


def test_symmetry_is_found_for_any_generator() -> None:
    generator: Generator = _Salt()
    (proposal,) = propose(generator, 1)
    assert proposal.sequence is not None
    assert proposal.sequence.space_group == 225


def test_folder_holds_table_and_symmetric_cifs(tmp_path: Path) -> None:
    out = tmp_path / "run"
    demand = Constraints(allowed=frozenset({3, 15, 16, 8}))
    assert generate_folder(SHIPPED, 6, out=out, constraints=demand, seed=4) == 6
    rows = list(csv.DictReader((out / "candidates.csv").read_text().splitlines()))
    assert len(rows) == 6
    for row in rows:
        crystal = read_structure(out / "cifs" / f"{row['id']}.cif")
        assert set(crystal.numbers.tolist()) <= {3, 15, 16, 8}
        assert row["generator"] == SHIPPED
        assert float(row["volume_per_atom_A3"]) == pytest.approx(crystal.volume / len(crystal), rel=1e-3)
        text = (out / "cifs" / f"{row['id']}.cif").read_text()
        assert f"_space_group_IT_number {row['space_group']}\n" in text
    record = read_json(out / "run.json")
    assert record["kind"] == "generate"
    assert record["seed"] == 4
    assert record["finished"] is not None


def test_a_used_folder_is_left_alone_and_a_run_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    generate_folder(SHIPPED, 3, out=out, seed=1)
    with pytest.raises(InputError, match="already holds a generate run"):
        generate_folder(SHIPPED, 3, out=out, seed=1)
    before = {path.name: path.read_text() for path in (out / "cifs").iterdir()}
    (out / "cifs" / min(before)).unlink()
    (out / "candidates.csv").unlink()
    generate_folder(SHIPPED, 3, out=out, seed=1, resume=True)
    assert {path.name: path.read_text() for path in (out / "cifs").iterdir()} == before
    assert (out / "candidates.csv").exists()


def test_a_contradiction_makes_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(InputError, match="required and excluded"):
        generate_folder(SHIPPED, 3, out=out, constraints=Constraints(required=frozenset({8}), forbidden=frozenset({8})))
    assert not out.exists()


def test_shipped_generator_samples_well() -> None:
    from matwright.generation.latent import LatentGenerator

    generator = load_generator(SHIPPED)
    assert isinstance(generator, LatentGenerator)
    samples = generator.sample_sequences(200, seed=0)
    assert sum(sample.sequence.space_group == 1 for sample in samples) <= 10
    assert generator.tally.accepted >= 0.7 * generator.tally.drawn
    assert max(len(sample.crystal) for sample in samples) <= 20


def test_a_crystal_really_has_the_space_group_it_was_written_with() -> None:
    from matwright.generation.latent import LatentGenerator
    from matwright.generation.wyckoff.encode import encode

    generator = load_generator(SHIPPED)
    assert isinstance(generator, LatentGenerator)
    samples = generator.sample_sequences(60, seed=5)
    found = [encode(sample.crystal, symprec=1e-4).space_group for sample in samples]
    same = [group == sample.sequence.space_group for group, sample in zip(found, samples, strict=True)]
    assert sum(same) >= 54  # a coordinate drawn next to a special value can make a crystal more symmetric
