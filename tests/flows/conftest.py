"""One server and one worker for all tests of deployments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from tests.flows.servers import Server, server_in


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("deployed")
    catalogue, landing = folder / "catalogue", folder / "landing"
    landing.mkdir()
    with server_in(folder, SIGVERIFY_CATALOGUE=str(catalogue), SIGVERIFY_LANDING=str(landing)) as started:
        yield started
        for sender in (APILogWorker, EventsWorker):  # what this process still holds goes before its server does
            sender.drain_all(at_exit=False)
