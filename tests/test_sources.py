"Data that does not lie in a folder: arrays, lists of pairs, tables, functions; what is drawn, what is told, what is refused."
import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from pixseg.data import seg_dls
from pixseg.io import files
from pixseg.io.files import PixsegWarning
from pixseg.io.folder import draw_split, find_pairs, in_sequence
from pixseg.io.pairs import read_pair
from pixseg.io.reading import DataSet, Pair
from pixseg.io.sources import divide, open_source, pick_split
from pixseg.io.split import default_batch, StreamData
from pixseg.io.store import in_memory
from pixseg.io.streets import draw_streets
from pixseg.io.names import write_codes
from pixseg.labels import Labels, PixsegError

TWO = Labels(('dark', 'bright'))
LOADERS = dict(bs=2, device='cpu', cache=False)


def arrays(n=8, h=24, w=32):
    "Photographs, and masks that follow from their pixels."
    imgs = np.random.default_rng(0).integers(0, 256, (n, h, w, 3), np.uint8)
    return imgs, (imgs[..., 0] > 128).astype(np.uint8)


IMGS,MASKS = arrays()


@pytest.fixture
def said(monkeypatch):
    "What is told while a test runs, as if nothing had been told before."
    monkeypatch.setattr(files, '_said', {})
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always')
        texts = SimpleNamespace(all=lambda: [str(o.message) for o in found if issubclass(o.category, PixsegWarning)])
        yield texts


@pytest.fixture
def lying(tmp_path):
    "Photographs in a/, masks in b/ under other names."
    for d in 'ab': (tmp_path/d).mkdir()
    for i in range(8):
        Image.fromarray(IMGS[i]).save(tmp_path/'a'/f'{i}.png')
        Image.fromarray(MASKS[i]).save(tmp_path/'b'/f'm{i}.png')
    return tmp_path


def frames(data, split='all'):
    "Photographs and masks as reading gives them, by name."
    table = data.labels.table(data.labels)
    return {p.name: read_pair(p, table) for p in pick_split(data, split)}


# Arrays

to_torch = torch.from_numpy
GREY = np.ascontiguousarray(IMGS[..., 0])
WAYS = {
    'bytes, channels last': (IMGS, MASKS), 'bytes, channels first': (IMGS.transpose(0, 3, 1, 2), MASKS), 'lists': (list(IMGS), list(MASKS)),
    'floats': (IMGS.astype(np.float32)/255, MASKS), 'doubles, channels first': (IMGS.transpose(0, 3, 1, 2)/255, MASKS),
    'tensors': (to_torch(IMGS).permute(0, 3, 1, 2), to_torch(MASKS).long()), 'tensors, channels last': (to_torch(IMGS), to_torch(MASKS)),
    'float tensors': (to_torch(IMGS).permute(0, 3, 1, 2)/255, to_torch(MASKS)[:,None]), 'bool masks': (IMGS, MASKS > 0), 'int64 masks': (IMGS, MASKS.astype(np.int64)),
    'masks with a channel': (IMGS, MASKS[..., None]), 'Pillow': ([Image.fromarray(o) for o in IMGS], [Image.fromarray(o) for o in MASKS]),
    '1-bit Pillow masks': (list(IMGS), [Image.fromarray(o*255).convert('1') for o in MASKS]), 'objects': (np.array([*IMGS, None], object)[:-1], list(MASKS))}


@pytest.mark.parametrize('way', WAYS)
def test_arrays_come_through_as_they_are(way):
    data = open_source(WAYS[way], TWO)
    assert in_memory(data.splits['train']) and {k: len(v) for k,v in data.splits.items()} == dict(train=6, val=2)
    found = frames(data)
    for i in range(8):
        assert np.array_equal(found[str(i)][0], IMGS[i]) and np.array_equal(found[str(i)][1], MASKS[i])


def test_grey_stacks_become_three_channels():
    for imgs in (GREY, GREY[..., None], GREY[:,None], list(GREY)):
        found = frames(open_source((imgs, MASKS), TWO))
        assert np.array_equal(found['3'][0], np.stack([GREY[3]]*3, -1))


def test_loaders_from_arrays(said):
    dls = seg_dls((IMGS, MASKS), labels=TWO, splitter=lambda names: (range(6), range(6, 8)), augment=False, **LOADERS)
    assert torch.equal(dls.valid.dataset.imgs, to_torch(IMGS[6:]).permute(0, 3, 1, 2)) and torch.equal(dls.valid.dataset.masks, to_torch(MASKS[6:]))
    assert dls.labels == TWO and said.all() == []
    x,y = dls.one_batch()
    assert x.shape == (2, 3, 24, 32) and y.shape == (2, 24, 32) and 0 <= x.min() and x.max() <= 1
    small = seg_dls((IMGS, MASKS), (12, 16), labels=TWO, **LOADERS)
    assert small.size == (12, 16) and len(small.valid.dataset) == 2
    assert any('2 of 8 held out' in o for o in said.all())
    late = seg_dls((IMGS, MASKS), labels=TWO, memory=0, **LOADERS) # as if memory were too small for a second copy
    assert type(late.train.dataset) is StreamData and late.one_batch()[0].shape == (2, 3, 24, 32)


def test_arrays_are_not_changed():
    before = IMGS.copy(), MASKS.copy()
    dls = seg_dls((IMGS, MASKS), labels=TWO, **LOADERS)
    for _ in dls.train: pass
    assert np.array_equal(before[0], IMGS) and np.array_equal(before[1], MASKS)


def test_without_labels_classes_are_numbered_and_told(said):
    dls = seg_dls((IMGS, MASKS*2), **LOADERS)
    assert dls.labels.names == ('class 0', 'class 1', 'class 2') and any('numbered by the values' in o for o in said.all())


def test_black_and_white_masks_are_told(said):
    found = frames(open_source((IMGS, MASKS*255), TWO))
    assert all(np.array_equal(found[str(i)][1], MASKS[i]) for i in range(8)) and any('255' in o for o in said.all())


def test_void_may_stand_anywhere():
    first = Labels(('void', 'dark', 'bright'), void=0)
    dls = seg_dls((IMGS, MASKS+1), labels=first, augment=False, **LOADERS)
    assert dls.labels == first.void_last() and dls.labels.names == ('dark', 'bright', 'void')
    assert torch.equal(dls.valid.dataset.masks, to_torch(MASKS[[int(n) for n in dls.valid.dataset.names]]))


BLACK = (IMGS > 128).astype(np.uint8)
STRANGE = {
    'a mask less': ((IMGS, MASKS[:7]), '8 photographs and 7 masks'), 'another size': ((IMGS, MASKS[:, :12]), 'but its mask is 12x32'),
    'one of another size': (([*IMGS[:7], IMGS[7][:12]], MASKS), 'photograph 7 is (12, 32, 3), but its mask is 24x32'),
    'floats 0..255': ((IMGS.astype(float), MASKS), 'divide by 255'), 'normalised': ((IMGS/127.5-1, MASKS), 'undo the normalisation'),
    'nan': ((np.full(IMGS.shape, np.nan), MASKS), 'nan'), '16 bits': ((IMGS.astype(np.uint16), MASKS), 'of uint16'), 'int64': ((IMGS.astype(int), MASKS), 'of int64'),
    'four channels': ((np.concatenate([IMGS, IMGS[..., :1]], -1), MASKS), '(24, 32, 4), but'), 'bytes 0 and 1': ((BLACK, MASKS), 'as good as black'),
    'either axis': ((IMGS[:, :3, :3], MASKS[:, :3, :3]), 'may be first or last'), 'one photograph': ((IMGS[0], MASKS[0]), '(24, 32)'),
    'colours': ((IMGS, IMGS), 'of colours the ids'), 'one-hot': ((IMGS, np.eye(2)[MASKS]), 'take the `argmax`'), 'float masks': ((IMGS, MASKS/2), 'of float64'),
    'minus one': ((IMGS, MASKS.astype(int)-1), 'values -1..0'), 'large ids': ((IMGS, MASKS.astype(int)*300), 'values 0..300'), '0, 7 and 255': ((IMGS, MASKS*255+(IMGS[..., 1] > 200)*7*(1-MASKS)), '7'),
    'an id too many': ((IMGS, MASKS*2), 'has the value 2'), 'nothing': (([], []), 'no photographs'), 'a word': (('a', 'b'), 'is no data set'),
    'a number': (7, 'an? int is no data set'), 'a dict': (dict(images=IMGS), 'a dict is no data set'), 'three': ((IMGS, MASKS, MASKS), 'is no data set'),
    'arrays in a list': ([IMGS, MASKS], 'a list of pairs has an array (8, 24, 32, 3) in it'), 'generators': ((iter(IMGS), iter(MASKS)), 'give a list of them'),
    'two tuples': (((IMGS[0], MASKS[0]), (IMGS[1], MASKS[1])), 'two tuples of two'), 'texts': ((['x.png'], ['y.png']), 'no file'), 'none': (([None]*8, list(MASKS)), 'photograph 0 is a NoneType')}


@pytest.mark.parametrize('case', STRANGE)
def test_what_cannot_be_told_apart_is_refused(case):
    source,words = STRANGE[case]
    with pytest.raises(PixsegError) as e: open_source(source, TWO)
    assert words.replace('an? ', 'a ') in str(e.value) and '\n' not in str(e.value) and len(str(e.value)) < 300


# Lists of pairs

def test_a_list_of_pairs_of_paths_or_arrays(lying):
    paths = [(lying/'a'/f'{i}.png', str(lying/'b'/f'm{i}.png')) for i in range(8)]
    found = [frames(open_source(o, TWO)) for o in (paths, list(zip(IMGS, MASKS)), [list(o) for o in zip(IMGS, (p[1] for p in paths))],
                                                   [Pair(str(i), *map(Path, p)) for i,p in enumerate(paths)], tuple(map(list, zip(*paths))))]
    for o in found:
        assert list(o) == list(found[0]) and all(np.array_equal(o[k][j], found[0][k][j]) for k in o for j in (0, 1))


def test_names_are_as_long_as_they_must_be(tmp_path):
    def pair(*path):
        img,mask = (tmp_path.joinpath(d, *path) for d in ('x', 'y'))
        for p in (img, mask): p.parent.mkdir(parents=True, exist_ok=True); Image.new('L', (8, 8)).save(p)
        return img,mask
    a,b,c = pair('day', '0.png'), pair('night', '0.png'), pair('day', '0.bmp')
    names = lambda *pairs: [p.name for p in pick_split(open_source(list(pairs), TWO, draw=False))]
    assert names(a, pair('day', '1.png')) == ['0', '1'] and names(a, b) == ['day/0', 'night/0'] and names(a, c) == ['0.png', '0.bmp']
    with pytest.raises(PixsegError, match='comes twice'): names(a, b, a)
    with pytest.raises(PixsegError, match="two pairs are called 'q'"): names(Pair('q', *a), Pair('q', *b))
    with pytest.raises(PixsegError, match='no file .*9.png'): names((a[0], tmp_path/'9.png'))
    with pytest.raises(PixsegError, match='has .* in it'): names((*a, 3))


# Tables

def table(lying, text, name='pairs.csv'):
    (lying/name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_source(lying/name, TWO)


ROWS = [f'a/{i}.png,b/m{i}.png' for i in range(8)]
THIRDS = [f'{r},{"train" if i < 5 else "Valid" if i < 7 else "TEST"}' for i,r in enumerate(ROWS)]
TABLES = {'no header': '\n'.join(ROWS), 'header': '\n'.join(['image,mask', *ROWS]), 'windows': '\r\n'.join(r.replace('/', '\\') for r in ROWS)+'\r\n\r\n',
          'semicolons and a mark': ('\ufeff'+'\n'.join(['Image;Mask', *[r.replace(',', ' ; ') for r in ROWS]])).encode(), 'tabs': '\n'.join(r.replace(',', '\t') for r in ROWS),
          'blanks': '\n'.join(r.replace(',', ' ') for r in ROWS), 'utf-16': '\n'.join(['image,mask', *ROWS]).encode('utf-16'), 'quoted': '\n'.join('"'+r.replace(',', '","')+'"' for r in ROWS),
          'the other way round': '\n'.join(['label_path,img_path', *[','.join(r.split(',')[::-1]) for r in ROWS]]),
          'an index': '\n'.join([',image,mask', *[f'{i},{r}' for i,r in enumerate(ROWS)]]), 'more columns': '\n'.join(['image,width,mask,area', *[r.replace(',', ',32,')+',7' for r in ROWS]])}


@pytest.mark.parametrize('form', TABLES)
def test_tables_of_every_kind(lying, monkeypatch, form):
    monkeypatch.chdir('/')
    data = table(lying, TABLES[form])
    assert {k: len(v) for k,v in data.splits.items()} == dict(train=6, val=2)
    found = frames(data)
    assert all(np.array_equal(found[str(i)][0], IMGS[i]) and np.array_equal(found[str(i)][1], MASKS[i]) for i in range(8))


def test_a_column_of_splits(lying):
    for text in ('\n'.join(THIRDS), '\n'.join(['image,mask,split', *THIRDS]), '\n'.join(['subset,image,mask', *[','.join([r.split(',')[2], *r.split(',')[:2]]) for r in THIRDS]])):
        assert {k: [p.name for p in v] for k,v in table(lying, text).splits.items()} == dict(train=list('01234'), val=list('56'), test=['7'])
    valid = table(lying, '\n'.join(['image,mask,is_valid', *[f'{r},{i > 5}' for i,r in enumerate(ROWS)]]))
    assert [p.name for p in valid.splits['val']] == ['6', '7']


def test_a_table_from_another_machine_is_told(lying, said):
    data = table(lying, '\n'.join(f'/data/mine/a/{i}.png,/data/mine/b/m{i}.png' for i in range(8)))
    assert len(frames(data)) == 8 and any('first 2 folders of each path are left off' in o for o in said.all())


@pytest.mark.parametrize('text,words', [
    ('\n'.join([*ROWS, 'a/9.png,b/m9.png']), "row 9 of pairs.csv names 'a/9.png'"), ('\n'.join(['image,mask', *ROWS, 'a/1.png,']), 'row 10 of pairs.csv lacks a cell'),
    ('\n'.join(r.split(',')[0] for r in ROWS), 'has the columns'), ('', 'has no rows'), ('image,mask\n', 'has no rows'), ('\n'.join([*ROWS, ROWS[0]]), 'comes twice'),
    ('\n'.join(['image,mask,fold', *[f'{r},{i}' for i,r in enumerate(ROWS)]]), "names the split '0'"), ('\n'.join(f'{r},{r}' for r in ROWS), 'has the columns'),
    ('\n'.join(['image,mask,label', *[f'{r},1' for r in ROWS]]), 'call two of them image and mask'), ('é'.encode('latin-1'), 'UTF-8'),
    ('image,mask\na/0.png,b', "names 'b'")])
def test_tables_that_are_none_are_refused(lying, text, words):
    with pytest.raises(PixsegError) as e: table(lying, text)
    assert words in str(e.value) and 'pairs.csv' in str(e.value) or words == 'comes twice'


def test_names_of_classes_beside_a_table(lying):
    write_codes(Labels(('night', 'day')), lying/'codes.txt')
    (lying/'pairs.csv').write_text('\n'.join(ROWS))
    assert open_source(lying/'pairs.csv').labels.names == ('night', 'day')


class Frame(dict):
    "What a data frame of pandas or polars is to us."
    @property
    def columns(self): return list(self)


def test_data_frames(lying, monkeypatch):
    monkeypatch.chdir(lying)
    cols = dict(image=[f'a/{i}.png' for i in range(8)], mask=[f'b/m{i}.png' for i in range(8)])
    for frame in (Frame(cols), Frame(id=list(range(8)), **cols), Frame({0: cols['image'], 1: cols['mask']})):
        assert len(frames(open_source(frame, TWO))) == 8
    with pytest.raises(PixsegError, match='lacks a cell'): open_source(Frame(cols, mask=[float('nan'), *cols['mask'][1:]]), TWO)
    pandas = pytest.importorskip('pandas')
    assert len(frames(open_source(pandas.DataFrame(cols), TWO))) == 8


# A function

def test_a_function_from_photograph_to_mask(lying, said):
    mask_of = lambda p: lying/'b'/f'm{p.stem}.png'
    ways = [open_source(lying/'a', TWO, mask_of), open_source(sorted((lying/'a').iterdir()), TWO, mask_of), open_source(str(lying/'a'), TWO, lambda p: str(mask_of(p))),
            open_source(lying/'a', TWO, lambda p: MASKS[int(p.stem)]), open_source(lying/'a', TWO, lambda p: Image.open(mask_of(p)))]
    for o in ways: assert all(np.array_equal(m, MASKS[int(k)]) and np.array_equal(i, IMGS[int(k)]) for k,(i,m) in frames(o).items())
    dls = seg_dls(lying/'a', label_func=mask_of, labels=TWO, **LOADERS)
    assert (len(dls.train.dataset), len(dls.valid.dataset)) == (6, 2) and any('2 of 8 held out' in o for o in said.all())


def test_masks_among_the_photographs_are_left_out(lying, said):
    for p in (lying/'b').iterdir(): p.rename(lying/'a'/f'{p.stem[1:]}_mask.png')
    data = open_source(lying/'a', TWO, lambda p: p.with_name(f'{p.stem}_mask.png'))
    assert len(frames(data)) == 8 and any('8 of 16 images are masks of others' in o for o in said.all())


def test_folders_called_train_and_val_are_splits(lying):
    for i in range(8):
        (lying/'a'/('Valid' if i > 5 else 'train')).mkdir(exist_ok=True)
        (lying/'a'/f'{i}.png').rename(lying/'a'/('Valid' if i > 5 else 'train')/f'{i}.png')
    data = open_source(lying/'a', TWO, lambda p: lying/'b'/f'm{p.stem}.png')
    assert [p.name for p in data.splits['val']] == ['6', '7'] and not data.notes


def fails(p): raise KeyError(p.stem)


@pytest.mark.parametrize('func,words', [(fails, '`label_func` fails for'), (lambda p: None, 'gives nothing for'), (lambda p: 'no.png', 'no such file'),
                                        (lambda p: p, 'gives each photograph itself'), (lambda p: 7, 'mask 0 is a int'), (lambda p: p.parent, 'no such file')])
def test_functions_that_find_no_mask_are_refused(lying, func, words):
    with pytest.raises(PixsegError, match=words): open_source(lying/'a', TWO, func)


def test_a_function_needs_photographs(lying):
    (lying/'empty').mkdir()
    for source,words in ((lying/'empty', 'no photographs'), ((IMGS, MASKS), 'a folder, or a list of paths'), (lying/'nix', 'there is no folder')):
        with pytest.raises(PixsegError, match=words): open_source(source, TWO, lambda p: p)


# Splits

@pytest.mark.parametrize('names,wanted', [
    ([f'f{i:04}' for i in range(0, 300, 30)], True), ([f'f{i:04}_rgb.png' for i in range(9)], True), ([f'{v}/{i}' for v in 'ab' for i in range(5)], True),
    ([f'{i}.jpg' for i in (*range(20), 40, 80)], True), (['3', '17', '19', '44', '95'], False), (['cat', 'dog', 'cow'], False), ([f'{w}1' for w in 'abcdef'], False),
    (['IMG_1', 'IMG_9', 'x', 'y', 'z'], False)])
def test_names_that_number_a_sequence(names, wanted):
    assert in_sequence(names) is wanted
    train,valid,words = draw_split(names)
    assert sorted(train+valid) == list(range(len(names))) and 0 < len(valid) < len(names)
    assert f'{len(valid)} of {len(names)} held out' in words and ('in runs' in words) is wanted
    assert draw_split(names) == (train, valid, words)


def test_runs_are_neighbours():
    for seed in range(5):
        valid = draw_split([f'v_{i}' for i in range(200)], seed)[1]
        assert len(valid) == 40 and sum(b-a > 1 for a,b in zip(valid, valid[1:])) <= 3


def test_a_single_photograph_cannot_be_split():
    with pytest.raises(PixsegError, match='1 photograph in memory has no split .val.'): divide(open_source((IMGS[:1], MASKS[:1]), TWO))


def test_a_folder_without_val_has_one_drawn(tmp_path, said):
    root = draw_streets(tmp_path/'s', train=10, val=0, test=0, size=(32, 32))
    for d in ('val', 'valannot', 'test', 'testannot'):
        if (root/d).exists(): (root/d).rmdir()
    data = open_source(root)
    assert (len(data.splits['train']), len(data.splits['val'])) == (8, 2) and any(o.startswith(f'{root}: ') and 'no split for validation' in o for o in said.all())
    assert open_source(root).splits['val'] == data.splits['val'] # judged on the same frames
    assert len(pick_split(open_source(root, draw=False))) == 10 and find_pairs(root, 'train') == data.splits['train']


def test_dividing(said):
    data = open_source((IMGS, MASKS), TWO, draw=False)
    assert isinstance(data, DataSet) and open_source(data, draw=False) is data
    both = divide(data, lambda names: ([0, 1, 2], [2, 3]))
    assert [[p.name for p in o] for o in both] == [['0', '1', '2'], ['2', '3']] and any('gives 1 of 8 frames to training and to validation' in o for o in said.all())
    with pytest.raises(PixsegError, match='two lists of indices below 8'): divide(data, lambda names: ([0], [8]))
    with pytest.raises(PixsegError, match='has no split .val.: choose from train'): divide(data)
    with pytest.raises(PixsegError, match='a splitter and a holdout'): divide(data, lambda names: ([0], [1]), 3)
    with pytest.raises(PixsegError, match='masks already'): open_source(data, label_func=lambda p: p)


# Batches

def test_the_default_batch_fits(said):
    assert [default_batch(n) for n in (1, 5, 8, 30)] == [1, 5, 8, 8] and default_batch(3, 4) == 3
    assert said.all()[0] == '1 training frames are fewer than the 8 of a batch: batches of 1, so an epoch is one step'
    dls = seg_dls((IMGS, MASKS), labels=TWO, device='cpu')
    assert dls.train.bs == 6 and any('6 training frames' in o for o in said.all())
    with pytest.raises(PixsegError, match='do not fill a batch of 8: give a smaller `bs`'): seg_dls((IMGS, MASKS), labels=TWO, bs=8, device='cpu')


# Runs

def quiet(*args): pass


def test_a_run_on_arrays_and_what_judges_it(tmp_path, said, monkeypatch):
    import torch
    from pixseg import evaluate, load_model, train_run
    monkeypatch.setattr('pixseg.predict.pick_precision', lambda device: torch.float32) # both in 32 bits: in 16 a pixel may turn
    tiny = dict(epochs=1, precision='fp32', width=4, depth=2, device='cpu', progress=False, say=quiet)
    run = train_run((IMGS, MASKS), tmp_path/'run', labels=TWO, **tiny)
    note = json.loads((tmp_path/'run'/'config.json').read_text())
    assert note['root'] == '8 photographs in memory' and note['frames'] == [6, 2] and note['bs'] == 4
    model = load_model(tmp_path/'run'/'model.safetensors')
    assert evaluate(model, (IMGS, MASKS))['miou'] == pytest.approx(run['best'], abs=1e-6) # the same frames were drawn
    assert abs(evaluate(model, (IMGS, MASKS), 'train')['miou']-run['best']) > .01 # others would tell
    assert evaluate(model, (IMGS, MASKS), 'all')['n_images'] == 8
    with pytest.raises(PixsegError, match='8 photographs in memory cannot be recognised'): train_run((IMGS, MASKS), tmp_path/'run', resume=True, labels=TWO)
    with pytest.raises(PixsegError, match="has no split 'test'"): evaluate(model, (IMGS, MASKS), 'test')


def test_a_folder_without_names_is_judged_by_the_models(tmp_path, said):
    from pixseg import evaluate, UNet
    root = draw_streets(tmp_path/'s', train=1, val=2, test=0, size=(32, 32))
    labels = open_source(root).labels
    net = UNet(labels.n, width=4, depth=1).eval()
    net.labels,net.size = labels,None
    named = evaluate(net, root)['confusion']
    (root/'codes.txt').unlink()
    assert evaluate(net, root)['confusion'] == named and any('are taken as' in o and 'Sky, ' in o for o in said.all())
    net.labels = Labels(labels.names[:3])
    with pytest.raises(PixsegError, match='has the values? .*3'): evaluate(net, root)


@pytest.mark.parametrize('nothing', [[], ([], [])])
def test_no_pairs_at_all_are_refused_in_words(nothing):
    with pytest.raises(PixsegError, match='there are no photographs'): open_source(nothing)
