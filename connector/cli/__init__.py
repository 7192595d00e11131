"""The command line: one file for each noun.

Beside the path of an alert: it starts the processes of that path and lets an operator look at what
they did. Data goes to stdout, words go to stderr, and the exit code says how it ended.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import shell_complete

from connector import __version__, logs
from connector.cli.adapters import adapters
from connector.cli.alerts import alerts
from connector.cli.check import check
from connector.cli.db import db
from connector.cli.deliveries import deliveries
from connector.cli.demo import demo
from connector.cli.exits import ERRORS, Exit, ended
from connector.cli.explain import explain
from connector.cli.output import say
from connector.cli.quarantine import quarantine
from connector.cli.send_test import send_test
from connector.cli.serve import gateway, serve, worker

NAME = "itsm-connector"
COMPLETION = "_ITSM_CONNECTOR_COMPLETE"
"""Set by a shell that wants words to complete: `bash_source`, `zsh_source` or `fish_source`."""


@click.group(NAME, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=NAME)
def commands() -> None:
    """Opens, annotates and resolves work items in a service desk from Azure Monitor alerts.

    \b
    itsm-connector demo                    see it work, on this machine alone
    itsm-connector serve --config FILE     run it
    """


for _command in (
    serve,
    gateway,
    worker,
    check,
    send_test,
    alerts,
    deliveries,
    quarantine,
    explain,
    adapters,
    db,
    demo,
):
    commands.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (docs/command-line.md)."""
    logs.configure("warning")  # of the parts of the program: a command says itself what it did
    if sys.stdout is None:  # closed by the caller: `>&-`
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it lives as long as the process
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        code = Exit.OK
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        _forget_stdout()
        say(f"the output could not be written: {error.strerror}")
        code = Exit.UNREACHABLE
    return code


def _run(arguments: list[str]) -> int:
    if instruction := os.environ.get(COMPLETION):
        return shell_complete(commands, {}, NAME, COMPLETION, instruction)
    try:
        # not `commands.main`, which ends the process with 1 when the reader of stdout has gone
        with commands.make_context(NAME, arguments) as context:
            return int(commands.invoke(context) or Exit.OK)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, EOFError, KeyboardInterrupt):
        say("interrupted")
        return Exit.INTERRUPTED
    except ERRORS as error:
        end = ended(error)
        say(end.words)
        return end.code


def _forget_stdout() -> None:
    """Whoever read us has gone (`| head`): the interpreter must not complain when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
