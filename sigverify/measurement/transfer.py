"""Thresholds frozen on one set's calibration writers, measured on the writers of another."""

from __future__ import annotations

from dataclasses import replace

from sigverify.evaluation.parts import named_parts, part_of
from sigverify.evaluation.protocols import MeasuredWriters, Protocol
from sigverify.records import Part
from sigverify.storage.store import Store


def transferred(protocol: Protocol, other: Store) -> Protocol:
    """The deployment protocol as it is measured on the catalogue `other`."""
    names = " and ".join(sorted(str(name) for name in other.signatures()["dataset"].unique()))
    return replace(
        protocol,
        name=f"{protocol.name}-to-{names.replace(' ', '-')}",
        title=f"{protocol.title}; measured on {names}",
        writers=MeasuredWriters(),
    )


def transferred_writers(other: Store, development: bool = False) -> list[str]:
    """Whom thresholds from elsewhere are measured on: test writers of the public sets, everybody of other sets.

    For a development protocol: training writers, of any set.
    """
    named = named_parts()
    found = sorted(str(w) for w in other.signatures()["writer_id"].unique())
    if development:
        return [w for w in found if part_of(w, named) is Part.TRAIN]
    return [w for w in found if named.get(w, ("", None))[0] in ("", Part.TEST.value)]
