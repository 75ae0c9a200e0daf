"Every exercise: the untouched template is answered kindly, the solution passes, and two or more typical wrong answers are told apart."
import inspect
import json
import re
from pathlib import Path

import pytest

from pixseg.course.engine import chapters, exercises, judge
from pixseg.labels import PixsegError

ROOT = Path(__file__).resolve().parent.parent
ALL = [e for chapter in chapters() for e in exercises(chapter).values()]
SOLUTIONS = sorted((ROOT/'nbs'/'solutions').glob('*.ipynb'))
NAMED = sorted((ROOT/'nbs').glob('[0-9][0-9]_*.ipynb'))


def sources(path, kind): return [''.join(c['source']) for c in json.loads(path.read_text(encoding='utf-8'))['cells'] if c['cell_type'] == kind]


def template(e):
    "What stands in the chapter before anything is written."
    if e.value: return ...
    return lambda *args, **kwargs: None


@pytest.mark.parametrize('e', ALL, ids=lambda e: e.name)
def test_a_template_is_answered_kindly(e):
    right,words = judge(e, template(e))
    assert not right and not re.search(r'\w+Error', words), words


@pytest.mark.parametrize('e', ALL, ids=lambda e: e.name)
def test_the_solution_passes(e):
    verdict = judge(e, e.given(e.answer))
    assert verdict.right, verdict.words


@pytest.mark.parametrize('e', ALL, ids=lambda e: e.name)
def test_wrong_answers_are_told_apart(e):
    assert len(e.wrongs) >= 2
    said = []
    for f,words in e.wrongs:
        right,found = judge(e, e.given(f))
        assert not right and words in found, f'{f.__name__}: {found}'
        assert not re.search(r'stopped with \w+Error', found), f'{f.__name__}: {found}'
        said.append(found)
    assert len(set(said)) == len(said), 'two wrong answers get the same words'


@pytest.mark.parametrize('e', ALL, ids=lambda e: e.name)
def test_an_answer_of_another_kind_gets_a_sentence(e):
    for odd in ('a text', {}, print, int, lambda: 1, lambda *a, **k: 'x'):
        right,words = judge(e, odd)
        assert not right and words


@pytest.mark.parametrize('chapter', chapters())
def test_a_chapter_has_three_to_five_exercises(chapter):
    there = exercises(chapter)
    assert 3 <= len(there) <= 5 and [*there] == [f'{chapter}.{i+1}' for i in range(len(there))]
    assert all(e.hints and e.minutes >= 3 and inspect.getsource(e.answer) for e in there.values())


@pytest.mark.parametrize('path', SOLUTIONS, ids=lambda p: p.stem)
def test_a_chapter_asks_what_its_solutions_answer(path):
    "The chapter of the same name asks for every exercise once, by `check`, with the minutes that it takes."
    chapter = path.stem[3:]
    text = '\n'.join(sources(ROOT/'nbs'/path.name, 'code'))
    assert re.findall(r"check\('([\w.]+)'", text) == [*exercises(chapter)]
    assert f'solutions/{path.name}' in '\n'.join(sources(ROOT/'nbs'/path.name, 'markdown'))


@pytest.mark.parametrize('path', SOLUTIONS, ids=lambda p: p.stem)
def test_a_solutions_notebook_runs(path, monkeypatch, tmp_path):
    "Every cell, one after the other; `make test` leaves these notebooks to this test, which imports nothing anew."
    monkeypatch.chdir(tmp_path)
    names = dict(__name__='__main__')
    for source in sources(path, 'code'): exec(compile(source, path.name, 'exec'), names)


def test_every_chapter_has_exercises(): assert [p.name for p in NAMED] == [p.name for p in SOLUTIONS]


def test_a_name_that_is_none_is_answered_with_the_choices():
    from pixseg.course import check
    with pytest.raises(PixsegError, match='choose from labels.1'): check('labels.77', 1)
    with pytest.raises(PixsegError, match="no exercises for 'lable'"): check('lable.1', 1)
