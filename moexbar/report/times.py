"""What a clock said, told apart from what repeats: reports are written without it."""

from typing import Any

CLOCKS = ("seconds", "compile_seconds")  # names of the keys that differ from run to run


def without_times(plain: Any) -> tuple[Any, dict[str, float]]:
    """A report as plain data with null for its times; these in seconds, by their paths.

    A path is as `explore` takes it for a figure: methods.0.compile_seconds.
    """
    times = dict[str, float]()

    def strip(value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [strip(one, f"{path}{number}.") for number, one in enumerate(value)]
        if not isinstance(value, dict):
            return value
        return {name: entry(name, one, path + name) for name, one in value.items()}

    def entry(name: str, value: Any, path: str) -> Any:
        if name not in CLOCKS or value is None:
            return strip(value, f"{path}.")
        times[path] = value
        return None

    return strip(plain, ""), times
