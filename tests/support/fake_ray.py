# SPDX-License-Identifier: Apache-2.0
"""Ray in one process: what `mmq_tf.training.cluster` uses of it, with faults that a test asks for."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class WorkerCrashedError(RayError):
    pass


class NodeDiedError(RayError):
    pass


class Killed(BaseException):
    """What a job raises to be as if its worker was killed."""


class _Ref:
    def __init__(self, value: Any = None, error: Exception | None = None) -> None:
        self.value, self.error = value, error


class FakeRay(ModuleType):
    """A cluster of nodes by name; tasks are done in turn, at once, on the first node their label allows."""

    def __init__(self, *nodes: str, gpus: float = 0) -> None:
        super().__init__("ray")
        self.exceptions = SimpleNamespace(
            RayError=RayError,
            RayTaskError=RayTaskError,
            WorkerCrashedError=WorkerCrashedError,
            NodeDiedError=NodeDiedError,
        )
        self.there = {name: {"CPU": 1.0, "GPU": gpus} for name in nodes}
        self.dead: set[str] = set()
        self.node = nodes[0]
        self.done_on: list[str] = []
        self.cancelled = 0
        self.util = SimpleNamespace(get_node_ip_address=lambda: self.node)

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": n, "NodeManagerAddress": n, "Alive": n not in self.dead, "Resources": has}
            for n, has in self.there.items()
        ]

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(get_node_id=lambda: self.node)

    def put(self, value: Any) -> _Ref:
        return _Ref(value)

    def get(self, ref: _Ref) -> Any:
        if ref.error:
            raise ref.error
        return ref.value

    def wait(self, refs: list[_Ref], num_returns: int = 1, timeout: float = 0) -> tuple[list, list]:
        return refs[:num_returns], refs[num_returns:]

    def cancel(self, ref: _Ref) -> None:
        self.cancelled += 1

    def kill(self, actor: Any) -> None:
        pass

    def remote(self, **resources: Any) -> Any:
        return lambda work: _Remote(self, work, {})


class _Remote:
    def __init__(self, ray: FakeRay, work: Any, options: dict[str, Any]) -> None:
        self._ray, self._work, self._options = ray, work, options

    def options(self, **more: Any) -> _Remote:
        return _Remote(self._ray, self._work, more)

    def remote(self, *given: Any) -> Any:
        if isinstance(self._work, type):
            return _Actor(self._work(*given))
        label = self._options.get("label_selector", {}).get("ray.io/node-id", "!in()")
        out = label[4:-1].split(",") if label.startswith("!in(") else None
        fit = [
            n
            for n in self._ray.there
            if n not in self._ray.dead and (n not in out if out is not None else n == label)
        ]
        self._ray.node = fit[0]
        self._ray.done_on.append(fit[0])
        try:
            return _Ref(self._work(*given))
        except Killed:
            return _Ref(error=WorkerCrashedError("killed"))
        except Exception as error:
            return _Ref(error=RayTaskError(error))


class _Actor:
    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        return SimpleNamespace(remote=lambda *given: _Ref(method(*given)))
