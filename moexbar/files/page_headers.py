"""What the pages of a Parquet column say that they inflate to, before any is inflated.

A file's footer says sizes and counts, and so does each page for itself; readers believe the page.
"""

from ir.errors import InputError
from moexbar.files.footer import Span
from moexbar.files.thrift import Struct, read_struct

_MOST_PAGES = 1 << 20
_UNCOMPRESSED, _COMPRESSED, _DATA, _DATA_2 = 2, 3, 5, 8  # fields of a page's header
_VALUES = 1  # field of the header within, of a page of data


def check_pages(data: bytes, span: Span, where: str) -> None:
    """InputError where pages inflate to more than is said of them, or hold other values."""
    at, inflated, values, pages = span.start, 0, 0, 0
    if not 0 <= at <= span.stop <= len(data):
        raise _broken(span, where, f"pages at bytes {at} to {span.stop} of {len(data)}")
    while at < span.stop and pages < _MOST_PAGES:
        try:
            head, after = read_struct(data, at)
        except (IndexError, ValueError) as error:
            raise _broken(span, where, f"page at byte {at}: no header of a page") from error
        stored, full = head.get(_COMPRESSED), head.get(_UNCOMPRESSED)
        if not (isinstance(stored, int) and isinstance(full, int) and min(stored, full) >= 0):
            raise _broken(span, where, f"page at byte {at}: without sizes")
        values += _values(head, span)
        inflated += after - at + full
        at, pages = after + stored, pages + 1
    if inflated > span.inflated or values != span.values or at > span.stop:
        told = f"pages of {inflated} bytes and {values} values"
        raise _broken(span, where, f"{told}, its footer says {span.inflated} and {span.values}")


def _values(head: Struct, span: Span) -> int:
    """How many values a page says it holds; more than there are where it says nonsense."""
    found = 0
    for field in (_DATA, _DATA_2):
        inner = head.get(field)
        if isinstance(inner, dict):
            held = inner.get(_VALUES)
            found += held if isinstance(held, int) and held >= 0 else span.values + 1
    return found


def _broken(span: Span, where: str, problem: str) -> InputError:
    return InputError(where, f"column {span.name}: {problem}", "the file is damaged")
