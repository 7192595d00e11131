"""The HTTP side: endpoints, problems, and the server that keeps slow callers away from them.

The first thing an alert meets. Nothing of Flask or of HTTP goes further in than this package.
"""

from connector.web.endpoints import Web, create_web
from connector.web.health import Health
from connector.web.server import Server

__all__ = ["Health", "Server", "Web", "create_web"]
