"Model files that are not what they seem, predictions beside a user's own files, confidence, and what serving must not import."
import errno
import json
import math
import os
import random
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save, save_file
from torch import nn

from pixseg import modelfile
from pixseg.bins import add_dropout
from pixseg.calibration import (Reliability, best_temperature, confidence, fit_temperature, predict_probs, reliability,
                                split_pixels)
from pixseg.encoder import EncoderUNet
from pixseg.io.export import export_onnx
from pixseg.io.files import unique_names
from pixseg.io.images import save_mask
from pixseg.io.names import write_codes
from pixseg.labels import CAMVID, Labels, PixsegError
from pixseg.modelfile import build_model, find_model, load_model, make_card, save_model
from pixseg.answer import tile_margin
from pixseg.predict import predict_logits, predict_mask, predict_tiled, tile_boxes
from pixseg.run import predict as run_predict
from pixseg.run.evaluate import evaluate
from pixseg.run.predict import is_prediction, predict_files
from pixseg.uncertainty import Sparsification, dropout_samples, entropy
from pixseg.unet import UNet
from pixseg.weights import check_encoder

ROOT = Path(__file__).resolve().parent.parent
LABELS = Labels(('sky', 'road', 'car', 'void'), void=3)


def tiny(labels=LABELS, **about):
    torch.manual_seed(0)
    net = UNet(labels.n, width=4, depth=2)
    net.labels,net.size,net.card = labels,(24, 32),make_card(net, labels, (24, 32), **about)
    return net.eval()


@pytest.fixture(scope='module')
def model(): return tiny()


def photo(path, seed=0, size=(24, 32)):
    "A photograph on disk, another one for each seed."
    img = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(img).resize(size[::-1]).save(path, quality=95)
    return path


def bytes_of(folder): return {p.relative_to(folder).as_posix():p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def quietly(*args, **kwargs):
    "`predict_files`, with what it told in place of a warning."
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        return *predict_files(*args, **kwargs),[str(o.message) for o in said]


def ids(path): return np.asarray(Image.open(path))


# ---- nothing of a user's is overwritten or lost

def onto_another_photograph(folder): photo(folder/'a.png', 1)
def onto_a_drawn_mask(folder): Image.fromarray(np.zeros((24, 32), np.uint8)).save(folder/'a.png')
def onto_a_saved_mask(folder): save_mask(np.zeros((24, 32)), LABELS, folder/'a.png')
def onto_a_folder(folder): (folder/'a.png').mkdir()
def onto_a_link(folder): (folder/'a.png').symlink_to(photo(folder.parent/'elsewhere.png', 3))
def onto_text(folder): (folder/'a.png').write_text('my notes')


@pytest.mark.parametrize('place', [onto_another_photograph, onto_a_drawn_mask, onto_a_saved_mask, onto_a_folder, onto_a_link, onto_text])
def test_a_mask_is_written_over_nothing_but_a_mask_of_ours(model, tmp_path, place):
    jpg = photo(tmp_path/'in'/'a.jpg')
    photo(tmp_path/'in'/'0.jpg')
    place(tmp_path/'in')
    before = bytes_of(tmp_path)
    with pytest.raises(PixsegError, match=r'a\.png is there already and no earlier prediction.*a\.jpg') as e:
        predict_files(model, [tmp_path/'in'/'0.jpg', jpg], tmp_path/'in')
    assert '\n' not in str(e.value)
    assert bytes_of(tmp_path) == before # and nothing was written before it was refused


def test_photographs_of_one_name_into_their_own_folder(model, tmp_path):
    files = [photo(tmp_path/'a.jpg', 0), photo(tmp_path/'a.png', 1)]
    before = bytes_of(tmp_path)
    with pytest.raises(PixsegError, match=r'a\.png is there already'): predict_files(model, files, tmp_path)
    with pytest.raises(PixsegError, match=r'a\.png is there already'): predict_files(model, [files[1]], tmp_path)
    (tmp_path.parent/f'{tmp_path.name}-link').symlink_to(tmp_path) # the same folder by another name
    with pytest.raises(PixsegError, match='is there already'): predict_files(model, files, tmp_path.parent/f'{tmp_path.name}-link')
    assert bytes_of(tmp_path) == before


def test_an_overlay_is_not_written_over_a_photograph(model, tmp_path):
    photo(tmp_path/'a.jpg', 0); photo(tmp_path/'a_overlay.jpg', 1)
    before = bytes_of(tmp_path)
    with pytest.raises(PixsegError, match=r'a_overlay\.jpg is there already'):
        predict_files(model, [tmp_path/'a.jpg'], tmp_path, with_overlay=True)
    assert bytes_of(tmp_path) == before
    written,failed = predict_files(model, [tmp_path/'a.jpg'], tmp_path) # without an overlay nothing is in the way
    assert [p.name for p in written] == ['a.png'] and not failed


def test_the_same_command_again(model, tmp_path):
    for i in range(3): photo(tmp_path/f'{i}.jpg', i)
    first = quietly(model, [tmp_path], tmp_path, with_overlay=True)
    assert len(first[0]) == 3 and not first[1] and not first[2]
    assert all(is_prediction(p) for p in tmp_path.iterdir() if p.suffix == '.png' or 'overlay' in p.name)
    assert not any(is_prediction(tmp_path/f'{i}.jpg') for i in range(3))
    (tmp_path/'1.png').write_bytes((tmp_path/'0.png').read_bytes()) # an old mask of ours
    before = bytes_of(tmp_path)
    for i,given in enumerate(([tmp_path], sorted(tmp_path.iterdir()))): # the folder, and what a shell makes of `folder/*`
        written,failed,told = quietly(model, given, tmp_path, with_overlay=True)
        assert [p.name for p in written] == ['0.png', '1.png', '2.png'] and not failed
        assert any('6 of 9 files predicted earlier by pixseg' in o for o in told)
        assert i or any('6 files of an earlier prediction' in o and 'replaced' in o for o in told) # once for each folder
    after = bytes_of(tmp_path)
    assert sorted(after) == sorted(before) and after['0.png'] == before['0.png'] and after['1.png'] != before['1.png']
    np.testing.assert_array_equal(ids(tmp_path/'1.png'), predict_mask(model, tmp_path/'1.jpg'))


def test_a_mask_that_somebody_corrected_is_theirs(model, tmp_path):
    jpg = photo(tmp_path/'a.jpg')
    predict_files(model, [jpg], tmp_path)
    with Image.open(tmp_path/'a.png') as im: corrected = im.copy()
    corrected.putpixel((0, 0), 2)
    corrected.save(tmp_path/'a.png') # as a drawing program does it: without the note
    before = bytes_of(tmp_path)
    with pytest.raises(PixsegError, match='no earlier prediction'): predict_files(model, [jpg], tmp_path)
    assert bytes_of(tmp_path) == before


def test_the_viewer_writes_over_nothing_but_predictions(model, tmp_path):
    from pixseg.web.viewer import MaskBrowser
    img,mask = np.zeros((24, 32, 3), np.uint8),np.zeros((24, 32), np.uint8)
    browser = MaskBrowser([img]*2, [mask]*2, labels=LABELS, names=['a.jpg', 'b.jpg'])
    photo(tmp_path/'b.png')
    before = bytes_of(tmp_path)
    with pytest.raises(PixsegError, match=r'b\.png is there already'): browser.export_masks(tmp_path)
    assert bytes_of(tmp_path) == before
    for _ in range(2): written = browser.export_masks(tmp_path/'masks') # again: predictions may be replaced
    assert [p.name for p in written] == ['a.png', 'b.png'] and all(map(is_prediction, written))


def test_only_predictions_are_no_photographs(model, tmp_path):
    predict_files(model, [photo(tmp_path/'in'/'a.jpg')], tmp_path/'out')
    with pytest.raises(PixsegError, match='only predictions that pixseg wrote'): predict_files(model, [tmp_path/'out'], tmp_path/'more')
    assert not (tmp_path/'more').exists()


def test_a_photograph_that_comes_twice_is_done_once(model, tmp_path, monkeypatch):
    a,b = photo(tmp_path/'in'/'a.jpg', 0),photo(tmp_path/'in'/'b.jpg', 1)
    (tmp_path/'same').symlink_to(tmp_path/'in')
    monkeypatch.chdir(tmp_path)
    given = [a, 'in/a.jpg', tmp_path/'same'/'a.jpg', 'in/../in/a.jpg', str(a), 'in', b]
    written,failed,told = quietly(model, given, tmp_path/'out')
    assert [p.name for p in written] == ['a.png', 'b.png'] and not failed
    assert sorted(bytes_of(tmp_path/'out')) == ['a.png', 'b.png']
    assert any('8 paths name 2 files: each is done once' in o for o in told)


def test_every_name_has_its_mask(model, tmp_path):
    files = [photo(tmp_path/'x'/'a.jpg', 0), photo(tmp_path/'y'/'a.png', 1), photo(tmp_path/'z'/'A.jpg', 2), photo(tmp_path/'z'/'a-1.jpg', 3)]
    (tmp_path/'z'/'link.jpg').symlink_to(files[0]) # another name for the first is another mask
    written,failed,_ = quietly(model, [*files, tmp_path/'z'/'link.jpg'], tmp_path/'out', with_overlay=True)
    assert not failed and len({p.name.casefold() for p in written}) == 5 and len(bytes_of(tmp_path/'out')) == 10
    for f,p in zip([*files, files[0]], written): np.testing.assert_array_equal(ids(p), predict_mask(model, f))


def test_names_never_meet():
    draw = random.Random(0)
    for _ in range(200):
        names = [f"{draw.choice(['x', 'y/z'])}/{draw.choice(['a', 'A', 'a-1', 'A-2', 'ä', 'a' + chr(776), ''])}.jpg" for _ in range(draw.randint(1, 12))]
        out = unique_names(names)
        assert len(out) == len(names) and all(out)
        assert len({os.path.normcase(unique).casefold() for unique in out}) == len(out)
        stems = [Path(o).stem.casefold() for o in names]
        assert all(o == Path(n).stem for o,n,s in zip(out, names, stems) if stems.count(s) == 1 and s.isascii())
    assert unique_names(['img.png']*5000)[-1] == 'img-4999'


# ---- one file that cannot be read, predicted or written stops no other

def full_disk(monkeypatch, name):
    "Saving an image under a path with `name` in it finds no space left."
    real = Image.Image.save
    def save(self, fp, *args, **kwargs):
        real(self, fp, *args, **kwargs)
        if name in str(fp): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(Image.Image, 'save', save)


@pytest.mark.parametrize('what, masks', [('7.png', 39), ('17_overlay', 40), ('.png', 0)])
def test_a_full_disk_is_a_line_for_each_file(model, tmp_path, monkeypatch, what, masks):
    files = [photo(tmp_path/'in'/f'{i:02}.jpg', i) for i in range(40)]
    full_disk(monkeypatch, '07.png' if what == '7.png' else what)
    counted = []
    written,failed = predict_files(model, files, tmp_path/'out', with_overlay=True, progress=lambda *o: counted.append(o))
    assert len(written) == masks and len(failed) == (40 if what == '.png' else 1) and counted[-1] == (40, 40)
    assert all('No space left on device' in o and '.jpg: ' in o and '\n' not in o for o in failed)
    left = bytes_of(tmp_path/'out')
    assert not [n for n in left if n.endswith('.part')] and sum(n.endswith('.png') for n in left) == masks
    assert sorted(p.name for p in written) == sorted(n for n in left if n.endswith('.png'))


def test_a_table_counts_every_mask_though_other_results_fail(model, tmp_path, monkeypatch):
    files = [photo(tmp_path/'in'/f'{i}.jpg', i) for i in range(2)]
    full_disk(monkeypatch, '_overlay')
    written,failed = predict_files(model, files, tmp_path/'out', with_overlay=True, polygons='coco', table=tmp_path/'t.csv')
    assert (len(written), len(failed), len((tmp_path/'t.csv').read_text().splitlines())) == (2, 2, 3)
    assert (tmp_path/'out'/'annotations.coco.json').exists()


def test_a_batch_too_large_for_the_memory_is_done_one_by_one(model, tmp_path, monkeypatch):
    files = [photo(tmp_path/'in'/f'{i}.jpg', i) for i in range(5)]
    real = run_predict.predict_masks
    def masks(model, imgs, **kwargs):
        if len(imgs) > 1: raise torch.cuda.OutOfMemoryError('CUDA out of memory.\nTried to allocate much')
        if np.array_equal(imgs[0], np.asarray(Image.open(files[3]))): raise torch.cuda.OutOfMemoryError('CUDA out of memory.\nA lot')
        return real(model, imgs, **kwargs)
    monkeypatch.setattr(run_predict, 'predict_masks', masks)
    written,failed = predict_files(model, files, tmp_path/'out')
    assert [p.name for p in written] == ['0.png', '1.png', '2.png', '4.png']
    assert failed == [f'{files[3]}: CUDA out of memory.']


def test_a_folder_for_masks_that_cannot_be(model, tmp_path):
    (tmp_path/'file').write_text('x')
    for out in (tmp_path/'file', tmp_path/'file'/'below'):
        with pytest.raises(PixsegError, match='cannot be made a folder'): predict_files(model, [photo(tmp_path/'a.jpg')], out)


def test_where_there_are_no_photographs(model, tmp_path):
    (tmp_path/'empty').mkdir()
    with pytest.raises(PixsegError, match='no file or folder at'): predict_files(model, [tmp_path/'nowhere'], tmp_path/'out')
    with pytest.raises(PixsegError, match='no images in'): predict_files(model, [tmp_path/'empty'], tmp_path/'out')
    assert not (tmp_path/'out').exists()


def test_tiles_of_files(model, tmp_path):
    files = [photo(tmp_path/'in'/f'{i}.jpg', i, (50, 70)) for i in range(3)]
    written,failed = predict_files(model, files, tmp_path/'out', tile=True)
    assert not failed
    for f,p in zip(files, written): np.testing.assert_array_equal(ids(p), predict_tiled(model, f))


# ---- judging

def data(root, masks, labels=LABELS, split='val'):
    "A data folder of one split."
    for i,mask in enumerate(masks):
        photo(root/split/f'{i}.png', i, mask.shape)
        (root/f'{split}annot').mkdir(exist_ok=True)
        Image.fromarray(mask).save(root/f'{split}annot'/f'{i}.png')
    write_codes(labels, root/'codes.txt')
    return root


def some_masks(n, top): return [np.random.default_rng(i).integers(0, top, (24, 32), np.uint8) for i in range(n)]


def test_a_split_without_a_labelled_pixel_has_no_figures(model, tmp_path):
    root = data(tmp_path, [np.full((24, 32), 3, np.uint8)]*2)
    scores = evaluate(model, root)
    assert [scores[k] for k in ('accuracy', 'class_accuracy', 'miou')] == [None]*3 and scores['n_images'] == 2
    assert set(scores['iou'].values()) == {None}
    json.dumps(scores)
    assert math.isnan(reliability(model, root).ece)
    with pytest.raises(PixsegError, match='0 pixels'): fit_temperature(model, root)


def test_judging_leaves_a_network_as_it_came(tmp_path):
    net,root = tiny(),data(tmp_path/'data', some_masks(3, 4))
    expected = evaluate(net, root)['confusion']
    net.train(); net.bottom.eval() # in training, a part of it frozen
    modes,state = [m.training for m in net.modules()],{k:v.clone() for k,v in net.state_dict().items()}
    assert evaluate(net, root)['confusion'] == expected
    written,_ = predict_files(net, [root/'val'], tmp_path/'out')
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(v, state[k]) for k,v in net.state_dict().items()) # batch norm has learned nothing
    np.testing.assert_array_equal(ids(written[0]), predict_mask(net.eval(), root/'val'/'0.png'))


# ---- model files

def write_card(path, card, weights=None):
    weights = tiny().state_dict() if weights is None else weights
    path.write_bytes(save({k:v.contiguous() for k,v in weights.items()}, dict(pixseg=card)))
    return path


GOOD = tiny().card
def changed(**what): return {**json.loads(json.dumps(GOOD)), **what}
def without(key): return {k:v for k,v in GOOD.items() if k != key}
def config(**what): return changed(config={**GOOD['config'], **what})

BAD_CARDS = ['{}', 'null', 'not JSON', '3', '[]', '"UNet"', '{"architecture": ', '['*100000,
             *(json.dumps(o) for o in (
                 *(without(k) for k in ('architecture', 'config', 'labels', 'mean', 'std')),
                 changed(architecture=None), changed(architecture=['UNet']), changed(architecture='VNet'),
                 changed(config=None), changed(config=[3]), changed(config={}), config(wings=2), config(n_classes='three'),
                 config(width=None), config(width='4'), config(depth=-1), config(depth=1.5), config(norm=['batch']), config(head='big'),
                 config(n_classes=7), config(padding={}),
                 changed(labels=None), changed(labels=[]), changed(labels={}), changed(labels=dict(names=3)),
                 changed(labels=dict(names=[1, 2, 3])), changed(labels=dict(names=['a', 'a', 'b'])), changed(labels=dict(names=['a'])),
                 changed(labels=dict(names=['a', 'b', 'c'], colors='red')), changed(labels=dict(names=['a', 'b', 'c', 'd'], void='d')),
                 changed(mean=None), changed(mean=.5), changed(mean=['r', 'g', 'b']), changed(mean=[]), changed(mean=[math.nan]*3),
                 changed(std=[0, 0, 0]), changed(std=[.2, -.2, .2]), changed(std='small'), changed(std=[True, True, True]), changed(mean=[2**70, 0, 0]), changed(std=[1, 1, 2**70]),
                 changed(labels=dict(names=['a', 'b', 'c'], colors=[[0, 0, math.inf]]*3)),
                 changed(size='large'), changed(size=[24]), changed(size=[24, -32]), changed(size=[1, 1]), changed(size=[24, 'x']), changed(size=[10**9, 10**9]),
                 changed(size=24), changed(temperature='hot'), changed(temperature=0), changed(temperature=math.inf)))]


@pytest.mark.parametrize('card', BAD_CARDS, ids=lambda o: o[:60].replace('/', ''))
def test_a_card_that_is_none_is_told_in_one_line(tmp_path, card):
    path = write_card(tmp_path/'odd.safetensors', card)
    with pytest.raises(PixsegError) as e: load_model(path)
    assert str(path) in str(e.value) and '\n' not in str(e.value) and len(str(e.value)) < 600


def test_the_good_card_is_good(tmp_path):
    for card in (GOOD, changed(size=None), without('size'), changed(temperature=1.3), changed(scores='in words'), changed(temperature=None)):
        net = load_model(write_card(tmp_path/'good.safetensors', json.dumps(card)))
        assert net.labels == LABELS
        confidence(net, np.zeros((24, 32, 3), np.uint8))


GIANTS = [dict(width=10**9), dict(depth=10**9), dict(depth=60), dict(fold=10**6), dict(width=4096), dict(n_in=10**9), dict(width=64, depth=9)]

@pytest.mark.parametrize('what', GIANTS, ids=str)
def test_a_giant_is_refused_before_it_is_built(tmp_path, monkeypatch, what):
    path = write_card(tmp_path/'giant.safetensors', json.dumps(config(**what)))
    def built(*args): raise AssertionError(f'built {args}')
    monkeypatch.setattr(modelfile, 'build_model', built)
    with pytest.raises(PixsegError, match='giant.safetensors: its arguments make a network of more than'): load_model(path)


def encoder_card(**what):
    net = EncoderUNet(3, pretrained=False, decoder=(4, 4, 4, 4))
    card = make_card(net, Labels(('a', 'b', 'c')))
    return {**card, 'config':{**card['config'], **what}},net.state_dict()


def test_a_giant_decoder_is_refused_before_it_is_built(tmp_path, monkeypatch):
    card,weights = encoder_card(decoder=[10**6, 4, 4, 4])
    path = write_card(tmp_path/'giant.safetensors', json.dumps(card), weights)
    monkeypatch.setattr(modelfile, 'build_model', lambda *args: pytest.fail('built'))
    with pytest.raises(PixsegError, match='more than'): load_model(path)


NAMES = ['hf-hub:someone/else', 'hf_hub:someone/else', 'hf-hub:timm/resnet18', 'local-dir:/tmp/net', 'timm/resnet18.a1_in1k', 'resnet81', '', 3, None, ['resnet18']]

@pytest.mark.parametrize('name', NAMES, ids=str)
def test_encoders_come_from_timm_alone(tmp_path, monkeypatch, name):
    asked = []
    def ask(*args, **kwargs): asked.append(args); raise OSError('no network here')
    monkeypatch.setattr(socket, 'getaddrinfo', ask); monkeypatch.setattr(socket.socket, 'connect', ask)
    with pytest.raises(PixsegError, match='timm has no encoder'): check_encoder(name)
    card,weights = encoder_card(encoder=name)
    path = write_card(tmp_path/'odd.safetensors', json.dumps(card), weights)
    with pytest.raises(PixsegError, match='odd.safetensors.*timm has no encoder'): load_model(path)
    assert asked == []


def test_encoders_that_timm_has():
    assert [check_encoder(o) for o in ('resnet18', 'resnet18.a1_in1k', 'tf_efficientnet_lite0')] == ['resnet18', 'resnet18.a1_in1k', 'tf_efficientnet_lite0']


def test_files_that_are_no_model_files(tmp_path):
    path = save_model(tmp_path/'tiny.safetensors', tiny(), LABELS)
    (tmp_path/'notes.safetensors').write_text('not a model')
    (tmp_path/'cut.safetensors').write_bytes(path.read_bytes()[:2000])
    save_file(dict(w=torch.ones(2)), tmp_path/'stranger.safetensors')
    for name,words in (('nowhere', 'no model file at'), ('notes', 'is not a model file'), ('cut', 'is not a model file'), ('stranger', 'no pixseg card')):
        with pytest.raises(PixsegError, match=words) as e: load_model(tmp_path/f'{name}.safetensors')
        assert name in str(e.value) and '\n' not in str(e.value)
    with pytest.raises(PixsegError, match=r'comes with pixseg \(camvid-encoder, camvid-unet\)'): find_model('camvid')


def test_weights_and_card_that_do_not_fit(tmp_path):
    path = write_card(tmp_path/'odd.safetensors', json.dumps(config(width=3)))
    with pytest.raises(PixsegError, match=r'odd.safetensors: weights and card do not fit together') as e: load_model(path)
    assert '\n' not in str(e.value)


def test_networks_that_cannot_be_built_or_described():
    with pytest.raises(PixsegError, match="no network is called 'VNet'"): build_model('VNet', {})
    with pytest.raises(PixsegError, match='a newer pixseg may'): build_model('UNet', dict(n_classes=3, wings=2))
    with pytest.raises(PixsegError, match='give a dict'): build_model('UNet', None)
    with pytest.raises(PixsegError, match='smaller numbers'): build_model('UNet', dict(n_classes=3, width=10**9))
    with pytest.raises(PixsegError, match='3 outputs'): make_card(tiny(), Labels(('a', 'b')))
    with pytest.raises(PixsegError, match='cannot be rebuilt from a file'): make_card(Named(), LABELS)


class Named(nn.Module): config = dict(n_classes=3)


def test_a_model_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = save_model(tmp_path/'a.safetensors', tiny(), LABELS)
    before = bytes_of(tmp_path)
    def fail(self, data): (open(self, 'wb').write(data[:99])); raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(Path, 'write_bytes', fail)
    with pytest.raises(OSError): save_model(path, tiny(), LABELS, half=True)
    assert bytes_of(tmp_path) == before


# ---- pieces of a photograph

def test_pieces_cover_every_pixel_once():
    draw = random.Random(0)
    for _ in range(2000):
        size,tile,grid = draw.randint(1, 300),draw.randint(1, 120),draw.choice((1, 1, 8, 32))
        margin = draw.choice((draw.randint(0, 70), tile_margin(tile, grid)))
        if tile < size and tile < 2*margin+grid:
            with pytest.raises(PixsegError, match='keep nothing'): tile_boxes(size, tile, margin, grid)
            continue
        boxes = tile_boxes(size, tile, margin, grid)
        assert [i for _,a,b in boxes for i in range(a, b)] == list(range(size))
        for start,a,b in boxes:
            end = max(start+min(tile, size), b)
            assert start%grid == 0 and end < start+tile+grid
            assert 0 <= start <= a < b <= end <= size
            assert (a-start >= margin or a == 0) and (end-b >= margin or b == size) # seen with what is around it


@pytest.mark.parametrize('size, tile, margin', [(100, 10, 5), (100, 10, 7), (100, 0, 0), (0, 10, 1), (100, 10, -1), (100, -3, 0), (7, 1, 1)])
def test_pieces_that_would_never_end(size, tile, margin):
    with pytest.raises(PixsegError, match='keep nothing|at least'): tile_boxes(size, tile, margin)


@pytest.mark.parametrize('name, size, same', [('camvid-unet', (829, 1081), .9995), ('camvid-encoder', (832, 1088), .995)]) # an encoder pads odd maps at the other side
def test_pieces_answer_as_the_whole(name, size, same): # windows start where the pools of the whole photograph do
    img = np.random.default_rng(0).integers(0, 255, (18, 23, 3), np.uint8).repeat(48, 0).repeat(48, 1)[:size[0],:size[1]]
    net = load_model(name)
    whole = predict_mask(net, img, size=None)
    assert (predict_tiled(net, img) == whole).mean() > same-.005 # what `tile=True` gives
    assert (predict_tiled(net, img, (640, 640), margin=192) == whole).mean() > same


def test_pieces_that_the_network_cannot_take(model):
    img = np.zeros((60, 80, 3), np.uint8)
    for tile in (10, (3, 40), (40,), 'large', (24., 32.)):
        with pytest.raises(PixsegError, match='tile is .* at least 4 each'): predict_tiled(model, img, tile=tile)
    with pytest.raises(PixsegError, match='leave out `size`'): predict_mask(model, img, tile=True, size=(24, 32))
    np.testing.assert_array_equal(predict_mask(model, img, tile=(40, 48)), predict_tiled(model, img, tile=(40, 48)))
    with pytest.raises(PixsegError, match='at least 4 pixels a side'): predict_logits(model, [img[:3]])


# ---- confidence

def test_the_card_s_temperature_counts():
    img = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    plain,hot = tiny(),tiny(temperature=3.)
    (mask,conf),(mask3,conf3) = confidence(plain, img),confidence(hot, img)
    np.testing.assert_array_equal(mask, mask3); np.testing.assert_array_equal(mask, predict_mask(plain, img))
    assert conf3.max() < conf.max() and (conf3 <= conf+1e-6).all()
    np.testing.assert_allclose(conf3, confidence(plain, img, temperature=3.)[1], atol=1e-6)
    np.testing.assert_allclose(conf, confidence(hot, img, temperature=1.)[1], atol=1e-6)
    plain.card = None # a network that never was in a file
    np.testing.assert_array_equal(confidence(plain, img)[1], conf)


def test_temperatures_that_are_none(model):
    img = np.zeros((24, 32, 3), np.uint8)
    for t in (0, -1, math.inf, math.nan):
        with pytest.raises(PixsegError, match='give a number above 0'): predict_probs(model, [img], temperature=t)
    with pytest.raises(PixsegError, match=r'give one row \(P,n\) for each'): best_temperature(torch.zeros(0, 2), torch.zeros(0).long())


@pytest.mark.parametrize('conf, right, words', [([-2., 7.], [True, False], 'confidence runs from -2 to 7: give shares'),
                                                ([math.nan], [True], 'confidence runs from nan to nan'),
                                                ([.5, .6], [True], r'\(2,\) values of confidence but \(1,\) pixels')])
def test_confidences_that_are_none(conf, right, words):
    with pytest.raises(PixsegError, match=words): Reliability().add(conf, right)


def test_uncertainties_that_are_none():
    unsure = torch.tensor([.9, .7, .3, .1])
    none,everything = Sparsification().add(unsure, unsure > 1),Sparsification().add(unsure, unsure > 0)
    with pytest.raises(PixsegError, match='none of 4 pixels is wrong'): none.found()
    with pytest.raises(PixsegError, match='every pixel is wrong'): print(everything.area)
    with pytest.raises(PixsegError, match='uncertainty runs from 0 to 2.4'): Sparsification().add([0, 2.4], [True, False])
    for kind in (Reliability, Sparsification):
        with pytest.raises(PixsegError, match='bins is 0'): kind(bins=0)
    with pytest.raises(PixsegError, match='do not sum to 1 over axis 1'): entropy(torch.tensor([[3., -1.]]))
    with pytest.raises(PixsegError, match='two classes or more'): entropy(torch.tensor([.5, .5]))


def test_dropout_that_is_none(model):
    img = np.zeros((24, 32, 3), np.uint8)
    for p in (-.1, 1):
        with pytest.raises(PixsegError, match=f'p is {p}: give a probability'): add_dropout(tiny(), p)
    with pytest.raises(PixsegError, match='Linear has no `ConvBlock`'): add_dropout(nn.Linear(2, 2))
    with pytest.raises(PixsegError, match='all samples would be alike'): dropout_samples(model, img)
    with pytest.raises(PixsegError, match='n is 0'): dropout_samples(add_dropout(tiny()), img, n=0)


def test_pixels_of_a_split(model, tmp_path):
    bare = Labels(('sky', 'road', 'car'), void=None)
    free = tiny(bare)
    root = data(tmp_path, some_masks(2, 3), bare)
    assert sum(len(t) for _,t in split_pixels(free, root)) == 2*24*32 # labels without a void: every pixel counts
    with pytest.raises(PixsegError, match="leaves no frame of 'val'"): next(split_pixels(free, root, part=slice(99, None)))


# ---- out of Python

def test_what_brings_onnx(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    with pytest.raises(PixsegError, match=r'needs the package onnxscript: `pip install onnx onnxscript`'): export_onnx(model, tmp_path/'a.onnx')
    assert not list(tmp_path.iterdir())


# ---- what serving a model does not wait for

SERVE = """
import sys, tempfile
import numpy as np
from pathlib import Path
from PIL import Image
from pixseg import confidence, evaluate, load_model, predict_files, predict_mask
from pixseg.calibration import reliability
root = Path(sys.argv[1])
model = load_model('camvid-unet')
predict_mask(model, np.zeros((48, 64, 3), np.uint8), size=(48, 64))
confidence(model, np.zeros((48, 64, 3), np.uint8), size=(48, 64))
evaluate(model, root, size=(48, 64))
reliability(model, root, size=(48, 64))
predict_files(model, [root/'val'], root/'out', with_overlay=True, size=(48, 64))
load_model('camvid-encoder')
print(*(m for m in ('matplotlib', 'fastai', 'ipywidgets', 'IPython', 'pandas') if m in sys.modules))
"""

def test_serving_imports_neither_matplotlib_nor_fastai(tmp_path):
    root = data(tmp_path, [np.random.default_rng(0).integers(0, 12, (48, 64), np.uint8)], CAMVID)
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', SERVE, str(root)], capture_output=True, text=True,
                          cwd=tmp_path, env={**os.environ, 'PYTHONPATH':str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
    assert (root/'out'/'0.png').exists() and (root/'out'/'0_overlay.jpg').exists()


def test_logits_are_enlarged_in_one_place():
    "The front's modules enlarge by `enlarge_logits`, so that none of them can do it otherwise."
    found = [p.name for p in (ROOT/'pixseg').glob('*.py') if 'align_corners' in p.read_text(encoding='utf-8')]
    assert found == ['blocks.py']


@pytest.mark.parametrize('look', [dict(size=(0, 0)), dict(size=(-8, 8)), dict(size='x'), dict(size=5), dict(size=(8., 8.)), dict(size=(8, 8, 8)),
                                  dict(scales=()), dict(scales=(0,)), dict(scales=(-1.,)), dict(scales=(math.nan,)), dict(scales=('a',)), dict(scales=1.)])
def test_a_working_size_that_means_nothing_is_refused(model, look):
    img = np.zeros((24, 32, 3), np.uint8)
    with pytest.raises(PixsegError, match='^(size is|scales are) .*give'): predict_mask(model, img, **look)
    good = predict_mask(model, img, size=[24, np.int64(32)], scales=[1, .75])
    assert good.shape == (24, 32)
