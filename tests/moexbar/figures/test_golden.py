"""The specification of every kind of picture as text, its data cut short."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from moexbar.figures.draw import complete
from moexbar.figures.figure import Figure, Shown
from moexbar.figures.kinds import KINDS

KEPT = 2  # rows of each table
VL = pytest.importorskip("vl_convert")


def shortened(spec: Any) -> Any:
    """A specification with the first rows of its tables."""
    if isinstance(spec, list):
        return [shortened(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    out = {name: shortened(part) for name, part in spec.items()}
    match spec.get("values"):
        case list(values):
            out["values"] = values[:KEPT]
        case str(text):
            out["values"] = "".join(text.splitlines(keepends=True)[: KEPT + 1])
    return out


def addresses(spec: Any) -> list[Any]:
    """What a specification would load."""
    if isinstance(spec, list):
        return [found for part in spec for found in addresses(part)]
    if not isinstance(spec, dict):
        return []
    own = [spec[name] for name in ("url", "href") if name in spec]
    return own + [found for part in spec.values() for found in addresses(part)]


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_kind(golden: Callable[[str, str], None], shown: Shown, kind: str) -> None:
    figures = KINDS[kind].draw(shown)
    assert figures, "the compilation of these tests has all that is shown"
    text = [
        {"kind": f.kind, "title": f.title, "caption": f.caption, "spec": shortened(f.spec)}
        for f in figures[:1]
    ]
    golden(f"figures/{kind}.json", json.dumps(text, indent=1) + "\n")


@pytest.mark.parametrize("kind", list(KINDS))
def test_vega_lite_compiles_it(shown: Shown, kind: str) -> None:
    for figure in KINDS[kind].draw(shown):
        assert compiled(figure)["marks"]
        assert addresses(figure.spec) == []
        assert figure.kind == kind
        assert figure.title
        assert figure.caption.endswith(".")


def compiled(figure: Figure) -> dict[str, Any]:
    """The picture in Vega; what Vega-Lite does not know it warns about, which is an error here."""
    found: dict[str, Any] = VL.vegalite_to_vega(complete(figure), vl_version="6.1")
    return found
