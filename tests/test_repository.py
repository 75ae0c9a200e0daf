"What a reader of the repository relies on: notebooks and library agree, arrows point one way, chapters are short, links lead somewhere."
import ast
import json
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from graphlib import TopologicalSorter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT/'nbs'
BIN = Path(sys.executable).parent


def relative(path, root=NBS): return path.relative_to(root).as_posix()


def notebooks(root): return [p for p in sorted((root/'nbs').rglob('*.ipynb')) if not any(o.startswith(('.', '_')) for o in p.parts[len(root.parts):])]


NOTEBOOKS = notebooks(ROOT)
CHAPTERS = [p for p in NOTEBOOKS if re.match(r'\d\d_', p.name) and p.parent == NBS]


def cells(path, kind=None):
    "Kind and source of a notebook's cells."
    found = [(c['cell_type'], ''.join(c['source'])) for c in json.loads(path.read_text(encoding='utf-8'))['cells']]
    return [s for k,s in found if k == kind] if kind else found


def exported(source): return re.search(r'^#\| *export', source, re.M)


def run(*argv, **kwargs): return subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kwargs)


def not_copied(folder, names):
    "Of the root what is made on the way, and caches; everything in the folders below, whatever its name."
    made = {'.git', '.venv', 'demo', 'runs', 'data', 'build', 'dist'} if Path(folder) == ROOT else set()
    return [n for n in names if n in made or n == '__pycache__' or n.endswith('.egg-info')]


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    "The project in another folder, where it may be changed."
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp('copy')/'pixseg', ignore=not_copied))


def test_a_copy_has_every_notebook_and_module(copy):
    for kind in ('ipynb', 'py', 'js', 'css', 'csv'):
        here = {relative(p, ROOT) for d in ('nbs', 'pixseg', 'tests') for p in (ROOT/d).rglob(f'*.{kind}')}
        assert here == {relative(p, copy) for d in ('nbs', 'pixseg', 'tests') for p in (copy/d).rglob(f'*.{kind}')}


def test_export_changes_nothing(copy):
    read = lambda: {relative(p, copy): p.read_text(encoding='utf-8') for p in (copy/'pixseg').rglob('*.py')}
    before = read()
    done = run(BIN/'nbdev-export', cwd=copy)
    assert done.returncode == 0, done.stderr
    after = read()
    assert sorted(after) == sorted(before)
    assert [n for n in after if after[n] != before[n]] == [], 'notebooks and library differ: run nbdev-export'


def test_every_module_comes_from_a_notebook():
    homes = {m[1].replace('.', '/') for p in NOTEBOOKS if (m := re.search(r'^#\| default_exp ([\w.]+)', '\n'.join(cells(p, 'code')), re.M))}
    modules = {relative(p, ROOT/'pixseg').removesuffix('.py') for p in (ROOT/'pixseg').rglob('*.py') if not p.name.startswith('_')}
    assert modules == homes


def test_clean_changes_nothing(copy):
    before = {p: p.read_bytes() for p in notebooks(copy)}
    assert len(before) == len(NOTEBOOKS)
    done = run(BIN/'nbdev-clean', cwd=copy)
    assert done.returncode == 0, done.stderr
    assert [relative(p, copy) for p in notebooks(copy) if p.read_bytes() != before[p]] == [], 'run nbdev-clean'


def test_readme_is_the_index_notebook():
    done = run(sys.executable, ROOT/'.ci'/'readme.py', '--check')
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize('path', NOTEBOOKS, ids=relative)
def test_notebook_opens_on_github_with_its_results(path):
    nb = json.loads(path.read_text(encoding='utf-8'))
    assert 'widgets' not in nb['metadata'], 'GitHub shows "Invalid Notebook" for saved widget state'
    code = [c for c in nb['cells'] if c['cell_type'] == 'code']
    assert not [o for c in code for o in c['outputs'] if o['output_type'] == 'error']
    assert any(c['outputs'] for c in code), 'no saved results'
    views = [o for c in code for o in c['outputs'] if any('widget-view' in m for m in o.get('data', {}))]
    assert views == [], 'a saved widget view shows as "model not found"'
    assert path.stat().st_size < 700_000
    text = path.read_text(encoding='utf-8')
    assert not re.search(r'(?<![\w.])/(tmp|home|root|Users)/\w', text), 'a path of somebody\'s machine'
    assert not re.search(r'pip install[^\n"]* pixseg\b(?!\[)', text), 'that name on the public index is another project'


def test_every_public_name_is_in_a_lesson():
    """What `pixseg` offers is in a lesson, and so is a chapter's every public name but what stands there for other modules to import;
    the wings' names are in a lesson or a test, or for other modules to import."""
    import pixseg
    words = lambda texts: set(re.findall(r'\w+', '\n'.join(texts)))
    lessons = words(s for p in NOTEBOOKS for s in cells(p, 'code') if not exported(s))
    tests = lessons | words(p.read_text(encoding='utf-8') for p in (ROOT/'tests').rglob('*.py'))
    modules,missing = sorted((ROOT/'pixseg').rglob('[a-z]*.py')),[]
    lent = {(m, name) for p in modules for m,name in imports(p)}
    for module in modules:
        if module.parent.name == 'course': continue # exercises are found by number; test_course asks each of them
        names = re.search(r'^__all__ = \[(.*?)\]', module.read_text(encoding='utf-8'), re.S | re.M)
        if room(module_name(module).removeprefix('pixseg.')) == 'course': continue # tests/test_course.py hands every exercise its answers
        shown = tests if room(module_name(module).removeprefix('pixseg.')) != 'front' or module.stem in HELPERS else lessons
        for n in re.findall(r"'(\w+)'", names[1]) if names else []:
            fine = n in lessons if n in pixseg.__all__ else n in shown or (module_name(module), n) in lent
            if not fine: missing.append(f'{module_name(module)}.{n}')
    assert not missing, ', '.join(missing)


# Arrows. The front in reading order, its helpers between.
HELPERS = [p.stem for p in NOTEBOOKS if p.parent.name == 'helpers']
FRONT = 'labels device ranks trace fit draw show loader data blocks unet weights encoder targets loss rare counts metrics boundary learner card modelfile answer predict bins calibration uncertainty'.split()
MAY_IMPORT = dict(io={'labels', 'io'}, course={'front', 'io', 'run', 'course'}, run={'front', 'io', 'run'}, web={'front', 'io', 'run', 'web'}, lab={'front', 'io', 'run', 'web', 'lab'},
                  cli={'front', 'io', 'run', 'web'}) # a wing -> rooms it may import from


def module_name(path, root=ROOT): return relative(path, root).removesuffix('.py').removesuffix('/__init__').replace('/', '.')


def imports(path, root=ROOT):
    "Pairs of module and name, wherever in the file they are imported; the name is None for `import module`."
    package = module_name(path, root).split('.') if path.name == '__init__.py' else module_name(path, root).split('.')[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import): yield from ((a.name, None) for a in node.names)
        if not isinstance(node, ast.ImportFrom): continue
        base = '.'.join([*package[:len(package)-node.level+1], *([node.module] if node.module else [])]) if node.level else node.module
        for a in node.names: # a name may be a module of its own, as in `from pixseg.io import files`
            deeper = root/f"{base.replace('.', '/')}/{a.name}.py"
            yield (f'{base}.{a.name}', None) if deeper.is_file() else (base, a.name)


def arrows(root=ROOT):
    "Module -> modules of the package that it imports; the package itself, which has the version, is left out."
    paths = [p for p in sorted((root/'pixseg').rglob('*.py')) if p.name != '__init__.py' and not p.name.startswith('_')]
    short = lambda m: m.removeprefix('pixseg.')
    return {short(module_name(p, root)): {short(m) for m,_ in imports(p, root) if m.startswith('pixseg.')} for p in paths}


def room(module): return module.split('.')[0] if '.' in module or module == 'cli' else 'front'


def wrong_arrows(graph):
    "Imports that go where they may not."
    wrong = []
    for module,targets in graph.items():
        for to in sorted(targets):
            here,there = room(module),room(to)
            if here == 'front': right = there == 'io' or there == 'front' and FRONT.index(to) < FRONT.index(module)
            else: right = there in MAY_IMPORT[here] or to in MAY_IMPORT[here]
            if not right: wrong.append(f'{module} -> {to}')
    return wrong


def test_arrows_point_one_way():
    graph = arrows()
    assert {m for m in graph if room(m) == 'front'} == set(FRONT)
    assert sum(map(len, graph.values())) > 80 # they were found at all
    assert wrong_arrows(graph) == []
    list(TopologicalSorter(graph).static_order()) # raises `CycleError` for a circle, which the wings' inside could have


@pytest.mark.parametrize('module,line,arrow', [
    ('io/images', 'from ..show import overlay', 'io.images -> show'), ('unet', 'from .encoder import EncoderUNet', 'unet -> encoder'),
    ('run/train', 'def f():\n    import pixseg.web.viewer', 'run.train -> web.viewer'), ('web/viewer', 'from pixseg.lab import search', 'web.viewer -> lab.search'),
    ('predict', 'from .cli import main', 'predict -> cli'), ('data', 'from .run.train import train_run', 'data -> run.train'),
    ('cli', 'from .lab.speed import main', 'cli -> lab.speed')])
def test_a_wrong_arrow_is_seen(tmp_path, module, line, arrow):
    shutil.copytree(ROOT/'pixseg', tmp_path/'pixseg', ignore=shutil.ignore_patterns('models', '__pycache__'))
    file = tmp_path/'pixseg'/f'{module}.py'
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{line}\n", encoding='utf-8')
    assert wrong_arrows(arrows(tmp_path)) == [arrow]


def borrowed(path, root=ROOT):
    "Private names of other modules of the package that a file uses."
    private = lambda name: name.startswith('_') and not name.startswith('__')
    tree,modules,found = ast.parse(path.read_text(encoding='utf-8')),set(),[]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or '').split('.')[0] == 'pixseg'):
            modules |= {a.asname or a.name for a in node.names}
        if isinstance(node, ast.Import): modules |= {a.asname or 'pixseg' for a in node.names if a.name.split('.')[0] == 'pixseg'}
    found += [name for m,name in imports(path, root) if m.split('.')[0] == 'pixseg' and name and private(name)]
    for node in ast.walk(tree): # `module._name`, where `module` was imported
        base = node.value if isinstance(node, ast.Attribute) else None
        while isinstance(base, ast.Attribute): base = base.value
        if isinstance(base, ast.Name) and base.id in modules and private(node.attr) and not base.id[0].isupper(): found.append(f'{base.id}.{node.attr}')
    return [f'{module_name(path, root)}: {n}' for n in found]


def test_no_private_name_crosses_modules():
    assert [n for p in sorted((ROOT/'pixseg').rglob('*.py')) for n in borrowed(p)] == []


@pytest.mark.parametrize('line,name', [('from .unet import _fit', '_fit'), ('from pixseg.unet import UNet, _fit as fit', '_fit'),
    ('from . import unet\nunet._fit', 'unet._fit'), ('import pixseg.unet as u\nu._fit', 'u._fit'), ('import pixseg.unet\npixseg.unet._fit', 'pixseg._fit')])
def test_a_private_name_that_crosses_is_seen(tmp_path, line, name):
    (tmp_path/'pixseg').mkdir()
    for file,text in (('unet', ''), ('data', line)): (tmp_path/'pixseg'/f'{file}.py').write_text(text+'\n')
    assert borrowed(tmp_path/'pixseg'/'data.py', tmp_path) == [f'pixseg.data: {name}']


# Chapters

def code_lines(source): return sum(1 for line in source.split('\n') if line.strip())


@pytest.mark.parametrize('path', CHAPTERS, ids=relative)
def test_a_chapter_has_short_cells_and_at_most_one_refusal(path):
    code = cells(path, 'code')
    assert [s.split('\n')[0] for s in code if code_lines(s) > 25] == [], 'a cell of more than 25 lines belongs in a wing'
    assert sum(s.count('expect_fail(') for s in code) <= 1, 'refusals are tested in tests/'


@pytest.mark.parametrize('path', CHAPTERS, ids=relative)
def test_a_chapter_is_no_longer_than_one_sitting(path):
    "25 to 45 cells; at most two code cells in a row without a sentence between them."
    kinds = [k for k,_ in cells(path)]
    assert 25 <= len(kinds) <= 45
    shown = ''.join('c' if k == 'code' and not re.search(r'^#\| *(hide|default_exp)', s, re.M) else 'h' if k == 'code' else 'm' for k,s in cells(path))
    assert 'ccc' not in shown.replace('h', ''), [s.split('\n')[0] for k,s in cells(path) if k == 'code']


def words_before(path, made):
    "Words of a chapter's prose up to the first code cell that `made` finds, and of the code up to there."
    found = cells(path)
    end = next(i for i,(k,s) in enumerate(found) if k == 'code' and not exported(s) and re.search(made, s))
    return [sum(len(s.split()) for k,s in found[:end] if k == kind) for kind in ('markdown', 'code')]


def test_the_road_to_the_first_network_is_short():
    """In the first chapter one trains a ready network of one's own; in the U-Net's, one that was written by hand in that chapter.
    Before the course was told anew (7d29f36), the second took 39034 words, code and all. Counted is what is to be read, without questions and exercises."""
    first = [words_before(NBS/'index.ipynb', 'no such cell|fit')[0], sum(words_before(NBS/'00_first_mask.ipynb', r'\.fit'))]
    assert sum(first) <= 3000, first
    told = lambda s: '' if s.startswith(('## Exercises', '2. (', '3. (', '4. (', '5. (', 'Next: ')) else s.split('## Questions')[0].split('## Exercises')[0]
    road = {o: sum(len(told(s).split()) for s in cells(NBS/f'{o}.ipynb', 'markdown')) for o in ('index', '00_first_mask', '01_labels', '02_show', '03_data')}
    road['04_unet'] = words_before(NBS/'04_unet.ipynb', r'\.backward\(\)|\bby_heart\(')[0]
    assert sum(road.values()) <= 6000, road


def test_chapters_follow_each_other():
    "The last chapter aside, each ends with a link to the next one."
    assert len(CHAPTERS) == 20
    for path,after in zip(CHAPTERS, CHAPTERS[1:]):
        last = cells(path, 'markdown')[-1].rstrip().split('\n')[-1]
        found = re.search(r'Next[:,].*?\]\(([^)]+)\)', last)
        assert found and found[1] == after.name, f'{path.name}: {last}'


def minutes_script():
    spec = spec_from_file_location('minutes', ROOT/'.ci'/'minutes.py')
    minutes = module_from_spec(spec)
    spec.loader.exec_module(minutes)
    return minutes


def test_minutes_of_reading_are_those_that_a_chapter_says(tmp_path):
    "One source: the opening. A number further down is none of it, and a chapter that says nothing is refused."
    def reading(*texts):
        file = tmp_path/'x.ipynb'
        file.write_text(json.dumps({'cells': [{'cell_type': 'markdown', 'source': [s]} for s in texts]}))
        return minutes_script().reading(file)
    assert reading('# A', 'badge', 'You have a mask. Reading 12 minutes, running 40 seconds.') == 12
    assert reading('# A', 'Reading 7 minutes.', 'word '*5000) == 7
    with pytest.raises(SystemExit, match='Reading NN minutes'): reading('# A', 'word '*5000, 'running 40 minutes')
    with pytest.raises(SystemExit): reading(*'ABCDE', 'Reading 9 minutes')


def test_the_map_of_the_course_is_true():
    "What the front page draws and lists: every chapter, in order, with the minutes that it gives itself; two paths of notebooks that exist."
    minutes = minutes_script()
    course = json.loads(minutes.FILE.read_text(encoding='utf-8'))
    assert [o['file'] for o in course['chapters']] == [p.stem for p in CHAPTERS]
    assert {o['file']: o['reading'] for o in course['chapters']} == {p.stem: minutes.reading(p) for p in CHAPTERS}, 'run `python .ci/minutes.py --reading`'
    assert [f for path in ('understand', 'use') for f in course[path] if not (NBS/f'{f}.ipynb').is_file()] == []
    assert course['understand'] == [p.stem for p in CHAPTERS if p.stem not in ('17_own_data', '18_label')] # these are for who has photographs
    saved = ''.join(s for s in outputs(NBS/'index.ipynb'))
    for o in course['chapters']: # the front page was run after that
        row = re.search(rf"^\| {o['file'][:2]} \| \[{re.escape(o['title'])}\]\({o['file']}\.ipynb\) \|.*$", saved, re.M)
        assert row and f"| {o['reading']} min |" in row[0] and (not o['seconds'] or f"| {o['seconds']} s |" in row[0]), f"run nbs/index.ipynb: {o['file']}"


# Links

def outputs(path):
    "Markdown among a notebook's saved outputs."
    return [''.join(o['data']['text/markdown']) for c in json.loads(path.read_text(encoding='utf-8'))['cells'] for o in c.get('outputs', []) if 'text/markdown' in o.get('data', {})]


def targets(path):
    "What a notebook's text and saved outputs link to on this disk, without the part behind #."
    nb = json.loads(path.read_text(encoding='utf-8'))
    texts = [''.join(c['source']) for c in nb['cells'] if c['cell_type'] == 'markdown']
    texts += outputs(path)
    found = [t for s in texts for t in re.findall(r'\]\(([^)\s]+)\)', s)+re.findall(r'(?:src|href)="([^"]+)"', s)]
    return [t.split('#')[0] for t in found if not re.match(r'\w+:|#', t)]


@pytest.mark.parametrize('path', NOTEBOOKS, ids=relative)
def test_links_lead_somewhere(path):
    assert [t for t in targets(path) if not (path.parent/t).exists()] == []
    text = '\n'.join(cells(path, 'markdown'))
    assert re.findall(r'colab\.research\.google\.com/github/[\w-]+/[\w-]+/blob/main/nbs/([\w/]+\.ipynb)', text.replace('badge', ''))[:1] in ([], [relative(path)])
    assert [o for o in re.findall(r'blob/main/(nbs/[\w/]+\.ipynb)', '\n'.join([text, *outputs(path)])) if not (ROOT/o).is_file()] == []
    assert re.findall(r'(?<!\[)\b[Cc]hapters? \d+\w?\b|`\d\d[a-z]?_\w+(?:\.ipynb)?`', text) == [], 'name a chapter by a link: numbers move'


@pytest.mark.parametrize('path', NOTEBOOKS, ids=relative)
def test_modules_that_are_named_exist(path):
    import pixseg
    for name in re.findall(r'\bpixseg\.(?!github\.io|toml)([a-z_]+(?:\.[a-z_]+\d*)?)', '\n'.join(s for _,s in cells(path))):
        first,*more = name.split('.')
        there = (ROOT/'pixseg'/first).is_dir() and (not more or (ROOT/'pixseg'/first/f'{more[0]}.py').is_file())
        assert there or (ROOT/'pixseg'/f'{first}.py').is_file() or first in pixseg.__all__, f'no module pixseg.{name}'


@pytest.mark.parametrize('file', ['nbs/index.ipynb', 'nbs/_quarto.yml'])
def test_every_notebook_is_on_the_map(file):
    text = (ROOT/file).read_text(encoding='utf-8')
    assert [relative(p) for p in NOTEBOOKS if p.name != 'index.ipynb' and not re.search(rf'(?<![\w/]){re.escape(relative(p))}', text)] == []


def test_import_is_lazy():
    probe = 'import sys, pixseg; print(sorted({"torch", "fastai", "numpy", "matplotlib", "PIL"} & set(sys.modules)))'
    assert run(sys.executable, '-c', probe).stdout.strip() == '[]'


def test_floors_admit_colab():
    "No requirement may ask for more than what Colab preinstalls (freeze of 2026-08)."
    from packaging.requirements import Requirement
    colab = dict(torch='2.11.0', torchvision='0.26.0', fastai='2.8.8', fastcore='2.2.12', fasttransform='0.0.2', numpy='2.1.3', pandas='2.2.3',
                 matplotlib='3.10.0', pillow='11.3.0', ipywidgets='7.7.1', timm='1.0.28', anywidget='0.9.21',
                 safetensors='0.6.2', huggingface_hub='0.36.0', ipython='7.34.0', traitlets='5.7.1', platformdirs='4.5.0', filelock='3.20.0', pyyaml='6.0.3', scipy='1.16.3') # scipy: freeze of 2026-06
    ini = ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini')
    reqs = [Requirement(r) for r in ini['DEFAULT']['requirements'].split()]
    assert {r.name for r in reqs} <= set(colab)
    assert [str(r) for r in reqs if r.name in colab and colab[r.name] not in r.specifier] == []
    assert [str(r) for r in reqs if any(s.operator in ('==', '<', '<=', '~=') for s in r.specifier)] == []


def test_one_setting_names_what_is_installed(tmp_path):
    "Another name for the index: in the metadata and in every line that installs; what is imported stays, and export makes the same modules."
    there = Path(shutil.copytree(ROOT, tmp_path/'copy', ignore=lambda d, names: [*not_copied(d, names), *(n for n in names if n.endswith('.safetensors'))]))
    def do(*argv, code=0):
        done = run(sys.executable, *argv, cwd=there)
        assert done.returncode == code, done.stdout+done.stderr
        return done.stdout
    texts = lambda: {relative(p, there): p.read_text(encoding='utf-8') for d in ('nbs', 'pixseg', 'tests', '.github') for p in (there/d).rglob('*') if p.suffix in ('.ipynb', '.py', '.yaml', '.md')}
    said = lambda name: {k: len(found) for k, s in texts().items() if (found := re.findall(rf'''["' ]{name}\\*\[[a-z]+\\*\]''', s))} # with an extra, whatever stands before it
    was = said('pixseg')
    assert was.keys() >= {'nbs/06_encoder.ipynb', 'nbs/io/video.ipynb', 'pixseg/io/video.py', 'pixseg/run/track.py', 'tests/test_out.py'}
    do('.ci/rename.py', '--check')
    ini = there/'settings.ini'
    ini.write_text(ini.read_text(encoding='utf-8').replace('\nlib_name = pixseg\n', '\nlib_name = half-done\n'), encoding='utf-8')
    places = do('.ci/rename.py', '--check', code=1).splitlines()
    assert 'pyproject.toml: pixseg' in places and {o.split(':')[0] for o in places} >= was.keys()
    do('.ci/rename.py', 'not a name', code=2)
    do('.ci/rename.py', 'another-name')
    do('.ci/rename.py', '--check')
    assert said('pixseg') == {} and said('another-name') == was
    do('.ci/readme.py', '--check')
    do('setup.py', '-q', 'egg_info', '--egg-base', tmp_path)
    info, = tmp_path.glob('*.egg-info')
    about = (info/'PKG-INFO').read_text(encoding='utf-8')
    assert '\nName: another-name\n' in about and 'Repository, https://github.com/pixseg/pixseg\n' in about and info.name == 'another_name.egg-info'
    assert (info/'top_level.txt').read_text().split() == ['pixseg'] and 'pixseg = pixseg.cli:main' in (info/'entry_points.txt').read_text()
    before = texts()
    do('-c', "from nbdev.export import nb_export; nb_export('nbs/io/video.ipynb'); nb_export('nbs/run/track.ipynb')")
    assert texts() == before
