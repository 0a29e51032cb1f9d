"""The store on real databases: written once, found again, shared, honest about trouble."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy
from campaign_parts import Volume, rock_salt, store_address
from hypothesis import given
from hypothesis import strategies as st

from matwright.campaign.evaluator import Evaluation, Quantity, evaluator_hash
from matwright.campaign.store import schema
from matwright.campaign.store.address import record_key, structure_from_text, structure_hash, structure_text
from matwright.campaign.store.database import Database
from matwright.campaign.store.store import Store
from matwright.campaign.store.writing import Finding
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind
from matwright.testing.strategies import crystals, disordered_crystals


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with store_address(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def store(address: str, tmp_path: Path) -> Iterator[Store]:
    with Store.open(address, blobs=tmp_path / "files") as opened:
        yield opened


def test_a_round_is_begun_once(store: Store) -> None:
    campaign = store.campaign("test")
    assert store.propose(campaign, [rock_salt(5.0)], round_number=0, event=("round", {"round": 0})) == 1
    late = [rock_salt(5.1), rock_salt(5.2)]  # what another process chose of what it had read at other moments
    assert store.propose(campaign, late, round_number=0, event=("round", {"round": 0})) == 0
    assert store.n_candidates(campaign) == len(store.events(campaign)) == 1
    assert store.propose(campaign, late, round_number=1, event=("round", {"round": 1})) == 2
    assert [event.data["round"] for event in store.events(campaign)] == [0, 1]


def _evaluation(value: float, **more: object) -> Evaluation:
    return Evaluation(answer={"score": Quantity(value=value, unit="GPa", std=0.5)}, seconds=0.25, **more)  # type: ignore[arg-type]


def _put(store: Store, evaluations: dict[float, Evaluation], evaluator: Volume | None = None) -> int:
    """Record evaluations of rock salts by lattice constant; how many are new."""
    chosen = evaluator if evaluator is not None else Volume()
    campaign = store.campaign("test")
    store.propose(campaign, [rock_salt(length) for length in evaluations])
    findings = [
        Finding(structure=structure_hash(rock_salt(length)), evaluation=one) for length, one in evaluations.items()
    ]
    return store.settle(store.register(chosen), findings)


@given(crystal=st.one_of(crystals(), disordered_crystals()))
def test_a_structure_comes_back_bit_for_bit(crystal: Crystal) -> None:
    back = structure_from_text(structure_text(crystal))
    assert np.array_equal(back.lattice, crystal.lattice)
    assert np.array_equal(back.frac_coords, crystal.frac_coords)
    assert np.array_equal(back.numbers, crystal.numbers)
    assert (back.occupancies, back.pbc) == (crystal.occupancies, crystal.pbc)
    assert structure_hash(back) == structure_hash(crystal)


def test_negative_zeros_are_the_same_structure_and_any_other_number_is_not() -> None:
    lattice = np.diag([3.0, 3.0, 3.0])
    minus = np.where(lattice == 0, -0.0, lattice)
    one = {"frac_coords": np.zeros((1, 3)), "numbers": np.array([26])}
    assert structure_hash(Crystal(lattice=lattice, **one)) == structure_hash(Crystal(lattice=minus, **one))
    nudged = lattice + np.diag([np.spacing(3.0), 0, 0])
    assert structure_hash(Crystal(lattice=lattice, **one)) != structure_hash(Crystal(lattice=nudged, **one))


def test_name_version_and_settings_are_the_address_of_an_evaluator() -> None:
    digests = {
        evaluator_hash(one)
        for one in (
            Volume(),
            Volume(name="other"),
            Volume(version="2"),
            Volume(settings={"fmax": 0.1}),
            Volume(settings={"fmax": 0.2}),
            Volume(cost=7.0),  # says nothing about the answers
        )
    }
    assert len(digests) == 5


def test_a_record_comes_back_as_it_was_written(store: Store) -> None:
    relaxed = rock_salt(5.61)
    failure = Failure(reason="no energy", kind=FailureKind.NOT_CONVERGED)
    found = {
        5.6: _evaluation(3.5, crystal=relaxed, blobs={"pattern.csv": b"1,2\n", "path.xyz": b"\x00\xff"}),
        5.7: Evaluation(answer=failure, seconds=2.0),
    }
    assert _put(store, found) == 2
    good = store.records.get(record_key(structure_hash(rock_salt(5.6)), evaluator_hash(Volume())))
    bad = store.records.of_structure(structure_hash(rock_salt(5.7)))[0]
    assert good is not None
    assert good.values == {"score": Quantity(value=3.5, unit="GPa", std=0.5)}
    assert structure_hash(good.crystal) == structure_hash(relaxed)
    assert (good.formula, good.n_sites, good.seconds, good.failure) == ("NaCl", 2, 0.25, None)
    assert [store.blobs.get(blob.hash) for blob in good.blobs] == [b"\x00\xff", b"1,2\n"]
    assert bad.failure is not None
    assert (bad.failure.reason, bad.failure.kind, dict(bad.values)) == ("no energy", FailureKind.NOT_CONVERGED, {})
    assert store.records.failures() == {FailureKind.NOT_CONVERGED: 1}
    assert (store.records.count(), store.records.count(failed=True), store.records.count(failed=False)) == (2, 1, 1)


def test_what_is_recorded_stays_and_is_recorded_once(store: Store) -> None:
    assert _put(store, {5.6: _evaluation(1.0), 5.7: _evaluation(2.0)}) == 2
    assert _put(store, {5.6: _evaluation(9.0), 5.8: _evaluation(3.0)}) == 1
    assert [record.values["score"].value for record in store.records.top("score")] == [3.0, 2.0, 1.0]
    assert _put(store, {5.6: _evaluation(9.0)}, Volume(version="2")) == 1


def test_the_database_itself_refuses_to_change_a_record(store: Store, address: str) -> None:
    _put(store, {5.6: _evaluation(1.0)})
    engine = sqlalchemy.create_engine(Database.at(address)._engine.url)
    statements = [
        sqlalchemy.delete(schema.records),
        sqlalchemy.update(schema.records).values(reason="better"),
        sqlalchemy.delete(schema.quantities),
        sqlalchemy.update(schema.quantities).values(value=7.0),
    ]
    for statement in statements:
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(statement)
    engine.dispose()
    assert store.records.count() == 1


def test_the_best_are_found_and_two_evaluators_are_never_ranked_together(store: Store) -> None:
    _put(store, {5.0 + i / 100: _evaluation(float((7 * i) % 30)) for i in range(30)})
    best = store.records.top("score", 5)
    assert [record.values["score"].value for record in best] == [29.0, 28.0, 27.0, 26.0, 25.0]
    worst = store.records.top("score", 2, largest=False)
    assert [record.values["score"].value for record in worst] == [0.0, 1.0]
    _put(store, {5.0: _evaluation(100.0)}, Volume(name="other"))
    with pytest.raises(InputError, match="several evaluators give score"):
        store.records.top("score")
    second = store.records.evaluators()[1]
    assert store.records.top("score", evaluator=second.id)[0].values["score"].value == 100.0
    with pytest.raises(InputError, match="did you mean 'score'"):
        store.records.top("scores")


def test_records_are_iterated_in_order_and_by_campaign(store: Store) -> None:
    _put(store, {5.0 + i / 100: _evaluation(float(i)) for i in range(7)})
    values = [record.values["score"].value for record in store.records.iterate()]
    assert values == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    other = store.campaign("other")
    store.propose(other, [rock_salt(5.03), rock_salt(9.0)])
    inside = [record.values["score"].value for record in store.records.iterate(campaign=other)]
    assert inside == [3.0]


def test_a_campaign_keeps_its_settings_and_its_order(store: Store) -> None:
    campaign = store.campaign("hard", {"batch": 20})
    assert store.campaign("hard", {"batch": 20}) == campaign
    with pytest.raises(InputError, match="other settings"):
        store.campaign("hard", {"batch": 21})
    lengths = [5.9, 5.1, 5.5]
    assert store.propose(campaign, [rock_salt(x) for x in (*lengths, 5.1)]) == 3
    assert store.propose(campaign, [rock_salt(5.1)], round_number=1) == 0
    assert list(store.candidates(campaign)) == [structure_hash(rock_salt(x)) for x in lengths]
    assert store.campaign_names() == ["hard"]


def test_a_damaged_file_is_noticed(store: Store, tmp_path: Path) -> None:
    good, bad = store.blobs.put(b"pattern"), store.blobs.put(b"trajectory")
    next((tmp_path / "files").rglob(bad)).write_bytes(b"trajectorz")
    assert store.blobs.damaged({good, bad, "ab" * 32}) == {bad: "damaged", "ab" * 32: "missing"}
    with pytest.raises(InputError, match="damaged"):
        store.blobs.get(bad)
    assert store.blobs.get(good) == b"pattern"
