# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN = .venv/bin
RUN = runs/digits

.PHONY: demo test test-thorough lint types browser bench clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e "."
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install -q -c constraints.txt -e ".[dev]"
	touch $@

demo: .venv/installed
	$(BIN)/halfwave train digits --run $(RUN) --resume
	$(BIN)/halfwave plot drelu --output $(RUN)/drelu.png
	@echo "open $(CURDIR)/$(RUN)/report.html"

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/pyright

browser:
	scripts/chromium.sh

test: .venv/installed-dev browser
	@scripts/check.sh

# the long statistical and stress tests, which `make test` leaves out
test-thorough: .venv/installed-dev browser
	$(BIN)/pytest -n 2 --dist worksteal -m thorough

bench: .venv/installed-dev
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv runs
