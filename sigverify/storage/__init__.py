"""Where things are kept: catalogue, gallery and ledger in SQLite or PostgreSQL, images by URL."""
