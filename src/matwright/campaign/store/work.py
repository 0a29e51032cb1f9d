"""Open work that several processes and campaigns share: wanted, claimed under a lease, postponed, done.

A claim is a lease: its owner renews it while it lives. Work of an owner that died, or whose lease ran out, is free
again. A lease only saves double work; that nothing is recorded twice is the business of the records' unique addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, func, or_, select, update

from matwright.campaign.store.address import structure_from_text
from matwright.campaign.store.database import Database
from matwright.campaign.store.owner import Owner
from matwright.campaign.store.schema import candidates, records, structures, work
from matwright.campaign.store.writing import RegisteredEvaluator
from matwright.materials.crystal import Crystal


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One structure to be evaluated.

    Attributes:
        structure: its address.
        crystal: the structure.
        attempts: tries that ended in a failure worth another try.
    """

    structure: str
    crystal: Crystal
    attempts: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Postponement:
    """A piece of work that goes back into the queue.

    Attributes:
        structure: its address.
        reason: of the failure, or what it waits for.
        delay: s until it may be tried again.
        failed: whether that was a failed try; False where somebody outside has to answer.
    """

    structure: str
    reason: str
    delay: float
    failed: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWork:
    """What is left to do for one evaluator of one campaign.

    Attributes:
        ready: free to be claimed now; waiting: free later (a retry); claimed: somebody works on it.
        pending: somebody outside has to answer; part of none of the others.
        next_in: s until the first of the waiting or claimed may be free, None where there are none.
    """

    ready: int
    waiting: int
    claimed: int
    pending: int
    next_in: float | None

    @property
    def computing(self) -> int:
        """What a computer still has to do: everything that is not pending."""
        return self.ready + self.waiting + self.claimed


@final
class WorkQueue:
    """The open work of one evaluator on the candidates of one campaign.

    Args:
        database: where it is.
        campaign: id of the campaign.
        evaluator: its place in the store.
        owner: who claims.
        lease: s for which a claim holds unless it is renewed.
    """

    def __init__(
        self, database: Database, *, campaign: int, evaluator: RegisteredEvaluator, owner: Owner, lease: float
    ) -> None:
        self._database, self._campaign, self._evaluator = database, campaign, evaluator
        self._owner, self._lease = owner, lease

    def request(self, connection: Connection, chosen: Sequence[int] | None = None) -> int:
        """Want evaluations of the campaign's candidates that have neither a record nor a place in the queue.

        Args:
            connection: a write transaction.
            chosen: ids of structures among the candidates; None for all.

        Returns:
            How many were added.
        """
        recorded = exists().where(
            records.c.structure_id == candidates.c.structure_id, records.c.evaluator_id == self._evaluator.id
        )
        wanted = (
            select(candidates.c.structure_id)
            .where(candidates.c.campaign_id == self._campaign, ~recorded)
            .order_by(candidates.c.round, candidates.c.structure_id)
        )
        if chosen is not None:
            wanted = wanted.where(candidates.c.structure_id.in_(chosen))
        fresh = {"attempts": 0, "pending": 0, "not_before": 0.0, "lease_until": 0.0}
        rows = [
            {"structure_id": number, "evaluator_id": self._evaluator.id, **fresh}
            for number in connection.execute(wanted).scalars()
        ]
        before = self._count(connection)
        if rows:
            connection.execute(self._database.insert_new(work), rows)
        return self._count(connection) - before

    def claim(self, n: int) -> list[Task]:
        """Take up to n pieces of work that are free now, in the order in which they were wanted."""
        with self._database.write() as connection:
            now = self._database.clock(connection)
            free = (
                select(work.c.id, work.c.attempts, structures.c.hash, structures.c.data)
                .join(structures, structures.c.id == work.c.structure_id)
                .where(self._mine(), _free(now), work.c.not_before <= now)
                .order_by(work.c.id)
                .limit(n)
                .with_for_update(of=work, skip_locked=True)  # SQLite needs and knows no such clause
            )
            rows = connection.execute(free).all()
            mark = {"owner": self._owner.name, "lease_until": now + self._lease}
            connection.execute(update(work).where(work.c.id.in_([row.id for row in rows])).values(**mark))
        return [Task(structure=row.hash, crystal=structure_from_text(row.data), attempts=row.attempts) for row in rows]

    def renew(self) -> None:
        """Prolong every claim of this owner."""
        with self._database.write() as connection:
            until = self._database.clock(connection) + self._lease
            connection.execute(update(work).where(work.c.owner == self._owner.name).values(lease_until=until))

    def release(self) -> None:
        """Give back whatever this owner still holds."""
        with self._database.write() as connection:
            connection.execute(update(work).where(work.c.owner == self._owner.name).values(owner=None))

    def release_dead(self) -> int:
        """Free the work of processes of this machine that are no more; how many pieces."""
        with self._database.write() as connection:
            owners = connection.execute(select(work.c.owner).where(work.c.owner.is_not(None)).distinct()).scalars()
            dead = [name for name in owners if self._owner.knows_dead(name)]
            freed = connection.execute(update(work).where(work.c.owner.in_(dead)).values(owner=None))
            return int(freed.rowcount)

    def wake_pending(self) -> None:
        """Ask again, at once, for whatever somebody outside has to answer."""
        with self._database.write() as connection:
            waiting = and_(work.c.evaluator_id == self._evaluator.id, work.c.pending == 1)
            connection.execute(update(work).where(waiting).values(not_before=0.0))

    def postpone(self, connection: Connection, postponed: Sequence[Postponement]) -> None:
        """Put pieces of work back for later, within a write transaction."""
        for one in postponed:
            place = select(structures.c.id).where(structures.c.hash == one.structure).scalar_subquery()
            mine = and_(work.c.evaluator_id == self._evaluator.id, work.c.structure_id == place)
            values = {
                "attempts": work.c.attempts + (1 if one.failed else 0),
                "last_reason": one.reason,
                "pending": 0 if one.failed else 1,
                "not_before": self._database.clock(connection) + one.delay,
                "owner": None,
            }
            connection.execute(update(work).where(mine).values(**values))

    def close(self, connection: Connection, addresses: Sequence[str]) -> None:
        """Take work out of the queue: its records are written in the same transaction."""
        places = select(structures.c.id).where(structures.c.hash.in_(addresses))
        mine = and_(work.c.evaluator_id == self._evaluator.id, work.c.structure_id.in_(places))
        connection.execute(delete(work).where(mine))

    def left(self) -> OpenWork:
        """What is still open."""
        with self._database.read() as connection:
            now = self._database.clock(connection)
            free, due = _free(now), work.c.not_before <= now
            pending = work.c.pending == 1
            count: Mapping[str, ColumnElement[int]] = {
                "ready": _how_many(and_(free, due, ~pending)),
                "waiting": _how_many(and_(free, ~due, ~pending)),
                "claimed": _how_many(and_(~free, ~pending)),
                "pending": _how_many(pending),
            }
            moment = func.min(case((~free, work.c.lease_until), else_=work.c.not_before))
            first = moment.filter(and_(~pending, or_(~free, ~due)))
            row = connection.execute(select(*count.values(), first).where(self._mine())).one()
        numbers = dict(zip(count, map(int, row[:-1]), strict=True))
        return OpenWork(**numbers, next_in=None if row[-1] is None else max(0.0, float(row[-1]) - now))

    def _mine(self) -> ColumnElement[bool]:
        """Work of this evaluator on this campaign's candidates that nobody has recorded meanwhile."""
        inside = exists().where(
            candidates.c.campaign_id == self._campaign, candidates.c.structure_id == work.c.structure_id
        )
        recorded = exists().where(
            records.c.structure_id == work.c.structure_id, records.c.evaluator_id == work.c.evaluator_id
        )
        return and_(work.c.evaluator_id == self._evaluator.id, inside, ~recorded)

    def _count(self, connection: Connection) -> int:
        query = select(func.count()).select_from(work).where(work.c.evaluator_id == self._evaluator.id)
        return int(connection.execute(query).scalar_one())


def _free(now: float) -> ColumnElement[bool]:
    return or_(work.c.owner.is_(None), work.c.lease_until <= now)


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)
