"""Every activation × every property: values, derivatives, dtypes, shapes, transforms of torch."""

from __future__ import annotations

import copy
import io
import warnings

import numpy as np
import pytest
import torch
from nn_cases import CASES, INF, NAN, POINTS, REPRESENTATIVE
from torch import Tensor

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
every_case = pytest.mark.parametrize("name", CASES)
representative = pytest.mark.parametrize("name", REPRESENTATIVE)


def points(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(POINTS, dtype=dtype).unsqueeze(1)


def smooth_points(name: str, count: int = 24) -> Tensor:
    """Random points at least 0.02 away from every kink."""
    generator = torch.Generator().manual_seed(3)
    x = 6 * torch.rand(8 * count, 1, dtype=torch.float64, generator=generator) - 3
    for kink in CASES[name].function.kinks:
        x = x[(x - float(kink)).abs() > 0.02].unsqueeze(1)
    return x[:count]


@every_case
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_equals_the_exact_function_at_every_point(name: str, dtype: torch.dtype) -> None:
    case = CASES[name]
    x = points(dtype)
    y = case.make()(x)
    assert y.dtype == dtype
    assert y.shape == x.shape
    expected = torch.tensor([float(case.function(value)) for value in POINTS], dtype=dtype).unsqueeze(1)
    # every value of the table is exact in every dtype
    assert torch.equal(y.detach(), expected), (y.flatten(), expected.flatten())


@every_case
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nan_gives_nan(name: str, dtype: torch.dtype) -> None:
    assert torch.isnan(CASES[name].make()(torch.full((3, 1), NAN, dtype=dtype))).all()


@every_case
def test_derivative_is_the_left_one_at_kinks_and_infinities(name: str) -> None:
    case = CASES[name]
    x = points().requires_grad_()
    case.make()(x).sum().backward()
    expected = case.function.derivative()(x.detach())
    if not case.left_derivative:
        kinks = torch.tensor(case.function.kinks.tolist(), dtype=x.dtype)
        expected = torch.where(torch.isin(x.detach(), kinks), torch.zeros_like(expected), expected)
    assert x.grad is not None
    assert torch.equal(x.grad, expected)


@every_case
def test_first_and_second_derivatives(name: str) -> None:
    # off the grid of the straight-through window of a learnt threshold, whose gradient is not a derivative
    module = CASES[name].make().double()
    x = smooth_points(name).requires_grad_()
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradgradcheck(module, x)


@pytest.mark.parametrize("name", [n for n in CASES if n.endswith("learnt")])
def test_gradients_in_the_parameters(name: str) -> None:
    module = CASES[name].make().double()
    x = smooth_points(name)
    if "keep" in name or "HardThreshold" in name:  # straight-through: see test_thresholded_relu
        x = x[((x - torch.tensor(CASES[name].function.kinks.tolist())).abs() > 0.2).all(1)]
    names, values = zip(*module.named_parameters(), strict=True)

    def of_parameters(*parameters: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(of_parameters, values)
    assert torch.autograd.gradgradcheck(of_parameters, values)


@every_case
def test_vmap_grad_jvp_and_hessian(name: str) -> None:
    case = CASES[name]
    module, x = case.make().double(), smooth_points(name, 6)
    with torch.no_grad():
        assert torch.equal(torch.func.vmap(module)(x.reshape(3, 2, 1)), module(x).reshape(3, 2, 1))
    derivative = case.function.derivative()(x)
    assert torch.allclose(torch.func.grad(lambda z: module(z).sum())(x), derivative)
    per_sample = torch.func.vmap(torch.func.grad(lambda z: module(z).sum()))(x.reshape(6, 1, 1))
    assert torch.allclose(per_sample.reshape(6, 1), derivative)
    hessian = torch.func.hessian(lambda z: module(z).pow(2).sum())(x.flatten()[:, None])
    assert torch.allclose(hessian.reshape(6, 6), torch.diag(2 * derivative.flatten() ** 2))


@pytest.mark.parametrize("name", [n for n in CASES if n.endswith("number")])
def test_forward_mode(name: str) -> None:
    module, x = CASES[name].make(), smooth_points(name, 6)
    value, tangent = torch.func.jvp(module, (x,), (torch.full_like(x, 2.0),))
    assert torch.equal(value, module(x))
    assert torch.allclose(tangent, 2 * CASES[name].function.derivative()(x))


@every_case
@pytest.mark.parametrize("shape", [(4, 1), (0, 1), (2, 1, 3), (2, 1, 3, 3)])
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    module = CASES[name].make()
    y = module(x)
    assert y.shape == shape
    assert torch.equal(module(x.transpose(0, -1).contiguous().transpose(0, -1)), y)


@pytest.mark.parametrize("name", [n for n in CASES if n.endswith(("number", "scalar", "learnt"))])
def test_scalars_and_vectors(name: str) -> None:
    module = CASES[name].make()
    for shape in ((), (5,)):
        assert module(torch.ones(shape)).shape == shape


@representative
def test_autocast_keeps_the_dtype(name: str) -> None:
    layer, module = torch.nn.Linear(3, 4), CASES[name].make()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = layer(torch.ones(2, 3))
        y = module(hidden)
        assert y.dtype == hidden.dtype == torch.bfloat16
        layer(torch.ones(2, 3)).sum().backward()
    y.float().sum().backward()


@representative
@pytest.mark.slow
def test_traces_without_graph_breaks(name: str) -> None:
    torch._dynamo.reset()
    module = CASES[name].make()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    gradients = []
    for function in (module, compiled):
        x = points(torch.float32)[1:-1].requires_grad_()
        y = function(x)
        y.pow(2).sum().backward()
        gradients.append((y.detach(), x.grad))
    assert torch.equal(gradients[0][0], gradients[1][0])
    assert torch.equal(gradients[0][1], gradients[1][1])


@every_case
def test_copies_pickles_and_state_dict(name: str) -> None:
    module, x = CASES[name].make(), points(torch.float32)
    expected = module(x)
    assert torch.equal(copy.deepcopy(module)(x), expected)
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    buffer.seek(0)
    again = CASES[name].make()
    again.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(again(x), expected)
    assert type(module).__name__ in repr(module)


@every_case
def test_integers_and_complex_numbers_are_refused(name: str) -> None:
    for x in (torch.tensor([[1]]), torch.tensor([[1j]])):
        with pytest.raises(ValueError, match=f"must be a floating-point tensor.*{x.dtype}"):
            CASES[name].make()(x)


@representative
def test_meta_tensors(name: str) -> None:
    module = CASES[name].make().to("meta")
    x = torch.empty(3, 1, device="meta")
    assert module(x).shape == (3, 1)


@pytest.mark.parametrize("name", [n for n in CASES if "Piecewise" not in n and n.endswith("learnt")])
def test_channels(name: str) -> None:
    cls = type(CASES[name].make())
    module = cls(num_channels=3, learnable=True) if "Thresholded" not in name else cls(0.5, num_channels=3)
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(module(x)[:, 1:2], cls(*([0.5] if "Thresholded" in name else []))(x[:, 1:2]))
    with pytest.raises(ValueError, match=r"has 3 channels, so dimension 1 of the input.*got shape \(2, 4\)"):
        module(torch.zeros(2, 4))


@every_case
def test_infinite_upstream_gradients_do_not_leak_through_flat_pieces(name: str) -> None:
    x = points()[1:-1].clone().requires_grad_()
    y = CASES[name].make()(x)
    slope = torch.autograd.grad(y.sum(), x, retain_graph=True)[0]
    huge = torch.autograd.grad(y, x, torch.full_like(y, 1e300), retain_graph=True)[0]
    assert np.all(np.isfinite(huge.numpy()) & ((huge == 0) == (slope == 0)).numpy())


def test_warnings_stay_errors() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        CASES["ThresholdedReLU-keep-0.5-number"].make()(torch.tensor([[INF]]))
    assert not seen
