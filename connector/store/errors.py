"""What can be wrong with the store, in words for the person who starts or calls the program."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do."""


class StoreMissingError(StoreError):
    """There is no store yet, and this command does not make one."""


class StoreBusyError(StoreError):
    """Another process holds the store, or a commit could not be had in time."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached, is full, or is damaged."""


class SchemaError(StoreError):
    """The store was written by another version of the program."""
