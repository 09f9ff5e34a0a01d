"""Every small change of a Python source: one comparison, condition, constant or statement each.

A change that only the words of a message depend on is none: nothing inside an f-string is changed,
and no text but one that is compared with something.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from benchmarks.mutants.words import only_words

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMED = {
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
}
PLAIN = (ast.Compare, ast.UnaryOp)  # conditions that are negated where they stand
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Match, ast.Try, ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Change:
    """One change of a source. `apply` makes it in the tree and returns what undoes it.

    lines: first and last of the statement it is in, none where that is carried out on import.
    """

    place: str  # the function or class, dotted; empty for the module itself
    words: str  # what became of what
    line: int
    lines: tuple[int, int] | None
    apply: Callable[[], Callable[[], None]]


def changes(tree: ast.Module) -> Iterator[Change]:
    """All changes of a module, in the order of its lines; of several alike of a place `#2`, .."""
    alike: Counter[tuple[str, str]] = Counter()
    for change in _Walk(only_words(tree)).inside(tree, "", None, imported=True):
        alike[change.place, change.words] += 1
        number = alike[change.place, change.words]
        yield replace(change, words=change.words + f" #{number}" * (number > 1))


@dataclass(frozen=True)
class _Walk:
    """A walk through a tree that goes past what is only words."""

    words: set[ast.AST]

    def inside(
        self, node: ast.AST, place: str, lines: tuple[int, int] | None, *, imported: bool
    ) -> Iterator[Change]:
        """Changes of what a node consists of. imported: whether it is carried out on import."""
        body = isinstance(node, ast.FunctionDef)
        for field, value in ast.iter_fields(node):
            later = imported and not (body and field == "body")
            for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or child in self.words:
                    continue
                if _is_left_alone(node, field, child):
                    continue
                here, within = place, lines
                if isinstance(child, ast.stmt):
                    within = None if later else _span(child)
                if isinstance(child, ast.FunctionDef | ast.ClassDef):
                    here = f"{place}.{child.name}".lstrip(".")
                for new in _variants(child):
                    yield _change(here, within, node, field, at, child, new)
                yield from self.inside(child, here, within, imported=later)


def _span(statement: ast.stmt) -> tuple[int, int]:
    """Lines of a statement; of one with a body the lines before it."""
    end = statement.end_lineno or statement.lineno
    if isinstance(statement, COMPOUND):
        inner = getattr(statement, "body", None) or getattr(statement, "cases", [])
        first = inner[0].pattern.lineno if isinstance(statement, ast.Match) else inner[0].lineno
        end = max(statement.lineno, first - 1)
    return statement.lineno, end


def _is_left_alone(node: ast.AST, field: str, child: ast.AST) -> bool:
    """Words: texts in f-strings, annotations, docstrings, and what only says how many there are."""
    return (
        isinstance(child, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.UnaryOp) and isinstance(child, ast.Constant))
        or field in ("annotation", "returns", "decorator_list", "bases", "type_params")
        or (isinstance(child, ast.keyword) and child.arg in ("dtype", "strict", "kind", "axis"))
        or (isinstance(node, ast.Call) and field == "func" and isinstance(child, ast.Name))
        or _is_docstring(child)
    )


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _change(
    place: str,
    lines: tuple[int, int] | None,
    parent: ast.AST,
    field: str,
    at: int | None,
    old: ast.AST,
    new: ast.AST,
) -> Change:
    ast.copy_location(new, old)
    ast.fix_missing_locations(new)

    def put(node: ast.AST) -> None:
        if at is None:
            setattr(parent, field, node)
        else:
            getattr(parent, field)[at] = node

    def apply() -> Callable[[], None]:
        put(new)
        return lambda: put(old)

    line = int(getattr(old, "lineno", getattr(parent, "lineno", 0)))
    return Change(place, f"{_text(old)} -> {_text(new)}", line, lines, apply)


def _text(node: ast.AST) -> str:
    """A node in one line; of one with a body its head."""
    return " ".join(ast.unparse(node).splitlines()[0].split())


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    """What else a node could be."""
    match node:
        case ast.Compare():
            yield from _compared(node)
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield ast.BoolOp(other, node.values)
            for at in range(len(node.values)):
                left = node.values[:at] + node.values[at + 1 :]
                yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
        case ast.BinOp():
            yield from _computed(node)
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield ast.Constant(value + 1)
        case ast.IfExp() if not isinstance(node.test, PLAIN):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.Attribute(attr=name) if name in NAMED:
            yield ast.Attribute(node.value, NAMED[name], node.ctx)
        case ast.Call(func=ast.Name(id=name)) if name in NAMED:
            named = ast.copy_location(ast.Name(NAMED[name], ast.Load()), node)
            yield ast.Call(named, node.args, node.keywords)
        case ast.Tuple(elts=parts, ctx=ast.Load()) | ast.List(elts=parts, ctx=ast.Load()):
            yield from _shorter(node, parts)
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, node.ifs[1:], node.is_async)
        case ast.stmt():
            yield from _statements(node)


def _compared(node: ast.Compare) -> Iterator[ast.AST]:
    for at, operator in enumerate(node.ops):
        for other in COMPARED[type(operator)]:
            yield ast.Compare(
                node.left, [*node.ops[:at], other(), *node.ops[at + 1 :]], node.comparators
            )
    for at, right in enumerate(node.comparators):
        if isinstance(right, ast.Constant) and isinstance(right.value, str):
            named = ast.Constant(right.value + "?")
            others = [*node.comparators[:at], named, *node.comparators[at + 1 :]]
            yield ast.Compare(node.left, node.ops, others)


def _computed(node: ast.BinOp) -> Iterator[ast.AST]:
    other = COMPUTED.get(type(node.op))
    if other is not None:
        yield ast.BinOp(node.left, other(), node.right)
    if isinstance(node.op, ast.BitAnd | ast.BitOr):
        yield node.left
        yield node.right


def _shorter(node: ast.Tuple | ast.List, parts: list[ast.expr]) -> Iterator[ast.AST]:
    """Without one of several names, such as roles."""
    if len(parts) > 1 and all(isinstance(part, ast.Attribute) for part in parts):
        for at in range(len(parts)):
            yield type(node)(parts[:at] + parts[at + 1 :], node.ctx)


def _statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.If() if not isinstance(node.test, PLAIN):
            yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.AugAssign():
            yield ast.Pass()
            other = COMPUTED.get(type(node.op))
            if other is not None:
                yield ast.AugAssign(node.target, other(), node.value)
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]) | ast.Raise():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() | ast.BoolOp()):
            if name == "fault":
                yield ast.Assign(node.targets, ast.Constant(None))
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            pass  # never reached, as the type checker proves
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case ast.Return(value=ast.Call(func=ast.Name(id="Fault"))):
            yield ast.Return(ast.Constant(None))
