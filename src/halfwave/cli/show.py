"""``halfwave show RUN``: what is in a run folder."""

from __future__ import annotations

from pathlib import Path

import typer

from halfwave.cli.common import console, spell_evaluation

__all__ = ["show"]


def show(run: Path = typer.Argument(help="Run folder.")) -> None:
    """Summary of RUN: the machine, how it was trained, how far it came, how good it is, where the files are."""
    from halfwave.rbm.runs import RunFolder

    folder = RunFolder.open(run)
    config = folder.config
    console.print(f"run {folder.path}: `{config.source}`, written by Halfwave {config.version}")
    console.print(
        f"{config.visible} {_times(config.visible_shape)} × {config.hidden} {_times(config.hidden_shape)}, "
        f"{config.optimizer} at {config.learning_rate:g} ({config.schedule}), batch {config.batch_size}, "
        f"{config.chains} chains, {config.steps} Gibbs step{'s' if config.steps > 1 else ''}, seed {config.seed}"
    )
    if not folder.has_state:
        console.print("not saved yet: continue with --resume to start from the beginning")
        return
    metrics = folder.read_metrics()
    done = int(metrics["update"][-1])
    console.print(f"{done:,} of {config.updates:,} updates in {metrics['seconds'][-1]:.0f} s")
    for key in (
        "pseudolikelihood_train",
        "pseudolikelihood_held_out",
        "free_energy_gap",
        "reconstruction_error",
    ):
        console.print(f"{key.replace('_', ' ')}: {metrics[key][-1]:.4f}")
    values = folder.read_json("evaluation.json")
    for line in spell_evaluation(values) if values else ["not evaluated yet: halfwave evaluate RUN"]:
        console.print(line)
    for name in sorted(entry.name for entry in folder.path.iterdir() if not entry.name.startswith(".")):
        console.print(f"  {folder.path / name}")


def _times(shape: list[int]) -> str:
    return " × ".join(str(size) for size in shape)
