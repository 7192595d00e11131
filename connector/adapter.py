"""The one page a vendor author reads: what an adapter is, gets, answers and raises.

An adapter stands at the end of the path of an alert: a worker hands it a `Notice`, it speaks to
one kind of vendor and answers with a `Receipt` or raises a `DeliveryError`. It never retries,
waits, stores or routes: all of that is the worker's.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from connector.durations import parse_duration
from connector.model import Findings, Notice, Preview, Receipt

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
"""A setting like `"5m"`, `"24h"` or `"7d"`."""


class Reason(StrEnum):
    """Why a delivery failed. The worker's table (docs/failures) says what follows from each."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate-limited"
    VENDOR_FAULT = "vendor-fault"
    UNAUTHORIZED = "unauthorized"
    REJECTED = "rejected"
    AMBIGUOUS = "ambiguous"
    ADAPTER_FAULT = "adapter-fault"


class Scope(StrEnum):
    """Whether a failure concerns this one item or everything sent to the destination."""

    ITEM = "item"
    DESTINATION = "destination"


_DESTINATION_WIDE = frozenset(
    {Reason.UNREACHABLE, Reason.TIMEOUT, Reason.RATE_LIMITED, Reason.VENDOR_FAULT, Reason.UNAUTHORIZED}
)
_SURELY_NOT_DONE = frozenset({Reason.RATE_LIMITED, Reason.UNAUTHORIZED, Reason.REJECTED})


class DeliveryError(Exception):
    """A delivery failed.

    `message` is a sentence an administrator can act on; it carries no secret and no personal data.
    `scope` defaults by reason. `retry_after` is what the vendor asked for. `maybe_done` says that
    the vendor may have done it all the same (default by reason), so that the next try looks first.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        scope: Scope | None = None,
        retry_after: timedelta | None = None,
        maybe_done: bool | None = None,
    ) -> None:
        self.reason = reason
        self.message = message.replace("\x00", "")  # a vendor's words; no database keeps this character
        super().__init__(self.message)
        self.scope = scope or (Scope.DESTINATION if reason in _DESTINATION_WIDE else Scope.ITEM)
        self.retry_after = retry_after
        self.maybe_done = reason not in _SURELY_NOT_DONE if maybe_done is None else maybe_done

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class SecretError(Exception):
    """A secret is named in the configuration but cannot be read now; says where, never what."""


class Secret:
    """A secret by reference: `{ env = "NAME" }` or `{ file = "path" }`. Prints as `***`.

    The value is read at each use, so that a changed file or a rotated mount is seen without a
    restart. A trailing line break of a file does not belong to it.
    """

    __slots__ = ("_env", "_file")

    def __init__(self, *, env: str | None = None, file: str | None = None) -> None:
        self._env = env
        self._file = file

    @property
    def source(self) -> str:
        """Where it is read from, for messages: `env NAME` or `file PATH`."""
        return f"env {self._env}" if self._env is not None else f"file {self._file}"

    def reveal(self) -> str:
        """Return the value now; raises SecretError."""
        value = os.environ.get(self._env) if self._env is not None else self._read_file()
        if not value:
            raise SecretError(f"the secret from {self.source} is missing or empty")
        return value

    def _read_file(self) -> str:
        try:
            return Path(self._file or "").read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(f"the secret from {self.source} cannot be read") from error

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    @classmethod
    def _validate(cls, value: Any) -> Secret:
        if isinstance(value, Secret):
            return value
        if isinstance(value, dict) and len(value) == 1:
            (kind, where), *_ = value.items()
            if kind in ("env", "file") and isinstance(where, str) and where:
                return cls(**{kind: where})
        raise ValueError('a secret is given by reference: { env = "NAME" } or { file = "path" }')

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._validate)


class Settings(BaseModel):
    """The settings that every destination has; a vendor's own class extends them.

    `namespace` is part of the correlation value; the destination's name where it is empty.
    `on_test` says what becomes of portal test notifications: delivered, or stored only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    adapter: str
    namespace: str = ""
    on_test: Literal["deliver", "store"] = "deliver"


S = TypeVar("S", bound=Settings)


class Adapter(ABC, Generic[S]):
    """Delivers to one kind of vendor. One instance serves one destination and many threads."""

    settings_type: ClassVar[type[Settings]]

    def __init__(self, settings: S, *, destination: str, timeout: timedelta = timedelta(seconds=10)) -> None:
        """`timeout` is what one call to the vendor may take ([delivery] timeout); keeping it is the adapter's."""
        self.settings = settings
        self.destination = destination
        self.timeout = timeout

    @abstractmethod
    def deliver(self, notice: Notice) -> Receipt:
        """Bring the notice to the vendor; raises DeliveryError and nothing else."""

    @abstractmethod
    def preview(self, notice: Notice) -> Preview:
        """Return what would be sent to open a work item for it, without asking anybody."""

    @abstractmethod
    def check(self) -> Findings:
        """Ask the vendor whether we can sign in and find what we need; never writes.

        What the vendor answers is a finding, a refusal of our credentials included. A vendor that
        cannot be asked at all is a DeliveryError: `check --online` tells the two apart by exit code.
        """

    def close(self) -> None:
        """Let go of connections; the instance is not used afterwards."""
