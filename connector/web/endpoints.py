"""The endpoints: the webhook, and what a probe or Prometheus asks.

An alert enters here. Its body goes to the intake as it came, its answer is the table of docs/http;
Azure sends again after 408, 429, 503 and 504 only, so that a fault of ours is a 503 and never a 500.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import flask
import structlog
from werkzeug.exceptions import HTTPException

from connector.intake import HEAD_BYTES, Accepted, Refused
from connector.logs import one_line
from connector.metrics import CONTENT_TYPE, Metrics
from connector.web.health import OK, Health, all_ok
from connector.web.problems import INTERNAL_FAULT, SHUTTING_DOWN, Problem, from_http, refused

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from connector.intake import Intake

log = structlog.get_logger(__name__)

WEBHOOK = "/webhooks/azure-monitor"
PROBES = ("/healthz", "/readyz", "/metrics")
REQUEST_ID = "connector.request_id"


class Web(flask.Flask):
    """The Flask application. `draining` is set when no further alert may be taken in.

    A body larger than `max_body` bytes is refused.
    """

    def __init__(self, max_body: int) -> None:
        super().__init__(__name__, static_folder=None)
        self.max_body = max_body
        self.draining = threading.Event()
        self.url_map.merge_slashes = False  # a redirect would tell the Host header back, and loses a post
        self.config["PROPAGATE_EXCEPTIONS"] = True  # to the last net below, which answers 503


def create_web(intake: Intake | None, health: Health, metrics: Metrics, max_body: int) -> Web:
    """Return the application; without an intake it has no webhook."""
    web = Web(max_body)
    web.register_error_handler(HTTPException, lambda error: _answer(from_http(error)))
    web.wsgi_app = _LastNet(web.wsgi_app)  # type: ignore[method-assign] # Flask documents it as the place to wrap
    _add_probes(web, health, metrics)
    if intake is not None:
        _add_webhook(web, intake, metrics)
    return web


def _add_probes(web: Web, health: Health, metrics: Metrics) -> None:
    @web.get("/healthz")
    def healthz() -> flask.Response:
        return _checked("alive", health.alive())

    @web.get("/readyz")
    def readyz() -> flask.Response:
        stopping = {"shutdown": "shutting down"} if web.draining.is_set() else {}
        return _checked("ready", {**health.ready(), **stopping})

    @web.get("/metrics")
    def show_metrics() -> flask.Response:
        return flask.Response(metrics.text(), content_type=CONTENT_TYPE)


def _checked(name: str, checks: Mapping[str, str]) -> flask.Response:
    good = all_ok(checks)
    shown = {part: words if words == OK else one_line(words, 300) for part, words in checks.items()}
    return _json({name: good, "checks": shown}, 200 if good else 503)


def _add_webhook(web: Web, intake: Intake, metrics: Metrics) -> None:
    @web.post(WEBHOOK)
    def webhook() -> flask.Response:
        began = time.monotonic()
        status, outcome = 503, INTERNAL_FAULT.code
        try:
            response, outcome, about = _take_in(web, intake)
            status = response.status_code
            log.info("answered", status=status, outcome=outcome, **about)
            return response
        finally:
            metrics.webhook_answered(status, outcome, time.monotonic() - began)


def _take_in(web: Web, intake: Intake) -> tuple[flask.Response, str, dict[str, str]]:
    """Return the answer, its outcome in one word, and what the log shall say about it."""
    if web.draining.is_set():
        return _answer(SHUTTING_DOWN), SHUTTING_DOWN.code, {}
    try:
        accepted = _receive(web, intake)
    except Refused as error:
        about = {"quarantined": error.id} if error.id is not None else {}
        return _answer(refused(error)), error.code, about
    return _json(_told(accepted), 202), accepted.status, {"alert": accepted.id}


def _receive(web: Web, intake: Intake) -> Accepted:
    request, request_id = flask.request, _request_id()
    authorization = request.headers.get("Authorization")
    size = request.content_length or 0
    if size > web.max_body:  # the server has kept only the beginning of it
        raise intake.too_large(request.stream.read(HEAD_BYTES), authorization, request_id=request_id, size=size)
    return intake.receive(request.stream.read(), authorization, request_id=request_id)


def _told(accepted: Accepted) -> dict[str, Any]:
    deliveries = [{"id": id_, "destination": destination} for id_, destination in accepted.deliveries]
    told = {"status": accepted.status, "id": accepted.id, "deliveries": deliveries}
    return told | ({"warnings": list(accepted.warnings)} if accepted.warnings else {})


def _request_id() -> str:
    return str(flask.request.environ[REQUEST_ID])


def _answer(problem: Problem) -> flask.Response:
    return flask.Response(problem.body(_request_id()), problem.status, problem.header_lines())


def _json(body: Mapping[str, Any], status: int) -> flask.Response:
    return flask.Response(json.dumps(body), status, content_type="application/json")


class _LastNet:
    """Where every request begins and ends: gives it an id, and turns whatever went wrong into a 503."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = uuid.uuid4().hex
        environ[REQUEST_ID] = request_id

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            own = [("X-Request-Id", request_id), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
            return start_response(status, headers + own, exc_info)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                return list(self._app(environ, start))
            except HTTPException as error:  # raised before Flask looks for a handler: a Host that is none
                return _bare(from_http(error), request_id, start)
            except Exception as error:  # a request ends here
                log.error("fault while answering", path=environ.get("PATH_INFO"), exc_info=error)
                return _bare(INTERNAL_FAULT, request_id, start)


def _bare(problem: Problem, request_id: str, start_response: Any) -> list[bytes]:
    body = problem.body(request_id)
    headers = [*problem.header_lines(), ("Content-Length", str(len(body)))]
    start_response(problem.status_line, headers)
    return [body]


__all__ = ["PROBES", "WEBHOOK", "Web", "create_web"]
