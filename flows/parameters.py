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
Folder = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\r\n\0]+$")]
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

    @field_validator("catalogue", "landing", "export_to", check_fields=False)
    @classmethod
    def _no_open_placeholder(cls, value: str | None) -> str | None:
        if value is not None and "{{" in value:
            raise ValueError(f"{value} was not filled in; set that environment variable where `prefect deploy` runs")
        return value


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
    writer_ids: list[str] | None = Field(
        default=None,
        description="Pseudonymous ids of the writers to enrol; empty: every writer with references.",
        examples=[["w-000123", "w-000124"]],
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
    pictures: Literal["none", "synthetic", "all"] = Field(
        default="synthetic",
        description="Which signatures a report may show. A signature is biometric data: `all` needs the bank's leave.",
    )


class Retraining(Request):
    """A candidate verifier: what it learns from, how long, and under which name it is registered."""

    train_part: Literal["train"] = Field(default="train", description="Writers the encoder learns from.")
    calibration_part: Literal["calibration"] = Field(
        default="calibration", description="Writers the thresholds are chosen on; never those of training or test."
    )
    backbone: str = Field(
        default="mobilenetv3_small_100",
        pattern=r"^[a-z0-9_.]+$",
        description="Name of a timm backbone.",
        examples=["mobilenetv3_small_100", "resnet18"],
    )
    steps: int = Field(default=2000, ge=1, le=1_000_000, description="Optimiser steps: the budget.")
    seed: int = Field(default=0, ge=0, description="Same seed, same data, same machine: same verifier.")
    experiment: str = Field(default="sigverify", min_length=1, description="MLflow experiment that holds the run.")
    registered_name: str = Field(
        default="sigverify",
        pattern=r"^[\w.-]+$",
        description="Registered model that gets a new version, alias challenger.",
    )
