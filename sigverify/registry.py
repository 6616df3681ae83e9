"""The only door to MLflow: runs with their evidence, registered verifiers, aliases, and bundles fetched back.

A registered version is a bundle folder (safetensors + JSON) logged as plain artifacts: nothing is pickled, nothing is
unpickled. Aliases: ``challenger`` = last registered, ``champion`` = promoted, ``previous`` = the champion before it.
Resolve an alias once a batch: `fetch` answers with the exact version.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigverify.errors import BadInput, Conflict, NotFound
from sigverify.verifier import Verifier

DEFAULT_NAME = "sigverify"
DEFAULT_TRACKING = "sqlite:///mlflow.db"
_REFERENCE = re.compile(r"^models:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[\w-]+))$")


@dataclass(frozen=True)
class Evidence:
    """What a reviewer finds in a run. Metric names use the field's words (skilled_eer_5, far_random ...)."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)  # name -> (step, value)
    folders: Mapping[str, Path] = field(default_factory=dict)  # artifact path -> local folder
    tags: Mapping[str, str] = field(default_factory=dict)


PROVISIONAL = "PROVISIONAL"  # in a description: thresholds of a demonstration


@dataclass(frozen=True)
class Registered:
    """One version in the registry."""

    name: str
    version: str
    verifier_version: str
    run_id: str
    aliases: tuple[str, ...]
    description: str
    created_at_ms: int

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"

    @property
    def provisional(self) -> bool:
        """Whether it was registered with thresholds that no decision may count on."""
        return PROVISIONAL in self.description


class Registry:
    """MLflow at a tracking URI: the argument, else MLFLOW_TRACKING_URI, else ``sqlite:///mlflow.db``."""

    def __init__(self, tracking_uri: str | None = None, artifacts: str | Path | None = None) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        import mlflow

        self._mlflow = mlflow
        self.tracking_uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING
        self.artifacts = artifacts
        self._client = mlflow.MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    # ---- writing ---------------------------------------------------------------------------------------------------

    def log_run(self, experiment: str, run_name: str, evidence: Evidence, bundle: Path | None = None) -> str:
        """One run with parameters, metrics, curves and artifacts; `bundle` goes under ``verifier/``. Returns run_id."""
        from mlflow.entities import Metric, Param, RunTag

        run = self._client.create_run(self._experiment(experiment), run_name=run_name)
        run_id: str = run.info.run_id
        status = "FAILED"
        try:
            now = int(run.info.start_time)
            metrics = [Metric(k, float(v), now, 0) for k, v in evidence.metrics.items()]
            for name, points in evidence.curves.items():
                metrics += [Metric(name, float(v), now, int(step)) for step, v in points]
            params = [Param(k, str(v)[:500]) for k, v in evidence.parameters.items()]
            tags = [RunTag(k, v) for k, v in evidence.tags.items()]
            for start in range(0, max(len(metrics), len(params), 1), 100):  # the API takes 100 parameters a call
                stop = start + 100
                self._client.log_batch(run_id, metrics[start:stop], params[start:stop], tags if start == 0 else [])
            for place, folder in evidence.folders.items():
                self._client.log_artifacts(run_id, str(folder), place)
            if bundle is not None:
                self._client.log_artifacts(run_id, str(bundle), "verifier")
            status = "FINISHED"
        finally:
            self._client.set_terminated(run_id, status)
        return run_id

    def register(self, run_id: str, bundle: Path, name: str = DEFAULT_NAME, description: str = "") -> Registered:
        """Register the bundle logged in a run as the next version of `name`; alias ``challenger`` moves to it."""
        from mlflow.exceptions import MlflowException

        verifier = Verifier.load(bundle)
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{self._client.get_run(run_id).info.artifact_uri}/verifier"
        tags = {"verifier_version": verifier.version, "encoder_id": verifier.encoder_id}
        made = self._client.create_model_version(name, source, run_id=run_id, tags=tags, description=description)
        self._client.set_registered_model_alias(name, "challenger", made.version)
        return self.show(f"models:/{name}/{made.version}")

    def promote(self, reference: str, *, approved_by: str, note: str = "") -> Registered:
        """Move ``champion`` to a version (``previous`` keeps the old one), recording who approved it and why.

        Raises BadInput without an approver, Conflict when the version is champion already.
        """
        if not approved_by.strip():
            raise BadInput("a promotion names its approver", next="give --approved-by with a person's or desk's id")
        chosen = self.show(reference)
        current = self._aliases(chosen.name).get("champion")
        if current == chosen.version:
            raise Conflict(f"{chosen.uri} is champion already")
        if current is not None:
            self._client.set_registered_model_alias(chosen.name, "previous", current)
        self._client.set_model_version_tag(chosen.name, chosen.version, "approved_by", approved_by)
        if note:
            self._client.set_model_version_tag(chosen.name, chosen.version, "approval_note", note)
        self._client.set_registered_model_alias(chosen.name, "champion", chosen.version)
        return self.show(chosen.uri)

    # ---- reading ---------------------------------------------------------------------------------------------------

    def versions(self, name: str | None = None) -> list[Registered]:
        """Every registered version, newest first; of `name` only when given."""
        models = [m.name for m in self._client.search_registered_models()]
        chosen = [m for m in models if name in (None, m)]
        found = [v for m in chosen for v in self._client.search_model_versions(f"name='{m}'")]
        return sorted((self._registered(v) for v in found), key=lambda r: (r.name, -int(r.version)))

    def show(self, reference: str) -> Registered:
        """One version by ``models:/NAME/3`` or ``models:/NAME@champion``."""
        from mlflow.exceptions import MlflowException

        name, version, alias = _parse(reference)
        try:
            found = (
                self._client.get_model_version(name, version)
                if version
                else self._client.get_model_version_by_alias(name, alias or "champion")
            )
        except MlflowException as error:
            known = ", ".join(f"{r.uri} ({'/'.join(r.aliases) or 'no alias'})" for r in self.versions())
            raise NotFound(
                f"no registered verifier {reference}",
                got=str(error).split(": ", 1)[-1][:120],
                expected=known or "at least one registered version",
                next="run `sigverify models list`",
            ) from error
        return self._registered(found)

    def fetch(self, reference: str, into: Path | None = None) -> Path:
        """Download the bundle of a version; answers with its folder."""
        chosen = self.show(reference)
        source = self._client.get_model_version_download_uri(chosen.name, chosen.version)
        target = into or Path(tempfile.mkdtemp(prefix="sigverify-"))
        target.mkdir(parents=True, exist_ok=True)
        got = self._mlflow.artifacts.download_artifacts(
            artifact_uri=source, dst_path=str(target), tracking_uri=self.tracking_uri
        )
        return Path(got)

    def metrics(self, run_id: str) -> dict[str, float]:
        """The last value of each of a run's metrics."""
        return dict(self._client.get_run(run_id).data.metrics)

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        place = None if self.artifacts is None else str(Path(self.artifacts).resolve().as_uri())
        return str(self._client.create_experiment(name, artifact_location=place))

    def _aliases(self, name: str) -> dict[str, str]:
        return {alias: str(v) for alias, v in self._client.get_registered_model(name).aliases.items()}

    def _registered(self, found: Any) -> Registered:
        aliases = tuple(sorted(a for a, v in self._aliases(found.name).items() if v == str(found.version)))
        tags = dict(found.tags or {})
        return Registered(
            name=found.name,
            version=str(found.version),
            verifier_version=tags.get("verifier_version", ""),
            run_id=found.run_id or "",
            aliases=aliases,
            description=found.description or "",
            created_at_ms=int(found.creation_timestamp),
        )


def open_verifier(reference: str | Path | None = None, tracking_uri: str | None = None) -> Verifier:
    """A verifier by bundle folder, ``models:/NAME/3``, ``models:/NAME@champion``, or None for the shipped one."""
    if reference is None or str(reference) in ("", "default"):
        return Verifier.load(None)
    if str(reference).startswith("models:"):
        return Verifier.load(Registry(tracking_uri).fetch(str(reference)))
    return Verifier.load(reference)


def describe(verifier: Verifier, results: Mapping[str, Any]) -> str:
    """A registered version's description: one screen a reviewer reads first."""
    settings = verifier.settings
    point = settings.operating_point
    lines = [
        f"**{verifier.version}** - {settings.encoder.backbone}, {settings.encoder.size} numbers, "
        f"{settings.preprocessing.lane} lane {settings.preprocessing.canvas_height_px} x "
        f"{settings.preprocessing.canvas_width_px} px",
        f"Trained on: {', '.join(settings.trained_on) or 'not stated'}. Terms: {settings.terms or 'not stated'}.",
        f"Operating point: policy {point.policy.name} {point.policy.version}, chosen on {point.chosen_on or 'nothing'} "
        f"({point.n_writers} writers){f', {PROVISIONAL}' if point.provisional else ''}.",
    ]
    if results:
        lines.append("```json\n" + json.dumps(results, indent=1, sort_keys=True)[:3000] + "\n```")
    return "\n\n".join(lines)


def _parse(reference: str) -> tuple[str, str | None, str | None]:
    found = _REFERENCE.match(reference)
    if found is None:
        raise BadInput(
            "not a registered verifier's name", got=reference, expected="models:/NAME/3 or models:/NAME@champion"
        )
    return found["name"], found["version"], found["alias"]


__all__ = ["DEFAULT_NAME", "Evidence", "Registered", "Registry", "describe", "open_verifier"]
