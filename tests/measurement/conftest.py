from __future__ import annotations

import pytest

from sigverify.records import Part
from tests.measurement.synthetic_set import catalogue, names_of, tiny_verifier


@pytest.fixture(scope="package")
def training_writers(tmp_path_factory):
    """12 writers of the training part, 5 genuine signatures and 2 skilled forgeries each."""
    return catalogue(tmp_path_factory.mktemp("set") / "c", names_of(Part.TRAIN, 12))


@pytest.fixture(scope="package")
def tiny(tmp_path_factory):
    return tiny_verifier(tmp_path_factory.mktemp("tiny") / "v")
