"""Reading the configuration: every key, every fault at once, no secret in a message (connector.config)."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, StrictInt, field_validator

from connector.adapter import Adapter, Secret, Settings
from connector.config import Config, ConfigError, load, parse_address
from connector.config.faults import keys_of, models_in
from connector.lifecycle import WorkItemSettings
from connector.model import Findings, Notice, Preview, Receipt
from connector.registry import Registry

ROOT = Path(__file__).parent.parent
TENANT = "5b0e9a52-61d4-4f0a-8c7e-2d9a4b3c1f60"
AUTH = f'[auth]\ntenant_id = "{TENANT}"\naudiences = ["api://gateway"]\n'
MINIMAL = AUTH + '[destinations.pager]\nadapter = "pager"\n[[routes]]\nname = "all"\ndestinations = ["pager"]\n'
HUSH = "correct-horse-battery"
SET, UNSET = "ITSM_TEST_SECRET_THAT_IS_SET", "ITSM_TEST_SECRET_THAT_IS_NOT_SET"


class Part(BaseModel):
    """A nested table of a destination."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ByPassword(Part):
    """Signs in with user and password; its check is careless with values, as a vendor's may be."""

    type: Literal["basic"]
    user: str
    password: Secret
    realm_password: str = ""

    @field_validator("realm_password")
    @classmethod
    def _careless(cls, value: str) -> str:
        if value:
            raise ValueError(f"cannot use {value}")
        return value


class ByToken(Part):
    """Signs in with a token."""

    type: Literal["token"]
    token: Secret


class PagerSettings(Settings):
    """The settings of an adapter that is not ours."""

    speed: int = 1
    auth: Annotated[ByPassword | ByToken, Field(discriminator="type")] | None = None
    lines: tuple[ByToken, ...] = ()
    mode: Literal["off"] | StrictInt = "off"


class Pager(Adapter[PagerSettings]):
    """An adapter that is not ours."""

    settings_type: ClassVar[type[Settings]] = PagerSettings

    def deliver(self, notice: Notice) -> Receipt:
        raise NotImplementedError

    def preview(self, notice: Notice) -> Preview:
        raise NotImplementedError

    def check(self) -> Findings:
        return ()


class OnlyPager:
    """Knows one adapter."""

    def adapter_class(self, name: str) -> type[Adapter[Any]]:
        if name != "pager":
            raise LookupError(f"no adapter {name!r} is installed; there are: pager")
        return Pager


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Any]:
    """Writes a configuration file; one environment variable holds a secret while it is used."""
    os.environ[SET] = HUSH
    os.environ.pop(UNSET, None)
    path = tmp_path / "connector.toml"

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        return path

    yield write
    del os.environ[SET]


def faults(path: Path, **how: bool) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(path, OnlyPager(), **how)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_defaults_are_those_of_the_page(write: Any) -> None:
    """A file with only what is required gets every default of the public contract."""
    config = load(write(MINIMAL), OnlyPager())
    assert (config.config_version, config.gateway.listen, config.gateway.max_body) == (1, "127.0.0.1:8080", 524288)
    assert config.gateway.address == ("127.0.0.1", 8080)
    auth, store, delivery = config.auth, config.store, config.delivery
    assert (auth.cloud, auth.authority, auth.callers, auth.subscriptions) == ("public", "", (), ())
    assert (auth.required_role, auth.leeway) == ("ActionGroupsSecureWebhook", timedelta(minutes=2))
    assert store.url == "sqlite:///var/itsm-connector.db"
    assert (store.retention, store.keep_raw) == (timedelta(days=30), timedelta(days=7))
    assert (delivery.concurrency, delivery.timeout) == (16, timedelta(seconds=10))
    assert (delivery.first_backoff, delivery.max_backoff) == (timedelta(seconds=2), timedelta(minutes=5))
    assert delivery.give_up_after == timedelta(days=3)
    assert (config.routes[0].group_by, config.routes[0].continue_, config.warnings) == ((), False, ())


def test_a_destination_is_read_by_the_class_of_its_adapter(write: Any) -> None:
    """The settings are of the adapter's own class, nested tables and secrets included."""
    secret = f'auth = {{ type = "basic", user = "bot", password = {{ env = "{SET}" }} }}\n'
    config = load(write(MINIMAL.replace('adapter = "pager"\n', f'adapter = "pager"\nspeed = 3\n{secret}')), OnlyPager())
    settings = config.destinations["pager"]
    assert isinstance(settings, PagerSettings)
    assert isinstance(settings.auth, ByPassword)
    assert (settings.speed, settings.auth.password.reveal()) == (3, HUSH)
    assert HUSH not in repr(config)


def test_conditions_are_read_from_nested_tables(write: Any) -> None:
    """`custom.team = "db"` inside an inline table is a condition on the custom property `team`."""
    match = 'match = { severity = "<= sev1", custom.team = "db", labels."a.b" = "*" }\ncontinue = true\n'
    route = load(write(MINIMAL + match), OnlyPager()).routes[0]
    assert (route.match.severity, route.continue_) == ("<=Sev1", True)
    assert (route.match.custom, route.match.labels) == ({"team": "db"}, {"a.b": "*"})


def test_every_fault_is_named_at_once(write: Any) -> None:
    """One reading finds the faults of every part: sections, destinations, routes and secrets."""
    text = f"""
gatway = 1
[gateway]
listn = "x"
[auth]
tenant_id = "acme.example"
audiences = []
[destinations.pager]
adapter = "pager"
sped = 2
auth = {{ type = "token", token = {{ env = "{UNSET}" }} }}
[destinations.other]
adapter = "pagr"
[[routes]]
name = "one"
match = {{ sverity = "Sev1" }}
destinations = ["pagr"]
[[routes]]
name = "one"
destinations = ["pager"]
"""
    found = faults(write(text))
    assert found["gatway"] == 'unknown key; did you mean "gateway"?'
    assert found["gateway.listn"] == 'unknown key; did you mean "listen"?'
    assert "GUID" in found["auth.tenant_id"]
    assert found["auth.audiences"] == "must not be empty"
    assert found["destinations.pager.sped"] == 'unknown key; did you mean "speed"?'
    assert UNSET in found["destinations.pager.auth.token"]
    assert "there are: pager" in found["destinations.other.adapter"]
    assert found["routes[0].match.sverity"] == 'unknown key; did you mean "severity"?'
    assert 'did you mean "pager"?' in found["routes[0].destinations[0]"]
    assert "routes[0]" in found["routes[1].name"]
    assert len(found) == 10


def test_the_error_prints_one_line_per_fault(write: Any) -> None:
    """The text of the error names the file, the number of faults, and each with its path."""
    path = write(MINIMAL + "continu = true\n")
    with pytest.raises(ConfigError) as caught:
        load(path, OnlyPager())
    assert str(caught.value) == f'{path}: 1 fault\n  routes[0].continu: unknown key; did you mean "continue"?'


FAULTY = [
    ("[gateway]\nlisten = '8080'", "gateway.listen", "HOST:PORT"),
    ("[gateway]\nlisten = 'localhost:70000'", "gateway.listen", "HOST:PORT"),
    ("[gateway]\nlisten = '::1:80'", "gateway.listen", "HOST:PORT"),
    ("[gateway]\nmax_body = '12'", "gateway.max_body", "KiB"),
    ("[gateway]\nmax_body = true", "gateway.max_body", "KiB"),
    ("[gateway]\nmax_body = '0B'", "gateway.max_body", "at least"),
    ("gateway = 4", "gateway", "table"),
    ("[store]\nurl = 'mysql://h/d'", "store.url", "sqlite:///"),
    ("[store]\nurl = 'postgresql://h/d'", "store.url", "postgresql+psycopg://"),
    ("[store]\nurl = 'postgresql+psycopg://h'", "store.url", "/database"),
    ("[store]\nurl = 'sqlite:///:memory:'", "store.url", "no file"),
    ("[store]\nurl = 'sqlite:///'", "store.url", "no file"),
    ("[store]\nretention = '0s'", "store.retention", "longer"),
    ("[store]\nkeep_raw = '4000d'", "store.keep_raw", "3650d"),
    ("[store]\nkeep_raw = 7", "store.keep_raw", "5m"),
    ("[delivery]\nconcurrency = 0", "delivery.concurrency", "1"),
    ("[delivery]\nconcurrency = 257", "delivery.concurrency", "256"),
    ("[delivery]\nconcurrency = '16'", "delivery.concurrency", "whole number"),
    ("[delivery]\ntimeout = '0ms'", "delivery.timeout", "longer"),
    ("[delivery]\nfirst_backoff = '1m'\nmax_backoff = '59s'", "delivery.max_backoff", "first_backoff"),
    ("config_version = 2", "config_version", "must be 1"),
    ("destinations = 3", "destinations", "table"),
    ("destinations.pager = 3", "destinations.pager", "table"),
    ("destinations.pager.speed = 3", "destinations.pager.adapter", "required"),
    ("destinations.pager.adapter = 3", "destinations.pager.adapter", "text"),
    ('destinations." ".adapter = "pager"', 'destinations." "', "printable"),
    ('[destinations."a b"]\nadapter = "pager"\nsped = 1', 'destinations."a b".sped', "speed"),
    ("routes = 3", "routes", "list"),
    ("routes = [3]", "routes[0]", "table"),
]


@pytest.mark.parametrize(("text", "path", "words"), FAULTY)
def test_what_a_key_may_not_hold(write: Any, text: str, path: str, words: str) -> None:
    """Each wrong value is the only fault of its file, under the path of its key."""
    found = faults(write(f"{text}\n{AUTH}"))
    assert list(found) == [path]
    assert words in found[path]


AUTH_FAULTS = [
    ("cloud = 'mars'", "auth.cloud", "usgov"),
    ("cloud = 'china'", "auth.callers", "china"),
    ("authority = 'http://login.example'", "auth.authority", "https"),
    ("authority = 'https://user@login.example'", "auth.authority", "https"),
    ("authority = 'https://login.example?x=1'", "auth.authority", "https"),
    ("authority = 'https://login.example:port'", "auth.authority", "https"),
    ("leeway = '-1s'", "auth.leeway", "5m"),
    ("callers = ['']", "auth.callers[0]", "empty"),
    ("subscriptions = 'all'", "auth.subscriptions", "list"),
]


@pytest.mark.parametrize(("line", "path", "words"), AUTH_FAULTS)
def test_what_auth_may_not_hold(write: Any, line: str, path: str, words: str) -> None:
    """Each wrong line of [auth] is the only fault of its file, under the path of its key."""
    found = faults(write(AUTH + line))
    assert list(found) == [path]
    assert words in found[path]


@pytest.mark.parametrize(
    "line",
    [
        f"cloud = 'china'\ncallers = ['{TENANT}']",
        "authority = 'https://login.example:8443/path/'",
        "authority = 'http://127.0.0.1:9000'",
        "authority = 'http://[::1]:9000'",
        "authority = 'http://localhost:9000'",
        "required_role = ''",
        "leeway = '0s'",
    ],
)
def test_what_auth_may_hold(write: Any, line: str) -> None:
    """China with callers, a local issuer, no role and no leeway are all allowed."""
    assert load(write(AUTH + line), OnlyPager()).auth.tenant_id == TENANT


ROUTE_FAULTS = [
    ("group_by = ['rul']", "routes[0].group_by[0]", 'did you mean "rule"'),
    ("group_by = ['rule', 'custom.']", "routes[0].group_by[1]", "custom.NAME"),
    ("group_by = 'rule'", "routes[0].group_by", "list"),
    ("match = { severity = '<=Sev5' }", "routes[0].match.severity", "<=Sev1"),
    ("match = { severity = '=>Sev1' }", "routes[0].match.severity", "<=Sev1"),
    ("match = { rule = '' }", "routes[0].match.rule", "empty"),
    ("match = { rule = ['a'] }", "routes[0].match.rule", "text"),
    ("match = { custom = 'db' }", "routes[0].match.custom", "table"),
    ("match = { custom.team = 3 }", "routes[0].match.custom.team", "text"),
    ("continue = 'yes'", "routes[0].continue", "true or false"),
    ("continue_ = true", "routes[0].continue_", 'did you mean "continue"'),
]


@pytest.mark.parametrize(("line", "path", "words"), ROUTE_FAULTS)
def test_what_a_route_may_not_hold(write: Any, line: str, path: str, words: str) -> None:
    """Each wrong line of a route is the only fault of its file, under the path of its key."""
    found = faults(write(MINIMAL + line))
    assert list(found) == [path]
    assert words in found[path]


@pytest.mark.parametrize("field", ["rule", "resource", "resource_group", "subscription", "family", "service"])
@pytest.mark.parametrize("named", ["custom.team", "dimensions.a.b", "labels.pod"])
def test_what_can_be_grouped_by(write: Any, field: str, named: str) -> None:
    """Each field of the page is accepted, and pairs by name."""
    config = load(write(f"{MINIMAL}group_by = ['{field}', '{named}']"), OnlyPager())
    assert config.routes[0].group_by == (field, named)


AUTH_TABLES = [
    ("auth = { type = 'basic', usr = 'x', password = { env = 'X' } }", "auth.usr", 'did you mean "user"?'),
    ("auth = { type = 'token', usr = 'x', token = { env = 'X' } }", "auth.usr", "there are: type, token"),
    ("auth = { type = 'basic', user = 'x' }", "auth.password", "required"),
    ("auth = { type = 'basc', user = 'x' }", "auth", "'basic', 'token'"),
    ("auth = { user = 'x' }", "auth", 'needs a "type"'),
    ("lines = [{ type = 'token', tokn = 'x' }]", "lines[0].tokn", 'did you mean "token"?'),
    ("speed = 'fast'", "speed", "integer"),
    ("mode = 'slow'", "mode", "must be 'off'; or must be a whole number"),
]


@pytest.mark.parametrize(("line", "path", "words"), AUTH_TABLES)
def test_faults_of_an_adapters_own_settings_carry_the_full_path(write: Any, line: str, path: str, words: str) -> None:
    """A vendor's nested and alternative tables give paths as written, without names of classes or variants."""
    found = faults(write(f"{AUTH}[destinations.pager]\nadapter = 'pager'\n{line}"), read_secrets=False)
    assert words in found[f"destinations.pager.{path}"]
    assert all("ByToken" not in key and ".basic" not in key for key in found)


@pytest.mark.parametrize(
    "line",
    [
        f"auth = {{ type = 'basic', user = 'x', password = '{HUSH}' }}",
        f"auth = {{ type = 'token', token = ['{HUSH}'] }}",
        f"auth = {{ type = 'basic', user = 'x', password = {{ value = '{HUSH}' }} }}",
        f"auth = {{ type = 'token', token = {{ env = '{HUSH}' }} }}",
        f"auth = '{HUSH}'",
        f"token = '{HUSH}'",
        f"auth = {{ type = 'basic', user = 'x', password = {{ env = '{SET}' }}, realm_password = '{HUSH}' }}",
    ],
)
def test_no_message_shows_a_secret(write: Any, line: str) -> None:
    """Whatever way a literal secret is written, it is a fault, and the fault does not show it."""
    path = write(f"{AUTH}[destinations.pager]\nadapter = 'pager'\n{line}")
    with pytest.raises(ConfigError) as caught:
        load(path, OnlyPager())
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert all(HUSH not in f"{each} {each!r}" for each in chain)
    assert "destinations.pager" in str(caught.value)


@pytest.mark.parametrize("url", [f"postgresql+psycopg://u:{HUSH}/x@h/d", f"postgresql+psycopg://u:{HUSH}@h:0/d"])
def test_a_faulty_store_url_is_not_shown(write: Any, url: str) -> None:
    """A password inside a URL that cannot be read stays out of the message."""
    assert HUSH not in str(faults(write(f"[store]\nurl = '{url}'\n{AUTH}")))


def test_a_literal_secret_is_told_how_to_be_written(write: Any) -> None:
    """The message for a secret in plain text says both ways to name it."""
    line = "auth = { type = 'token', token = 'abc' }"
    found = faults(write(f"{AUTH}[destinations.pager]\nadapter = 'pager'\n{line}"))
    assert '{ env = "NAME" } or { file = "path" }' in found["destinations.pager.auth.token"]


@pytest.mark.parametrize("more", ["", "sped = 1\n"])
def test_secrets_that_cannot_be_read_are_faults(write: Any, tmp_path: Path, more: str) -> None:
    """A file that is not there and a variable that is not set are named, beside other faults too."""
    lines = f"lines = [{{ type = 'token', token = {{ env = '{UNSET}' }} }}]\n{more}"
    auth = f"auth = {{ type = 'token', token = {{ file = '{tmp_path}/none' }} }}\n"
    path = write(f"{AUTH}[destinations.pager]\nadapter = 'pager'\n{lines}{auth}")
    found = faults(path)
    assert f"{tmp_path}/none" in found["destinations.pager.auth.token"]
    assert UNSET in found["destinations.pager.lines[0].token"]
    assert ("destinations.pager.sped" in found) is bool(more)


def test_a_command_that_needs_no_secrets_reads_none(write: Any) -> None:
    """With `read_secrets=False` a secret that is not there is no fault."""
    line = f"auth = {{ type = 'token', token = {{ env = '{UNSET}' }} }}"
    path = write(f"{AUTH}[destinations.pager]\nadapter = 'pager'\n{line}")
    assert "pager" in load(path, OnlyPager(), read_secrets=False).destinations


def test_a_secret_file_is_read(write: Any, tmp_path: Path) -> None:
    """A secret by file is no fault when the file holds something, and one when it is empty."""
    (tmp_path / "token").write_text("abc\n", encoding="utf-8")
    line = f"auth = {{ type = 'token', token = {{ file = '{tmp_path}/token' }} }}"
    path = write(f"{AUTH}[destinations.pager]\nadapter = 'pager'\n{line}")
    assert "pager" in load(path, OnlyPager()).destinations
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    assert "empty" in faults(path)["destinations.pager.auth.token"]


def test_syntax_errors_say_where(write: Any) -> None:
    """What is not TOML is one fault with line and column."""
    assert "line 2" in faults(write('[gateway]\nlisten = "x\n'))[""]


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a = " + b"[" * 100_000, b"a = " + b"9" * 5000])
def test_files_beyond_reading(tmp_path: Path, text: bytes) -> None:
    """Wrong encoding, endless nesting and endless numbers are one fault, not a trace."""
    (tmp_path / "bad.toml").write_bytes(text)
    assert list(faults(tmp_path / "bad.toml")) == [""]


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    """The error for a file that is not there names it."""
    with pytest.raises(ConfigError, match=r"none\.toml: 1 fault\n  cannot be read: No such file"):
        load(tmp_path / "none.toml", OnlyPager())


def test_nothing_required_means_two_faults(write: Any) -> None:
    """An empty file lacks exactly [auth]; an empty [auth] its two required keys."""
    assert faults(write("")) == {"auth": "is required"}
    assert faults(write("[auth]")) == dict.fromkeys(("auth.tenant_id", "auth.audiences"), "is required")


WARNED = [
    (MINIMAL + "[destinations.spare]\nadapter = 'pager'\n", "destinations.spare: no route names it"),
    (AUTH, "routes: there are none"),
    (MINIMAL + "[[routes]]\nname = 'late'\ndestinations = ['pager']\n", "routes[1]: is never reached"),
    (MINIMAL.replace("[destinations", "callers = ['me']\n[destinations"), "auth.callers[0]: is not a GUID"),
    (f"[store]\nurl = 'postgresql+psycopg://u:{HUSH}@h/d'\n{MINIMAL}", "store.url: holds a password"),
    (f"[store]\nurl = 'postgresql+psycopg://h/d?password={HUSH}'\n{MINIMAL}", "store.url: holds a password"),
]


@pytest.mark.parametrize(("text", "words"), WARNED)
def test_what_is_hardly_meant_is_a_warning(write: Any, text: str, words: str) -> None:
    """What is allowed but odd is said once, and shows no secret."""
    config = load(write(text), OnlyPager())
    assert [warning.startswith(words) for warning in config.warnings] == [True]
    assert HUSH not in f"{config.warnings} {config!r}"


def test_warnings_cannot_be_written(write: Any) -> None:
    """`warnings` is no key of the file."""
    assert list(faults(write(f"warnings = ['x']\n{MINIMAL}"))) == ["warnings"]


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:0", ("::1", 0)), ("localhost:1", ("localhost", 1))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    """Host and port come apart, brackets fall off."""
    assert parse_address(text) == address


@pytest.mark.parametrize("name", ["connector.example.toml", "mock.toml"])
def test_shipped_files_load_without_a_warning(name: str) -> None:
    """What is shipped in conf/ is right as it stands, with the installed adapters."""
    config = load(ROOT / "conf" / name, Registry())
    assert config.warnings == ()
    assert config.gateway.address == ("127.0.0.1", 8080)


def all_keys(model: type[BaseModel]) -> set[str]:
    inner = (each for field in model.model_fields.values() for each in models_in(field.annotation))
    return set(keys_of([model])).union(*(all_keys(each) for each in inner if each is not Settings))


KEYS = sorted(all_keys(Config) | set(keys_of([WorkItemSettings])))


def test_the_keys_are_found() -> None:
    """The next test would prove nothing if it were given no keys of the inner tables."""
    assert {"listen", "give_up_after", "resource_type", "continue", "on_test", "reopen_within"} <= set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_in_the_example_and_on_the_page(key: str) -> None:
    """No key of the models is missing from conf/connector.example.toml or docs/configuration.md."""
    example = (ROOT / "conf/connector.example.toml").read_text(encoding="utf-8").splitlines()
    written = (f"{key} = ", f"{key}.", f"[{key}]", f"[{key}.", f"[[{key}]]", f"[routes.{key}]")
    assert any(line.startswith(written) for line in example)
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert f"\n| `{key}` |" in page or f"\n## `[{key}]`" in page or f"`[[{key}]]`" in page or f"## `[{key}." in page


def test_every_key_of_the_mock_desk_is_on_the_page() -> None:
    """The page describes the adapter that comes with the product, key by key, and the example names each."""
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    example = (ROOT / "conf/connector.example.toml").read_text(encoding="utf-8")
    keys = keys_of([Registry().adapter_class("mock").settings_type])
    assert [key for key in keys if f"\n| `{key}` |" not in page] == []
    assert [key for key in keys if not re.search(rf"\b{key}\b", example)] == []


def test_the_defaults_of_the_example_are_the_defaults() -> None:
    """Sections of the example that show defaults hold exactly these."""
    config = load(ROOT / "conf/connector.example.toml", Registry())
    plain = Config(auth=config.auth)
    assert (config.gateway, config.store, config.delivery) == (plain.gateway, plain.store, plain.delivery)
    required = {"tenant_id": config.auth.tenant_id, "audiences": config.auth.audiences}
    assert config.auth == type(config.auth).model_validate(required)


def test_the_faults_shown_on_the_page_are_real(write: Any) -> None:
    """The block of docs/configuration.md is what such a file really gets."""
    text = MINIMAL.replace(TENANT, "acme.example").replace("pager]", "desk]").replace('["pager"]', '["desk"]')
    desk = text.replace('adapter = "pager"\n', 'adapter = "mock"\npth = "x"\n')
    with pytest.raises(ConfigError) as caught:
        load(write(desk + "[[routes]]\nname = 'x'\ndestinations = ['dsk']\n"), Registry())
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert "\n".join(f"  {fault}" for fault in caught.value.faults) in page
