"What a tracker is sent, where it goes on, and that it harms nothing."
import json
import random
import shutil
import sys
from configparser import ConfigParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback

from pixseg.cli import main
from pixseg.data import seg_dls
from pixseg.io.streets import draw_streets
from pixseg.labels import PixsegError
from pixseg.learner import seg_learner
from pixseg.run.config import ConfigError
from pixseg.run.track import Track
from pixseg.run.train import EpochSeed, read_csv, train_run
from pixseg.unet import UNet

ROOT = Path(__file__).resolve().parent.parent
REST = dict(device='cpu', progress=False, say=lambda text: None)
TINY = dict(width=4, depth=2, bs=4, **REST)


@pytest.fixture(scope='module')
def root(tmp_path_factory): return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=8, val=4, test=2, size=(48, 64), seed=0)


class Listener:
    "Keeps what it is told, in order; fails at what it is told to fail at."
    def __init__(self, fails=()): self.said,self.fails = [],fails
    def hear(self, what, *rest):
        self.said.append((what, *rest))
        random.seed(0); np.random.seed(0); torch.manual_seed(0) # it has chance of its own  # noqa: NPY002
        if what in self.fails: raise RuntimeError(f'{what} is away\nand more lines')
    def log(self, figures, step): self.hear('log', step, figures)
    def image(self, name, picture, step): self.hear('image', step, picture)
    def finish(self): self.hear('finish')
    def steps(self, what='log'): return [o[1] for o in self.said if o[0] == what]


class Settings(Listener):
    def settings(self, settings): self.hear('settings', settings)


def learner(root, cbs=()):
    torch.manual_seed(3)
    dls = seg_dls(root, bs=4, device='cpu')
    return seg_learner(dls, UNet(dls.labels.n, width=4, depth=2), cbs=cbs)


def fit(learn, *args, **kwargs):
    with learn.no_bar(), learn.no_logging(): learn.fit(*args, **kwargs)
    return learn


def test_an_epoch_without_validation_has_no_scores_and_not_those_of_the_one_before(root):
    ear = Listener()
    fit(learner(root), 4, cbs=[EpochSeed(valid_every=2), Track(ear, every=0)])
    assert ear.steps() == [1, 2, 3, 4]
    for _,step,figures in ear.said[:4]:
        scores = {k for k in figures if k in ('miou', 'accuracy', 'valid_loss') or k.startswith('iou/')}
        assert {'train_loss', 'seconds', 'lr'} <= figures.keys() and all(type(v) is float for v in figures.values())
        assert len(scores) > 5 if step%2 == 0 else scores == set()


class Dice(Callback):
    "Draws of every generator, as an augmentation may."
    def __init__(self): self.drawn = []
    def before_train(self): self.drawn.append((random.random(), np.random.rand(), torch.rand(1).item())) # noqa: NPY002


def test_a_training_and_its_chance_are_the_same_with_and_without_it(root):
    dice = Dice(),Dice()
    plain,tracked = fit(learner(root), 3, cbs=dice[0]),fit(learner(root, Track(Settings(), every=1)), 3, cbs=dice[1])
    for a,b in zip(plain.model.parameters(), tracked.model.parameters()): assert torch.equal(a, b)
    assert [o[2] for o in dice[0].drawn] == [o[2] for o in dice[1].drawn] and tracked.model.training == plain.model.training
    random.seed(1); np.random.seed(1) # noqa: NPY002
    ear = Track(Listener())
    fit(learner(root), 1, cbs=ear)
    after = random.random(),np.random.rand() # noqa: NPY002
    random.seed(1); np.random.seed(1) # noqa: NPY002
    fit(learner(root), 1)
    assert after == (random.random(), np.random.rand()) # noqa: NPY002


@pytest.mark.parametrize('every,steps', [(0, []), (1, [1, 2, 3]), (2, [2, 3]), (3, [3]), (10, [3])])
def test_pictures_come_every_so_often_and_once_at_the_end(root, every, steps):
    ear = Listener()
    fit(learner(root), 3, cbs=Track(ear, every=every, n=2))
    assert ear.steps('image') == steps and ear.said[-1] == ('finish',)
    for _,_,picture in (o for o in ear.said if o[0] == 'image'): assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3 and picture.std() > 10


@pytest.mark.parametrize('fails', ['log', 'image', 'finish'])
def test_a_tracker_that_fails_is_told_once_and_the_run_goes_on(root, tmp_path, fails, recwarn):
    ear = Listener([fails, 'finish'])
    run = train_run(root, tmp_path/'run', epochs=3, cbs=[Track(ear, every=2)], **TINY)
    told = [str(o.message) for o in recwarn if 'tracking stops' in str(o.message)]
    assert len(told) == 1 and f'the Listener: {fails} is away' in told[0] and '\n' not in told[0]
    assert ear.steps() == dict(log=[1], image=[1, 2], finish=[1, 2, 3])[fails]
    assert run['rows'][-1]['epoch'] == 2 and not run['interrupted']
    plain = train_run(root, tmp_path/'plain', epochs=3, **TINY)
    assert [r['miou'] for r in plain['rows']] == [r['miou'] for r in run['rows']]


def test_one_that_cannot_begin_is_refused_and_the_folder_may_be_used_again(root, tmp_path):
    with pytest.raises(PixsegError, match='^the Settings cannot begin \\(settings is away\\): mend that, or train without tracking'):
        train_run(root, tmp_path/'run', epochs=1, cbs=[Track(Settings(['settings']))], **TINY)
    assert len(train_run(root, tmp_path/'run', epochs=1, **TINY)['rows']) == 1


class Stop(Callback):
    "Ctrl-C in the middle of an epoch."
    def __init__(self, epoch): self.at = epoch
    def before_batch(self):
        if self.epoch == self.at and self.training and self.iter: raise KeyboardInterrupt


def test_interrupted_and_resumed_steps_are_those_of_the_metrics(root, tmp_path):
    first,second,third = Settings(),Settings(),Settings()
    train_run(root, tmp_path, epochs=4, cbs=[Stop(2), Track(first)], **TINY)
    assert (first.steps(), first.steps('image'), first.said[-1]) == ([1, 2], [], ('finish',)) # the weights are of two epochs and a bit
    train_run(root, tmp_path, resume=True, cbs=[Track(second)], **REST)
    assert (second.steps(), second.steps('image')) == ([3, 4], [4])
    train_run(root, tmp_path, resume=True, cbs=[Track(third)], **REST) # nothing left to do
    assert third.said == []
    rows = read_csv(tmp_path/'metrics.csv')
    sent = [o[2] for o in first.said+second.said if o[0] == 'log']
    for row,figures in zip(rows, sent, strict=True): assert all(abs(figures[k]-v) < 1e-5 for k,v in row.items() if k != 'epoch')
    recipe = second.said[0][1]
    assert second.said[0][0] == 'settings' and recipe['epochs'] == 4 and not [k for k in recipe if 'track' in k]


def test_a_stretch_ends_with_a_picture(root, tmp_path):
    ear = Listener()
    train_run(root, tmp_path, epochs=3, stretch=1e-6, cbs=[Track(ear)], **TINY)
    assert (ear.steps(), ear.steps('image'), ear.said[-1]) == ([1], [1], ('finish',))


def test_a_second_fit_goes_on_and_another_network_begins_anew(root):
    "Steps belong to a network."
    ear = Listener()
    track = Track(ear, every=0)
    fit(fit(learner(root), 2, cbs=track), 1, cbs=track)
    fit(learner(root), 1, cbs=track)
    assert ear.steps() == [1, 2, 3, 1]


# Libraries, played by others

class Kit:
    "wandb or trackio, as far as it is spoken to."
    __file__,__version__ = 'kit.py','0.1'
    Image,Settings = staticmethod(lambda picture: ('picture', picture.shape)),dict
    def __init__(self, key=True, mode='online'):
        self.begun,self.logged,self.key,self.mode,self.asked = [],[],key,mode,0
    def setup(self): return SimpleNamespace(settings=SimpleNamespace(mode=self.mode))
    def login(self, prompt, verify):
        assert prompt is False and verify is False
        self.asked += 1
        return self.key
    def init(self, *args, **kwargs):
        self.begun.append((args, kwargs))
        return SimpleNamespace(log=lambda figures, **step: self.logged.append((figures, step)), finish=lambda: None, define_metric=lambda *a, **k: None,
                               config=SimpleNamespace(update=lambda *a, **k: None), url='https://there')


@pytest.fixture
def kit(monkeypatch):
    monkeypatch.delenv('WANDB_MODE', raising=False)
    def put(name, kit):
        monkeypatch.setitem(sys.modules, name, kit)
        return kit
    return put


def test_wandb_goes_on_in_the_same_run(root, tmp_path, kit):
    wandb,said = kit('wandb', Kit()),[]
    train_run(root, tmp_path/'run', epochs=2, cbs=[Track('wandb', 'streets', say=said.append)], **TINY)
    place = json.loads((tmp_path/'run'/'track.json').read_text())['wandb']
    train_run(root, tmp_path/'run', resume=True, epochs=3, cbs=[Track('wandb', say=said.append)], **REST) # where it was
    assert [k['id'] for _,k in wandb.begun] == 2*[place['id']] and {k['project'] for _,k in wandb.begun} == {'streets'}
    assert [f['epoch'] for f,step in wandb.logged if 'miou' in f] == [1, 2, 3] and not any(step for _,step in wandb.logged)
    assert said == 2*['tracked: https://there']
    train_run(root, tmp_path/'run', resume=True, epochs=4, cbs=[Track('wandb', 'team/other', say=said.append)], **REST)
    last = wandb.begun[-1][1]
    assert last['id'] != place['id'] and (last['entity'], last['project']) == ('team', 'other')
    assert said[2] == 'wandb knows nothing of the first 3 epochs: they are in streets'


def test_two_runs_of_one_name_are_two_runs(root, tmp_path, kit):
    trackio = kit('trackio', Kit())
    for place in 'ab': train_run(root, tmp_path/place/'run', epochs=1, cbs=[Track('trackio', say=lambda text: None)], **TINY)
    (a,_),(b,_) = trackio.begun
    assert a[0] == b[0] == 'pixseg' and a[1] != b[1] and a[1].startswith('run-')
    assert [step for f,step in trackio.logged if 'miou' in f] == 2*[dict(step=1)]


def test_wandb_is_never_asked_for_a_key_by_prompt(kit, monkeypatch):
    kit('wandb', Kit(key=False))
    with pytest.raises(PixsegError, match='wandb knows no key of yours: run `wandb login` once, or set WANDB_MODE=offline'): Track('wandb')
    monkeypatch.setenv('WANDB_MODE', 'offline')
    assert Track('wandb').kit.asked == 1 # before, and not again
    monkeypatch.delenv('WANDB_MODE')
    kit('wandb', Kit(mode='offline'))
    assert Track('wandb').kit.asked == 0
    old = kit('wandb', Kit())
    old.login = lambda: True
    with pytest.raises(PixsegError, match='`pip install -U wandb`'): Track('wandb')
    old.login = lambda **kwargs: 1/0
    with pytest.raises(PixsegError, match=r'^wandb cannot log in \(division by zero\)'): Track('wandb')


@pytest.mark.parametrize('name', ['tensorboard', 'wandb', 'trackio'])
def test_a_library_that_is_missing_is_named(name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PixsegError, match=rf"needs the package {name}: `pip install 'pixseg\[track\]'`, or `pip install {name}`, brings it$"): Track(name)
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(__file__=None)) # a folder of that name, where events lie
    with pytest.raises(PixsegError, match=f'needs the package {name}'): Track(name)


@pytest.mark.parametrize('args,words', [(('tensorbord',), 'choose tensorboard, wandb, trackio'), ((7,), 'a int is no tracker: it lacks log'),
    (('wandb', ''), 'is no place'), ((Listener(), 'here'), 'leave it out'), ((Listener(), None, -1), 'every=-1'), ((Listener(), None, 1, 0), 'n=0')])
def test_mistakes_are_told_before_anything(args, words):
    with pytest.raises(ConfigError, match=words): Track(*args)


def test_the_command(root, tmp_path, kit, capsys):
    trackio = kit('trackio', Kit())
    tiny = ['--epochs', '1', '--width', '4', '--depth', '2', '--device', 'cpu', '--quiet']
    assert main(['train', str(root), '--out', str(tmp_path/'run'), '--track', 'trackio=streets', '--json', '-', *tiny]) == 0
    out = capsys.readouterr()
    assert json.loads(out.out)['rows'] and 'tracked: trackio show --project streets' in out.err
    assert trackio.begun[0][0][0] == 'streets' and not [k for k in json.loads((tmp_path/'run'/'config.json').read_text()) if 'track' in k]
    for wrong,words in (('tensorbord', "there is no tracker 'tensorbord'"), ('trackio=', 'is no place for a tracker'), ('', '--track is empty')):
        assert main(['train', str(root), '--out', str(tmp_path/'new'), '--track', wrong, *tiny]) == 2
        assert words in capsys.readouterr().err and not (tmp_path/'new').exists()


def test_trackers_are_an_extra():
    ini = ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini')
    names = lambda k: {o.split('>')[0] for o in ini['DEFAULT'][k].split()}
    assert names('track_requirements') == {'tensorboard', 'wandb', 'trackio'} and not names('track_requirements') & names('requirements')


# TensorBoard, where it is installed

def events(where):
    "Steps and values of mean IoU, steps of the pictures, and all tags."
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    board = EventAccumulator(str(where))
    board.Reload()
    tags = board.Tags()
    return [(o.step, o.value) for o in board.Scalars('miou')],[o.step for o in board.Images('predictions')],tags['scalars']+tags['tensors']


def test_tensorboard_has_the_whole_run_once(root, tmp_path):
    "Killed after four epochs of which two were kept: resumed, each step is there once, with the figures that were kept."
    pytest.importorskip('tensorboard')
    out,track = tmp_path/'run',lambda: [Track('tensorboard', every=2, say=lambda text: None)]
    train_run(root, out, epochs=2, cbs=track(), **TINY)
    shutil.copytree(out, tmp_path/'kept', ignore=shutil.ignore_patterns('tensorboard'))
    train_run(root, out, resume=True, epochs=4, lr=1e-2, cbs=track(), **REST)
    shutil.copytree(tmp_path/'kept', out, dirs_exist_ok=True) # as it was on the disk
    run = train_run(root, out, resume=True, epochs=3, cbs=track(), **REST)
    figures,pictures,tags = events(out/'tensorboard')
    assert [o[0] for o in figures] == [1, 2, 3] and pictures == [2, 3] and {'lr', 'seconds', 'settings/text_summary'} <= {*tags}
    assert all(abs(v-r['miou']) < 1e-5 for (_,v),r in zip(figures, run['rows']))


def test_tensorboard_does_not_mix_two_runs(root, tmp_path):
    pytest.importorskip('tensorboard')
    track = lambda: [Track('tensorboard', tmp_path/'events', every=0, say=lambda text: None)]
    train_run(root, tmp_path/'a', epochs=1, cbs=track(), **TINY)
    with pytest.raises(PixsegError, match="holds another run's events, and TensorBoard would mix them"): train_run(root, tmp_path/'b', epochs=1, cbs=track(), **TINY)
    assert len(train_run(root, tmp_path/'a', resume=True, epochs=2, cbs=track(), **REST)['rows']) == 2
