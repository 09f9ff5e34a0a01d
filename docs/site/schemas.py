"""The JSON documents and files, from their schemas in docs/schemas."""

import json
from collections.abc import Iterator
from typing import Any

from docs.site.links import DOCS
from docs.site.markdown import code, plain, table

Schema = dict[str, Any]


def page() -> str:
    """All documents, then the parts that they are made of, as Markdown."""
    parts: dict[str, Schema] = {}
    documents: list[str] = []
    for path in sorted((DOCS / "schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        documents.append("\n\n".join(_document(path.name, schema)))
        if path.stem != "chip":
            parts |= schema.get("$defs", {})
    told = ["\n\n".join(_part(name, parts[name])) for name in sorted(parts)]
    return "\n\n".join([*documents, "## Parts", "What documents hold, by name.", *told])


def _document(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {schema['title']}"
    yield f"Schema: [{name}](../schemas/{name})"
    if name == "chip.json":
        yield plain(schema["description"])
        yield "Its keys: [](chip-keys.md)."
        return
    kinds = schema.get("anyOf", [schema])
    for number, kind in enumerate(kinds):
        yield ("Or: " if number else "") + plain(kind["description"])
        yield _fields(kind)


def _part(name: str, schema: Schema) -> Iterator[str]:
    yield f"(part-{name.lower()})="
    yield f"### {name}"
    yield plain(schema.get("description", ""))
    yield _fields(schema)


def _fields(schema: Schema) -> str:
    """The keys of an object, as a table."""
    always = set(schema.get("required", ()))
    rows = [
        (
            code(key) + ("" if key in always else " (optional)"),
            _type(said),
            said.get("unit", ""),
            plain(said.get("description", "")),
        )
        for key, said in schema.get("properties", {}).items()
    ]
    return table(("key", "type", "unit", "meaning"), rows)


def _type(said: Schema) -> str:
    """A type in words, with links to the parts in it."""
    if "$ref" in said:
        name = said["$ref"].rpartition("/")[2]
        return f"[{name}](#part-{name.lower()})"
    if "const" in said:
        return code(json.dumps(said["const"]))
    if "enum" in said:
        return " or ".join(code(json.dumps(one)) for one in said["enum"])
    if "anyOf" in said:
        return " or ".join(_type(one) for one in said["anyOf"])
    if "then" in said:
        return f"{_type(said['then'])} or {_type(said['else'])}"
    return _named(said)


def _named(said: Schema) -> str:
    kind = said.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array" and "prefixItems" in said:
        return f"array of {', '.join(_type(one) for one in said['prefixItems'])}"
    if kind == "array":
        return f"array of {_type(said['items'])}"
    if isinstance(said.get("additionalProperties"), dict):
        return f"object of {_type(said['additionalProperties'])}"
    return str(kind)
