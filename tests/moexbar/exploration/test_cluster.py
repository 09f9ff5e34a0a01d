"""A sweep on a real Dask cluster of two workers: the same table, byte for byte."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ir.errors import InputError
from moexbar.exploration import cluster
from moexbar.exploration.cluster import check_address
from moexbar.exploration.crew import Call, Died, carried_out
from moexbar.exploration.task import explore
from tests.moexbar.exploration.inline import inline, sweep_file
from tests.paths import ROOT

GRID = '[vary]\n"chip.pg.mux" = [1, 2]\n"chip.bus.bit_fj" = [50, "much"]'


def started(stack: ExitStack, *words: str) -> subprocess.Popen[bytes]:
    there = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    }
    command = [sys.executable, "-m", *words]
    begun = subprocess.Popen(command, env=there, cwd=ROOT, stderr=subprocess.DEVNULL)
    stack.callback(begun.wait)
    stack.callback(begun.kill)
    return begun


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler on this machine, with two workers of one thread each."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    of = ["--scheduler-file", str(file)]
    with ExitStack() as stack:
        here = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        started(stack, "distributed.cli.dask_scheduler", *here, *of)
        for _ in range(200):
            if file.exists():
                break
            time.sleep(0.1)
        one = ["--nworkers", "2", "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard"]
        nanny = started(stack, "distributed.cli.dask_worker", *one, *of)
        yield json.loads(file.read_text())["address"]
        nanny.send_signal(signal.SIGTERM)  # so that it ends its workers
        nanny.wait(20)


@pytest.mark.slow
def test_a_cluster_gives_the_same_table(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sweep_file(tmp_path, GRID)
    done = explore(path, tmp_path / "cluster", cluster=address)
    assert (done.report.done, done.report.failed) == (2, 2)
    inline(monkeypatch)
    explore(path, tmp_path / "here")
    for name in ("results.parquet", "results.csv"):
        assert (tmp_path / "cluster" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@pytest.mark.slow
def test_a_call_that_its_workers_die_of_is_told(address: str) -> None:
    from moexbar.exploration.cluster import Cluster

    team = Cluster(address)
    try:
        calls = [Call("well", len, ("abc",)), Call("dies", os._exit, (3,))]
        found = {call.tag: result for call, result in carried_out(team, calls)}
    finally:
        team.stop()
    assert found == {"well": 3, "dies": Died()}


@pytest.mark.slow
def test_workers_that_do_not_come_back_are_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A while without any is waited for: batch queues start them one by one."""
    team = cluster.Cluster(address)
    try:
        assert team.size in (1, 2)  # one that died may not be back
        monkeypatch.setattr(team._client, "nthreads", dict)
        assert team.size == 1
        monkeypatch.setattr(cluster, "PATIENCE_S", 0)
        with pytest.raises(InputError, match=r"no worker has been there.*--resume goes on"):
            list(carried_out(team, [Call(0, int, ())]))
    finally:
        team.stop()


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786", "tls://10.0.0.1:8786"],
)
def test_addresses_that_are_safe(address: str) -> None:
    check_address(address, trust_network=False)


def test_an_open_network_is_to_be_trusted_in_so_many_words() -> None:
    with pytest.raises(InputError, match=r"without TLS.*runs code here.*--trust-network"):
        check_address("tcp://10.0.0.1:8786", trust_network=False)
    check_address("tcp://10.0.0.1:8786", trust_network=True)


@pytest.mark.parametrize("address", ["", "127.0.0.1:8786", "http://a:1", "tcp://a", "tcp://a:x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InputError, match="expected tcp://HOST:PORT"):
        check_address(address, trust_network=True)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'moexbar\[cluster\]'"):
        explore(sweep_file(tmp_path, GRID), tmp_path / "out", cluster="tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "optuna", None)
    text = '[search]\ntrials = 1\nobjectives = ["time_us"]\nbatch = 1\n"chip.pg.mux" = [1]'
    with pytest.raises(InputError, match=r"pip install 'moexbar\[search\]'"):
        explore(sweep_file(tmp_path, text), tmp_path / "other", processes=1)


def test_without_certificates_there_is_no_tls(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no certificates of a client"):
        explore(sweep_file(tmp_path, GRID), tmp_path / "out", cluster="tls://127.0.0.1:9")
    assert not (tmp_path / "out").exists()


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moexbar.exploration.cluster.WAIT_S", 1)
    with pytest.raises(InputError, match="no scheduler with a worker answers within 1 s"):
        explore(sweep_file(tmp_path, GRID), tmp_path / "out", cluster="tcp://127.0.0.1:9")
