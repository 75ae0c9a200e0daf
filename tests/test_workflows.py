"What GitHub runs: actions that cannot change under the same name, no more rights than needed, and commands that exist."
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT/'.github'/'workflows').glob('*.y*ml'))


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda p: p.name)
def test_actions_are_pinned_by_commit(path):
    used = re.findall(r'^ *(?:- )?uses: *(.+)$', path.read_text(encoding='utf-8'), re.M)
    assert used
    assert [u for u in used if not re.fullmatch(r'[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+', u)] == []


def test_one_action_has_one_commit():
    pins = {}
    for path in WORKFLOWS:
        for name, pin in re.findall(r'uses: *(\S+)@(.+)$', path.read_text(encoding='utf-8'), re.M): pins.setdefault(name, set()).add(pin)
    assert {n: p for n, p in pins.items() if len(p) > 1} == {}


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda p: p.name)
def test_rights_are_those_of_a_reader(path):
    text = path.read_text(encoding='utf-8')
    assert re.search(r'^permissions:\n  contents: read\n\n', text, re.M) # of every job that says nothing else
    assert re.findall(r'^ +([\w-]+): write$', text, re.M) == {'docs': ['pages', 'id-token'], 'release': ['contents']}.get(path.stem, [])
    assert text.count('actions/checkout@') == text.count('persist-credentials: false')
    assert 'secrets.' not in text and 'pull_request_target' not in text


def test_what_the_workflows_name_exists():
    text = '\n'.join(p.read_text(encoding='utf-8') for p in WORKFLOWS)
    targets = re.findall(r'^(\w[\w-]*):', (ROOT/'Makefile').read_text(encoding='utf-8'), re.M)
    assert set(re.findall(r'\bmake (\w+)$', text, re.M)) <= set(targets)
    for path in re.findall(r'(?:tests|\.ci)/[\w.]+', text): assert (ROOT/path).is_file(), path
    tests = (ROOT/'tests'/'test_install.py').read_text(encoding='utf-8')
    for variable in ('PIXSEG_EMPTY_VENV', 'PIXSEG_LINT'): assert variable in text
    names = re.findall(r'^def (test_\w+)', tests, re.M)
    for words in re.findall(r"test_install\.py -k '([^']+)'", text):
        for word in words.split(' or '): assert any(word in n for n in names), f'no test of that name: {word}'


def test_every_form_for_an_issue_is_one():
    "What GitHub takes in a form; one with anything else is not offered."
    import yaml
    may = dict(input={'label', 'description', 'placeholder', 'value'}, textarea={'label', 'description', 'placeholder', 'value', 'render'})
    for path in sorted((ROOT/'.github'/'ISSUE_TEMPLATE').glob('*.yml')):
        form = yaml.safe_load(path.read_text(encoding='utf-8'))
        assert {'name', 'description', 'body'} <= form.keys() <= {'name', 'description', 'body', 'labels', 'title'}, path.name
        assert all(isinstance(form[k], str) for k in ('name', 'description')) and len({o['id'] for o in form['body']}) == len(form['body'])
        for part in form['body']:
            assert part.keys() <= {'type', 'id', 'attributes', 'validations'} and 'label' in part['attributes']
            assert part['attributes'].keys() <= may[part['type']] and all(isinstance(o, str) for o in part['attributes'].values()), f"{path.name}: {part['id']}"
            assert part.get('validations', {}).keys() <= {'required'}
