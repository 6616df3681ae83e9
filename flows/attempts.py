"""One thing that fails keeps no other waiting: try each, then say what failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from prefect import get_run_logger

Thing = TypeVar("Thing")
Done = TypeVar("Done")


def each(things: Iterable[Thing], do: Callable[[Thing], Done]) -> list[Done]:
    """`do` for each thing, in order. Raises the one error, or all of them as a group, after the last thing."""
    done: list[Done] = []
    errors: list[Exception] = []
    for thing in things:
        try:
            done.append(do(thing))
        except Exception as error:
            get_run_logger().error("%s: %s", thing, error)
            errors.append(error)
    if len(errors) > 1:
        raise ExceptionGroup(f"{len(errors)} of {len(errors) + len(done)} failed", errors)
    if errors:
        raise errors[0]
    return done
