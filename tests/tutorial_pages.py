"""Runs a page of the tutorials as its reader does: block after block, in one shell, and compares what is printed.

A page is markdown. Its blocks are run in order:

* ``sh``: lines for the shell; ``console``: lines after ``$ `` for the shell, the others are what is printed;
* ``python``: a script; ``text``: what the block before it prints;
* any block after ``<!-- file: NAME -->``: a file of that name, which the sentence before it names too.

Further comments before a block: ``<!-- tolerance: 5 % -->`` for its figures (1 % where nothing is said; of numbers
with decimals the last digit may differ by one), ``<!-- exit: 1 -->`` for a command that is to fail,
``<!-- service -->`` for the lines of another terminal that end in ``hstore serve``, ``<!-- not run: REASON -->``.
In what is printed ``...`` stands for any text, and alone in a line for any number of lines.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.service_process import WRITTEN_PORT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TOLERANCE = 0.01
"""Relative difference of a number from the page's, where the page says nothing."""
MOST_SECONDS = 300.0
"""Seconds that one block may take."""

_BLOCK = re.compile(r"^((?:<!--.*?-->\n+)*)```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- ([a-z ]+?)(?:: (.*?))? -->")
_NUMBER = re.compile(r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?")
_MARKS = {"tolerance", "file", "exit", "service", "not run"}


class PageError(AssertionError):
    """A page does not hold what it says."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    """Word behind the fence."""
    text: str
    """Its lines."""
    marks: Mapping[str, str]
    """Comments before it."""
    line: int
    """Line of the page on which it begins."""

    @property
    def tolerance(self) -> float:
        """Relative difference its numbers may have."""
        return float(self.marks["tolerance"].rstrip(" %")) / 100 if "tolerance" in self.marks else TOLERANCE


@dataclass(frozen=True)
class Step:
    """One thing that the reader does."""

    line: int
    """Line of the page."""
    command: str = ""
    """For the shell."""
    printed: tuple[str, ...] | None = None
    """What it prints; None where the page does not say."""
    tolerance: float = TOLERANCE
    """Relative difference its numbers may have."""
    exit_code: int = 0
    """How the command ends."""
    file: str = ""
    """Name of a file to be saved, with ``text``."""
    text: str = ""
    """What is in it."""
    service: str = ""
    """Lines of the terminal in which the service runs."""


def read_blocks(page: str) -> list[Block]:
    """Return the blocks of a page.

    Raises:
        PageError: a mark is unknown, a file is not named in the text, or a block is left out without a reason.
    """
    blocks = []
    for found in _BLOCK.finditer(page):
        comments, language, text = found.groups()
        marks, line = dict(_MARK.findall(comments)), page.count("\n", 0, found.start(2)) + 1
        if marks.keys() - _MARKS:
            raise PageError(f"line {line}: marks are {', '.join(sorted(_MARKS))}; got {', '.join(marks)}")
        paragraph = page[: found.start()].rstrip().rpartition("\n\n")[2]
        if "file" in marks and f"`{marks['file']}`" not in paragraph:
            raise PageError(f"line {line}: the text before it does not say to save it as `{marks['file']}`")
        if marks.get("not run") == "":
            raise PageError(f"line {line}: say why it is not run: <!-- not run: REASON -->")
        blocks.append(Block(language, text, marks, line))
    return blocks


def steps_of(page: str) -> list[Step]:
    """Return what the reader of a page does, in order.

    Raises:
        PageError: a block is neither run nor a file nor left out.
    """
    steps: list[Step] = []
    for block in read_blocks(page):
        if "not run" in block.marks:
            continue
        if "file" in block.marks:
            steps.append(Step(block.line, file=block.marks["file"], text=block.text))
        elif block.language == "text" and steps and steps[-1].command and steps[-1].printed is None:
            steps[-1] = replace(steps[-1], printed=tuple(block.text.splitlines()), tolerance=block.tolerance)
        else:
            steps += _done_in(block)
    return steps


def _done_in(block: Block) -> Iterator[Step]:
    exit_code = int(block.marks.get("exit", 0))
    if "service" in block.marks:
        yield Step(block.line, service=block.text)
    elif block.language == "sh":
        yield Step(block.line, block.text, exit_code=exit_code)
    elif block.language == "python":
        yield Step(block.line, file=f"line_{block.line}.py", text=block.text)
        yield Step(block.line, f"python line_{block.line}.py", exit_code=exit_code)
    elif block.language == "console":
        for command, printed in _dialogue(block.text):
            yield Step(block.line, command, tuple(printed), block.tolerance, exit_code)
    else:
        raise PageError(f"line {block.line}: a {block.language} block is neither run nor a file; mark it")


def _dialogue(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands of a console block, continued lines with them, and what each prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        last = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
        yield "\n".join(lines[: last + 1]), lines[last + 1 :]


def difference(printed: str, expected: tuple[str, ...], tolerance: float) -> str:
    """Return the first line that is not as on the page, in words; empty where all are."""
    said = [line for line in map(_plain, printed.splitlines()) if line]
    at, skipping = 0, False
    for line in filter(None, map(_plain, expected)):
        if line == "...":
            skipping = True
            continue
        candidates = range(at, len(said) if skipping else min(at + 1, len(said)))
        fits = next((number for number in candidates if _fits(said[number], line, tolerance)), None)
        if fits is None:
            beside = said[at] if at < len(said) else "nothing more"
            return f"the page has {line!r}, printed is {beside!r}"
        at, skipping = fits + 1, False
    return "" if skipping or at == len(said) else f"the page does not have {said[at]!r}"


def _plain(line: str) -> str:
    """Leave out how wide a table is."""
    return re.sub(r"([─━═-])\1{2,}", r"\1", re.sub(r"\s+", " ", line)).strip()


def _fits(said: str, line: str, tolerance: float) -> bool:
    """Whether a line is as on the page; ``...`` stands for any text, and numbers may differ a little."""
    parts, numbers = [], []
    for piece in re.split(rf"({_NUMBER.pattern}|\.\.\.)", line):
        if piece == "...":
            parts.append(".*?")
        elif _NUMBER.fullmatch(piece):
            parts.append(f"({_NUMBER.pattern})")
            numbers.append(piece)
        else:
            parts.append(re.escape(piece))
    found = re.fullmatch("".join(parts), said)
    return bool(found) and all(map(_close, found.groups(), numbers, [tolerance] * len(numbers)))


def _close(said: str, number: str, tolerance: float) -> bool:
    wanted = float(number.replace(",", ""))
    mantissa, _, exponent = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    last_digit = 10.0 ** (int(exponent or 0) - decimals) if decimals else 0.0
    return abs(float(said.replace(",", "")) - wanted) <= tolerance * abs(wanted) + 1.001 * last_digit


class Shell:
    """One bash that ends at the first command that fails."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it in a folder, with these variables only."""
        self._bash = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=folder, env=dict(environment), start_new_session=True,
        )  # fmt: skip

    def run(self, command: str, exit_code: int = 0) -> str:
        """Run lines and return what they print.

        Raises:
            PageError: a command fails, or ends otherwise than is asked, or takes too long.
        """
        end = f"end-{uuid.uuid4().hex}"
        group = f"{{\n{command.rstrip()}\n}} </dev/null"
        if exit_code:
            group = f"if {group}; then false; else test $? -eq {exit_code}; fi"
        assert self._bash.stdin
        self._bash.stdin.write(f"{group}\nprintf '\\n%s\\n' {end}\n".encode())
        self._bash.stdin.flush()
        return self._read_until(end, command)

    def _read_until(self, end: str, command: str) -> str:
        assert self._bash.stdout
        said, deadline = b"", time.monotonic() + MOST_SECONDS
        while not said.endswith(f"\n{end}\n".encode()):
            if not select.select([self._bash.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise PageError(f"{command!r} took over {MOST_SECONDS:.0f} s and printed:\n{said.decode()}")
            piece = os.read(self._bash.stdout.fileno(), 65536)
            if not piece:
                raise PageError(f"{command!r} ended with {self._bash.wait()}:\n{said.decode()}")
            said += piece
        return said.decode().removesuffix(f"\n{end}\n")

    def close(self) -> None:
        """End it, and what it left running."""
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()


def run_page(page: str, folder: Path, environment: Mapping[str, str]) -> list[tuple[Step, str]]:
    """Do what a page says, and return each step with what it printed.

    Args:
        page: markdown.
        folder: where, empty or with what the page takes for given.
        environment: all variables of the shell.

    Raises:
        PageError: a command fails, or prints something else than the page says.
    """
    done = []
    with ExitStack() as stack:
        shell, port = Shell(folder, environment), WRITTEN_PORT
        stack.callback(shell.close)
        for step in steps_of(page):
            said = ""
            if step.service:
                port = stack.enter_context(serving(step.service, environment, folder))
            elif step.file:
                (folder / step.file).write_text(_at(step.text, WRITTEN_PORT, port), encoding="utf-8")
            else:
                try:
                    said = _at(
                        shell.run(_at(step.command, WRITTEN_PORT, port), step.exit_code), port, WRITTEN_PORT
                    )
                except PageError as error:
                    raise PageError(f"line {step.line}: {error}") from None
                told = "" if step.printed is None else difference(said, step.printed, step.tolerance)
                if told:
                    raise PageError(f"line {step.line}, {step.command!r}: {told}; in:\n{said}")
            done.append((step, said))
    return done


def _at(text: str, port: str, other: str) -> str:
    """Put another port into the addresses of this machine."""
    return text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}")
