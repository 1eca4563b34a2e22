"""Where a batch runs: a site is a TOML file that a user copies and edits."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, field_validator, model_validator

from hstore.errors import unknown_name
from hstore.workers import default_workers
from hstore_workflows.batch.spec import Part, read_part

_WALLTIME = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")


class LocalSite(Part):
    """Worker processes of this machine."""

    kind: Literal["local"]
    """``local``: worker processes of this machine."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """Worker processes, each on one thread; 0 takes one for each core."""

    @property
    def processes(self) -> int:
        """Number of worker processes."""
        return self.workers or default_workers()


class ClusterSite(Part):
    """Nodes that a scheduler gives out in blocks: one job each, with a walltime."""

    kind: Literal["slurm", "pbs", "lsf", "flux"]
    """Scheduler: ``slurm``, ``pbs`` (PBS Professional, OpenPBS), ``lsf`` or ``flux``."""
    workers_per_node: Annotated[int, Field(ge=1, le=1024)]
    """Worker processes of a node, each on one thread."""
    nodes_per_block: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Nodes of a block."""
    max_blocks: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Most blocks in the queue or running at a time."""
    walltime: str = "01:00:00"
    """Time of a block, ``HH:MM:SS``; it is asked for again while there are shards to do."""
    queue: str = ""
    """Partition (Slurm) or queue (PBS, LSF, Flux); the scheduler's default when empty."""
    account: str = ""
    """Account, project or bank that pays; the user's default when empty."""
    qos: str = ""
    """Quality of service; Slurm only."""
    constraint: str = ""
    """Kind of node, such as ``"haswell"``; Slurm only."""
    exclusive: bool = True
    """Whether the nodes are not shared with other jobs; Slurm only."""
    cores_per_node: Annotated[int, Field(ge=0, le=4096)] = 0
    """Cores to ask for on each node; 0 asks for as many as there are workers."""
    memory_gib_per_node: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Memory to ask for on each node, GiB; 0 asks for none. Slurm and PBS only."""
    options: tuple[str, ...] = ()
    """Lines for the head of the submit script, as the scheduler reads them: ``"#SBATCH --mail-type=END"``."""
    setup: tuple[str, ...] = ()
    """Shell lines that a block runs first, such as ``"module load python/3.12"``."""
    python: str = ""
    """Python of the nodes, with hstore installed; the one that runs this when empty."""
    launcher: Literal["", "single", "srun", "mpiexec", "mpirun", "jsrun", "aprun", "flux"] = ""
    """What starts the workers on the nodes of a block; chosen by scheduler and number of nodes when empty."""
    address: str = ""
    """Address by which nodes reach the machine this runs on; nodes try all of them when empty."""
    encrypted: bool = True
    """Whether messages between this machine and the nodes are encrypted and their senders known."""
    poll_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Time between two questions to the scheduler, s."""
    lost_after_s: Annotated[int, Field(ge=4, le=36_000)] = 120
    """Silence after which a node is given up and its shards are given to others, s."""

    @field_validator("walltime")
    @classmethod
    def _is_a_time(cls, text: str) -> str:
        if not _WALLTIME.fullmatch(text) or not any(int(part) for part in text.split(":")):
            raise ValueError("a walltime is written HH:MM:SS and is above 0")
        return text

    @model_validator(mode="after")
    def _can_be_asked_for(self) -> ClusterSite:
        if self.kind != "slurm" and (self.qos or self.constraint):
            raise ValueError(f"qos and constraint are of Slurm; for {self.kind} write a line of options")
        if self.kind in {"lsf", "flux"} and self.memory_gib_per_node:
            raise ValueError(f"memory_gib_per_node is of Slurm and PBS; for {self.kind} write a line of options")
        if self.launcher == "single" and self.nodes_per_block > 1:
            raise ValueError("launcher 'single' reaches one node; take srun, mpiexec, jsrun, aprun or flux")
        if self.cores_per_node and self.cores_per_node < self.workers_per_node:
            raise ValueError(f"{self.workers_per_node} workers need as many cores, got {self.cores_per_node}")
        return self

    @property
    def processes(self) -> int:
        """Number of worker processes of all blocks."""
        return self.max_blocks * self.nodes_per_block * self.workers_per_node

    @property
    def walltime_s(self) -> int:
        """Time of a block, s."""
        hours, minutes, seconds = (int(part) for part in self.walltime.split(":"))
        return 3600 * hours + 60 * minutes + seconds

    @property
    def cores(self) -> int:
        """Cores asked for on each node."""
        return self.cores_per_node or self.workers_per_node


Site = LocalSite | ClusterSite
"""Where a batch runs."""


_FORM: TypeAdapter[Site] = TypeAdapter(Annotated[Site, Field(discriminator="kind")])


def shipped_sites() -> list[str]:
    """Return the names of the sites that come with hstore."""
    folder = resources.files("hstore_workflows") / "sites"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def site_text(name: str) -> str:
    """Return the file of a shipped site, every field explained, to be copied and edited.

    Raises:
        UnknownNameError: there is no such site.
    """
    if name not in shipped_sites():
        raise unknown_name("site", name, shipped_sites())
    return (resources.files("hstore_workflows") / "sites" / f"{name}.toml").read_text(encoding="utf-8")


def load_site(name_or_path: str) -> Site:
    """Load a shipped site by name, or a user's from a TOML file.

    Raises:
        UnknownNameError: neither a shipped name nor a file.
        InputError: the file is not TOML, or a field is missing, unknown or out of range.
    """
    if name_or_path in shipped_sites():
        with resources.as_file(resources.files("hstore_workflows") / "sites" / f"{name_or_path}.toml") as path:
            return read_part(_FORM, path, "site")
    path = Path(name_or_path)
    if path.suffix != ".toml" or not path.is_file():
        raise unknown_name("site", name_or_path, shipped_sites())
    return read_part(_FORM, path, "site")
