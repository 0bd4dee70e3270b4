"""``halfwave sample RUN``: draw from a trained machine."""

from __future__ import annotations

from pathlib import Path

import typer

from halfwave.cli.common import console, progress_bar, run_data, tensors
from halfwave.errors import HalfwaveError

__all__ = ["sample"]


def sample(
    run: Path = typer.Argument(help="Run folder."),
    count: int = typer.Option(100, help="Number of samples."),
    steps: int = typer.Option(1000, help="Gibbs steps of each chain."),
    seed: int = typer.Option(0, help="Seed of the chains."),
    start: str = typer.Option("chains", help="Where chains start: chains (those of training), data, random."),
    output: Path | None = typer.Option(None, help="File to write, .npy or .npz. Default: RUN/samples.npy."),
    means: bool = typer.Option(False, help="Write E[v|h] of the last step instead of the samples."),
    figure: bool = typer.Option(True, help="Also draw the samples beside the output file (.png)."),
) -> None:
    """Samples of the machine in RUN as an array (count, *shape), and as a picture."""
    import numpy as np
    import torch

    from halfwave.rbm.runs import RunFolder

    for name, value in (("--count", count), ("--steps", steps)):
        if value < 1:
            raise HalfwaveError(f"{name} must be at least 1; got {value}")
    folder = RunFolder.open(run)
    machine = folder.load_model()
    generator = torch.Generator(machine.weights.device).manual_seed(seed)
    v = _start(folder, machine, start, count, generator)
    with torch.no_grad(), progress_bar("sampling", steps) as show:
        for done in range(1, steps):
            v = machine.sample_v_from_v(v, 1, generator)
            show(done, "")
        h = machine.sample_h_from_v(v, generator)
        v = machine.mean_v_from_h(h) if means else machine.sample_v_from_h(h, generator)
        show(steps, "")
    values = v.cpu().numpy()
    path = output or folder.path / "samples.npy"
    if path.suffix not in (".npy", ".npz"):
        raise HalfwaveError(f"--output must end in .npy or .npz; got {path}")
    _write(path, values, np)
    console.print(f"{count} samples after {steps} Gibbs steps: {path}")
    if figure:
        console.print(f"picture: {_draw(folder, path, v)}")


def _start(folder, machine, start: str, count: int, generator):
    import torch

    if start not in ("chains", "data", "random"):
        raise HalfwaveError(f"--start must be chains, data or random; got {start!r}")
    source = folder.load_chains() if start == "chains" else None
    if start == "data":
        source = tensors(run_data(folder), folder.config)[0]
    if source is None:
        zero = torch.zeros((count, *machine.visible.shape), dtype=machine.weights.dtype)
        return machine.visible.sample_from_inputs(zero.to(machine.weights.device), generator)
    chosen = torch.randint(
        len(source), (count,), generator=torch.Generator().manual_seed(generator.initial_seed())
    )
    return source[chosen.to(source.device)].to(machine.weights)


def _write(path: Path, values, numpy) -> None:
    import io

    from halfwave.files import write_atomically

    buffer = io.BytesIO()
    if path.suffix == ".npz":
        numpy.savez_compressed(buffer, samples=values)
    else:
        numpy.save(buffer, values, allow_pickle=False)
    write_atomically(path, buffer.getvalue())


def _draw(folder, path: Path, v) -> Path:
    from halfwave.plots import samples as draw_samples
    from halfwave.plots import save_figure

    image = tuple(folder.config.image_shape) if folder.config.image_shape else None
    train, _ = tensors(run_data(folder), folder.config)
    picture = path.with_suffix(".png")
    categorical = folder.config.visible == "Potts"
    save_figure(draw_samples(train, v, image, categorical=categorical), picture)
    return picture
