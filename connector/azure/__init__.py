"""The one inbound source: what Azure Monitor posts, to an `Alert`.

`decode` makes a JSON document of a body, `read_alert` an `Alert` of a document; `intake` calls one
after the other. Nothing in here does any I/O, and every value in a body is taken as hostile.
"""

from connector.azure.decoding import Unreadable, decode
from connector.azure.envelope import NotAnAlert
from connector.azure.reading import read_alert

__all__ = ["NotAnAlert", "Unreadable", "decode", "read_alert"]
