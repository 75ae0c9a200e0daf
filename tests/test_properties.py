"""What comes from outside, of any shape: it is read, or refused with a `PixsegError`; nothing else is raised, nothing hangs, nothing takes all memory.

In the suite a few dozen examples, always the same. For more, and others each time: PIXSEG_EXAMPLES=2000 python -m pytest tests/test_properties.py"""
import contextlib
import copy
import itertools
import json
import math
import os
import shutil
import signal
import sys
import warnings
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, HealthCheck, settings, strategies as st
from PIL import Image
from safetensors.torch import save

from pixseg.encoder import EncoderUNet
from pixseg.io.encoding import decide_code, decode_ids, look_at_mask
from pixseg.io.images import open_image, read_mask
from pixseg.io.names import read_names
from pixseg.io.reading import ClassNames, PhotoCode
from pixseg.io.streets import draw_streets
from pixseg.labels import Labels, PixsegError, read_codes
from pixseg.modelfile import load_model, make_card, read_card
from pixseg.predict import predict_mask
from pixseg.run import train
from pixseg.run.config import KNOBS, RunConfig
from pixseg.run.hub import render_readme
from pixseg.run.train import run_config, train_run
from pixseg.unet import UNet

MORE = int(os.environ.get('PIXSEG_EXAMPLES', 0))
MOST = dict(test_masks=2**31) # bytes that a test may take more than it began with, at any moment: as many as a picture may that Pillow opens


def examples(n): # in the suite; so many times as many with the variable
    return settings(max_examples=MORE or n, derandomize=not MORE, database=None, deadline=None, suppress_health_check=list(HealthCheck))


def peak():
    "The most memory that this process has had, in bytes."
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss*(1 if sys.platform == 'darwin' else 1024)


@pytest.fixture(autouse=True)
def bounded(request):
    if sys.platform == 'win32': yield; return
    before = peak()
    yield
    assert peak()-before < MOST.get(request.node.originalname, 500*2**20)


@contextlib.contextmanager
def read_or_refused(what):
    "Nothing but a `PixsegError` with something to say comes out of the block, and it ends."
    def late(*args): raise TimeoutError(f'no end with {what!r:.300}')
    old = signal.signal(signal.SIGALRM, late) if hasattr(signal, 'SIGALRM') else None
    if old is not None: signal.alarm(120)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    except PixsegError as e: assert len(str(e)) > 10 and len(str(e)) < 2000 and '\n' not in str(e), str(e)
    finally:
        if old is not None: signal.alarm(0); signal.signal(signal.SIGALRM, old)


# ---- what JSON can say, and what becomes of a note in which somebody has written

numbers = st.sampled_from([0, -1, 1, 2, 3, 7, 255, 256, 2**31, 2**63, -2**63, 10**30, 10**400, .5, 1e-320, 1e308, -1e308, math.inf, -math.inf, math.nan])
words = st.sampled_from(['', ' ', '\0', 'ß\u202e', '\ud800', '\U0001f6b2', '../..', 'UNet', 'EncoderUNet', 'batch', 'resnet18', 'hf-hub:x/y', 'null', '1'])
leaves = st.none()|st.booleans()|numbers|words|st.integers()|st.floats()|st.text(max_size=20)
jsons = st.recursive(leaves, lambda o: st.lists(o, max_size=4)|st.dictionaries(words|st.text(max_size=8), o, max_size=4), max_leaves=8)
DEEP = 'a very deep list'


@st.composite
def damaged(draw, note, values=jsons):
    "A note in which up to three values were changed, left out or added, at any depth."
    box = [copy.deepcopy(note)]
    for _ in range(draw(st.integers(1, 3))):
        at, k = box, 0
        while isinstance(at[k], (dict, list)) and len(at[k]) and draw(st.integers(0, 5)):
            at = at[k]
            k = draw(st.sampled_from(sorted(at, key=str) if isinstance(at, dict) else range(len(at))))
        how = draw(st.sampled_from(['other', 'other', 'number', 'gone', 'more', 'twice', 'deep']))
        if how == 'number': at[k] = draw(numbers)
        elif how == 'gone' and at is not box: del at[k]
        elif how == 'more' and isinstance(at, dict): at[draw(words|st.sampled_from(sorted(KNOBS)+['reading', 'temperature', 'fold', 'n_in', 'mix']))] = draw(values)
        elif how == 'twice' and isinstance(at, list) and at is not box: at.insert(k, copy.deepcopy(at[k]))
        elif how == 'deep': at[k] = DEEP
        else: at[k] = draw(values)
    return box[0]


@st.composite
def texts(draw, note):
    "JSON of a damaged note; now and then it is no JSON any more."
    text = json.dumps(draw(damaged(note)))
    if draw(st.integers(0, 9)): return text
    i = draw(st.integers(0, len(text)))
    return draw(st.sampled_from([text[:i], text[i:], text[:i]+draw(st.text(max_size=9))+text[i:], 'NaN', '', '1e999']))


def deep(text, n=100_000):
    "JSON in which a word stands for lists in lists, which would make the report of an example long."
    return text.replace(f'"{DEEP}"', '['*n+']'*n)


@st.composite
def bitten(draw, data):
    "Bytes of which some were changed, taken out or put in."
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        i = draw(st.integers(0, min(len(data), 2000))|st.integers(0, len(data)))
        j = i+draw(st.sampled_from([0, 1, 4, 8, 10**6]))
        data[i:j] = draw(st.binary(max_size=8)|st.sampled_from([b'', b'\xff'*8, b'\0'*8]))
    return bytes(data)


# ---- model files

def networks():
    torch.manual_seed(0)
    photo = PhotoCode((3, 2, 1, 4), (0, 4095))
    four = UNet(2, n_in=4, width=2, depth=1, fold=2, norm='group')
    four.photo = photo
    return [(UNet(3, width=2, depth=2), Labels(('a', 'b', 'c', 'void'), void=3)), (four, Labels(('Lawn', 'Road'))),
            (EncoderUNet(2, 'tf_mobilenetv3_small_minimal_100', pretrained=False, decoder=(8, 4, 4)), Labels(('Lawn', 'Road')))]


NETS = networks()
ABOUT = dict(temperature=1.5, scores=dict(split='val', accuracy=.9, miou=.5, iou={'a':.4, 'b':None}), epoch=3, recipe=dict(lr=.1, also_val=False), data='d', licence='mit', name='n', weak='w')
CARDS = [json.loads(json.dumps(make_card(net, labels, (48, 64), **{**ABOUT, 'scores':dict(split='val', miou=.5, iou=dict.fromkeys(labels.classes, .4))}))) for net,labels in NETS]
WEIGHTS = [{k:v.contiguous() for k,v in net.state_dict().items()} for net,_ in NETS]
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 56, 4), np.uint8)
count = itertools.count()


def opened(path):
    "A model file is opened, and used, in every way that takes a card's word."
    with read_or_refused(path):
        card = read_card(path)
        render_readme(card)
        model = load_model(path)
        if math.prod(model.size or ()) > 10**6: return True # frames as large as a card may say: their memory is what they are worth
        mask = predict_mask(model, PHOTO if model.config.get('n_in', 3) == 4 else PHOTO[..., :3])
        assert mask.shape == (40, 56) and int(mask.max()) < model.labels.n
        return True


@examples(25)
@given(st.data())
def test_cards(tmp_path_factory, data):
    i = data.draw(st.integers(0, 2))
    path = tmp_path_factory.getbasetemp()/f'{next(count)}.safetensors'
    path.write_bytes(save(WEIGHTS[i], dict(pixseg=deep(data.draw(texts(CARDS[i]))))))
    opened(path)
    path.unlink()


@examples(40)
@given(st.data())
def test_model_files(tmp_path_factory, data):
    i = data.draw(st.integers(0, 1))
    path = tmp_path_factory.getbasetemp()/f'{next(count)}.safetensors'
    path.write_bytes(data.draw(bitten(save(WEIGHTS[i], dict(pixseg=json.dumps(CARDS[i]))))))
    opened(path)
    path.unlink()


@pytest.mark.parametrize('i', range(3))
def test_what_is_damaged_here_works_otherwise(tmp_path, i):
    path = tmp_path/'m.safetensors'
    path.write_bytes(save(WEIGHTS[i], dict(pixseg=json.dumps(CARDS[i]))))
    assert opened(path)


# ---- settings of runs

values = jsons|st.tuples(numbers, numbers)|st.sampled_from([np.float32(1), np.int64(3), b'x', object(), 1j, [], torch.tensor(1.), (48, 64), '48x64', {'a'}])

@examples(80)
@given(st.dictionaries(st.sampled_from(sorted(KNOBS)), values, max_size=4))
def test_settings_in_python(given):
    with read_or_refused(given): json.dumps(RunConfig(**given).to_dict(), allow_nan=False)


NOTE = dict(RunConfig(epochs=2, width=2, depth=1).to_dict(), root='x', data=None, planned=[2, 1], kept=True, network='UNet')

@examples(60)
@given(texts(NOTE))
def test_notes_of_runs(tmp_path_factory, text):
    out = tmp_path_factory.getbasetemp()/'noted'
    out.mkdir(exist_ok=True)
    (out/'config.json').write_bytes(deep(text).encode('utf-8', 'surrogatepass'))
    with read_or_refused(text): run_config(out, True)
    with read_or_refused(text): run_config(out, True, lr=.1, epochs=3)
    with read_or_refused(text): run_config(out, False, epochs=3)


# ---- names of classes

LISTS = ['Sky\nRoad\nVoid\n', '0 Sky\n1 Road\n255 Void\n', 'Sky 1 2 3\nRoad 4 5 6\n', 'name,r,g,b\nSky,1,2,3\nRoad,4,5,6\n', '#ff0000 Sky\nRoad #00ff00\n',
         'names: {0: Sky, 1: Road}\n', '{"0": "Sky", "1": "Road"}', '[{"name": "Sky", "id": 1, "color": [1, 2, 3]}]', 'item { id: 1 name: "Sky" }', '# labelmap:color\nSky:1,2,3::\n']
ENDS = ['.txt', '.csv', '.tsv', '.names', '.json', '.yaml', '.yml', '.pbtxt']
lines = st.lists(words|st.text(max_size=12)|st.builds(' '.join, st.lists(st.sampled_from(['Sky', '1', '-1', '256', '9'*5000, '1e400', 'nan', '#ffffff', ',', ';', ':', '"', '\t', '\x85', '\u2028', '²', '٣', 'Void'])))).map('\n'.join)
yamls = st.sampled_from(['a: &a [*a]', '&a [*a, *a]', '- ! ', '0: .nan', '? [a]\n: b', '{1: x, true: y}', '2001-01-01: x', 'names: {.inf: a, 1: b}', '!!python/object/apply:os.system [ls]', '---\n---', 'a: 1e1000',
                         'names: {1: a, "1": b}', 'names: [[a], [b]]', 'colors: [[1,2,3]]\nnames: [a]', 'x: 0x'+'f'*5000])
jsoned = jsons.map(lambda o: json.dumps(o))
contents = (lines|yamls|jsoned|damaged({'names':['Sky', 'Road'], 'palette':[[1, 2, 3], [4, 5, 6]], 'id2label':{'0':'Sky'}, 'items':[{'name':'Sky', 'id':1, 'color':'#ffffff'}]}).map(json.dumps)
            ).map(lambda o: o.encode('utf-8', 'replace'))|st.sampled_from(LISTS).map(str.encode).flatmap(bitten)|st.binary(max_size=30)|st.sampled_from([o.encode(k) for o in LISTS for k in ('utf-8-sig', 'utf-16', 'utf-32')])


@examples(60)
@given(contents, st.sampled_from(ENDS))
def test_names_of_classes(tmp_path_factory, data, end):
    path = tmp_path_factory.getbasetemp()/f'codes{end}'
    path.write_bytes(data)
    for read in (read_names, read_codes):
        with read_or_refused(data):
            got = read(path)
            assert 1 <= len(got.names) <= 256 and all(isinstance(o, str) and o.strip() for o in got.names)


# ---- masks

NAMES = ClassNames(('background', 'road', 'sky'), ((0, 0, 0), (200, 30, 0), (7, 7, 250)), origin='codes.txt')


@st.composite
def arrays(draw):
    "Arrays as masks never are, and as they are."
    kind = draw(st.sampled_from(['u1', 'u1', 'u1', '?', 'u2', 'i2', 'i4', 'u4', 'i8', 'u8', 'f2', 'f4', 'f8', 'c8', 'O', 'U3']))
    shape = draw(st.sampled_from([(4, 6), (4, 6), (4, 6), (1, 1), (0, 0), (0, 5), (4, 6, 1), (4, 6, 2), (4, 6, 3), (4, 6, 4), (3, 4, 6), (24,), (), (2, 4, 6, 3), (1, 4, 6), (1, 3000)]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    pick = draw(st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 3, 100, 127, 128, 200, 254, 255, 256, 7000, 26001, 65535, 2**31-1, 2**32-1, 2**63-1, -1, -2**31, .5, 1e30, math.inf, -math.inf, math.nan]), min_size=1, max_size=4))
    with np.errstate(all='ignore'), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try: return np.array(pick, object)[rng.integers(0, len(pick), shape)].astype(kind) if shape else np.array(pick[0]).astype(kind)
        except (ValueError, OverflowError, TypeError): return rng.integers(0, 3, shape).astype(kind)


def written(draw, a, there):
    "An array in a file of some form; `None` where the form cannot hold it."
    end = draw(st.sampled_from(['png', 'png', 'tif', 'tiff', 'npz', 'npy', 'bmp', 'gif', 'jpg', 'webp']))
    path = there/f'm{next(count)}.{end}'
    try:
        if end == 'npz': draw(st.sampled_from([np.savez, np.savez_compressed]))(path, **dict.fromkeys(draw(st.lists(st.sampled_from(['mask', 'a', '../x', 'arr_0']), max_size=2, unique=True)), a))
        elif end == 'npy': np.save(path, a)
        elif end == 'tiff':
            import tifffile
            tifffile.imwrite(path, a)
        else:
            im = Image.fromarray(a)
            mode = draw(st.sampled_from([None, None, None, 'P', 'PA', '1', 'L', 'LA', 'RGB', 'RGBA', 'CMYK', 'YCbCr', 'LAB', 'HSV', 'I', 'F', 'I;16', 'I;16B', 'La', 'RGBa']))
            if mode: im = im.convert(mode)
            more = draw(st.sampled_from([{}, {}, dict(transparency=0), dict(save_all=True, append_images=[im, im.resize((3, 3))]), dict(exif=b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0')]))
            im.save(path, **more)
    except Exception:
        return None # what cannot be written cannot come
    data = path.read_bytes()
    if not draw(st.integers(0, 2)): path.write_bytes(draw(bitten(data)))
    return path


@examples(60)
@given(st.data())
def test_masks(tmp_path_factory, data):
    there = tmp_path_factory.getbasetemp()/'masks'
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir()
    paths = [p for _ in range(data.draw(st.integers(1, 3))) if (p := written(data.draw, data.draw(arrays()), there))]
    names = data.draw(st.sampled_from([None, NAMES, ClassNames(('a', 'b')), ClassNames(('a', 'b', 'c'), ids=(0, 7, 255), void=2)]))
    with read_or_refused(paths):
        code, labels, _ = decide_code([(p, look_at_mask(p)) for p in paths], names)
        for p in paths:
            with read_or_refused(p):
                ids = decode_ids(p, code)[0]
                assert ids.dtype == np.uint8 and ids.ndim == 2 and (not ids.size or ids.max() < len(labels))
    for p in paths:
        with read_or_refused(p): assert read_mask(p, Labels(('a', 'b', 'c'))).ndim == 2
        with read_or_refused(p): assert open_image(p).shape[2] in (2, 3)


# ---- a run that goes on

@pytest.fixture(scope='module')
def run(tmp_path_factory):
    there = tmp_path_factory.mktemp('run')
    root = draw_streets(there/'streets', train=2, val=1, test=0, size=(32, 32), seed=0)
    train_run(root, there/'run', epochs=1, width=2, depth=1, bs=2, device='cpu', progress=False, say=quiet)
    return root, there/'run', torch.load(there/'run'/'checkpoint'/'state.pt', weights_only=True)


def quiet(*args): pass


tensors = st.sampled_from([torch.tensor(1.), torch.zeros(3), torch.full((2, 3, 3, 3), math.nan), torch.zeros(2, 2, dtype=torch.int64), torch.zeros(0)])
damages = st.sampled_from(['state', 'state', 'bytes', 'table', 'table', 'note', 'model'])

@examples(6)
@given(st.data())
def test_runs_that_go_on(run, tmp_path_factory, data):
    root, was, state = run
    out = tmp_path_factory.getbasetemp()/f'again{next(count)}'
    shutil.copytree(was, out)
    for what in data.draw(st.lists(damages, min_size=1, max_size=2)):
        if what == 'state': torch.save(data.draw(damaged(state, jsons|tensors)), out/'checkpoint'/'state.pt')
        if what == 'note': (out/'config.json').write_bytes(deep(data.draw(texts(json.loads((was/'config.json').read_text())))).encode('utf-8', 'surrogatepass'))
        for name, kind in (('checkpoint/state.pt', 'bytes'), ('metrics.csv', 'table'), ('last.safetensors', 'model')):
            if what == kind: (out/name).write_bytes(data.draw(bitten((was/name).read_bytes())))
    with mock.patch.object(train, 'show_predictions'), read_or_refused(out):
        rows = train_run(root, out, resume=True, epochs=2, device='cpu', progress=False, say=quiet)['rows']
        assert [r['epoch'] for r in rows] == [0, 1] and math.isfinite(rows[1]['train_loss'])
        load_model(out/'last.safetensors')
    shutil.rmtree(out)
