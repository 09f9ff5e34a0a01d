"""Which parts of a module are only words: what a message says, not whether there is one."""

import ast
from collections.abc import Iterator

MESSAGES = ("Fault", "CheckError", "InputError")


def only_words(tree: ast.Module) -> set[ast.AST]:
    """Arguments of messages, and assignments to names that nothing else reads."""
    out: set[ast.AST] = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            out |= _messages(function)
            while new := _assignments(function, out) - out:
                out |= new
    return out


def _messages(function: ast.FunctionDef) -> set[ast.AST]:
    """Arguments of calls that make a message, and texts with values in them."""
    out: set[ast.AST] = set()
    for node in ast.walk(function):
        match node:
            case ast.JoinedStr():
                out.add(node)
            case ast.Call(func=ast.Name(id=name)) if name in MESSAGES:
                out.update(node.args)
            case ast.Call(func=ast.Attribute(attr="fault"), args=[_, *words]):
                out.update(words)
    return out


def _assignments(function: ast.FunctionDef, words: set[ast.AST]) -> set[ast.AST]:
    """Assignments to names that are read in `words` alone, and read there."""
    read = {node.id for node in _outside(function, words) if isinstance(node.ctx, ast.Load)}
    every = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    out: set[ast.AST] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n for target in targets for n in _names(target)]
            if names and not read & set(names) and set(names) <= every:
                out.add(node)
    return out


def _names(target: ast.expr) -> list[str]:
    """Names that an assignment sets; none where it sets anything else."""
    match target:
        case ast.Name(id=name):
            return [name]
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            found = [_names(part) for part in parts]
            return [n for names in found for n in names] if all(found) else []
        case _:
            return []


def _outside(node: ast.AST, words: set[ast.AST]) -> Iterator[ast.Name]:
    for child in ast.iter_child_nodes(node):
        if child in words:
            continue
        if isinstance(child, ast.Name):
            yield child
        yield from _outside(child, words)
