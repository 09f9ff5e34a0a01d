"""Fill the disk under every command that writes: the error is named, the earlier output is whole.

Of a sweep what is done is kept: gone on with where there is room it comes to the same table. With
the right to mount, the disk is a small one of memory, filled so that it ends at a random place
of the output; else the length of a file is limited, at random too. Each run must end with 0, or
with 2 and one line that says what cannot be written.

    python -m benchmarks.full_disk --times 200
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.interrupts import SWEEP
from benchmarks.runs import SMALL, TRACE, Ended, Run, digest, limited, strays, told, whole

SIZE = 48 << 20
PAGE = 4096
SWEPT = ("results.parquet", "results.csv")
MOUNT = shutil.which("mount") or "mount"
UMOUNT = shutil.which("umount") or "umount"


def commands(disk: Path, trace: Path) -> dict[str, tuple[str, ...]]:
    """Every command that writes a file or folder, on the disk."""
    out = ("-o", str(disk / "out"))
    more = ("--no-baselines", "--no-verify", "--report")
    compared = ("--window", "64", "--solvers", "lpt,sorted", "--shuffles", "0")
    return {
        "compile": ("compile", *SMALL, *more, *out),
        "compare": ("compare", str(trace), *compared, *out),
        "design": ("design", *SMALL, "--latency", "1000", *out),
        "example": ("example", "tiny", *out),
        "explore": ("explore", "sweep.toml", *out),
        "profile": ("profile", *TRACE, "-o", str(disk / "out.npz")),
        "report": ("report", str(disk / "compiled"), "-o", str(disk / "out.html")),
        "plot": ("plot", str(disk / "compiled"), "methods", "-o", str(disk / "out.svg")),
    }


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A disk of memory, or None where it cannot be mounted."""
    with tempfile.TemporaryDirectory(prefix="full-disk-") as made:
        words = [MOUNT, "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", made]
        mounted = subprocess.run(words, check=False, capture_output=True).returncode == 0
        try:
            yield Path(made) if mounted else None
        finally:
            if mounted:
                subprocess.run([UMOUNT, "-l", made], check=True)


def fill(disk: Path, leave: int) -> None:
    """Fill a disk but for so many bytes."""
    free = shutil.disk_usage(disk).free
    with (disk / "ballast").open("wb") as file:
        for _ in range(max(0, free - leave) // PAGE):
            file.write(b"\1" * PAGE)


def wrong(ended: Ended, before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is wrong with a run on a full disk."""
    faults = ended.wrong()
    if ended.code == 0:
        return faults
    if ended.code != 2:
        faults.append(f"exit {ended.code}")
    last = (ended.err.strip().splitlines() or [""])[-1]
    if not last.startswith("error: "):
        faults.append(f"no error, but {last[-200:]!r}")
    if after != before:
        faults.append("the earlier output is no longer as it was")
    return faults


def outputs(disk: Path) -> dict[str, str]:
    """Hashes of what is on the disk, but for what fills it."""
    return {name: sha for name, sha in digest(disk).items() if name != "ballast"}


def filled(words: tuple[str, ...], disk: Path, folder: Path, leave: int, full: bool) -> list[str]:
    """A run with so much room, on a full disk or with files of that length at most."""
    before = outputs(disk)
    if full:
        fill(disk, leave)
    run = Run(words, folder, launch=() if full else limited("FSIZE", leave))
    ended = run.end()
    if full:
        (disk / "ballast").unlink()
    if words[0] == "explore":
        faults = wrong(ended, before, before) + gone_on(words, disk / "out", folder)
    else:
        faults = wrong(ended, before, outputs(disk))
    return faults + [f"left {name}" for name in strays(disk)]


def gone_on(words: tuple[str, ...], out: Path, folder: Path) -> list[str]:
    """What is wrong with a sweep that is gone on with: another table than a whole one's."""
    resume = ("--resume",) if (out / "manifest.json").exists() else ()
    ended = Run((*words, *resume), folder).end()
    if ended.code:
        return [f"exit {ended.code} of {resume}: {ended.err[-200:]}"]
    same = all((out / n).read_bytes() == (folder / "swept" / n).read_bytes() for n in SWEPT)
    return [] if same else ["another table than the undisturbed sweep's"]


def main(argv: list[str] | None = None) -> int:
    """Run every command with little room so many times; 1 where anything is lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=200, help="of all commands together")
    parser.add_argument("--only", help="one command")
    parser.add_argument("--no-mount", action="store_true", help="limit files instead")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    draw, failed = random.Random(given.seed), 0  # noqa: S311 - room
    with small_disk() as mounted, tempfile.TemporaryDirectory(prefix="full-disk-") as made:
        folder, full = Path(made), mounted is not None and not given.no_mount
        disk = mounted if mounted is not None and full else folder / "disk"
        disk.mkdir(exist_ok=True)
        (folder / "sweep.toml").write_text(SWEEP.replace("[2, 4, 8]", "[2]"))
        whole(["profile", *TRACE, "-o", "trace.npz"], folder)
        whole(
            [*commands(disk, folder / "trace.npz")["compile"][:-1], str(disk / "compiled")], folder
        )
        whole(["explore", "sweep.toml", "-o", "swept"], folder)
        base = outputs(disk)
        for name, words in commands(disk, folder / "trace.npz").items():
            if given.only not in (None, name):
                continue
            used = sum(path.stat().st_size for path in disk.rglob("*") if path.is_file())
            whole(words, folder)
            size = sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) - used
            if name in ("example", "explore"):  # which replace nothing, or at once
                _clean(disk, base)
            faults, many = list[str](), -(-given.times // 8)
            for n in range(many):
                leave = int((n + draw.random()) / many * 1.2 * size)
                faults += [f"{leave} bytes: {f}" for f in filled(words, disk, folder, leave, full)]
                if name in ("example", "explore"):
                    _clean(disk, base)
            _clean(disk, base)
            failed |= told(f"{'full disk' if full else 'short files'}, {name}", faults, many)
    return failed


def _clean(disk: Path, base: dict[str, str]) -> None:
    """Remove all outputs but the one that pages are made of."""
    for path in disk.iterdir():
        if path.name != "compiled":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert outputs(disk).keys() == base.keys()


if __name__ == "__main__":
    sys.exit(main())
