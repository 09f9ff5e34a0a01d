"""The account of every weight: where each stored element goes, and why some are not placed."""

from compiler.frontend.account.count import account_of
from compiler.frontend.account.notes import notes_of

__all__ = ["account_of", "notes_of"]
