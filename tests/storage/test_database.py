from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa

from sigverify.errors import BadInput, NotFound
from sigverify.storage.database import Database, names_password, rows_in
from sigverify.storage.tables import batches, metadata, near_duplicates


def test_sqlite_is_durable(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with database.read() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30_000}


def test_a_write_transaction_leaves_nothing_when_it_raises(any_store):
    row = {"signature_a": "a", "signature_b": "b", "similarity": 0.9}
    with pytest.raises(RuntimeError), any_store.database.write() as connection:
        connection.execute(near_duplicates.insert(), row)
        raise RuntimeError
    assert any_store.near_duplicates().empty


def test_a_write_transaction_takes_the_lock_before_it_reads(tmp_path):
    """Two writers that read first and write later would otherwise both decide on what is no longer true."""
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.create(metadata)
    with database.write() as connection:
        connection.execute(sa.select(batches)).all()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(tmp_path / "a.db", timeout=0).execute("BEGIN IMMEDIATE")


def test_thousands_of_ids_in_one_question(any_store):
    rows = [(f"a{i}", f"b{i}", 0.5) for i in range(2_500)]
    assert any_store.add_near_duplicates(rows) == 2_500
    with any_store.database.read() as connection:
        column = near_duplicates.c.signature_a
        found = rows_in(connection, sa.select(column), column, [f"a{i}" for i in range(5_000)])
    assert {value for (value,) in found} == {f"a{i}" for i in range(2_500)}


def test_the_password_is_in_no_message():
    database = Database("postgresql://clerk:swordfish@127.0.0.1:1/none")
    with pytest.raises(NotFound) as caught, database.read():
        pass
    assert "swordfish" not in str(caught.value) and "SIGVERIFY_DATABASE_URL" in str(caught.value)
    assert names_password("postgresql://clerk:swordfish@h/d") and names_password("postgresql://h/d?password=swordfish")
    assert not names_password("postgresql://clerk@h/d")


@pytest.mark.parametrize("url", ["mysql://h/d", "not a url", "oracle://h/d"])
def test_other_databases_are_refused(url):
    with pytest.raises(BadInput):
        Database(url)


def test_a_file_that_is_no_database_says_so(tmp_path):
    (tmp_path / "a.db").write_bytes(b"this is text, and long enough to be looked at " * 100)
    with pytest.raises(BadInput, match="not a SQLite database"), Database(f"sqlite:///{tmp_path / 'a.db'}").read():
        pass


def test_errors_leave_out_the_failed_row(store):
    """A driver's error quotes the statement's values, which may be personal data."""
    rows = [{"signature_id": f"s{i}", "writer_id": "Jane Doe"} for i in range(2)]
    with pytest.raises(Exception) as caught, store.database.write() as connection:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES ('Jane Doe')")
    assert "Jane" not in str(caught.value) and rows
