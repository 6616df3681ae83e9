"""Galleries: all templates made by one encoder for one verifier version.

Embeddings are kept as raw little-endian numbers, in half precision where that holds them exactly (enrolment rounds them
to it) and in single where not, so what is loaded is bit for bit what was enrolled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from sigverify.errors import BadInput, Mismatch, NotFound
from sigverify.records import Floats, Template
from sigverify.storage.database import now, rows_in
from sigverify.storage.store import Store
from sigverify.storage.tables import galleries, templates

if TYPE_CHECKING:
    import pandas as pd


def gallery_id_of(encoder_id: str, verifier_version: str) -> str:
    """The name of the gallery an encoder and verifier version share: always the same, on every machine."""
    name = "\0".join((encoder_id, verifier_version)).encode()
    return f"g-{hashlib.sha256(name).hexdigest()[:12]}"


def save_templates(store: Store, made: Iterable[Template], verifier_version: str) -> str:
    """Keep templates in the gallery of their encoder and `verifier_version`; a writer enrolled again is replaced.

    One transaction. Returns the gallery id. Raises BadInput for no templates, Mismatch for templates of two encoders.
    """
    found = list(made)
    if not found:
        raise BadInput("no templates to keep", next="enrol at least one writer with a usable reference")
    encoders = {t.encoder_id for t in found}
    if len(encoders) > 1:
        raise Mismatch("templates of several encoders cannot share a gallery", got=", ".join(sorted(encoders)))
    dims = {t.embeddings.shape[1] for t in found}
    if len(dims) > 1:
        raise BadInput("templates of a gallery have one width", got=sorted(dims))
    encoder_id, at = found[0].encoder_id, now()
    gallery_id = gallery_id_of(encoder_id, verifier_version)
    gallery = {"gallery_id": gallery_id, "encoder_id": encoder_id, "verifier_version": verifier_version}
    rows = {t.writer_id: _row(gallery_id, t, at) for t in found}
    put = store.database.insert(templates)
    changed = {c.name: put.excluded[c.name] for c in templates.columns if not c.primary_key}
    put = put.on_conflict_do_update(index_elements=["gallery_id", "writer_id"], set_=changed)
    with store.database.write() as connection:
        new = gallery | {"embedding_dim": dims.pop(), "created_at": at}
        store.database.insert_new(connection, galleries, [new])
        connection.execute(put, [rows[w] for w in sorted(rows)])
    return gallery_id


def load_templates(
    store: Store,
    gallery_id: str,
    writer_ids: Sequence[str] | None,
    encoder_id: str,
    *,
    verifier_version: str | None = None,
) -> dict[str, Template]:
    """Templates by writer, of those asked for that are enrolled (None: all).

    Raises NotFound for an unknown gallery, Mismatch where another encoder made it.
    """
    with store.database.read() as connection:
        dim = _checked(connection, gallery_id, encoder_id, verifier_version)
        statement = sa.select(templates).where(templates.c.gallery_id == gallery_id)
        if writer_ids is None:
            rows: Sequence[sa.Row[Any]] = connection.execute(statement).all()
        else:
            rows = rows_in(connection, statement, templates.c.writer_id, writer_ids)
    return {row.writer_id: _template(row, encoder_id, dim) for row in sorted(rows, key=lambda r: str(r.writer_id))}


def find_gallery(store: Store, encoder_id: str, verifier_version: str) -> str:
    """The id of the gallery enrolled for a verifier. Raises NotFound naming the fix."""
    gallery_id = gallery_id_of(encoder_id, verifier_version)
    with store.database.read() as connection:
        known = connection.execute(
            sa.select(galleries.c.gallery_id).where(galleries.c.gallery_id == gallery_id)
        ).first()
    if known is None:
        raise NotFound(f"no gallery for verifier {verifier_version}", next=f"run enrol_writers for {verifier_version}")
    return gallery_id


def reference_marks(store: Store, gallery_id: str) -> pd.DataFrame:
    """Every reference of a gallery, to find copies: writer_id, reference_id, digest, fingerprint (b"" = none)."""
    import pandas as pd

    columns = (templates.c.writer_id, templates.c.reference_ids, templates.c.digests, templates.c.fingerprints)
    with store.database.read() as connection:
        rows = connection.execute(sa.select(*columns).where(templates.c.gallery_id == gallery_id)).all()
    flat = [
        (writer, one, digest, bytes.fromhex(mark))
        for writer, ids, digests, marks in sorted(rows, key=lambda r: str(r.writer_id))
        for one, digest, mark in zip(ids, digests, marks, strict=True)
    ]
    return pd.DataFrame.from_records(flat, columns=["writer_id", "reference_id", "digest", "fingerprint"])


def _row(gallery_id: str, template: Template, at: str) -> dict[str, Any]:
    k = len(template.reference_ids)
    if template.embeddings.shape[0] != k:
        raise BadInput(
            "a template needs one embedding for each reference", got=template.embeddings.shape[0], expected=k
        )
    digests = template.digests or ("",) * k
    prints = template.fingerprints or (b"",) * k
    if len(digests) != k or len(prints) != k:
        raise BadInput("a template needs one digest and one fingerprint for each reference, or none", expected=k)
    return {
        "gallery_id": gallery_id,
        "writer_id": template.writer_id,
        "reference_ids": list(template.reference_ids),
        "digests": list(digests),
        "fingerprints": [p.hex() for p in prints],
        "embeddings": _packed(template.embeddings),
        "enrolled_at": at,
    }


def _template(row: sa.Row[Any], encoder_id: str, dim: int) -> Template:
    embeddings = _unpacked(row.embeddings, len(row.reference_ids), dim)
    prints = tuple(bytes.fromhex(p) for p in row.fingerprints)
    return Template(row.writer_id, tuple(row.reference_ids), embeddings, encoder_id, prints, tuple(row.digests))


def _checked(connection: sa.Connection, gallery_id: str, encoder_id: str, verifier_version: str | None) -> int:
    row = connection.execute(sa.select(galleries).where(galleries.c.gallery_id == gallery_id)).first()
    version = verifier_version or "in use"
    if row is None:
        raise NotFound(f"no gallery {gallery_id} in the catalogue", next=f"run enrol_writers for verifier {version}")
    if row.encoder_id != encoder_id:
        raise Mismatch(
            f"gallery {gallery_id} was made by encoder {row.encoder_id}, verifier {version} uses {encoder_id}",
            next=f"run enrol_writers for {version}",
        )
    return int(row.embedding_dim)


def _packed(embeddings: Floats) -> bytes:
    half = embeddings.astype("<f2")
    exact = np.array_equal(half.astype(np.float32), embeddings)
    return (half if exact else np.ascontiguousarray(embeddings, dtype="<f4")).tobytes()


def _unpacked(data: bytes, k: int, dim: int) -> Floats:
    kind = "<f2" if len(data) == 2 * k * dim else "<f4"
    return np.frombuffer(data, dtype=kind).reshape(k, dim).astype(np.float32)
