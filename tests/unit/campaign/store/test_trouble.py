"""What can stand in the way of a store: a newer program, foreign files, a lock, a full disk, many processes at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from campaign_parts import Volume, rock_salt, store_address

from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.in_process import InProcessEngine
from matwright.campaign.store import database, migrate, schema
from matwright.campaign.store.database import Database
from matwright.campaign.store.store import Store
from matwright.errors import InputError, ResourceError

PARTS = Path(__file__).resolve().parents[1]
WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from campaign_parts import Volume, rock_salt
from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.in_process import InProcessEngine
from matwright.campaign.store.store import Store
with Store.open(sys.argv[2]) as store:
    campaign = Campaign(store, sys.argv[3], Volume())
    campaign.propose([rock_salt(5.0 + i / 1000) for i in range(int(sys.argv[4]), int(sys.argv[5]))])
    with InProcessEngine() as engine:
        status = campaign.run(engine)
    print(status.recorded)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with store_address(request.param, tmp_path) as found:
        yield found


def _writer(address: str, campaign: str, first: int, last: int, before: str = "") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", before + WRITER, str(PARTS), address, campaign, str(first), str(last)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _write(path: Path, first: int, last: int) -> None:
    """Run a campaign to its end."""
    with Store.open(path) as store, InProcessEngine() as engine:
        campaign = Campaign(store, "a", Volume())
        campaign.propose([rock_salt(5.0 + i / 1000) for i in range(first, last)])
        campaign.run(engine)


def test_the_migrations_lead_to_the_schema_of_the_program(address: str) -> None:
    Store.open(address).close()
    engine = sqlalchemy.create_engine(Database.at(address)._engine.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrate.VERSION_TABLE})
        differences = compare_metadata(context, schema.metadata)
    engine.dispose()
    assert differences == []


def test_the_program_knows_its_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_a_store_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'")
    connection.close()
    with pytest.raises(InputError, match="newer matwright"):
        Store.open(path)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    text, foreign = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database, but long enough to be taken for one")
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE cooking (recipe TEXT)")
    connection.close()
    for path, words in (
        (text, "no SQLite file"),
        (foreign, "something else .cooking"),
        (tmp_path, "is a folder"),
        (tmp_path / "absent" / "store.db", "does not exist"),
        ("mysql://host/name", "SQLite or PostgreSQL"),
    ):
        with pytest.raises(InputError, match=words):
            Store.open(path)
    with pytest.raises(InputError, match="there is no store"):
        Store.open(tmp_path / "store.db", create=False)
    with pytest.raises(ResourceError, match="does not answer"):
        Store.open("postgresql://nobody:secret@127.0.0.1:1/none")


def test_a_locked_store_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    Store.open(path).close()
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Store.open(path) as store:
        with pytest.raises(ResourceError, match="locked by another process"):
            store.campaign("a")
        other.execute("ROLLBACK")
        assert store.campaign("a") == 1
    other.close()


def test_several_processes_and_campaigns_make_one_store_and_write_at_once(address: str) -> None:
    writers = [_writer(address, f"campaign-{i % 2}", 20 * i, 20 * i + 60) for i in range(3)]
    ends = [writer.communicate(timeout=120) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 3, ends
    with Store.open(address) as store:
        assert store.records.count() == 100  # 0 to 60, 20 to 80, 40 to 100
        assert len({record.structure for record in store.records.iterate()}) == 100
        assert sorted(store.campaign_names()) == ["campaign-0", "campaign-1"]


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command to make a small disk with")
    if mounted.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _still_whole(path: Path) -> int:
    """Check a store's file; how many records it has."""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        missing = (
            "SELECT COUNT(*) FROM records r WHERE NOT EXISTS (SELECT 1 FROM quantities q WHERE q.record_id = r.id)"
        )
        assert connection.execute(missing).fetchone() == (0,)
        count = int(connection.execute("SELECT COUNT(*) FROM records").fetchone()[0])
    connection.close()
    return count


@pytest.mark.slow
def test_a_full_disk_says_so_and_damages_nothing(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk") as disk:
        path = disk / "store.db"
        _write(path, 0, 20)
        filler = disk / "filler"
        with filler.open("wb") as file:
            file.write(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 65536))
        writer = _writer(str(path), "a", 0, 900)
        _, said = writer.communicate(timeout=60)
        assert "ResourceError: there is no room to write" in said
        recorded = _still_whole(path)
        assert recorded >= 20
        filler.unlink()
        _write(path, 0, 100)
        assert _still_whole(path) >= 100


def test_a_file_that_may_not_grow_says_so_and_damages_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    _write(path, 0, 20)
    limit = path.stat().st_size + 40_000
    before = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    writer = _writer(str(path), "a", 0, 3000, before)
    _, said = writer.communicate(timeout=60)
    assert "ResourceError: there is no room to write" in said
    assert _still_whole(path) >= 20
    _write(path, 0, 100)
    assert _still_whole(path) >= 100
