"""What the configuration says of a mock desk: where it is kept, its CIs, and how it shall fail."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, NonNegativeInt, model_validator

from connector.adapter import Duration, Reason
from connector.lifecycle import WorkItemSettings
from connector.vendor_http import is_loopback, vendor_url


def _loopback_url(value: str) -> str:
    url = vendor_url(value)
    if not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError("a mock desk is only spoken to on this machine, like http://127.0.0.1:8099")
    return url


class MockSettings(WorkItemSettings):
    """The settings of a mock desk.

    `path` is its JSON file, `url` a desk in another process (`python -m adapters.mock.server`);
    with neither it lives in memory. `cis` maps an ARM id or a bare name to the name of a CI.
    `fail` is how calls that write fail, the first `fail_times` of them (absent: all);
    `lose_answers` is how many writes are done although their answer is lost.
    """

    path: str | None = None
    url: Annotated[str, AfterValidator(_loopback_url)] | None = None
    cis: dict[str, str] = Field(default_factory=dict)
    fail: Reason | Literal[""] = ""
    fail_times: NonNegativeInt | None = None
    latency: Duration = timedelta(0)
    lose_answers: NonNegativeInt = 0

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.path is not None and self.url is not None:
            raise ValueError("a mock desk is kept at `path` or at `url`, not at both")
        return self
