"""The commands with their options, from the definitions that `moexbar COMMAND --help` prints."""

from collections.abc import Iterator
from typing import Any

from docs.site.markdown import code, told
from moexbar.cli.commands import COMMANDS, Command
from moexbar.cli.lazy import load


def page() -> str:
    """All commands by topic, as Markdown."""
    panels = dict.fromkeys(command.panel for command in COMMANDS)
    parts: list[str] = []
    for panel in panels:
        parts.append(f"## {panel}")
        parts += [_command(command) for command in COMMANDS if command.panel == panel]
    return "\n\n".join(parts)


def _command(command: Command) -> str:
    """One command: what it does, examples, arguments, options by panel."""
    loaded = load(command)
    shown = [param for param in loaded.params if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name != "argument"]
    usage = " ".join([f"moexbar {command.name}", *map(_usage, arguments), "[OPTIONS]"])
    parts = [f"### {command.name}", f"```text\n{usage}\n```"]
    parts += [told(paragraph) for paragraph in str(loaded.help).split("\n\n")]
    if loaded.epilog:
        said = [one.removeprefix("Example: ") for one in loaded.epilog.split("\n\n")]
        lines = "\n".join(f"$ {one}" for one in said)
        parts.append(f"```console\n{lines}\n```")
    if arguments:
        parts.append("\n".join(_argument(param) for param in arguments))
    parts += _options(command.name, options)
    return "\n\n".join(parts)


def _usage(param: Any) -> str:
    """An argument as the usage line names it."""
    name = param.metavar or param.name.upper()
    several = "..." if param.nargs == -1 else ""
    return f"{name}{several}" if param.required else f"[{name}]{several}"


def _argument(param: Any) -> str:
    return f"- {code(param.metavar or param.name.upper())}: {told(param.help or '')}"


def _options(command: str, options: list[Any]) -> Iterator[str]:
    """The options by the panels of the help text."""
    yield f"```{{program}} moexbar {command}\n```"
    panels = dict.fromkeys(
        getattr(param, "rich_help_panel", None) or "Options" for param in options
    )
    for panel in panels:
        of = [p for p in options if (getattr(p, "rich_help_panel", None) or "Options") == panel]
        yield f"**{panel}**"
        yield from (_option(param) for param in of)


def _option(param: Any) -> str:
    """An option: its names, what it takes, what it does, and what holds where it is not given."""
    value = f" {param.metavar}" if param.metavar else ""
    names = ", ".join(f"{name}{value}" for name in (*param.opts, *param.secondary_opts))
    said = f"{told(param.help or '')}{_range(param)}{_default(param)}"
    return f"````{{option}} {names}\n{said}\n````"


def _range(param: Any) -> str:
    """Which numbers an option takes, where it does not take all."""
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is None and high is None:
        return ""
    return f" *Range:* {low} to {high}." if high is not None else f" *At least* {low}."


def _default(param: Any) -> str:
    if param.required:
        return " *Required.*"
    if isinstance(param.show_default, str) and param.show_default:
        return f" *Default:* {told(param.show_default)}."
    has_one = param.default is not None and param.show_default and not param.is_flag
    return f" *Default:* {code(str(param.default))}." if has_one else ""
