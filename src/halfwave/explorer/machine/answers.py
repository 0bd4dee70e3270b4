"""What the room "Machine" asks: runs, features, live chains, clamped sites, and hidden units that are moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from halfwave.errors import HalfwaveError
from halfwave.explorer.machine.opening import BUNDLED, OpenRun, names
from halfwave.explorer.machine.part import Filling, MachinePart
from halfwave.explorer.machine.payloads import MOST_STEPS, choice, clamps_of, temperature, whole
from halfwave.explorer.machine.pictures import signed
from halfwave.explorer.machine.sampling import Chains, Clamp, Held
from halfwave.explorer.machine.units import check_value, describe_move, describe_unit
from halfwave.explorer.session.payloads import number, text
from halfwave.explorer.session.session import Answer, Session

__all__ = ["ANSWERS", "RECORDED"]

Payload = dict[str, Any]

_MOST_CHAINS = 64
_LARGEST_SEED = 2**31 - 1
_FEATURE_BYTES = 600_000
_FILLING = 24
"""Chains that fill in what is not clamped."""
_RECORDED_UNITS = 24
_LARGEST_NUMBER = 1e300
_EVALUATION = (
    "held_out_log_likelihood",
    "held_out_standard_error",
    "train_log_likelihood",
    "independent_held_out",
    "pseudolikelihood_held_out",
    "log_partition",
    "method",
)


def list_runs(session: Session, payload: Mapping[str, Any]) -> Payload:
    """Names of the runs that can be opened.

    >>> list_runs(Session(), {})
    {'runs': ['bundled/digits']}
    """
    return {"runs": names(session.shelf)}


@torch.no_grad()
def describe_run(session: Session, payload: Mapping[str, Any]) -> Payload:
    """What a run is, and its features."""
    run = session.part(MachinePart).opened(text(payload, "name"))
    rbm, config, scale = run.rbm, run.config, run.scale
    parameters = sum(value.numel() for value in rbm.parameters())
    shown = max(1, min(rbm.hidden.size, _FEATURE_BYTES // rbm.visible.size))
    reach = float(run.weights.abs().max()) or 1.0
    return {
        "name": run.name,
        "source": config.source.replace("\\", "/").rsplit("/", 1)[-1],
        "updates": config.updates,
        "visible": {
            "unit": rbm.visible.name,
            "kind": scale.kind,
            "sites": scale.sites,
            "colours": scale.colours,
            "levels": scale.levels,
            "image": run.image_shape,
        },
        "hidden": {"unit": rbm.hidden.name, "size": rbm.hidden.size, "discrete": rbm.hidden.discrete},
        "parameters": parameters,
        "data": {"counts": run.counts, "used": len(run.data), "note": run.note},
        "evaluation": _evaluation(run),
        "order": run.order,
        "importance": [float(value) for value in run.importance],
        "features": signed(run.weights.T[run.order[:shown]], reach),
        "shown": shown,
        "reach": reach,
    }


def _evaluation(run: OpenRun) -> Payload | None:
    if run.evaluation is None:
        return None
    values = {key: run.evaluation.get(key) for key in _EVALUATION}
    known = {key: value for key, value in values.items() if _is_plain(value)}
    return known or None


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) < 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LARGEST_NUMBER


@torch.no_grad()
def show_data(session: Session, payload: Mapping[str, Any]) -> Payload:
    """Samples of the data, chosen by a seed, and their mean free energy."""
    run = session.part(MachinePart).opened(text(payload, "name"))
    v = _chosen(run, _count(payload), _seed(payload))
    free_energy = float(run.rbm.free_energy(v).double().mean())
    return {"name": run.name, "pictures": run.scale.pictures(v), "free_energy": free_energy}


@torch.no_grad()
def step(session: Session, payload: Mapping[str, Any]) -> Payload:
    """Gibbs steps of the chains that this seed, count and start name; new ones where there are none.

    Energies and free energies are those of the machine itself, at T = 1, whatever the temperature of the chains.
    """
    part = session.part(MachinePart)
    run = part.opened(text(payload, "name"))
    start, seed, count = choice(payload, "start", ("data", "noise")), _seed(payload), _count(payload)
    held = _held(run, payload.get("held"))
    machine = part.machine(run, temperature(payload))
    steps = whole(payload, "steps", 0, MOST_STEPS)
    key = (run.name, start, seed, count, whole(payload, "round", 0, _LARGEST_SEED))
    if part.chains is None or part.chains[0] != key:
        begin = (
            Chains.from_noise(run.rbm, count, seed)
            if start == "noise"
            else Chains.from_samples(run.rbm, _chosen(run, count, seed), seed)
        )
        part.chains = (key, begin)
    chains = part.chains[1]
    _walk_or_forget(part, "chains", lambda: chains.walk(machine, steps, held=held))
    return {
        "pictures": run.scale.pictures(chains.v),
        "steps": chains.steps,
        "energy": _finite(run.rbm.energy(chains.v, chains.h).double().mean()),
        "free_energy": _finite(run.rbm.free_energy(chains.v).double().mean()),
        "mean": run.scale.means(chains.mean.mean(0, keepdim=True)) if held else None,
    }


@torch.no_grad()
def fill(session: Session, payload: Mapping[str, Any]) -> Payload:
    """Gibbs steps in which the clamped sites stay; a sample of one chain, and the mean of all of them."""
    part = session.part(MachinePart)
    run = part.opened(text(payload, "name"))
    at, steps = temperature(payload), whole(payload, "steps", 0, MOST_STEPS)
    levels = clamps_of(payload, run.scale.sites, run.scale.levels)
    clamp = Clamp(*run.scale.values(levels))
    key = (run.name, _seed(payload))
    if part.filling is None or part.filling[0] != key:
        part.filling = (key, Filling(Chains.from_noise(run.rbm, _FILLING, key[1])))
    filling = part.filling[1]
    machine = part.machine(run, at)
    _walk_or_forget(part, "filling", lambda: filling.walk(machine, steps, clamp, (at, levels)))
    sample = filling.chains.v[:1]
    return {
        "sample": run.scale.pictures(sample),
        "mean": run.scale.means(filling.mean.unsqueeze(0)),
        "averaged": filling.averaged,
        "chains": _FILLING,
        "free_energy": _finite(run.rbm.free_energy(sample).double()[0]),
    }


def show_unit(session: Session, payload: Mapping[str, Any]) -> Payload:
    """One hidden unit, by its rank of importance."""
    run = session.part(MachinePart).opened(text(payload, "name"))
    return describe_unit(run, whole(payload, "rank", 0, run.rbm.hidden.size - 1))


def move(session: Session, payload: Mapping[str, Any]) -> Payload:
    """What the machine expects to see with a hidden unit at a value, and the data nearest to it."""
    run = session.part(MachinePart).opened(text(payload, "name"))
    rank = whole(payload, "rank", 0, run.rbm.hidden.size - 1)
    value = None if payload.get("value") is None else number(payload, "value")
    return describe_move(run, rank, value)


def _walk_or_forget(part: MachinePart, name: str, walk: Callable[[], None]) -> None:
    """Chains that ran away are no place to go on from."""
    try:
        walk()
    except HalfwaveError:
        setattr(part, name, None)
        raise


def _chosen(run: OpenRun, count: int, seed: int) -> torch.Tensor:
    """Samples of the data; the same ones for the same seed, each once where there are enough."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randperm(len(run.data), generator=generator)
    return run.data[places.repeat(-(-count // len(places)))[:count]]


def _held(run: OpenRun, given: Any) -> Held | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise HalfwaveError(f"`held` must be an object with rank and value; got a {type(given).__name__}")
    rank = whole(given, "rank", 0, run.rbm.hidden.size - 1)
    return Held(run.order[rank], check_value(run, rank, number(given, "value")))


def _count(payload: Mapping[str, Any]) -> int:
    return whole(payload, "count", 1, _MOST_CHAINS)


def _seed(payload: Mapping[str, Any]) -> int:
    return whole(payload, "seed", 0, _LARGEST_SEED)


def _finite(value: torch.Tensor) -> float | None:
    # JSON knows no infinity
    return float(value) if bool(value.isfinite()) else None


ANSWERS: dict[str, Answer] = {
    "machine.list": list_runs,
    "machine.open": describe_run,
    "machine.data": show_data,
    "machine.step": step,
    "machine.fill": fill,
    "machine.unit": show_unit,
    "machine.move": move,
}

_FIRST = {"name": BUNDLED, "seed": 1, "count": 36}

RECORDED: list[tuple[str, Payload]] = [
    ("machine.list", {}),
    ("machine.open", {"name": BUNDLED}),
    ("machine.data", _FIRST),
    # a page without Python shows where the chains are after a while
    ("machine.step", {**_FIRST, "start": "noise", "round": 0, "temperature": 1, "steps": 500, "held": None}),
    *(("machine.unit", {"name": BUNDLED, "rank": rank}) for rank in range(_RECORDED_UNITS)),
    *(("machine.move", {"name": BUNDLED, "rank": rank, "value": None}) for rank in range(_RECORDED_UNITS)),
]
