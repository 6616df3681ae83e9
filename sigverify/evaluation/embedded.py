"""A catalogue's signatures through a verifier once: prepared, described, embedded; failures counted, not hidden."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sigverify.config import digest
from sigverify.errors import BadInput
from sigverify.evaluation.network_input import describe_input
from sigverify.evaluation.source_digest import source_digest
from sigverify.records import Floats, Image, Preparation

if TYPE_CHECKING:
    import pandas as pd

    from sigverify.storage.store import Store

CHUNK = 8192  # scans held in memory at once
Progress = Callable[[str, float], None]  # stage in words, share done 0..1


@dataclass(frozen=True)
class Embedded:
    """`signatures` (n rows, usable, distinct), `embeddings` (n, d), `scan` and `input` measures (n rows) each.

    `duplicates` exact repetitions and `failures` {reason: scans} were left out.
    """

    signatures: pd.DataFrame
    embeddings: Floats
    scan: pd.DataFrame
    input: pd.DataFrame
    duplicates: int
    failures: dict[str, int]
    parts: int = 1  # embeddings held of each signature, so that it may be a reference; the first is the query's
    sized: bool = False  # the last two numbers of each are a physical size

    @property
    def queries(self) -> Floats:
        """What a query's embedding is: (n, d / parts)."""
        return self.embeddings[:, : self.embeddings.shape[1] // self.parts]

    @property
    def sizes_mm(self) -> Floats | None:
        """Width and height of the ink (n, 2) in mm, 0 where not known; None where the verifier keeps none."""
        return self.queries[:, -2:] if self.sized else None


def embed_signatures(
    store: Store,
    verifier: Any,
    signatures: pd.DataFrame,
    workers: int = 2,
    on_progress: Progress | None = None,
    cache_dir: Path | None = None,
) -> Embedded:
    """Prepare and embed the rows of `signatures` that repeat no other exactly.

    `cache_dir` keeps prepared results under the encoder's id and the digests of signatures and code. Raises BadInput
    where no scan yields a signature.
    """
    say = on_progress or (lambda stage, share: None)
    distinct = signatures[signatures["duplicate_of"].isna()].reset_index(drop=True)
    name = f"{verifier.encoder_id}-{signatures_digest(distinct)}-{source_digest('embeddings')}"
    if keeps_size(verifier) and "dpi" in distinct:
        name += f"-{digest({'dpi': distinct['dpi'].fillna(0.0).tolist()}, 8)}"
    place = None if cache_dir is None else Path(cache_dir) / name
    held = _read(place)
    if held is None:
        held = _compute(store, verifier, distinct, workers, say)
        _write(place, held)
    failure = held["described"]["failure"].fillna("").astype(str)
    kept = (failure == "").to_numpy()
    if not kept.any():
        raise BadInput("no scan yields a signature", got=dict(Counter(failure.tolist())), next="check the scans")
    numbers = held["described"].loc[kept].drop(columns="failure").reset_index(drop=True)
    scan, inner = (
        numbers[[c for c in numbers if c.startswith(p)]].rename(columns=lambda c: c.split(".", 1)[1])
        for p in ("scan.", "input.")
    )
    failures = {str(k): int(v) for k, v in sorted(Counter(failure[~kept].tolist()).items())}
    rows: pd.DataFrame = distinct[kept].reset_index(drop=True)
    repeated = len(signatures) - len(distinct)
    return Embedded(
        rows, held["embeddings"], scan, inner, repeated, failures, _parts_of(verifier), keeps_size(verifier)
    )


def keeps_size(verifier: Any) -> bool:
    """Whether its embeddings hold a physical size; systems without an encoder of cells do not."""
    return bool(getattr(getattr(verifier.settings, "encoder", None), "physical_size", False))


def _parts_of(verifier: Any) -> int:
    """Embeddings it holds of a reference; 1 for systems that know no turns (and have no `embed_references`)."""
    return int(verifier.settings.encoder.parts) if hasattr(verifier, "embed_references") else 1


def embed_for_both(verifier: Any, images: Sequence[Image], sizes_mm: Any = None) -> Floats:
    """Embeddings of signatures that are queries in some trials and references in others: as references are held.

    `sizes_mm` (n, 2) are for a verifier that keeps them.
    """
    embed = getattr(verifier, "embed_references", verifier.embed)
    found: Floats = embed(images) if sizes_mm is None else embed(images, sizes_mm=sizes_mm)
    return found


def signatures_digest(signatures: pd.DataFrame) -> str:
    """Names the content: ids, writers, file digests, labels, exact duplicates, in order of id; 16 hex digits."""
    rows = signatures.sort_values("signature_id")[["signature_id", "writer_id", "digest", "label"]]
    rows = rows.assign(duplicate_of=signatures["duplicate_of"].fillna("").astype(str))
    text = "\n".join("\t".join(map(str, row)) for row in rows.itertuples(index=False))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _compute(store: Store, verifier: Any, rows: pd.DataFrame, workers: int, say: Progress) -> dict[str, Any]:
    import pandas as pd

    described: list[dict[str, Any]] = []
    embeddings: list[Floats] = []
    for start in range(0, len(rows), CHUNK):
        urls = rows["image_url"].iloc[start : start + CHUNK]
        before = start / len(rows)
        share = len(urls) / len(rows)
        scans = [store.read_image(url) for url in urls]

        def tell(done: int, *_: int, before: float = before) -> None:
            say("preparing scans", before + done / len(rows))

        prepared = verifier.prepare_many(scans, workers=workers, on_progress=tell)
        say("embedding", before + share / 2)
        images = [p.image for p in prepared if p.image is not None]
        if images:
            sizes = _sizes_mm(prepared, rows.iloc[start : start + CHUNK]) if keeps_size(verifier) else None
            embeddings.append(embed_for_both(verifier, images, sizes))
        described.extend(_described(p) for p in prepared)
        say("embedding", before + share)
    joined = np.concatenate(embeddings) if embeddings else np.zeros((0, 0), np.float32)
    return {"embeddings": joined, "described": pd.DataFrame(described)}


def _sizes_mm(prepared: Sequence[Preparation], rows: pd.DataFrame) -> list[tuple[float, float]]:
    """Sizes of the signatures, at the resolution that the catalogue knows of their scans, where it knows one."""
    known = rows["dpi"].tolist() if "dpi" in rows else [None] * len(rows)
    return [p.at(dpi).size_mm for p, dpi in zip(prepared, known, strict=True) if p.image is not None]


def _described(preparation: Any) -> dict[str, Any]:
    numbers: dict[str, Any] = {f"scan.{k}": float(v) for k, v in preparation.measures.items()}
    if preparation.image is not None:
        numbers |= {f"input.{k}": v for k, v in describe_input(preparation.image).items()}
    reason = "" if preparation.image is not None else str(preparation.failure)
    return {"failure": reason, **numbers}


def _read(place: Path | None) -> dict[str, Any] | None:
    import pandas as pd

    if place is None or not (place / "embeddings.npy").exists():
        return None
    embeddings = np.load(place / "embeddings.npy", allow_pickle=False)
    return {"embeddings": embeddings, "described": pd.read_parquet(place / "described.parquet")}


def _write(place: Path | None, held: dict[str, Any]) -> None:
    if place is None:
        return
    working = place.with_name(f".{place.name}.{digest({'of': id(held)}, 8)}")
    working.mkdir(parents=True, exist_ok=True)
    held["described"].to_parquet(working / "described.parquet", index=False)
    np.save(working / "embeddings.npy", held["embeddings"], allow_pickle=False)
    if not place.exists():
        working.rename(place)
