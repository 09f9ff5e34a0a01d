"""Signatures as their authors wrote them: types by their names, defaults as expressions."""

import ast
import dataclasses
import inspect
import textwrap
from typing import Any


def signature(found: Any, *, bound: bool = False) -> str:
    """The parameters of a function, or those that make an object of a class; "" where none is told.

    bound: a method, whose first parameter is the object.
    """
    if inspect.isclass(found):
        if dataclasses.is_dataclass(found):
            return f"({', '.join(_fields(found))})"
        if "__init__" not in vars(found):
            return ""
        return _arguments(found.__init__, bound=True, returns=False)
    return _arguments(found, bound=bound, returns=True)


def _arguments(function: Any, *, bound: bool, returns: bool) -> str:
    node = _node(function)
    if not isinstance(node, ast.FunctionDef):
        raise TypeError(f"{function}: expected a function with a source")
    for which in (node.args.posonlyargs, node.args.args):
        if bound and which:
            del which[0]
            break
    told = f"({ast.unparse(node.args)})"
    return f"{told} -> {ast.unparse(node.returns)}" if returns and node.returns else told


def _fields(of: type) -> list[str]:
    """The fields of a dataclass, as parameters; keyword-only ones last."""
    known = {field.name: field for field in dataclasses.fields(of) if field.init}
    told: dict[str, str] = {}
    for base in reversed(of.__mro__[:-1]):
        for node in ast.walk(_node(base)):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                told[node.target.id] = ast.unparse(node.annotation) + _default(node.value)
    plain = [f"{name}: {told[name]}" for name, field in known.items() if not field.kw_only]
    named = [f"{name}: {told[name]}" for name, field in known.items() if field.kw_only]
    return [*plain, *(["*"] if named else []), *named]


def _default(value: ast.expr | None) -> str:
    """` = X` of a field; of `field(default_factory=X)` what it makes."""
    if value is None:
        return ""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "field"):
        return f" = {ast.unparse(value)}"
    given = {word.arg: word.value for word in value.keywords}
    if "default" in given:
        return f" = {ast.unparse(given['default'])}"
    if "default_factory" not in given:
        return ""
    made = given["default_factory"]
    body = made.body if isinstance(made, ast.Lambda) else None
    return f" = {ast.unparse(body) if body else ast.unparse(made) + '()'}"


def _node(found: Any) -> ast.AST:
    """The definition in its source."""
    return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(found)))).body[0]
