"""One door to the database: opening, transactions, and errors in the words of a user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, final

from sqlalchemy import URL, Connection, Engine, create_engine, event, extract, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, NoSuchModuleError
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.schema import Table

from matwright.errors import InputError, ResourceError

BUSY_SECONDS = 60.0
"""How long a writer waits for another before it says that the store is locked."""

_WRITE = "matwright_write"
_SQLITE_HEADER = b"SQLite format 3\x00"
_CONDITIONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("database is locked", "lock timeout", "deadlock"), "{store} is locked by another process; try again later"),
    (
        ("database or disk is full", "disk i/o error", "no space left", "could not extend file", "disk quota"),
        "there is no room to write to {store}; nothing was damaged: make room and resume",
    ),
    (("readonly database", "permission denied"), "{store} may not be written to"),
    (
        ("connection refused", "could not connect", "connection failed", "server closed", "terminating connection"),
        "the database of {store} does not answer; start it, or check the address, and resume",
    ),
    (("password authentication", 'role "', 'database "'), "the database of {store} lets nobody in: {detail}"),
    (
        ("not a database", "malformed", "unable to open"),
        "{store} cannot be opened as a store ({detail}); give the path of a store or a new path",
    ),
)
"""Words of a database's message, lower case → sentence. The first four are conditions of the machine."""
_OF_THE_MACHINE = 4


@final
class Database:
    """An open database, SQLite file or PostgreSQL; each thread draws its own connections from it.

    Attributes:
        where: the address to show, without password.
        path: the file of a SQLite store, None for a server.
    """

    def __init__(self, url: URL) -> None:
        self.path = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        self.where = str(self.path) if self.path is not None else url.render_as_string(hide_password=True)
        self._engine = _engine(url)

    @classmethod
    def at(cls, address: str | os.PathLike[str]) -> Self:
        """Prepare the database at a path (SQLite) or a URL "postgresql://user@host/name".

        Raises:
            InputError: the address is none of both, its driver is missing, or the file is no SQLite database.
        """
        text = os.fspath(address)
        try:
            url = make_url(text) if "://" in text else URL.create("sqlite", database=str(Path(text).absolute()))
        except ArgumentError:
            raise InputError("a store is a path, or a URL such as postgresql://user@host:5432/name") from None
        if url.get_backend_name() == "sqlite":
            _check_file(Path(url.database or ""))
        elif url.get_backend_name() in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        else:
            raise InputError(f"a store lives in SQLite or PostgreSQL, found {url.get_backend_name()!r}")
        try:
            return cls(url)
        except (ImportError, NoSuchModuleError):
            raise InputError(
                "PostgreSQL needs the driver psycopg; install it with: pip install 'matwright[postgres]'"
            ) from None

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file."""
        return self.path is not None

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the store and changes nothing.

        Raises:
            ResourceError, InputError: what stands in the way, in one sentence.
        """
        with self._errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is whole or absent; on disk when the block has ended.

        Raises:
            ResourceError, InputError: what stands in the way, in one sentence; nothing of the block is kept.
        """
        with self._errors(), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITE: True})
            with connection.begin():
                yield connection

    def insert_new(self, table: Table) -> Any:
        """An INSERT that leaves rows alone whose unique columns are there already."""
        build: Insert | sqlite.Insert | postgresql.Insert
        build = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        return build.on_conflict_do_nothing()

    def now(self) -> ColumnElement[Any]:
        """Seconds since 1970 by the database's clock, which all processes share."""
        if self.is_sqlite:
            return (func.julianday("now") - 2440587.5) * 86400.0
        return extract("epoch", func.clock_timestamp())

    def clock(self, connection: Connection) -> float:
        """Seconds since 1970 by the database's clock."""
        return float(connection.execute(select(self.now())).scalar_one())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (DatabaseError, InterfaceError, DBAPIError) as error:
            raise _translated(error, self.where) from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder; a store is a file, for instance {path / 'store.db'}")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it first")
    if path.exists() and path.stat().st_size > 0:
        with path.open("rb") as file:
            if file.read(len(_SQLITE_HEADER)) != _SQLITE_HEADER:
                raise InputError(f"{path} is not a store (no SQLite file); give the path of a store or a new path")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver starts no transaction of its own
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")  # readers and one writer at the same time
        cursor.execute("PRAGMA synchronous=FULL")  # what was committed outlives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")  # writers queue at the start, not midway

    return engine


def _translated(error: DBAPIError, where: str) -> Exception:
    """The error as one sentence; what nobody foresaw stays as it is."""
    detail = " ".join(str(error.orig).split())
    for index, (words, sentence) in enumerate(_CONDITIONS):
        if any(word in detail.lower() for word in words):
            kind = ResourceError if index < _OF_THE_MACHINE else InputError
            return kind(sentence.format(store=where, detail=detail))
    return error
