"""What of the account a user should be told: matrices left digital and why, copies."""

from collections.abc import Collection

from compiler.frontend.note import Note
from ir.account import DigitalWeights, SharedTensor, WeightAccount

_SHOWN = 4  # operators named in a note


def notes_of(account: WeightAccount, said: Collection[str]) -> list[Note]:
    """Notes; but of matrices that are digital for one of the reasons `said` already."""
    outside = account.matrices - account.tables
    return [
        *(
            _left(group, outside)
            for group in account.in_the_way
            if group.operator != "router" and group.reason not in said
        ),
        *(_copied(shared) for shared in account.shared if shared.copies > 1),
    ]


def _left(group: DigitalWeights, outside: int) -> Note:
    more = f" and {group.nodes - 1} more" if group.nodes > 1 else ""
    return Note(
        f"node {group.first!r} ({group.operator}){more} stays digital, with "
        f"{100 * group.elements / outside:.1f} % of the matrix elements: {group.reason}",
        group.reason,
    )


def _copied(shared: SharedTensor) -> Note:
    users = shared.operators[: shared.copies]
    more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
    return Note(
        f"tensor {shared.tensor!r} is used by {', '.join(users[:_SHOWN])}{more}: each has a copy "
        "of its own on crossbars"
    )
