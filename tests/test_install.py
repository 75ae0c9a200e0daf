"What only another process can show: what is built and installed, Ctrl-C from a real keyboard's signal, the demo."
import ast
import configparser
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

import fresh

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = sys.platform == 'win32'


def run(*argv, **kwargs): return subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kwargs)


def settings():
    ini = configparser.ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    return ini['DEFAULT']


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    "An sdist built from a copy of the project, a wheel built from that sdist, and all that was said meanwhile."
    there = tmp_path_factory.mktemp('built')
    skip = shutil.ignore_patterns('.git', '.venv', 'demo', 'runs', 'data', 'build', 'dist', '__pycache__', '*.egg-info')
    copy = shutil.copytree(ROOT, there/'copy', ignore=skip)
    one = run(sys.executable, '-m', 'build', '--sdist', '--no-isolation', '--outdir', there, copy)
    assert one.returncode == 0, one.stdout+one.stderr
    sdist, = there.glob('*.tar.gz')
    with tarfile.open(sdist) as f: f.extractall(there/'unpacked', **dict(filter='data') if hasattr(tarfile, 'data_filter') else {})
    unpacked, = (there/'unpacked').iterdir()
    names = {p.relative_to(unpacked).as_posix() for p in unpacked.rglob('*') if p.is_file()} # before building adds to them
    two = run(sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', there, unpacked)
    assert two.returncode == 0, two.stdout+two.stderr
    wheel, = there.glob('*.whl')
    return dict(sdist=sdist, wheel=wheel, copy=copy, names=names, said=one.stdout+one.stderr+two.stdout+two.stderr)


def of_package(): # every file but what Python and Jupyter leave behind
    return {p.relative_to(ROOT).as_posix() for p in (ROOT/'pixseg').rglob('*')
            if p.is_file() and not {'__pycache__', '.ipynb_checkpoints'} & set(p.parts)}


def test_wheel_from_sdist_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built['wheel']) as f:
        inside = {n for n in f.namelist() if '.dist-info/' not in n}
        wrong = [n for n in inside & of_package() if f.read(n) != (ROOT/n).read_bytes()]
    assert inside == of_package() and wrong == []
    for ending in ('.csv', '.js', '.css', '.safetensors', 'models/LICENSE', 'py.typed'): assert any(n.endswith(ending) for n in inside), ending


def test_sdist_holds_what_it_is_made_from_and_tested_with(built):
    wanted = {p.relative_to(ROOT).as_posix() for k in ('nbs/**/*.ipynb', 'tests/*.py', '.ci/*', '.github/**/*.*') for p in ROOT.glob(k)
              if p.is_file() and p.suffix != '.pyc'}
    wanted |= {'settings.ini', 'setup.py', 'pyproject.toml', 'Makefile', 'README.md', 'CHANGELOG.md', 'LICENSE'}
    assert wanted|of_package() <= built['names']
    assert [n for n in built['names'] if re.search(r'\.py[cod]$|-checkpoint\.|nbs/(data|runs)/', n)] == []


def test_building_says_nothing_to_worry_about(built):
    worry = re.compile(r'would be ignored|Setuptools\w*Warning|\*{20}|overwritten in|not a valid|unknown', re.I)
    assert [line for line in built['said'].splitlines() if worry.search(line)] == []


def test_wheel_tells_who_made_it_and_where_to_go(built):
    cfg = settings()
    with zipfile.ZipFile(built['wheel']) as f:
        text, = (f.read(n) for n in f.namelist() if n.endswith('.dist-info/METADATA'))
        scripts, = (f.read(n).decode() for n in f.namelist() if n.endswith('.dist-info/entry_points.txt'))
    about = BytesParser().parsebytes(text)
    repo = f"https://github.com/{cfg['user']}/{cfg['repo']}"
    urls = dict(o.split(', ') for o in about.get_all('Project-URL'))
    assert urls == dict(Homepage=repo, Repository=repo, Issues=f'{repo}/issues', Changelog=f"{repo}/blob/{cfg['branch']}/CHANGELOG.md")
    assert about['Name'] == cfg['lib_name'] and about['License-Expression'] == f"{cfg['license']} AND CC-BY-NC-4.0" # the code, and the weights
    assert about.get_all('License-File') == ['LICENSE', 'pixseg/models/LICENSE']
    assert about['Requires-Python'] == f">={cfg['min_python']}" and about['Summary'] == cfg['description']
    assert cfg['author'] in about['Author']+about['Author-Email'] and cfg['author_email'] in about['Author-Email']
    assert set(about['Keywords'].split(',')) == set(cfg['keywords'].split())
    assert f"Programming Language :: Python :: {cfg['min_python']}" in about.get_all('Classifier')
    assert 'Typing :: Typed' in about.get_all('Classifier')
    assert 'pixseg = pixseg.cli:main' in scripts


# What only a function imports, when it is called: the extra that brings it.
OPTIONAL = {'accelerate':'several', 'monai':'bench', 'segmentation-models-pytorch':'bench', 'torchmetrics':'bench', 'ultralytics':'bench', 'onnx':'onnx',
            'onnxscript':'onnx', 'onnxruntime':'onnx', 'tifffile':'formats', 'pillow-heif':'formats', 'av':'video'}


def imports(tree, top=True):
    "Name and `at import` of each module that a module imports."
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import): yield from ((a.name, top) for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level: yield node.module, top
        else: yield from imports(node, top and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))


def test_every_import_is_declared():
    from packaging.requirements import Requirement
    named, cfg = {'PIL':'pillow', 'IPython':'ipython', 'yaml':'pyyaml'}, settings()
    declared = lambda key: {Requirement(r).name.replace('_', '-').lower() for r in cfg[key].split()}
    core, undeclared, optional = declared('requirements'), [], {}
    for path in sorted((ROOT/'pixseg').rglob('*.py')):
        for module, top in imports(ast.parse(path.read_text(encoding='utf-8'))):
            name = module.split('.')[0]
            if name in sys.stdlib_module_names or name == 'pixseg': continue
            name = named.get(name, name).replace('_', '-').lower()
            if name in core: continue
            if top: undeclared.append(f'{path.relative_to(ROOT)}: {name}')
            else: optional.setdefault(name, OPTIONAL.get(name))
    assert undeclared == []
    assert optional == OPTIONAL
    assert {n: e for n, e in OPTIONAL.items() if n not in declared(f'{e}_requirements')} == {}
    from pixseg.weights import _packages # imported by name
    assert len(_packages) == 3 and set(_packages.values()) == declared('offline_requirements')


@pytest.mark.skipif(not os.environ.get('PIXSEG_EMPTY_VENV'), reason='takes minutes and the network: set PIXSEG_EMPTY_VENV=1, or to a folder')
def test_in_an_empty_environment_it_predicts(built, tmp_path):
    "The wheel with its dependencies, then the sdist, each in a place that has nothing of this project."
    asked = os.environ['PIXSEG_EMPTY_VENV']
    where, work = Path(tmp_path/'venv' if asked == '1' else asked), tmp_path/'work'
    venv.create(where, clear=True, with_pip=True)
    bin, work = where/('Scripts' if WINDOWS else 'bin'), work
    work.mkdir()
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}
    def do(*argv):
        done = run(*argv, cwd=work, env=env)
        assert done.returncode == 0, done.stdout+done.stderr
        return done.stdout
    for kind in ('wheel', 'sdist'):
        do(bin/'python', '-m', 'pip', 'install', '--quiet', *(['--force-reinstall', '--no-deps'] if kind == 'sdist' else []), built[kind])
        do(bin/'python', '-m', 'pip', 'check')
        do(bin/'python', '-c', "from PIL import Image; Image.effect_noise((240, 180), 60).convert('RGB').save('photo.jpg')")
        assert str(where.resolve()) in str(Path(do(bin/'python', '-c', 'import pixseg; print(pixseg.__file__)').strip()).resolve())
        do(bin/'pixseg', 'predict', 'photo.jpg', '--out', kind, '--device', 'cpu')
        size = do(bin/'python', '-c', f"from pathlib import Path; from PIL import Image; print(*[Image.open(p).size for p in Path('{kind}').iterdir()])")
        assert size.strip() == '(240, 180)'


@pytest.mark.skipif(WINDOWS, reason='Windows has no such signal to send')
@pytest.mark.parametrize('sign, code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=['Ctrl-C', 'kill'])
def test_ctrl_c_leaves_a_usable_run(tmp_path, sign, code):
    from pixseg import evaluate, load_model
    from pixseg.io.streets import draw_streets
    root, out = draw_streets(tmp_path/'streets', train=16, val=4, test=0, size=(48, 64)), tmp_path/'run'
    with fresh.started('train', root, '--epochs', 5000, '--width', 4, '--depth', 2, '--out', out, '--device', 'cpu', '--quiet') as process:
        deadline = time.time()+120
        while not (out/'model.safetensors').exists() and time.time() < deadline and process.alive(): time.sleep(.1)
        time.sleep(.3)
        os.kill(process.pid, sign)
        done = process.end()
    assert done.returncode == code, done.stderr
    assert 'is usable' in done.stdout and 'Traceback' not in done.stderr
    assert 0 <= evaluate(load_model(out/'model.safetensors'), root)['miou'] <= 1


def interrupt_in_a_finaliser():
    import weakref
    from pixseg.run.train import StopBetween
    signal.signal(signal.SIGINT, signal.default_int_handler) # a shell lets background jobs ignore it
    class Thing: pass
    def interrupted_finaliser():
        thing = Thing()
        ref = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT)) # noqa: F841
        del thing
    interrupted_finaliser() # the ordinary way: dropped, nothing is raised here
    stop = StopBetween()
    with stop.listening(): interrupted_finaliser()
    try: stop.before_batch()
    except KeyboardInterrupt: print('heard')


def test_importing_says_nothing():
    done = subprocess.run([sys.executable, '-c', 'import pixseg.run.train, pixseg.web.labeller'], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


@pytest.mark.parametrize('own', [{}, {'GOMP_SPINCOUNT': '7'}, {'OMP_WAIT_POLICY': 'ACTIVE'}], ids=['default', 'rounds', 'policy'])
def test_threads_do_not_wait_busily_unless_told_to(own):
    env = {k:v for k,v in os.environ.items() if k not in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')}
    code = "import os, sys, pixseg; print({k:os.environ[k] for k in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY') if k in os.environ}, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, env={**env, **own})
    assert done.stdout == f"{own or {'GOMP_SPINCOUNT': '1000'}} False\n", done.stderr # libgomp reads it when torch is loaded


def test_ctrl_c_in_a_finaliser_is_heard():
    "Where Python drops the exception of Ctrl-C, the note of it stays."
    done = fresh.run(before=interrupt_in_a_finaliser)
    assert done.stdout == 'heard\n', done.stderr
    assert 'Exception ignored' in done.stderr and done.returncode == 0 # the first one


@pytest.mark.skipif(WINDOWS, reason='Windows has no such signal to send')
@pytest.mark.parametrize('sign', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_finaliser_ends_a_command(sign, capsys, monkeypatch):
    import weakref
    from pixseg import cli
    def work(*args):
        thing = type('Thing', (), {})()
        ref = weakref.ref(thing, lambda _: signal.raise_signal(sign)) # noqa: F841
        del thing
        for _ in range(500): time.sleep(.01)
        return 0
    monkeypatch.setattr(cli, 'data_check', work)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    try: code = cli.main(['data', 'check', '.'])
    finally: signal.signal(signal.SIGINT, old)
    assert (code, capsys.readouterr().err) == ({signal.SIGINT: 130, signal.SIGTERM: 143}[sign], 'pixseg: interrupted\n')


def few_streets():
    "A demo draws a twelfth of its streets."
    from pixseg.io import streets
    draw = streets.draw_streets
    streets.draw_streets = lambda root, train, val, test, **kwargs: draw(root, train=train//12, val=val//12, test=test//12, **kwargs)


def test_demo_ends_with_its_result(tmp_path):
    done = fresh.run('demo', '--epochs', 1, '--out', tmp_path/'demo', '--device', 'cpu', '--quiet', before=few_streets)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r'accuracy=0\.\d{4} miou=0\.\d{4}', done.stdout.splitlines()[-1])
    assert {'scores.json', 'scores.txt'} <= {p.name for p in (tmp_path/'demo').iterdir()}
    assert (tmp_path/'demo'/'run'/'predictions.png').stat().st_size > 1000
