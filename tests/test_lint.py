"The linters, as `make lint` runs them: ruff over notebooks, modules and tests, mypy over the package, node and eslint over the scripts of its pages."
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT/'pixseg').rglob('*.js'))


def needs(there, what):
    "Skip without it, unless this is where nothing may be left out."
    if not there and not os.environ.get('PIXSEG_LINT'): pytest.skip(f'{what} is not installed')


def needs_module(name): needs(importlib.util.find_spec(name), name)


def run(*argv, **kwargs): return subprocess.run([str(a) for a in argv], capture_output=True, text=True, cwd=ROOT, **kwargs)


def test_ruff():
    needs_module('ruff')
    done = run(sys.executable, '-m', 'ruff', 'check', '--quiet', '--output-format', 'concise', '.')
    assert done.returncode == 0, '\n'+done.stdout+done.stderr


def test_ruff_reads_notebooks_and_hidden_folders():
    needs_module('ruff')
    seen = run(sys.executable, '-m', 'ruff', 'check', '--show-files', '.').stdout.splitlines()
    seen = {Path(line).relative_to(ROOT).as_posix() for line in seen}
    wanted = {p.relative_to(ROOT).as_posix() for k in ('nbs/*.ipynb', 'pixseg/**/*.py', 'tests/*.py', '.ci/*.py', 'setup.py') for p in ROOT.glob(k)}
    assert wanted-seen == set()


def test_mypy():
    needs_module('mypy')
    done = run(sys.executable, '-m', 'mypy', '--no-error-summary', '--hide-error-context')
    assert done.returncode == 0, '\n'+done.stdout+done.stderr


def test_mypy_knows_patched_names_and_no_others(tmp_path):
    "The plugin adds what `@patch` adds; it does not make every name right."
    needs_module('mypy')
    home = tmp_path/'.ci'
    home.mkdir()
    shutil.copy(ROOT/'.ci'/'patched.py', home)
    (tmp_path/'pixseg').mkdir()
    (tmp_path/'mypy.ini').write_text('[mypy]\nplugins = .ci/patched.py\ncheck_untyped_defs = true\nignore_missing_imports = true\n')
    (tmp_path/'pixseg'/'__init__.py').write_text('')
    (tmp_path/'pixseg'/'a.py').write_text('from fastcore.basics import patch\nclass A: pass\n@patch\ndef f(self:A): self.made = 1\n')
    (tmp_path/'pixseg'/'b.py').write_text('from .a import A\na = A()\na.f()\nprint(a.made)\na.g()\n')
    done = subprocess.run([sys.executable, '-m', 'mypy', 'pixseg'], cwd=tmp_path, capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if ': error:' in line] == \
        [f'{Path("pixseg/b.py")}:5: error: "A" has no attribute "g"  [attr-defined]'], done.stdout+done.stderr


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda p: p.name)
def test_scripts_are_modules_that_node_can_read(path):
    needs(shutil.which('node'), 'node')
    done = run('node', '--input-type=module', '--check', '-', input=path.read_text(encoding='utf-8'))
    assert done.returncode == 0, f'{path}: {done.stderr}'


def eslint(*argv, **kwargs):
    needs(shutil.which('eslint'), 'eslint') # npm install --global eslint@9
    return run(shutil.which('eslint'), '--config', '.ci/eslint.config.mjs', *argv, **kwargs)


def test_eslint():
    done = eslint('pixseg')
    assert done.returncode == 0, done.stdout+done.stderr


def test_eslint_finds_a_misspelt_name():
    done = eslint('--stdin', '--stdin-filename', 'pixseg/a.js', input='export const a = docment.body\n')
    assert done.returncode == 1 and "'docment' is not defined" in done.stdout, done.stdout+done.stderr
