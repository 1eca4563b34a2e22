"""How each scheduler is asked for blocks of nodes: Parsl's providers, set up from a site, and one for Flux."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parsl.jobs.states import JobState, JobStatus
from parsl.launchers import (
    AprunLauncher,
    JsrunLauncher,
    MpiExecLauncher,
    MpiRunLauncher,
    SingleNodeLauncher,
    SrunLauncher,
    WrappedLauncher,
)
from parsl.providers import LSFProvider, PBSProProvider, SlurmProvider
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.errors import SubmitException

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parsl.launchers.base import Launcher

    from hstore_workflows.batch.site import ClusterSite

_LAUNCHERS: dict[str, Callable[[], Launcher]] = {
    "single": SingleNodeLauncher,
    "srun": SrunLauncher,
    "mpiexec": MpiExecLauncher,
    "mpirun": MpiRunLauncher,
    "jsrun": JsrunLauncher,
    "aprun": AprunLauncher,
}
_LAUNCHER_OF_KIND = {"slurm": "srun", "pbs": "mpiexec", "lsf": "mpirun", "flux": "flux"}
_SECONDS_FOR_A_COMMAND = 60
_FLUX_HEAD = """#!/bin/bash

#flux: --job-name=$jobname
#flux: --nodes=$nodes
#flux: --exclusive
#flux: --time-limit=${walltime_s}s
#flux: --output=$job_stdout_path
#flux: --error=$job_stderr_path
$scheduler_options

$worker_init

$user_script
"""
_FLUX_STATES = {
    **dict.fromkeys(("NEW", "DEPEND", "PRIORITY", "SCHED"), JobState.PENDING),
    **dict.fromkeys(("RUN", "CLEANUP"), JobState.RUNNING),
    "COMPLETED": JobState.COMPLETED,
    "FAILED": JobState.FAILED,
    "CANCELED": JobState.CANCELLED,
    "TIMEOUT": JobState.TIMEOUT,
}


class FluxProvider(ClusterProvider):
    """Blocks from Flux, by ``flux batch``, ``flux jobs`` and ``flux cancel``."""

    def __init__(
        self, *, walltime_s: int, queue: str, bank: str, scheduler_options: str, worker_init: str, **common: Any
    ) -> None:
        """Take what a block is; ``common`` is for :class:`ClusterProvider`."""
        super().__init__("flux", **common)
        directives = {"--queue": queue, "--bank": bank}
        lines = [f"#flux: {name}={value}" for name, value in directives.items() if value]
        self._options = "\n".join([*lines, scheduler_options])
        self._walltime_s = walltime_s
        self._worker_init = worker_init

    def submit(self, command: str, tasks_per_node: int, job_name: str = "hstore.flux") -> str:
        """Ask for a block and return its identifier.

        Raises:
            SubmitException: Flux refuses.
        """
        job_name = f"{job_name}.{time.time()}"
        path = Path(self.script_dir or ".", job_name).absolute()
        outputs = {"job_stdout_path": f"{path}.stdout", "job_stderr_path": f"{path}.stderr"}
        parts = outputs | {
            "nodes": self.nodes_per_block,
            "walltime_s": self._walltime_s,
            "scheduler_options": self._options,
            "worker_init": self._worker_init,
            "user_script": self.launcher(command, tasks_per_node, self.nodes_per_block, self.script_dir),
        }
        self._write_submit_script(_FLUX_HEAD, str(path), job_name, parts)
        code, answer, complaint = self.execute_wait(f"flux batch {path}")
        if code != 0 or not answer.strip():
            raise SubmitException(job_name, "flux batch failed", stdout=answer, stderr=complaint, retcode=code)
        job: str = answer.strip()
        self.resources[job] = {"job_id": job, "status": JobStatus(JobState.PENDING), **outputs}
        return job

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """Give blocks back; one that has ended already is no fault."""
        code, _, _ = self.execute_wait(f"flux cancel {' '.join(map(str, job_ids))}")
        for job in job_ids if code == 0 else ():
            self.resources[job]["status"] = JobStatus(JobState.CANCELLED)
        return [code == 0] * len(job_ids)

    @property
    def status_polling_interval(self) -> int:
        """Time between two questions, s."""
        return _SECONDS_FOR_A_COMMAND

    def _status(self) -> None:
        asked = [str(job) for job, known in self.resources.items() if not known["status"].terminal]
        if not asked:
            return
        code, answer, _ = self.execute_wait(f"flux jobs -a -n -o '{{id}} {{state}} {{result}}' {' '.join(asked)}")
        if code != 0:
            return
        for job, state, *result in map(str.split, filter(None, answer.splitlines())):
            known = self.resources.get(job)
            word = result[0] if state == "INACTIVE" and result else state
            if known is not None:
                outputs = {"stdout_path": known["job_stdout_path"], "stderr_path": known["job_stderr_path"]}
                known["status"] = JobStatus(_FLUX_STATES.get(word, JobState.UNKNOWN), **outputs)


def provider_of(site: ClusterSite, blocks: int, tell: Callable[[str], None]) -> ClusterProvider:
    """Return what asks the scheduler of a site for blocks.

    Args:
        site: where.
        blocks: blocks to ask for at once.
        tell: told the identifier of each block that is asked for.
    """
    common: dict[str, Any] = {
        "nodes_per_block": site.nodes_per_block,
        "init_blocks": blocks,
        "min_blocks": 0,
        "max_blocks": site.max_blocks,
        "parallelism": 1,
        "walltime": site.walltime,
        "launcher": _launcher(site),
        "cmd_timeout": _SECONDS_FOR_A_COMMAND,
    }
    texts = {"scheduler_options": "\n".join(site.options), "worker_init": "\n".join(site.setup)}
    kind, own = _OWN[site.kind](site)

    class Told(kind):  # type: ignore[misc, valid-type]  # which provider it is, the site says
        """The provider, which tells of its blocks and asks the scheduler as often as the site allows."""

        status_polling_interval = int(site.poll_s)

        def submit(self, *arguments: Any, **more: Any) -> Any:
            job = super().submit(*arguments, **more)
            if job:
                tell(str(job))
            return job

    provider: ClusterProvider = Told(**common, **texts, **own)
    return provider


_Own = tuple[type[ClusterProvider], dict[str, Any]]


def _slurm(site: ClusterSite) -> _Own:
    return SlurmProvider, {
        "partition": site.queue or None,
        "account": site.account or None,
        "qos": site.qos or None,
        "constraint": site.constraint or None,
        "exclusive": site.exclusive,
        "cores_per_node": site.cores,
        "mem_per_node": site.memory_gib_per_node or None,
    }


def _pbs(site: ClusterSite) -> _Own:
    return PBSProProvider, {
        "queue": site.queue or None,
        "account": site.account or None,
        "cpus_per_node": site.cores,
        "select_options": f":mem={site.memory_gib_per_node}gb" if site.memory_gib_per_node else "",
    }


def _lsf(site: ClusterSite) -> _Own:
    by_nodes = site.launcher == "jsrun"  # where there is jsrun, bsub counts nodes, and elsewhere cores
    cores = {"cores_per_block": site.cores * site.nodes_per_block, "cores_per_node": site.cores}
    return LSFProvider, {
        "queue": site.queue or None,
        "project": site.account or None,
        "bsub_redirection": True,
        "request_by_nodes": by_nodes,
        **({} if by_nodes else cores),
    }


def _flux(site: ClusterSite) -> _Own:
    return FluxProvider, {"walltime_s": site.walltime_s, "queue": site.queue, "bank": site.account}


_OWN: dict[str, Callable[[ClusterSite], _Own]] = {"slurm": _slurm, "pbs": _pbs, "lsf": _lsf, "flux": _flux}


def _launcher(site: ClusterSite) -> Launcher:
    name = site.launcher or ("single" if site.nodes_per_block == 1 else _LAUNCHER_OF_KIND[site.kind])
    if name == "flux":
        return WrappedLauncher(f"flux run -N {site.nodes_per_block} -n {site.nodes_per_block} --exclusive")
    return _LAUNCHERS[name]()
