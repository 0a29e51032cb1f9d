"""The store: everything that is known and wanted, in one SQLite file or one PostgreSQL database."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from sqlalchemy import func, select

from matwright.campaign.evaluator import Evaluator
from matwright.campaign.store.address import structure_from_text, structure_hash
from matwright.campaign.store.blobs import BlobFolder
from matwright.campaign.store.database import Database
from matwright.campaign.store.journal import Event, Member, add_event, is_begun, read_events, read_members
from matwright.campaign.store.migrate import bring_up_to_date
from matwright.campaign.store.owner import Owner
from matwright.campaign.store.records import Records
from matwright.campaign.store.schema import campaigns, candidates, structures, work
from matwright.campaign.store.work import Postponement, WorkQueue
from matwright.campaign.store.writing import (
    Finding,
    RegisteredEvaluator,
    add_origin,
    add_records,
    add_structures,
    plain_json,
    register,
)
from matwright.errors import InputError
from matwright.materials.crystal import Crystal

_CHUNK = 1000  # structures written in one transaction


@final
class Store:
    """An open store. Any number of processes may have the same one open and write to it.

    Attributes:
        where: its address, without password.
        records: what is known.
        blobs: files beside it.
    """

    def __init__(self, database: Database, blobs: BlobFolder) -> None:
        """Use `open`."""
        self.where = database.where
        self.records = Records(database)
        self.blobs = blobs
        self._database = database
        self._origin: int | None = None

    @classmethod
    def open(cls, address: str | os.PathLike[str], *, blobs: Path | None = None, create: bool = True) -> Self:
        """Open a store at a path (SQLite) or URL (PostgreSQL), made or migrated where needed.

        Args:
            address: for instance "store.db" or "postgresql://user@host:5432/name".
            blobs: the folder for files; beside a SQLite store by default, nowhere by default for PostgreSQL.
            create: whether a path where nothing is becomes a new store.

        Raises:
            InputError: the address is wrong, the store is from a newer program, or is none.
            ResourceError: it is locked, the server does not answer, or there is no room.
        """
        database = Database.at(address)
        if not create and database.path is not None and not database.path.is_file():
            raise InputError(f"there is no store at {database.path}")
        bring_up_to_date(database)
        if blobs is None and database.path is not None:
            blobs = database.path.with_name(f"{database.path.name}.files")
        return cls(database, BlobFolder(blobs))

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def register(self, evaluator: Evaluator) -> RegisteredEvaluator:
        """Put an evaluator into the store, or find it there."""
        with self._database.write() as connection:
            return register(self._database, connection, evaluator)

    def campaign(self, name: str, settings: Mapping[str, object] | None = None) -> int:
        """The id of the campaign of that name, made where there is none.

        Raises:
            InputError: there is one with other settings.
        """
        text = plain_json({} if settings is None else settings)
        with self._database.write() as connection:
            row = {"name": name, "settings": text, "created": time.time()}
            connection.execute(self._database.insert_new(campaigns), row)
            found = connection.execute(select(campaigns).where(campaigns.c.name == name)).one()
        if found.settings != text:
            raise InputError(f"the store has a campaign {name!r} with other settings; give this one another name")
        return int(found.id)

    def campaign_id(self, name: str) -> int:
        """The id of a campaign that is there.

        Raises:
            InputError: there is none of that name.
        """
        with self._database.read() as connection:
            found = connection.execute(select(campaigns.c.id).where(campaigns.c.name == name)).scalar_one_or_none()
        if found is None:
            raise InputError(f"the store has no campaign {name!r}; it has {', '.join(self.campaign_names()) or 'none'}")
        return int(found)

    def campaign_settings(self, name: str) -> dict[str, Any] | None:
        """The settings that a campaign was begun with, None where there is none of that name."""
        with self._database.read() as connection:
            query = select(campaigns.c.settings).where(campaigns.c.name == name)
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else dict(json.loads(found))

    def note(self, campaign: int, kind: str, data: Mapping[str, object] | None = None) -> None:
        """Write down what happens to a campaign: the kind in a word, and whatever belongs to it."""
        with self._database.write() as connection:
            add_event(connection, campaign, kind, {} if data is None else data)

    def events(self, campaign: int) -> list[Event]:
        """What happened to a campaign, oldest first."""
        with self._database.read() as connection:
            return read_events(connection, campaign)

    def members(self, campaign: int) -> list[Member]:
        """The candidates of a campaign with round and provenance, in the order in which they were proposed."""
        with self._database.read() as connection:
            return read_members(connection, campaign)

    def structures(self, *, prefix: str = "", formula: str = "") -> dict[str, Crystal]:
        """The structures whose address begins with `prefix`, or that have this reduced formula, by address."""
        query = select(structures.c.hash, structures.c.data).order_by(structures.c.id)
        query = query.where(structures.c.hash.startswith(prefix, autoescape=True))
        if formula:
            query = query.where(structures.c.formula == formula)
        with self._database.read() as connection:
            return {digest: structure_from_text(data) for digest, data in connection.execute(query).all()}

    def open_work(self) -> int:
        """How many evaluations are wanted and not recorded."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(work)).scalar_one())

    def campaign_names(self) -> list[str]:
        """Every campaign of the store, oldest first."""
        with self._database.read() as connection:
            return list(connection.execute(select(campaigns.c.name).order_by(campaigns.c.id)).scalars())

    def propose(
        self,
        campaign: int,
        crystals: Sequence[Crystal],
        *,
        queue: WorkQueue | None = None,
        round_number: int = 0,
        provenance: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
        event: tuple[str, Mapping[str, object]] | None = None,
    ) -> int:
        """Make crystals candidates of a campaign, and want their evaluation; how many are new to the campaign.

        Up to a thousand crystals become candidates all or not at all.

        Args:
            campaign: its id.
            crystals: in the order in which they are to be evaluated; repeats count once.
            queue: where their evaluation is wanted, None for nowhere yet.
            round_number: of the campaign.
            provenance: who proposed them: one for all, or one each.
            event: (kind, data) that is noted in the campaign's journal together with the last of them. Where the
                journal holds one of this kind and round already, another process was first and nothing changes.
        """
        each = [provenance or {}] * len(crystals) if isinstance(provenance, Mapping | None) else provenance
        said = {structure_hash(crystal): plain_json(one) for crystal, one in zip(crystals, each, strict=True)}
        new = 0
        for start in range(0, max(len(crystals), 1), _CHUNK):
            with self._database.write() as connection:
                if event is not None and is_begun(connection, campaign, event[0], round_number):
                    return new
                places = add_structures(self._database, connection, crystals[start : start + _CHUNK])
                ids = list(places.values())
                inside = select(candidates.c.structure_id).where(
                    candidates.c.campaign_id == campaign, candidates.c.structure_id.in_(ids)
                )
                known = set(connection.execute(inside).scalars())
                rows = [
                    {
                        "campaign_id": campaign,
                        "structure_id": number,
                        "round": round_number,
                        "provenance": said[address],
                    }
                    for address, number in places.items()
                    if number not in known
                ]
                if rows:
                    connection.execute(self._database.insert_new(candidates), rows)
                if queue is not None:
                    queue.request(connection, ids)
                if event is not None and start + _CHUNK >= len(crystals):
                    add_event(connection, campaign, *event)
                new += len(rows)
        return new

    def candidates(self, campaign: int) -> dict[str, Crystal]:
        """The candidates of a campaign by address, in the order in which they were proposed."""
        query = (
            select(structures.c.hash, structures.c.data)
            .join(candidates, candidates.c.structure_id == structures.c.id)
            .where(candidates.c.campaign_id == campaign)
            .order_by(candidates.c.round, candidates.c.structure_id)
        )
        with self._database.read() as connection:
            return {digest: structure_from_text(data) for digest, data in connection.execute(query).all()}

    def n_candidates(self, campaign: int) -> int:
        """How many candidates a campaign has."""
        query = select(func.count()).select_from(candidates).where(candidates.c.campaign_id == campaign)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def queue(self, campaign: int, evaluator: RegisteredEvaluator, *, owner: Owner, lease: float) -> WorkQueue:
        """The open work of an evaluator on a campaign's candidates."""
        return WorkQueue(self._database, campaign=campaign, evaluator=evaluator, owner=owner, lease=lease)

    def settle(
        self,
        evaluator: RegisteredEvaluator,
        findings: Sequence[Finding],
        *,
        queue: WorkQueue | None = None,
        postponed: Sequence[Postponement] = (),
    ) -> int:
        """Record what is final and put back what is not, in one transaction; how many records are new.

        Args:
            evaluator: whose findings these are.
            findings: of structures that are in the store.
            queue: where the work leaves, None where nobody wanted it.
            postponed: what is to be tried again.

        Raises:
            ResourceError: there is no room, or the store is locked; nothing of this was recorded.
        """
        for found in findings:
            for data in found.evaluation.blobs.values():
                self.blobs.put(data)
        with self._database.write() as connection:
            origin = self._origin if self._origin is not None else add_origin(connection)
            new = add_records(self._database, connection, evaluator, findings, origin=origin)
            if queue is not None:
                queue.close(connection, [found.structure for found in findings])
                queue.postpone(connection, postponed)
        self._origin = origin  # known now that the transaction holds
        return new

    def request(self, queue: WorkQueue) -> int:
        """Want evaluations of all candidates that have neither a record nor a place in the queue; how many."""
        with self._database.write() as connection:
            return queue.request(connection)
