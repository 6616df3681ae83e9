"""What a run leaves on Prefect's pages: counts by outcome and reason, and where the files lie. No ids of writers."""

from __future__ import annotations

import re

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.tasks import Plain


def artifact_key(*words: str) -> str:
    """Words as an artifact's key: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def publish_outcomes(closed: Plain) -> None:
    """The table of a batch's outcomes by reason, and its reconciliation with the paths of report and export."""
    batch_id = closed["batch_id"]
    create_table_artifact(
        key=artifact_key("outcomes", batch_id),
        table=closed["outcomes"],
        description=f"Batch {batch_id}: outcomes by reason, verifier {closed['verifier_version']}",
    )
    create_markdown_artifact(
        key=artifact_key("batch", batch_id),
        markdown=f"## Batch {batch_id}\n\n{closed['reconciliation']}\n\n"
        f"- report: `{closed['report']}`\n- export: `{closed['folder']}`\n"
        f"- verifier: `{closed['verifier_version']}`\n",
        description=f"Batch {batch_id}: reconciliation and files",
    )
