"""A run as an object: its machine, its data, and all that can be done with them."""

from __future__ import annotations

from dataclasses import asdict, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from halfwave.datasets import Dataset
from halfwave.errors import HalfwaveError, OptionError
from halfwave.rbm.machine import RBM
from halfwave.rbm.train import PCDTrainer
from halfwave.runs.building import build, tensors, using_threads
from halfwave.runs.configuration import RunConfig
from halfwave.runs.driving import drive, stop_on_interrupt
from halfwave.runs.evaluation import Evaluation, check_annealing, evaluated
from halfwave.runs.folder import RunFolder
from halfwave.runs.monitor import MONITOR_COLUMNS, Monitor
from halfwave.runs.progress import progress_bar, say
from halfwave.runs.sampling import SavedSamples, check_file, check_request, sampled, write_samples
from halfwave.runs.sources import own_data, treated
from halfwave.runs.wording import announcement, evaluation_lines, layers, measured, started_as

__all__ = ["Run"]

_REPORT_SAMPLES = 64
_REPORT_STEPS = 200


class Run:
    """One training run, in a folder on disk; made by `halfwave.runs.train` or `halfwave.runs.open`.

    What can be read again from the folder is read when it is first asked for.

    Args:
        files: the folder.
        dataset: the data of the run, if they are in memory already.
        trainer: one that has been built for this run already.

    >>> import numpy as np, tempfile
    >>> from halfwave import runs
    >>> data, folder = np.random.default_rng(0).integers(0, 2, (40, 4)), tempfile.mkdtemp()
    >>> run = runs.train(data, folder, updates=20, batch_size=8, hidden_size=2, evaluate=False, progress=False)
    >>> run.finished, run.machine.hidden.shape, run.metrics["update"]
    (True, (2,), [0.0, 20.0])
    >>> run.sample(3, steps=5, progress=False).shape
    (3, 4)
    >>> print(run.evaluate(progress=False).lines[-1][:20])
    log Z by enumeration
    """

    def __init__(
        self, files: RunFolder, dataset: Dataset | None = None, trainer: PCDTrainer | None = None
    ) -> None:
        self._files = files
        self._dataset = dataset
        self._trainer = trainer
        self._machine: RBM | None = None

    @property
    def folder(self) -> Path:
        """Where the run is on disk."""
        return self._files.path

    @property
    def config(self) -> RunConfig:
        """How the run was started."""
        return self._files.config

    @property
    def machine(self) -> RBM:
        """The machine as it was last saved; raises `HalfwaveError` where none has been saved yet."""
        if self._machine is None:
            self._machine = self._files.load_model()
        return self._machine

    @property
    def dataset(self) -> Dataset:
        """The data that the run is trained on; raises `HalfwaveError` where they are gone or have changed."""
        if self._dataset is None:
            self._dataset = own_data(self._files)
        return self._dataset

    @property
    def chains(self) -> Tensor | None:
        """Visible configurations of the persistent chains ``(chains, *visible.shape)``; None without a saved state."""
        return self._files.load_chains()

    @property
    def metrics(self) -> dict[str, list[float]]:
        """What was measured during training, as columns; raises `HalfwaveError` where nothing has been saved yet."""
        return self._files.read_metrics()

    @property
    def updates_done(self) -> int:
        """Updates behind the saved state; 0 where the folder holds none."""
        return self._files.updates_done

    @property
    def finished(self) -> bool:
        """Whether all updates are done."""
        return self.updates_done >= self.config.updates

    @property
    def evaluation(self) -> Evaluation | None:
        """What the last evaluation on the run's own data found; None where there was none."""
        values = self._files.read_json("evaluation.json")
        return Evaluation(values) if isinstance(values, dict) else None

    def resume(
        self,
        *,
        evaluate: bool = True,
        ais_chains: int = 500,
        ais_temperatures: int | None = None,
        progress: bool = True,
    ) -> Run:
        """Go on to the last update, bit for bit as if the run had never been stopped.

        Ctrl-C saves and stops again; then `finished` is False.

        Args:
            evaluate: in the end, evaluate and write the report.
            ais_chains, ais_temperatures: ``chains`` and ``temperatures`` of `evaluate`.
            progress: say how it goes; False says nothing.

        Returns:
            The run itself.

        Raises:
            HalfwaveError: if the data are gone or have changed, the folder is damaged, or training diverges.
        """
        if evaluate:
            check_annealing(ais_chains=ais_chains, ais_temperatures=ais_temperatures)
        with using_threads(self.config.threads):
            if not self._train(self._prepared(progress), progress):
                say(f"stopped and saved at update {self.updates_done:,}; continue with:", progress)
                say(f"  halfwave train --resume --run {self.folder}", progress)
                return self
            say(
                f"trained {self.config.updates:,} updates; the machine is in {self.folder / 'model.safetensors'}",
                progress,
            )
            if evaluate:
                values = self.evaluate(chains=ais_chains, temperatures=ais_temperatures, progress=progress)
                for line in evaluation_lines(values):
                    say(line, progress)
                say(f"report: {self.report()}", progress)
        return self

    def extend(
        self,
        updates: int,
        *,
        evaluate: bool = True,
        ais_chains: int = 500,
        ais_temperatures: int | None = None,
        progress: bool = True,
    ) -> Run:
        """Train longer than planned, bit for bit as if the run had been started with the larger number of updates.

        Only a run whose schedule is "constant" can: the other schedules lead the learning rate down to the planned
        end, so that a longer run is another run from its first update.

        Args:
            updates: how many more than were planned, at least 1.
            evaluate, ais_chains, ais_temperatures, progress: as for `resume`.

        Raises:
            HalfwaveError: if the schedule is another one, and as `resume`.
        """
        if updates < 1:
            raise OptionError(f"`updates` must be at least 1; got {updates}", "updates")
        config = self.config
        if config.schedule != "constant":
            raise HalfwaveError(
                f"only a run with the schedule constant can be extended; the one in {self.folder} is "
                f"{config.schedule} over {config.updates:,} updates, and a longer run differs from its first one on"
            )
        self._files.reconfigure(replace(config, updates=config.updates + updates))
        # it says how good another machine is
        (self.folder / "evaluation.json").unlink(missing_ok=True)
        return self.resume(
            evaluate=evaluate, ais_chains=ais_chains, ais_temperatures=ais_temperatures, progress=progress
        )

    def evaluate(
        self,
        data: Any = None,
        *,
        chains: int = 500,
        temperatures: int | None = None,
        report: bool = False,
        progress: bool = True,
    ) -> Evaluation:
        """Log-likelihoods with bounds on log Z, pseudolikelihoods and reconstruction errors of the machine.

        Those of the run's own data are kept as ``evaluation.json`` in the folder.

        Args:
            data: other data than the run's own, treated as those were: a word, a path, an array, a tensor or a frame;
                or a `Dataset`, which is taken as it is.
            chains: annealed ones, at least 2.
            temperatures: of the annealing; by default 2000, or 10 a visible value if that is more.
            report: write ``report.html`` anew, which is about the run's own data.
            progress: show a bar.

        Returns:
            The numbers; ``print`` shows them in sentences.

        Raises:
            HalfwaveError: if a number is out of its range, or the data cannot be read or do not fit the machine.
        """
        check_annealing(chains=chains, temperatures=temperatures)
        if report and data is not None:
            raise OptionError("`report` describes the data of the run; leave `data` away", "report", "data")
        machine = self.machine
        dataset = self.dataset if data is None else treated(self.config, data)
        train, held_out = self._samples(dataset)
        values = evaluated(
            machine,
            machine.visible.check_values(train, "the data"),
            machine.visible.check_values(held_out, "the held-out data"),
            chains=chains,
            temperatures=temperatures,
            seed=self.config.seed,
            shown=progress,
        )
        if dataset.fingerprint == self.config.fingerprint:
            self._files.write_json("evaluation.json", values)
        return Evaluation(values, dataset.description, self.report() if report else None)

    def sample(
        self,
        count: int = 100,
        *,
        steps: int = 1000,
        start: str = "chains",
        means: bool = False,
        seed: int = 0,
        progress: bool = True,
    ) -> np.ndarray:
        """Samples of the machine.

        Args:
            count: how many, at least 1.
            steps: Gibbs steps of each chain, at least 1.
            start: where chains start: "chains" (those of training), "data" or "random".
            means: give ``E[v | h]`` of the last step instead.
            seed: of everything random.
            progress: show a bar.

        Returns:
            An array ``(count, *visible.shape)``.

        Raises:
            HalfwaveError: if an argument is out of its range.
        """
        check_request(count, steps, start)
        source = self.chains if start == "chains" else None
        if start == "data":
            source = self._samples(self.dataset)[0]
        v = sampled(self.machine, source, count=count, steps=steps, means=means, seed=seed, shown=progress)
        return v.cpu().numpy()

    def save_samples(
        self,
        output: str | Path | None = None,
        *,
        count: int = 100,
        steps: int = 1000,
        start: str = "chains",
        means: bool = False,
        seed: int = 0,
        figure: bool = True,
        progress: bool = True,
    ) -> SavedSamples:
        """Samples as `sample` draws them, written to a file and drawn beside it.

        Args:
            output: the file, .npy or .npz; by default ``samples.npy`` in the folder of the run.
            count, steps, start, means, seed, progress: as for `sample`.
            figure: draw them too, to a file of the same name with the suffix .png.

        Returns:
            The samples and where they are.

        Raises:
            HalfwaveError: as `sample`, and if a file cannot be written.
        """
        path = self.folder / "samples.npy" if output is None else Path(output)
        check_request(count, steps, start)
        check_file(path)
        values = self.sample(count, steps=steps, start=start, means=means, seed=seed, progress=progress)
        write_samples(values, path)
        return SavedSamples(values, path, self._draw(values, path.with_suffix(".png")) if figure else None)

    def report(self) -> Path:
        """Write ``report.html`` and its figures into the folder, with the numbers of the last evaluation.

        Returns:
            Its path.

        Raises:
            HalfwaveError: if the data are gone or have changed, or a file cannot be written.
        """
        from halfwave.plots import run_report

        machine, config = self.machine, self.config
        train, held_out = self._samples(self.dataset)
        generator = torch.Generator(train.device).manual_seed(config.seed + 1)
        chains = self.chains
        start = train[:_REPORT_SAMPLES] if chains is None else chains[:_REPORT_SAMPLES].to(train)
        with torch.no_grad():
            samples = machine.sample_v_from_v(start, _REPORT_STEPS, generator)
        return run_report(
            machine,
            train,
            held_out,
            samples,
            evaluation=self.evaluation or {},
            metrics=self.metrics,
            config={**asdict(config), "description": self.dataset.description},
            image_shape=_image_shape(config),
            path=self.folder / "report.html",
        )

    def summary(self) -> str:
        """The machine, how it was trained, how far it came, how good it is and where the files are, in lines."""
        lines = started_as(self.config, self.folder)
        if not self._files.has_state:
            return "\n".join([*lines, "not saved yet: continue with --resume to start from the beginning"])
        metrics = self.metrics
        lines.append(
            f"{self.updates_done:,} of {self.config.updates:,} updates in {metrics['seconds'][-1]:.0f} s"
        )
        lines += [f"{key.replace('_', ' ')}: {metrics[key][-1]:.4f}" for key in MONITOR_COLUMNS]
        values = self.evaluation
        lines += evaluation_lines(values) if values else ["not evaluated yet: halfwave evaluate RUN"]
        names = sorted(entry.name for entry in self.folder.iterdir() if not entry.name.startswith("."))
        return "\n".join([*lines, *(f"  {self.folder / name}" for name in names)])

    def __repr__(self) -> str:
        done = f"{self.updates_done:,} of {self.config.updates:,} updates"
        return f"Run({str(self.folder)!r}: {layers(self.config)}, {done})"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.summary())}</pre>"

    def _prepared(self, progress: bool) -> PCDTrainer:
        """The trainer: the one of a new run, or one that stands where the run was stopped."""
        trainer = self._trainer
        if trainer is None:
            say(self.dataset.description, progress)
            say(f"continuing the run in {self.folder}", progress)
            trainer = build(self.config, self.dataset)
        say(announcement(self.config, self.folder), progress)
        if self._files.has_state:
            self._files.restore(trainer)
        return trainer

    def _train(self, trainer: PCDTrainer, progress: bool) -> bool:
        """Train to the end; False if it was stopped before."""
        train, held_out = tensors(self.dataset, trainer.rbm.weights.dtype, trainer.rbm.weights.device)
        monitor = Monitor(train, held_out, seed=self.config.seed)
        # the parameters change in place, and what was loaded from the folder is of the past
        self._trainer, self._machine = None, trainer.rbm
        with (
            stop_on_interrupt() as stopped,
            progress_bar("training", trainer.updates, trainer.update, progress) as show,
        ):
            return drive(
                self._files,
                trainer,
                monitor,
                on_update=lambda now, row: show(now.update, measured(row)),
                stop=stopped,
            )

    def _samples(self, dataset: Dataset) -> tuple[Tensor, Tensor]:
        weights = self.machine.weights
        return tensors(dataset, weights.dtype, weights.device)

    def _draw(self, values: np.ndarray, path: Path) -> Path:
        from halfwave.plots import samples as draw_samples
        from halfwave.plots import save_figure

        train, _ = self._samples(self.dataset)
        figure = draw_samples(
            train,
            torch.as_tensor(values),
            _image_shape(self.config),
            categorical=self.config.visible == "Potts",
        )
        return save_figure(figure, path)


def _image_shape(config: RunConfig) -> tuple[int, int] | None:
    return (config.image_shape[0], config.image_shape[1]) if config.image_shape else None
