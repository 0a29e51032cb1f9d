"""The first schema: structures, evaluators, append-only records, campaigns, open work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_HASH = sa.String(64)
_APPEND_ONLY = ("records", "quantities", "blobs")


def upgrade() -> None:
    """Create every table of version 0001."""
    _create_facts()
    _create_records()
    _create_campaigns()
    for table in _APPEND_ONLY:
        _forbid_changes(table)


def _create_facts() -> None:
    op.create_table(
        "structures",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("hash", _HASH, nullable=False, unique=True),
        sa.Column("formula", sa.Text, nullable=False),
        sa.Column("n_sites", sa.Integer, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_table(
        "evaluators",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("hash", _HASH, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("fidelity", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("units", sa.Text, nullable=False),
    )
    op.create_table("origins", sa.Column("id", _ID, primary_key=True), sa.Column("data", sa.Text, nullable=False))


def _create_records() -> None:
    op.create_table(
        "records",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("key", _HASH, nullable=False, unique=True),
        sa.Column("structure_id", _ID, sa.ForeignKey("structures.id"), nullable=False),
        sa.Column("evaluator_id", _ID, sa.ForeignKey("evaluators.id"), nullable=False),
        sa.Column("origin_id", _ID, sa.ForeignKey("origins.id"), nullable=False),
        sa.Column("result_id", _ID, sa.ForeignKey("structures.id")),
        sa.Column("failure", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.UniqueConstraint("structure_id", "evaluator_id", name="uq_records_structure_evaluator"),
    )
    op.create_table(
        "quantities",
        sa.Column("record_id", _ID, sa.ForeignKey("records.id"), primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("evaluator_id", _ID, sa.ForeignKey("evaluators.id"), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("std", sa.Double),
        sa.Column("unit", sa.Text, nullable=False),
    )
    op.create_index("ix_quantities_best", "quantities", ["evaluator_id", "name", "value"])
    op.create_table(
        "blobs",
        sa.Column("record_id", _ID, sa.ForeignKey("records.id"), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("hash", _HASH, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "candidates",
        sa.Column("campaign_id", _ID, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("structure_id", _ID, sa.ForeignKey("structures.id"), primary_key=True),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("provenance", sa.Text, nullable=False),
    )
    op.create_table(
        "work",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("structure_id", _ID, sa.ForeignKey("structures.id"), nullable=False),
        sa.Column("evaluator_id", _ID, sa.ForeignKey("evaluators.id"), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_reason", sa.Text),
        sa.Column("pending", sa.Integer, nullable=False),
        sa.Column("not_before", sa.Double, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.UniqueConstraint("structure_id", "evaluator_id", name="uq_work_structure_evaluator"),
    )
    op.create_index("ix_work_open", "work", ["evaluator_id", "id"])
    op.create_index("ix_work_owner", "work", ["owner"])


def _forbid_changes(table: str) -> None:
    """What is recorded stays as it is, also for somebody who opens the database by hand."""
    sentence = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{sentence}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()"
    )
