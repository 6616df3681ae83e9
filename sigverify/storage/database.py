"""One engine for SQLite and PostgreSQL: durable settings, write transactions, insert-or-ignore, long lists of ids.

SQLite: WAL, synchronous FULL (a committed row survives a power cut), thirty seconds of patience with another writer;
a write transaction takes the write lock at its first statement (BEGIN IMMEDIATE), so that what it reads stays true.
PostgreSQL: READ COMMITTED; rows are written in key order, so that two writers wait for each other and never deadlock.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from sigverify.errors import BadInput, Conflict, NotFound, SigverifyError

BUSY_SECONDS = 30
BULK_ROWS = 100
ROWS_PER_STATEMENT = 5_000
IDS_PER_QUERY = 900  # below SQLite's old limit of 999 parameters


class Database:
    """A database by SQLAlchemy URL. Thread-safe; open one for each process."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._writer = self._engine.execution_options(sigverify_write=True)
        self.is_sqlite = self._engine.dialect.name == "sqlite"

    @property
    def label(self) -> str:
        """The URL without its password, for messages."""
        return self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads."""
        with _plain_errors(self.label), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that commits when the block ends and leaves nothing when it raises or the process dies."""
        with _plain_errors(self.label), self._writer.begin() as connection:
            yield connection

    def create(self, metadata: sa.MetaData) -> None:
        """Make the tables that are not there; safe when two processes do it at once."""
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7306881)"))
            metadata.create_all(connection)

    def close(self) -> None:
        self._engine.dispose()

    def insert_ignoring(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """INSERT ... ON CONFLICT DO NOTHING in the database's dialect."""
        return self.insert(table).on_conflict_do_nothing()

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def insert_new(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Insert what is not there, in the order of the first key column; returns that column of the rows written."""
        if not rows:
            return []
        key = next(iter(table.primary_key.columns))
        ordered = sorted(rows, key=lambda row: str(row[key.name]))
        if (
            not self.is_sqlite
            and len(rows) >= BULK_ROWS
            and all(row.keys() == set(table.columns.keys()) for row in rows)
        ):
            return [name for part in _parts(ordered) for name in _insert_json(connection, table, key.name, part)]
        statement = self.insert_ignoring(table).returning(key)
        return [str(value) for (value,) in connection.execute(statement, [dict(row) for row in ordered])]


def _parts(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        yield rows[start : start + ROWS_PER_STATEMENT]


def _insert_json(connection: sa.Connection, table: sa.Table, key: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whole rows as one JSON parameter: PostgreSQL takes them in an order of magnitude faster than a VALUES list."""
    columns = ", ".join(table.columns.keys())
    source = f"json_populate_recordset(CAST(NULL AS {table.name}), CAST(:rows AS json))"
    statement = sa.text(
        f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {source} ON CONFLICT DO NOTHING RETURNING {key}"
    )
    text = json.dumps([dict(row) for row in rows], default=_hex, allow_nan=False)
    return [str(value) for (value,) in connection.execute(statement, {"rows": text})]


def _hex(value: bytes) -> str:
    """Bytes as PostgreSQL reads them from text."""
    return f"\\x{value.hex()}"


def rows_in(
    connection: sa.Connection, statement: sa.Select[Any], column: sa.Column[Any], values: Sequence[Any]
) -> list[sa.Row[Any]]:
    """`statement` restricted to ``column IN values``, however many values there are."""
    wanted = sorted(set(values))
    found: list[sa.Row[Any]] = []
    for start in range(0, len(wanted), IDS_PER_QUERY):
        found += connection.execute(statement.where(column.in_(wanted[start : start + IDS_PER_QUERY]))).all()
    return found


def now() -> str:
    """UTC, ISO 8601 with milliseconds: sortable as text."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise BadInput("the database URL cannot be read", expected="sqlite:///... or postgresql://...") from error
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise BadInput("unknown kind of database", got=parsed.drivername, expected="sqlite or postgresql")
    try:
        engine = sa.create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
    except ModuleNotFoundError as error:
        raise NotFound("no PostgreSQL driver is installed", next="pip install 'sigverify[postgres]'") from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "journal_mode=WAL", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("sigverify_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def names_password(url: str) -> bool:
    """Whether a database URL holds a password, in its usual place or as a parameter."""
    parsed = sa.make_url(url)
    return parsed.password is not None or "password" in parsed.query


MEANINGS: tuple[tuple[str, Callable[..., SigverifyError], str, str], ...] = (
    ("database is locked", Conflict, "another process holds the catalogue's write lock", "try again when it is done"),
    ("disk is full", BadInput, "the disk is full; nothing of this step was written", "free space and repeat the step"),
    (
        "disk I/O error",
        BadInput,
        "the disk refused a write; nothing of this step was written",
        "check the disk, repeat",
    ),
    ("No space left", BadInput, "the disk is full; nothing of this step was written", "free space and repeat the step"),
    ("readonly database", BadInput, "the catalogue may not be written", "check who owns its folder"),
    ("not a database", BadInput, "catalogue.db is not a SQLite database", "restore it from a backup"),
    ("malformed", BadInput, "catalogue.db is damaged", "restore it from a backup"),
    ("no such table", NotFound, "the database holds no catalogue", "open it once with create=True"),
    ("does not exist", NotFound, "the database holds no catalogue", "open it once with create=True"),
    ("unable to open", NotFound, "the catalogue's database cannot be opened", "check the folder and who owns it"),
    ("connection failed", NotFound, "the database does not answer", "check SIGVERIFY_DATABASE_URL and the server"),
)


@contextmanager
def _plain_errors(label: str) -> Iterator[None]:
    """A driver's operational error as one of ours; the failed statement (it may hold personal data) is left out."""
    try:
        yield
    except DBAPIError as error:
        text = str(error.orig)
        for mark, kind, what, then in MEANINGS:
            if mark in text:
                raise kind(what, got=label, next=then) from None
        if isinstance(error, OperationalError):
            raise SigverifyError("the database refused", got=f"{type(error.orig).__name__} from {label}") from None
        raise
