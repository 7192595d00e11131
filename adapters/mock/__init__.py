"""The mock: a service desk in memory, in a readable JSON file, or in another process on loopback.

It stands at the end of the path of an alert where a vendor would: for demos, for trying out a
configuration, and for tests, which can tell it to fail. It passes the contract of every adapter.
"""

from adapters.mock.adapter import MockAdapter

__all__ = ["MockAdapter"]
