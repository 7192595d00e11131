"""How a command ends: the exit codes of the public contract, and errors in words on stderr."""

from __future__ import annotations

from enum import IntEnum

from connector.adapter import SecretError
from connector.config import ConfigError
from connector.intake import Refused
from connector.registry import RegistryError
from connector.store import StoreError
from connector.web.server import ListenError


class Exit(IntEnum):
    """What a caller learns from the exit code (docs/command-line.md)."""

    OK = 0
    NEGATIVE = 1
    USAGE = 2
    CONFIGURATION = 3
    REFUSED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class Ended(Exception):
    """A command has come to its end before its last line: with which code, and why in words."""

    def __init__(self, code: Exit, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


ERRORS = (Ended, ConfigError, ListenError, RegistryError, SecretError, StoreError, Refused)
"""The errors that a command need not catch: `ended` has the words and the code for each."""


def ended(error: Exception) -> Ended:
    """Return the end that follows from an error, one of ERRORS."""
    match error:
        case Ended():
            return error
        case ConfigError() | ListenError() | RegistryError() | SecretError():
            return Ended(Exit.CONFIGURATION, str(error))
        case StoreError():
            return Ended(Exit.UNREACHABLE, str(error))
        case Refused():
            return Ended(_code_of(error), f"refused: {error}")
        case _:
            raise error


def _code_of(refused: Refused) -> Exit:
    if refused.status in (401, 403):
        return Exit.REFUSED
    return Exit.UNREACHABLE if refused.status == 503 else Exit.NEGATIVE
