"""Being connected to a cluster of Ray, which is imported only here and where its crew is.

Ray's usage reports, its dashboard and its lines on this process's output are off.
"""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from nextify.errors import InputError
from nextify.machine import cores
from nextify.machine.processes import with_variables

if TYPE_CHECKING:
    from nextify.studies.running.ray_crew import RayCrew

_WAIT = 10.0  # seconds for an address to answer; Ray itself waits for minutes
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # what nodes say would go to the standard output
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # without it, Ray warns that it will be the default
}
# A cluster of one machine, whose cores are to compute: Ray looks after itself less often, and
# workers have the priority of local ones. Its own would let all else that runs here go first.
_LEAN = {
    "LOG_NAME_UPDATE_INTERVAL_S": "10",
    "RAY_enable_metrics_collection": "false",
    "RAY_event_stats": "false",
    "RAY_kill_idle_workers_interval_ms": "2000",
    "RAY_local_fs_monitor_interval_ms": "2000",
    "RAY_memory_monitor_refresh_ms": "1000",
    "RAY_object_manager_timer_freq_ms": "1000",
    "RAY_raylet_check_gc_period_milliseconds": "1000",
    "RAY_raylet_report_resources_period_milliseconds": "1000",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_worker_niceness": "0",
}
_MODE = "RAY_AUTH_MODE"
_OURS = token_hex(32)  # a process of Ray reads its token once
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # RFC 9113


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Be connected to a cluster; where this process is already, it stays so.

    Args:
        address: HOST:PORT of its head node; "auto": the one that this machine belongs to; "local":
            one of this machine's cores, which starts here and ends here; None: none is asked for.

    Raises:
        InputError: Ray is not installed, the cluster does not answer, or is of other versions.
    """
    if address is None:
        yield
        return
    mode = os.environ.get(_MODE)
    try:
        lean = _LEAN if address == "local" else {}
        with with_variables({**_QUIET, **lean, **_access(address)}), _connected(address):
            yield
    finally:  # Ray has set it for its processes
        os.environ.pop(_MODE, None)
        if mode is not None:
            os.environ[_MODE] = mode


@contextmanager
def _connected(address: str) -> Iterator[None]:
    try:
        import ray
    except ImportError:
        raise InputError(
            f"--cluster {address} needs ray, which is not installed; pip install 'nextify[cluster]'"
        ) from None
    if ray.is_initialized():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    _connect(address)
    try:
        yield
    finally:
        ray.shutdown()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _access(address: str) -> dict[str, str]:
    """Variables of Ray's tokens, without which anybody who reaches a node could run anything there:
    those of this user where there are some, else for a cluster of our own one that is kept nowhere.
    """
    has_file = (Path.home() / ".ray" / "auth_token").is_file()
    if has_file or os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        return {_MODE: os.environ.get(_MODE, "token")}
    return {"RAY_AUTH_TOKEN": _OURS} if address == "local" else {}


def crew_on(
    address: str | None, study: Path | None = None, *, most: int | None = None, cores: int = 1
) -> "RayCrew | None":
    """The crew of the cluster that this process is connected to; None where none is asked for."""
    if address is None:
        return None
    from nextify.studies.running.ray_crew import RayCrew

    return RayCrew(study, most=most, cores=cores)


def _connect(address: str) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address == "local":
            ray.init("local", num_cpus=cores(), include_dashboard=False, **quiet)
            return
        if address != "auto":
            _require_answer(address)
        ray.init(address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        said = " ".join(str(error).split())
        raise InputError(
            f"--cluster is {address!r}, and Ray says: {said}; start a head node (ray start --head) "
            "and run this on one of the cluster's nodes"
        ) from error


def _require_answer(address: str) -> None:
    """Check that something answers that may be a head node: Ray would wait for it for minutes."""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal()) or "/" in address:
        raise InputError(f"--cluster is {address!r}; give HOST:PORT of a head node, auto or local")
    with suppress(OSError), socket.create_connection((host, int(port)), _WAIT) as line:
        line.sendall(_GREETING)
        if line.recv(1):
            return
    raise InputError(
        f"--cluster is {address!r}, and no head node answers there within {_WAIT:.0f} seconds; "
        "start one (ray start --head), and check the port"
    )
