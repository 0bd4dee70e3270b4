"""Runs every benchmark in this folder in one process, one thread: ``python benchmarks/run.py [NAME …]``."""

from __future__ import annotations

import platform
import sys

import audit_overhead
import drelu_sampling
import explorer_drag
import first_call
import fit_coverage
import pcd_update
import relu_sum_fit
import relu_sum_reliability
import sparse_input_linear
import thresholded_relu
import torch

BENCHMARKS = {
    "audit_overhead": audit_overhead.main,
    "drelu_sampling": drelu_sampling.main,
    "explorer_drag": explorer_drag.main,
    "first_call": first_call.main,
    "fit_coverage": fit_coverage.main,
    "pcd_update": pcd_update.main,
    "relu_sum_fit": relu_sum_fit.main,
    "relu_sum_reliability": relu_sum_reliability.main,
    "sparse_input_linear": sparse_input_linear.main,
    "thresholded_relu": thresholded_relu.main,
}


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    torch.set_num_threads(1)
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}; the benchmarks are {', '.join(BENCHMARKS)}")
    print(
        f"torch {torch.__version__}, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread"
    )
    for name in names:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
