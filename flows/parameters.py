"""What each flow is asked: pydantic models that become the forms of Prefect's pages and the API's checks.

They hold ids, paths and settings only. Prefect keeps parameters in its database and logs them when one is wrong, so
nothing about a person belongs here. A path is read on the machine of the worker, so it is absolute.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

# An unset environment variable leaves "{{ $NAME }}" in a deployed path: two braces are refused by the form and the API.
Folder = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\r\n]+$")]
BatchId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
        description="One batch; leave empty to take every batch that is still open.",
        examples=["2026-11-20-branch-7"],
    ),
]
Reference = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        pattern=r"^(default|models:/[^/@\s]+(/\d+|@[\w-]+)|[^:\r\n]+)$",
        description="default (the one that ships), models:/NAME@champion, models:/NAME/3, or a bundle folder.",
        examples=["default", "models:/sigverify@champion"],
    ),
]


class Request(BaseModel):
    """What every flow needs: where the catalogue is. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    catalogue: Folder = Field(
        description="Folder holding catalogue.db and the images, as the worker sees it.",
        examples=["/srv/sigverify/catalogue"],
    )

    @field_validator("catalogue", "landing", "export_to", "out", check_fields=False)
    @classmethod
    def _no_open_placeholder(cls, value: str | None) -> str | None:
        if value is not None and "{{" in value:
            raise ValueError(f"{value} was not filled in; set that environment variable where `prefect deploy` runs")
        return value


Shown = Literal["synthetic", "research", "biometric"]


class Delivery(Request):
    """A day's scans: the landing folder to look through, and the day they belong to."""

    landing: Folder = Field(
        description="Folder in which the bank puts deliveries: one that holds a manifest.csv, or a folder of such. "
        "{date} stands for the business date.",
        examples=["/srv/sigverify/landing", "/srv/sigverify/landing/{date}"],
    )
    business_date: date | None = Field(
        default=None,
        description="The day the delivery belongs to; empty: the day for which the run was scheduled.",
        examples=["2026-11-20"],
    )
    classification: Shown = Field(
        default="biometric", description="How the scans may be shown: whose signatures they are."
    )
    time_zone: str = Field(
        default="UTC", description="IANA time zone in which that day is read off.", examples=["Europe/Zurich"]
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value} is no IANA time zone; give one like Europe/Zurich") from error
        return value

    def day(self, scheduled: datetime | None) -> date:
        """The business date: as given, else the scheduled start in `time_zone`. Not a late worker's clock."""
        if self.business_date is not None:
            return self.business_date
        zone = ZoneInfo(self.time_zone)
        return scheduled.astimezone(zone).date() if scheduled else datetime.now(zone).date()

    def folder(self, day: date) -> str:
        """The landing folder of a day."""
        return self.landing.replace("{date}", day.isoformat())


class Enrolment(Request):
    """Whose references become templates, and for which verifier."""

    verifier: Reference = "default"
    references: Folder | None = Field(
        default=None,
        description="Folder with a manifest.csv of references to add first; empty: those the catalogue holds.",
        examples=["/srv/sigverify/references"],
    )
    classification: Shown = Field(default="biometric", description="How the references added may be shown.")
    writer_ids: list[str] | None = Field(
        default=None,
        description="Pseudonymous ids of the writers to enrol; empty: every writer with references.",
        examples=[["w-000123", "w-000124"]],
    )
    withdraw: list[str] = Field(
        default=[], description="Ids of signatures that are no references any more: filed under a wrong name, say."
    )
    max_references: int = Field(default=10, ge=1, le=10, description="References a template holds at most.")


class Verification(Request):
    """How a batch is decided and where its decisions go."""

    verifier: Reference = "default"
    shard_size: int = Field(
        default=1000, ge=1, le=5000, description="Items one task decides, and repeats when it fails."
    )
    export_to: Folder | None = Field(
        default=None,
        description="Folder for decisions.parquet, decisions.csv and the report; empty: exports/ in the catalogue.",
        examples=["/srv/sigverify/out"],
    )
    allow_unreconciled: bool = Field(
        default=False, description="Export although the totals do not add up; the report says so all the same."
    )
    pictures: Literal["none", "synthetic", "all"] = Field(
        default="synthetic",
        description="Which signatures a report may show. A signature is biometric data: `all` needs the bank's leave.",
    )


class Retraining(Request):
    """A candidate verifier: where it starts, how long it learns, and under which name it is registered.

    Writers of the training part teach it, writers of the calibration part choose its thresholds, test writers only
    measure it. The candidate gets the alias challenger; promoting it is somebody else's decision.
    """

    out: Folder = Field(
        description="Folder for checkpoints, history and the bundle; the same folder again goes on where it stopped.",
        examples=["/srv/sigverify/training/2026-11"],
    )
    initial: Reference | None = Field(default=None, description="Verifier whose weights it starts from; empty: none.")
    train_writers: list[str] | None = Field(
        default=None, description="Ids of the writers it learns from; empty: the training part of the protocol."
    )
    calibration_writers: list[str] | None = Field(
        default=None, description="Ids of the writers that choose its thresholds; empty: the calibration part."
    )
    backbone: str = Field(
        default="mobilenetv3_small_100",
        pattern=r"^[a-z0-9_.]+$",
        description="Name of a timm backbone; not asked when it starts from another verifier.",
        examples=["mobilenetv3_small_100", "resnet18"],
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Optimiser steps: the budget; empty: 300 from another verifier, else 2,000.",
    )
    seed: int = Field(default=0, ge=0, description="Same seed, same data, same machine: same verifier.")
    measure: bool = Field(default=True, description="Measure the candidate on the test writers and log the figures.")
    experiment: str = Field(default="retrain", min_length=1, description="MLflow experiment that holds the run.")
    registered_name: str = Field(
        default="sigverify", pattern=r"^[\w.-]+$", description="Registered model that gets a new version."
    )
    tracking: str | None = Field(
        default=None,
        description="MLflow tracking address; empty: MLFLOW_TRACKING_URI of the worker.",
        examples=["sqlite:////srv/sigverify/mlflow.db"],
    )
