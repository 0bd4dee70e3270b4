"""Persistent contrastive divergence.

The gradient of the mean log-likelihood is a difference of expected statistics, on the data and on the machine;
the second expectation is taken over Gibbs chains that persist from update to update. No gradient flows through a
sampler. The machine is trained in its centred form (`halfwave.rbm.train.leaves`).

Sources: Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient" (2008);
Melchior, Fischer, Wiskott, "How to center deep Boltzmann machines", JMLR 17 (2016); Tubiana, Cocco, Monasson,
eLife 8 (2019) e39397.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.initialize import data_moments
from halfwave.rbm.machine import RBM
from halfwave.rbm.train.batches import Batches
from halfwave.rbm.train.leaves import Leaves
from halfwave.rbm.train.optimizers import (
    OptimizerFactory,
    make_optimizer,
    optimizer_from_tensors,
    optimizer_tensors,
)
from halfwave.rbm.train.phases import Phases, average, can_compile, compile_phases
from halfwave.rbm.train.regularization import Regularization
from halfwave.rbm.train.schedule import Schedule, find_schedule
from halfwave.units.base import Unit
from halfwave.units.drelu_family.family import DReLUFamily

__all__ = ["PCDTrainer", "check_data", "pcd"]

_OFFSET_INTERVAL = 10
_OFFSET_DAMPING = 0.1
_SCALE_INTERVAL = 50
_LARGEST_SCALE = 1.02


class PCDTrainer:
    """Trains a machine in place by persistent contrastive divergence; can be saved and continued exactly.

    Args:
        rbm: the machine; its parameters are the starting point and change in place.
        data: samples ``(n, *visible.shape)`` that fit the visible layer.
        updates: length of the planned run, which the learning-rate schedule refers to.
        batch_size: samples a minibatch, at most n.
        chains: number of persistent chains; the batch size if absent.
        steps: Gibbs steps of each chain an update.
        optimizer: name of a ``torch.optim`` class, or a function from the list of parameters to an optimiser.
        learning_rate: its learning rate at the start.
        optimizer_options: further options of the optimiser.
        schedule: "constant", "cosine", "linear", "geometric", or a function of the share of updates done.
        regularization: penalties.
        weights: importance of each sample ``(n,)``, positive; equal if absent.
        centred: train the centred form; off trains the plain one.
        unit_variance: move continuous hidden units towards unit variance on the data by small exact gauge changes.
        compile: fuse the element-wise work with ``torch.compile`` (needs a C++ compiler or a GPU).
        seed: of the generator that all random numbers of the run come from.

    Raises:
        HalfwaveError: if the data do not fit the layer or the batch, or an option is out of range; while it runs, if
            training diverges.

    >>> from halfwave.units import Binary, DReLU
    >>> from halfwave.rbm import initialize
    >>> data = (torch.rand(64, 6) < 0.3).float()
    >>> trainer = PCDTrainer(initialize(RBM(Binary(6), DReLU(3)), data), data, updates=20, batch_size=16)
    >>> trainer.run()
    >>> trainer.update
    20
    """

    def __init__(
        self,
        rbm: RBM,
        data: Tensor,
        *,
        updates: int,
        batch_size: int = 256,
        chains: int | None = None,
        steps: int = 1,
        optimizer: str | OptimizerFactory = "Adam",
        learning_rate: float = 1e-3,
        optimizer_options: Mapping[str, Any] | None = None,
        schedule: str | Schedule = "constant",
        regularization: Regularization | None = None,
        weights: Tensor | None = None,
        centred: bool = True,
        unit_variance: bool = False,
        compile: bool = False,
        seed: int = 0,
    ) -> None:
        chains = batch_size if chains is None else chains
        counts = {"updates": updates, "batch_size": batch_size, "chains": chains, "steps": steps}
        _check_counts(counts, learning_rate)
        data = check_data(rbm.visible, data)
        if batch_size > len(data):
            raise HalfwaveError(
                f"`batch_size` must be at most the number of samples {len(data)}; got {batch_size}"
            )
        if compile and not can_compile(data.device):
            raise HalfwaveError("`compile` needs a C++ compiler (g++, c++ or clang++); none was found")
        self.rbm = rbm
        self.updates = updates
        self.steps = steps
        self.update = 0
        self.learning_rate = learning_rate
        self.schedule = find_schedule(schedule)
        self.regularization = regularization or Regularization()
        self.centred = centred
        self.generator = torch.Generator(data.device).manual_seed(seed)
        self._phases = compile_phases() if compile else Phases()
        self._scaled = unit_variance and bool(rbm.hidden.scale_powers)
        with torch.no_grad():
            weights = _normalised(weights, data)
            flat = data.reshape(len(data), -1)
            self.batches = Batches(flat, weights, batch_size, self.generator)
            self._target = rbm.visible.moments_from_samples(data, weights)
            self._start(data, weights, chains)
            self._batch_shares = data.new_full((batch_size,), 1.0 / batch_size)
            self._chain_shares = data.new_full((chains,), 1.0 / chains)
        parameters = [rbm.weights, *self._visible.tensors.values(), *self._hidden.tensors.values()]
        self.optimizer = make_optimizer(optimizer, parameters, learning_rate, **(optimizer_options or {}))

    def _start(self, data: Tensor, weights: Tensor | None, chains: int) -> None:
        """Offsets, leaves and chains at the start of a run."""
        rbm, hidden = self.rbm, self.rbm.hidden
        mean, variance = (moment.to(data.dtype) for moment in data_moments(data, weights))
        few = data[:: max(1, len(data) // 1000)]
        moments = hidden.moments_from_inputs(rbm.inputs_h_from_v(few))
        self.offset_v = mean if self.centred else torch.zeros_like(mean)
        self.offset_h = hidden.mean_from_statistics(moments) * float(self.centred)
        self.hidden_mean = hidden.mean_from_statistics(moments).clone()
        self._visible = Leaves(rbm.visible, rbm.inputs_v_from_h(self.offset_h))
        self._hidden = Leaves(rbm.hidden, rbm.inputs_h_from_v(self.offset_v))
        unit = self._hidden.unit
        self._working = unit.to_drelu() if isinstance(unit, DReLUFamily) else unit
        # chains start at independent visible units with the means of the data
        reference = type(rbm.visible)(rbm.visible.shape, dtype=data.dtype, device=data.device)
        reference.initialize_from_moments(mean, variance)
        start = torch.zeros((chains, *rbm.visible.shape), dtype=data.dtype, device=data.device)
        self.chain_v = reference.sample_from_inputs(start, self.generator)
        self.chain_h = rbm.sample_h_from_v(self.chain_v, self.generator)

    def _write(self) -> None:
        """Set the layers of the centred machine, with which chains and gradients are computed, from the leaves."""
        self._visible.write()
        self._hidden.write()
        if isinstance(self._hidden.unit, DReLUFamily):
            for key, value in self._hidden.unit.drelu_parameters().items():
                self._working.get_parameter(key).data.copy_(value)

    @torch.no_grad()
    def synchronise(self) -> None:
        """Bring the fields and thresholds of ``rbm`` up to date; `run`, `step` and `state` end with it."""
        self._visible.write_plain(self.rbm.inputs_v_from_h(self.offset_h))
        self._hidden.write_plain(self.rbm.inputs_h_from_v(self.offset_v))

    def run(self, until: int | None = None, callbacks: Sequence[Callable[[PCDTrainer], None]] = ()) -> None:
        """Update until ``until`` updates are done (the planned number if absent); each callback sees the trainer."""
        end = self.updates if until is None else until
        while self.update < end:
            self._step()
            if callbacks:
                self.synchronise()
            for callback in callbacks:
                callback(self)
        self.synchronise()
        self._check_finite()

    def step(self) -> None:
        """One update of all parameters."""
        self.run(until=self.update + 1)

    def _check_finite(self) -> None:
        """Refuse to go on, or to be saved, with numbers that are no numbers."""
        values = [
            self.rbm.weights,
            self.chain_h,
            *self._visible.tensors.values(),
            *self._hidden.tensors.values(),
        ]
        if not all(bool(torch.isfinite(value.sum())) for value in values):
            rate = self.learning_rate * self.schedule(min(1.0, self.update / self.updates))
            raise HalfwaveError(
                f"training has diverged by update {self.update}: the parameters are no longer finite; "
                f"the learning rate there is {rate:.3g}, try a smaller one"
            )

    @torch.no_grad()
    def _step(self) -> None:
        """One update of the centred machine and of the weights, which both machines share."""
        rbm, matrix = self.rbm, self.rbm.weight_matrix

        # data: expected hidden statistics given a minibatch
        batch, weights = self.batches.next()
        if self.centred:
            batch.sub_(self.offset_v.view(-1))
        inputs = (batch @ matrix).view(-1, *rbm.hidden.shape)
        centred_data, statistics = self._phases.data(self._working, inputs, self.offset_h, weights)
        shares = self._batch_shares if weights is None else weights / len(batch)
        moments_data = average(statistics, shares)
        share = 1.0 if weights is None else float(shares.sum())

        # machine: Gibbs steps of the persistent chains
        for _ in range(self.steps - 1):
            self._advance(matrix)
        chain_v, statistics_v, centred_model, statistics_h = self._advance(matrix)  # chain_v: centred
        moments_v = average(statistics_v, self._chain_shares)
        moments_model = average(statistics_h, self._chain_shares)

        # gradient of the weights: difference of the covariances about the offsets
        centred_data = centred_data.view(len(batch), -1)
        centred_model = centred_model.view(len(chain_v), -1)
        gradient = torch.mm(batch.T, centred_data)
        gradient.addmm_(chain_v.T, centred_model, beta=-1.0 / len(batch), alpha=share / len(chain_v))

        # gradients of the layers
        hidden = {key: moments_data[key] - share * moments_model[key] for key in moments_model}
        visible = {key: self._target[key] - moments_v[key] for key in moments_v}
        self._visible.set_gradients(self._visible.unit.energy_gradients(visible))
        self._hidden.set_gradients(self._hidden.unit.energy_gradients(hidden))
        self._penalise(gradient, matrix)
        rbm.weights.grad = gradient.view_as(rbm.weights)

        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * self.schedule(self.update / self.updates)
        self.optimizer.step()
        self.update += 1
        self._follow(moments_data, share)
        if self._scaled and self.update % _SCALE_INTERVAL == 0:
            self._rescale(inputs)
        self._write()

    def _advance(self, matrix: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """One Gibbs step ``h → v → h`` of the chains; what it returns of ``v`` and ``h`` is centred."""
        visible, count = self._visible.unit, len(self.chain_h)
        centred_h = (self.chain_h - self.offset_h) if self.centred else self.chain_h
        inputs_v = (centred_h.view(count, -1) @ matrix.T).view(count, *visible.shape)
        noise = visible.draw_noise((count,), self.generator)
        self.chain_v, statistics_v = self._phases.visible(visible, inputs_v, noise)
        centred_v = (self.chain_v - self.offset_v) if self.centred else self.chain_v
        flat = centred_v.view(count, -1)
        inputs_h = (flat @ matrix).view(count, *self._working.shape)
        noise = self._working.draw_noise((count,), self.generator)
        self.chain_h, centred, statistics_h = self._phases.hidden(
            self._working, inputs_h, noise, self.offset_h
        )
        return flat, statistics_v, centred, statistics_h

    def _penalise(self, gradient: Tensor, matrix: Tensor) -> None:
        """Add the gradients of the penalties on the plain machine, as functions of the leaves."""
        penalties = self.regularization
        penalties.add_weight_gradient(gradient, matrix)
        if not penalties.l2_fields:
            return
        self._visible.write_plain(self.rbm.inputs_v_from_h(self.offset_h))
        for key, sign in self.rbm.visible.input_signs.items():
            field = self.rbm.visible.get_parameter(key)
            leaf = self._visible.tensors[key]
            assert leaf.grad is not None
            leaf.grad.add_(field, alpha=penalties.l2_fields)
            # the plain field is the leaf minus sign·W·offset
            gradient.addr_(field.view(-1), self.offset_h.view(-1), alpha=-sign * penalties.l2_fields)

    def _follow(self, moments: Mapping[str, Tensor], share: float) -> None:
        """Let the hidden offset follow the data, and restore the unit variance of hidden units, now and then."""
        if self.update % _OFFSET_INTERVAL:
            return
        hidden = self.rbm.hidden
        self.hidden_mean.lerp_(hidden.mean_from_statistics(moments) / share, _OFFSET_DAMPING)
        if self.centred:
            change = self.hidden_mean - self.offset_h
            self._visible.shift(self.rbm.inputs_v_from_h(change))
            self.offset_h.copy_(self.hidden_mean)

    def _rescale(self, inputs: Tensor) -> None:
        """Exact gauge change ``h → h/s`` of each hidden unit towards unit variance on the data.

        In small steps, and from the variance now: the optimiser remembers gradients of the old scale, and a large
        change, or one that comes late, would make its next updates far too large.
        """
        unit = self._working
        variance = unit.var_from_inputs(inputs).mean(0) + unit.mean_from_inputs(inputs).var(0, correction=0)
        scale = variance.sqrt().clamp_(1.0 / _LARGEST_SCALE, _LARGEST_SCALE)
        self.rbm.weights.data.mul_(scale)
        self._hidden.rescale(scale)
        for values in (self.chain_h, self.offset_h, self.hidden_mean):
            values.div_(scale)

    # saving and continuing

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything a continued run needs, as tensors by name and as a JSON header."""
        self.synchronise()
        tensors = {f"rbm.{key}": value for key, value in self.rbm.named_parameters()}
        for name, leaves in (("visible", self._visible), ("hidden", self._hidden)):
            tensors |= {f"leaf.{name}.{key}": value for key, value in leaves.tensors.items()}
        tensors |= {f"own.{key}": getattr(self, key) for key in _OWN_TENSORS}
        tensors["generator"] = self.generator.get_state()
        tensors["batches.order"] = self.batches.order
        state, numbers = optimizer_tensors(self.optimizer)
        tensors |= {f"optimizer.{key}": value for key, value in state.items()}
        return tensors, {"update": self.update, "position": self.batches.position, "optimizer": numbers}

    def restore(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; the run then goes on bit for bit as if never interrupted."""
        try:
            for key, value in self.rbm.named_parameters():
                value.data.copy_(tensors[f"rbm.{key}"])
            for name, leaves in (("visible", self._visible), ("hidden", self._hidden)):
                for key, value in leaves.tensors.items():
                    value.copy_(tensors[f"leaf.{name}.{key}"])
            for key in _OWN_TENSORS:
                setattr(self, key, tensors[f"own.{key}"].to(self.rbm.weights.device))
            self.generator.set_state(tensors["generator"])
            self.batches.order = tensors["batches.order"].to(self.batches.order.device)
        except (KeyError, RuntimeError) as error:
            raise HalfwaveError(f"the saved state is of another machine or run: {error}") from error
        self.batches.position = header["position"]
        self.update = header["update"]
        state = {k.removeprefix("optimizer."): v for k, v in tensors.items() if k.startswith("optimizer.")}
        optimizer_from_tensors(self.optimizer, state, header["optimizer"])
        self._write()


_OWN_TENSORS = ("chain_v", "chain_h", "offset_v", "offset_h", "hidden_mean")


def pcd(
    rbm: RBM,
    data: Tensor,
    *,
    updates: int,
    callbacks: Sequence[Callable[[PCDTrainer], None]] = (),
    **options: Any,
) -> PCDTrainer:
    """Train ``rbm`` in place by persistent contrastive divergence and return the trainer.

    Args:
        rbm: the machine.
        data: samples ``(n, *visible.shape)``.
        updates: number of updates.
        callbacks: functions of the trainer, called after each update.
        options: those of `PCDTrainer`.

    >>> from halfwave.units import Binary, DReLU
    >>> data = (torch.rand(64, 6) < 0.3).float()
    >>> pcd(RBM(Binary(6), DReLU(3)), data, updates=5, batch_size=16).update
    5

    Source: Tieleman (2008).
    """
    trainer = PCDTrainer(rbm, data, updates=updates, **options)
    trainer.run(callbacks=callbacks)
    return trainer


def check_data(unit: Unit, data: Tensor) -> Tensor:
    """The data in the layer's dtype if they are at least two samples that fit the layer, else `HalfwaveError`."""
    if data.ndim != len(unit.shape) + 1:
        raise HalfwaveError(f"data must have shape (samples, {_spell(unit.shape)}); got {tuple(data.shape)}")
    if len(data) < 2:
        raise HalfwaveError(f"data must hold at least 2 samples; got {len(data)}")
    data = unit.check_inputs(data, "data")
    for start in range(0, len(data), 4096):
        unit.check_values(data[start : start + 4096], f"data (from sample {start})" if start else "data")
    return data.contiguous()


def _spell(shape: tuple[int, ...]) -> str:
    return ", ".join(str(size) for size in shape)


def _check_counts(counts: Mapping[str, int], learning_rate: float) -> None:
    for key, value in counts.items():
        if value < 1:
            raise HalfwaveError(f"`{key}` must be at least 1; got {value}")
    if not 0.0 < learning_rate < float("inf"):
        raise HalfwaveError(f"`learning_rate` must be positive; got {learning_rate}")


def _normalised(weights: Tensor | None, data: Tensor) -> Tensor | None:
    """Sample weights scaled to mean 1."""
    if weights is None:
        return None
    if tuple(weights.shape) != (len(data),):
        raise HalfwaveError(f"`weights` must have shape ({len(data)},); got {tuple(weights.shape)}")
    weights = weights.to(data)
    if not bool((torch.isfinite(weights) & (weights > 0)).all()):
        bad = int((~(torch.isfinite(weights) & (weights > 0))).nonzero()[0])
        raise HalfwaveError(
            f"`weights` must be positive and finite; got {weights[bad].item()} at sample {bad}"
        )
    return weights / weights.mean()
