"""Every way to have residents, on both ranges of a trace."""

from dataclasses import dataclass

from compiler.residency.dynamic import play
from compiler.residency.names import POLICIES
from compiler.residency.outcome import Outcome, kept
from compiler.residency.room import Room
from compiler.residency.stream import Stream
from ir.arrays import Bools
from ir.chip import Chip
from moexbar.report.resident import Method, ResidentCostRow, ResidentRow
from moexbar.residency.cells import Cells, kinds_of
from moexbar.residency.costs import energy_fj, waiting_ps, years
from moexbar.residency.footprint import Footprint
from moexbar.residency.rows import count_row


@dataclass(frozen=True, eq=False)
class Ways:
    """What all methods have in common.

    expert: what each takes, None where no model is known; rate: tokens a second; writers: crossbars
    written at once.
    """

    chip: Chip
    room: Room
    bypass: bool
    expert: Footprint | None
    rate: float | None
    writers: int | None

    @property
    def kinds(self) -> tuple[Cells, ...]:
        """Kinds of cells that costs are told of."""
        return kinds_of(self.chip)

    def rows(
        self, fit: Stream, score: Stream, fixed: dict[Method, Bools]
    ) -> tuple[ResidentRow, ...]:
        """Fixed residents, then those that change, which begin with the most used of the fit.

        Where experts differ in size, none that change: their rules are for slots of one size.
        """
        rows = [
            self._row(name, self._kept(fit, resident), self._kept(score, resident))
            for name, resident in fixed.items()
        ]
        if not self.room.uniform:
            return tuple(rows)
        first = fixed["most-used"]
        for policy in POLICIES:
            found = [
                play(
                    stream, self.room.pool, self.room.slots, policy, bypass=self.bypass, first=first
                )
                for stream in (fit, score)
            ]
            rows.append(self._row(policy, *found))
        return tuple(rows)

    def _kept(self, stream: Stream, resident: Bools) -> Outcome:
        """Residents that never change; where experts differ in size no slot is written."""
        slots = self.room.slots if self.room.uniform else self.room.room * 0
        return kept(stream, resident, self.room.pool, slots, bypass=self.bypass)

    def _row(self, name: Method, fit: Outcome, score: Outcome) -> ResidentRow:
        costs = tuple(self._cost(score, kind) for kind in self.kinds)
        return ResidentRow(name, count_row(fit), count_row(score), costs)

    def _cost(self, found: Outcome, kind: Cells) -> ResidentCostRow:
        """Of a token in the mean."""
        wait = energy = None
        if self.expert is not None:
            wait = waiting_ps(found, kind, self.expert, self.chip, self.writers)
            energy = energy_fj(found, kind, self.expert, self.chip)
        life = None if self.rate is None else years(found, kind, self.rate)
        tokens = max(1, found.tokens)
        return ResidentCostRow(
            cells=kind.name,
            wait_low_ns=None if wait is None else wait[0] / tokens / 1e3,
            wait_high_ns=None if wait is None else wait[1] / tokens / 1e3,
            energy_nj=None if energy is None else energy / tokens / 1e6,
            years_low=None if life is None else life.low,
            years_high=None if life is None else life.high,
        )
