"""Bring a store to the schema of this program, or say that it is from a newer one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from matwright.campaign.store.database import Database
from matwright.campaign.store.schema import metadata
from matwright.errors import InputError

HEAD = "0002"
"""The newest version in `migrations/versions`."""

VERSION_TABLE = "matwright_schema"
_FOLDER = Path(__file__).with_name("migrations")
_LOCK = 0x6D617477  # one number for all programs that migrate a store on one server


def bring_up_to_date(database: Database) -> None:
    """Create the tables of an empty database, or add what newer versions have; several processes may do it at once.

    Raises:
        InputError: the store was written by a newer program, or the database holds something else.
        ResourceError: it is locked, or there is no room.
    """
    with database.read() as connection:
        if _version(connection) == HEAD:
            return
    with database.write() as connection:
        if not database.is_sqlite:  # SQLite's write transaction is the lock already
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        found = _version(connection)
        if found is None:
            _refuse_foreign(connection, database)
        elif found > HEAD:
            raise InputError(
                f"{database.where} was written by a newer matwright (schema {found}, this one knows {HEAD}); "
                "install a newer version to open it"
            )
        if found != HEAD:
            _upgrade(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608


def _refuse_foreign(connection: Connection, database: Database) -> None:
    present = set(inspect(connection).get_table_names())
    foreign = present if database.is_sqlite else present & set(metadata.tables)
    if foreign:
        raise InputError(
            f"{database.where} holds tables of something else ({', '.join(sorted(foreign)[:3])}); give a new store"
        )


def _upgrade(connection: Connection) -> None:
    from alembic import command  # slow to load: only when there is something to do
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
