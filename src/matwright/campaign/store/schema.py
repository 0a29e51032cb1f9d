"""The tables of a store. `migrations` brings every store, old or new, to exactly this."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

HASH = String(64)  # hex SHA-256
ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts by itself only in INTEGER columns

metadata = MetaData()

structures = Table(
    "structures",
    metadata,
    Column("id", ID, primary_key=True),
    Column("hash", HASH, nullable=False, unique=True),
    Column("formula", Text, nullable=False),
    Column("n_sites", Integer, nullable=False),
    Column("data", Text, nullable=False),  # see `address.structure_text`
)

evaluators = Table(
    "evaluators",
    metadata,
    Column("id", ID, primary_key=True),
    Column("hash", HASH, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("fidelity", Text, nullable=False),
    Column("settings", Text, nullable=False),  # JSON
    Column("units", Text, nullable=False),  # JSON: quantity → unit
)

origins = Table(  # the process that recorded: command, version, commit, machine, time
    "origins",
    metadata,
    Column("id", ID, primary_key=True),
    Column("data", Text, nullable=False),  # JSON
)

records = Table(  # append-only: triggers forbid changes
    "records",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key", HASH, nullable=False, unique=True),  # see `address.record_key`
    Column("structure_id", ID, ForeignKey("structures.id"), nullable=False),
    Column("evaluator_id", ID, ForeignKey("evaluators.id"), nullable=False),
    Column("origin_id", ID, ForeignKey("origins.id"), nullable=False),
    Column("result_id", ID, ForeignKey("structures.id")),  # the structure the values belong to, if another
    Column("failure", Text),  # a FailureKind, NULL where there are values
    Column("reason", Text),
    Column("attempts", Integer, nullable=False),
    Column("seconds", Double, nullable=False),  # of the last attempt
    Column("created", Double, nullable=False),  # seconds since 1970
    UniqueConstraint("structure_id", "evaluator_id", name="uq_records_structure_evaluator"),
)

quantities = Table(  # append-only
    "quantities",
    metadata,
    Column("record_id", ID, ForeignKey("records.id"), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("evaluator_id", ID, ForeignKey("evaluators.id"), nullable=False),
    Column("value", Double, nullable=False),
    Column("std", Double),
    Column("unit", Text, nullable=False),
    Index("ix_quantities_best", "evaluator_id", "name", "value"),  # the best n without a look at the others
)

blobs = Table(  # append-only; the bytes are files named by their hash
    "blobs",
    metadata,
    Column("record_id", ID, ForeignKey("records.id"), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("hash", HASH, nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("settings", Text, nullable=False),  # JSON
    Column("created", Double, nullable=False),
)

candidates = Table(
    "candidates",
    metadata,
    Column("campaign_id", ID, ForeignKey("campaigns.id"), primary_key=True),
    Column("structure_id", ID, ForeignKey("structures.id"), primary_key=True),
    Column("round", Integer, nullable=False),
    Column("provenance", Text, nullable=False),  # JSON: who proposed it and why
)

work = Table(  # what is wanted and not yet recorded; a row goes when its record comes
    "work",
    metadata,
    Column("id", ID, primary_key=True),  # first come, first served
    Column("structure_id", ID, ForeignKey("structures.id"), nullable=False),
    Column("evaluator_id", ID, ForeignKey("evaluators.id"), nullable=False),
    Column("attempts", Integer, nullable=False),  # that ended in a failure worth another try
    Column("last_reason", Text),  # of the last such failure, or what it waits for
    Column("pending", Integer, nullable=False),  # 1 while somebody outside has to answer
    Column("not_before", Double, nullable=False),  # seconds since 1970
    Column("owner", Text),  # the process that works on it, NULL where none does
    Column("lease_until", Double, nullable=False),  # seconds since 1970
    UniqueConstraint("structure_id", "evaluator_id", name="uq_work_structure_evaluator"),
    Index("ix_work_open", "evaluator_id", "id"),
    Index("ix_work_owner", "owner"),
)

events = Table(  # append-only: what happened to a campaign, in its order
    "events",
    metadata,
    Column("id", ID, primary_key=True),
    Column("campaign_id", ID, ForeignKey("campaigns.id"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("data", Text, nullable=False),  # JSON
    Column("created", Double, nullable=False),  # seconds since 1970
    Index("ix_events_campaign", "campaign_id", "id"),
)

APPEND_ONLY = (records, quantities, blobs, events)
