# The README's two commands. Each makes .venv if it is missing, installs, and runs; nothing else is needed.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test lint readme clean

demo: .venv/.installed # draw street scenes, train a U-Net, judge it, write a picture and a table
	$(BIN)/pixseg demo --out demo

test: .venv/.installed-dev # every notebook is a test; tests/ has what a notebook cannot show
	OMP_NUM_THREADS=1 $(BIN)/nbdev-test --n-workers 2 --skip-folder-re '^[_.]|^solutions$$'
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests

lint: .venv/.installed-dev # ruff, mypy and, where there are node and eslint, the scripts; `make test` runs them, too
	$(BIN)/python -m pytest -q -rs tests/test_lint.py

readme: .venv/.installed-dev # README.md from nbs/index.ipynb
	$(BIN)/python .ci/readme.py

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 10) else "pixseg needs Python 3.10 or newer, but this is %s.%s: try make PYTHON=python3.13" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

.venv/.installed: .venv/.made settings.ini setup.py pyproject.toml
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet -e . # setuptools has a paragraph of advice for every editable install
	touch $@

.venv/.installed-dev: .venv/.made settings.ini setup.py pyproject.toml
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@ .venv/.installed

clean:
	rm -rf .venv demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
