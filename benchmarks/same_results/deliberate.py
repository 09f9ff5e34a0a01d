"""What two checkouts need not agree on, and why: the one list to extend when results shall change.

A place is `FILE: path`, as a difference is printed. FILE may be the end of a path. In the path `[]`
is any place of a list and `*` is anything; whatever lies beneath the place is meant too. In a text
the path is a whole line: `compile.txt: written to *`.

    DELIBERATE["report.json: layers[].grouping.schema"] = "added: readers can tell the version"
    MOVED["report.json: window.kv"] = "window.caches.kv"  # the value must still be the same
    RENAMED["compile --kv"] = "--kv-cache"  # what this checkout calls an option
"""

NOT_READ = {
    "manifest.json": "hashes of the other files, and paths",
    "times.json": "what a clock said",
    "trace.json": "rounded for its viewer; all that it shows is in program.parquet",
}
NOT_COMPARED = {
    "*.json: *.seconds": "what a clock said",
    "*.json: *.compile_seconds": "what a clock said",
    "compare.json: layers[].solvers[].progress[][0]": "what a clock said",
}
DELIBERATE: dict[str, str] = {
    "*.json: weights": "added: where every stored number of the model goes",
    "*.txt: weights on crossbars: *": "added: where the numbers of the model's matrices go",
    "compile.errors.txt: *": "stages of a compilation, on standard error where it is no terminal",
    "*.json: schema": "added: a document says the number of its form",
    "replicas.json: layers[].seed": "added: a certificate has the same keys everywhere",
    "group.json: layers[].seed": "added: a certificate has the same keys everywhere",
    "schedule.json: windows[].policy": "added: a slot order has the same keys everywhere",
    "limited.json: windows[].policy": "added: a slot order has the same keys everywhere",
    "verify.json: summary": "added: as in report.json, whose `executed` has the same keys",
    "compile.txt: bound by *": "added: which units bind, and what of the chip to change",
    "compile.txt: then by *": "added: which units bind, and what of the chip to change",
    "compile.txt: no unit binds*": "added: which units bind, and what of the chip to change",
    "simulate.txt: bound by *": "added: which units bind, and what of the chip to change",
    "simulate.txt: then by *": "added: which units bind, and what of the chip to change",
    "simulate.json: bound_by": "added: which units bind, and what of the chip to change",
    "slower.json: bound_by": "added: which units bind, and what of the chip to change",
    "replicas.json: layers[].deterministic": "time is kept: cut by the clock, it says so",
    "report.json: programming": "added: what writing the weights once takes",
    "compile.txt: writing the weights once: *": "added, for a chip with a `write` table",
    "report.json: chip.changes": "added: what --set changed of the chip",
    "chips.json: *changes": "added: what --set changed of the chip",
    "*.json: changes": "added: what --set changed of the chip, in what simulate gives",
    "compile.txt: * on *: prefill *": "the title says what --set changed of the chip",
    "compile.txt: * on * with *": "the same, where the title takes several lines",
    "compile.txt: *.* = *": "the same: what was set",
    "compile.txt: *prefill of *": "the same: its end",
    "compile.txt: * chip numbers are assumed*": "how many of them --set gave, where it gave some",
    "compile.txt: *cores": "its last line, where the title takes two",
    "tiny.txt: tiny*": "the title says what --set changed of the chip",
    "simulate.txt: * instructions on *": "the title says what --set changed of the chip",
    "slower.txt: * instructions on *": "the title says what --set changed of the chip",
    "waits.txt: ": "added: a table of the waits of each group, after an empty line",
    "waits.txt: expert *": "added: a table of the waits of each group",
    "waits.txt: layer *": "added: a table of the waits of each group",
}
MOVED: dict[str, str] = {  # places of the old side to paths of the new one in the same file
    "compare.json: layers[].solvers[].fit": "layers[].solvers[].value",  # as in every certificate
}
RENAMED: dict[str, str] = {"schedule --groups": "--grouping-file"}  # it names a file
