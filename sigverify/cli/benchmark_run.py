"""A benchmark as it was asked for on the command line: measured, compared, written, logged."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigverify.records import Pictures

if TYPE_CHECKING:
    from sigverify.evaluation.benchmark import BenchmarkResult
    from sigverify.evaluation.protocols import Protocol
    from sigverify.measurement.makers import Maker
    from sigverify.measurement.measuring import Options
    from sigverify.measurement.sources import Sources


@dataclass(frozen=True)
class BenchmarkRun:
    """What is measured on what, and what is wanted beside the figures."""

    sources: Sources
    maker: Maker
    options: Options
    out: Path | None
    baselines: bool
    imagenet: Path | None
    pictures: Pictures
    tracking: str | None

    def one(self, protocol: Protocol, say: Callable[[str, float], None]) -> tuple[dict[str, Any], str, bool]:
        """(JSON-ready, text, False) of one protocol."""
        from sigverify.measurement.comparing import as_rows
        from sigverify.measurement.measuring import measure_protocol
        from sigverify.measurement.outputs import as_text

        work = None if self.out is None else self.out / "work"
        results = measure_protocol(protocol, self.sources, self.maker, self.options, work, say)
        if self.out is not None and self.baselines:
            results[0].save(self.out)  # before anything else that may fail
        compared = self._compared(protocol, say)
        if self.out is not None:
            self._write(protocol, results, self.out, compared)
        if self.tracking is not None:
            self._log(protocol, results, self.out, compared)
        shown = {"baselines": as_rows(compared)} if compared else {}
        return {**results[0].values(), **shown}, as_text(results[0], compared), False

    def everything(self, only: str, say: Callable[[str, float], None]) -> tuple[dict[str, Any], str, bool]:
        """(JSON-ready, text, whether a protocol could not be measured) of every protocol with data."""
        from sigverify.measurement.everything import measure_everything

        out = self.out or Path(".")

        def finished(protocol: Protocol, results: Sequence[BenchmarkResult], folder: Path) -> None:
            compared = self._compared(protocol, say)
            self._write(protocol, results, folder, compared)
            if self.tracking is not None:
                self._log(protocol, results, folder, compared)

        summary = measure_everything(self.sources, self.maker, self.options, out, only, say, finished)
        out.mkdir(parents=True, exist_ok=True)
        out.joinpath("summary.txt").write_text(summary.table() + "\n", encoding="utf-8")
        return {"protocols": summary.rows()}, summary.table(), bool(summary.failures)

    def _compared(self, protocol: Protocol, say: Callable[[str, float], None]) -> list[tuple[str, BenchmarkResult]]:
        from sigverify.measurement.comparing import measure_baselines

        if not self.baselines:
            return []
        with tempfile.TemporaryDirectory(prefix="sigverify-") as place:
            work = Path(place) if self.out is None else self.out / "work" / protocol.name
            return measure_baselines(protocol, self.sources, self.maker, self.options, work, say, self.imagenet)

    def _write(
        self,
        protocol: Protocol,
        results: Sequence[BenchmarkResult],
        folder: Path,
        compared: Sequence[tuple[str, BenchmarkResult]],
    ) -> Path:
        from sigverify.measurement.comparing import preprocessing_of
        from sigverify.measurement.outputs import Shown, write_outputs

        store = self.options.transfer_to or self.sources.of(protocol.writers.dataset)
        shown = Shown(store, preprocessing_of(self.maker), self.pictures, self.options.command)
        return write_outputs(results, folder, compared, shown)

    def _log(
        self,
        protocol: Protocol,
        results: Sequence[BenchmarkResult],
        folder: Path | None,
        compared: Sequence[tuple[str, BenchmarkResult]],
    ) -> None:
        """To MLflow; results that were not asked for in a folder are logged from one that goes again."""
        from sigverify.measurement.tracking import log_measurement

        if folder is not None:
            log_measurement(results, folder, self.tracking)
            return
        with tempfile.TemporaryDirectory(prefix="sigverify-") as place:
            log_measurement(results, self._write(protocol, results, Path(place), compared), self.tracking)
