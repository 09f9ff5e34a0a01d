"""What `moexbar compile --jitter` prints: times and their quotients over the runs."""

from moexbar.console import Fitting, table
from moexbar.report.jittered import JitterRow
from moexbar.report.tables import with_range


def jitter_table(jitter: JitterRow) -> Fitting:
    """One line per method: its time over the runs, and that over the asked method's."""
    shown = table(f"over {jitter.runs} runs", "time us", "range", "of moexbar's time")
    for row in jitter.methods:
        time, quotient = row.time_ns, row.of_ours
        shown.add_row(
            row.method,
            f"{time.mean / 1000:.2f}",
            f"{time.low / 1000:.2f}-{time.high / 1000:.2f}",
            "" if quotient is None else with_range(quotient.mean, quotient),
            style="bold" if row is jitter.methods[-1] else None,
        )
    return shown


def jitter_line(jitter: JitterRow) -> str:
    """What the table means."""
    left_out = f"; {jitter.unfit} of {jitter.runs} runs left out: no room" * (jitter.unfit > 0)
    return (
        "runs: times as they are, then each opcode's by a factor of its own in "
        f"{1 - jitter.size:g}-{1 + jitter.size:g}, the same for all methods, and scheduled anew; "
        f"seed {jitter.seed}; equal (= in the table above): 1 is in the range, run by run{left_out}"
    )
