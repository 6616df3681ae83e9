"""The flow that makes templates: one for each writer, for one verifier's encoder."""

from __future__ import annotations

from prefect import flow, get_run_logger

from flows.parameters import Enrolment
from flows.tasks import Plain, add_reference_folder, enrol_references, keep_verifier


@flow(name="enrol_writers", flow_run_name="enrol", persist_result=True, result_serializer="json")
def enrol_writers(enrolment: Enrolment) -> Plain:
    """Add a folder of references, when one is given, and make templates from the catalogue's references.

    Run it again whenever references change or another encoder is promoted: templates name the encoder they belong to.
    """
    log = get_run_logger()
    if enrolment.references is not None:
        added = add_reference_folder(enrolment.catalogue, enrolment.references, enrolment.classification)
        log.info("references: %s", added["text"])
    kept = keep_verifier(enrolment.catalogue, enrolment.verifier)
    chosen = (enrolment.writer_ids, enrolment.max_references, enrolment.withdraw)
    done = enrol_references(enrolment.catalogue, kept["folder"], *chosen)
    log.info("verifier %s: %s", kept["version"], done["text"])
    return {**done, "verifier_version": kept["version"]}
