"""A page that reads the OpenAPI document aloud: every call, what goes in, what comes out. No script, no foreign file.

Shows the document as it is; what stands in it is decided by the features' routes and schemas.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template

METHODS = ("get", "post", "patch", "put", "delete")


@dataclass(frozen=True, slots=True)
class Value:
    """One input or one part of an answer; a part of a part carries a dotted name."""

    name: str
    type: str
    required: bool
    says: str


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    says: str
    inputs: tuple[Value, ...]
    bodies: tuple[str, ...]
    body: tuple[Value, ...]
    status: str
    answer: tuple[Value, ...]

    @property
    def anchor(self) -> str:
        return f"{self.method}-{self.path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}"


def blueprint(prefix: str, spec: Any) -> Blueprint:
    """`spec`: gives the OpenAPI document as a dict, once all routes are there."""
    docs = Blueprint("api_docs", __name__)

    @docs.get(f"{prefix}/docs")
    def page() -> str:
        """All calls of the API, to be read by people."""
        document = spec()
        return render_template("web/api_docs.html", info=document["info"], prefix=prefix, groups=groups(document))

    return docs


def groups(document: Mapping[str, Any]) -> dict[str, list[Call]]:
    """Calls by tag, in the document's order."""
    found: dict[str, list[Call]] = {}
    for path, operations in document.get("paths", {}).items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                shared = operations.get("parameters", [])
                tag = operation.get("tags", [""])[0].removesuffix("_api")
                found.setdefault(tag, []).append(_call(document, method, path, operation, shared))
    return found


def _call(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any], shared: list[Any]) -> Call:
    inputs = [_input(_followed(document, p)) for p in [*shared, *operation.get("parameters", [])]]
    contents = operation.get("requestBody", {}).get("content", {})
    sent: Mapping[str, Any] = contents.get("application/json") or next(iter(contents.values()), {})
    status, answer = next(((s, a) for s, a in operation.get("responses", {}).items() if s.startswith("2")), ("", {}))
    told = _followed(document, answer).get("content", {}).get("application/json", {})
    return Call(
        method.upper(),
        path,
        operation.get("summary", ""),
        tuple(inputs),
        tuple(contents),
        tuple(_values(document, sent.get("schema", {}))),
        status,
        tuple(_values(document, told.get("schema", {}))),
    )


def _input(parameter: Mapping[str, Any]) -> Value:
    schema = parameter.get("schema", {})
    says = parameter.get("description") or schema.get("description", "")
    return Value(parameter["name"], f"{_type(schema)} · {parameter['in']}", parameter.get("required", False), says)


def _values(
    document: Mapping[str, Any], schema: Mapping[str, Any], before: str = "", depth: int = 0
) -> Iterator[Value]:
    schema = _followed(document, schema)
    needed = schema.get("required", [])
    for name, part in schema.get("properties", {}).items():
        part = _followed(document, part)
        yield Value(before + name, _type(part), name in needed, _says(part))
        inner = _followed(document, part.get("items", part))
        if depth < 3 and inner.get("properties"):
            dots = "[]." if "items" in part else "."
            yield from _values(document, inner, before + name + dots, depth + 1)


def _followed(document: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a $ref points to; the one alternative of allOf or anyOf that says something."""
    for _ in range(5):
        if "$ref" in part:
            _, _, kind, name = part["$ref"].split("/")
            part = document["components"][kind][name]
            continue
        alternatives = [a for a in part.get("allOf") or part.get("anyOf") or () if a.get("type") != "null"]
        if len(alternatives) != 1:
            break
        part = alternatives[0]
    return part


def _type(part: Mapping[str, Any]) -> str:
    kinds = part.get("type", "object")
    words = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    return f"{words} ({part['format']})" if part.get("format") else words


_LIMITS = {"minimum": "at least", "maximum": "at most", "maxLength": "characters at most", "default": "default"}


def _says(part: Mapping[str, Any]) -> str:
    said = [part["description"]] if part.get("description") else []
    said += [" | ".join(str(word) for word in part["enum"] if word is not None)] if part.get("enum") else []
    said += [f"{words} {part[name]}" for name, words in _LIMITS.items() if part.get(name) is not None]
    return " · ".join(said)
