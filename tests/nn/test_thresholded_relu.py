"""What is special to the thresholded rectifier: memory, in place, `out`, the straight-through derivative, errors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw
from halfwave.nn.functional import thresholded_relu

FORMS = ("subtract", "keep", "floor")


def kept_for_backward(activation: nn.Module | None, rows: int = 8, width: int = 64) -> float:
    """Bytes per hidden element that autograd keeps in Linear – activation – Linear, apart from parameters."""
    layers = [nn.Linear(4, width), *([activation] if activation else []), nn.Linear(width, 4)]
    network, seen = nn.Sequential(*layers), {}
    parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters and tensor.numel() >= rows * width:
            seen[storage.data_ptr()] = (
                storage.nbytes(),
                tensor,
            )  # the tensor is held: no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(torch.randn(rows, 4)).sum().backward()
    return sum(size for size, _ in seen.values()) / (rows * width)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_keeps_no_more_for_backward_than_relu(form: str, threshold: float) -> None:
    assert kept_for_backward(nn.ReLU()) == 4
    assert kept_for_backward(hw.nn.ThresholdedReLU(threshold, form)) == 4  # pyright: ignore
    assert kept_for_backward(nn.Threshold(threshold, 0.0)) == 8


@pytest.mark.parametrize("form", ["subtract", "floor"])
def test_keeps_no_more_at_negative_thresholds_where_the_output_tells(form: str) -> None:
    assert kept_for_backward(hw.nn.ThresholdedReLU(-0.5, form)) == 4  # pyright: ignore


def test_keep_at_a_negative_threshold_needs_the_input() -> None:
    # the output is 0 both below T and at an input of 0
    assert kept_for_backward(hw.nn.ThresholdedReLU(-0.5, "keep")) == 8
    x = torch.tensor([-1.0, -0.5, -0.25, 0.0, 1.0], requires_grad=True)
    thresholded_relu(x, -0.5, form="keep").sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("threshold", [-0.5, 0.5])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_in_place(form: str, threshold: float, dtype: torch.dtype) -> None:
    x = torch.randn(50, dtype=dtype, generator=torch.Generator().manual_seed(0))
    expected, leaf = thresholded_relu(x, threshold, form=form), x.clone().requires_grad_()
    for t in (threshold, torch.tensor([threshold])):
        own = x.clone()
        assert thresholded_relu(own, t, form=form, inplace=True) is own
        assert torch.equal(own, expected)
        hidden = leaf * 1
        result = hw.nn.ThresholdedReLU(t, form, inplace=True)(hidden)  # pyright: ignore
        assert result.data_ptr() == hidden.data_ptr()
        (gradient,) = torch.autograd.grad(result.sum(), leaf)
        assert torch.equal(gradient, (x.float() > threshold).to(dtype))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_out(form: str, dtype: torch.dtype) -> None:
    x = torch.randn(50, dtype=dtype, generator=torch.Generator().manual_seed(0))
    for t in (0.5, torch.tensor([0.5])):
        out = torch.full_like(x, 9.0)
        assert thresholded_relu(x, t, form=form, out=out) is out
        assert torch.equal(out, thresholded_relu(x, 0.5, form=form))
    with pytest.raises(ValueError, match="`out` cannot record a gradient"):
        thresholded_relu(x.requires_grad_(), 0.5, form=form, out=torch.empty_like(x))
    with pytest.raises(ValueError, match=r"`out` must have the shape and dtype of `x`, \(50,\).*got \(3,\)"):
        thresholded_relu(x, 0.5, form=form, out=torch.empty(3))


@pytest.mark.parametrize("form", FORMS)
def test_half_precision_is_rounded_once(form: str) -> None:
    x = torch.randn(2000, generator=torch.Generator().manual_seed(0)).to(torch.float16)
    for t in (0.3, torch.tensor(0.3, dtype=torch.float64), torch.tensor([0.3])):
        wide = thresholded_relu(x.float(), 0.3, form=form).half()
        assert torch.equal(thresholded_relu(x, t, form=form), wide)


@pytest.mark.parametrize(("mu", "sigma", "threshold"), [(0.0, 1.0, 1.0), (0.5, 2.0, 1.0), (0.0, 1.0, -1.0)])
@pytest.mark.parametrize("bandwidth", [0.1, 0.5])
def test_straight_through_derivative_on_average(
    mu: float, sigma: float, threshold: float, bandwidth: float
) -> None:
    """d/dT E f = −T p(T); the mean of the surrogate over a fine grid of quantiles is that, to O(ε²)."""
    n = 400_000
    quantiles = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    x = mu + sigma * torch.special.ndtri(quantiles)
    t = torch.tensor(threshold, dtype=torch.float64, requires_grad=True)
    thresholded_relu(x, t, form="keep", bandwidth=bandwidth).mean().backward()
    z = (threshold - mu) / sigma
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / sigma
    # the window's mean of p is p(T) + p''(T) ε²/24 + …
    curvature = density * (z**2 - 1) / sigma**2
    expected = -threshold * (density + curvature * bandwidth**2 / 24)
    assert t.grad is not None
    assert t.grad.item() == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("lam", [0.5, 1.0])
def test_straight_through_derivative_of_hard_threshold(lam: float) -> None:
    n = 400_000
    x = 0.3 + torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)
    t = torch.tensor(lam, dtype=torch.float64, requires_grad=True)
    hw.nn.functional.hard_threshold(x, t).mean().backward()
    density = [math.exp(-((s * lam - 0.3) ** 2) / 2) / math.sqrt(2 * math.pi) for s in (1, -1)]
    assert t.grad is not None
    assert t.grad.item() == pytest.approx(-lam * (density[0] - density[1]), rel=2e-3)


def test_straight_through_in_forward_mode_and_under_vmap() -> None:
    x, t = torch.tensor([0.98, 1.02, 1.2, 0.5]), torch.tensor(1.0)
    f = lambda s: thresholded_relu(x, s, form="keep")  # noqa: E731
    _, tangent = torch.func.jvp(f, (t,), (torch.tensor(1.0),))
    assert tangent.tolist() == pytest.approx([-10.0, -10.0, 0.0, 0.0])
    batch = torch.func.vmap(torch.func.grad(lambda s: f(s).sum()))(torch.tensor([1.0, 0.5, 7.0]))
    assert batch.tolist() == pytest.approx([-20.0, -5.0, 0.0])


def test_a_learnt_threshold_finds_its_value() -> None:
    """Form "keep" with the straight-through derivative recovers the threshold that made the data."""
    torch.manual_seed(0)
    x = torch.randn(4000)
    target = F.threshold(x, 0.8, 0.0)
    layer = hw.nn.ThresholdedReLU(0.3, "keep", learnable=True, bandwidth=0.2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        (layer(x) - target).pow(2).mean().backward()
        optimizer.step()
    assert layer.threshold.item() == pytest.approx(0.8, abs=0.02)


def test_thresholds_broadcast() -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.1, -0.2, 0.3])
    for form in FORMS:
        expected = torch.stack([thresholded_relu(x[:, i], t[i].item(), form=form) for i in range(3)], 1)
        assert torch.equal(thresholded_relu(x, t[:, None], form=form), expected)
        assert torch.equal(hw.nn.ThresholdedReLU(t, form)(x), expected)  # pyright: ignore
        last = hw.nn.ThresholdedReLU(t, form, channel_dim=-1)  # pyright: ignore
        assert torch.equal(last(x.transpose(1, 2)), expected.transpose(1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_compiled_training_step_keeps_no_mask(form: str) -> None:
    """The compiled graph saves the output and no boolean mask, so that it costs what ReLU costs."""
    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.partitioners import min_cut_rematerialization_partition

    saved: list[torch.dtype] = []

    def forward_compiler(graph: torch.fx.GraphModule, _: object) -> object:
        output = next(node for node in graph.graph.nodes if node.op == "output")
        saved.extend(
            node.meta["val"].dtype for node in output.args[0] if hasattr(node, "meta") and "val" in node.meta
        )
        return make_boxed_func(graph.forward)

    torch._dynamo.reset()
    backend = aot_autograd(
        fw_compiler=forward_compiler,
        bw_compiler=lambda graph, _: make_boxed_func(graph.forward),
        partition_fn=min_cut_rematerialization_partition,
    )
    network = nn.Sequential(nn.Linear(8, 16), hw.nn.ThresholdedReLU(0.3, form), nn.Linear(16, 8))  # pyright: ignore
    torch.compile(network, fullgraph=True, backend=backend)(torch.randn(4, 8)).sum().backward()
    assert saved
    assert torch.bool not in saved


def test_bad_input() -> None:
    x = torch.zeros(2, 3)
    for t in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match=f"`threshold` of thresholded_relu must be finite; got {t}"):
            thresholded_relu(x, t)
        with pytest.raises(ValueError, match=f"`threshold` of ThresholdedReLU must be finite; got {t}"):
            hw.nn.ThresholdedReLU(t)
        with pytest.raises(ValueError, match=rf"must be finite; got {t} at index \(1,\)"):
            hw.nn.ThresholdedReLU(torch.tensor([0.0, t]))
    with pytest.raises(ValueError, match=r"must broadcast to the input's shape \(2, 3\); got shape \(4,\)"):
        thresholded_relu(x, torch.zeros(4))
    with pytest.raises(
        ValueError, match=r"must broadcast to the input's shape \(2, 3\); got shape \(5, 1, 3\)"
    ):
        thresholded_relu(x, torch.zeros(5, 1, 3))
    for form in ("shift", None, 3):
        with pytest.raises(ValueError, match=f'must be "subtract", "keep" or "floor"; got {form!r}'):
            thresholded_relu(x, 0.0, form=form)  # pyright: ignore
        with pytest.raises(ValueError, match=f'must be "subtract", "keep" or "floor"; got {form!r}'):
            hw.nn.ThresholdedReLU(0.0, form)  # pyright: ignore
    with pytest.raises(ValueError, match="must be a number or a tensor; got '1'"):
        thresholded_relu(x, "1")  # pyright: ignore
    with pytest.raises(ValueError, match="must be a torch tensor; got list"):
        thresholded_relu([1.0], 0.0)  # pyright: ignore
    with pytest.raises(ValueError, match="floating-point tensor, which can carry a gradient; got torch"):
        thresholded_relu(torch.tensor([1]), torch.tensor(1.0, requires_grad=True))
    for width in (0.0, -1.0, math.nan):
        with pytest.raises(
            ValueError, match=f"`bandwidth` of ThresholdedReLU must be (positive|finite); got {width}"
        ):
            hw.nn.ThresholdedReLU(0.0, bandwidth=width)
    with pytest.raises(ValueError, match="`num_channels` must be a positive integer; got 0"):
        hw.nn.ThresholdedReLU(0.0, num_channels=0)
    with pytest.raises(ValueError, match="must have 1 or 3 entries; got 2"):
        hw.nn.ThresholdedReLU(torch.zeros(2), num_channels=3)
