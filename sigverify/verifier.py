"""The verifier: encoder + preprocessing + scoring + operating point, registered, promoted and rolled back as one.

A bundle is a folder::

    weights.safetensors   the encoder, float16
    cohort.safetensors    `embeddings` (m, d), signatures of other writers for score normalisation (optional)
    verifier.json         settings, digests of the other files, version
    trained_on.json       digests of the writers and images it was trained on (optional: sigverify.trained_on)
    MODEL_CARD.md         for people

Loading reads safetensors and JSON, nothing else: nothing in a bundle is executed.
``encoder_id`` names weights + encoder + preprocessing (what a gallery depends on); ``version`` names everything.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sigverify.bundle import (
    CARD,
    COHORT,
    FORMAT,
    SETTINGS,
    TRAINED_ON,
    WEIGHTS,
    read_bundle,
    read_cohort,
    read_trained_on,
    sha256_of,
    write_cohort,
)
from sigverify.config import VerifierSettings, digest, from_dict, to_dict
from sigverify.errors import BadInput, Mismatch
from sigverify.records import Decision, Floats, Image, Preparation, Sizes, Template
from sigverify.scoring.operating_point import decide, thresholds_for
from sigverify.scoring.scorer import Scorer
from sigverify.trained_on import TrainedOn

DEFAULT_FOLDER = Path(__file__).parent / "assets" / "default"
Scan = bytes | str | Path
Enrolled = tuple[str, Sequence[str], Sequence[Preparation], Sequence[str]]  # writer, ids, prepared references, digests


class Verifier:
    """A loaded bundle. Thread-safe for reading; the encoder stays on the CPU unless `device` says otherwise."""

    def __init__(
        self,
        settings: VerifierSettings,
        weights: Path,
        cohort: Floats | None = None,
        *,
        card: str = "",
        device: str = "cpu",
        trained_on: TrainedOn | None = None,
    ) -> None:
        self.settings = settings = from_dict(VerifierSettings, to_dict(settings))  # 0 and 0.0 are one verifier
        self.cohort = None if cohort is None else cohort.astype(np.float16).astype(np.float32)  # as it is stored
        self.card = card
        self.device = device
        self.trained_on = trained_on  # None: nobody says
        self.weights_path = weights
        self._encoder: Any = None
        self.weights_sha256 = sha256_of(weights)
        parts = {"encoder": to_dict(settings.encoder), "preprocessing": to_dict(settings.preprocessing)}
        self.encoder_id = digest({"weights": self.weights_sha256, **parts})
        self.version = f"{settings.name}-{digest(self._identity(), 8)}"
        encoder = settings.encoder
        how = (encoder.similarity, encoder.parts, encoder.size, encoder.physical_size)
        self.scorer = Scorer(settings.scoring, self.cohort, *how)

    # ---- bundle ----------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, folder: str | Path | None = None, *, device: str = "cpu") -> Verifier:
        """Read a bundle; None is the verifier that ships with the project.

        Raises NotFound for a folder that is no bundle, Mismatch where a file is not the one verifier.json names.
        """
        place = Path(folder) if folder is not None else DEFAULT_FOLDER
        held = read_bundle(place)
        settings = from_dict(VerifierSettings, held["settings"])
        cohort = read_cohort(place / COHORT, held.get("cohort_sha256"))
        card = (place / CARD).read_text(encoding="utf-8") if (place / CARD).exists() else ""
        taught = read_trained_on(place, held.get("trained_on_sha256"))
        verifier = cls(settings, place / WEIGHTS, cohort, card=card, device=device, trained_on=taught)
        if verifier.weights_sha256 != held["weights_sha256"]:
            raise Mismatch(
                f"{WEIGHTS} is not the file this verifier was saved with",
                got=verifier.weights_sha256[:12],
                expected=held["weights_sha256"][:12],
                next=f"fetch the bundle {place.name} again",
            )
        if verifier.version != held["version"]:
            raise Mismatch(
                "verifier.json was changed after it was saved", got=verifier.version, expected=held["version"]
            )
        return verifier

    def save(self, folder: str | Path) -> Path:
        """Write the bundle to `folder`, whole or not at all; an existing one is replaced."""
        target = Path(folder)
        working = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        shutil.copyfile(self.weights_path, working / WEIGHTS)
        held: dict[str, Any] = {"format": FORMAT, "version": self.version, "encoder_id": self.encoder_id}
        held["weights_sha256"] = self.weights_sha256
        if self.cohort is not None:
            write_cohort(working / COHORT, self.cohort)
            held["cohort_sha256"] = sha256_of(working / COHORT)
        if self.trained_on is not None:
            (working / TRAINED_ON).write_bytes(self.trained_on.to_json())
            held["trained_on_sha256"] = sha256_of(working / TRAINED_ON)
        held["settings"] = to_dict(self.settings)
        (working / SETTINGS).write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
        (working / CARD).write_text(self.card, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        working.rename(target)
        self.weights_path = target / WEIGHTS
        return target

    def with_settings(self, **changes: Any) -> Verifier:
        """The same weights and cohort under other settings (a new operating point, a new name): a new version."""
        return self._changed(replace(self.settings, **changes), self.cohort)

    def with_size(self, share: float) -> Verifier:
        """The same with a `size_share` (0: no eye for size): another encoder_id, so enrol again; calibrate first."""
        encoder = replace(self.settings.encoder, physical_size=share > 0)
        return self.with_settings(encoder=encoder, scoring=replace(self.settings.scoring, size_share=share))

    def with_cohort(self, cohort: Floats | None) -> Verifier:
        """The same weights with another cohort (m, d)."""
        return self._changed(self.settings, cohort)

    def _changed(self, settings: VerifierSettings, cohort: Floats | None) -> Verifier:
        kept: dict[str, Any] = {"card": self.card, "device": self.device, "trained_on": self.trained_on}
        return Verifier(settings, self.weights_path, cohort, **kept)

    @property
    def policy_version(self) -> str:
        """Names policy and thresholds: two verifiers that would decide differently never share it."""
        point = self.settings.operating_point
        return f"{point.policy.name}-{point.policy.version}-{digest(point, 8)}"

    def _identity(self) -> dict[str, Any]:
        cohort = None if self.cohort is None else hashlib.sha256(self.cohort.astype("<f4").tobytes()).hexdigest()
        return {"weights": self.weights_sha256, "cohort": cohort, "settings": to_dict(self.settings)}

    # ---- from scans to embeddings ----------------------------------------------------------------------------------

    @property
    def encoder(self) -> Any:
        """The network, loaded on first use (a torch module)."""
        if self._encoder is None:
            from sigverify.model.encoder import load_encoder

            self._encoder = load_encoder(self.weights_path, self.settings.encoder).to(self.device)
        return self._encoder

    def prepare(self, source: Scan, page: int = 0) -> Preparation:
        """One scan (bytes or a path) to the network's input, or the reason why not."""
        from sigverify.scans.prepare import prepare_file

        return prepare_file(source, self.settings.preprocessing, page)

    def prepare_many(
        self,
        sources: Sequence[Scan],
        pages: Sequence[int] | None = None,
        workers: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[Preparation]:
        """As `prepare`, for many, in order; `workers` > 1 uses that many processes."""
        from sigverify.scans.prepare import prepare_many

        return prepare_many(sources, self.settings.preprocessing, pages, workers=workers, on_progress=on_progress)

    def embed(self, images: Image | Sequence[Image], batch_size: int = 64, sizes_mm: Sizes | None = None) -> Floats:
        """Prepared images (n, h, w) uint8 ink-positive to embeddings (n, d) float32, as queries.

        `sizes_mm` (width, height) of each, (0, 0) where not known: kept where the settings have `physical_size`.
        """
        return self._embed(images, batch_size, sizes_mm, references=False)

    def embed_references(
        self, images: Image | Sequence[Image], batch_size: int = 64, sizes_mm: Sizes | None = None
    ) -> Floats:
        """As `embed`, with what is held of references: (n, parts * d), as they are, then each turn and shift."""
        return self._embed(images, batch_size, sizes_mm, references=True)

    def _embed(
        self, images: Image | Sequence[Image], batch_size: int, sizes_mm: Sizes | None, references: bool
    ) -> Floats:
        encoder = self.settings.encoder
        parts = encoder.parts if references else 1
        if len(images) == 0:
            return np.zeros((0, encoder.size * parts), np.float32)
        from sigverify.model.embedding import embed, with_sizes

        stacked = images if isinstance(images, np.ndarray) else np.stack(list(images))
        found = embed(self.encoder, stacked, batch_size, references)
        return with_sizes(found, sizes_mm, parts) if encoder.physical_size else found

    def enrol(
        self, writer_id: str, ids: Sequence[str], preparations: Sequence[Preparation], digests: Sequence[str] = ()
    ) -> Template:
        """One writer's template from prepared references; the caller leaves out those that failed."""
        return self.enrol_many([(writer_id, ids, preparations, digests)])[0]

    def enrol_many(self, writers: Sequence[Enrolled]) -> list[Template]:
        """As `enrol`, for several writers in one go of the network: (writer_id, ids, preparations, digests) each."""
        images: list[Image] = []
        for _, ids, preparations, _ in writers:
            images += _usable_references(ids, preparations)
        sizes = [p.size_mm for _, _, preparations, _ in writers for p in preparations]
        embedded, made, first = self.embed_references(images, sizes_mm=sizes), [], 0
        for writer_id, ids, preparations, digests in writers:
            own = embedded[first : first + len(ids)].astype(np.float16).astype(np.float32)  # as galleries hold them
            first += len(ids)
            prints = tuple(p.fingerprint or b"" for p in preparations)
            made.append(Template(writer_id, tuple(ids), own, self.encoder_id, prints, tuple(digests)))
        return made

    # ---- from embeddings to decisions ------------------------------------------------------------------------------

    def decide(self, queries: Floats, templates: Sequence[Template]) -> list[Decision]:
        """Query i (n, d) against templates[i]: score, thresholds for its number of references, outcome.

        Raises Mismatch where a template was made by another encoder.
        """
        for template in templates:
            if template.encoder_id != self.encoder_id:
                raise Mismatch(
                    f"the template of writer {template.writer_id} was made by another encoder",
                    got=template.encoder_id,
                    expected=f"{self.encoder_id} ({self.version})",
                    next=f"run enrol_writers for {self.version}",
                )
        scored = self.scorer.score_pairs(queries, [t.embeddings for t in templates])
        return [self._decision(float(s), each, t) for (s, each), t in zip(scored, templates, strict=True)]

    def _decision(self, score: float, reference_scores: Floats, template: Template) -> Decision:
        k = len(template.reference_ids)
        point = self.settings.operating_point
        outcome, reason = decide(point, score, k)
        limits = thresholds_for(point, k)
        each = tuple(round(float(s), 6) for s in reference_scores)
        return Decision(outcome, reason, score, limits.accept, limits.reject, k, template.reference_ids, each)


def _usable_references(ids: Sequence[str], preparations: Sequence[Preparation]) -> list[Image]:
    if not ids or len(ids) != len(preparations):
        raise BadInput("a template needs one id for each reference", got=f"{len(ids)} ids, {len(preparations)} images")
    images = [p.image for p in preparations if p.image is not None]
    if len(images) != len(ids):
        raise BadInput("a reference that failed preparation cannot be enrolled", next="leave it out or rescan it")
    return images
