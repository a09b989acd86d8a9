# SPDX-License-Identifier: Apache-2.0
"""The jobs of `workers.run_jobs` as tasks of a Ray cluster, which alone decides where and when.

Only this module knows Ray. A task runs one job on one thread, tells a board on the caller's node of each
saved epoch, and hears there whether to stop. Jobs are begun again where a worker or node dies, from their
last saved epoch: their folder must be the same on all nodes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmq_tf.errors import MMQError
from mmq_tf.training.node_check import asked_of_nodes, check_cluster, node_fault, prepare_process
from mmq_tf.training.workers import Job, OnEpoch, OnFold

TRIES = 3
"""How often a job is begun at most, where what it runs on dies."""
LOOK_S, ANSWER_S, PATIENCE_S = 5.0, 120.0, 30.0
"""How often (s) the nodes are counted, how long one may take to answer, and how long no job may begin
before that is said."""
_NODE = "ray.io/node-id"


class _BadNode(Exception):
    """Raised in a task: its node cannot do the job, perhaps another can."""


class _Board:
    """An actor on the caller's node: what tasks tell, and whether they are to stop."""

    def __init__(self) -> None:
        self._told: list[Any] = []
        self._stop = False
        self._bad: set[str] = set()

    def tell(self, *message: Any) -> bool:
        self._told.append(message)
        return self._stop

    def begins(self, name: str, node: str) -> str:
        """Answer a task that is about to begin."""
        if self._stop or node in self._bad:
            return "stop" if self._stop else "bad"
        self._told.append((name, None, node))
        return "go"

    def leave_out(self, node: str) -> None:
        self._bad.add(node)

    def take(self) -> list[Any]:
        told, self._told = self._told, []
        return told

    def stop(self) -> None:
        self._stop = True


@dataclass(frozen=True)
class RayCluster:
    """Where jobs run instead of on this machine.

    Parameters
    ----------
    address : str
        ``HOST:PORT`` of a Ray cluster that this machine belongs to, or ``auto`` for the one that it runs.
    gpus_per_job : float
        Share of a GPU, or number of whole ones, that each job gets.
    note : callable
        Called with sentences for the user.
    written, read : tuple of Path
        Folders that every node must find as this one does.
    """

    address: str = "auto"
    gpus_per_job: float = 0.0
    note: Callable[[str], None] = lambda text: None
    written: tuple[Path, ...] = ()
    read: tuple[Path, ...] = ()

    def sharing(self, *written: Path, read: Sequence[Path] = ()) -> RayCluster:
        """Return the cluster for jobs that write and read these folders."""
        return replace(self, written=written, read=tuple(read))

    def run(self, jobs: Sequence[Job], on_epoch: OnEpoch, on_fold: OnFold) -> None:
        """Run jobs on the cluster's nodes.

        Raises
        ------
        MMQError
            If Ray or the cluster cannot be had, no node fits or ever will, a node has other software or
            another folder, or a job fails. Then, and when interrupted, jobs stop after the epoch they are
            in, which is saved.
        """
        with _connected(self.address) as ray, asked_of_nodes(self.written, self.read) as asked:
            _CallerSide(self, ray, jobs, asked).run(on_epoch, on_fold)


class _CallerSide:
    """One call of `RayCluster.run`: what was submitted, and which nodes are left out."""

    def __init__(self, cluster: RayCluster, ray: Any, jobs: Sequence[Job], asked: dict[str, Any]) -> None:
        self._ray, self._cluster, self._names = ray, cluster, [job.name for job in jobs]
        self._asked, self._bad = asked, set[str]()
        self._begun, self._tries = set[str](), dict.fromkeys(range(len(jobs)), 0)
        self._check_nodes()
        here = self._only_on(ray.get_runtime_context().get_node_id())
        self._board = ray.remote(num_cpus=0)(_Board).options(label_selector=here).remote()
        self._jobs = ray.put(list(jobs))  # once, read by all: tasks share its arrays
        self._task = ray.remote(num_cpus=1, max_retries=0)(_work)
        self._pending: dict[Any, int] = {self._submit(index): index for index in self._tries}

    def run(self, on_epoch: OnEpoch, on_fold: OnFold) -> None:
        """Wait for the jobs."""
        looked = begun = time.monotonic()
        try:
            while self._pending:
                done, _ = self._ray.wait(list(self._pending), timeout=0.5)
                self._show(on_epoch)
                for task in done:
                    self._take(task, on_fold)
                if time.monotonic() - looked > LOOK_S:
                    looked = time.monotonic()
                    self._check_left()
                if begun and (self._begun or time.monotonic() - begun > PATIENCE_S):
                    if not self._begun:
                        self._cluster.note("waiting: the cluster's processors or GPUs are taken.")
                    begun = 0.0
        except BaseException:
            self._end()
            raise
        finally:
            with suppress(Exception):
                self._ray.kill(self._board)

    def _submit(self, index: int) -> Any:
        options: dict[str, Any] = {"num_gpus": self._cluster.gpus_per_job}
        if self._bad:
            options["label_selector"] = {_NODE: f"!in({','.join(sorted(self._bad))})"}
        return self._task.options(**options).remote([self._jobs], index, self._board, self._asked)

    def _take(self, task: Any, on_fold: OnFold) -> None:
        """Take a task that has ended: its job is done, is begun again, or has failed."""
        index = self._pending.pop(task)
        name = self._names[index]
        try:
            self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            if not isinstance(error.cause, _BadNode):
                raise error.cause or error from None
            node, where, text = error.cause.args
            if node not in self._bad:
                self._bad.add(node)
                self._ray.get(self._board.leave_out.remote(node))
                self._check_left(f"{name}, on node {where}: {text} ")
                self._cluster.note(f"node {where} gets no more jobs ({name}: {text})")
        except self._ray.exceptions.RayError as error:
            self._tries[index] += 1
            if self._tries[index] >= TRIES:
                raise MMQError(
                    f"{name} was begun {TRIES} times, and each time what it ran on was killed "
                    f"({type(error).__name__}), most likely for lack of memory; start the nodes with fewer "
                    "--num-cpus, then run the same command again (for training and pretraining, with "
                    "--resume)."
                ) from error
            self._check_left()
            self._cluster.note(f"{name}: its worker or node died; it goes on from its last saved epoch.")
        else:
            on_fold(name)
            return
        self._pending[self._submit(index)] = index

    def _show(self, on_epoch: OnEpoch) -> None:
        told = self._ray.get(self._board.take.remote())
        self._begun |= {name for name, epoch, _ in told if epoch is None}  # before anything can interrupt
        for name, epoch, metrics in told:
            if epoch is not None:
                on_epoch(name, epoch, metrics)

    def _end(self) -> None:
        """Let what has begun end its epoch, and nothing else begin."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.get(self._board.stop.remote())
            self._show(lambda *told: None)
            for task, index in self._pending.items():
                if self._names[index] not in self._begun:
                    self._ray.cancel(task)
            if self._pending:
                self._ray.wait(list(self._pending), num_returns=len(self._pending))

    def _fitting(self) -> list[dict[str, Any]]:
        """Return the nodes that could run a job."""
        return [
            node
            for node in self._ray.nodes()
            if node["Alive"]
            and node["NodeID"] not in self._bad
            and node["Resources"].get("CPU", 0) >= 1
            and node["Resources"].get("GPU", 0) >= self._cluster.gpus_per_job
        ]

    def _check_left(self, why: str = "") -> None:
        if not self._fitting():
            raise MMQError(
                f"{why}No node of the cluster that could run a job is left; what is saved stays, and the "
                "same command (for training and pretraining, with --resume) continues from there."
            )

    def _check_nodes(self) -> None:
        """Ask every node whether it has the same software and folders, before anything is begun."""
        fitting = self._fitting()
        if not fitting:
            gpus = self._cluster.gpus_per_job
            wanted = "a processor" + (f" and {gpus:g} GPU" if gpus else "")
            there = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            most = ", ".join(
                f"{max((r.get(kind, 0) for r in there), default=0):g} {kind}" for kind in ("CPU", "GPU")
            )
            raise MMQError(
                f"no node of the cluster ever has {wanted} for a job (at most {most}); start nodes with more"
                + (", or ask for less by --gpus-per-job." if gpus else ".")
            )
        ask = self._ray.remote(num_cpus=0, max_retries=1)(_probe())
        answers = [
            ask.options(label_selector=self._only_on(node["NodeID"])).remote(self._asked) for node in fitting
        ]
        ready, _ = self._ray.wait(answers, num_returns=len(answers), timeout=ANSWER_S)
        for node, answer in zip(fitting, answers, strict=True):
            where = node["NodeManagerAddress"]
            if answer not in ready:
                raise MMQError(f"node {where} of the cluster did not answer within {ANSWER_S:g} s.")
            with suppress(self._ray.exceptions.WorkerCrashedError, self._ray.exceptions.NodeDiedError):
                if fault := self._ray.get(answer):
                    raise MMQError(f"node {where} of the cluster: {fault}")

    @staticmethod
    def _only_on(node: str) -> dict[str, str]:
        return {_NODE: node}


def _work(jobs: list[Any], index: int, board: Any, asked: dict[str, Any]) -> None:
    """Run one job in a task; in a list, the jobs are unpickled here, after the backend is set up."""
    import ray  # pyright: ignore[reportMissingImports]

    node, where = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
    if fault := node_fault(asked):  # of a node that came later
        raise _BadNode(node, where, fault)
    prepare_process(asked)
    job: Job = ray.get(jobs[0])[index]
    answer = ray.get(board.begins.remote(job.name, node))
    if answer == "bad":
        raise _BadNode(node, where, "")

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        if ray.get(board.tell.remote(job.name, epoch, dict(metrics))):
            raise _StopAsked

    if answer == "go" and not job.done:
        try:
            job.run(on_epoch)
        except _StopAsked:
            return
        except Exception as error:
            if said := _of_disk(error):
                raise _BadNode(node, where, said) from None
            raise


class _StopAsked(Exception):
    """Raised inside a job whose caller was interrupted; the epoch it finished is saved."""


def _of_disk(error: BaseException) -> str:
    """Return what an error says if the system refused a file somewhere below it, else nothing."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError):
            return str(error).partition("\n")[0] or type(error).__name__
        below = below.__cause__ or below.__context__  # Keras raises again `from None`
    return ""


def _probe() -> Callable[[dict[str, Any]], str]:
    """Return `node_fault` for a node that may not have this module: a function inside travels by value."""

    def probe(asked: dict[str, Any]) -> str:
        try:
            from mmq_tf.training.node_check import node_fault
        except ImportError as error:
            return f"mmq-tf cannot be imported there, or is an older one ({error}); install the same on all."
        return node_fault(asked)

    return probe


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Yield Ray, connected; a connection that the caller made before stays.

    Raises
    ------
    MMQError
        If Ray is not installed, or nothing answers.
    """
    check_cluster(address)
    import ray  # pyright: ignore[reportMissingImports]

    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise MMQError(
            f"--cluster {address}: this machine belongs to no Ray cluster there; start one with `ray start "
            "--head`, or join one with `ray start --address HOST:PORT`."
        ) from error
    except Exception as error:  # Ray raises many kinds
        said = str(error).strip().partition("\n")[0]
        raise MMQError(f"--cluster {address}: Ray says: {said}") from error
    try:
        yield ray
    finally:
        ray.shutdown()
