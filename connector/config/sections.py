"""The tables and keys of the configuration, with their defaults and what each may hold.

Nothing on the path of an alert reads a file: these objects are made once, at start, and handed to
whoever needs them. Every key is described in docs/configuration.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PrivateAttr,
    StrictBool,
    StrictInt,
    ValidationInfo,
    field_validator,
)

from connector.adapter import Duration, Settings
from connector.durations import parse_size
from connector.loopback import is_secure

LONGEST = timedelta(days=3650)
"""No duration here may be longer: a date that far back must still be a date."""

GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
NAMED_PAIRS = ("custom", "dimensions", "labels")
GROUP_FIELDS = ("rule", "resource", "resource_group", "subscription", "family", "service")
_SEVERITY = re.compile(r"(<=|>=|<|>|=)?\s*sev([0-4])", re.IGNORECASE)


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a duration must be longer than nothing here")
    return _countable(value)


def _countable(value: timedelta) -> timedelta:
    if value > LONGEST:
        raise ValueError(f"a duration of more than {LONGEST.days}d is surely a mistake")
    return value


def _size(value: object) -> int:
    size = value if type(value) is int else parse_size(value)
    if size < 1:
        raise ValueError("a size must be at least 1B")
    return size


def parse_address(value: str) -> tuple[str, int]:
    """Return host and port of `"127.0.0.1:8080"` or `"[::1]:8080"`; raises ValueError."""
    host, colon, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    well_formed = bool(colon and bare) and (bare == host) == (":" not in bare)
    if not well_formed or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError('an address is HOST:PORT, like "127.0.0.1:8080" or "[::1]:8080"')
    return bare, int(port)


def _address(value: str) -> str:
    parse_address(value)
    return value


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _guid(value: str) -> str:
    if not GUID.fullmatch(value):
        raise ValueError("must be a GUID (the directory id, not a domain name)")
    return value


def _authority(value: str) -> str:
    if value and (not is_secure(value) or {*"?#"} & {*value}):
        raise ValueError("must be an https address (http only on loopback) without user, query and fragment")
    return value


def _store_url(value: str) -> str:
    if value.startswith("sqlite:///"):
        if value.removeprefix("sqlite:///").partition("?")[0] in ("", ":memory:"):
            raise ValueError("names no file; a store in memory would lose what was answered 202")
        return value
    if not value.startswith("postgresql+psycopg://"):
        raise ValueError('must begin with "sqlite:///" (a file) or "postgresql+psycopg://"')
    if not _names_database(value):
        raise ValueError('must be like "postgresql+psycopg://user@host/database"')
    return value


def _names_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.port != 0 and bool(parts.path.strip("/"))
    except ValueError:  # its text would show a piece of the URL, maybe of a password
        return False


def _severity_condition(value: str) -> str:
    match = _SEVERITY.fullmatch(value.strip())
    if match is None:
        raise ValueError('a severity condition is like "<=Sev1" (operators <= >= < > =) or "Sev2"')
    return f"{match[1] or '='}Sev{match[2]}"


def _group_field(value: str) -> str:
    kind, dot, name = value.partition(".")
    if value in GROUP_FIELDS or (kind in NAMED_PAIRS and dot and name):
        return value
    near = get_close_matches(value, GROUP_FIELDS, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    valid = ", ".join((*GROUP_FIELDS, *(f"{kind}.NAME" for kind in NAMED_PAIRS)))
    raise ValueError(f"is no field to group by (those are {valid}){hint}")


Text = Annotated[str, AfterValidator(_filled)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Pairs = Mapping[Text, Text]


class Section(BaseModel):
    """A table of the configuration: unknown keys are faults, values are never shown in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class GatewayConfig(Section):
    """Where the gateway listens, and how large a body may be (`max_body`, in bytes)."""

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:8080"
    max_body: Annotated[int, BeforeValidator(_size)] = 512 * 1024

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return parse_address(self.listen)


class AuthConfig(Section):
    """Who may bring alerts. Empty `callers`: the cloud's action-group service."""

    tenant_id: Annotated[str, AfterValidator(_guid)]
    audiences: Annotated[tuple[Text, ...], Field(min_length=1)]
    cloud: Literal["public", "usgov", "china"] = "public"
    authority: Annotated[str, AfterValidator(_authority)] = ""
    callers: Annotated[tuple[Text, ...], Field(validate_default=True)] = ()
    required_role: str = "ActionGroupsSecureWebhook"
    subscriptions: tuple[Text, ...] = ()
    leeway: Annotated[Duration, AfterValidator(_countable)] = timedelta(minutes=2)

    @field_validator("callers")
    @classmethod
    def _china_names_its_callers(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("cloud") == "china" and not value:
            raise ValueError("must be set for the china cloud: its action-group service is not published")
        return value


class StoreConfig(Section):
    """Where alerts are kept and for how long; `keep_raw` is for the bodies as received."""

    url: Annotated[str, AfterValidator(_store_url), Field(repr=False)] = "sqlite:///var/itsm-connector.db"
    retention: PositiveDuration = timedelta(days=30)
    keep_raw: PositiveDuration = timedelta(days=7)

    @property
    def url_holds_password(self) -> bool:
        """Whether somebody wrote a password into the URL."""
        parts = urlsplit(self.url)
        return bool(parts.password or parse_qs(parts.query).get("password"))


class DeliveryConfig(Section):
    """The worker's patience. `timeout` is for one vendor call."""

    concurrency: Annotated[StrictInt, Field(ge=1, le=256)] = 16
    timeout: PositiveDuration = timedelta(seconds=10)
    first_backoff: PositiveDuration = timedelta(seconds=2)
    max_backoff: PositiveDuration = timedelta(minutes=5)
    give_up_after: PositiveDuration = timedelta(days=3)

    @field_validator("max_backoff")
    @classmethod
    def _no_shorter_than_the_first(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value < info.data.get("first_backoff", value):
            raise ValueError("must not be shorter than first_backoff")
        return value


class MatchConfig(Section):
    """The conditions of a route; all that are set must hold.

    Texts are globs, compared in lower case; `severity` is kept with its operator, as `<=Sev1`.
    """

    severity: Annotated[str, AfterValidator(_severity_condition)] | None = None
    subscription: Text | None = None
    resource_group: Text | None = None
    resource: Text | None = None
    resource_type: Text | None = None
    service: Text | None = None
    family: Text | None = None
    rule: Text | None = None
    custom: Pairs = Field(default_factory=dict)
    dimensions: Pairs = Field(default_factory=dict)
    labels: Pairs = Field(default_factory=dict)


class RouteConfig(Section):
    """Which alerts go to which destinations, and what makes one episode of them."""

    name: Text
    match: MatchConfig = MatchConfig()
    destinations: Annotated[tuple[Text, ...], Field(min_length=1)]
    group_by: tuple[Annotated[str, AfterValidator(_group_field)], ...] = ()
    continue_: StrictBool = Field(default=False, alias="continue")


class Config(Section):
    """The whole configuration. `destinations` holds what each adapter's own settings class made."""

    config_version: Literal[1] = 1
    gateway: GatewayConfig = GatewayConfig()
    auth: AuthConfig
    store: StoreConfig = StoreConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    destinations: Mapping[str, InstanceOf[Settings]] = Field(default_factory=dict)
    routes: tuple[RouteConfig, ...] = ()
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but probably not meant."""
        return self._warnings
