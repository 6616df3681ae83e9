"""Named tensors and one JSON record in one safetensors file, written whole or not at all. Never a pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sigverify.errors import BadInput

_RECORD = "sigverify"  # a single metadata key: with several, safetensors' byte order varies from run to run


def write_tensors(path: Path, tensors: dict[str, Tensor], record: dict[str, Any] | None = None) -> Path:
    """Write under a temporary name, force to disk, rename: a reader or a crash never meets half a file.

    The same tensors and record give the same bytes.
    """
    metadata = None if record is None else {_RECORD: json.dumps(record, sort_keys=True)}
    data = save({name: tensors[name].contiguous() for name in sorted(tensors)}, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f".{path.name}.{os.getpid()}")
    with open(working, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(working, path)
    return path


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors on the CPU and the record ({} where none). Raises BadInput for a file that is not safetensors."""
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise BadInput(f"{path.name} is no safetensors file", got=str(error), next="fetch it again") from error
    record: dict[str, Any] = json.loads(metadata.get(_RECORD, "{}"))
    return tensors, record
