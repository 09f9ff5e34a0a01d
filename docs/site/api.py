"""The public names of `import moexbar`, from their docstrings and signatures."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import moexbar
from docs.site.markdown import CODE, code, plain, told
from docs.site.signatures import signature

TASKS: dict[str, tuple[str, ...]] = {
    "Models and inputs": ("open_model", "Model", "survey", "profile", "write_example", "Workload"),
    "Chips": ("load_chip", "preset_names", "chip_sheet", "Chip"),
    "Compile": ("compile", "Compilation", "with_bands", "Report", "read_report"),
    "Options of a compilation": (
        "GroupingOptions",
        "PlacementOptions",
        "SlotOptions",
        "StackOptions",
        "Stacking",
        "read_stacks",
        "DieOptions",
        "SolverOptions",
        "Caches",
    ),
    "Look inside a compiled program": (
        "read_compiled",
        "read_program",
        "Compiled",
        "Executable",
        "Program",
        "inspect",
        "Filter",
        "simulate",
        "verify",
    ),
    "Quantised crossbars": ("accuracy", "Analog"),
    "From a routing trace alone": (
        "load_routing",
        "save_routing",
        "Routing",
        "load_counts",
        "Load",
        "group",
        "schedule",
        "compare",
        "reside",
    ),
    "Choose a chip or a model": ("design", "Demands", "Designed", "size"),
    "Many compilations": ("explore", "Explored", "pareto"),
    "Reports and pictures": ("write_report", "plot", "pictures"),
    "Published numbers": ("validate",),
    "Errors": (
        "MoexbarError",
        "InputError",
        "InfeasibleError",
        "CheckError",
        "FolderBusyError",
    ),
}
LEFT = ("__version__",)


def tasks() -> dict[str, tuple[str, ...]]:
    """Every public name by its task; one that no task names comes under a heading of its own."""
    named = {name for names in TASKS.values() for name in names} | set(LEFT)
    more = tuple(name for name in moexbar.__all__ if name not in named)
    return {**TASKS, **({"More": more} if more else {})}


def page() -> str:
    """All of them, as Markdown."""
    parts = ["```{py:currentmodule} moexbar\n```"]
    for task, names in tasks().items():
        parts += [f"## {task}", *("\n".join(_entry(name)) for name in names)]
    return "\n\n".join(parts)


def _entry(name: str) -> Iterator[str]:
    """A function, or a class with its methods."""
    found = getattr(moexbar, name)
    kind = "function" if inspect.isfunction(found) else "class"
    if inspect.isclass(found) and issubclass(found, Exception):
        kind = "exception"
    yield f"``````{{py:{kind}}} {name}{signature(found)}"
    yield from _said(found.__doc__ or "", _names_of(found))
    for method, what in _methods(found) if kind == "class" else ():
        yield from ("", *_method(method, what), "")
    yield "``````"


def _method(name: str, what: Any) -> Iterator[str]:
    """A method or property of a class, within it."""
    made = what.__func__ if isinstance(what, classmethod | staticmethod) else what
    is_property = isinstance(what, property) or hasattr(what, "func")
    kind = "property" if is_property else "method"
    yield f"`````{{py:{kind}}} {name}{'' if is_property else signature(made, bound=True)}"
    if isinstance(what, classmethod):
        yield ":classmethod:"
    yield ""
    yield from _said(inspect.getdoc(made) or "", _names_of(made))
    yield "`````"


def _methods(of: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class documents, in its order."""
    for name, what in vars(of).items():
        documented = inspect.isroutine(what) or isinstance(what, property) or hasattr(what, "func")
        if not name.startswith("_") and documented and inspect.getdoc(what):
            yield name, what


def _names_of(found: Any) -> set[str]:
    """Names that a docstring may explain: parameters or fields."""
    if inspect.isclass(found):
        return {name for base in found.__mro__ for name in getattr(base, "__annotations__", {})}
    try:
        return set(inspect.signature(found).parameters)
    except TypeError:
        return set()


def _said(text: str, names: set[str]) -> Iterator[str]:
    """A docstring as Markdown: what it says of a parameter or field is an item of a list."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = [line.strip() for line in paragraph.split("\n")]
        yield from _items(" ".join(lines), names)
        yield ""


def _items(text: str, names: set[str]) -> Iterator[str]:
    """The items in a paragraph; what stands before and after them is text."""
    said = re.compile(r"(?:^|(?<=[;.] ))((?:\w+(?:, | and )?)+): ")
    starts = [
        found for found in said.finditer(text) if set(re.split(r", | and ", found[1])) <= names
    ]
    if not starts:
        yield _linked(text)
        return
    if before := text[: starts[0].start()].strip():
        yield from (_linked(before), "")
    after = ""
    for found, following in zip(starts, [*starts[1:], None], strict=True):
        item = text[found.end() : following.start() if following else len(text)].strip()
        if following is None:
            item, raises, rest = item.partition(" Raises ")
            after = f"{raises.strip()} {rest}".strip()
        yield f"- **{plain(found[1])}**: {_linked(item.rstrip(';.'))}"
    if after:
        yield from ("", _linked(after))


def _linked(text: str) -> str:
    """Text with links to public names."""

    def link(found: re.Match[str]) -> str:
        name = found[2].removeprefix("moexbar.")
        public = name.partition(".")[0] in moexbar.__all__
        return f"{{py:obj}}`{name}`" if public and re.fullmatch(r"\w+", name) else code(found[2])

    return CODE.sub(link, told(text))
