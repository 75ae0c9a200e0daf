"A run and its folder: what is refused, what is kept, how it ends and goes on; and the same from a shell."
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from PIL import Image

import fresh
from pixseg import cli
from pixseg.io.streets import draw_streets
from pixseg.labels import PixsegError
from pixseg.modelfile import load_model, read_card, shipped_models
from pixseg.run import config, train
from pixseg.run.train import read_csv, train_run

TINY = dict(width=4, depth=2, bs=4, device='cpu', progress=False)
FLAGS = ['--width', '4', '--depth', '2', '--bs', '4', '--device', 'cpu']


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=16, val=4, test=2, size=(48, 64), seed=0)


def quiet(*args): pass
def weights(out, name='last.safetensors'): return load_model(Path(out)/name).state_dict()
def same(a, b): return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def shell(capsys, *argv):
    "Exit code, standard output, standard error of a command."
    capsys.readouterr()
    try: code = cli.main([str(a) for a in argv])
    except SystemExit as e: code = e.code
    return code, *capsys.readouterr()


class At(Callback):
    "Do something in the middle of an epoch."
    order = 95
    def __init__(self, epoch, do): self.when,self.do = epoch,do
    def before_batch(self):
        if self.training and self.epoch == self.when and self.iter == 2: self.do(self.learn)


# What a run can be told

@pytest.mark.parametrize('given,words', [
    (dict(learning_rate=1e-3), 'no setting `learning_rate`: did you mean `lr`'), (dict(augment=False), 'no setting `augment`'),
    (dict(smothing=.3), 'did you mean `smoothing`'), (dict(seed=-1), '`seed=-1` is not possible: give a whole number from 0'),
    (dict(epochs=0), '`epochs=0`'), (dict(bs=2.5), '`bs=2.5`'), (dict(lr=float('inf')), '`lr=inf`'), (dict(sharp=2), 'from 0 to 1'),
    (dict(minutes=1), 'two answers'), (dict(encoder='resnet18', width=8), '`width=8` shapes the U-Net from scratch'),
    (dict(encoder='resnet18', norm='group'), "`norm='group'`"), (dict(encoder_lr=.5), '`encoder_lr=0.5` is about an encoder'),
    (dict(pretrained=False), '`pretrained=False` is about an encoder'), (dict(precision='bf61'), 'did you mean bf16')])
def test_what_a_run_cannot_use_is_refused_by_name(root, tmp_path, given, words):
    with pytest.raises(PixsegError) as e: train_run(root, tmp_path/'run', **{'epochs': 1, 'device': 'cpu', **given})
    assert words in str(e.value) and '\n' not in str(e.value)
    assert not (tmp_path/'run').exists()


def test_windows_that_the_network_cannot_take_are_refused(root, tmp_path):
    with pytest.raises(PixsegError, match=r'`crop=\(2, 8\)` is too small: this network takes 4x4'): train_run(root, tmp_path, epochs=1, crop=(2, 8), **TINY)


def test_a_device_may_be_an_object(root, tmp_path):
    train_run(root, tmp_path, epochs=1, say=quiet, **{**TINY, 'device': torch.device('cpu')})


def test_a_default_that_is_said_aloud_is_no_wish():
    config.make_config(encoder='resnet18', width=16, fold=None, epochs=1, minutes=None)


def test_every_knob_is_an_option_and_stands_in_the_note_and_on_the_card(root, tmp_path):
    flags = {a.dest for a in cli.build_parser().parse_args(['train', 'x']).parser._actions}
    assert set(config.KNOBS) <= flags
    train_run(root, tmp_path, epochs=1, say=quiet, **TINY)
    note,recipe = json.loads((tmp_path/'config.json').read_text()),read_card(tmp_path/'model.safetensors')['recipe']
    assert set(config.KNOBS) <= set(note)
    assert recipe == {k: note[k] for k in config.make_config(epochs=1).recipe()} and recipe['dice'] == .5


@pytest.mark.parametrize('flags,words', [
    (['--seed', -1], '--seed -1 is not possible: give a whole number from 0'), (['--encoder', 'resnet18', '--width', 8], 'but --encoder resnet18 is'),
    (['--encoder-lr', 2], '--encoder-lr 2.0 is not possible: give a number from 0 to 1'), (['--learning-rate', 1], 'did you mean --lr?'),
    (['--no-pretrained'], '--no-pretrained is about an encoder'), (['--size', '0x4'], '--size 0x4 is not possible'),
    (['--scale', '2-1'], '--scale 2.0-1.0 is not'), (['--epochs', 0], '--epochs 0 is not possible: give a whole number, 1 or more')])
def test_a_shell_is_refused_in_its_own_words(capsys, root, tmp_path, flags, words):
    code,out,err = shell(capsys, 'train', root, '--out', tmp_path/'run', *flags)
    assert code == 2 and out == '' and words in err.splitlines()[-1] and '`' not in err and 'Traceback' not in err


def test_remedies_fit_the_caller(capsys, root, tmp_path):
    train_run(root, tmp_path, epochs=1, say=quiet, **TINY)
    with pytest.raises(PixsegError, match='choose another `out`, or go on with `resume=True`'): train_run(root, tmp_path, epochs=1)
    assert 'choose another --out, or go on with --resume' in shell(capsys, 'train', root, '--out', tmp_path, '--epochs', 1)[2]
    said = []
    train._cheaper(config.make_config(minutes=1), 5, 360, 480, said.append)
    train._cheaper(config.make_config(minutes=1, fold=2), 5, 360, 480, said.append)
    assert '`fold=1`' in said[0] and '`size=(360, 480)`' in said[1]
    parser = cli.build_parser().parse_args(['train', 'x']).parser
    assert '--fold 1 keeps' in cli.in_options(said[0], parser) and '--size 360x480 keeps' in cli.in_options(said[1], parser)


def test_the_default_batch_is_made_to_fit_and_one_that_was_said_is_refused(capsys, root, tmp_path):
    few = shutil.copytree(root, tmp_path/'few')
    for d in ('train', 'trainannot'):
        for p in sorted((few/d).iterdir())[3:]: p.unlink()
    flags = ['--width', 4, '--depth', 2, '--epochs', 1, '--device', 'cpu']
    code,_,err = shell(capsys, 'train', few, *flags, '--out', tmp_path/'a')
    assert code == 0 and '3 training frames are fewer than the 4 of a batch' in err and json.loads((tmp_path/'a'/'config.json').read_text())['bs'] == 3
    code,_,err = shell(capsys, 'train', few, *flags, '--bs', 4, '--out', tmp_path/'b')
    assert code == 1 and 'give a smaller --bs' in err and err.count('\n') == 1


def test_a_file_where_a_folder_is_wanted_is_one_line(capsys, root, tmp_path):
    (tmp_path/'mine').write_text('mine')
    for out in (tmp_path/'mine', tmp_path/'mine'/'run'):
        for argv in (['train', root, '--epochs', 1], ['demo'], ['predict', root/'val']):
            code,_,err = shell(capsys, *argv, '--out', out)
            assert code == 1 and err == f"pixseg: {tmp_path/'mine'} is a file, so there can be no folder {out}: choose another --out\n"
        with pytest.raises(PixsegError, match='is a file, so there can be no folder'): train_run(root, out, epochs=1)
    assert (tmp_path/'mine').read_text() == 'mine'


# Starting from a model

@pytest.fixture(scope='module')
def two(tmp_path_factory):
    "Frames of two classes, one of which the streets have, too."
    from pixseg.io.names import write_codes
    from pixseg.labels import Labels
    there = tmp_path_factory.mktemp('two')/'two'
    rng = np.random.default_rng(0)
    for d,n in dict(train=4, val=2).items():
        for o in (d, d+'annot'): (there/o).mkdir(parents=True)
        for i in range(n):
            img = rng.integers(0, 256, (48, 64, 3), np.uint8)
            Image.fromarray(img).save(there/d/f'{i}.png')
            Image.fromarray((img[..., 0] > 99).astype(np.uint8)).save(there/(d+'annot')/f'{i}.png')
    write_codes(Labels(('Lawn', 'Road')), there/'codes.txt')
    return there


@pytest.mark.parametrize('extra', [{}, dict(fold=2, up='bilinear')], ids=['plain', 'folded'])
def test_a_run_starts_from_a_model_of_other_classes(root, two, tmp_path, extra):
    train_run(root, tmp_path/'old', epochs=1, say=quiet, **TINY, **extra)
    said,old = [],weights(tmp_path/'old', 'model.safetensors')
    model,words = train.start_from(tmp_path/'old'/'model.safetensors', load_labels(two))
    new,f2 = model.state_dict(),extra.get('fold', 1)**2
    assert all(torch.equal(new[k], old[k]) for k in new if not k.startswith('head.'))
    road = load_labels(root)['Road']
    for k in ('head.weight', 'head.bias'):
        assert len(new[k]) == 2*f2 and torch.equal(new[k][f2:], old[k][road*f2:(road+1)*f2]) and not torch.equal(new[k][:f2], old[k][:f2])
    train_run(two, tmp_path/'new', init=tmp_path/'old'/'model.safetensors', epochs=1, bs=2, device='cpu', progress=False, say=said.append)
    assert said[0] == words and words.endswith(f'; new: head.weight ({11*f2} -> {2*f2}), head.bias ({11*f2} -> {2*f2}), but for the row of Road')
    assert f'kept {len(new)-2} of {len(new)} tensors' in words
    note,card = json.loads((tmp_path/'new'/'config.json').read_text()),read_card(tmp_path/'new'/'model.safetensors')
    assert (note['width'], note['depth'], note['fold']) == (4, 2, extra.get('fold', 1)) and card['recipe']['init'].endswith('model.safetensors')
    assert card['labels']['names'] == ['Lawn', 'Road'] and card['config'] == {**read_card(tmp_path/'old'/'model.safetensors')['config'], 'n_classes': 2}
    shutil.rmtree(tmp_path/'old') # what it learned from the model is in its own folder
    assert len(train_run(two, tmp_path/'new', resume=True, epochs=2, device='cpu', progress=False, say=quiet)['rows']) == 2
    with pytest.raises(PixsegError, match='`init=.* cannot change when a run goes on'): train_run(two, tmp_path/'new', resume=True, init='camvid-unet')


def load_labels(root):
    from pixseg.io.folder import find_labels
    return find_labels(root).void_last()


def test_a_shipped_encoder_is_made_without_a_download(monkeypatch, capsys, two, tmp_path):
    from pixseg import encoder
    def no(*args): raise AssertionError('weights were asked for')
    monkeypatch.setattr(encoder, 'load_encoder_weights', no)
    code,out,err = shell(capsys, 'train', two, '--init', 'camvid-encoder', '--epochs', 1, '--bs', 2, '--device', 'cpu', '--out', tmp_path)
    assert code == 0 and 'camvid-encoder: kept ' in out and 'new: head.weight (11 -> 2), head.bias (11 -> 2), but for the row of Road' in out, err
    assert shell(capsys, 'evaluate', tmp_path/'model.safetensors', two, '--device', 'cpu')[1].split('\n')[1].startswith('Lawn')


@pytest.mark.parametrize('flags,words', [
    (['--width', 8], '--width 8 does not go with --init camvid-encoder, which is a network on tf_efficientnet_lite0'), (['--encoder', 'resnet18'], '--encoder resnet18 does not'),
    (['--no-pretrained'], '--no-pretrained does not'), (['--norm', 'group'], '--norm group does not')])
def test_what_contradicts_the_model_is_refused(capsys, two, tmp_path, flags, words):
    code,_,err = shell(capsys, 'train', two, '--init', 'camvid-encoder', '--epochs', 1, *flags, '--out', tmp_path/'x')
    assert code == 2 and words in err and err.count('\n') == 1 and not (tmp_path/'x').exists()


def test_a_model_for_other_channels_is_refused(two, tmp_path):
    from pixseg.labels import Labels
    from pixseg.modelfile import save_model
    from pixseg.unet import UNet
    save_model(tmp_path/'four.safetensors', UNet(2, n_in=4, width=4, depth=2), Labels(('a', 'b')))
    with pytest.raises(PixsegError, match='takes photographs of 4 channels, but these have 3: choose 4 of them with `bands`'):
        train_run(two, tmp_path/'run', init=tmp_path/'four.safetensors', epochs=1, bs=2, device='cpu', progress=False, say=quiet)


def test_a_model_to_start_from_must_be_one(capsys, two, tmp_path):
    for given,words in (('nix', 'no model file at nix'), (two/'codes.txt', 'is not a model file')):
        code,_,err = shell(capsys, 'train', two, '--init', given, '--epochs', 1, '--out', tmp_path/'x')
        assert code == 1 and words in err and err.count('\n') == 1 and not (tmp_path/'x').exists()
    for knob in (dict(encoder_lr=.1), dict(width=8)):
        with pytest.raises(PixsegError, match='does not go with `init=.camvid-unet.`, which is a U-Net'): train_run(two, tmp_path/'x', init='camvid-unet', epochs=1, **knob)


# Going on

@pytest.mark.parametrize('change,words', [(dict(lr='fast'), "'fast' as 'lr': write a number above 0"), (dict(bs=0), "0 as 'bs'"), (dict(norm='butch'), 'one of batch, group, none'),
                                          (dict(encoder=5), "5 as 'encoder'"), (dict(epochs=3, minutes=2.), 'two answers'), (dict(planned='much'), '')])
def test_a_note_that_somebody_edited_is_blamed_itself(capsys, root, tmp_path, change, words):
    train_run(root, tmp_path, epochs=1, say=quiet, **TINY)
    note = tmp_path/'config.json'
    note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
    code,_,err = shell(capsys, 'train', root, '--resume', '--out', tmp_path)
    if 'planned' in change: assert code == 0
    else: assert code == 1 and err.startswith(f'pixseg: {note}') and words in err and '--lr' not in err and '--bs' not in err and err.count('\n') == 1


def test_resuming_at_another_rate_and_for_longer_is_told(root, tmp_path):
    said = []
    train_run(root, tmp_path, epochs=2, lr=4e-3, say=quiet, **TINY)
    run = train_run(root, tmp_path, resume=True, epochs=4, lr=2e-3, device='cpu', progress=False, say=said.append)
    assert said == ['resumed at epoch 3 of 4: epochs 4 instead of 2, lr 0.002 instead of 0.004']
    assert [r['epoch'] for r in run['rows']] == [0, 1, 2, 3]
    assert json.loads((tmp_path/'config.json').read_text())['lr'] == 2e-3
    rate = max(g['lr'] for g in torch.load(tmp_path/'checkpoint'/'state.pt', weights_only=True)['opt']['param_groups'])
    assert rate < 2e-3


@pytest.mark.parametrize('given', [dict(width=8), dict(seed=1), dict(size=(24, 32)), dict(encoder='resnet18'), dict(weights=None)])
def test_resuming_as_another_run_is_refused(root, tmp_path, given):
    train_run(root, tmp_path, epochs=1, say=quiet, **TINY)
    before = (tmp_path/'config.json').read_text()
    with pytest.raises(PixsegError, match=f'`{next(iter(given))}=.*cannot change when a run goes on'): train_run(root, tmp_path, resume=True, **given)
    with pytest.raises(PixsegError, match='no setting `learning_rate`'): train_run(root, tmp_path, resume=True, learning_rate=1)
    assert (tmp_path/'config.json').read_text() == before


def die_in_the_fourth_epoch():
    "SIGKILL in the middle of an epoch; on disk is the first one only."
    from fastai.learner import Learner
    batch = Learner.one_batch
    def one_batch(self, i, b):
        if self.training and self.epoch == 3 and i == 2: os.kill(os.getpid(), 9)
        return batch(self, i, b)
    Learner.one_batch = one_batch


def die_before_the_checkpoint():
    "SIGKILL when everything of an epoch is written but the newer checkpoint."
    replace = os.replace
    def put(src, dst, **kwargs):
        if Path(dst).name == 'state.pt' and os.path.exists(dst): os.kill(os.getpid(), 9)
        return replace(src, dst, **kwargs)
    os.replace = put


@pytest.mark.parametrize('die,extra', [(die_in_the_fourth_epoch, {}), (die_before_the_checkpoint, dict(norm='group', up='nearest', fold=2))])
def test_killed_and_resumed_ends_with_equal_weights(capsys, root, tmp_path, die, extra):
    "A process that the system ends without a word, and `--resume`: as if nothing had happened, to the last bit."
    flags = [o for k,v in extra.items() for o in (f'--{k}', v)]
    cut,whole = tmp_path/'cut',tmp_path/'whole'
    killed = fresh.run('train', root, *FLAGS, *flags, '--epochs', 6, '--seed', 3, '--quiet', '--out', cut, before=die)
    assert killed.returncode == (9 if os.name == 'nt' else -9), killed.stderr # not at its end
    assert torch.load(cut/'checkpoint'/'state.pt', weights_only=True)['epoch'] < 6
    for name in ('last.safetensors', 'model.safetensors'): load_model(cut/name) # whole files
    if die is die_in_the_fourth_epoch: assert not list(cut.rglob('*.part')) and 0 < len(read_csv(cut/'metrics.csv')) < 6
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1) # as in the process that was killed: sums in another order round otherwise
        assert shell(capsys, 'train', root, '--resume', '--device', 'cpu', '--quiet', '--out', cut)[0] == 0
        train_run(root, whole, epochs=6, seed=3, say=quiet, **TINY, **extra)
    finally: torch.set_num_threads(threads)
    for name in ('last.safetensors', 'model.safetensors'): assert same(weights(cut, name), weights(whole, name))
    rows = [[{**r, 'seconds': 0} for r in read_csv(o/'metrics.csv')] for o in (cut, whole)]
    assert rows[0] == rows[1] and len(rows[0]) == 6


def test_resuming_needs_no_table(root, tmp_path):
    "What the checkpoint says, it says alone: rows in full precision, whatever became of metrics.csv."
    first = train_run(root, tmp_path, epochs=2, say=quiet, **TINY)
    (tmp_path/'metrics.csv').write_text('opened in a spreadsheet')
    assert train_run(root, tmp_path, resume=True, epochs=3, device='cpu', progress=False, say=quiet)['rows'][:2] == first['rows']
    assert len(read_csv(tmp_path/'metrics.csv')) == 3


def test_a_16_bit_scale_goes_on_too(root, tmp_path):
    "What a GradScaler remembers is in the checkpoint, and back before the first step."
    class Scaler:
        factor = 65536.
        def scale(self, loss): return loss
        def unscale_(self, opt): pass
        def step(self, opt): opt.step()
        def update(self): self.factor /= 2
        def state_dict(self): return dict(factor=self.factor)
        def load_state_dict(self, o): self.factor = o['factor']

    class Scaling(Callback):
        order = 5
        def __init__(self): self.seen = []
        def before_fit(self): self.learn.scaler = Scaler()
        def before_batch(self): self.seen.append(self.learn.scaler.factor)

    first,second = Scaling(),Scaling()
    train_run(root, tmp_path, epochs=1, cbs=[first], say=quiet, **TINY)
    train_run(root, tmp_path, resume=True, epochs=2, cbs=[second], device='cpu', progress=False, say=quiet)
    assert second.seen[0] == first.seen[0]/2**4


# What is on disk

def count_writes(monkeypatch):
    wrote = []
    plain = train.save_state
    monkeypatch.setattr(train, 'save_state', lambda path, state: (wrote.append(state['epoch']), plain(path, state)))
    return wrote


@pytest.mark.parametrize('every,wanted', [(0., [1, 2, 3, 4, 5]), (3600., [1, 5])])
def test_the_folder_is_written_seldom_and_at_the_end(monkeypatch, root, tmp_path, every, wanted):
    wrote = count_writes(monkeypatch)
    run = train_run(root, tmp_path, epochs=5, save_every=every, say=quiet, **TINY)
    assert wrote == wanted
    best = max(run['rows'], key=lambda r: r['miou'])
    assert read_card(tmp_path/'model.safetensors')['epoch'] == best['epoch']
    assert read_card(tmp_path/'last.safetensors')['epoch'] == 4 and len(read_csv(tmp_path/'metrics.csv')) == 5


def test_ten_seconds_by_a_clock_that_never_goes_back(monkeypatch, root, tmp_path):
    wrote,clock = count_writes(monkeypatch),iter(range(0, 10_000, 4))
    monkeypatch.setattr(train.time, 'monotonic', lambda: next(clock))
    train_run(root, tmp_path, epochs=8, say=quiet, **TINY)
    assert wrote[0] == 1 and wrote[-1] == 8 and 3 <= len(wrote) <= 5


def test_an_interrupted_epoch_leaves_the_one_before(root, tmp_path):
    "Weights, optimiser and rows on disk are those of the last whole epoch, not of the half one."
    def interrupt(learn): raise KeyboardInterrupt
    said = []
    run = train_run(root, tmp_path/'cut', epochs=4, save_every=3600., cbs=[At(3, interrupt)], say=said.append, **TINY)
    assert run['interrupted'] and 'interrupted after 3 whole epochs' in said[-1] and '`resume=True`' in said[-1]
    seen = {}
    def keep(learn): seen.update({k: v.clone() for k,v in learn.model.state_dict().items()})
    class Third(Callback):
        order = 66
        def after_epoch(self):
            if self.epoch == 2: keep(self.learn)
    train_run(root, tmp_path/'whole', epochs=4, cbs=[Third()], say=quiet, **TINY)
    state = torch.load(tmp_path/'cut'/'checkpoint'/'state.pt', weights_only=True)
    assert state['epoch'] == 3 == len(read_csv(tmp_path/'cut'/'metrics.csv'))
    assert read_card(tmp_path/'cut'/'last.safetensors')['epoch'] == 2
    assert same(seen, weights(tmp_path/'cut')) and same(seen, state['model'])


def test_planning_counts_the_writing(monkeypatch, root):
    from pixseg.data import seg_dls
    from pixseg.learner import seg_learner
    from pixseg.unet import UNet
    learn = seg_learner(seg_dls(root, bs=4, device='cpu'), UNet(11, width=4, depth=2))
    monkeypatch.setattr(train, 'time_batch', lambda learn, dl, train, n=5: .5)
    free,dear = (train.plan_epochs(learn, 10, writing=w)[0] for w in (0., 2.))
    assert .75 < dear/free < .85


# How it ends

class Told(Callback):
    def __init__(self): self.events = []
    def before_fit(self): self.events.append('before_fit')
    def after_cancel_fit(self): self.events.append('after_cancel_fit')
    def after_fit(self): self.events.append('after_fit')


def oom(learn): torch.empty(2**56) # the real error of a CPU
def gpu_oom(learn): raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 20.00 GiB.\nSee documentation')
def nan(learn):
    with torch.no_grad(): next(learn.model.parameters()).fill_(float('nan'))
def interrupt(learn): raise KeyboardInterrupt
def bug(learn): raise ZeroDivisionError('a bug')


@pytest.mark.parametrize('trouble', [oom, gpu_oom, nan, interrupt, bug])
def test_every_callback_hears_of_the_end_once(root, tmp_path, trouble):
    told,seen = Told(),{}
    class Last(Callback):
        order = 99
        def before_fit(self): seen['learn'] = self.learn
    try: train_run(root, tmp_path, epochs=3, cbs=[told, Last(), At(1, trouble)], say=quiet, **TINY)
    except (PixsegError, ZeroDivisionError): assert trouble is not interrupt
    assert told.events == ['before_fit', 'after_cancel_fit', 'after_fit']
    left = {type(cb).__name__ for cb in seen['learn'].cbs}
    assert not left & {'Told', 'Last', 'At', 'StopBetween', 'EpochSeed', 'RunFolder', 'TimeBudget', 'ParamScheduler', 'SkipToEpoch'}
    assert '_with_events' not in vars(seen['learn'])


def test_a_monitor_does_not_say_to_go_for_ever(root, tmp_path):
    from pixseg.web.monitor import TrainMonitor
    monitor = TrainMonitor(n=1, live=False)
    train_run(root, tmp_path, epochs=3, cbs=[monitor, At(1, interrupt)], say=quiet, **TINY)
    assert 'to go' not in monitor._words()


@pytest.mark.parametrize('trouble,words', [
    (oom, 'cpu ran out of memory with batches of 4 windows of 48x64: take a smaller --bs, --crop or --size'),
    (gpu_oom, 'ran out of memory'), (nan, 'rate')])
def test_trouble_is_one_line_and_the_folder_is_usable(monkeypatch, capsys, root, tmp_path, trouble, words):
    original = train.train_run
    def troubled(*args, **kwargs): return original(*args, **{**kwargs, 'cbs': [At(1, trouble)]})
    monkeypatch.setattr(train, 'train_run', troubled)
    code,out,err = shell(capsys, 'train', root, '--epochs', 3, *FLAGS, '--out', tmp_path)
    assert code == 1 and err.count('\n') == 1 and err.startswith('pixseg: ') and words in err and 'Traceback' not in err, err
    assert 'Exception occured' not in err and 'keeps the 1 epoch before it, and --resume goes on' in err
    for name in ('last.safetensors', 'model.safetensors'): assert all(v.isfinite().all() for v in weights(tmp_path, name).values())
    monkeypatch.setattr(train, 'train_run', original)
    code,out,err = shell(capsys, 'train', root, '--resume', '--lr', .001, '--bs', 2, '--device', 'cpu', '--out', tmp_path)
    assert code == 0 and 'best of 3 epochs' in out, err


def test_nan_in_the_first_epoch_leaves_no_model(root, tmp_path):
    with pytest.raises(PixsegError): train_run(root, tmp_path, epochs=2, cbs=[At(0, nan)], say=quiet, **TINY)
    assert not (tmp_path/'model.safetensors').exists()
    assert len(train_run(root, tmp_path, epochs=1, say=quiet, **TINY)['rows']) == 1 # the folder may be used again


def test_only_a_command_tells_the_process_to_keep_memory(monkeypatch, capsys, root, tmp_path):
    import pixseg.device
    calls = []
    monkeypatch.setattr(pixseg.device, 'keep_memory', lambda: calls.append(1))
    monkeypatch.setattr('pixseg.learner.keep_memory', lambda: calls.append(1), raising=False)
    monkeypatch.setattr(train, 'keep_memory', lambda: calls.append(1), raising=False)
    train_run(root, tmp_path/'a', epochs=1, say=quiet, **TINY)
    assert calls == []
    assert shell(capsys, 'train', root, '--epochs', 1, *FLAGS, '--out', tmp_path/'b')[0] == 0 and calls == [1]


# Streams

@pytest.fixture(scope='module')
def trained(root, tmp_path_factory):
    out = tmp_path_factory.mktemp('runs')/'run'
    train_run(root, out, epochs=1, say=quiet, **TINY)
    return out/'model.safetensors'


@pytest.mark.parametrize('command', ['train', 'evaluate', 'predict', 'check'])
def test_json_stands_alone_on_standard_output(monkeypatch, capsys, root, trained, tmp_path, command):
    from pixseg.io import sources
    plain = sources.open_folder
    def chatty(*args, **kwargs):
        print('somebody else prints')
        return plain(*args, **kwargs)
    monkeypatch.setattr(sources, 'open_folder', chatty)
    argv = dict(train=['train', root, '--epochs', 2, *FLAGS, '--out', tmp_path/'run'], check=['data', 'check', root],
                evaluate=['evaluate', trained, root, '--device', 'cpu'],
                predict=['predict', trained, root/'test', '--out', tmp_path/'m', '--device', 'cpu'])[command]
    code,out,_ = shell(capsys, *argv, '--json', '-')
    assert code == 0 and isinstance(json.loads(out), dict), out


class Terminal:
    "A stream that somebody looks at."
    def __init__(self): self.text = ''
    def write(self, text): self.text += text
    def flush(self): pass
    def isatty(self): return True


def test_no_bar_without_a_terminal(capsys, root, tmp_path):
    code,out,err = shell(capsys, 'train', root, '--epochs', 2, *FLAGS, '--out', tmp_path)
    assert code == 0 and '\r' not in out+err and err == '' and out.count('\n') == 1


def test_bars_and_tables_go_to_standard_error(monkeypatch, capsys, root, tmp_path):
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stderr', terminal)
    assert cli.main(['train', str(root), '--epochs', '2', *FLAGS, '--out', str(tmp_path/'a')]) == 0
    assert 'step 4/4' in terminal.text and re.search(r'epoch 2/2 train_loss=\d.*miou=0\.\d', terminal.text)
    assert capsys.readouterr().out.count('\n') == 1
    terminal.text = ''
    assert cli.main(['train', str(root), '--epochs', '1', *FLAGS, '--out', str(tmp_path/'b'), '--quiet']) == 0
    assert terminal.text == ''


@pytest.mark.parametrize('place', ['module', 'nowhere'])
def test_warnings_of_pixseg_are_one_plain_line(monkeypatch, capsys, root, trained, place):
    import warnings
    from pixseg.run import evaluate
    where = dict(module=(evaluate.__file__, 1, evaluate.__name__), nowhere=('<pixseg>', 1))[place]
    def warn(*args, **kwargs):
        for _ in range(2): warnings.warn_explicit('no names: choose another `holdout`', UserWarning, *where)
        return plain(*args, **kwargs)
    plain = evaluate.open_source
    monkeypatch.setattr(evaluate, 'open_source', warn)
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        code,_,err = shell(capsys, 'evaluate', trained, root, '--device', 'cpu')
    assert (code, err) == (0, 'pixseg: no names: choose another --holdout\n') and warnings.showwarning is before


# Commands

def test_a_split_without_a_label_has_no_figures(capsys, root, trained, tmp_path):
    void = Path(shutil.copytree(root, tmp_path/'void'))
    from pixseg.io.folder import find_labels
    for p in (void/'valannot').iterdir(): Image.fromarray(np.full((48, 64), find_labels(void).void, np.uint8)).save(p)
    code,out,err = shell(capsys, 'evaluate', trained, void, '--device', 'cpu')
    assert code == 1 and out.endswith('accuracy=- class_accuracy=- miou=-\n') and 'split val has no labelled pixel' in err
    code,out,err = shell(capsys, 'train', void, '--epochs', 2, *FLAGS, '--out', tmp_path/'run', '--json', '-')
    assert code == 0 and json.loads(out)['best'] is None and json.loads(out)['rows'][0]['miou'] is None
    assert read_card(tmp_path/'run'/'model.safetensors')['epoch'] == 1 # nothing was judged: the newest


@pytest.mark.parametrize('name', ['net.pth', 'net.pt', 'net.pkl', 'net.onnx', 'net.ckpt', 'notes'])
def test_a_file_that_is_no_model_and_no_photograph_is_refused(capsys, root, tmp_path, name):
    torch.save({}, tmp_path/name)
    code,_,err = shell(capsys, 'predict', tmp_path/name, root/'test', '--out', tmp_path/'m')
    assert code == 1 and err.count('\n') == 1 and name in err and '.safetensors' in err and not (tmp_path/'m').exists()


def test_help_names_the_shipped_models_and_loads_nothing():
    assert cli.shipped_names() == list(shipped_models())
    code = "import sys\nfrom pixseg.cli import main\ntry: main(['predict', '--help'])\nexcept SystemExit: print({'torch', 'fastai', 'timm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.endswith('set()\n') and list(shipped_models())[0] in done.stdout


@pytest.mark.skipif(os.name == 'nt', reason='signals')
def test_ctrl_c_in_the_first_epoch_leaves_a_model(capsys, root, tmp_path):
    def press(learn): os.kill(os.getpid(), signal.SIGINT)
    said = []
    run = train_run(root, tmp_path, epochs=2, cbs=[At(0, press)], say=said.append, **TINY)
    assert run['interrupted'] and run['rows'] == [] and 'is usable' in said[-1] and 'resume' not in said[-1]
    load_model(tmp_path/'model.safetensors')


@pytest.mark.parametrize('module', ['pixseg', 'pixseg.cli'])
def test_the_command_as_a_module(module, tmp_path):
    run = lambda *argv: subprocess.run([sys.executable, '-m', module, *argv], capture_output=True, text=True, cwd=tmp_path)
    assert run('--version').stdout.startswith('pixseg ')
    done = run('data', 'check', 'nowhere')
    assert done.returncode == 1 and done.stderr.startswith('pixseg: there is no folder nowhere')


def test_one_epoch_is_no_epochs():
    row = dict(epoch=0, accuracy=.5, miou=.25)
    assert cli._best([row]).startswith('best of 1 epoch is 1: ') and cli._best([row, {**row, 'epoch': 1}]).startswith('best of 2 epochs is 1: ')
