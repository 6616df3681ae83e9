"""The flow that makes a candidate verifier: train, choose thresholds, measure, register as challenger."""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.candidate import make_candidate
from flows.parameters import Retraining
from flows.tasks import Plain


@flow(
    name="retrain_verifier",
    flow_run_name="retrain {plan.registered_name}",
    persist_result=True,
    result_serializer="json",
)
def retrain_verifier(plan: Retraining) -> Plain:
    """Train on the catalogue's training writers and register the outcome, with its evidence, as challenger.

    Interrupted, the same plan goes on from its last checkpoint. Promotion is not part of it: who approves a verifier
    is not who trained it (`sigverify models promote`).
    """
    registered = make_candidate(plan)
    get_run_logger().info("registered %s (%s)", registered["uri"], registered["verifier_version"])
    create_markdown_artifact(
        _evidence(registered), key="candidate-verifier", description="A candidate and its evidence"
    )
    return registered


def _evidence(registered: Plain) -> str:
    return (
        f"## {registered['uri']}\n\n{registered['description']}\n\n"
        f"- MLflow run `{registered['run_id']}`: parameters, curves, plots, model card\n"
        f"- bundle: `{registered['bundle']}`\n"
        f"- promote it with `sigverify models promote {registered['uri']} --approved-by WHO`\n"
    )
