"What of a GPU's work can be shown without one: .ci/gpu_smoke.py on a CPU, windows cut both ways, a step on tensors that only say they lie on a GPU."
import importlib.util
import json
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.torch_core import set_seed
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pixseg import fit as fit_module
from pixseg.data import seg_dls
from pixseg.device import memory_format
from pixseg.encoder import EncoderUNet
from pixseg.fit import training_dtype
from pixseg.io.streets import draw_streets
from pixseg.io.windows import cut_bytes, cut_device, span
from pixseg.learner import seg_learner
from pixseg.rare import SegLoss
from pixseg.run.train import load_state, save_state, take_state
from pixseg.unet import UNet

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT/'.ci'/'gpu_smoke.py'
ON_A_CPU = ['device', 'windows', 'training', 'autocast', 'sizes', 'resume']
ON_A_GPU = ['overflow', 'crossing', 'masks', 'memory', 'waits', 'writing']


def load():
    "The script as a module."
    spec = importlib.util.spec_from_file_location('gpu_smoke', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


smoke = load()


@pytest.fixture(scope='module')
def folder(tmp_path_factory): return tmp_path_factory.mktemp('smoke')


@pytest.fixture
def place(folder, monkeypatch):
    "A CPU that is taken for a GPU by the checks, and trains in float16."
    def any_dtype(precision, device): return smoke.DTYPES.get(precision) or training_dtype(precision, device)
    monkeypatch.setenv('PIXSEG_CACHE', 'off')
    monkeypatch.setattr(fit_module, 'training_dtype', any_dtype)
    monkeypatch.setattr(smoke.Place, 'needs_gpu', lambda *_: None)
    return smoke.Place(torch.device('cpu'), True, folder)


def of(name, place):
    "A check by itself: what it measured, what is wrong."
    smoke.CHECKS[name](place, got := smoke.Figures())
    return got


# ---- the script

def test_it_runs_on_a_cpu(tmp_path):
    "What has a meaning there passes, the rest is skipped and says why; all of it is in the file."
    path = tmp_path/'new'/'cpu.json'
    argv = ['--json', path, '--device', 'cpu', '--quick', '--only', ','.join(ON_A_CPU+ON_A_GPU)]
    done = subprocess.run([sys.executable, '-W', 'ignore', str(SCRIPT), *map(str, argv)], capture_output=True, text=True, timeout=600,
                          env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stdout+done.stderr
    record = json.loads(path.read_text())
    assert record['done'] and record['device'] == 'cpu' and record['quick'] and record['seconds'] > 0 and record['torch'] == torch.__version__
    results = {k: o['result'] for k,o in record['checks'].items()}
    assert list(results) == [o for o in smoke.CHECKS if o != 'minutes'] # in order
    assert [k for k,o in results.items() if o == 'passed'] == ON_A_CPU
    assert all(len(results[o]) > 20 and results[o].startswith('skipped: ') for o in ON_A_GPU)
    assert record['checks']['resume']['figures']['weights'] == 0 # a CPU adds up in one order
    assert [line.split(':')[0] for line in done.stdout.splitlines()[:-1]] == list(results)
    assert record['passed'] == 6 and record['skipped'] == 6 and list(path.parent.iterdir()) == [path]


def script(monkeypatch, path, *argv, **checks):
    "The script with other checks: its exit code."
    if checks: monkeypatch.setattr(smoke, 'CHECKS', checks)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    try: return smoke.main([*argv, '--json', str(path)])
    except SystemExit as e: return e.code


def good(place, got): got['loss'] = math.nan
def bad(place, got): got.update(share=.123456); got.want(got['share'] > .5, 'too little')
def ugly(place, got): raise RuntimeError('CUDA out of memory.\nTried to allocate 2 GiB')
def absent(place, got): raise smoke.Skip('none here')


def test_a_check_that_fails_ends_in_1_and_the_others_run(monkeypatch, tmp_path, capsys):
    checks = dict(first=good, bad=bad, ugly=ugly, absent=absent, last=good)
    assert script(monkeypatch, tmp_path/'a.json', '--device', 'cpu', **checks) == 1
    record = json.loads((tmp_path/'a.json').read_text())
    assert [o['result'] for o in record['checks'].values()] == ['passed', 'failed', 'failed', 'skipped: none here', 'passed']
    assert record['checks']['bad']['figures'] == dict(share=.1235) and record['checks']['bad']['wrong'] == ['too little']
    assert record['checks']['ugly']['wrong'] == ['RuntimeError: CUDA out of memory. Tried to allocate 2 GiB']
    assert (record['passed'], record['failed'], record['skipped']) == (2, 2, 1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and 'WRONG: too little' in lines[1] and 'nan' in lines[0] and '2 failed' in lines[-1]
    assert script(monkeypatch, tmp_path/'a.json', '--device', 'cpu', '--only', 'absent,last', **checks) == 0
    assert list(json.loads((tmp_path/'a.json').read_text())['checks']) == ['absent', 'last']


def test_a_script_that_is_ended_leaves_what_it_had(monkeypatch, tmp_path):
    def ended(place, got): raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): script(monkeypatch, tmp_path/'a.json', '--device', 'cpu', first=good, ended=ended, last=good)
    record = json.loads((tmp_path/'a.json').read_text())
    assert list(record['checks']) == ['first'] and not record['done']


@pytest.mark.parametrize('argv,said', [(['--only', 'masks,mask'], "no check is called 'mask'"), (['--only', ''], "no check is called ''"),
                                       (['--device', 'tpu'], "'tpu'"), (['--fast'], '--fast'),
                                       (['--device', 'cuda'], "no device 'cuda'"), ([], "no device 'cuda'")])
def test_a_bad_call_or_no_gpu_is_told_in_one_line(monkeypatch, tmp_path, capsys, argv, said):
    def none(*args, **kwargs): raise RuntimeError('no driver')
    monkeypatch.setattr(torch, 'empty', none)
    assert script(monkeypatch, tmp_path/'a.json', *argv) == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and err.startswith('gpu_smoke.py: ') and said in err and not (tmp_path/'a.json').exists()


def test_a_file_that_cannot_be_written_is_a_bad_call(monkeypatch, tmp_path, capsys):
    assert script(monkeypatch, tmp_path, '--device', 'cpu', first=good) == 2
    assert 'cannot be written' in capsys.readouterr().err


# ---- the checks for a GPU, on a CPU that is taken for one

def test_overflow(place):
    got = of('overflow', place)
    assert got['skipped'] and got['scale'][1] == got['scale'][0]/2 and got['moved_after'] == 1 and not got.wrong


def test_overflow_sees_a_step_that_was_taken(place, monkeypatch):
    monkeypatch.setattr(torch.amp.GradScaler, 'step', lambda self, opt: opt.step())
    wrong = of('overflow', place).wrong
    assert 'the step was taken' in wrong and 'a weight is no number' in wrong


def test_autocast_sees_what_was_left_open(place, monkeypatch):
    def left(self, *args, **kwargs): torch.set_autocast_enabled('cpu', True)
    try:
        monkeypatch.setattr(torch.autocast, '__exit__', left)
        assert any('autocast was left on' in o for o in of('autocast', place).wrong)
    finally: torch.set_autocast_enabled('cpu', False)


def test_crossing(place, monkeypatch):
    "Each way is tried, whatever becomes of the one before; on the way the weights stay as they are."
    ways, plain = [], smoke.cross
    def cross(place, name, first, second, got):
        ways.append((name, str(first['device']), first['precision'], str(second['device']), second['precision']))
        if name == 'from the CPU': return plain(place, name, first, second, got)
        raise RuntimeError('planned')
    monkeypatch.setattr(smoke, 'cross', cross)
    place.device = torch.device('cpu', 0) # another name of the same one
    got = of('crossing', place)
    assert got['from the CPU']['apart'] == 0 and len(got['from the CPU']['losses']) == 2 and len(got.wrong) == len(ways)-1 == 4
    assert ways[:2] == [('to the CPU', 'cpu:0', 'auto', 'cpu', 'auto'), ('from the CPU', 'cpu', 'auto', 'cpu:0', 'auto')]
    assert [o[2::2] for o in ways[2:]] == [('fp16', 'auto'), ('fp16', 'fp32'), ('fp32', 'fp16')]


def test_a_run_in_float16_goes_on_in_another_arithmetic(place):
    smoke.cross(place, 'half', dict(precision='fp16'), dict(precision='fp32'), got := smoke.Figures())
    assert not got.wrong


def test_masks(place):
    got = of('masks', place)
    assert got['camvid-unet fp32'] == got['camvid-encoder fp32'] == 1 and len(got) == 6 and not [o for o in got.wrong if 'bf16' not in o]


def test_memory(place, monkeypatch):
    "Network by network; one that has no room is told, and the next one is measured."
    said = iter([1e9, RuntimeError('CUDA out of memory'), 13e9])
    def most(device):
        if isinstance(o := next(said), Exception): raise o
        return o
    monkeypatch.setattr(torch.cuda, 'reset_peak_memory_stats', lambda device: None)
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', most)
    got = of('memory', place)
    assert got == {'unet 48x64': 1, 'encoder 48x64': 13}
    assert got.wrong == ['unet in blocks of 2x2 48x64: RuntimeError: CUDA out of memory', 'encoder at 48x64 takes 13.0 GB']


class Synchronizes(Callback):
    "Says so many times what PyTorch says of a step that waits, and once something else."
    order, run_valid = 5, False
    def __init__(self, n): self.n = n
    def before_batch(self):
        for _ in range(self.n): warnings.warn('called a synchronizing CUDA operation', stacklevel=1)
        warnings.warn('of another kind', stacklevel=1)


@pytest.mark.parametrize('n', [0, 1, 3])
def test_waits(place, monkeypatch, n):
    modes, plain = [], smoke.learner
    def waiting(*args):
        learn = plain(*args)
        learn.add_cb(Synchronizes(n))
        return learn
    monkeypatch.setattr(smoke, 'learner', waiting)
    monkeypatch.setattr(torch.cuda, 'set_sync_debug_mode', modes.append)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        got = smoke.waiting(place, 'unet', 'fp32', figures := smoke.Figures())
    assert modes == ['warn', 'default'] and got['waits'] == n and got['copies'] == 0
    assert [k.split(':')[0] for k in got['sites']] == ['test_gpu_smoke.py']*bool(n)
    assert [o.split(': ')[1] for o in figures.wrong] == {0: ['not even the wait for the loss was seen'], 1: [], 3: ['a step waits 3 times']}[n]


def test_a_run_by_the_clock(place):
    "Its figures; they are judged elsewhere, where nothing else runs."
    run = smoke.timed(place)
    assert run is smoke.timed(place) and run['wanted'] == 3 and run['writings'] >= 1 and run['epochs'] >= 1
    assert 0 < run['writing'] < run['took']


@pytest.mark.parametrize('took,spent,wrong', [(30., 1., [0, 0]), (36.1, 1., [1, 0]), (23.9, 1., [1, 0]), (35., 4., [0, 1])])
def test_a_run_by_the_clock_is_judged(tmp_path, took, spent, wrong):
    place = smoke.Place(torch.device('cpu'), False, tmp_path, dict(timed=dict(wanted=30., took=took, writing=spent, writings=4, epochs=9)))
    assert [len(of(o, place).wrong) for o in ('minutes', 'writing')] == wrong


# ---- windows

def axis(rng, frame, crop):
    "Some part of a frame along one axis, which may begin before it, end after it or both."
    length = int(rng.integers(1, 2*frame+2))
    return span(int(rng.integers(1-length, frame)), length, frame, crop)


@pytest.mark.parametrize('seed', range(4))
def test_windows_cut_by_either_way_are_the_same(seed):
    "Bytes of any kind, frames and crops from a single row on, windows anywhere."
    rng = np.random.default_rng(seed)
    for least in (1, 8, 24)*15:
        (h, w, ch, cw), n = rng.integers(least, 64, 4).tolist(), int(rng.integers(1, 4))
        imgs = torch.from_numpy(rng.integers(0, 256, (n, h, w, 3), dtype=np.uint8)).permute(0, 3, 1, 2)
        masks = torch.from_numpy(rng.integers(0, 12, (n, h, w), dtype=np.uint8))
        windows = [(axis(rng, h, ch), axis(rng, w, cw), bool(rng.random() < .5)) for _ in range(n)]
        (a, am), (b, bm) = (f(imgs, masks, windows, (ch, cw), 11) for f in (cut_bytes, cut_device))
        assert a.dtype == b.dtype == torch.uint8 and a.shape == b.shape == (n, 3, ch, cw), (h, w, windows)
        assert (a.int()-b.int()).abs().max() <= 2 and torch.equal(am, bm), (h, w, windows)


# ---- a step on tensors that only say that they lie on a GPU

class Answers(TorchDispatchMode):
    "Devices of whatever any operator answers."
    def __init__(self):
        super().__init__()
        self.devices = set()

    def __torch_dispatch__(self, f, types, args=(), kwargs=None):
        out = f(*args, **(kwargs or {}))
        self.devices |= {str(o.device) for o in tree_leaves(out) if isinstance(o, torch.Tensor)}
        return out


NETS = dict(unet=lambda: UNet(11, width=4, depth=2), fold=lambda: UNet(11, width=4, depth=2, fold=2),
            encoder=lambda: EncoderUNet(11, pretrained=False))
SHAPE = 2, 3, 61, 95


def parts(net):
    "Network, loss, photographs and masks on the device of the moment; the loss has looked at the ids of a first batch."
    loss = SegLoss(11, torch.ones(11), .5)
    loss._checked = True
    return NETS[net](), loss, torch.randn(SHAPE), torch.randint(0, 12, (SHAPE[0], *SHAPE[2:]))


@pytest.fixture(scope='module')
def fake_gpu():
    "Whether this build of PyTorch can pretend to have a GPU."
    try:
        with FakeTensorMode(): torch.ones(1, device='cuda:0').add(1)
    except (RuntimeError, AssertionError, NotImplementedError) as e: pytest.skip(f'no fake tensors on a GPU: {e}')


@pytest.mark.parametrize('net', NETS)
def test_a_forward_pass_never_leaves_the_gpu(net, fake_gpu):
    "In float16, and up to the loss; `item` and its kind raise an error by themselves, since a fake tensor has no numbers."
    with FakeTensorMode():
        with torch.device('cuda:0'): model, loss, x, targ = parts(net)
        torch.set_autocast_enabled('cuda', True) # `torch.autocast` would not, without a GPU
        torch.set_autocast_dtype('cuda', torch.float16)
        try:
            with Answers() as seen:
                pred = model(x.contiguous(memory_format=memory_format('cuda')))
                value = loss(pred.float(), targ)
        finally:
            torch.set_autocast_enabled('cuda', False)
            torch.clear_autocast_cache()
        assert seen.devices == {'cuda:0'} and str(value.device) == 'cuda:0' and value.shape == () and value.dtype == torch.float32
        assert pred.shape == (SHAPE[0], 11, *SHAPE[2:]) and pred.dtype == (torch.float32 if net == 'encoder' else torch.float16)
        with Answers() as seen: value.cpu() # it would have been seen
        assert 'cpu' in seen.devices


@pytest.mark.parametrize('net', NETS)
def test_a_backward_pass_needs_no_numbers(net):
    "On tensors without numbers, not fake ones on a GPU: the engine of gradients asks for a GPU's streams, and without a driver there are none."
    with torch.device('meta'): model, loss, x, targ = parts(net)
    value = loss(model(x), targ)
    value.backward()
    assert value.device.type == 'meta' and value.shape == ()
    assert all(p.grad.is_meta and p.grad.shape == p.shape for p in model.parameters())


# ---- the scale of gradients

class Scaler:
    "Multiplies by eight, and writes down what it is asked for; step `skips` is not taken."
    def __init__(self, skips=None): self.factor, self.skips, self.calls, self.steps = 8., skips, [], 0
    def scale(self, loss): self.calls.append('scale'); return loss*self.factor
    def unscale_(self, opt):
        self.calls.append('unscale_')
        for p in (p for g in opt.param_groups for p in g['params']): p.grad /= self.factor
    def step(self, opt):
        self.calls.append('step')
        if self.steps != self.skips: opt.step()
        self.steps += 1
    def update(self): self.calls.append('update')
    def state_dict(self): return dict(factor=self.factor, steps=self.steps)
    def load_state_dict(self, o): self.factor, self.steps = o['factor'], o['steps']


class Scaling(Callback):
    "A scaler for a fit, weights after every step, and gradients as one who clips them sees them."
    order, run_valid = 11, False # after the layout's
    def __init__(self, scaler=None): self.scaler, self.grads, self.weights = scaler, [], []
    def flat(self, grad=False): return torch.cat([(p.grad if grad else p).detach().flatten().clone() for p in self.model.parameters()])
    def before_fit(self): self.learn.scaler = self.scaler
    def before_step(self): self.grads.append(self.flat(grad=True))
    def after_step(self): self.weights.append(self.flat())


@pytest.fixture(scope='module')
def root(tmp_path_factory): return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=12, val=2, test=0, size=(48, 64))


def scaled(root, scaler):
    "A fit of three steps with this scaler: the learner, and what its callback saw."
    set_seed(0)
    learn = seg_learner(seg_dls(root, bs=4, device='cpu', cache=False), UNet(11, width=4, depth=2), precision='fp32')
    with learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-2, cbs=(look := Scaling(scaler)))
    return learn, look


def test_a_scaler_is_asked_in_the_right_order(root):
    "Eight times the loss and an eighth of the gradients is, to the last bit, the same training; whoever clips gradients sees the true ones."
    (_, plain), (_, look) = scaled(root, None), scaled(root, scaler := Scaler())
    assert scaler.calls == ['scale', 'unscale_', 'step', 'update']*3
    assert torch.equal(torch.stack(plain.grads), torch.stack(look.grads)) and torch.equal(torch.stack(plain.weights), torch.stack(look.weights))


def test_a_step_that_the_scaler_leaves_out_moves_nothing(root):
    _, look = scaled(root, Scaler(skips=1))
    assert torch.equal(look.weights[0], look.weights[1]) and not torch.equal(look.weights[1], look.weights[2])


def test_a_scalers_state_goes_into_a_checkpoint_and_comes_out(root, tmp_path):
    learn, look = scaled(root, scaler := Scaler())
    learn.scaler = scaler
    state = take_state(learn, 1)
    scaler.factor = 1. # a copy was taken
    save_state(tmp_path/'state.pt', state)
    fresh, _ = scaled(root, None)
    assert load_state(tmp_path/'state.pt', fresh)['scaler'] == dict(factor=8., steps=3)
    assert torch.equal(torch.cat([p.detach().flatten() for p in fresh.model.parameters()]), look.weights[-1])
