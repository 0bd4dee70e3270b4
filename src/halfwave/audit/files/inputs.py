"""Data from files, matched with what a saved model takes: names, shapes, types, and the size of its batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.words import counted

__all__ = ["Batches", "ModelInput", "read_arrays"]

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One argument of a saved model.

    >>> str(ModelInput("x", (None, 3), "float32"))
    'x: float32 (samples, 3)'
    """

    name: str
    shape: tuple[int | None, ...]
    """Its sizes, None where they may vary; samples lie along the first."""
    dtype: str
    """As torch calls it, such as "float32"."""

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {_spelt(self.shape)}"


def _spelt(shape: Sequence[int | None]) -> str:
    sizes = ["any" if size is None else str(size) for size in shape]
    if sizes and shape[0] is None:
        sizes[0] = "samples"
    return f"({', '.join(sizes)})"


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz or .safetensors file by name, or the one of an .npy file under its file's name.

    Raises:
        HalfwaveError: if the file cannot be read, or holds no arrays of numbers.
    """
    path = Path(path)
    if path.suffix not in (".npy", ".npz", ".safetensors"):
        raise HalfwaveError(f"data must be a file .npz, .npy or .safetensors; got {path}")
    try:
        arrays = _read(path)
    except OSError as error:
        raise HalfwaveError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # NumPy, zipfile and safetensors have many words for damage
        reason = str(error).split(". ")[0].rstrip(".")
        kind = "holds Python objects, which are not read" if "allow_pickle" in reason else "is damaged"
        raise HalfwaveError(f"{path} {kind} ({reason})") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise HalfwaveError(
                f"{path} must hold numbers; {name!r} is {getattr(array, 'dtype', 'no array')}"
            )
    if not arrays:
        raise HalfwaveError(f"{path} holds no arrays")
    return arrays


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".npy":
        return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False)}
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    from safetensors.numpy import load_file

    return load_file(path)


class Batches:
    """Arrays cut into batches of what a model takes; each batch is a mapping from the model's names to tensors.

    Numbers are converted where nothing can be lost but digits: floating-point to floating-point, truth values to
    any, integers to integers. Integers are not given to a model that takes floating-point numbers, because their
    scale in training (pixels divided by 255, say) is not in the file.

    Args:
        arrays: from `read_arrays`, or any mapping; samples along dimension 0.
        inputs: what the model takes.
        names: the arrays for the inputs, in their order; by default those of the inputs' own names, or the only one.
        batch_size: samples a batch; None for the model's own if it is fixed, else 256.

    Raises:
        HalfwaveError: if arrays and inputs do not match.

    >>> batches = Batches({"x": np.zeros((5, 3))}, [ModelInput("x", (2, 3), "float32")])
    >>> len(batches), batches.left_out, next(iter(batches))["x"].dtype
    (2, 1, torch.float32)
    """

    def __init__(
        self,
        arrays: Arrays,
        inputs: Sequence[ModelInput],
        names: Sequence[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        if not inputs:
            raise HalfwaveError("the model must take an input; this one takes none")
        self._chosen = _matched(arrays, inputs, names)
        for entry, (name, array) in self._chosen:
            _check_shape(entry, name, array)
            _check_type(entry, name, array)
        self.samples = _common_length([named for _, named in self._chosen])
        """Samples in the arrays."""
        self.batch_size = _size(inputs, self.samples, batch_size)
        """Samples a batch."""
        self._fixed = any(entry.shape[0] is not None for entry in inputs)

    @property
    def left_out(self) -> int:
        """Samples at the end that do not fill a batch of a model whose batches have a fixed size."""
        return self.samples % self.batch_size if self._fixed else 0

    def __len__(self) -> int:
        whole, rest = divmod(self.samples, self.batch_size)
        return whole + (rest > 0 and not self._fixed)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for number in range(len(self)):
            part = slice(number * self.batch_size, (number + 1) * self.batch_size)
            yield {entry.name: _tensor(array[part], entry) for entry, (_, array) in self._chosen}


def _matched(
    arrays: Arrays, inputs: Sequence[ModelInput], names: Sequence[str] | None
) -> list[tuple[ModelInput, tuple[str, np.ndarray]]]:
    """Every input with its array."""
    wanted = "; ".join(map(str, inputs))
    if names is not None and len(names) != len(inputs):
        raise HalfwaveError(
            f"the model takes {counted(len(inputs), 'input')} ({wanted}); got the names {', '.join(names)}"
        )
    if names is None:
        own = [entry.name for entry in inputs]
        only = len(inputs) == 1 and len(arrays) == 1
        names = own if all(name in arrays for name in own) else list(arrays) if only else None
    if names is None or any(name not in arrays for name in names):
        got = "" if names is None else f"; got {', '.join(map(repr, names))}"
        raise HalfwaveError(
            f"the data hold {', '.join(map(repr, arrays))} and the model takes {wanted}: name the arrays in the order "
            f"of its inputs (--inputs on the command line){got}"
        )
    return [(entry, (name, arrays[name])) for entry, name in zip(inputs, names, strict=True)]


def _check_shape(entry: ModelInput, name: str, array: np.ndarray) -> None:
    sizes = zip(entry.shape[1:], array.shape[1:], strict=False)
    if array.ndim != len(entry.shape) or any(want is not None and want != got for want, got in sizes):
        shape = ("samples", *(str(size) for size in array.shape[1:]))
        raise HalfwaveError(
            f"the model takes {entry}; {name!r} has shape ({', '.join(shape)}), with "
            f"{counted(len(array) if array.ndim else 0, 'sample')}"
        )


def _check_type(entry: ModelInput, name: str, array: np.ndarray) -> None:
    floating = entry.dtype.startswith(("float", "bfloat"))
    if array.dtype.kind == "b" or floating == (array.dtype.kind == "f"):
        return
    if floating:
        raise HalfwaveError(
            f"the model takes {entry.dtype} and {name!r} holds {array.dtype}: scale it as for training (for pixels "
            f"usually x / 255) and save it as {entry.dtype}"
        )
    raise HalfwaveError(
        f"the model takes {entry.dtype} and {name!r} holds {array.dtype}; integers are needed"
    )


def _common_length(named: Sequence[tuple[str, np.ndarray]]) -> int:
    lengths = {name: len(array) for name, array in named}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise HalfwaveError(f"all inputs must have as many samples; {listed}")
    samples = next(iter(lengths.values()))
    if not samples:
        raise HalfwaveError(
            f"the data must hold at least one sample; {', '.join(map(repr, lengths))} has none"
        )
    return samples


def _size(inputs: Sequence[ModelInput], samples: int, asked: int | None) -> int:
    if asked is not None and asked < 1:
        raise HalfwaveError(f"the batch size must be at least 1; got {asked}")
    fixed = {entry.shape[0] for entry in inputs if entry.shape[0] is not None}
    if not fixed:
        return asked or 256
    size = max(fixed)
    if len(fixed) > 1:
        raise HalfwaveError(
            f"samples must lie along dimension 0 of all inputs; they have {sorted(fixed)} there"
        )
    if asked not in (None, size) or samples < size:
        got = counted(samples, "sample") if samples < size else f"a batch size of {asked}"
        raise HalfwaveError(
            f"the model takes batches of exactly {counted(size, 'sample')} (it was exported so); got {got}: export "
            "it with a dynamic batch dimension, or give what it takes"
        )
    return size


def _tensor(part: np.ndarray, entry: ModelInput) -> Tensor:
    tensor = torch.from_numpy(np.array(part))  # a copy: the data may be read-only, and the model may write
    return tensor.to(getattr(torch, entry.dtype))
