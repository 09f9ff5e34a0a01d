"""The JavaScript that draws the figures of a page: once in each, never in the repository."""

from functools import cache

from moexbar.figures.draw import javascript

SNIPPET = "window.vegaEmbed = vegaEmbed;"


@cache
def bundle() -> str:
    """Vega-Lite as one module, 0.9 MB; InputError where the extra `plots` is not installed."""
    made = javascript(SNIPPET)
    return made.replace("</script", "<\\/script")  # in its strings, where both are the same
