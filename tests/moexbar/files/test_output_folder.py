"""An output folder appears whole, replaces only its like, and nobody else's file is ever lost."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from ir.errors import FolderBusyError, InputError
from ir.routing import Routing
from moexbar.__main__ import main
from moexbar.files import folder as folder_room
from moexbar.files.folder import publish
from moexbar.files.lock import only_one
from moexbar.files.manifest import MARK, refuse_other
from moexbar.files.routing_file import save_routing
from tests.paths import MODELS


def write(target: Path, text: str, command: str = "compare") -> None:
    """One output of two files."""
    with publish(target, command) as draft:
        (draft.folder / "result.txt").write_text(text)
        (draft.folder / "plot.svg").write_text("<svg/>")


def contents(folder: Path) -> dict[str, object]:
    """Everything below a folder: bytes of files, targets of links, None for folders."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def test_a_folder_appears_whole_with_its_manifest(tmp_path: Path) -> None:
    with publish(tmp_path / "out", "compare") as draft:
        (draft.folder / "result.txt").write_text("{}")
        draft.facts["of"] = "this"
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "result.txt").read_text() == "{}"
    manifest = json.loads((tmp_path / "out" / MARK).read_text())
    assert (manifest["command"], manifest["of"]) == ("compare", "this")
    # sha256sum of the two bytes {}
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert manifest["files"] == {"result.txt": digest}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_later_output_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    for text in ("old", "new"):
        write(tmp_path / "out", text)
    (tmp_path / "out" / "plot.svg").unlink()  # of ours, and gone: nothing to lose
    with publish(tmp_path / "out", "compare") as draft:
        assert draft.replaces
        (draft.folder / "only.txt").write_text("newest")
    assert sorted(contents(tmp_path / "out")) == [MARK, "only.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_old_output(tmp_path: Path) -> None:
    write(tmp_path / "out", "old")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="no"), publish(tmp_path / "out", "compare") as draft:
        (draft.folder / "result.txt").write_text("new")
        raise ValueError("no")
    with publish(tmp_path / "out", "compare") as draft:
        draft.discard()
    assert contents(tmp_path) == before


def test_a_planted_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="not a folder"), publish(tmp_path / "out", "compare"):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def _plain(out: Path) -> None:
    """No manifest at all."""
    (out / "thesis.txt").write_text("precious")


def _web_app(out: Path) -> None:
    (out / MARK).write_text('{"name": "app", "start_url": "/", "icons": []}')
    (out / "index.html").write_text("<html>")


def _extension(out: Path) -> None:
    """A browser's; its `files` is a list, as is ours of earlier versions."""
    (out / MARK).write_text('{"manifest_version": 3, "version": "0.1.0", "files": ["a.js"]}')
    (out / "a.js").write_text("1")


def _unreadable(out: Path) -> None:
    (out / MARK).write_bytes(b"{\xff not JSON")
    (out / "data.csv").write_text("1,2")


def _of_a_list(out: Path) -> None:
    (out / MARK).write_text("[]")


def _deep(out: Path) -> None:
    """JSON that exhausts the reader's stack."""
    (out / MARK).write_text("[" * 100_000)


def _empty_manifest(out: Path) -> None:
    (out / MARK).write_bytes(b"")


def _linked_manifest(out: Path) -> None:
    """The manifest of an output of ours, but not in this folder."""
    write(out.parent / "other", "ours")
    (out / MARK).symlink_to(out.parent / "other" / MARK)
    (out / "result.txt").write_text("ours")


def _mine_beside(out: Path) -> None:
    write(out, "ours")
    (out / "thesis.txt").write_text("precious")


def _hidden(out: Path) -> None:
    write(out, "ours")
    (out / ".notes").write_text("precious")


def _sub_folder(out: Path) -> None:
    write(out, "ours")
    (out / "figures" / "final").mkdir(parents=True)
    (out / "figures" / "final" / "1.png").write_bytes(b"\x89PNG")


def _link(out: Path) -> None:
    write(out, "ours")
    (out / "data").symlink_to("/etc")


def _link_for_ours(out: Path) -> None:
    """A file of ours moved away, a link with the same content in its place."""
    write(out, "ours")
    (out / "result.txt").rename(out.parent / "moved.txt")
    (out / "result.txt").symlink_to(out.parent / "moved.txt")


def _folder_for_ours(out: Path) -> None:
    write(out, "ours")
    (out / "result.txt").unlink()
    (out / "result.txt").mkdir()
    (out / "result.txt" / "thesis.txt").write_text("precious")


def _changed(out: Path) -> None:
    """As long as before, with the times of before: only its hash tells."""
    write(out, "ours")
    info = (out / "result.txt").stat()
    (out / "result.txt").write_text("mine")
    os.utime(out / "result.txt", ns=(info.st_atime_ns, info.st_mtime_ns))


def _noted_in_manifest(out: Path) -> None:
    write(out, "ours")
    found = json.loads((out / MARK).read_text())
    (out / MARK).write_text(json.dumps({**found, "note": "the run for chapter 4"}))


def _of_another_command(out: Path) -> None:
    write(out, "a compiled program", command="compile")


def _earlier_version_changed(out: Path) -> None:
    """Without hashes: what was written after the manifest is the user's."""
    (out / MARK).write_text('{"moexbar": "0.1.0", "files": ["compare.json"]}')
    (out / "compare.json").write_text("{}")
    os.utime(out / "compare.json", ns=(0, (out / MARK).stat().st_mtime_ns + 1))


FOREIGN: dict[Callable[[Path], None], str] = {
    _plain: "is a folder without manifest.json, so not an earlier output",
    _web_app: "its manifest.json is not one of moexbar's",
    _extension: "its manifest.json is not one of moexbar's",
    _unreadable: "its manifest.json is not one of moexbar's",
    _of_a_list: "its manifest.json is not one of moexbar's",
    _deep: "its manifest.json is not one of moexbar's",
    _empty_manifest: "its manifest.json is not one of moexbar's",
    _linked_manifest: "its manifest.json is not one of moexbar's",
    _mine_beside: "holds what moexbar did not write: 'thesis.txt'; move it elsewhere",
    _hidden: "holds what moexbar did not write: '.notes';",
    _sub_folder: "holds what moexbar did not write: 'figures';",
    _link: "holds what moexbar did not write: 'data';",
    _link_for_ours: "holds what moexbar did not write: 'result.txt';",
    _folder_for_ours: "holds what moexbar did not write: 'result.txt';",
    _changed: r"holds what moexbar did not write: 'result.txt' \(changed since\);",
    _noted_in_manifest: "its manifest.json is not one of moexbar's",
    _of_another_command: "an output of `moexbar compile`, expected one of `moexbar compare`",
    _earlier_version_changed: r"'compare.json' \(changed since\);",
}


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
def test_a_folder_with_anything_of_somebody_else_stays(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    make(tmp_path / "out")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=FOREIGN[make]), publish(tmp_path / "out", "compare"):
        pytest.fail("no work before the folder is known to be free")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
def test_what_comes_during_a_run_stays_and_the_output_lies_beside(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    """An hour of compilation is not lost either."""
    out, work = tmp_path / "out", tmp_path / "work"
    write(out, "old")
    with (
        pytest.raises(InputError, match="changed during this run, so it was left") as error,
        publish(out, "compare") as draft,
    ):
        (draft.folder / "result.txt").write_text("an hour's")
        shutil.rmtree(out)
        work.mkdir()
        make(work)
        work.rename(out)
        shutil.copytree(out, tmp_path / "expected", symlinks=True)
    assert contents(out) == contents(tmp_path / "expected")
    beside = Path(str(error.value).rpartition(" is in ")[2])
    assert beside.parent == tmp_path
    assert (beside / "result.txt").read_text() == "an hour's"
    assert (beside / MARK).is_file()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_many_foreign_files_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "out", "ours")
    for name in "abcde":
        (tmp_path / "out" / name).touch()
    with (
        pytest.raises(InputError, match="'a', 'b', 'c' and 2 more; move it elsewhere, or choose"),
        publish(tmp_path / "out", "compare"),
    ):
        pass


@pytest.mark.parametrize(
    ("command", "manifest", "names"),
    [
        ("compare", {"files": ["compare.json", "layer-1.svg"]}, ["compare.json", "layer-1.svg"]),
        # sha256sum of the two bytes {}
        (
            "compile",
            {
                "inputs": {},
                "files": {
                    "report.json": (
                        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
                    )
                },
            },
            ["report.json"],
        ),
        ("compile --dump-dir", {"stages_of": "out"}, ["1-workload.txt", "5-program.txt"]),
    ],
)
def test_outputs_of_earlier_versions_are_replaced(
    command: str, manifest: dict[str, object], names: list[str], tmp_path: Path
) -> None:
    """Their manifests have neither command nor seal, and some no hashes."""
    out = tmp_path / "out"
    out.mkdir()
    for name in names:
        (out / name).write_text("{}")
    (out / MARK).write_text(json.dumps({"moexbar": "0.1.0", **manifest}))
    (out / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"did not write: 'thesis\.txt';"), publish(out, command):
        pass
    (out / "thesis.txt").unlink()
    write(out, "new", command)
    assert sorted(contents(out)) == [MARK, "plot.svg", "result.txt"]


def test_a_hole_is_listed_without_reading_it(tmp_path: Path) -> None:
    """A terabyte of nothing, as an example's weights are; it could hide a change, so it stays."""
    with (
        publish(tmp_path / "out", "example") as draft,
        (draft.folder / "w.data").open("wb") as file,
    ):
        file.truncate(1 << 40)
    assert json.loads((tmp_path / "out" / MARK).read_text())["files"] == {"w.data": None}
    with pytest.raises(InputError, match=r"'w\.data'"), publish(tmp_path / "out", "example"):
        pass


class Killed(BaseException):
    """Stands for Ctrl-C, SIGTERM, or anything that is no error."""


@pytest.mark.parametrize("at", ["first rename", "look at the old", "second rename"])
def test_an_end_between_the_renames_puts_the_old_output_back(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "out", "old")
    before = contents(tmp_path)
    rename = Path.rename

    def stopped(self: Path, target: Path) -> Path:
        where = {"out": "first rename", "new": "second rename"}.get(self.name, "")
        if where == at == "second rename":
            raise Killed
        moved = rename(self, target)
        if where == at:
            raise Killed
        return moved

    def look(*_: object) -> None:
        raise Killed

    with pytest.raises(Killed), publish(tmp_path / "out", "compare") as draft:
        (draft.folder / "result.txt").write_text("new")
        monkeypatch.setattr(Path, "rename", stopped)
        if at == "look at the old":
            monkeypatch.setattr(folder_room, "_check_unchanged", look)
    assert contents(tmp_path) == before


def test_a_kill_between_the_renames_is_mended_by_the_next_run(tmp_path: Path) -> None:
    """No handler runs after SIGKILL: the old output then lies in the run's own hidden folder."""
    write(tmp_path / "out", "old")
    program = (
        "import os, signal, sys; from pathlib import Path; from moexbar.files import folder\n"
        "folder._check_unchanged = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with folder.publish(Path(sys.argv[1]), 'compare') as draft: pass\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path / "out"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    with publish(tmp_path / "out", "compare") as draft:
        assert draft.replaces
        assert (tmp_path / "out" / "result.txt").read_text() == "old"
        draft.discard()
    assert (tmp_path / "out" / "result.txt").read_text() == "old"


def test_a_backup_of_the_users_is_not_taken_for_a_run_that_was_killed(tmp_path: Path) -> None:
    write(tmp_path / "out", "old")
    shutil.copytree(tmp_path / "out", tmp_path / ".out.backup" / "old")
    shutil.rmtree(tmp_path / "out")
    write(tmp_path / "out", "new")
    assert (tmp_path / ".out.backup" / "old" / "result.txt").read_text() == "old"


def test_a_second_run_on_the_same_folder_is_busy(tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def second() -> None:
        try:
            with publish(tmp_path / "out", "compare"):
                pass
        except FolderBusyError as error:
            caught.append(error)

    with publish(tmp_path / "out", "compare") as draft:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        (draft.folder / "result.txt").write_text("{}")
    assert "another run writes this folder" in str(caught[0])
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_lock_removed_while_another_run_waits_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run opened the file before the first removed it: it must take the new one."""
    lock, first = tmp_path / ".out.lock", only_one(tmp_path / "out")
    really, opened = os.open, []

    def slow(path: Path, *args: int) -> int:
        handle = really(path, *args)
        opened.append(handle)
        if len(opened) == 1:
            first.__exit__(None, None, None)  # after our open, before our lock
            assert not lock.exists()
        return handle

    first.__enter__()
    monkeypatch.setattr(os, "open", slow)
    with only_one(tmp_path / "out"):
        assert len(opened) == 2
        assert lock.stat().st_ino == os.fstat(opened[1]).st_ino
        with pytest.raises(FolderBusyError), only_one(tmp_path / "out"):
            pass
    assert not lock.exists()


def test_a_lock_file_with_anything_in_it_is_not_ours_to_remove(tmp_path: Path) -> None:
    (tmp_path / ".out.lock").write_text("pid 1")
    write(tmp_path / "out", "new")
    assert (tmp_path / ".out.lock").read_text() == "pid 1"


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".out.lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(InputError, match=r"^/proc/out: cannot be written: "),
        publish(Path("/proc/out"), "compile"),
    ):
        pass
    with pytest.raises(InputError, match=r"\.out\.lock: cannot be locked"):
        write(tmp_path / "out", "new")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.slow
def test_runs_at_once_never_share_a_folder(tmp_path: Path) -> None:
    """Three processes, 25 outputs each as fast as they can: one at a time, and no file is left."""
    program = (
        "import sys; from pathlib import Path\n"
        "from ir.errors import FolderBusyError; from moexbar.files.folder import publish\n"
        "out, inside, done = Path(sys.argv[1]), Path(sys.argv[2]), 0\n"
        "while done < 25:\n"
        "    try:\n"
        "        with publish(out, 'compare') as draft:\n"
        "            inside.mkdir()  # fails while another is in here\n"
        "            (draft.folder / 'result.txt').write_text('x' * 1000)\n"
        "            inside.rmdir()\n"
        "        done += 1\n"
        "    except FolderBusyError: pass\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "out"), str(tmp_path / "inside")]
    runs = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [run.communicate(timeout=120)[1] for run in runs] == [""] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "result.txt").read_text() == "x" * 1000


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """One layer of 4 experts, 64 tokens."""
    path = tmp_path / "routing.npz"
    choices = np.random.default_rng(0).integers(0, 4, (1, 64, 1))
    save_routing(
        path,
        Routing(
            layer=np.array([0]),
            num_experts=np.array([4]),
            sequence=np.repeat(np.arange(8), 8),
            choices=choices.astype(np.int16),
        ),
    )
    return path


def test_commands_refuse_before_they_work(
    trace: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As users run it: a thesis beside another tool's manifest."""

    def worked(*_: object, **__: object) -> None:
        raise AssertionError("worked before it refused")

    for room, first_step in (
        ("moexbar.cli.compare", "_routing"),
        ("moexbar.cli.compile", "_compile"),
        ("moexbar.examples.write", "_copy"),
    ):
        monkeypatch.setattr(import_module(room), first_step, worked)
    out = tmp_path / "out"
    out.mkdir()
    _web_app(out)
    (out / "thesis.txt").write_text("precious")
    before = contents(tmp_path)
    model = MODELS / "token_choice.onnx"
    for words in (
        ["compare", trace, "--window", "8", "--time", "600"],
        ["compile", model, "--routing", trace, "--prefill", "8"],
        ["example", "tiny-token-choice"],
    ):
        assert main([str(word) for word in (*words, "-o", out)]) == 2
        assert "error: " in capsys.readouterr().err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("stages", ["out", "out/stages", "."])
def test_stages_lie_apart_from_the_output(
    stages: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = MODELS / "token_choice.onnx"
    words = ["compile", model, "--prefill", "8", "-o", tmp_path / "out"]
    assert main([*map(str, words), "--dump-dir", str(tmp_path / stages)]) == 2
    assert "expected folders side by side" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_another_file_is_told_of_that(tmp_path: Path) -> None:
    """What is read while an output is made, such as a model, is not the output."""
    other = tmp_path / "models" / "m.onnx"
    with pytest.raises(FileNotFoundError) as found, publish(tmp_path / "runs" / "out", "compare"):
        other.read_bytes()
    assert found.value.filename == str(other)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_folder_of_another_command_is_refused_by_its_name(tmp_path: Path) -> None:
    with publish(tmp_path / "out", "compare") as draft:
        (draft.folder / "empty.txt").touch()
    refuse_other(tmp_path / "out", "compare")
    refuse_other(tmp_path, "compile")  # not one of ours, so of no other command
    with pytest.raises(InputError, match="of `moexbar compare`, expected one of `moexbar compile`"):
        refuse_other(tmp_path / "out", "compile")


def test_an_empty_file_has_the_hash_of_nothing(tmp_path: Path) -> None:
    with publish(tmp_path / "out", "compare") as draft:
        (draft.folder / "empty.txt").touch()
    files = json.loads((tmp_path / "out" / MARK).read_text())["files"]
    assert files == {"empty.txt": hashlib.sha256().hexdigest()}
    with publish(tmp_path / "out", "compare"):
        pass  # the same again: nothing has been changed
