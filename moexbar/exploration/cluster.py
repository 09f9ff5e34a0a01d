"""A Dask cluster as the team: the only importer of distributed."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ir.errors import InputError

OPTION = "--cluster"
GONE = OPTION, "the scheduler is gone", "start it again; --resume goes on with what is done"
WAIT_S = 20  # for the scheduler, and for a worker
PATIENCE_S = 600  # without any worker: a queue may start others, nobody may
NOBODY = f"no worker has been there for {PATIENCE_S} s"
EXTRA = "install what it needs: pip install 'moexbar[cluster]'"


class Cluster:
    """The workers of a Dask scheduler; this version is installed at each of them.

    A worker that dies is replaced by whoever runs the cluster; the scheduler has its call done by
    another one, `distributed.scheduler.allowed-failures` times.
    """

    def __init__(self, address: str, *, trust_network: bool = False) -> None:
        """Connect; InputError for an address that is refused, or where nobody answers."""
        check_address(address, trust_network=trust_network)
        try:
            from distributed import Client, KilledWorker
        except ImportError as error:
            raise InputError(OPTION, "distributed is not installed", EXTRA) from error
        connect: Any = Client
        self.together = False
        self.died: tuple[type[BaseException], ...] = (KilledWorker,)
        try:
            _check_certificates(address)
            self._client = connect(address, timeout=WAIT_S, set_as_default=False)
            self._client.wait_for_workers(1, timeout=WAIT_S)
        except (OSError, TimeoutError, ValueError) as error:
            problem = f"{address}: no scheduler with a worker answers within {WAIT_S} s"
            raise InputError(OPTION, problem, "start one: dask scheduler, dask worker") from error
        self._executor = self._client.get_executor(pure=False)
        self._seen = time.monotonic()

    @property
    def size(self) -> int:
        """Threads of all workers that are there now; InputError after long without any."""
        threads: dict[str, int] = self._client.nthreads()
        if threads:
            self._seen = time.monotonic()
        elif time.monotonic() > self._seen + PATIENCE_S:
            raise InputError(OPTION, NOBODY, "start one; --resume goes on with what is done")
        return max(1, sum(threads.values()))

    def submit(self, call: Callable[..., Any], *words: Any) -> "Future[Any]":
        """Begin a call."""
        try:
            found: Future[Any] = self._executor.submit(call, *words)
        except (OSError, CancelledError) as error:
            raise InputError(*GONE) from error
        return found

    def renew(self) -> None:
        """Nothing is lost with a worker."""

    def stop(self) -> None:
        """Give back what was begun and disconnect; the cluster goes on."""
        with contextlib.suppress(Exception):  # whatever is wrong with it, we leave
            self._executor.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)


def check_address(address: str, *, trust_network: bool) -> None:
    """InputError for no address, or one that anybody on the network could read and answer."""
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("tcp", "tls") or not host or not port:
        expected = "expected tcp://HOST:PORT or tls://HOST:PORT such as tcp://127.0.0.1:8786"
        raise InputError(OPTION, f"{address!r}, {expected}")
    if parts.scheme == "tls" or trust_network or _loopback(host):
        return
    raise InputError(
        OPTION,
        f"{address}: not of this machine and without TLS: who reads it sees the model's routing, "
        "and who answers in its place runs code here, as Dask sends Python objects",
        "use tls://, or --trust-network where the network is closed to others",
    )


def _check_certificates(address: str) -> None:
    """InputError for an address with TLS where Dask's configuration names no certificates."""
    from distributed.security import Security

    configured: Any = Security
    if not address.startswith("tls:"):
        return
    if configured().get_connection_args("client")["ssl_context"] is None:
        problem = f"{address}: Dask's configuration names no certificates of a client"
        raise InputError(OPTION, problem, "set distributed.comm.tls there (docs/explore.md)")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
