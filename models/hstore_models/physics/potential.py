"""Interatomic potentials by name, each with the checksum of its weights.

CHGNet (Deng et al. 2023, doi 10.1038/s42256-023-00716-3) and SevenNet (Park et al. 2024, doi
10.1021/acs.jctc.4c00190) carry their weights in their packages. Any ASE calculator is named as ``module:factory``,
with a weights file where it has one. Energies of two potentials have different zeros, so a number without the
key of its potential says nothing, and arithmetic over two keys is refused (:func:`one_potential`).
"""

from __future__ import annotations

import hashlib
import importlib
import io
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError, MissingExtraError, ModelError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_BLOCK_BYTES = 1 << 20
_KEY_CHARACTERS = 12


@dataclass(frozen=True)
class _Known:
    """A potential whose weights are in a package."""

    package: str
    """Package that holds it; also its distribution."""
    weights: str
    """Weights file inside the package."""
    model: str
    """Name its authors give it."""
    make: Callable[[Path], Any]
    """Weights file -> ASE calculator."""
    corrected: bool = False
    """Whether it was trained on energies that contain the MP2020 corrections."""


def _chgnet(weights: Path) -> Any:
    from chgnet.model.dynamics import CHGNetCalculator
    from chgnet.model.model import CHGNet

    model = CHGNet.from_file(str(weights))
    return CHGNetCalculator(model, use_device="cpu", on_isolated_atoms="ignore")


def _sevennet(weights: Path) -> Any:
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator(str(weights), device="cpu")


KNOWN: dict[str, _Known] = {
    "chgnet": _Known(
        "chgnet",
        "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
        "CHGNet 0.3.0",
        _chgnet,
        corrected=True,
    ),
    "sevennet": _Known(
        "sevenn",
        "pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
        "SevenNet-0 (11 July 2024)",
        _sevennet,
    ),
    "sevennet-l3i5": _Known(
        "sevenn", "pretrained_potentials/SevenNet_l3i5/checkpoint_l3i5.pth", "SevenNet-l3i5", _sevennet
    ),
}
"""Name -> potential whose weights its package carries. All were trained on the PBE and PBE+U relaxations of the
Materials Project (MPtrj, doi 10.6084/m9.figshare.23713842): CHGNet on energies with the MP2020 corrections,
SevenNet on those without."""


@dataclass(frozen=True)
class Potential:
    """An interatomic potential, ready to compute."""

    name: str
    """Name it was asked for by."""
    model: str
    """Name its authors give it."""
    software: str
    """Package and version that computes it."""
    weights_sha256: str
    """SHA-256 of its weights file; for a calculator without one, of the source of its module."""
    calculator: Any = field(repr=False, compare=False)
    """ASE calculator."""
    corrected: bool = False
    """Whether its energies contain the MP2020 corrections, by training."""

    @property
    def key(self) -> str:
        """What stands beside every number: the name and the beginning of the checksum."""
        return f"{self.name}:{self.weights_sha256[:_KEY_CHARACTERS]}"

    def as_json(self) -> dict[str, Any]:
        """Return what identifies it."""
        return {
            "key": self.key,
            "model": self.model,
            "software": self.software,
            "weights_sha256": self.weights_sha256,
            "trained_on_corrected_energies": self.corrected,
        }


def load_potential(name: str, *, weights: Path | None = None, sha256: str | None = None) -> Potential:
    """Load a potential, on one thread of this process.

    A name ``module:factory`` runs code of that module: name only what you trust.

    Args:
        name: one of :data:`KNOWN`, or ``module:factory`` of an ASE calculator; the factory is called with the path
            of the weights as text, or with nothing.
        weights: file of the weights, for ``module:factory`` only.
        sha256: checksum that the weights must have; None accepts them as they are.

    Raises:
        UnknownNameError: no potential of that name.
        MissingExtraError: its package is not installed.
        InputError: the factory or the weights cannot be used.
        ModelError: the weights have another checksum.
    """
    return _load(name, weights, sha256)


@lru_cache(maxsize=4)
def _load(name: str, weights: Path | None, sha256: str | None) -> Potential:
    if ":" in name:
        return _foreign(name, weights, sha256)
    if name not in KNOWN:
        raise unknown_name("potential", name, (*KNOWN, "module:factory"))
    if weights is not None:
        raise InputError(f"{name} brings its own weights; give a weights file with module:factory only")
    known = KNOWN[name]
    path = weights_path(name)
    checksum = _checked(path, sha256)
    _single_thread()
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # both announce themselves there
        warnings.simplefilter("ignore")  # about accelerators that are absent, and about torch's own changes
        calculator = known.make(path)
    return Potential(name, known.model, _release(known.package), checksum, calculator, known.corrected)


def weights_path(name: str) -> Path:
    """Return the weights file of a known potential inside its package.

    Raises:
        UnknownNameError: no potential of that name.
        MissingExtraError: its package is not installed.
        ModelError: the installed package has no such file.
    """
    if name not in KNOWN:
        raise unknown_name("potential", name, KNOWN)
    known = KNOWN[name]
    spec = find_spec(known.package)
    if spec is None or spec.origin is None or find_spec("torch") is None:
        raise MissingExtraError(
            f"{name} needs {known.package} and torch, which are not installed; run: pip install 'hstore[mlip]'"
        )
    path = Path(spec.origin).parent / known.weights
    if not path.is_file():
        raise ModelError(
            f"{known.package} {_release(known.package)} has no {known.weights}; "
            "install a version whose wheel carries it: pip install 'hstore[mlip]'"
        )
    return path


def potential_key(name: str) -> str:
    """Return the key a known potential would have, without loading it; errors as :func:`weights_path`."""
    return f"{name}:{_sha256(weights_path(name))[:_KEY_CHARACTERS]}"


def one_potential(keys: Iterable[str]) -> str:
    """Return the one key that all numbers of a sum carry.

    Raises:
        InputError: they come from several potentials, or there is none.
    """
    found = sorted(set(keys))
    if len(found) != 1:
        named = " and ".join(found) or "none"
        raise InputError(
            f"energies of one reaction or hull must come from one potential, got {named}; "
            "compute all of them with the same potential and weights"
        )
    return found[0]


def _foreign(name: str, weights: Path | None, sha256: str | None) -> Potential:
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
        factory = getattr(module, attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"{name} cannot be loaded ({error}); give module:factory of an installed ASE calculator, "
            "such as ase.calculators.emt:EMT"
        ) from error
    if weights is not None and not weights.is_file():
        raise InputError(f"weights file {weights} is not there; give the path of a file")
    source = weights or (Path(module.__file__) if module.__file__ else None)
    if source is None:
        raise InputError(f"{module_name} has no source file to identify it by; give its weights file")
    checksum = _checked(source, sha256)
    _single_thread()
    calculator = factory(str(weights)) if weights is not None else factory()
    if not hasattr(calculator, "get_property"):
        raise InputError(f"{name} returned {type(calculator).__name__}, which is no ASE calculator")
    return Potential(name, attribute, _release(module_name.partition(".")[0]), checksum, calculator)


def _checked(path: Path, sha256: str | None) -> str:
    found = _sha256(path)
    if sha256 is not None and sha256.lower() != found:
        raise ModelError(
            f"{path.name} has the checksum {found}, not {sha256}; the weights are others than those asked for"
        )
    return found


@lru_cache(maxsize=16)
def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _release(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def _single_thread() -> None:
    """Keep torch to one thread: cells are small, and batches run one process on each core."""
    if find_spec("torch") is None:
        return
    import torch

    torch.set_num_threads(1)
