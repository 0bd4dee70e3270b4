"""What the systems that ship a thresholded ReLU disagree about, as data."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

from halfwave.errors import HalfwaveError

__all__ = ["CONVENTIONS", "Convention", "as_convention"]


@dataclass(frozen=True, slots=True)
class Convention:
    """How a thresholded rectifier treats the points about which systems disagree.

    ``f(x) = x · 1[x > T]`` is one formula, but implementations differ at ``x == T``, at NaN and −inf, in half
    precision, and in what they do with a negative ``T``. The presets reproduce what each system computes, bit for
    bit: ``Convention.preset("torch")``, or a name wherever a convention is asked for.

    | preset | x == T | NaN | −inf | derivative at T, at NaN | T in half precision | T < 0 |
    |---|---|---|---|---|---|---|
    | ``torch`` (``F.threshold``) | 0 | NaN | 0 | 0, 1 | compared in float32 | allowed |
    | ``onnx`` (``ThresholdedRelu``) | 0 | 0 | 0 | –, – | compared in float32 | allowed |
    | ``caffe2`` (``ThresholdedRelu``) | 0 | 0 | 0 | 0, 0 | float32 only | allowed, its gradient is wrong |
    | ``keras2`` (``ThresholdedReLU``) | 0 | NaN | NaN | 0, 0 | rounded first | refused |
    | ``keras3`` (``relu(threshold=T)``) | 0 | 0, NaN if T is 0 | 0 | 0, 0 | rounded first | allowed |
    | ``coreml`` (``thresholded_relu``) | T | NaN | 0 | –, – | rounded first | allowed |
    | ``vllm`` (FATReLU on CUDA) | 0 | 0 | 0 | –, – | compared in float32 | allowed |

    Caffe2 takes the gradient from the output Y instead of the input, so that for a negative T it is wrong between
    T and 0: ``−dY`` on the CPU (``dY · sign(Y)``), 0 on a GPU (``dY · 1[Y > 0]``). The preset has the right
    gradient; ``dataclasses.replace(Convention.preset("caffe2"), gradient="output sign")`` or ``"output positive"``
    has the faults, for comparison with old models.

    Args:
        side: what is kept, ``x > T`` or ``x >= T``.
        nan: NaN gives NaN ("propagate") or what lies below T ("zero"); "zero unless T is 0" is what Keras 3 does.
        kink: the derivative at ``x == T``: 0, 0.5 or 1.
        nan_gradient: the derivative at NaN: 1 (an upstream gradient passes, as in ``torch.relu``) or 0.
        precision: half-precision inputs are compared with T in float32 ("wide"), or T is rounded to the precision
            of the input first ("input").
        threshold_dtype: "float32" if T is an attribute that holds 32 bits, also for float64 inputs; "input" if not.
        masking: the mask selects ("select") or multiplies ("multiply": −inf gives NaN, masked negatives −0.0).
        negative: negative thresholds are allowed ("allow") or refused ("refuse").
        gradient: whether the gradient looks at the "input", as it should, or at the output as Caffe2 does.

    Raises:
        HalfwaveError: if a field has a value that is not listed.

    >>> Convention.preset("coreml").side
    '>='
    """

    side: Literal[">", ">="] = ">"
    nan: Literal["propagate", "zero", "zero unless T is 0"] = "propagate"
    kink: Literal[0, 0.5, 1] = 0  # pyright: ignore[reportInvalidTypeForm]
    nan_gradient: Literal[0, 1] = 1
    precision: Literal["wide", "input"] = "wide"
    threshold_dtype: Literal["input", "float32"] = "input"
    masking: Literal["select", "multiply"] = "select"
    negative: Literal["allow", "refuse"] = "allow"
    gradient: Literal["input", "output sign", "output positive"] = "input"

    def __post_init__(self) -> None:
        allowed = {name: get_args(hint) for name, hint in get_type_hints(Convention).items()}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or value not in allowed[field.name]:
                options = ", ".join(repr(option) for option in allowed[field.name])
                raise HalfwaveError(f"`{field.name}` of Convention must be one of {options}; got {value!r}")

    @staticmethod
    def preset(name: str) -> Convention:
        """The convention of a system, by name.

        Raises:
            HalfwaveError: if no preset has this name.

        >>> Convention.preset("torch") == Convention()
        True
        """
        if name in tuple(CONVENTIONS):  # a tuple compares where a dictionary would hash
            return CONVENTIONS[name]
        close = difflib.get_close_matches(str(name), CONVENTIONS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise HalfwaveError(
            f"a convention is a Convention or one of {', '.join(map(repr, CONVENTIONS))}; got {name!r}{hint}"
        )


def as_convention(convention: Convention | str) -> Convention:
    """A convention, or the preset of this name; anything else is a `HalfwaveError`."""
    return convention if isinstance(convention, Convention) else Convention.preset(convention)


CONVENTIONS = {
    "torch": Convention(),
    "onnx": Convention(nan="zero", nan_gradient=0, threshold_dtype="float32"),
    "caffe2": Convention(nan="zero", nan_gradient=0, threshold_dtype="float32"),
    "keras2": Convention(nan_gradient=0, precision="input", masking="multiply", negative="refuse"),
    "keras3": Convention(nan="zero unless T is 0", nan_gradient=0, precision="input"),
    "coreml": Convention(side=">=", kink=1, precision="input"),
    "vllm": Convention(nan="zero", nan_gradient=0, threshold_dtype="float32"),
}
"""The presets by name."""
