"Every form in which `write_sample` writes is understood: nothing is amiss, and every pixel is as it was written."
import numpy as np
import pytest

from pixseg.io.check import check_data
from pixseg.io.folder import open_folder, pick_split
from pixseg.io.samples import count_wrong, draw_examples, Example, Form, FORMS, write_sample
from pixseg.labels import PixsegError


@pytest.mark.parametrize('form', FORMS)
def test_a_form_is_read_as_it_was_written(tmp_path, form):
    truth = write_sample(form, tmp_path)
    data = open_folder(tmp_path)
    assert count_wrong(data, truth) == 0 and check_data(data).ok
    assert data.splits['train'] and data.splits['val']


def test_a_pixel_that_differs_and_a_pair_too_many_are_counted(tmp_path):
    truth = write_sample('two folders', tmp_path)
    data = open_folder(tmp_path)
    other = truth[0].ids.copy()
    other[0, 0] += 1
    assert count_wrong(data, [truth[0]._replace(ids=other), *truth[1:]]) == 1
    assert count_wrong(data, truth[1:]) > 0
    with pytest.raises(ValueError): count_wrong(data, [truth[0]._replace(name='other'), *truth[1:]])


def test_an_unknown_form_is_refused(tmp_path):
    with pytest.raises(PixsegError, match="no form 'VOC': choose from SegNet, "): write_sample('VOC', tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_form_of_ones_own_can_be_added(tmp_path, monkeypatch):
    monkeypatch.setitem(FORMS, 'mine', Form(lambda e: {f'pics/{e.name}.bmp': e.photo, f'truth/{e.name}.bmp': e.ids}, lambda es: {'names.txt': 'a\nb\nc\n'}))
    truth = write_sample('mine', tmp_path)
    assert count_wrong(open_folder(tmp_path), truth) == 0 and all(isinstance(e, Example) for e in truth)


def test_examples_are_the_same_every_time():
    a, b = draw_examples(), draw_examples()
    assert all(np.array_equal(x.photo, y.photo) and np.array_equal(x.ids, y.ids) for x, y in zip(a, b))


@pytest.mark.parametrize('named', [True, False])
def test_a_folder_in_which_no_file_has_a_partner_is_all_problems(tmp_path, named):
    write_sample('two folders', tmp_path)
    for p, other in zip(sorted((tmp_path/'masks').iterdir()), ('lake', 'moor', 'hill', 'wood')): p.rename(p.with_name(f'{other}.png'))
    if not named: (tmp_path/'classes.txt').unlink()
    report = check_data(tmp_path)
    assert not report.ok and any('has no mask' in p.what for p in report.problems)
    with pytest.raises(PixsegError, match='has no mask'): pick_split(open_folder(tmp_path), 'train')


def test_a_class_without_a_pixel_is_a_note(tmp_path):
    write_sample('two folders', tmp_path)
    (tmp_path/'classes.txt').write_text('background\nbox\nwedge\nboat\n')
    report = check_data(tmp_path)
    assert report.ok and 'train has no pixel of boat: what has no example cannot be learned' in report.notes
