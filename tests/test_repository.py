"What a reader of the repository relies on: notebooks and library agree, the README is the notebook, nothing heavy is imported."
import json
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'))
BIN = Path(sys.executable).parent


def run(*argv, **kwargs): return subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kwargs)


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    "The project in another folder, where it may be changed."
    dest = tmp_path_factory.mktemp('copy')/'pixseg'
    skip = shutil.ignore_patterns('.git', '.venv', 'demo', 'runs', 'data', '__pycache__', '*.egg-info')
    return Path(shutil.copytree(ROOT, dest, ignore=skip))


def test_export_changes_nothing(copy):
    before = {p.name: p.read_text() for p in (copy/'pixseg').rglob('*.py')}
    done = run(BIN/'nbdev-export', cwd=copy)
    assert done.returncode == 0, done.stderr
    after = {p.name: p.read_text() for p in (copy/'pixseg').rglob('*.py')}
    assert sorted(after) == sorted(before)
    assert [n for n in after if after[n] != before[n]] == [], 'notebooks and library differ: run nbdev-export'


def test_clean_changes_nothing(copy):
    before = {p.name: p.read_bytes() for p in (copy/'nbs').glob('*.ipynb')}
    done = run(BIN/'nbdev-clean', cwd=copy)
    assert done.returncode == 0, done.stderr
    assert [p.name for p in (copy/'nbs').glob('*.ipynb') if p.read_bytes() != before[p.name]] == [], 'run nbdev-clean'


def test_readme_is_the_index_notebook():
    done = run(sys.executable, ROOT/'.ci'/'readme.py', '--check')
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_opens_on_github_with_its_results(path):
    nb = json.loads(path.read_text())
    assert 'widgets' not in nb['metadata'], 'GitHub shows "Invalid Notebook" for saved widget state'
    code = [c for c in nb['cells'] if c['cell_type'] == 'code']
    assert not [o for c in code for o in c['outputs'] if o['output_type'] == 'error']
    assert any(c['outputs'] for c in code), 'no saved results'
    views = [o for c in code for o in c['outputs'] if any('widget-view' in m for m in o.get('data', {}))]
    assert views == [], 'a saved widget view shows as "model not found"'
    assert path.stat().st_size < 700_000
    text = path.read_text()
    assert not re.search(r'(?<![\w.])/(tmp|home|root|Users)/\w', text), 'a path of somebody\'s machine'
    assert not re.search(r'pip install[^\n"]* pixseg\b(?!\[)', text), 'that name on the public index is another project'


def test_every_public_name_is_in_a_lesson():
    code = '\n'.join(''.join(c['source']) for p in NOTEBOOKS for c in json.loads(p.read_text())['cells'] if c['cell_type'] == 'code'
                     and not re.search(r'^#\| *export', ''.join(c['source']), re.M))
    missing = []
    for module in sorted((ROOT/'pixseg').glob('[a-z]*.py')):
        names = re.search(r'^__all__ = \[(.*?)\]', module.read_text(), re.S | re.M)
        missing += [f'{module.stem}.{n}' for n in re.findall(r"'(\w+)'", names[1]) if not re.search(rf'\b{n}\b', code)] if names else []
    assert missing == []


def test_arrows_point_down():
    "A notebook imports from lower numbers only."
    home = {}
    for p in NOTEBOOKS:
        found = re.search(r'^#\| default_exp (\w+)', '\n'.join(''.join(c['source']) for c in json.loads(p.read_text())['cells']), re.M)
        if found: home[found[1]] = p.stem
    up = []
    for p in NOTEBOOKS:
        for c in json.loads(p.read_text())['cells']:
            source = ''.join(c['source'])
            if c['cell_type'] != 'code' or p.stem == 'index': continue
            up += [f'{p.stem} -> {home[m]}' for m in re.findall(r'^\s*from pixseg\.(\w+) import', source, re.M) if m in home and home[m] > p.stem]
    assert up == []


def test_import_is_lazy():
    probe = 'import sys, pixseg; print(sorted({"torch", "fastai", "numpy", "matplotlib", "PIL"} & set(sys.modules)))'
    assert run(sys.executable, '-c', probe).stdout.strip() == '[]'


def test_prediction_does_not_load_fastai():
    probe = 'import sys, pixseg; pixseg.predict_mask, pixseg.load_model, pixseg.evaluate; print("fastai" in sys.modules)'
    done = run(sys.executable, '-c', probe)
    assert done.stdout.strip() == 'False', done.stderr


def test_public_names_exist():
    probe = 'import pixseg; print([n for n in pixseg.__all__ if getattr(pixseg, n, None) is None])'
    assert run(sys.executable, '-c', probe).stdout.strip() == '[]'


def test_floors_admit_colab():
    "No requirement may ask for more than what Colab preinstalls (freeze of 2026-08)."
    from packaging.requirements import Requirement
    colab = dict(torch='2.11.0', torchvision='0.26.0', fastai='2.8.8', fastcore='2.2.12', fasttransform='0.0.2', numpy='2.1.3',
                 matplotlib='3.10.0', pillow='11.3.0', ipywidgets='7.7.1', timm='1.0.28', anywidget='0.9.21',
                 safetensors='0.6.2', huggingface_hub='0.36.0', ipython='7.34.0', traitlets='5.7.1', platformdirs='4.5.0', filelock='3.20.0')
    ini = ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini')
    reqs = [Requirement(r) for r in ini['DEFAULT']['requirements'].split()]
    assert {r.name for r in reqs} <= set(colab)
    assert [str(r) for r in reqs if r.name in colab and colab[r.name] not in r.specifier] == []
    assert [str(r) for r in reqs if any(s.operator in ('==', '<', '<=', '~=') for s in r.specifier)] == []
