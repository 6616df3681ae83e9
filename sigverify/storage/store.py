"""A catalogue: a folder with ``catalogue.json``, and by default ``catalogue.db`` and ``images/`` beside it.

``catalogue.json`` holds the schema version, the default classification, and the database and image URLs where they are
not the default. It never holds a password: SIGVERIFY_DATABASE_URL names a database with one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sigverify.errors import BadInput, BadTable, Conflict, Mismatch, NotFound
from sigverify.records import Classification
from sigverify.storage.database import Database, names_password, now, rows_in
from sigverify.storage.images import Images
from sigverify.storage.tables import metadata, near_duplicates, signatures

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
DATABASE_VARIABLE = "SIGVERIFY_DATABASE_URL"
FACTS, DATABASE_FILE, IMAGE_FOLDER = "catalogue.json", "catalogue.db", "images"
DEFAULTS: dict[str, Any] = {
    "is_reference": False, "fingerprint": None, "dpi": None, "duplicate_of": None, "source": "",
}  # fmt: skip


class Store:
    """An open catalogue: `database`, `images`, `classification`. Thread-safe; open one for each process."""

    def __init__(self, folder: Path, database: Database, images: Images, classification: Classification) -> None:
        self.folder = folder
        self.database = database
        self.images = images
        self.classification = classification

    @classmethod
    def open(
        cls,
        folder: str | Path,
        database_url: str | None = None,
        images_url: str | None = None,
        create: bool = False,
        classification: Classification = Classification.BIOMETRIC,
    ) -> Store:
        """Open the catalogue at `folder`; with `create`, make it when it is not there (`classification` its default).

        The database is `database_url`, else SIGVERIFY_DATABASE_URL, else the one catalogue.json names, else
        ``catalogue.db``. Raises NotFound for no catalogue, Mismatch for one of another schema, BadInput for a URL
        that cannot be used.
        """
        place = Path(folder)
        facts = _read_facts(place)
        if facts is None and not create:
            raise NotFound(
                f"no catalogue at {place}", expected=f"a folder with {FACTS}",
                next="make one with `sigverify import-dataset` or `sigverify ingest`, or check the path",
            )  # fmt: skip
        known = facts or _new_facts(database_url, images_url, classification)
        url = database_url or os.environ.get(DATABASE_VARIABLE) or known.get("database_url")
        if facts is None:
            place.mkdir(parents=True, exist_ok=True)
        database = Database(url or f"sqlite:///{(place / DATABASE_FILE).absolute()}")
        if create:
            database.create(metadata)
        if facts is None:  # last, so that a folder with catalogue.json has its tables
            _write_facts(place, known)
        images = Images(images_url or known.get("images_url") or str((place / IMAGE_FOLDER).absolute()))
        return cls(place, database, images, Classification(known["classification"]))

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- images ----------------------------------------------------------------------------------------------------

    def read_image(self, url: str) -> bytes:
        """The bytes of an image, checked against its name (see Images.read)."""
        return self.images.read(url)

    def write_image(self, data: bytes, suffix: str = "") -> str:
        """Keep an image under the digest of its bytes; returns its URL."""
        return self.images.write(data, suffix)

    # ---- signatures ------------------------------------------------------------------------------------------------

    def signatures(
        self, *, datasets: Sequence[str] | None = None, writer_ids: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """The signatures table (columns of tables.signatures) by signature_id; all, or some sets or writers."""
        import pandas as pd

        statement = sa.select(signatures)
        if datasets is not None:
            statement = statement.where(signatures.c.dataset.in_(list(datasets)))
        with self.database.read() as connection:
            if writer_ids is None:
                rows: Sequence[sa.Row[Any]] = connection.execute(statement).all()
            else:
                rows = rows_in(connection, statement, signatures.c.writer_id, writer_ids)
        frame = pd.DataFrame.from_records([tuple(row) for row in rows], columns=[c.name for c in signatures.columns])
        frame = frame.astype({"is_reference": bool, "width_px": int, "height_px": int, "dpi": float})
        return frame.sort_values("signature_id", kind="stable", ignore_index=True)

    def add_signatures(self, rows: Iterable[Mapping[str, Any]] | pd.DataFrame) -> int:
        """Add signatures; those already there with the same digest are left as they are. Returns how many were new.

        A row is a mapping with the columns of tables.signatures; is_reference, fingerprint, dpi, duplicate_of,
        source, classification and added_at may be left out. Raises BadTable for unknown or missing columns, Conflict
        when an id is there with other content; nothing is added then.
        """
        found = _as_rows(rows, self.classification)
        with self.database.write() as connection:
            written = set(self.database.insert_new(connection, signatures, found))
            held = {row["signature_id"]: row["digest"] for row in found if row["signature_id"] in written}
            kept = sa.select(signatures.c.signature_id, signatures.c.digest)
            others = [row["signature_id"] for row in found if row["signature_id"] not in written]
            held.update((i, d) for i, d in rows_in(connection, kept, signatures.c.signature_id, others))
            _refuse_other_content(found, held)
        return len(written)

    def mark_references(self, signature_ids: Iterable[str], is_reference: bool = True) -> int:
        """Say which signatures may be enrolled. Returns how many rows there were; raises NotFound for an unknown id."""
        wanted = sorted(set(signature_ids))
        bound = sa.bindparam("one", type_=sa.String)
        change = signatures.update().where(signatures.c.signature_id == bound).values(is_reference=is_reference)
        with self.database.write() as connection:
            _refuse_unknown(connection, wanted)
            if wanted:
                connection.execute(change, [{"one": i} for i in wanted])
        return len(wanted)

    def mark_duplicates(self, duplicate_of: Mapping[str, str]) -> None:
        """Note exact duplicates: signature id -> id of the first signature with the same pixels."""
        bound = sa.bindparam("one", type_=sa.String)
        change = signatures.update().where(signatures.c.signature_id == bound)
        change = change.values(duplicate_of=sa.bindparam("first", type_=sa.String))
        with self.database.write() as connection:
            _refuse_unknown(connection, [*duplicate_of, *duplicate_of.values()])
            if duplicate_of:
                rows = [{"one": i, "first": first} for i, first in sorted(duplicate_of.items())]
                connection.execute(change, rows)

    # ---- near duplicates -------------------------------------------------------------------------------------------

    def near_duplicates(self) -> pd.DataFrame:
        """Pairs that never meet as reference and query: signature_a < signature_b, similarity; ordered."""
        import pandas as pd

        with self.database.read() as connection:
            rows = connection.execute(sa.select(near_duplicates)).all()
        frame = pd.DataFrame.from_records(
            [tuple(r) for r in rows], columns=["signature_a", "signature_b", "similarity"]
        )
        return frame.sort_values(["signature_a", "signature_b"], kind="stable", ignore_index=True)

    def add_near_duplicates(self, pairs: Iterable[tuple[str, str, float]]) -> int:
        """Add pairs (either order) with their similarity in [0, 1]; known pairs stay. Returns how many were new."""
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for one, other, similarity in pairs:
            if one == other:
                raise BadInput("a signature is no near duplicate of itself", got=one)
            a, b = sorted((one, other))
            rows[a, b] = {"signature_a": a, "signature_b": b, "similarity": float(similarity)}
        with self.database.write() as connection:
            return len(self.database.insert_new(connection, near_duplicates, [rows[k] for k in sorted(rows)]))


def _read_facts(folder: Path) -> dict[str, Any] | None:
    path = folder / FACTS
    if not path.is_file():
        return None
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema, _ = facts["schema"], Classification(facts["classification"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} cannot be read", got=type(error).__name__, next="restore it from a backup") from error
    if schema != SCHEMA:
        raise Mismatch(
            f"the catalogue at {folder} has another schema", got=schema, expected=SCHEMA,
            next="use the sigverify release that made it",
        )  # fmt: skip
    return facts


def _new_facts(database_url: str | None, images_url: str | None, classification: Classification) -> dict[str, Any]:
    facts: dict[str, Any] = {"schema": SCHEMA, "classification": Classification(classification).value}
    if database_url and not names_password(database_url):
        facts["database_url"] = database_url
    if images_url:
        facts["images_url"] = images_url
    return facts


def _write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    working = folder / f".{FACTS}.{os.getpid()}"
    working.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    os.replace(working, folder / FACTS)


def _as_rows(rows: Iterable[Mapping[str, Any]] | pd.DataFrame, classification: Classification) -> list[dict[str, Any]]:
    records: Iterable[Mapping[str, Any]] = rows.to_dict("records") if hasattr(rows, "to_dict") else rows  # type: ignore
    defaults = DEFAULTS | {"classification": classification.value, "added_at": now()}
    known = {c.name for c in signatures.columns}
    complete = [defaults | {str(k): _null(v) for k, v in row.items()} for row in records]
    for row in complete:
        if row.keys() != known:
            got = f"unknown {sorted(row.keys() - known)}, missing {sorted(known - row.keys())}"
            raise BadTable("a signature row has other columns", got=got, expected=", ".join(sorted(known)))
    return complete


def _null(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def _refuse_other_content(rows: Sequence[Mapping[str, Any]], held: Mapping[str, str]) -> None:
    bad = sorted({r["signature_id"] for r in rows if held[r["signature_id"]] != r["digest"]})
    if bad:
        raise Conflict(
            "signature ids are already in the catalogue with other content", got=f"{len(bad)}, first {bad[0]}",
            next="import under another name, or give the new scans new ids",
        )  # fmt: skip


def _refuse_unknown(connection: sa.Connection, ids: Sequence[str]) -> None:
    column = signatures.c.signature_id
    missing = set(ids) - {i for (i,) in rows_in(connection, sa.select(column), column, ids)}
    if missing:
        raise NotFound("signatures that are not in the catalogue", got=f"{len(missing)}, first {min(missing)}")
