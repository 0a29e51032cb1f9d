"""Records: what an evaluator said of a structure, written once and found again by content or by value."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from sqlalchemy import Connection, Row, Select, func, select

from matwright.campaign.evaluator import Fidelity, Quantity
from matwright.campaign.store.address import structure_from_text
from matwright.campaign.store.database import Database
from matwright.campaign.store.schema import blobs, candidates, evaluators, origins, quantities, records, structures
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.properties import nearest_hint
from matwright.screening.potential import Failure, FailureKind

_PAGE = 2000  # records read in one query: memory stays the same for any store


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorFacts:
    """An evaluator as the store knows it: name, version, what kind of evidence, settings, unit of each quantity."""

    id: int
    name: str
    version: str
    fidelity: Fidelity
    settings: Mapping[str, Any]
    units: Mapping[str, str]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFacts:
    """A file that belongs to a record: its name there, the hash of its bytes, their number."""

    name: str
    hash: str
    size: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One evaluation as it was recorded.

    Attributes:
        key: address of the record.
        structure: address of the structure that was evaluated.
        formula: its reduced formula; n_sites: its number of sites.
        crystal: the structure that the values belong to: relaxed where the evaluator relaxed it.
        result: its address; that of `structure` where the evaluator left it alone.
        evaluator: what gave the values.
        values: quantity by name; empty for a failure.
        failure: why there are none.
        attempts: tries that it took.
        seconds: wall time of one computing thread, of the last try.
        created: seconds since 1970.
        blobs: files that belong to it.
    """

    key: str
    structure: str
    formula: str
    n_sites: int
    crystal: Crystal
    result: str
    evaluator: EvaluatorFacts
    values: Mapping[str, Quantity]
    failure: Failure | None
    attempts: int
    seconds: float
    created: float
    blobs: tuple[BlobFacts, ...]


@final
class Records:
    """The records of a store, read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def evaluators(self) -> list[EvaluatorFacts]:
        """Every evaluator that has worked for this store, oldest first."""
        with self._database.read() as connection:
            return list(_evaluators(connection).values())

    def count(self, *, failed: bool | None = None) -> int:
        """How many records there are; only the failed ones, or only those with values, where `failed` says so."""
        query = select(func.count()).select_from(records)
        if failed is not None:
            query = query.where(records.c.failure.is_not(None) if failed else records.c.failure.is_(None))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def count_by_evaluator(self) -> dict[int, int]:
        """How many records each evaluator has, by its id."""
        query = select(records.c.evaluator_id, func.count()).group_by(records.c.evaluator_id)
        with self._database.read() as connection:
            return {int(number): int(n) for number, n in connection.execute(query).all()}

    def failures(self) -> dict[FailureKind, int]:
        """How many records failed, by kind, the most frequent first."""
        query = select(records.c.failure, func.count()).where(records.c.failure.is_not(None))
        with self._database.read() as connection:
            found = connection.execute(query.group_by(records.c.failure)).all()
        return {FailureKind(kind): int(n) for kind, n in sorted(found, key=lambda row: -row[1])}

    def get(self, key: str) -> Record | None:
        """The record at an address, None where there is none."""
        with self._database.read() as connection:
            found = _load(connection, _select().where(records.c.key == key), _evaluators(connection))
        return found[0] if found else None

    def of_structure(self, structure: str) -> list[Record]:
        """Everything known of the structure at this address, oldest first."""
        query = _select().where(structures.c.hash == structure).order_by(records.c.id)
        with self._database.read() as connection:
            return _load(connection, query, _evaluators(connection))

    def origin(self, key: str) -> Mapping[str, Any]:
        """What recorded the record at an address: command, versions, commit, machine, time; empty for no record."""
        query = select(origins.c.data).join(records, records.c.origin_id == origins.c.id).where(records.c.key == key)
        with self._database.read() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return {} if found is None else dict(json.loads(found))

    def top(self, quantity: str, n: int = 100, *, evaluator: int | None = None, largest: bool = True) -> list[Record]:
        """The n records with the largest (or smallest) value of a quantity, best first.

        Args:
            quantity: its name.
            n: how many.
            evaluator: id of the evaluator that gave it; values of two evaluators are never ranked together.
            largest: False for the smallest.

        Raises:
            InputError: no evaluator gives the quantity, or several do and none is chosen.
        """
        with self._database.read() as connection:
            known = _evaluators(connection)
            chosen = _giving(quantity, known, evaluator)
            order = quantities.c.value.desc() if largest else quantities.c.value
            best = (
                select(quantities.c.record_id)
                .where(quantities.c.evaluator_id == chosen.id, quantities.c.name == quantity)
                .order_by(order)
                .limit(n)
            )
            ids = list(connection.execute(best).scalars())
            found = _load(connection, _select().where(records.c.id.in_(ids)), known)
        sign = -1.0 if largest else 1.0
        return sorted(found, key=lambda record: (sign * record.values[quantity].value, record.key))

    def iterate(self, *, campaign: int | None = None, evaluator: int | None = None) -> Iterator[Record]:
        """Every record, oldest first, in constant memory.

        Args:
            campaign: id of the campaign whose candidates' records are wanted, None for all.
            evaluator: id of the evaluator whose records are wanted, None for all.
        """
        last = 0
        while True:
            query = _select().where(records.c.id > last).order_by(records.c.id).limit(_PAGE)
            if campaign is not None:
                inside = select(candidates.c.structure_id).where(candidates.c.campaign_id == campaign)
                query = query.where(records.c.structure_id.in_(inside))
            if evaluator is not None:
                query = query.where(records.c.evaluator_id == evaluator)
            with self._database.read() as connection:
                rows = connection.execute(query).all()
                page = _assemble(connection, rows, _evaluators(connection))
            if not rows:
                return
            last = rows[-1].id
            yield from page


def _giving(quantity: str, known: Mapping[int, EvaluatorFacts], wanted: int | None) -> EvaluatorFacts:
    giving = {one.id: one for one in known.values() if quantity in one.units}
    if not giving:
        names = sorted({name for one in known.values() for name in one.units})
        raise InputError(f"no evaluator of this store gives {quantity!r}{nearest_hint(quantity, names)}")
    if wanted is None and len(giving) > 1:
        names = [f"{one.id}: {one.name} {one.version}" for one in giving.values()]
        raise InputError(f"several evaluators give {quantity}; choose one by its id ({', '.join(names)})")
    chosen = next(iter(giving.values())) if wanted is None else giving.get(wanted)
    if chosen is None:
        raise InputError(f"the evaluator {wanted} does not give {quantity!r}")
    return chosen


def _evaluators(connection: Connection) -> dict[int, EvaluatorFacts]:
    return {
        row.id: EvaluatorFacts(
            id=row.id,
            name=row.name,
            version=row.version,
            fidelity=Fidelity(row.fidelity),
            settings=json.loads(row.settings),
            units=json.loads(row.units),
        )
        for row in connection.execute(select(evaluators).order_by(evaluators.c.id))
    }


def _select() -> Select[Any]:
    result = structures.alias("result")
    return (
        select(
            records,
            structures.c.hash.label("structure"),
            structures.c.formula,
            structures.c.n_sites,
            func.coalesce(result.c.data, structures.c.data).label("data"),
            func.coalesce(result.c.hash, structures.c.hash).label("result"),
        )
        .join(structures, structures.c.id == records.c.structure_id)
        .outerjoin(result, result.c.id == records.c.result_id)
    )


def _load(connection: Connection, query: Select[Any], known: Mapping[int, EvaluatorFacts]) -> list[Record]:
    return _assemble(connection, connection.execute(query).all(), known)


def _assemble(connection: Connection, rows: Sequence[Row[Any]], known: Mapping[int, EvaluatorFacts]) -> list[Record]:
    """The rows with their quantities and files, two more queries for all of them."""
    ids = [row.id for row in rows]
    values: dict[int, dict[str, Quantity]] = defaultdict(dict)
    files: dict[int, list[BlobFacts]] = defaultdict(list)
    for one in connection.execute(select(quantities).where(quantities.c.record_id.in_(ids))):
        values[one.record_id][one.name] = Quantity(value=one.value, unit=one.unit, std=one.std)
    for one in connection.execute(select(blobs).where(blobs.c.record_id.in_(ids)).order_by(blobs.c.name)):
        files[one.record_id].append(BlobFacts(name=one.name, hash=one.hash, size=one.size))
    return [
        Record(
            key=row.key,
            structure=row.structure,
            formula=row.formula,
            n_sites=row.n_sites,
            crystal=structure_from_text(row.data),
            result=row.result,
            evaluator=known[row.evaluator_id],
            values=values[row.id],
            failure=None
            if row.failure is None
            else Failure(reason=row.reason or "", seconds=row.seconds, kind=FailureKind(row.failure)),
            attempts=row.attempts,
            seconds=row.seconds,
            created=row.created,
            blobs=tuple(files[row.id]),
        )
        for row in rows
    ]
