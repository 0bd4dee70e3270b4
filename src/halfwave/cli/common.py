"""What several commands share: the progress bar, and data as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from halfwave.datasets import Dataset
    from halfwave.rbm.machine import RBM
    from halfwave.rbm.runs import RunConfig, RunFolder

__all__ = ["console", "evaluate_and_report", "progress_bar", "run_data", "spell_evaluation", "tensors"]

console = Console(highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(label: str, total: int, start: int = 0) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on standard error; the caller reports (done, text)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[clock]}"),
    )
    bar = Progress(*columns, console=Console(stderr=True, highlight=False), refresh_per_second=4)
    with bar:
        task = bar.add_task(label, total=total, completed=start, text="", clock="left")

        def show(done: int, text: str) -> None:
            bar.update(task, completed=done, text=text, clock="left" if done < total else "taken")

        yield show


def tensors(dataset: Dataset, config: RunConfig) -> tuple[Tensor, Tensor]:
    """Training and held-out samples as tensors of the run's dtype, on its device."""
    import torch

    from halfwave.rbm.runs import torch_dtype

    options: dict[str, Any] = {"dtype": torch_dtype(config.dtype), "device": config.device}
    return torch.as_tensor(dataset.train, **options), torch.as_tensor(dataset.held_out, **options)


def run_data(run: RunFolder, source: str | None = None) -> Dataset:
    """The data of a run: its own source treated as then and checked, or another one treated in the same way."""
    from halfwave import datasets
    from halfwave.errors import HalfwaveError

    dataset = datasets.apply(run.config.transform, source or run.config.source)
    if source is None and dataset.fingerprint != run.config.fingerprint:
        raise HalfwaveError(
            f"`{run.config.source}` has changed since the run in {run.path} was started: "
            f"its fingerprint was {run.config.fingerprint[:12]} and is {dataset.fingerprint[:12]}"
        )
    return dataset


def evaluate_and_report(
    run: RunFolder,
    machine: RBM,
    dataset: Dataset,
    *,
    chains: int,
    temperatures: int | None,
    report: bool = True,
) -> tuple[dict[str, Any], Path | None]:
    """Evaluate a machine on data with a progress bar, and write ``evaluation.json`` and the report."""
    import torch

    from halfwave.rbm.evaluation import evaluate

    train, held_out = tensors(dataset, run.config)
    generator = torch.Generator(train.device).manual_seed(run.config.seed + 1)
    with progress_bar("evaluating", 1000) as show:
        values = evaluate(
            machine,
            train,
            held_out,
            chains=chains,
            temperatures=temperatures or max(2000, 10 * machine.visible.size),
            seed=run.config.seed,
            progress=lambda done, total: show(1000 * done // max(total, 1), "annealing"),
        )
        show(1000, "")
    run.write_json("evaluation.json", values)
    if not report:
        return values, None
    from halfwave.plots.machine.report import run_report

    chain = run.load_chains()
    start = train[:64] if chain is None else chain[:64].to(train)
    with torch.no_grad():
        samples = machine.sample_v_from_v(start, 200, generator)
    path = run.path / "report.html"
    image = tuple(run.config.image_shape) if run.config.image_shape else None
    run_report(
        machine,
        train,
        held_out,
        samples,
        evaluation=values,
        metrics=run.read_metrics(),
        config={**_plain(run.config), "description": dataset.description},
        image_shape=image,
        path=path,
    )
    return values, path


def _plain(config: RunConfig) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(config)


def spell_evaluation(values: Mapping[str, Any]) -> list[str]:
    """The evaluation as lines for the terminal."""
    lines = []
    width = values["sandwich_width"]
    for name, label in (("held_out", "held-out"), ("train", "training")):
        likelihood, error = values[f"{name}_log_likelihood"], values[f"{name}_standard_error"]
        if likelihood is None:
            continue
        spread = f" ± {error:.2f}" if error is not None else ""
        baseline = values[f"independent_{name}"]
        lines.append(
            f"log-likelihood, {label} ({values[f'samples_{name}']:,} samples): {likelihood:.2f}{spread} "
            f"nats a sample (independent units: {baseline:.2f})"
        )
        if values[f"pseudolikelihood_{name}"] is not None:
            lines.append(
                f"log-pseudolikelihood, {label}: {values[f'pseudolikelihood_{name}']:.4f} nats a site"
            )
    if values["method"] == "enumeration":
        lines.append(f"log Z by enumeration: {values['log_partition_lower']:.4f} nats, exact")
    else:
        lines.append(
            f"log Z between {values['log_partition_lower']:.2f} ± {values['log_partition_lower_error']:.2f} "
            f"(forward annealing) and {values['log_partition_upper']:.2f} ± "
            f"{values['log_partition_upper_error']:.2f} (reverse): {width:.2f} nats wide"
        )
    return lines
