"""Every protocol for which data are present, one after the other, resumable; one table at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from sigverify.evaluation.protocols import Protocol, load_protocol, protocol_names
from sigverify.evaluation.result import BenchmarkResult
from sigverify.measurement.makers import Maker, Progress
from sigverify.measurement.measuring import Options, measure_protocol
from sigverify.measurement.outputs import write_outputs
from sigverify.measurement.sources import Sources

SHOWN = ("1", "5", "10")  # numbers of references in the summary
Finished = Callable[[Protocol, Sequence[BenchmarkResult], Path], None]


@dataclass(frozen=True)
class Summary:
    """Headlines by protocol, and why others gave none."""

    headlines: dict[str, BenchmarkResult]
    failures: dict[str, str]

    def rows(self) -> list[dict[str, Any]]:
        """One a protocol, JSON-ready; rates in per cent."""
        found = []
        for name, result in self.headlines.items():
            values = result.values()
            kept = {key: values[key] for key in ("status", "skilled_eer", "random_eer", "verifier_version", "lane")}
            found.append({"protocol": name, "writers": result.counts["writers"], **kept})
        return found + [{"protocol": name, "error": why} for name, why in self.failures.items()]

    def table(self) -> str:
        """Plain text: verdict, writers, skilled EER at 1, 5 and 10 references, random EER at 5 (else 1)."""
        width = max(map(len, [*self.headlines, *self.failures, "protocol"]))
        cells = [*(f"skilled {k}" for k in SHOWN), "random"]
        lines = [f"{'protocol':<{width}}  {'verdict':<15}  writers  " + "  ".join(f"{c:>10}" for c in cells)]
        for row in self.rows():
            if "error" in row:
                failed = "not finished" if row["protocol"] in self.headlines else "not measured"
                lines.append(f"{row['protocol']:<{width}}  {failed}: {row['error']}")
                continue
            random = row["random_eer"].get("5", row["random_eer"].get("1"))
            rates = [*(row["skilled_eer"].get(k) for k in SHOWN), random]
            shown = "  ".join(f"{'' if rate is None else format(rate, '.2f'):>10}" for rate in rates)
            lines.append(f"{row['protocol']:<{width}}  {row['status']:<15}  {row['writers']:>7}  {shown}")
        return "\n".join([*lines, "", "EER in per cent, by number of references"])


def present(sources: Sources, trains: bool, only: str = "") -> list[Protocol]:
    """The protocols whose data are at hand. Development forms only where `only` (a pattern of names) asks for them.

    Without training, crosses are left out: they would repeat the in-domain figure of the same verifier.
    """
    held = set(sources.datasets())
    found = []
    for name in protocol_names():
        protocol = load_protocol(name)
        asked = fnmatch(name, only) if only else not protocol.development
        needed = {protocol.writers.dataset, *(protocol.training.datasets if trains else ())}
        possible = protocol.writers.dataset and needed <= held
        if asked and possible and (trains or not protocol.crosses) and (protocol.training.datasets or not trains):
            found.append(protocol)
    return found


def measure_everything(
    sources: Sources,
    maker: Maker,
    options: Options,
    out: Path,
    only: str = "",
    on_progress: Progress | None = None,
    finished: Finished | None = None,
) -> Summary:
    """Measure every protocol of `present` into ``out/PROTOCOL``; one that cannot be measured is named, not the end.

    `finished(protocol, results, folder)` writes what a protocol's results leave, after the headline is saved; by
    default their outputs. Any error is recorded under the protocol with its type, a measured headline stays.
    """
    say = on_progress or (lambda stage, share: None)
    protocols = present(sources, maker.trains, only)
    headlines: dict[str, BenchmarkResult] = {}
    failures: dict[str, str] = {}
    for i, protocol in enumerate(protocols):

        def tell(stage: str, share: float, i: int = i, name: str = protocol.name) -> None:
            say(f"{name}: {stage}", (i + share) / len(protocols))

        try:
            results = measure_protocol(protocol, sources, maker, options, out / "work", tell)
            headlines[protocol.name] = results[0]
            if finished is None:
                write_outputs(results, out / protocol.name)
            else:
                results[0].save(out / protocol.name)  # before anything else that may fail
                finished(protocol, results, out / protocol.name)
        except Exception as error:  # one protocol is not the end of a night; Ctrl-C is
            failures[protocol.name] = f"{type(error).__name__}: {error}"
    return Summary(headlines, failures)
