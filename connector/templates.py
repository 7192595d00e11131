"""The sandbox for the text templates of the configuration.

On the path of an alert this stands beside `report`: an adapter renders the templates of its
settings over the alert. Templates are Jinja, and text only. What they may say is a short list, so
that neither a template nor the values of an alert can reach Python, write without end or work
without end: no assignments, macros, includes, arithmetic or format strings, one loop at a time, a
short list of filters and tests. Values of an alert are data; they are never read as a template.
What comes out is plain text: a vendor whose field renders markup escapes it (`report.escape`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

import jinja2
from jinja2 import filters, nodes, pass_context
from jinja2.runtime import Context, LoopContext, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from connector import report
from connector.model import Alert, Pairs, Resource

TEMPLATE_LIMIT = 8 * 1024
"""Longest template, in characters."""

OUTPUT_LIMIT = 16 * 1024
"""Longest text a template or a filter writes, in characters; what is more is cut with a marker."""

LOOP_LIMIT = 200
DEPTH_LIMIT = 40
WORK_LIMIT = 2_000_000
"""Rounds of a loop, levels of nesting, and characters handled by the filters of one rendering."""

_WORK = "_work"

_MARKER = "... [cut]"


class TemplateError(Exception):
    """A template is wrong, or cannot be rendered over this alert; `line` counts from 1."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.message = message
        self.line = line


class Template:
    """A template of the configuration; raises TemplateError when the text is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled = _compile(text)

    def render(self, alert: Alert) -> str:
        """Return the text for this alert, at most `OUTPUT_LIMIT` long; raises TemplateError."""
        try:
            pieces = self._compiled.generate(alert=variables(alert), title=report.title(alert), **{_WORK: _Work()})
            return _bounded(pieces)
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise TemplateError(_reason(error), _line_of(error)) from error

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


# --- what a template sees -------------------------------------------------------------------------


def variables(alert: Alert) -> Mapping[str, Any]:
    """Return `alert` as templates see it: read-only; what is not known is empty or none."""
    return _read_only(
        id=alert.id,
        azure_alert_id=_text(alert.azure_alert_id),
        rule=_text(alert.rule),
        rule_id=_text(alert.rule_id),
        family=alert.family,
        service=_text(alert.service),
        signal=_text(alert.signal),
        severity=alert.severity.value if alert.severity else None,
        priority_hint=alert.priority_hint.value if alert.priority_hint else None,
        condition=alert.condition.value,
        test=alert.test,
        summary=_text(alert.summary),
        description=_text(alert.description),
        fired_at=report.utc(alert.fired_at) if alert.fired_at else None,
        resolved_at=report.utc(alert.resolved_at) if alert.resolved_at else None,
        received_at=report.utc(alert.received_at),
        resource=_resource(alert.resources[0] if alert.resources else Resource("", "")),
        resources=tuple(_resource(each) for each in alert.resources),
        subscriptions=alert.subscriptions,
        dimensions=_pairs(alert.dimensions),
        labels=_pairs(alert.labels),
        custom=_pairs(alert.custom),
        facts=_pairs(tuple((fact.name, fact.value) for fact in alert.facts)),
        links=tuple(_read_only(label=_text(link.label), url=_text(link.url)) for link in alert.links),
        url=_text(alert.links[0].url) if alert.links else "",
        warnings=tuple(_text(each) for each in alert.warnings),
    )


def _resource(resource: Resource) -> Mapping[str, Any]:
    return _read_only(
        id=_text(resource.id),
        name=_text(resource.name),
        subscription=_text(resource.subscription),
        resource_group=_text(resource.resource_group),
        type=_text(resource.type),
    )


def _pairs(pairs: Pairs) -> Mapping[str, Any]:
    """Of a repeated name the first counts, as it is the first in a ticket."""
    return MappingProxyType({_text(name): _text(value) for name, value in reversed(pairs)})


def _read_only(**members: Any) -> Mapping[str, Any]:
    return MappingProxyType(members)


def _text(value: str | None) -> str:
    return report.clean(value or "")


# --- what a template may say ----------------------------------------------------------------------


def _replace(text: Any, old: str, new: str) -> str:
    """Count first: replacing is the one thing left that could grow a text without measure."""
    if not old:
        raise ValueError("replace needs something to replace")
    value = str(text)
    grown = value.count(old) * (len(new) - len(old))
    if len(value) + grown > OUTPUT_LIMIT:
        raise ValueError(f"replace would write more than {OUTPUT_LIMIT} characters")
    return value.replace(old, new)


def _join(value: Sequence[Any] | Mapping[str, Any], between: str = "") -> str:
    return between.join(_shown(each) for each in _some(value))


def _concat(values: Sequence[Any]) -> str:
    return "".join(_shown(each) for each in values)


def _members(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("only a dictionary has names and values")
    return value


def _some(value: Any) -> tuple[Any, ...]:
    """What can be gone through: lists and dictionaries, not the letters of a text."""
    if isinstance(value, str | int | float) or value is None:
        raise TypeError("only a list or a dictionary can be gone through")
    return tuple(each for each, _ in zip(value, range(LOOP_LIMIT), strict=False))


def _truncate(text: Any, length: int = 255, end: str = "…") -> str:
    value = str(text)
    return value if len(value) <= length else value[: max(length - len(end), 0)] + end


FILTERS: dict[str, Callable[..., Any]] = {
    "capitalize": lambda value: str(value).capitalize(),
    "default": filters.do_default,
    "first": lambda value: next(iter(_some(value)), ""),
    "get": lambda value, name, otherwise="": _members(value).get(name, otherwise),
    "int": lambda value, default=0: filters.do_int(value, default),
    "items": lambda value: tuple(_members(value).items()),
    "join": _join,
    "keys": lambda value: tuple(_members(value).keys()),
    "last": lambda value: next(reversed(_some(value)), ""),
    "length": len,
    "lower": lambda value: str(value).lower(),
    "replace": _replace,
    "sort": lambda value: tuple(sorted(_some(value))),
    "split": lambda value, at=None: tuple(str(value).split(at)),
    "title": lambda value: str(value).title(),
    "trim": lambda value: str(value).strip(),
    "truncate": _truncate,
    "upper": lambda value: str(value).upper(),
    "values": lambda value: tuple(_members(value).values()),
}

TESTS = ("defined", "undefined", "none", "eq", "ne", "lt", "le", "gt", "ge", "in", "string", "number", "true", "false")

_METHODS = frozenset({"get", "items", "keys", "values"})
_VARIABLES = frozenset({"alert", "title"})
_LOOP_WORDS = frozenset({"index", "index0", "first", "last", "length"})

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.For, nodes.Name, nodes.Const, nodes.Tuple,
    nodes.List, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Keyword,
)  # fmt: skip

_REFUSED = {
    nodes.Assign: "assignments are not allowed",
    nodes.AssignBlock: "assignments are not allowed",
    nodes.Add: "arithmetic is not allowed; join texts with `~`",
    nodes.Mod: "format strings are not allowed; join texts with `~`",
    nodes.Call: "only .get(), .items(), .keys() and .values() can be called; there are filters for the rest",
}


class _Guard(NodeTransformer):
    """Lets through what a template may say, and makes `x.items()` and the like filters."""

    def __init__(self) -> None:
        self._names = [*_VARIABLES]
        self._depth = 0

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            _refuse(node, "it is nested too deep")
        try:
            return super().visit(node, *args, **kwargs)
        finally:
            self._depth -= 1

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        if not isinstance(node, (*_ALLOWED, nodes.Template)):
            kind = type(node).__name__.lower()
            _refuse(node, _REFUSED.get(type(node), f"`{kind}` is not allowed in a template"))
        return super().generic_visit(node, *args, **kwargs)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802 - Jinja's name
        if node.name not in self._names:
            _refuse(node, f"there is no {node.name!r}; a template has {', '.join(sorted(self._names))}")
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        method = node.node
        if not isinstance(method, nodes.Getattr) or method.attr not in _METHODS or node.kwargs:
            return self.generic_visit(node)
        return self.visit_Filter(
            nodes.Filter(method.node, method.attr, node.args, [], node.dyn_args, node.dyn_kwargs, lineno=node.lineno)
        )

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """Jinja's own would print a list or a dictionary the way Python does."""
        parts = nodes.List([self.visit(each) for each in node.nodes], lineno=node.lineno)
        return nodes.Filter(parts, "_concat", [], [], None, None, lineno=node.lineno)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        if node.name not in FILTERS:
            _refuse(node, f"there is no filter {node.name!r}; there are {', '.join(FILTERS)}")
        if node.node is None or node.dyn_args or node.dyn_kwargs:
            _refuse(node, f"the filter {node.name!r} is used in a way that is not allowed")
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        if node.name not in TESTS:
            _refuse(node, f"there is no test {node.name!r}; there are {', '.join(TESTS)}")
        return self.generic_visit(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        if "loop" in self._names or node.recursive:
            _refuse(node, "a loop inside a loop is not allowed")
        node.iter = nodes.Filter(self.visit(node.iter), "_some", [], [], None, None, lineno=node.lineno)
        names = [name.name for name in node.target.find_all(nodes.Name)] or [getattr(node.target, "name", "")]
        outside, self._names = self._names, [*self._names, "loop", *names]
        node.body = [self.visit(each) for each in node.body]
        node.test = self.visit(node.test) if node.test else None
        self._names = outside
        node.else_ = [self.visit(each) for each in node.else_]
        return node


def _refuse(node: nodes.Node, message: str) -> NoReturn:
    raise TemplateError(message, node.lineno)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Looks up members of dictionaries and lists; Python attributes are out of reach altogether."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP_WORDS:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            return obj[argument]
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(f"there is no {argument!r} here", name=str(argument))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Undefined | str | int | float):
        return str(value)
    raise TypeError("this is a list or a dictionary; name one of its members or go through it")


class _Work:
    """What one rendering may still spend, in characters and entries that filters handle."""

    def __init__(self) -> None:
        self._left = WORK_LIMIT

    def spend(self, value: Any) -> None:
        self._left -= 10 + (len(value) if isinstance(value, str | tuple | Mapping) else 0)
        if self._left < 0:
            raise ValueError("the template works too long")


def _within(function: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def limited(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        context[_WORK].spend(value)
        result = function(value, *args, **kwargs)
        context[_WORK].spend(result)
        return result[:OUTPUT_LIMIT] if isinstance(result, str) else result

    return limited


def _sandbox() -> _Sandbox:
    sandbox = _Sandbox(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False, finalize=_shown)
    sandbox.globals.clear()
    sandbox.filters = {name: _within(each) for name, each in FILTERS.items()}
    sandbox.filters |= {"_some": _within(_some), "_concat": _within(_concat)}
    sandbox.tests = {name: each for name, each in sandbox.tests.items() if name in TESTS}
    return sandbox


_SANDBOX = _sandbox()


def _compile(text: str) -> jinja2.Template:
    if len(text) > TEMPLATE_LIMIT:
        raise TemplateError(f"a template has at most {TEMPLATE_LIMIT} characters")
    try:
        return _SANDBOX.from_string(_Guard().visit(_SANDBOX.parse(text)))
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(error.message or "it is not a template", error.lineno) from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise TemplateError("it is nested too deep") from error
    except ValueError as error:
        raise TemplateError(str(error)) from error


def _bounded(pieces: Iterator[str]) -> str:
    written, room = [], OUTPUT_LIMIT
    for piece in pieces:
        written.append(piece[:room])
        room -= len(piece)
        if room < 0:
            return "".join(written)[: OUTPUT_LIMIT - len(_MARKER)] + _MARKER
    return "".join(written)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _line_of(error: BaseException) -> int | None:
    """Jinja rewrites the traceback so that its innermost frame of the template has the right line."""
    found, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            found = frame.tb_lineno
        frame = frame.tb_next
    return found
