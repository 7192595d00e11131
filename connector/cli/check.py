"""`check`: what was understood of the configuration, and with --online what the destinations say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from connector import logs
from connector.adapter import Adapter, DeliveryError, Reason, SecretError
from connector.app import create_adapters
from connector.azure import NotAnAlert
from connector.cli.adapters import words_of
from connector.cli.exits import Exit
from connector.cli.explain import first_notice
from connector.cli.options import loaded, with_config
from connector.cli.output import say, show
from connector.config import Config, RouteConfig
from connector.intake import consider
from connector.model import Alert, Finding, Level
from connector.registry import Registry
from connector.routes import Routes
from connector.templates import TemplateError
from connector.testing import samples

_CODES = {
    Reason.UNREACHABLE: Exit.UNREACHABLE,
    Reason.TIMEOUT: Exit.UNREACHABLE,
    Reason.RATE_LIMITED: Exit.UNREACHABLE,
    Reason.VENDOR_FAULT: Exit.UNREACHABLE,
    Reason.UNAUTHORIZED: Exit.REFUSED,
}


@click.command()
@with_config
@click.option("--online", is_flag=True, help="Ask the destinations too; nothing is written there.")
def check(config_path: Path, online: bool) -> int:
    """Say what was understood of the configuration, or every fault of it at once.

    1: a destination lacks something; 3: the configuration has faults; 4: a destination refuses the
    credentials; 5: a destination cannot be reached.
    """
    config = loaded(config_path, read_secrets=True)
    registry = Registry()
    for line in _understood(config, registry):
        show(line)
    adapters = create_adapters(config, registry)
    code = max(_preview_samples(config, adapters), _check_online(adapters) if online else Exit.OK)
    say(f"{config_path}: {'ok' if code is Exit.OK else 'see above'}")
    return code


def _understood(config: Config, registry: Registry) -> Iterator[str]:
    auth = config.auth
    yield f"listen        {config.gateway.listen}, bodies up to {config.gateway.max_body} bytes"
    yield f"callers       tenant {auth.tenant_id}, cloud {auth.cloud}, role {auth.required_role or '(not required)'}"
    yield f"audiences     {', '.join(auth.audiences)}"
    yield f"subscriptions {', '.join(auth.subscriptions) or 'any of the tenant'}"
    yield f"store         {logs.one_line(config.store.url)}"
    for name in sorted({each.adapter for each in config.destinations.values()}):
        yield f"adapter       {words_of(registry.describe(name))}"
    for name, settings in config.destinations.items():
        yield f"destination   {name}: {settings.adapter}, namespace {settings.namespace or name}"
    for number, route in enumerate(config.routes, 1):
        yield f"route {number:<7} {_route(route)}"


def _route(route: RouteConfig) -> str:
    conditions = ", ".join(_conditions(route.match.model_dump(exclude_none=True))) or "everything"
    grouped = f", one episode per {' and '.join(route.group_by)}" if route.group_by else ""
    further = ", and looks further" if route.continue_ else ""
    return f"{route.name}: {conditions} -> {', '.join(route.destinations)}{grouped}{further}"


def _conditions(match: Mapping[str, Any]) -> Iterable[str]:
    for name, value in match.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{key} = {wanted}" for key, wanted in value.items())
        else:
            yield f"{name} = {value}"


def _preview_samples(config: Config, adapters: Mapping[str, Adapter[Any]]) -> Exit:
    """Let each adapter find its words for every kind of alert, before a real one meets a bad template."""
    code = Exit.OK
    for sample, alert in _sample_alerts():
        for name, adapter in adapters.items():
            try:
                adapter.preview(first_notice(config, name, alert, alert.series.episode_key))
            except (DeliveryError, TemplateError) as error:
                show(f"{name}  {Level.FAILURE}  for an alert like the sample {sample}: {error}")
                code = Exit.NEGATIVE
    return code


def _sample_alerts() -> Iterator[tuple[str, Alert]]:
    for name in samples.names():
        with suppress(NotAnAlert):
            yield name, consider(samples.raw(name), Routes(()), datetime.now(UTC)).alert


def _check_online(adapters: Mapping[str, Adapter[Any]]) -> Exit:
    codes = [Exit.OK]
    for name, adapter in adapters.items():
        findings, code = _asked(adapter)
        for finding in findings:
            fix = f"; {finding.fix}" if finding.fix else ""
            show(f"{name}  {finding.level}  {finding.text}{fix}")
        codes.append(code)
        adapter.close()
    return max(codes)


def _asked(adapter: Adapter[Any]) -> tuple[tuple[Finding, ...], Exit]:
    try:
        findings = adapter.check() or (Finding(Level.OK, "has nothing to object"),)
    except SecretError as error:
        return (Finding(Level.FAILURE, str(error)),), Exit.CONFIGURATION
    except DeliveryError as error:
        return (Finding(Level.FAILURE, str(error)),), _CODES.get(error.reason, Exit.NEGATIVE)
    failed = any(each.level is Level.FAILURE for each in findings)
    return findings, Exit.NEGATIVE if failed else Exit.OK
