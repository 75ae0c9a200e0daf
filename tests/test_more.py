"What people do by mistake: nothing of theirs is lost, and one line says what to do."
import importlib
import json
import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

import fresh
from pixseg import cli
from pixseg.io.streets import draw_streets
from pixseg.labels import PixsegError
from pixseg.modelfile import load_model, read_card
from pixseg.run.train import train_run

TINY = dict(width=4, depth=2, bs=4, device='cpu', progress=False)
FLAGS = ['--width', '4', '--depth', '2', '--bs', '4', '--device', 'cpu', '--epochs', '1']


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=8, val=4, test=0, size=(48, 64), seed=0)


@pytest.fixture(scope='module')
def done(root, tmp_path_factory):
    out = tmp_path_factory.mktemp('done')/'run'
    train_run(root, out, epochs=1, say=lambda text: None, **TINY)
    return out


def shell(capsys, *args):
    code = cli.main([str(a) for a in args])
    out,err = capsys.readouterr()
    return code,out,err


# Nothing is written over

@pytest.mark.parametrize('name', ['model.safetensors', 'config.json', 'predictions.png', 'metrics.csv', 'curves.png'])
def test_training_writes_over_no_file_that_no_run_wrote(capsys, root, tmp_path, name):
    (tmp_path/name).write_text('{"mine": 1}')
    code,_,err = shell(capsys, 'train', root, *FLAGS, '--out', tmp_path)
    assert code == 1 and name in err and '--out' in err and err.count('\n') == 1
    assert (tmp_path/name).read_text() == '{"mine": 1}' and len(list(tmp_path.iterdir())) == 1


def test_training_writes_over_no_run_whose_checkpoint_was_removed(root, done, tmp_path):
    run = shutil.copytree(done, tmp_path/'run')
    shutil.rmtree(run/'checkpoint')
    before = (run/'model.safetensors').read_bytes()
    with pytest.raises(PixsegError, match='which training would overwrite: choose another `out`'): train_run(root, run, epochs=1, **TINY)
    assert (run/'model.safetensors').read_bytes() == before


@pytest.mark.parametrize('name', ['model.safetensors', 'photo.png', 'folder'])
def test_json_goes_over_no_file_that_is_no_result(capsys, root, done, tmp_path, name):
    if name == 'folder': (tmp_path/name).mkdir()
    else: shutil.copy(done/('model.safetensors' if 'model' in name else 'curves.png'), tmp_path/name)
    before = (tmp_path/name).read_bytes() if name != 'folder' else b''
    for command in (['evaluate', done/'model.safetensors', root], ['data', 'check', root],
                    ['predict', done/'model.safetensors', root/'val', '--out', tmp_path/'masks'],
                    ['train', root, *FLAGS, '--out', tmp_path/'run']):
        code,out,err = shell(capsys, *command, '--json', tmp_path/name)
        assert code == 2 and out == '' and 'choose another file for --json' in err and err.count('\n') == 1
    assert {p.name for p in tmp_path.iterdir()} == {name} # refused before anything was done
    if name != 'folder': assert (tmp_path/name).read_bytes() == before


def test_json_replaces_an_earlier_result(capsys, root, tmp_path):
    for _ in range(2): assert shell(capsys, 'data', 'check', root, '--json', tmp_path/'r.json')[0] == 0
    assert json.loads((tmp_path/'r.json').read_text())['ok']


def test_export_does_not_write_over_its_model(capsys, done, tmp_path):
    pytest.importorskip('onnx'), pytest.importorskip('onnxscript')
    model = shutil.copy(done/'model.safetensors', tmp_path/'model.safetensors')
    code,_,err = shell(capsys, 'export', model, '--onnx', model)
    assert code == 1 and 'ends in .onnx' in err and err.count('\n') == 1
    load_model(model)
    code,_,err = shell(capsys, 'export', model, '--onnx', tmp_path)
    assert code == 1 and 'ends in .onnx' in err


def test_export_in_eight_bits(capsys, done, root, tmp_path):
    pytest.importorskip('onnxruntime'), pytest.importorskip('onnxscript')
    model = shutil.copy(done/'model.safetensors', tmp_path/'model.safetensors')
    before,small = model.read_bytes(),tmp_path/'small.onnx'
    photos = tmp_path/'photos'
    draw_streets(photos, train=4, val=1, test=1, size=(48, 64))
    for what,words in ((tmp_path/'nowhere', 'no file or folder'), (next((photos/'train').iterdir()), 'give two at least')):
        code,_,err = shell(capsys, 'export', model, '--onnx', small, '--int8', what)
        assert code == 1 and words in err and not small.exists()
    code,_,err = shell(capsys, 'export', model, '--onnx', model, '--int8', photos/'train')
    assert code == 1 and 'ends in .onnx' in err and model.read_bytes() == before


@pytest.mark.parametrize('module', ['ledger', 'race'])
def test_an_interrupted_worker_says_how_to_go_on(capsys, monkeypatch, tmp_path, module):
    lab = importlib.import_module(f'pixseg.lab.{module}')
    def interrupted(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr(lab, dict(ledger='work', race='run_race')[module], interrupted)
    assert lab.main([*(['run'] if module == 'ledger' else []), str(tmp_path)]) == 130
    err = capsys.readouterr().err
    assert 'the same command goes on' in err and err.count('\n') == 1


# What cannot be is refused by name

@pytest.mark.parametrize('change', [dict(mean=[.5]), dict(mean=[.1, .2]), dict(std=[1.]*4)])
def test_a_card_whose_channels_are_not_three_is_refused(done, tmp_path, change):
    src = done/'model.safetensors'
    save_file(load_file(src), tmp_path/'m.safetensors', dict(pixseg=json.dumps({**read_card(src), **change})))
    with pytest.raises(PixsegError, match='but a photograph has 3 channels'): load_model(tmp_path/'m.safetensors')


@pytest.mark.parametrize('note', ['[1]', 'null', '3', '"x"', '', '{', '{}'])
def test_a_broken_note_of_a_run_is_one_line(capsys, root, done, tmp_path, note):
    run = shutil.copytree(done, tmp_path/'run')
    (run/'config.json').write_text(note)
    code,_,err = shell(capsys, 'train', root, '--resume', '--out', run)
    assert code == 1 and 'not the note of a run' in err and err.count('\n') == 1
    code,_,err = shell(capsys, 'demo', '--out', tmp_path)
    assert code == 1 and 'not the run of an earlier demo' in err and err.count('\n') == 1


def test_values_are_told_as_they_were_typed(capsys, root, tmp_path):
    assert '--lr nan is not possible' in shell(capsys, 'train', root, '--lr', 'nan', '--out', tmp_path/'x')[2]
    assert 'give a smaller --bs' in shell(capsys, 'train', root, '--bs', '9', '--out', tmp_path/'x')[2]
    train_run(root, tmp_path/'run', epochs=1, size=(36, 48), say=lambda text: None, **TINY)
    err = shell(capsys, 'train', root, '--resume', '--size', '40x48', '--out', tmp_path/'run')[2]
    assert '--size 40x48 cannot change' in err and 'it began with 36x48' in err


def test_a_validation_split_without_a_label_is_told(capsys, root, tmp_path):
    void = shutil.copytree(root, tmp_path/'void')
    for p in (void/'valannot').iterdir(): Image.fromarray(np.full((48, 64), 11, np.uint8)).save(p)
    code,out,_ = shell(capsys, 'train', void, *FLAGS, '--out', tmp_path/'run')
    assert code == 0 and 'no mask of the validation frames has a labelled pixel' in out
    code,out,err = shell(capsys, 'evaluate', tmp_path/'run'/'model.safetensors', void, '--json', '-')
    assert code == 1 and json.loads(out)['miou'] is None and 'split val has no labelled pixel' in err


def test_demo_writes_over_no_scores_of_others(capsys, tmp_path):
    (tmp_path/'scores.json').write_text('mine')
    code,_,err = shell(capsys, 'demo', '--out', tmp_path)
    assert code == 1 and 'scores.json' in err and err.count('\n') == 1 and (tmp_path/'scores.json').read_text() == 'mine'


def leave(room):
    "No file of this process may have more than so many KB."
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (room*1000, room*1000))


@pytest.mark.parametrize('room', [20, 60]) # KB: too little for the model, enough for it but not for the checkpoint
def test_a_full_disk_is_one_line(root, tmp_path, room):
    pytest.importorskip('resource')
    p = fresh.run('train', root, *FLAGS, '--out', tmp_path/'run', before=partial(leave, room))
    assert p.returncode == 1 and 'Traceback' not in p.stderr and f'{tmp_path}/run cannot be written to' in p.stderr, p.stderr
    assert not list(tmp_path.rglob('*.part'))
