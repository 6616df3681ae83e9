"""Where a figure comes from: what was run on what, by which code, so that it can be had again."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from sigverify.evaluation.result import BenchmarkResult

LIBRARIES = ("numpy", "torch", "timm", "scikit-image")


def provenance(results: Sequence[BenchmarkResult], command: str = "") -> list[tuple[str, str]]:
    """(what, value) pairs for people: command, versions, digests, seeds, commit."""
    names = {
        "verifier": "verifier_version", "encoder": "encoder_id", "lane": "lane", "protocol": "protocol",
        "protocol digest": "protocol_digest", "data": "datasets", "catalogue digest": "catalogue_digest",
        "classification": "classification", "fold": "fold", "seed": "seed", "reference draws": "draws",
        "bootstrap resamples": "bootstrap_resamples", "trained on copies": "training_copies",
    }  # fmt: skip
    found = [("command", command)] if command else []
    for name, key in names.items():
        values = dict.fromkeys(_text(result.about.get(key)) for result in results)
        text = ", ".join(v for v in values if v)
        if text:
            found.append((name, text))
    seconds = sum(float(result.about.get("seconds", 0)) for result in results)
    found += [("seconds", f"{seconds:.0f}")] if seconds else []
    found.append(("sigverify", "; ".join(dict.fromkeys(_made_by(result) for result in results))))
    versions = [f"{name} {_version(name)}" for name in LIBRARIES]
    return [*found, ("with", f"Python {platform.python_version()}, {', '.join(versions)}")]


def code_version() -> dict[str, str]:
    """The package's version and commit now, as a result keeps them: it may be shown by later code."""
    return {"code_version": _version("sigverify"), "code_commit": commit()}


def _made_by(result: BenchmarkResult) -> str:
    """By which code a result was measured: as it says itself; one that does not was measured just now."""
    made = result.about if "code_version" in result.about else code_version()
    return str(made["code_version"]) + (f", commit {made['code_commit']}" if made.get("code_commit") else "")


def commit(folder: Path | None = None) -> str:
    """The commit of the code's checkout, with a word where files differ from it; "" outside a checkout."""
    place = folder or Path(__file__).parent
    try:
        name = _git(place, "rev-parse", "--short=12", "HEAD")
        changed = _git(place, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{name}, with changes" if changed else name


def _git(place: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(place), *words], capture_output=True, text=True, timeout=20, check=True)
    return done.stdout.strip()


def _text(value: object) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
