"What people give a viewer: folders, files, arrays, networks; and the whole set in numbers."
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from pixseg.io.encoding import is_background
from pixseg.io.files import PixsegWarning
from pixseg.io.images import save_mask
from pixseg.io.layout import match_names
from pixseg.io.streets import draw_street
from pixseg.labels import CAMVID, Labels, PixsegError
from pixseg.metrics import confusion
from pixseg.modelfile import save_model
from pixseg.unet import UNet
from pixseg.web.inputs import CodedMask, Given, look_over, mask_source, natural, photo_list, Predictor, read_labels
from pixseg.web.viewer import MaskBrowser


def told(f):
    "What `f` gives, and the lines that were said."
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        return f(),[str(o.message) for o in caught if issubclass(o.category, PixsegWarning)]


@pytest.fixture(params=['_mask', '', '_P'])
def folders(tmp_path, request):
    "Photographs and masks in two folders; three of four have one."
    for d in ('photos', 'masks'): (tmp_path/d).mkdir()
    for i in (1, 2, 10, 11):
        img,mask = draw_street(i)
        Image.fromarray(img).save(tmp_path/'photos'/f'cat{i}.jpg')
        if i != 11: save_mask(mask, CAMVID, tmp_path/'masks'/f'cat{i}{request.param}.png')
    return tmp_path


def test_two_folders_by_name(folders):
    "7d29f36 took the string for a list of letters."
    b,lines = told(lambda: MaskBrowser(str(folders/'photos'), targ=str(folders/'masks')))
    assert b.frames.names == ['cat1.jpg', 'cat2.jpg', 'cat10.jpg']
    assert all((b.truth(k)[0] == draw_street(i)[1]).all() for k,i in enumerate((1, 2, 10)))
    assert b.labels.names[0] == 'class 0' and 'Sky' not in b.labels.names # nobody said that these are streets
    assert len(lines) == 1 and '1 of 4 photographs have no mask and are left out, the first is cat11.jpg' in lines[0] and 'pass `labels`' in lines[0]


def test_names_come_from_codes_txt(folders):
    (folders/'masks'/'codes.txt').write_text('\n'.join(f'kind {i}' for i in range(11))+'\nVoid\n')
    b = MaskBrowser(folders/'photos', folders/'masks', folders/'masks')
    assert b.labels.names[:2] == ('kind 0', 'kind 1') and b.labels.void == 11
    assert b.totals()['mean IoU'] == 1


def test_predictions_and_truth_in_folders_leave_out_the_same(folders):
    b = MaskBrowser(folders/'photos', folders/'masks', [draw_street(i)[1] for i in (1, 2, 10, 11)], CAMVID)
    assert len(b.frames) == 3 and (b.table()['accuracy'] == 1).all()
    scores = [dict(loss=i) for i in range(4)]
    assert list(MaskBrowser(folders/'photos', folders/'masks', labels=CAMVID, scores=scores).table().loss) == [0, 1, 2]


@pytest.mark.parametrize('kind', ['network', 'file', 'name'])
def test_a_model_predicts_by_itself(tmp_path, kind):
    img,mask = draw_street(3)
    torch.manual_seed(0)
    net = UNet(CAMVID.n, width=4, depth=2)
    net.labels,net.size = CAMVID,(96, 128)
    model = dict(network=net, file=save_model(tmp_path/'model.safetensors', net, CAMVID, (96, 128)), name='camvid-encoder')[kind]
    b = MaskBrowser(img, model if kind != 'file' else str(model), mask)
    assert b.labels.names == CAMVID.names and 'confidence' in b.widget._meta['views']
    pred,conf = b.steps[0](0)
    assert pred.shape == conf.shape == mask.shape and conf.dtype == np.uint8


def test_the_confidence_is_calibrated(tmp_path):
    img,_ = draw_street(3)
    net = UNet(CAMVID.n, width=4, depth=2)
    files = [save_model(tmp_path/f'{t}.safetensors', net, CAMVID, (96, 128), temperature=t) for t in (.1, 1.)]
    sure,plain = (MaskBrowser(img, str(f)).steps[0](0)[1].mean() for f in files)
    assert sure > plain+10 # a low temperature on the card is a surer network


def test_a_network_is_asked_late(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Predictor, '__call__', lambda self, img: asked.append(1) or np.zeros(img.shape[:2], np.uint8))
    MaskBrowser([draw_street(i)[0] for i in range(9)], 'camvid-encoder')
    assert len(asked) == 1


def test_a_network_without_labels_is_refused():
    with pytest.raises(PixsegError, match='UNet does not say what its outputs mean: pass `labels`'):
        MaskBrowser(draw_street(0)[0], UNet(3, width=4, depth=1))
    assert MaskBrowser(draw_street(0)[0], UNet(3, width=4, depth=1), labels=['a', 'b', 'c']).labels.names == ('a', 'b', 'c')


IMG,MASK = draw_street(4)
CHW = torch.from_numpy(IMG).permute(2, 0, 1)


@pytest.mark.parametrize('photo', [IMG, IMG/255, (IMG/255).astype(np.float32), CHW, CHW.float()/255, CHW[None], Image.fromarray(IMG), [IMG], (CHW,), np.stack([IMG])],
                         ids=lambda o: f'{type(o).__name__}{getattr(o, "shape", "")}')
def test_one_photograph_of_any_kind(photo):
    b = MaskBrowser(photo, MASK, labels=CAMVID)
    assert len(b.frames) == 1 and (b.frames.img(0) == IMG).all() and (b.steps[0](0)[0] == MASK).all()


@pytest.mark.parametrize('masks', [np.stack([MASK]*3), [MASK]*3, torch.from_numpy(np.stack([MASK]*3)), torch.from_numpy(np.stack([MASK]*3))[:,None], [Image.fromarray(MASK)]*3],
                         ids=['batch', 'list', 'tensor', 'channels', 'images'])
def test_many_masks_of_any_kind(masks):
    b = MaskBrowser(np.stack([IMG]*3), masks, labels=CAMVID)
    assert all((b.steps[0](i)[0] == MASK).all() for i in range(3))


@pytest.mark.parametrize('photos,masks,words', [
    (CHW.numpy(), [MASK], 'cannot be told which axis is which'),
    (IMG, np.zeros((11, 96, 128)), 'take the `argmax` first'),
    (IMG, np.zeros((2, 96, 128), np.uint8), r'one array \(2, 96, 128\) for 1 photograph'),
    (IMG, 'nothing-there', 'no file or folder at nothing-there: give a folder of masks, a mask, a model file, or one of camvid-encoder'),
    ('nothing-there', [MASK], 'no file or folder at nothing-there'),
    (3, [MASK], 'the photographs are a int'), (IMG, 3, 'the predictions are a int'), (IMG, None, 'neither predictions nor true masks'),
    ([], [], 'no photographs to show')])
def test_what_cannot_be_told_is_refused(photos, masks, words):
    with pytest.raises(PixsegError, match=words): MaskBrowser(photos, masks, labels=CAMVID)


def test_files_do_not_belong_to_arrays(folders):
    with pytest.raises(PixsegError, match='arrays without names'): MaskBrowser(IMG, folders/'masks')


@pytest.mark.parametrize('labels', [['sky', 'cat'], ('sky', 'cat'), {0:'sky', 1:'cat'}, {1:'cat', 0:'sky'}, Labels(('sky', 'cat'))], ids=str)
def test_labels_of_any_kind(labels):
    assert MaskBrowser(IMG, (MASK == 3).astype(np.uint8), labels=labels).labels.names == ('sky', 'cat')


@pytest.mark.parametrize('labels,words', [('abc', "`labels` is 'abc', and there is no such file"), ({'cat':1}, 'from id to name'), (3, '`labels` is a int'), ({}, 'from id to name')])
def test_labels_that_are_none(labels, words):
    with pytest.raises(PixsegError, match=words): MaskBrowser(IMG, MASK, labels=labels)


def test_names_are_not_letters():
    with pytest.raises(PixsegError, match='`names` is the single string'): MaskBrowser([IMG]*3, [MASK]*3, labels=CAMVID, names='abc')


def test_black_and_white_and_void(tmp_path):
    "0/255 against 0/1 with a void of 255: the cat is one and the same."
    cat = (MASK == CAMVID['Car']).astype(np.uint8)
    void = cat.copy()
    void[:7] = 255
    b,lines = told(lambda: MaskBrowser(IMG, cat*255, void, labels=['background', 'cat']))
    assert b.labels.names == ('background', 'cat', 'Void') and b.labels.void == 2
    assert (b.steps[0](0)[0] == cat).all() and (b.truth(0)[0][:7] == 2).all() and (b.truth(0)[0][7:] == cat[7:]).all()
    assert b.totals()['mean IoU'] == 1 and len(lines) == 1 and '255' in lines[0]
    Image.fromarray(cat*255).save(tmp_path/'a.png')
    c = MaskBrowser(IMG, tmp_path/'a.png')
    assert c.labels.n == 2 and (c.steps[0](0)[0] == cat).all()
    c.add_step(cat, 'later') # and in a step
    assert (c.steps[1](0)[0] == cat).all()


def test_ids_with_gaps():
    "A dictionary says which values stand for what."
    far = np.where(MASK == 3, 200, 7).astype(np.uint8)
    b = MaskBrowser(IMG, far, labels={7:'street', 200:'road'})
    assert b.labels.names == ('street', 'road') and (b.steps[0](0)[0] == (MASK == 3)).all()
    with pytest.raises(PixsegError, match='number them so'): MaskBrowser(IMG, lambda img: far, labels={7:'street', 200:'road'})


def test_background_is_off(tmp_path):
    b = MaskBrowser(IMG, (MASK == 3).astype(np.uint8), labels=['Background', 'road'])
    assert b.off == ['Background']
    b.opacity = 1.
    assert (b.picture()[MASK != 3] == IMG[MASK != 3]).all()
    assert MaskBrowser(IMG, MASK*0, labels=['background']).off == [] # or nothing would be seen
    assert is_background('_background_') and not is_background('back') and MaskBrowser(IMG, MASK, labels=CAMVID).off == []


def test_truth_alone(tmp_path):
    b = MaskBrowser([IMG]*2, targ=[MASK]*2, labels=CAMVID)
    assert (b.view, b.widget._meta['views'], b.widget._meta['columns']) == ('truth', ['truth'], [])
    assert list(b.table().columns) == ['name', 'flagged']
    assert b.save(tmp_path/'a.html').stat().st_size > 1000 and b.figure(1)
    with pytest.raises(PixsegError, match='nothing to compare'): b.confusion()
    with pytest.raises(PixsegError, match='true masks without predictions'): b.add_step([MASK]*2, 'later')


def test_the_table_and_the_whole_set():
    imgs,targs = map(list, zip(*(draw_street(i) for i in range(4))))
    preds = [np.roll(o, 5*i, 1) for i,o in enumerate(targs)]
    b = MaskBrowser(imgs, preds, targs, CAMVID, scores=[dict(loss=i) for i in range(4)])
    t = b.table()
    assert isinstance(t, pd.DataFrame) and list(t.columns[:4]) == ['name', 'mean IoU', 'accuracy', 'loss'] and t.columns[-1] == 'flagged'
    assert t['mean IoU'][0] == 1 and not t.flagged.any() and t.index.name == 'frame'
    n = len(CAMVID) # one more column, for what is predicted as void
    cm = sum(confusion(p, o, n, CAMVID.void) for p,o in zip(preds, targs)).numpy()
    whole = b.confusion()
    assert list(whole.index) == list(CAMVID.classes) and (whole.to_numpy() == cm[:CAMVID.n]).all() and whole.columns[-1] == 'Void'
    both,one = np.diag(cm)[:CAMVID.n],cm[:CAMVID.n].sum(1)+cm.sum(0)[:CAMVID.n]
    assert np.allclose(b.totals()['mean IoU'], np.nanmean(both/(one-both))) and np.isclose(b.totals()['accuracy'], both.sum()/cm.sum())


def test_the_order_in_which_people_count():
    assert sorted(['a10', 'a9', 'b1', 'a', '2'], key=natural) == ['2', 'a', 'a9', 'a10', 'b1']


def test_helpers_say_what_they_give(folders):
    photos,home = photo_list(folders/'photos')
    assert home == folders/'photos' and len(photos) == 4
    masks = mask_source(folders/'masks', photos, home)
    assert masks[-1] is None and masks[0].name.startswith('cat1')
    assert read_labels(CAMVID).void == 11
    assert match_names(['a'], ['a_label'])[0] == {'a':('a_label',)}
    Image.fromarray((MASK == 3)*np.uint8(255)).save(folders/'bw.png')
    seen = look_over(IMG, targ=folders/'bw.png')
    assert isinstance(seen, Given) and isinstance(seen.targ[0], CodedMask) and set(np.unique(seen.targ[0].read())) == {0, 1}
