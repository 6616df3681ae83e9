"""What commands share in front of a person or a script: JSON on stdout, progress on stderr, common options."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sigverify.errors import BadInput, BadSettings, NotFound
from sigverify.records import as_plain

if TYPE_CHECKING:
    from sigverify.config import TrainingSettings

CatalogueOption = Annotated[Path, typer.Option("--catalogue", "-c", help="Folder holding catalogue.db and the images.")]
VerifierOption = Annotated[
    str, typer.Option(help="Bundle folder, models:/NAME/3 or models:/NAME@champion; default: the one that ships.")
]
TrackingOption = Annotated[str | None, typer.Option(help="MLflow; default: MLFLOW_TRACKING_URI or ./mlflow.db.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
WorkersOption = Annotated[int, typer.Option(help="Processes for decoding and preprocessing.", min=1)]


def read_json(path: Path, option: str) -> Any:
    """What a JSON file given with `option` holds. Raises NotFound, BadInput for what is no JSON text."""
    if not path.is_file():
        raise NotFound(f"no file for {option}", got=path, expected="a JSON file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{option} is not JSON", got=f"{path.name}: {error}", next="mend the file") from error


def training_settings(path: Path, option: str) -> TrainingSettings:
    """Training settings from a JSON file. Raises as `read_json`, BadSettings for keys, values, a negative seed."""
    from sigverify.config import TrainingSettings, from_dict

    held = from_dict(TrainingSettings, read_json(path, option))
    if held.seed < 0:
        raise BadSettings(f"a seed in {option} is negative", got=held.seed, expected="0 or more")
    return held


def emit(result: Any, as_json: bool, text: str) -> None:
    """Print `result` as JSON, or `text` for people."""
    if as_json:
        plain = (
            dataclasses.asdict(result) if dataclasses.is_dataclass(result) and not isinstance(result, type) else result
        )
        print(json.dumps(_jsonable(plain), indent=1))
    else:
        print(text)


def _jsonable(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _jsonable(dataclasses.asdict(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(v) for v in value]
    return as_plain(value)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, float], None]]:
    """A progress bar on stderr; gives ``say(stage, share_done)``. Plain lines where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield _plain_progress(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=1.0)

        def say(stage: str, share: float) -> None:
            bar.update(task, completed=min(max(share, 0.0), 1.0), description=f"{title}: {stage}")

        yield say


def _plain_progress(title: str) -> Callable[[str, float], None]:
    said: dict[str, int] = {}

    def say(stage: str, share: float) -> None:
        tenth = int(min(max(share, 0.0), 1.0) * 10)
        if said.get(stage, -1) < tenth:
            said[stage] = tenth
            print(f"{title}: {stage} {tenth * 10} %", file=sys.stderr, flush=True)

    return say
