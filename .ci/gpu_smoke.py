"""What only a GPU can show, once before a release: training, predicting and resuming on one CUDA device, in less than five minutes.

    python .ci/gpu_smoke.py --json gpu.json                      # every check; a line for each
    python .ci/gpu_smoke.py --json gpu.json --only device,masks  # only these
    python .ci/gpu_smoke.py --json cpu.json --device cpu --quick # what has a meaning on a CPU, small

No network and no data set are needed: streets are drawn, models are those of the package. Exit code 0: no check failed; 1: one did; 2: a bad call, or
no such device. The file is written anew after every check, so that a script that was ended leaves what it had.
"""
import argparse
import gc
import json
import math
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from unittest import mock

import matplotlib
import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.torch_core import set_seed

from pixseg import __version__
from pixseg.answer import best_class
from pixseg.data import seg_dls
from pixseg.device import pick_device, pick_precision
from pixseg.encoder import EncoderUNet
from pixseg.io.files import atomic
from pixseg.io.streets import draw_street, draw_streets
from pixseg.io.windows import cut_bytes, cut_device, span
from pixseg.labels import CAMVID, PixsegError
from pixseg.learner import seg_learner
from pixseg.loader import SegAugment
from pixseg.modelfile import load_model
from pixseg.predict import predict_masks, to_input
from pixseg.run.train import RunFolder, train_run
from pixseg.unet import UNet

CHECKS = {} # by name, in the order in which they run
DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16, fp16=torch.float16)
VOID = CAMVID.n
BYTES, SAME_WEIGHTS, SAME_FIGURES = 2, 1e-3, 1e-2 # largest differences: of a byte of a window; of a weight and of a figure of a resumed run
SAME_PIXELS = dict(fp32=.998, fp16=.998, bf16=.98) # least share of the pixels that agree with the CPU's; of bf16, .99 is hoped for
GIGABYTES = 12. # most that training a network may take
WAITS, COPIES = 2, 12 # most that a step may wait for its loss and scale; most little tables that a batch may send to the device
LATE, WRITING = .2, .1 # shares: most that a run may miss its minutes by; most of its time that it may write
SENDERS = 'windows.py', 'loader.py', 'split.py' # modules that make batches


class Skip(Exception):
    "A check that has no meaning here, and why."


class Figures(dict):
    "What a check has measured; and in `wrong`, in words, what of it is not as it should be."
    def __init__(self):
        super().__init__()
        self.wrong = []

    def want(self, good, words):
        if not good: self.wrong.append(words)

    def attempt(self, name, f, *args):
        "A part of a check: its figures, or its error as one of the things that are wrong; out of memory is such an error."
        try: self[name] = f(*args)
        except Skip: raise
        except Exception as e: self.wrong.append(f'{name}: {in_one_line(e)}')
        free()


@dataclass
class Place:
    "Where the checks run, and how much they do."
    device: torch.device
    quick: bool
    folder: Path
    kept: dict = field(default_factory=dict)

    @property
    def on_gpu(self): return self.device.type == 'cuda'
    @property
    def bf16(self): return not self.on_gpu or torch.cuda.get_device_capability(self.device)[0] >= 8
    @property
    def small(self): return (48, 64) if self.quick else (96, 128)
    @property
    def net(self): return dict(width=4, depth=2) if self.quick else {}

    def precisions(self):
        "The arithmetics in which this device trains."
        return ['fp32', *['bf16']*self.bf16, *['fp16']*self.on_gpu]

    def needs_gpu(self, why):
        if not self.on_gpu: raise Skip(why)

    def streets(self, size=None, train=None, val=4):
        "A drawn data set, drawn once."
        size, train = size or self.small, train or (16 if self.quick else 64)
        return draw_streets(self.folder/f'streets{size[0]}x{size[1]}-{train}-{val}', train=train, val=val, test=0, size=size)


def check(f):
    "Register a check under the name of its function."
    CHECKS[f.__name__] = f
    return f


def free():
    "Give back what a GPU holds of earlier checks; a learner and its callbacks hold each other."
    if not torch.cuda.is_available(): return
    gc.collect()
    torch.cuda.empty_cache()


def in_one_line(e): return f"{type(e).__name__}: {' '.join(str(e).split())[:300]}"
def quiet(*args): pass


# ---- networks, learners and runs

def networks(place):
    "Every kind of network, by name."
    return {'unet': lambda: UNet(VOID, **place.net), 'unet in blocks of 2x2': lambda: UNet(VOID, fold=2, **place.net),
            'encoder': lambda: EncoderUNet(VOID, pretrained=False)}


def learner(place, net='unet', precision='auto', **kwargs):
    "A learner on drawn streets, always with the same weights."
    set_seed(0)
    root, bs = place.streets(**kwargs), 4 if place.quick else 8
    return seg_learner(seg_dls(root, bs=bs, device=place.device, cache=False), networks(place)[net](), precision=precision)


def fit(learn, epochs, *cbs):
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(epochs, learn.lr, cbs=cbs)


def go(place, name, resume=False, **kwargs):
    "A run into the folder `name`; a network named while going on is the one that is there."
    kwargs = dict(bs=4 if place.quick else 8, device=place.device, **place.net) | kwargs
    return train_run(place.streets(), place.folder/name, resume=resume, progress=False, say=quiet, **kwargs)


def weights(place, name): return load_model(place.folder/name/'last.safetensors').state_dict()


def apart(a, b):
    "The largest difference between two sets of weights."
    return max(float((a[k].double()-b[k].double()).abs().max()) for k in a)


class EachLoss(Callback):
    "The loss of every step."
    run_valid = False
    def __init__(self): self.seen = []
    def after_loss(self): self.seen.append(self.learn.loss.item())


class Stops(Callback):
    "Ctrl-C before an epoch begins."
    def __init__(self, epoch): self.when = epoch
    def before_epoch(self):
        if self.epoch == self.when: raise KeyboardInterrupt


class Begins(Callback):
    "The weights with which a fit begins."
    def before_fit(self): self.weights = {k: v.detach().cpu().clone() for k,v in self.model.state_dict().items()}


# ---- the checks

@check
def device(place, got):
    "The device and the arithmetic that are chosen if nobody says anything."
    chosen, dtype = pick_device(), pick_precision(place.device)
    got.update(chosen=str(chosen), precision=str(dtype), bf16=place.bf16)
    got.want(chosen.type == 'cuda' or not place.on_gpu, f'there is a GPU, but {chosen} was chosen')
    if place.on_gpu: got.want(dtype == (torch.bfloat16 if place.bf16 else torch.float16), f'{dtype} is not what this GPU is fast in')
    else: got.want(dtype in (torch.float32, torch.bfloat16), f'a CPU does not train in {dtype}')


CUTS = dict(within=((96, 128), (64, 80), (1., 2.)), larger=((96, 128), (96, 128), (.4, .9)), wider=((96, 128), (64, 160), (.9, 1.1)),
            usual=((360, 480), (192, 256), (.53, 1.1))) # size of the frames, of the windows, and their magnification


def frames(n, size):
    "Drawn photographs `(n,3,H,W)`, channels last as those of a loader, and their masks."
    imgs, masks = zip(*(draw_street(i, size) for i in range(n)))
    return torch.from_numpy(np.stack(imgs)).permute(0, 3, 1, 2), torch.from_numpy(np.stack(masks)).clamp(max=VOID)


def compare(place, imgs, masks, drawn, crop):
    "Largest difference of a byte, and pixels with another class, between the CPU's windows and the device's."
    (a, am), (b, bm) = cut_bytes(imgs, masks, drawn, crop, VOID), cut_device(imgs.to(place.device), masks.to(place.device), drawn, crop, VOID)
    return int((a.int()-b.cpu().int()).abs().max()), int((am != bm.cpu()).sum())


def edge_windows(h, w, crop):
    "Windows that look out over each corner of a frame, mirrored and not."
    ends = [(span(y, h//2, h, crop[0]), span(x, w//2, w, crop[1])) for y in (-h//4, 3*h//4) for x in (-w//4, 3*w//4)]
    return [(*o, mirror) for o in ends for mirror in (False, True)]


@check
def windows(place, got):
    "Windows cut on the device are those cut by the CPU."
    for name,(size, crop, scale) in CUTS.items():
        imgs, masks = frames(4, size)
        aug, seen = SegAugment(crop, scale, .5, VOID), []
        rounds = [[aug.window(*size) for _ in imgs] for _ in range(2 if place.quick else 8)]
        edges = edge_windows(*size, crop)
        for drawn in (*rounds, edges[:4], edges[4:]): seen.append(compare(place, imgs, masks, drawn, crop))
        mirrored = sum(o[2] for r in (*rounds, edges) for o in r)
        got[name] = dict(windows=4*len(seen), mirrored=mirrored, byte=max(o[0] for o in seen), ids=sum(o[1] for o in seen))
        got.want(got[name]['byte'] <= BYTES, f"{name}: a byte differs by {got[name]['byte']}")
        got.want(not got[name]['ids'], f"{name}: {got[name]['ids']} pixels have another class")


def learns(place, net, precision, got):
    "Mean loss of the first and of the last quarter of a short training."
    losses, learn = EachLoss(), learner(place, net, precision)
    fit(learn, 3 if place.quick else 5, losses)
    n = len(losses.seen)//4
    first, last = (sum(o)/n for o in (losses.seen[:n], losses.seen[-n:]))
    got.want(all(map(math.isfinite, losses.seen)), f'{net} in {precision}: a loss is no number')
    got.want(last < first, f'{net} in {precision}: the loss does not fall, {first:.3f} to {last:.3f}')
    return dict(steps=len(losses.seen), first=first, last=last)


@check
def training(place, got):
    "Every network learns in every arithmetic of the device."
    for net in networks(place):
        for precision in place.precisions(): got.attempt(f'{net} {precision}', learns, place, net, precision, got)


class Overflows(Callback):
    "Puts an infinity into a gradient at one step and looks at what becomes of weights and scale."
    run_valid = False
    def __init__(self, step): self.step, self.skipped, self.moved, self.scale = step, None, None, []
    def copy(self): return [p.detach().clone() for p in self.model.parameters()]
    def same(self): return all(torch.equal(p, q) for p,q in zip(self.before, self.model.parameters()))

    def after_backward(self):
        if self.train_iter != self.step: return
        self.before, self.scale = self.copy(), [self.learn.scaler.get_scale()]
        grad = next(p.grad for p in self.model.parameters() if p.grad is not None)
        grad[(0,)*grad.ndim] = math.inf

    def after_step(self):
        if self.train_iter == self.step: self.skipped = self.same(); self.scale.append(self.learn.scaler.get_scale())
        elif self.train_iter > self.step and self.moved is None and not self.same(): self.moved = int(self.train_iter-self.step)


@check
def overflow(place, got):
    "A step with an infinite gradient is left out, the scale halved, and the next one goes on."
    place.needs_gpu('float16 trains only on a CUDA GPU')
    look = Overflows(5 if place.quick else 12)
    learn = learner(place, precision='fp16')
    try: fit(learn, 3, look)
    except PixsegError as e: got.wrong.append(in_one_line(e)) # the training has diverged
    got.update(skipped=look.skipped, scale=look.scale, moved_after=look.moved)
    got.want(look.skipped, 'the step was taken')
    got.want(len(look.scale) == 2 and look.scale[1] == look.scale[0]/2, f'the scale went {look.scale}')
    got.want(look.moved is not None and look.moved <= 3, f'no weight moved until {look.moved} steps later')
    got.want(all(p.isfinite().all() for p in learn.model.parameters()), 'a weight is no number')


class Planned(Exception):
    "The error that a check raises on purpose."


class Fails(Callback):
    "An error in the middle of a step, while autocast is open."
    run_valid = False
    def after_pred(self):
        if self.iter == 1: raise Planned('planned')


@check
def autocast(place, got):
    "After an error in a fit nothing is open, and the learner goes on."
    for precision in place.precisions()[1:]:
        learn, kind = learner(place, precision=precision), place.device.type
        try: fit(learn, 1, Fails())
        except Planned: pass
        else: got.want(False, f'{precision}: the error went missing')
        one = torch.eye(2, device=place.device)
        closed = not torch.is_autocast_enabled(kind) and (one@one).dtype == torch.float32
        torch.set_autocast_enabled(kind, False) # no other check shall suffer for it
        fit(learn, 1, after := EachLoss())
        got[precision] = 'closed' if closed else 'open'
        got.want(closed, f'{precision}: autocast was left on')
        got.want(after.seen and all(map(math.isfinite, after.seen)), f'{precision}: the next fit does not learn')


@check
def sizes(place, got):
    "Photographs whose sides do not divide, alone and three at a time."
    models = {o: load_model(o, place.device) for o in ('camvid-unet', 'camvid-encoder')}
    for h,w in ((117, 203), (61, 90)):
        imgs = [draw_street(i, (h, w))[0] for i in range(3)]
        for name,model in models.items():
            three, one = predict_masks(model, imgs, size=None), torch.cat([predict_masks(model, [o], size=None) for o in imgs])
            same = float((three == one).float().mean())
            got[f'{name} {h}x{w}'] = same
            got.want(three.shape == (3, h, w) and one.shape == (3, h, w), f'{name}: masks of {h}x{w} are {tuple(three.shape)}')
            got.want(int(three.max()) < model.labels.n, f'{name}: class {int(three.max())} is none of {model.labels.n}')
            got.want(same > .98, f'{name} at {h}x{w}: alone and together agree in {same:.2%} of the pixels')


@check
def resume(place, got):
    "A run that was interrupted and goes on ends where one in one go ends."
    with torch.backends.cudnn.flags(enabled=True, deterministic=True):
        rows = go(place, 'whole', epochs=4, precision='fp32')['rows']
        go(place, 'again', epochs=4, precision='fp32') # how far two equal runs are apart
        go(place, 'cut', epochs=4, precision='fp32', cbs=[Stops(2)])
        after = go(place, 'cut', resume=True)['rows']
    whole, again, cut = (weights(place, o) for o in ('whole', 'again', 'cut'))
    figures = max(abs(a[k]-b[k]) for a,b in zip(rows, after) for k in a if k not in ('epoch', 'seconds'))
    got.update(epochs=[r['epoch'] for r in after], weights=apart(whole, cut), figures=figures, repeated=apart(whole, again))
    got.want(got['epochs'] == [0, 1, 2, 3] == [r['epoch'] for r in rows], f"its epochs are {got['epochs']}")
    got.want(got['weights'] <= SAME_WEIGHTS+3*got['repeated'], f"a weight differs by {got['weights']:.2g}")
    got.want(figures <= SAME_FIGURES, f'a figure differs by {figures:.2g}')


def cross(place, name, first, second, got):
    "Begin a run on one device in one arithmetic, go on with another; how far the weights are apart in between."
    go(place, name, epochs=2, cbs=[Stops(1)], **first)
    was, begins = weights(place, name), Begins()
    rows = go(place, name, resume=True, cbs=[begins], **second)['rows']
    got.want([r['epoch'] for r in rows] == [0, 1], f"{name}: its epochs are {[r['epoch'] for r in rows]}")
    got.want(all(math.isfinite(r['train_loss']) for r in rows), f'{name}: a loss is no number')
    got.want(apart(was, begins.weights) == 0, f'{name}: the weights changed on the way')
    return dict(apart=apart(was, begins.weights), losses=[r['train_loss'] for r in rows])


@check
def crossing(place, got):
    "A run begun on the device goes on with the CPU, and the other way round."
    place.needs_gpu('there is no other device to go on with')
    here, there = dict(device=place.device, precision='auto'), dict(device='cpu', precision='auto')
    got.attempt('to the CPU', cross, place, 'to the CPU', here, there, got)
    got.attempt('from the CPU', cross, place, 'from the CPU', there, here, got)
    half = dict(here, precision='fp16')
    got.attempt('fp16 to the CPU', cross, place, 'fp16 to the CPU', half, there, got)
    got.attempt('fp16 to fp32', cross, place, 'fp16 to fp32', half, dict(here, precision='fp32'), got)
    got.attempt('fp32 to fp16', cross, place, 'fp32 to fp16', dict(here, precision='fp32'), half, got)


@torch.inference_mode()
def answers(model, imgs, precision='fp32'):
    "Masks in a given arithmetic."
    x, dtype = to_input(model, imgs, imgs[0].shape[:2]), DTYPES[precision]
    with torch.autocast(x.device.type, dtype=dtype, enabled=dtype != torch.float32): logits = model(x)
    return best_class(logits.float()).cpu()


@check
def masks(place, got):
    "Trained networks answer on the device what they answer on a CPU."
    place.needs_gpu('there is no other device to compare with')
    imgs = [draw_street(i, (96, 128) if place.quick else (360, 480))[0] for i in range(4)]
    for name in ('camvid-unet', 'camvid-encoder'):
        right, model = answers(load_model(name), imgs), load_model(name, place.device)
        for precision,least in SAME_PIXELS.items():
            if precision == 'bf16' and not place.bf16: continue
            same = float((answers(model, imgs, precision) == right).float().mean())
            got[f'{name} {precision}'] = same
            got.want(same > least, f'{name} in {precision}: {same:.2%} of the pixels agree')


def peak(place, net, size, got):
    "Gigabytes that three steps of training take."
    learn = learner(place, net, size=size, train=8, val=1)
    torch.cuda.reset_peak_memory_stats(place.device)
    fit(learn, 3)
    gb = torch.cuda.max_memory_allocated(place.device)/1e9
    got.want(gb < GIGABYTES, f'{net} at {size[0]}x{size[1]} takes {gb:.1f} GB')
    return gb


@check
def memory(place, got):
    "Training takes no more memory than a small GPU has; batches of eight whole frames."
    place.needs_gpu('memory is measured on a GPU')
    for size in ((48, 64),) if place.quick else ((360, 480), (720, 960)):
        for net in networks(place): got.attempt(f'{net} {size[0]}x{size[1]}', peak, place, net, size, got)


class Waits(Callback):
    "Where the processor waits for the device, in a few steps in the middle of an epoch."
    order, run_valid = 100, False
    def __init__(self, first=2, steps=2): self.first, self.last, self.catch, self.seen = first, first+steps, None, []
    def after_batch(self):
        if self.train_iter == self.first: self.open()
        elif self.train_iter == self.last: self.after_fit()

    def open(self):
        self.catch = warnings.catch_warnings(record=True)
        self.seen = self.catch.__enter__()
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')

    def after_fit(self):
        if self.catch is None: return
        torch.cuda.set_sync_debug_mode('default')
        self.catch.__exit__(None, None, None)
        self.catch = None

    def places(self):
        "Times a step, by file and line."
        seen = Counter(f'{Path(w.filename).name}:{w.lineno}' for w in self.seen if 'synchronizing' in str(w.message))
        return {k: n/(self.last-self.first) for k,n in seen.most_common()}


def waiting(place, net, precision, got):
    "How often a step waits for its loss or its scale, and how many little tables a batch sends over, which waits as well."
    look = Waits(2, 2 if place.quick else 4)
    fit(learner(place, net, precision), 1, look)
    sites = look.places()
    copies = sum(n for k,n in sites.items() if k.split(':')[0] in SENDERS)
    waits = sum(sites.values())-copies
    got.want(waits >= 1, f'{net} in {precision}: not even the wait for the loss was seen')
    got.want(waits <= WAITS, f'{net} in {precision}: a step waits {waits:g} times')
    got.want(copies <= COPIES, f'{net} in {precision}: a batch sends {copies:g} tables')
    return dict(waits=waits, copies=copies, sites=sites)


@check
def waits(place, got):
    "A step waits for the device no more often than it must."
    place.needs_gpu('a CPU does not wait for itself')
    for net in networks(place):
        for precision in ('auto', 'fp16'): got.attempt(f'{net} {precision}', waiting, place, net, precision, got)


def timed(place):
    "A run by the clock, made once: seconds wanted, taken, spent writing; writings and epochs."
    if 'timed' in place.kept: return place.kept['timed']
    plain, spent, seconds = RunFolder.flush, [], 3. if place.quick else 30.
    def flush(self):
        start = time.perf_counter()
        plain(self)
        spent.append(time.perf_counter()-start)
    with mock.patch.object(RunFolder, 'flush', flush):
        start = time.perf_counter()
        run = train_run(place.streets(), place.folder/'timed', minutes=seconds/60, device=place.device, progress=False, say=quiet, **place.net)
        took = time.perf_counter()-start
    place.kept['timed'] = dict(wanted=seconds, took=took, writing=sum(spent), writings=len(spent), epochs=len(run['rows']))
    return place.kept['timed']


@check
def minutes(place, got):
    "A run of half a minute takes half a minute; of three seconds, if it has to be quick, a few more."
    got.update(timed(place))
    late = abs(got['took']-got['wanted'])
    got.want(late <= LATE*got['wanted']+3*place.quick, f"{got['took']:.1f} s instead of {got['wanted']:g}")


@check
def writing(place, got):
    "Such a run spends little of its time writing its folder."
    if place.quick: raise Skip('a run of seconds writes at its beginning and its end, and does little else')
    run = timed(place)
    got.update(share=run['writing']/run['took'], writings=run['writings'])
    got.want(got['share'] < WRITING, f"{got['share']:.1%} of the time went into writing")


# ---- running them

def run_one(f, place):
    "A check's result and figures; whatever happens in it, the next one finds things in order."
    got, start, result, error = Figures(), time.perf_counter(), 'passed', None
    try: f(place, got)
    except Skip as e: result = f'skipped: {e}'
    except Exception as e:
        error = in_one_line(e)
        got.wrong.append(error)
    if got.wrong: result = 'failed'
    tidy(place)
    return dict(result=result, seconds=time.perf_counter()-start, figures=dict(got), wrong=got.wrong)


def tidy(place):
    "As before the check."
    torch.set_autocast_enabled(place.device.type, False)
    if not place.on_gpu: return
    try:
        torch.cuda.set_sync_debug_mode('default')
        free()
    except RuntimeError as e: print(f'the device does not answer any more: {in_one_line(e)}', file=sys.stderr)


def header(place):
    "What was looked at, and with what."
    gpu = torch.cuda.get_device_properties(place.device) if place.on_gpu else None
    return dict(device=gpu.name if gpu else 'cpu', capability=f'{gpu.major}.{gpu.minor}' if gpu else None, memory=gpu.total_memory if gpu else None,
                tf32=bool(place.on_gpu and torch.backends.cudnn.allow_tf32), torch=torch.__version__, cuda=torch.version.cuda, pixseg=__version__,
                date=datetime.now().isoformat(timespec='seconds'), quick=place.quick, seconds=0., done=False, checks={})


def plain(o):
    "For JSON: four digits of every number, and words for those that JSON lacks."
    if isinstance(o, dict): return {k: plain(v) for k,v in o.items()}
    if isinstance(o, (list, tuple)): return [plain(v) for v in o]
    if not isinstance(o, float): return o
    return float(f'{o:.4g}') if math.isfinite(o) else str(o)


def write(path, record):
    with atomic(path) as part: part.write_text(json.dumps(plain(record), indent=1)+'\n', encoding='utf-8')


def told(name, o):
    "A check in one line."
    figures = json.dumps(plain(o['figures']))[1:-1].replace('"', '')
    wrong = f" -- WRONG: {'; '.join(o['wrong'])}" if o['wrong'] else ''
    return f"{name}: {o['result']} ({o['seconds']:.1f} s)"+f' {figures}'*bool(figures)+wrong


def arguments(argv):
    "What was asked for; a bad call ends here, with one line."
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.error = lambda message: p.exit(2, f'gpu_smoke.py: {message}\n')
    p.add_argument('--json', required=True, type=Path, metavar='FILE', help='where the figures go')
    p.add_argument('--device', default='cuda', choices=('cuda', 'cpu'))
    p.add_argument('--only', metavar='NAME,...', help=f"some of {', '.join(CHECKS)}")
    p.add_argument('--quick', action='store_true', help='small networks and few steps: to see whether this script is in order')
    args = p.parse_args(argv)
    args.only = args.only.split(',') if args.only is not None else list(CHECKS)
    for name in args.only:
        if name not in CHECKS: p.error(f"no check is called {name!r}: choose from {', '.join(CHECKS)}")
    try: args.device = pick_device(args.device)
    except PixsegError as e: p.error(e)
    return p, args


def main(argv=None):
    p, args = arguments(argv)
    matplotlib.use('agg')
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, PIXSEG_CACHE='off'):
        place = Place(args.device, args.quick, Path(folder))
        record = header(place)
        try: write(args.json, record)
        except OSError as e: p.error(f'{args.json} cannot be written ({e.strerror or e})')
        for name,f in CHECKS.items():
            if name not in args.only: continue
            one = record['checks'][name] = run_one(f, place)
            record['seconds'] = time.perf_counter()-start
            write(args.json, record)
            print(told(name, one), flush=True)
    counts = Counter(o['result'].split(':')[0] for o in record['checks'].values())
    write(args.json, {**record, **counts, 'done': True})
    print(f"{', '.join(f'{n} {k}' for k,n in counts.items())} in {record['seconds']:.0f} s on {record['device']}")
    return int(counts['failed'] > 0)


if __name__ == '__main__': sys.exit(main())
