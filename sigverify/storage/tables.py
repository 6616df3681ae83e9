"""The tables of a catalogue, as SQLAlchemy Core; the same on SQLite and PostgreSQL.

Times are UTC, ISO 8601 text (sortable, the same bytes on both databases). Amounts are integer minor units with an ISO
currency. JSON columns hold lists of ids or reasons. Images are not here: a row holds a URL relative to the image root.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

signatures = sa.Table(
    "signatures",
    metadata,
    sa.Column("signature_id", sa.String, primary_key=True),
    sa.Column("writer_id", sa.String, nullable=False, index=True),
    sa.Column("dataset", sa.String, nullable=False, index=True),
    sa.Column("label", sa.String, nullable=False),  # records.Label
    sa.Column("is_reference", sa.Boolean, nullable=False, default=False),  # may be enrolled as a reference
    sa.Column("image_url", sa.String, nullable=False),
    sa.Column("digest", sa.String, nullable=False, index=True),  # SHA-256 of the file's bytes
    sa.Column("pixel_digest", sa.String, nullable=False, index=True),  # SHA-256 of shape and grey pixels
    sa.Column("fingerprint", sa.LargeBinary),  # scans.fingerprint of the ink, NULL where none
    sa.Column("width_px", sa.Integer, nullable=False),
    sa.Column("height_px", sa.Integer, nullable=False),
    sa.Column("dpi", sa.Float),  # NULL = unknown
    sa.Column("classification", sa.String, nullable=False),  # records.Classification
    sa.Column("duplicate_of", sa.String),  # signature_id of the first signature with the same pixels
    sa.Column("source", sa.String, nullable=False, default=""),  # file name as delivered
    sa.Column("added_at", sa.String, nullable=False),
)

writers = sa.Table(
    "writers",
    metadata,
    sa.Column("writer_id", sa.String, primary_key=True),  # known to the bank, with or without references
    sa.Column("added_at", sa.String, nullable=False),
)

near_duplicates = sa.Table(
    "near_duplicates",
    metadata,
    sa.Column("signature_a", sa.String, primary_key=True),  # a < b
    sa.Column("signature_b", sa.String, primary_key=True),
    sa.Column("similarity", sa.Float, nullable=False),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("batch_id", sa.String, primary_key=True),
    sa.Column("landing_url", sa.String, nullable=False),
    sa.Column("manifest_digest", sa.String, nullable=False),
    sa.Column("business_date", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False, index=True),  # records.BatchState
    sa.Column("classification", sa.String, nullable=False),
    sa.Column("contract_version", sa.String, nullable=False),
    sa.Column("declared_count", sa.Integer),  # from the trailer; NULL = no trailer or unreadable
    sa.Column("declared_minor", sa.BigInteger),
    sa.Column("currency", sa.String),
    sa.Column("received_count", sa.Integer, nullable=False, default=0),  # manifest rows
    sa.Column("received_minor", sa.JSON, nullable=False, default=dict),  # {currency: sum over the manifest rows}
    sa.Column("received_unreadable", sa.Integer, nullable=False, default=0),  # manifest rows without a readable amount
    sa.Column("trailer_problems", sa.JSON, nullable=False, default=list),
    sa.Column("verifier_version", sa.String),  # frozen when the batch is first opened for verification
    sa.Column("policy_version", sa.String),
    sa.Column("gallery_id", sa.String),
    sa.Column("ingested_at", sa.String),
    sa.Column("decided_at", sa.String),
    sa.Column("exported_at", sa.String),
)

items = sa.Table(
    "items",
    metadata,
    sa.Column("item_id", sa.String, primary_key=True),  # the bank's id of the presented item
    sa.Column("batch_id", sa.String, nullable=False, index=True),
    sa.Column("row_number", sa.Integer, nullable=False),  # in the manifest, first data row = 1
    sa.Column("writer_id", sa.String, nullable=False, index=True),  # the claimed writer
    sa.Column("image_url", sa.String, nullable=False),
    sa.Column("digest", sa.String, nullable=False, index=True),
    sa.Column("fingerprint", sa.LargeBinary),  # filled when the item is first prepared
    sa.Column("amount_minor", sa.BigInteger),  # NULL = unreadable: a shown residual
    sa.Column("currency", sa.String),
    sa.Column("page", sa.Integer, nullable=False, default=0),
    sa.Column("received_at", sa.String, nullable=False),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("batch_id", sa.String, primary_key=True),
    sa.Column("row_number", sa.Integer, primary_key=True),
    sa.Column("item_id", sa.String),
    sa.Column("reasons", sa.JSON, nullable=False),  # [{"reason": records.Reason, "column": ..., "detail": ...}, ...]
    sa.Column("amount_minor", sa.BigInteger),
    sa.Column("currency", sa.String),
    sa.Column("at", sa.String, nullable=False),
)

redeliveries = sa.Table(
    "redeliveries",
    metadata,
    sa.Column("batch_id", sa.String, primary_key=True),
    sa.Column("row_number", sa.Integer, primary_key=True),
    sa.Column("item_id", sa.String, nullable=False),
    sa.Column("amount_minor", sa.BigInteger),
    sa.Column("currency", sa.String),
    sa.Column("at", sa.String, nullable=False),
)

galleries = sa.Table(
    "galleries",
    metadata,
    sa.Column("gallery_id", sa.String, primary_key=True),
    sa.Column("encoder_id", sa.String, nullable=False),
    sa.Column("verifier_version", sa.String, nullable=False),
    sa.Column("embedding_dim", sa.Integer, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
)

templates = sa.Table(
    "templates",
    metadata,
    sa.Column("gallery_id", sa.String, primary_key=True),
    sa.Column("writer_id", sa.String, primary_key=True),
    sa.Column("reference_ids", sa.JSON, nullable=False),
    sa.Column("digests", sa.JSON, nullable=False),  # SHA-256 of each reference file
    sa.Column("fingerprints", sa.JSON, nullable=False),  # hex
    sa.Column("embeddings", sa.LargeBinary, nullable=False),  # (k, d) little-endian float16 or float32, row major
    sa.Column("enrolled_at", sa.String, nullable=False),
)

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("erasure_id", sa.String, primary_key=True),
    sa.Column("writer_digest", sa.String, nullable=False),  # SHA-256 of the writer's id: who has the id can look it up
    sa.Column("approved_by", sa.String, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),  # {what: how many rows}
    sa.Column("pending", sa.JSON, nullable=False),  # URLs of images whose files are still to be removed
    sa.Column("at", sa.String, nullable=False),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("decision_id", sa.String, primary_key=True),
    sa.Column("item_id", sa.String, nullable=False),
    sa.Column("batch_id", sa.String, nullable=False, index=True),
    sa.Column("writer_id", sa.String, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),  # records.Outcome
    sa.Column("reason", sa.String, nullable=False),  # records.Reason
    sa.Column("detail", sa.String, nullable=False, default=""),
    sa.Column("score", sa.Float),
    sa.Column("accept_threshold", sa.Float),
    sa.Column("reject_threshold", sa.Float),
    sa.Column("n_references", sa.Integer, nullable=False),
    sa.Column("reference_ids", sa.JSON, nullable=False),
    sa.Column("reference_scores", sa.JSON, nullable=False),
    sa.Column("verifier_version", sa.String, nullable=False),
    sa.Column("policy_version", sa.String, nullable=False),
    sa.Column("gallery_id", sa.String, nullable=False),
    sa.Column("contract_version", sa.String, nullable=False),
    sa.Column("amount_minor", sa.BigInteger),
    sa.Column("currency", sa.String),
    sa.Column("decided_at", sa.String, nullable=False),
    sa.UniqueConstraint("item_id", "verifier_version", "policy_version", name="one_decision"),
)
