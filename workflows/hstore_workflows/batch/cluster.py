"""Workers on the nodes of a cluster, by Parsl's HighThroughputExecutor: no daemon, and no port open to strangers.

The driver asks the scheduler for blocks of nodes. On each node a manager starts the workers, which connect back to
the driver and take one item each. Blocks end at their walltime and are asked for again while there is work.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import sys
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from string import Template
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from hstore.errors import HstoreError, InputError
from hstore.workers import Limits, Outcome, attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from hstore_workflows.batch.site import ClusterSite

T = TypeVar("T")
R = TypeVar("R")

LOGS = "cluster"
"""Folder, in that of a run, of submit scripts and of what blocks and workers say."""

_IN_FLIGHT_PER_WORKER = 3
"""Items handed over ahead for each worker: nodes that join find work, and the driver stays small."""
_LOSSES = 5
"""An item whose node is lost so often may be what ends the nodes."""
_BARREN_BLOCKS = 3
"""Blocks that may end one after the other at each place without an item done."""
_SAID_CHARACTERS = 300
_LABEL = "hstore"
_SCHEDULER = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub", "flux": "flux"}


class _WrittenError(Exception):
    """Raised where a submit script is ready and nobody is to get it."""


class Cluster(Generic[T, R]):
    """Workers on the nodes of a site for one function, as :class:`hstore.workers.Crew` is on one machine.

    Use it as a context manager: blocks are given back at its end.
    """

    def __init__(
        self,
        function: Callable[[T], R],
        *,
        site: ClusterSite,
        folder: Path,
        limits: Limits,
        preload: tuple[str, ...] = (),
        blocks: int | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take what to run; the first block is asked for when there is work.

        Args:
            function: a module-level function, importable on the nodes.
            site: where.
            folder: for logs and submit scripts; on a file system that the nodes share.
            limits: time and memory of an item.
            preload: modules that a worker loads before its limit of memory counts.
            blocks: blocks to ask for at once; as many as the site allows when None.
            say: told in one line what becomes of blocks.

        Raises:
            InputError: Parsl is not installed.
        """
        if importlib.util.find_spec("parsl") is None:
            raise InputError(f"a site of kind {site.kind} needs Parsl; pip install 'hstore[cluster]'")
        self._function = function
        self._site = site
        self._folder = folder
        self._limits = limits
        self._preload = preload
        self._blocks = min(blocks or site.max_blocks, site.max_blocks)
        self._say = say
        self._kernel: Any = None
        self._executor: Any = None
        self._worked = False
        self._ended_before = 0

    def __enter__(self) -> Self:
        """Return the cluster; its blocks are given back at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give all blocks back."""
        self.close()

    def close(self) -> None:
        """Give all blocks back; what was not finished is forgotten."""
        if self._kernel is not None:
            if self._executor.bad_state_is_set:  # then Parsl leaves the blocks as they are
                provider = self._executor.provider
                provider.cancel([job for job, block in provider.resources.items() if not block["status"].terminal])
            self._kernel.cleanup()
            self._kernel = None

    def map(self, items: Iterable[T], *, in_order: bool = False) -> Iterator[Outcome[R]]:
        """Apply the function to every item; outcomes come as soon as they are there.

        An item whose node is lost is done again elsewhere.

        Args:
            items: any number, taken as workers become free.
            in_order: not here; see :meth:`hstore.workers.Crew.map`.

        Raises:
            InputError: no job can be submitted from here.
            HstoreError: blocks end one after the other without an item done.
        """
        assert not in_order
        source = enumerate(items)
        waiting: dict[Future[Any], tuple[int, T]] = {}
        losses: Counter[int] = Counter()
        window = _IN_FLIGHT_PER_WORKER * self._site.processes
        while True:
            while len(waiting) < window and (following := next(source, None)) is not None:
                waiting[self._submit(following[1])] = following
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                index, item = waiting.pop(future)
                outcome = self._outcome(index, future)
                if outcome is None:
                    losses[index] += 1
                    self._say(f"a node was lost ({future.exception()}); what it did is done again")
                    if losses[index] < _LOSSES:
                        waiting[self._submit(item)] = (index, item)
                        continue
                    outcome = Outcome(index, None, f"its node was lost {_LOSSES} times")
                yield outcome

    def submit_script(self) -> str:
        """Return the script that asks for a block, as the scheduler reads it; nothing is asked for."""
        written = []

        def keep(template: str, _path: str, name: str, parts: dict[str, Any]) -> None:
            written.append(Template(template).substitute(jobname=name, **parts))
            raise _WrittenError

        executor = self._made()
        executor.run_dir = str(self._folder / LOGS)
        executor.logconf_path = None
        executor.worker_port = "PORT"
        executor.cert_dir = "CERTIFICATES" if self._site.encrypted else None
        executor.initialize_scaling()
        provider = executor.provider
        provider.script_dir = executor.run_dir
        provider._write_submit_script = keep  # noqa: SLF001 - the last step before a scheduler would be asked
        with suppress(_WrittenError):
            provider.submit(executor._get_launch_command("0"), 1)  # noqa: SLF001 - what Parsl itself would submit
        (script,) = written
        return script

    def _submit(self, item: T) -> Future[Any]:
        if self._kernel is None:
            self._start()
        arguments = (self._function, item, self._limits, self._preload)
        future: Future[Any] = self._kernel.submit(
            attempt, arguments, executors=[_LABEL], cache=False, ignore_for_cache=None, app_kwargs={}
        )
        return future

    def _start(self) -> None:
        import parsl

        if shutil.which(_SCHEDULER[self._site.kind]) is None:
            raise InputError(
                f"{_SCHEDULER[self._site.kind]} is not here; a batch for site {self._site.kind} is started on a "
                "machine that may submit jobs"
            )
        logging.getLogger("parsl").setLevel(logging.WARNING)  # it tells every step of every item
        self._executor = self._made()
        config = parsl.Config(
            executors=[self._executor],
            run_dir=str((self._folder / LOGS).resolve()),
            strategy="simple",
            strategy_period=min(5.0, self._site.poll_s),
            retries=0,
            initialize_logging=False,
            usage_tracking=0,
        )
        self._kernel = parsl.DataFlowKernel(config)

    def _made(self) -> Any:
        """Make Parsl's executor; nothing is started."""
        from parsl.executors import HighThroughputExecutor
        from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD

        from hstore_workflows.batch.providers import provider_of

        drain_s = int(self._site.walltime_s - self._limits.seconds)
        python = self._site.python or sys.executable
        module = DEFAULT_LAUNCH_CMD.replace(
            "process_worker_pool.py", f"{python} -m parsl.executors.high_throughput.process_worker_pool"
        )
        return HighThroughputExecutor(
            label=_LABEL,
            provider=provider_of(self._site, self._blocks, lambda job: self._say(f"asked for block {job}")),
            address=self._site.address or None,
            launch_cmd=module,
            interchange_launch_cmd=[sys.executable, "-m", "hstore_workflows.batch.interchange"],
            max_workers_per_node=self._site.workers_per_node,
            cores_per_worker=0.001,  # the number of workers is said, not worked out from the cores
            heartbeat_period=max(1, self._site.lost_after_s // 4),
            heartbeat_threshold=self._site.lost_after_s,
            drain_period=drain_s if drain_s > 0 else None,
            block_error_handler=self._look_at_blocks,
            encrypted=self._site.encrypted,
        )

    def _look_at_blocks(self, executor: Any, status: dict[str, Any]) -> None:
        """Give up where blocks end one after the other and nothing gets done; Parsl calls this."""
        ended = [state for state in status.values() if state.terminal]
        barren = len(ended) - self._ended_before
        allowed = _BARREN_BLOCKS * (self._site.max_blocks if self._worked else 1)
        if barren >= allowed and not executor.connected_managers():
            last = ended[-1]
            said = " ".join(filter(None, [last.stderr_summary, last.stdout_summary])) or last.message or "nothing"
            executor.set_bad_state_and_fail_all(
                HstoreError(
                    f"{barren} blocks ended one after the other and no shard was done; the last said: "
                    f"{' '.join(said.split())[-_SAID_CHARACTERS:]}; see {self._folder / LOGS}, correct the site "
                    "(setup, python, address, walltime), and resume"
                )
            )

    def _outcome(self, index: int, future: Future[Any]) -> Outcome[R] | None:
        """Return what became of an item; None where its node was lost.

        Raises:
            HstoreError: the blocks bring no workers.
        """
        from parsl.executors.high_throughput.errors import ManagerLost

        if self._executor.bad_state_is_set:
            raise self._executor.executor_exception
        error = future.exception()
        if isinstance(error, ManagerLost):
            return None
        self._ended_before = sum(state.terminal for state in self._executor.status_facade.values())
        self._worked = True
        if error is not None:
            return Outcome(index, None, f"{type(error).__name__}: {error}")
        value, cause = future.result()
        return Outcome(index, value, cause)
