"""A specification drawn: the only importer of vl_convert, and what all pictures have in common."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ir.errors import InputError
from moexbar.figures.figure import Figure, Spec

if TYPE_CHECKING:
    from types import ModuleType

Theme = Literal["light", "dark"]
Form = Literal["svg", "png", "pdf", "json"]
FORMS: tuple[Form, ...] = ("svg", "png", "pdf", "json")
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name; nothing is loaded from there
VERSION = "6.1"  # of Vega-Lite that draws
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"  # of one width, so that text stays in place
INK: dict[Theme, dict[str, str]] = {
    "light": {"paper": "#ffffff", "ink": "#222222", "quiet": "#666666", "grid": "#e4e4e4"},
    "dark": {"paper": "#16181c", "ink": "#e6e6e6", "quiet": "#a0a4aa", "grid": "#33373d"},
}


def complete(figure: Figure, theme: Theme = "light", *, titled: bool = False) -> Spec:
    """The whole specification of a picture: with schema, fonts and the colours of a theme.

    titled: with the picture's title above it, where nothing around it tells. Marks whose colour
    depends on the theme are rules, texts and ticks, or
    of the styles `quiet`, `aside`, `grid`, `frame` and `paper`.
    """
    head = {"text": figure.title, "anchor": "start", "offset": 14}
    return {
        "$schema": SCHEMA,
        "background": INK[theme]["paper"],
        "padding": 12,
        **({"title": head} if titled else {}),
        **figure.spec,
        "config": _config(INK[theme]),
    }


def draw(figure: Figure, form: Form, theme: Theme = "light", *, scale: float = 2) -> bytes:
    """A picture with its title as the content of a file.

    The same every time, but for the order of the fonts in a PDF. scale: pixels of a PNG to one of
    the picture. Raises InputError where what draws is not installed.
    """
    spec = complete(figure, theme, titled=True)
    if form == "json":
        return (json.dumps(spec, ensure_ascii=True, allow_nan=False) + "\n").encode()
    painter, spec = _painter(), _without_controls(spec)
    words: dict[str, Any] = {"vl_version": VERSION, "allowed_base_urls": []}
    if form == "svg":
        return f"{painter.vegalite_to_svg(spec, **words)}\n".encode()
    if form == "pdf":
        return bytes(painter.vegalite_to_pdf(spec, **words))
    return bytes(painter.vegalite_to_png(spec, scale=scale, **words))


def refuse_missing() -> None:
    """Raise InputError where what draws is not installed: before work that would be in vain."""
    _painter()


def javascript(snippet: str) -> str:
    """Vega, Vega-Lite and vega-embed as one module without imports, and a snippet at its end.

    The snippet may name `vegaEmbed`. Raises InputError where what draws is not installed.
    """
    return str(_painter().javascript_bundle(snippet, vl_version=VERSION))


def _without_controls(spec: Any) -> Any:
    """The same with what no XML may hold replaced: a name of a model may hold anything."""
    if isinstance(spec, dict):
        return {name: _without_controls(part) for name, part in spec.items()}
    if isinstance(spec, list):
        return [_without_controls(part) for part in spec]
    return CONTROLS.sub("\ufffd", spec) if isinstance(spec, str) else spec


def form_of(path: Path) -> Form:
    """By the ending of a file's name; InputError for one that nothing is drawn as."""
    for form in FORMS:
        if path.suffix == f".{form}":
            return form
    problem = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
    raise InputError(str(path), f"{problem}, expected one of {', '.join('.' + f for f in FORMS)}")


def can_draw() -> bool:
    """Whether what draws is installed."""
    try:
        _painter()
    except InputError:
        return False
    return True


def _painter() -> "ModuleType":
    try:
        import vl_convert
    except ImportError as error:
        hint = "pip install 'moexbar[plots]'"
        raise InputError("plots", "vl-convert-python is not installed", hint) from error
    return vl_convert


def _config(colours: dict[str, str]) -> Spec:
    ink, quiet, grid = colours["ink"], colours["quiet"], colours["grid"]
    words = {"labelColor": ink, "titleColor": ink}
    return {
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            **words,
            "domainColor": quiet,
            "tickColor": quiet,
            "gridColor": grid,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelLimit": 240,
        },
        "axisBand": {"domain": False, "ticks": False, "grid": False},
        "legend": {
            **words,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "symbolType": "square",
            "symbolSize": 110,
            "labelLimit": 240,
            "columnPadding": 16,
        },
        "header": {**words, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"},
        "title": {"color": ink, "fontSize": 13, "fontWeight": "bold", "subtitleColor": quiet},
        "rule": {"color": ink},
        "text": {"color": ink},
        "tick": {"color": ink},
        "style": {
            "quiet": {"color": quiet, "stroke": quiet},
            "grid": {"color": grid, "stroke": grid},
            "paper": {"color": colours["paper"], "stroke": colours["paper"]},
            "halo": {"color": colours["paper"], "stroke": colours["paper"]},
            "frame": {"color": ink, "stroke": ink},
            "aside": {"color": quiet, "fill": quiet},
        },
    }
