"""What happened to a campaign, and who its candidates are: read and added within a transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from sqlalchemy import Connection, insert, select

from matwright.campaign.store.address import structure_from_text
from matwright.campaign.store.schema import campaigns, candidates, events, structures
from matwright.campaign.store.writing import plain_json
from matwright.materials.crystal import Crystal


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a campaign: what in a word, what belongs to it, when (s since 1970)."""

    kind: str
    data: Mapping[str, Any]
    created: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A candidate of a campaign.

    Attributes:
        structure: its address; formula: reduced; crystal: as it was proposed.
        round_number: in which it was proposed.
        provenance: who proposed it and why.
    """

    structure: str
    formula: str
    crystal: Crystal
    round_number: int
    provenance: Mapping[str, Any]


def add_event(connection: Connection, campaign: int, kind: str, data: Mapping[str, object]) -> None:
    """Note an event."""
    row = {"campaign_id": campaign, "kind": kind, "data": plain_json(data), "created": time.time()}
    connection.execute(insert(events), row)


def is_begun(connection: Connection, campaign: int, kind: str, round_number: int) -> bool:
    """Whether the journal holds an event of this kind whose data name that round; other writers who ask wait."""
    connection.execute(select(campaigns.c.id).where(campaigns.c.id == campaign).with_for_update())
    noted = [event for event in read_events(connection, campaign) if event.kind == kind]
    return any(event.data.get("round") == round_number for event in noted)


def read_events(connection: Connection, campaign: int) -> list[Event]:
    """Every event of a campaign, oldest first."""
    query = select(events).where(events.c.campaign_id == campaign).order_by(events.c.id)
    return [Event(kind=row.kind, data=json.loads(row.data), created=row.created) for row in connection.execute(query)]


def read_members(connection: Connection, campaign: int) -> list[Member]:
    """The candidates of a campaign by round, then in the order in which the store met them."""
    query = (
        select(structures.c.hash, structures.c.formula, structures.c.data, candidates.c.round, candidates.c.provenance)
        .join(candidates, candidates.c.structure_id == structures.c.id)
        .where(candidates.c.campaign_id == campaign)
        .order_by(candidates.c.round, candidates.c.structure_id)
    )
    return [
        Member(
            structure=row.hash,
            formula=row.formula,
            crystal=structure_from_text(row.data),
            round_number=row.round,
            provenance=json.loads(row.provenance),
        )
        for row in connection.execute(query)
    ]
