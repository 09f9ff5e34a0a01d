"""Every figure of README.md and docs/, printed anew by its command and put into the page.

    python -m benchmarks.figures --quick              # all but commands of a minute and more
    python -m benchmarks.figures docs/validation.md   # one page
    python -m benchmarks.figures --check              # which blocks differ; nothing is written

How a page names its commands: benchmarks/page_blocks.py. They run in a copy of the tree, those of
one page one after another; a `DIR` after `--traces` is the folder given here. Pictures in
docs/images that a command drew are put back too. Exit code 1: a command failed, or, with `--check`,
a block differs.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.page_blocks import Block, PageError, blocks, shown_part
from benchmarks.traces import add_traces

ROOT = Path(__file__).resolve().parents[1]
TRACES = "--traces DIR"
PICTURES = Path("docs/images")
QUICK_SECONDS = 60
ROUNDING = re.compile(r"\b\d(\.\d+)?e-0[5-9]\b")


class CommandError(Exception):
    """A command of a page that failed, with the end of what it said."""


@dataclass(frozen=True)
class Wanted:
    """Which blocks are made anew, and how. traces: the folder that `DIR` stands for.

    seconds: blocks that take so much CPU or more are left; None: all are made.
    """

    only: str = ""
    seconds: int | None = None
    check: bool = False
    traces: Path | None = None

    def left_out(self, block: Block) -> str:
        """Why a block is left as it is; empty: it is made."""
        if self.seconds is not None and block.mark.seconds >= self.seconds:
            return f"takes {block.mark.seconds} s"
        if TRACES in block.command and self.traces is None:
            return f"needs {TRACES}"
        return ""


@dataclass
class Copy:
    """A copy of the tree in which commands run; `moexbar` and `python` are of this process.

    code: where the packages are, if not in the copy.
    """

    root: Path
    kept: frozenset[str] = frozenset()
    printed: dict[str, str] = field(default_factory=dict)
    code: Path | None = None

    @classmethod
    def of(cls, tree: Path, scratch: Path) -> "Copy":
        """All files of the tree that git does not ignore."""
        listed = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
        done = subprocess.run(listed, cwd=tree, check=True, capture_output=True, text=True)
        return cls.of_files(filter(None, done.stdout.split("\0")), tree, scratch)

    @classmethod
    def of_files(cls, names: Iterable[str], tree: Path, scratch: Path) -> "Copy":
        """These files of the tree, and the two tools."""
        for name in names:
            if (tree / name).is_file() and not (tree / name).is_symlink():
                (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(tree / name, scratch / name)
        tools = scratch / ".figures"
        tools.mkdir()
        for name, words in (("python", ""), ("moexbar", " -m moexbar")):
            (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n')
            (tools / name).chmod(0o755)
        return cls(scratch, frozenset(entry.name for entry in scratch.iterdir()))

    def clear(self) -> None:
        """Without what commands wrote beside the tree: the next page makes its own."""
        self.printed.clear()
        for entry in self.root.iterdir():
            if entry.name not in self.kept:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def run(self, command: str, traces: Path | None) -> str:
        """What the command prints; one that ran since `clear` is not run again."""
        if command not in self.printed:
            path = f"{self.root / '.figures'}{os.pathsep}{os.environ['PATH']}"
            given = command.replace(TRACES, f"--traces '{traces}'") if traces else command
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", given],  # noqa: S607
                cwd=self.root,
                env=os.environ | {"PATH": path, "PYTHONPATH": str(self.code or self.root)},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                tail = "\n".join(done.stderr.strip().splitlines()[-3:])
                raise CommandError(f"exit code {done.returncode}: {tail}")
            out = done.stdout.replace(str(traces), "DIR") if traces else done.stdout
            if any(place in out for place in (str(self.root), str(ROOT), f"{Path.home()}/")):
                raise CommandError(f"prints a path of this machine: {out[:200]}")
            self.printed[command] = out
        return self.printed[command]


def remake(page: Path, copy: Copy, wanted: Wanted) -> list[str]:
    """Make the blocks of a page anew, each written at once; a text for each that differs or failed.

    What a chosen block needs is run before it: the commands above it whose output is not shown.
    """
    told: list[str] = []
    lines = _lines(page)
    found = blocks(lines)
    chosen = [one for one in found if wanted.only in one.command and not wanted.left_out(one)]
    last = max((one.start for one in chosen), default=-1)
    for block in found:
        why = wanted.left_out(block)
        if why and wanted.only in block.command:
            _say(f"left: {block.name} ({why})")
        if why or block.start > last or (block.shown and block not in chosen):
            continue
        before = _cpu_seconds()
        try:
            printed = copy.run(block.command, wanted.traces)
            differs = block.shown and put(page, block.command, printed, check=wanted.check)
        except (CommandError, PageError) as error:
            _say(f"FAILED: {block.name}\n  {error}")
            told.append(f"failed: {block.name}")
            continue
        word = "differs" if differs else "same" if block.shown else "run"
        _say(f"{word}: {block.name} ({_cpu_seconds() - before:.1f} s CPU)")
        if differs and not (wanted.check and block.mark.timed):
            told.append(f"differs: {block.name}")
    return told


def put(page: Path, command: str, printed: str, *, check: bool = False) -> bool:
    """Put what `command` printed into its blocks of the page as it is now; whether that differs.

    Errors of rounding do not count: they are of the processor that a matrix was multiplied on.
    """
    old = _lines(page)
    new = list(old)
    for block in reversed(blocks(old)):
        if block.command == command and block.shown:
            new[block.start : block.end] = shown_part(old[block.start : block.end], printed)
    differs = [_unrounded(line) for line in new] != [_unrounded(line) for line in old]
    if differs and not check:
        page.write_text("\n".join(new), encoding="utf-8")
    return differs


def _unrounded(line: str) -> str:
    """A line without the size of its errors of rounding."""
    return ROUNDING.sub("e", line)


def pages_of(tree: Path) -> list[Path]:
    """README.md and the pages of docs/, of its folders too, with at least one block."""
    files = [tree / "README.md", *sorted((tree / "docs").rglob("*.md"))]
    return [file for file in files if blocks(_lines(file))]


def pictures(copy: Copy, tree: Path, *, check: bool) -> list[str]:
    """Pictures that differ in the copy, put back into the tree unless it is only a check."""
    files = [one for one in (copy.root / PICTURES).rglob("*") if one.is_file()]
    drawn = sorted(one.relative_to(copy.root) for one in files)
    differ = [one for one in drawn if (tree / one).read_bytes() != (copy.root / one).read_bytes()]
    for one in [] if check else differ:
        shutil.copyfile(copy.root / one, tree / one)
    return [f"differs: {one}" for one in differ]


def main(argv: Sequence[str] | None = None) -> int:
    """Make the pages' blocks anew, and say which differ."""
    wanted, pages = _read(argv)
    told: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        copy = Copy.of(ROOT, Path(scratch).resolve())
        for page in pages or pages_of(ROOT):
            _say(str(page.resolve().relative_to(ROOT)))
            copy.clear()
            told += remake(page, copy, wanted)
        told += pictures(copy, ROOT, check=wanted.check)
    failed = [text for text in told if text.startswith("failed")]
    _say(
        f"{len(told) - len(failed)} differ{'' if wanted.check else ' and are written'}, "
        f"{len(failed)} failed"
    )
    return int(bool(told if wanted.check else failed))


def _read(argv: Sequence[str] | None) -> tuple[Wanted, list[Path]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE", help="default: all")
    parser.add_argument("--only", default="", metavar="TEXT", help="commands that contain this")
    parser.add_argument("--quick", action="store_true", help="leave what takes a minute or more")
    parser.add_argument("--check", action="store_true", help="say what differs, write nothing")
    add_traces(parser, required=False)
    asked = parser.parse_args(argv)
    traces = asked.traces.resolve() if asked.traces else None
    seconds = QUICK_SECONDS if asked.quick else None
    return Wanted(asked.only, seconds, asked.check, traces), asked.pages


def _lines(page: Path) -> list[str]:
    return page.read_text(encoding="utf-8").split("\n")


def _cpu_seconds() -> float:
    """Of all commands that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
