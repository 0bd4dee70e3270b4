#!/usr/bin/env bash
# Lint, types and tests at once: the types are checked beside the tests, on whatever processor is idle.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
say() { printf '\n== %s\n' "$*"; }

say "lint (ruff), types (pyright) and the tests of all rooms, on two processes: about six minutes on two quiet cores"
"$bin/ruff" check . && "$bin/ruff" format --check . || { say "lint failed: .venv/bin/ruff check --fix . and .venv/bin/ruff format . mend most of it"; exit 1; }

types=$(mktemp)
trap 'rm -f "$types"' EXIT
"$bin/pyright" >"$types" 2>&1 &
checking=$!
# the kernels of fits are compiled once, into numba's cache, and not in both processes of the tests
"$bin/python" -c 'from halfwave.fitting import fit_relu_sum as fit; fit(range(50), [abs(x - 20) for x in range(50)], 2, use_numba=True)' &
"$bin/pytest" -n 2 --dist worksteal "$@"
tests=$?
wait "$checking"
typed=$?
say "types"
cat "$types"

if [ "$tests" -ne 0 ] || [ "$typed" -ne 0 ]; then
    say "something failed: the lines that begin with FAILED name the tests; one alone is run by"
    echo "   $bin/pytest -n 0 PATH::NAME        (types: $bin/pyright)"
    exit 1
fi
say "all passed. Next: make demo (a machine trained on real data, and its report), make test-thorough (the long tests),"
echo "   CONTRIBUTING.md (how the house is built, and where a change belongs)"
