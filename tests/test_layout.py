"Layouts and files of names: the arrangements in which data sets are delivered, and what is refused."
import itertools
import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixseg.io.camvid import camvid_manifest
from pixseg.io.files import file_kind, say_kinds
from pixseg.io.images import MARK, save_mask
from pixseg.io.layout import find_layout, Layout, say_no_masks
from pixseg.io.folder import open_folder
from pixseg.io.names import find_names, is_names_file, names_for, read_names
from pixseg.io.pairs import read_pair
from pixseg.io.reading import ClassNames, Pair
from pixseg.io.codes import code_lines, void_ids
from pixseg.labels import Labels, PixsegError, read_codes


def draw(path, kind='photo'):
    "A photograph of many colours, or a mask of two."
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = np.random.default_rng(sum(map(ord, path.name)))
    a = seed.integers(0, 256, (24, 32, 3), np.uint8) if kind == 'photo' else (seed.random((24, 32)) > .5).astype(np.uint8)
    Image.fromarray(a).save(path)


def folder(root, files):
    "Files below a root: empty, unless a text, 'photo' or 'mask' is given."
    for f, what in (files.items() if isinstance(files, dict) else ((f, '') for f in files)):
        p = root/f
        p.parent.mkdir(parents=True, exist_ok=True)
        if what in ('photo', 'mask'): draw(p, what)
        else: p.write_text(what, encoding='utf-8')
    return root


def found(root):
    "Pairs by split as they can be compared: name -> (photograph, mask or masks), below the root."
    layout = find_layout(root)
    rel = lambda p: p.relative_to(root).as_posix()
    masks = lambda m: tuple(map(rel, m)) if isinstance(m, tuple) else rel(m)
    return layout, {s: {n: (rel(i), masks(m)) for n, i, m in pairs} for s, pairs in layout.splits.items()}


def split_of(i): return 'train' if i < 3 else 'val'


# name -> function from number and split to (name of the pair, photograph, mask)
FORMS = {
    "SegNet's layout": lambda i, s: (f'f{i}', f'{s}/f{i}.png', f'{s}annot/f{i}.png'),
    'SegNet in capitals': lambda i, s: (f'f{i}', f'{s.title()}/f{i}.JPG', f'{s.title()}Annot/f{i}.PNG'),
    'SegNet, val is valid': lambda i, s: (f'f{i}', f'{s.replace("val", "valid")}/f{i}.png', f'{s.replace("val", "valid")}annot/f{i}.png'),
    'SegNet with folders': lambda i, s: (f'{"day night".split()[i % 2]}/{i//2}', f'{s}/{"day night".split()[i % 2]}/{i//2}.jpg', f'{s}annot/{"day night".split()[i % 2]}/{i//2}.png'),
    'Kaggle CamVid': lambda i, s: (f'0001TP_{i:06}', f'{s}/0001TP_{i:06}.png', f'{s}_labels/0001TP_{i:06}_L.png'),
    'Roboflow': lambda i, s: (f'i{i}_jpg.rf.0a{i}', f'{s.replace("val", "valid")}/i{i}_jpg.rf.0a{i}.jpg', f'{s.replace("val", "valid")}/i{i}_jpg.rf.0a{i}_mask.png'),
    'Cityscapes': lambda i, s: (f'ulm/ulm_{i:06}_000019', f'leftImg8bit/{s}/ulm/ulm_{i:06}_000019_leftImg8bit.png', f'gtFine/{s}/ulm/ulm_{i:06}_000019_gtFine_labelTrainIds.png'),
    'MMSegmentation': lambda i, s: (f'{i}', f'img_dir/{s}/{i}.jpg', f'ann_dir/{s}/{i}.png'),
    'ADE20K': lambda i, s: (f'ADE_{i}', f'images/{dict(train="training", val="validation")[s]}/ADE_{i}.jpg', f'annotations/{dict(train="training", val="validation")[s]}/ADE_{i}.png'),
    'role within split': lambda i, s: (f'{i}', f'{s}/images/{i}.jpg', f'{s}/masks/{i}.png'),
    'split within role': lambda i, s: (f'{i}', f'Images/{s}/{i}.jpg', f'Labels/{s}/{i}_label.png'),
    'zhixuhao': lambda i, s: (f'{i}', f'{s}/image/{i}.png', f'{s}/label/{i}.png'),
    'COCO stuff': lambda i, s: (f'{i:012}', f'images/{s}2017/{i:012}.jpg', f'annotations/{s}2017/{i:012}.png'),
    'ISIC': lambda i, s: (f'ISIC_{i:07}', f'ISIC2018_Task1-2_{dict(train="Training", val="Validation")[s]}_Input/ISIC_{i:07}.jpg',
                          f'ISIC2018_Task1_{dict(train="Training", val="Validation")[s]}_GroundTruth/ISIC_{i:07}_segmentation.png'),
    'LoveDA': lambda i, s: (f'Urban/{i}', f'{s.title()}/Urban/images_png/{i}.png', f'{s.title()}/Urban/masks_png/{i}.png'),
    'FloodNet': lambda i, s: (f'{i}', f'{s}/{s}-org-img/{i}.jpg', f'{s}/{s}-label-img/{i}_lab.png'),
    'words run together': lambda i, s: (f'{i}', f'{s}images/{i}.tif', f'{s}masks/{i}.tif'),
    'prefixes': lambda i, s: (f'{i}', f'{s}/img/image_{i}.jpg', f'{s}/gt/mask_{i}.png'),
    'masks in one pool': lambda i, s: (f'f{i}', f'{s}/f{i}.jpg', f'masks/f{i}.png'),
    'photographs in one pool': lambda i, s: (f'f{i}', f'images/f{i}.jpg', f'labels/{s}/f{i}.png')}


@pytest.mark.parametrize('form', FORMS)
def test_a_layout_is_recognised(tmp_path, form):
    rows = [(split_of(i), *FORMS[form](i, split_of(i))) for i in range(5)]
    folder(tmp_path, [f for r in rows for f in r[2:]])
    layout, splits = found(tmp_path)
    assert splits == {s: {n: (a, b) for t, n, a, b in rows if t == s} for s in ('train', 'val')}
    assert list(layout.splits) == ['train', 'val'] and layout.problems == [] and layout.lone == {} and layout.left == []
    assert all(isinstance(p, Path) for _, *ps in layout.splits['train'] for p in ps) and layout.form


POOLS = {
    'images and masks': lambda i: (f'f{i}', f'images/f{i}.jpg', f'masks/f{i}.png'),
    'a suffix': lambda i: (f'f{i}', f'imgs/f{i}.jpg', f'masks/f{i}_mask.gif'), 'a dash': lambda i: (f'f{i}', f'imgs/f{i}.jpg', f'gt/f{i}-mask.png'),
    'a dot': lambda i: (f'f.{i}', f'photos/f.{i}.jpg', f'annotations/f.{i}.mask.png'), 'an unknown suffix': lambda i: (f'f{i}', f'img/f{i}.jpg', f'label/f{i}_xyz.png'),
    'an unknown prefix': lambda i: (f'f{i}', f'img/f{i}.jpg', f'label/zz_f{i}.png'), "fast.ai's layout": lambda i: (f'f{i}', f'images/f{i}.png', f'labels/f{i}_P.png'),
    'Pascal VOC': lambda i: (f'2010_{i}', f'JPEGImages/2010_{i}.jpg', f'SegmentationClass/2010_{i}.png'),
    'nnU-Net': lambda i: (f'case_{i:03}', f'imagesTr/case_{i:03}_0000.png', f'labelsTr/case_{i:03}.png'),
    'DRIVE': lambda i: (f'{i}', f'training/images/{i}_training.tif', f'training/1st_manual/{i}_manual1.gif'),
    'DeepGlobe': lambda i: (f'{i}', f'train/{i}_sat.jpg', f'train/{i}_mask.png'), 'BUSI': lambda i: (f'{"be ma"[i % 2*3:][:2]}/c ({i})', f'{"be ma"[i % 2*3:][:2]}/c ({i}).png', f'{"be ma"[i % 2*3:][:2]}/c ({i})_mask.png'),
    'Oxford pets': lambda i: (f'Pug_{i}', f'images/Pug_{i}.jpg', f'annotations/trimaps/Pug_{i}.png'),
    'drone': lambda i: (f'{i:03}', f'original_images/{i:03}.jpg', f'label_images_semantic/{i:03}.png'),
    'KITTI': lambda i: (f'{i:06}_10', f'training/image_2/{i:06}_10.png', f'training/semantic_labels/{i:06}_10.png'),
    'tiles': lambda i: (f'Tile {i % 2}/{i}', f'Tile {i % 2}/images/image_part_{i}.jpg', f'Tile {i % 2}/masks/image_part_{i}.png'),
    'x and y': lambda i: (f'{i}', f'train/x/{i}.png', f'train/y/{i}.png'), 'a folder of one\'s own': lambda i: (f'{i}', f'cells/{i}.png', f'cells_masks/{i}.png'),
    'masks below': lambda i: (f'{i}', f'{i}.jpg', f'masks/{i}.png'), 'input and target': lambda i: (f'{i}', f'input/{i}.png', f'target/{i}.png'),
    'masks flat': lambda i: (f'{"ab"[i % 2]}/f{i}', f'images/{"ab"[i % 2]}/f{i}.jpg', f'masks/f{i}.png'),
    'capitals': lambda i: (f'DSC_{i}', f'images/DSC_{i}.jpg', f'masks/dsc_{i}.png'), 'an endless name': lambda i: (f'a.{"bc"[i % 2]}.{i}', f'images/a.{"bc"[i % 2]}.{i}.jpg', f'masks/a.{"bc"[i % 2]}.{i}.png'),
    'numbers': lambda i: (f'{10**i}', f'images/{10**i}.jpg', f'masks/{10**i}_label.png')}


@pytest.mark.parametrize('form', POOLS)
def test_a_pool_is_recognised(tmp_path, form):
    rows = [POOLS[form](i) for i in range(4)]
    folder(tmp_path, [f for r in rows for f in r[1:]])
    layout, splits = found(tmp_path)
    want = {n if form != 'tiles' else n.replace('/', '/image_part_'): (a, b) for n, a, b in rows}
    assert splits == {'train': want} and layout.problems == [] and layout.lone == {}


@pytest.mark.parametrize('files,words', [
    ({'annotations/list.txt': ''}, []), ({'f0.jpg': ''}, ['./: passed over 1 image']), ({'docs/a.png': ''}, ['docs/: passed over 1 image']),
    ({'images/x.cr2': '', 'masks/y': ''}, ['images/: passed over 1 .cr2', 'masks/: passed over 1 without ending']),
    ({'images/.DS_Store': '', 'images/Thumbs.db': '', '.git/a.png': '', '__MACOSX/images/f0.jpg': '', 'images/.ipynb_checkpoints/f0.jpg': '', 'masks/desktop.ini': ''}, []),
    ({'images/._f0.jpg': ''}, ['images/: passed over 1 hidden']), ({'SegmentationObject/f0.png': ''}, ['SegmentationObject/: passed over 1 image']),
    ({'masks_color/f0.png': '', 'overlays/f0.png': ''}, ['masks_color/: passed over 1 image', 'overlays/: passed over 1 image'])])
def test_nothing_is_left_out_untold(tmp_path, files, words):
    layout, splits = found(folder(tmp_path, {**{f: '' for i in range(2) for f in POOLS['images and masks'](i)[1:]}, **files}))
    assert len(splits['train']) == 2 and layout.problems == [] and layout.left == words


def test_kinds_are_counted_as_elsewhere(tmp_path):
    from collections import Counter
    folder(tmp_path, ['a.cr2', 'd/b', 'c.png', '.c.png'])
    assert [file_kind(p) for p in sorted(tmp_path.iterdir())] == ['hidden', '.cr2', None, 'folder']
    assert say_kinds(Counter(['folder', 'folder', '.heic'])) == '1 .heic, 2 folders'


def test_accents_in_either_form_are_one_name(tmp_path):
    two = [unicodedata.normalize(k, 'étang') for k in ('NFC', 'NFD')]
    folder(tmp_path, [f'train/{two[0]}.jpg', f'trainannot/{two[1]}.png', f'images/{two[1]}/{two[1]}.jpg'])
    _, splits = found(tmp_path)
    assert list(splits['train']) == [two[0]] and splits['train'][two[0]][1] == f'trainannot/{two[1]}.png'


def test_capitals_are_told(tmp_path):
    layout, _ = found(folder(tmp_path, [f for i in range(4) for f in POOLS['capitals'](i)[1:]]))
    assert any('capitals' in o for o in layout.notes)
    layout, splits = found(folder(tmp_path/'b', ['images/a.jpg', 'images/A.jpg', 'masks/a.png', 'masks/A.png']))
    assert splits['train']['a'][1] == 'masks/a.png' and splits['train']['A'][1] == 'masks/A.png' and layout.notes == []


# ---- several masks for a photograph

def test_cityscapes_four_masks_are_one(tmp_path):
    for k, kinds in dict(a='color instanceIds labelIds labelTrainIds', b='instanceIds labelIds color', c='color').items():
        folder(tmp_path/k, [f'leftImg8bit/train/ulm/u_{i}_leftImg8bit.png' for i in range(3)]+[f'gtFine/train/ulm/u_{i}_gtFine_{o}.png' for i in range(3) for o in kinds.split()]
               + [f'gtFine/train/ulm/u_{i}_gtFine_polygons.json' for i in range(3)])
    for k, taken in dict(a='labelTrainIds', b='labelIds', c='color').items():
        layout, splits = found(tmp_path/k)
        assert all(m.endswith(f'_{taken}.png') for _, m in splits['train'].values()) and len(splits['train']) == 3 and layout.problems == [] and layout.notes
    folder(tmp_path/'d', ['leftImg8bit/train/ulm/u_1_leftImg8bit.png', 'gtFine/train/ulm/u_1_gtFine_instanceIds.png'])
    assert find_layout(tmp_path/'d').splits == {'train': []} and len(find_layout(tmp_path/'d').problems) == 1 # numbers of objects are no classes


@pytest.mark.parametrize('where', ['{i}.jpg masks/{k}/{i}.png', 'images/{i}.jpg masks/{k}/{i}_mask.png', 'images/{i}.jpg masks/{i}_{k}.png', 'train/images/a/{i}.jpg train/masks/a/{k}/{i}.png'])
def test_a_file_for_each_class(tmp_path, where):
    files = {o.format(i=i, k=k): '' for i in range(3) for k in ('object', 'disk', 'box') for o in where.split()}
    layout, splits = found(folder(tmp_path, files))
    assert layout.classes == ('box', 'disk', 'object') and len(splits['train']) == 3 and layout.problems == []
    for _, ms in splits['train'].values(): assert [next(k for k in layout.classes if k in m) for m in ms] == ['box', 'disk', 'object']
    assert any('box, disk, object' in o for o in layout.notes)
    lost = next(f for f in files if 'disk' in f)
    (tmp_path/lost).unlink()
    layout = find_layout(tmp_path)
    assert not layout.problems and 'no mask of some class' in layout.notes[-1] # a class that is not in the photograph
    assert sum(None in m for *_, m in layout.splits['train']) == 1
    for k in ('box', 'object'): (tmp_path/lost.replace('disk', k)).unlink()
    assert len(find_layout(tmp_path).problems) == 1 and len(find_layout(tmp_path).splits['train']) == 2


def test_classes_and_photographs_side_by_side(tmp_path):
    layout, splits = found(folder(tmp_path, {**{f'f{i}.jpg': 'photo' for i in range(3)}, **{f'f{i}_{k}.png': 'mask' for i in range(3) for k in ('disk', 'box')}}))
    assert layout.classes == ('box', 'disk') and splits['train']['f1'] == ('f1.jpg', ('f1_box.png', 'f1_disk.png'))


def test_a_file_for_each_object(tmp_path):
    layout, splits = found(folder(tmp_path, [f'{i}c/images/{i}c.png' for i in range(3)]+[f'{i}c/masks/{j}ff{i}.png' for i in range(3) for j in range(i+1)]))
    assert {n: len(m) for n, (_, m) in splits['train'].items()} == {'0c': 1, '1c': 2, '2c': 3} and layout.classes == () and layout.problems == []
    assert any('one object each' in o for o in layout.notes)


def test_a_class_may_be_called_train(tmp_path):
    layout, splits = found(folder(tmp_path, [f'{d}/{i}.png' for i in range(3) for d in ('images', 'masks/car', 'masks/train')]))
    assert layout.classes == ('car', 'train') and list(splits) == ['train'] and layout.problems == []


def test_more_masks_of_one_photograph(tmp_path):
    files = [*(f for i in range(4) for f in POOLS['BUSI'](i)[1:]), 'be/c (0)_mask_1.png']
    layout, splits = found(folder(tmp_path/'a', files))
    assert len(splits['train']) == 4 and not layout.problems and '1 photograph has several masks' in layout.notes[0]
    masks = [m for *_, m in layout.splits['train']]
    assert [o.name for o in masks[0]] == ['c (0)_mask.png', 'c (0)_mask_1.png'] and isinstance(masks[1], Path)
    layout, _ = found(folder(tmp_path/'b', [*files, 'be/c (0)_mask.bmp']))
    assert [o.file for o in layout.problems] # another ending is no further mask


def test_what_is_only_said_by_names_is_told(tmp_path):
    layout, splits = found(folder(tmp_path, [f'{s}_{i}{e}.bmp' for s in ('train', 'testA') for i in range(2) for e in ('', '_anno')]))
    assert len(splits['train']) == 4 and 'test and train' in layout.notes[0]
    layout, splits = found(folder(tmp_path/'b', [f'{d}{e}/{i}.png' for d in ('day', 'night') for i in range(2) for e in ('', 'annot')]))
    assert list(splits['train']) == ['day/0', 'day/1', 'night/0', 'night/1']


# ---- side by side

def test_weak_signs_are_looked_at(tmp_path):
    layout, splits = found(folder(tmp_path/'a', {f'{i}{e}': k for i in range(3) for e, k in (('.jpg', 'photo'), ('.png', 'mask'))}))
    assert splits['train']['1'] == ('1.jpg', '1.png')
    for k, ends in dict(b=('.jpg', '.png'), c=('.jpg', '_flip.jpg')).items():
        layout, splits = found(folder(tmp_path/k, {f'{i}{e}': 'photo' for i in range(3) for e in ends}))
        assert splits == {} and len(layout.lone['train']) == 6 # photographs all of them
    layout, splits = found(folder(tmp_path/'d', {f'{i}{e}': k for i in range(3) for e, k in (('.jpg', 'photo'), ('_zz.png', 'mask'))}))
    assert splits['train']['1'] == ('1.jpg', '1_zz.png') and layout.notes == ['masks are called NAME_zz']


# ---- lists

@pytest.mark.parametrize('line', ['{}', '{}.png', 'images\\{}.png\r', 'images/{}.png', './images/{}.png labels/{}_P.png', '/data/CamVid/images/{}.png', '{}.png 1 2 1'])
def test_a_list_of_validation(tmp_path, line):
    folder(tmp_path, [f for i in range(5) for f in POOLS["fast.ai's layout"](i)[1:]])
    (tmp_path/'valid.txt').write_bytes('\n'.join(line.format(*[f'f{i}']*2) for i in (1, 3)).encode()+b'\n')
    layout, splits = found(tmp_path)
    assert {s: list(o) for s, o in splits.items()} == dict(train=['f0', 'f2', 'f4'], val=['f1', 'f3']) and layout.problems == []
    with open(tmp_path/'valid.txt', 'a') as f: f.write('nobody.png\n')
    assert [str(o) for o in find_layout(tmp_path).by_split['val']] == ['valid.txt lists nobody, which is not in images/: remove the line, or add the file']


@pytest.mark.parametrize('where', ['ImageSets/Segmentation', '.', 'splits', 'annotations'])
def test_lists_of_splits(tmp_path, where):
    folder(tmp_path, {**{f: '' for i in range(6) for f in POOLS['Pascal VOC'](i)[1:]}, 'JPEGImages/2009_1.jpg': '', f'{where}/train.txt': '2010_0\n2010_1\n', f'{where}/val.txt': '2010_2\n2010_3\n',
                      f'{where}/trainval.txt': '2010_0\n2010_1\n2010_2\n2010_3\n', f'{where}/test.txt': '2010_4\n', 'ImageSets/Main/aeroplane_train.txt': '2010_5 -1\n'})
    layout, splits = found(tmp_path)
    assert {s: list(o) for s, o in splits.items()} == dict(train=['2010_0', '2010_1'], val=['2010_2', '2010_3'], test=['2010_4']) and layout.problems == []
    assert any('2 photographs passed over' in o for o in layout.notes)
    (tmp_path/where/'val.txt').write_text('2010_1\n2010_2\n')
    problem, = find_layout(tmp_path).problems
    assert 'lists 2010_1, which train.txt lists, too' in str(problem)


def test_folders_win_over_lists(tmp_path):
    rows = [(f'train/{n}.png', f'trainannot/{n}.png') for n in 'abc']+[('val/d.png', 'valannot/d.png')]
    folder(tmp_path, {**{f: '' for r in rows for f in r}, 'train.txt': '/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png;\n', 'val.txt': '/SegNet/CamVid/val/d.png\n'})
    layout, splits = found(tmp_path)
    assert {s: len(o) for s, o in splits.items()} == dict(train=3, val=1) and layout.problems == []


# ---- what does not fit

def test_problems_are_said_as_before(tmp_path):
    "Files without partners, in the two layouts that were there first."
    seg = folder(tmp_path/'s', ['train/a.png', 'train/b.png', 'train/b.jpg', 'trainannot/b.png', 'trainannot/c.png', 'val/d.png', 'valannot/d.png', 'valannot/d.gif'])
    assert [str(o) for o in find_layout(seg).by_split['train']] == [
        'train/b.png has the same name as b.jpg: keep one of them', 'train/a.png has no mask trainannot/a.png: add the mask, or remove the photograph',
        'trainannot/c.png is a mask without a photograph: add the photograph, or remove the mask']
    assert [str(o) for o in find_layout(seg).by_split['val']] == ['valannot/d.png has the same name as d.gif: keep one of them']
    fast = folder(tmp_path/'f', ['images/a.png', 'images/b.png', 'labels/b_P.png', 'labels/c_P.png'])
    assert [str(o) for o in find_layout(fast).problems] == ['images/a.png has no mask labels/a_P.png: add the mask, or remove the photograph',
                                                            'labels/c_P.png is a mask without a photograph: add the photograph, or remove the mask']


def test_splits_without_masks(tmp_path):
    root = folder(tmp_path, ['val/d.png', 'valannot/d.png', 'test/a.png', 'test/b.png', 'train/a.png'])
    layout = find_layout(root)
    assert [str(o) for o in layout.by_split['train']] == ['train has no trainannot/ beside it: put its masks there, or remove the split']
    assert layout.notes == ['test: 2 photographs without masks'] and list(layout.lone) == ['train', 'test'] and layout.lone['test'][0] == ('a', root/'test'/'a.png')
    (root/'train'/'a.png').unlink()
    (root/'train').rmdir()
    folder(root, ['trainannot/a.png'])
    assert 'has 1 mask, but there are no photographs of train' in str(find_layout(root).by_split['train'])
    empty = tmp_path/'e'
    for d in ('train', 'trainannot', 'val', 'valannot'): (empty/d).mkdir(parents=True)
    folder(empty, ['val/a.png', 'valannot/a.png'])
    assert [str(o) for o in find_layout(empty).problems] == ['train has no images: put photographs and masks there, or remove the split']


def test_photographs_without_masks_are_left_to_others(tmp_path):
    for k, files in dict(coco=['train/0.jpg', 'train/_annotations.coco.json', 'valid/1.jpg', 'valid/_annotations.coco.json'], yolo=['images/train/0.jpg', 'images/val/1.jpg', 'labels/train/0.txt', 'labels/val/1.txt'],
                         labelme=['0.jpg', '0.json', '1.jpg', '1.json'], kaggle=['train_images/0.jpg', 'train_images/1.jpg', 'train.csv']).items():
        layout = find_layout(folder(tmp_path/k, files))
        assert layout.splits == {} and layout.problems == [] and sum(map(len, layout.lone.values())) == 2
        assert {p.name for p in layout.texts} == {Path(f).name for f in files if not f.endswith('.jpg')}


def refused(root):
    "The refusal, which must be one line."
    with pytest.raises(PixsegError) as e: find_layout(root)
    assert '\n' not in str(e.value)
    return str(e.value)


@pytest.mark.parametrize('files,words', [
    (['images/0.jpg', 'masks/0.png', 'labels/0.png'], 'has labels/ and masks/, and both may hold the masks'),
    (['images/0.jpg', 'JPEGImages/0.jpg', 'masks/0.png'], 'has JPEGImages/ and images/, and both may hold the photographs'),
    (['val/0.jpg', 'valannot/0.png', 'valid/1.jpg', 'validannot/1.png', 'train/2.jpg', 'trainannot/2.png'], 'both may hold'),
    (['images/0.jpg', 'images/1.jpg', *(f'masks/{i}_{k}.png' for i in (0, 1) for k in ('mask', 'label'))], 'and both may be the mask of 0'),
    ([f'training/{d}/a.png' for d in ('images', 'v1.2/labels', 'v2.0/labels')], 'and both may be the mask of a'),
    (['imagesTr/a_0000.png', 'imagesTr/a_0001.png', 'labelsTr/a.png'], 'one for each channel'),
    (['a/train/0.jpg', 'a/trainannot/0.png', 'b/train/0.jpg', 'b/trainannot/0.png'], 'a and '), ([], 'is empty')])
def test_what_cannot_be_told_is_refused(tmp_path, files, words):
    assert words in refused(folder(tmp_path, files))


def test_one_step_too_high_or_too_low(tmp_path):
    for k, rows in dict(s=['train/0.jpg', 'trainannot/0.png'], p=['images/0.jpg', 'masks/0.png'], c=['leftImg8bit/train/ulm/u_leftImg8bit.png', 'gtFine/train/ulm/u_gtFine_labelIds.png'],
                        t=['train/images/0.jpg', 'train/masks/0.png']).items():
        root = folder(tmp_path/k/'in'/'data set', rows)
        assert find_layout(root).splits
        for high in (root.parent, root.parent.parent): assert refused(high) == f'{high} is not a data folder, but {root} is: give that path'
        for row in rows:
            low = (root/row).parent if 'Fine' not in row and 'left' not in row else (root/row).parents[1]
            assert f'{low} is not a data folder, but {low.parent if k != "c" else root} is: give that path' == refused(low)
    os.chdir(tmp_path/'s'/'in'/'data set'/'train')
    assert 'data set is: give that path' in refused(Path('.'))
    named = folder(tmp_path/'n', {'data/images/0.jpg': '', 'data/masks/0.png': '', 'codes.txt': 'a\nb\n'})
    assert len(find_layout(named).splits['train']) == 1 # the names say that this is the folder


def test_the_error_says_what_is_missing(tmp_path):
    for k, files, words in (('a', ['train/0.jpg'], 'has train/ but no trainannot/'), ('b', ['images/0.jpg'], 'has images/ but no masks and no annotation file'),
                            ('c', ['0.jpg', '1.jpg'], 'has 2 photographs but no masks and no annotation file'), ('d', ['0.jpg', 'a.json'], '1 photograph but no masks, and its 1 .json holds no annotations'),
                            ('e', ['a.json', 'b.json'], 'no photographs, and its 2 .json hold no annotations'), ('f', ['notes.txt'], 'has neither'), ('g', ['job.zip', 'notes.txt'], 'job.zip: unpack it')):
        layout = find_layout(folder(tmp_path/k, files))
        assert isinstance(layout, Layout) and words in say_no_masks(tmp_path/k, layout) and bool(layout.lone) == any('.jpg' in o for o in files)


def test_the_folder_above_is_named_if_it_has_the_annotations(tmp_path):
    coco = '{"images": [{"file_name": "0.jpg"}]}'
    job = folder(tmp_path/'job', {'images/0.jpg': '', 'annotations.json': coco, 'odd/images/1.jpg': ''})
    (tmp_path/'seg').mkdir() # named like masks, but a level too far away
    say = lambda root: say_no_masks(root, find_layout(root))
    assert say(job/'images') == f"{job/'images'} is not a data folder, but {job} is: give that path"
    assert 'has 1 photograph but no masks' in say(job/'odd'/'images')
    os.chdir(job/'images')
    assert f'{job} is: give that path' in say(Path('.'))


def test_masks_called_after_tasks_of_label_studio(tmp_path):
    root = folder(tmp_path, [f'images/{i}.jpg' for i in (0, 1)]+[f'masks/task-{i}-annotation-{i+3}-by-1-tag-{k}-0.png' for i in (0, 1) for k in ('box', 'disk')])
    assert "Label Studio's mask task-0-" in refused(root) and 'export as COCO' in refused(root)


def test_predictions_beside_photographs_are_passed_over(tmp_path):
    labels, mask = Labels(('sky', 'road')), np.zeros((24, 32), np.uint8)
    root = folder(tmp_path/'own', {f'{i}.jpg': 'photo' for i in range(3)})
    for i in range(3): save_mask(mask, labels, root/f'{i}.png', software=MARK)
    layout = find_layout(root)
    assert (layout.splits, layout.predicted, [n for n, _ in layout.lone['train']]) == ({}, 3, ['0', '1', '2'])
    save_mask(mask, labels, root/'1.png') # drawn anew by somebody
    layout, splits = found(root)
    assert splits == {'train': {o: (f'{o}.jpg', f'{o}.png') for o in '012'}} and layout.notes == ['2 masks are as pixseg predicted them'] and not layout.predicted
    root = folder(tmp_path/'apart', {f'images/{i}.jpg': 'photo' for i in range(3)})
    for i in range(3): save_mask(mask, labels, root/'masks'/f'{i}.png', software=MARK)
    assert len(find_layout(root).splits['train']) == 3 # who puts them there means it
    for i in range(3): save_mask(mask, labels, tmp_path/'alone'/f'{i}.png', software=MARK)
    assert 'only masks that pixseg predicted' in say_no_masks(tmp_path/'alone', find_layout(tmp_path/'alone'))


def test_links_are_followed_and_rings_are_not(tmp_path):
    store = folder(tmp_path/'store', ['a.jpg', 'a.png'])
    for d, f in (('train', 'a.jpg'), ('trainannot', 'a.png')):
        (tmp_path/'d'/d).mkdir(parents=True)
        (tmp_path/'d'/d/f).symlink_to(store/f)
    (tmp_path/'d'/'train'/'ring').symlink_to(tmp_path/'d')
    layout, splits = found(tmp_path/'d')
    assert splits == {'train': {'a': ('train/a.jpg', 'trainannot/a.png')}} and layout.problems == []
    for a, b in (('train', 'val'), ('trainannot', 'valannot')): (tmp_path/'d'/b).symlink_to(tmp_path/'d'/a)
    assert [len(o) for o in found(tmp_path/'d')[1].values()] == [1, 1]


def test_camvid_as_published_is_one_of_them(tmp_path):
    files = [f for f in camvid_manifest() if '/' in f and f.endswith('.png')]
    layout, splits = found(folder(tmp_path, files))
    assert {s: len(o) for s, o in splits.items()} == dict(train=367, val=101, test=233) and layout.form == "SegNet's layout" and layout.problems == []


def test_two_thousand_pairs_are_listed_at_once(tmp_path):
    from time import process_time
    for d in ('images', 'masks'): (tmp_path/d).mkdir()
    for i in range(2000):
        for f in (f'images/{i:06}.jpg', f'masks/{i:06}_mask.png'): os.close(os.open(tmp_path/f, os.O_CREAT))
    start = process_time()
    assert len(find_layout(tmp_path).splits['train']) == 2000 and process_time()-start < 1 # 0.1 s where nothing else runs


# ---- names of classes

PLAIN = ('background', 'traffic light', 'box')


@pytest.mark.parametrize('name,text', [
    ('codes.txt', 'background\ntraffic light\nbox'), ('classes.txt', '\ufeffbackground\r\ntraffic light\r\nbox\r\n\r\n\r\n'), ('labels.txt', '0 background\n1 traffic light\n2 box\n'),
    ('label_names.txt', '0,background\n1,traffic light\n2,box'), ('class_names.txt', '0: background\n1: traffic light\n2: box'), ('labels.txt', '0\tbackground\n1\ttraffic light\n2\tbox'),
    ('classes.txt', 'background, traffic light, box'), ('classes.txt', "['background', 'traffic light', 'box']\n"), ('obj.names', 'background\ntraffic light\nbox\n'), ('_classes.csv', 'Pixel Value, Class\n0, background\n1, traffic light\n2, box\n'), ('classes.csv', 'name\nbackground\ntraffic light\nbox'),
    ('data.yaml', 'nc: 3\nnames: [background, "traffic light", box]'), ('data.yaml', 'names:\n- background\n- traffic light\n- box\n'), ('data.yaml', 'names:\n  0: background\n  1: traffic light\n  2: box'),
    ('dataset.json', json.dumps(dict(labels=dict(zip(PLAIN, range(3)))))), ('dataset.json', json.dumps(dict(labels=dict(zip('012', PLAIN)))))
    , ('config.json', json.dumps(dict(id2label=dict(zip('012', PLAIN))))), ('labels.json', json.dumps(dict(zip('012', PLAIN)))), ('labels.json', json.dumps(dict(zip(PLAIN, range(3))))),
    ('classes.json', json.dumps(PLAIN)), ('label_map.pbtxt', ''.join(f"item {{\n  id: {i}\n  name: '{n}'\n}}\n" for i, n in enumerate(PLAIN)))])
def test_names_in_any_form(tmp_path, name, text):
    (tmp_path/name).write_bytes(text.encode())
    assert is_names_file(tmp_path/name) and read_names(tmp_path/name) == ClassNames(PLAIN, origin=name)
    assert find_names(tmp_path, [tmp_path/name]) == read_names(tmp_path/name)


@pytest.mark.parametrize('name,text', [
    ('class_dict.csv', 'name,r,g,b\nVoid,0,0,0\nRoad,128,64,128\n'), ('codes.txt', 'Void 0 0 0\nRoad 128 64 128'), ('label_colors.txt', '0 0 0\t\tVoid\n128 64 128\tRoad'),
    ('labels.txt', 'Void,0,0,0\nRoad,128,64,128'), ('labels.txt', 'Void (0, 0, 0)\nRoad (128, 64, 128)'), ('labels.txt', 'Void #000000\nRoad #804080'),
    ('labels.json', '{"Void": [0, 0, 0], "Road": [128, 64, 128]}'), ('labels.json', '{"Void": {"id": 0, "color": [0, 0, 0]}, "Road": {"id": 1, "color": [128, 64, 128]}}'),
    ('class_dict.csv', 'class_names;r;g;b\n"Void";0;0;0\nRoad;128;64;128'), ('meta.json', '{"classes": [{"title": "Void", "shape": "any", "color": "#000000", "id": 7123}, {"title": "Road", "shape": "any", "color": "#804080", "id": 7124}]}'), ('labels.txt', '0 Void 0 0 0\n1 Road 128 64 128'), ('labelmap.txt', '# label:color_rgb:parts:actions\nVoid:0,0,0::\nRoad:128,64,128::\n'),
    ('class_dict.csv', 'id,name,red,green,blue\n0,Void,0,0,0\n1,Road,128,64,128'), ('meta.json', '{"classes": [{"title": "Void", "color": "#000000"}, {"title": "Road", "color": "#804080"}]}')])
def test_names_with_colours(tmp_path, name, text):
    (tmp_path/name).write_text(text)
    assert read_names(tmp_path/name) == ClassNames(('Void', 'Road'), ((0, 0, 0), (128, 64, 128)), void=0, origin=name)


@pytest.mark.parametrize('name,text,ids', [
    ('labels.txt', '0 a\n38 b\n75 c', (0, 38, 75)), ('labels.txt', 'a: 1\nb: 2\nc: 3', (1, 2, 3)), ('labels.txt', '1. a\n2. b\n3. c', (1, 2, 3)), ('labels.txt', 'a,7\nb,8\nc,9', (7, 8, 9)), ('_classes.csv', 'Pixel Value, Class\n1, a\n2, b\n3, c\n', (1, 2, 3)), ('dataset.json', '{"labels": {"a": 0, "c": 255, "b": 7}}', (0, 7, 255)),
    ('labels.txt', '__ignore__\n_background_\nc', (255, 0, 1)), ('objectInfo150.txt', 'Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t.1\t9\t9\t1\ta\n2\t.1\t9\t9\t1\tb, bb\n3\t.1\t9\t9\t0\tc\n', (1, 2, 3))])
def test_names_with_values(tmp_path, name, text, ids):
    (tmp_path/name).write_text(text)
    names = read_names(tmp_path/name)
    assert names.ids == ids and (names.names in (('a', 'b', 'c'), ('__ignore__', '_background_', 'c')))


def test_a_single_line_that_does_not_fit_makes_them_names(tmp_path):
    (tmp_path/'codes.txt').write_text('3 wheeler\ntruck\n2 m pole')
    assert read_names(tmp_path/'codes.txt').names == ('3 wheeler', 'truck', '2 m pole') == read_codes(tmp_path/'codes.txt').names
    (tmp_path/'classes.txt').write_text('lane 1\nlane 2')
    assert read_names(tmp_path/'classes.txt').names == ('lane 1', 'lane 2')
    assert code_lines(tmp_path/'codes.txt') == ['3 wheeler', 'truck', '2 m pole'] and void_ids(['a', 'Unlabelled area']) == [1]


@pytest.mark.parametrize('name,text,words', [
    ('codes.txt', 'a\n\nb', 'line 2 is blank'), ('codes.txt', '', 'is empty'), ('codes.txt', '\n'.join(f'c{i}' for i in range(300)), '300 class names'), ('codes.txt', 'a\na', 'comes twice'),
    ('labels.txt', '0 a\n0 b', 'one value to two classes'), ('codes.txt', 'void\nignore', 'two voids'), ('class_dict.csv', 'name,r,g,b\na,1,2', 'line 2 has 3 of 4 columns'),
    ('class_dict.csv', 'name,r,g,b\na,1,2,x', 'a number that is none'), ('class_dict.csv', 'name,r,g,b\na,1,2,256', '0..255'), ('labels.json', '{', 'cannot be read'), ('data.yaml', 'a: [', 'cannot be read'),
    ('labels.json', '{"a": "b"}', 'names no classes'), ('labels.csv', 'ImageId,Runs\na,1 2', 'names no classes')])
def test_what_names_no_classes_is_refused_by_name(tmp_path, name, text, words):
    (tmp_path/name).write_text(text)
    with pytest.raises(PixsegError) as e: read_names(tmp_path/name)
    assert words in str(e.value) and str(tmp_path/name) in str(e.value) and '\n' not in str(e.value)


def test_two_files_of_names_agree_or_are_refused(tmp_path):
    def names(**files):
        root = tmp_path/str(len(list(tmp_path.iterdir())))
        folder(root, {k.replace('__', '/').replace('_dot_', '.'): v for k, v in files.items()})
        return find_names(root, [p for p in root.rglob('*') if p.is_file()])
    roboflow = 'Pixel Value, Class\n0, a\n1, b\n'
    assert names(train___classes_dot_csv=roboflow, valid___classes_dot_csv=roboflow).names == ('a', 'b')
    both = names(codes_dot_txt='a\nb\n', class_dict_dot_csv='name,r,g,b\na,0,0,0\nb,9,9,9\n')
    assert both.colors == ((0, 0, 0), (9, 9, 9)) and both.origin == 'codes.txt'
    assert names(train_dot_txt='a.png\n', notes_dot_json='{}', labels_dot_txt='a.png 0\n', labels_dot_csv='ImageId,Runs\na,1 2\n', data_dot_yaml='train: images\n') is None
    assert names(camvid_classes_dot_txt='a\nb\n', train_labels_dot_csv='x\n').names == names(class_dict_seg_dot_csv='name,r,g,b\na,0,0,0\nb,9,9,9\n').names
    with pytest.raises(PixsegError, match='line 3'): names(class_dict_dot_csv='name,r,g,b\na,0,0,0\nb,9\n') # a mistake is not passed over
    for files in (dict(codes_dot_txt='a\nb\n', classes_dot_txt='b\na\n'), dict(train___classes_dot_csv=roboflow, valid___classes_dot_csv=roboflow.replace('b', 'c'))):
        with pytest.raises(PixsegError, match='name different classes'): names(**files)


def test_folders_that_are_numbered_photographs_mean_nothing_else(tmp_path):
    files = {f'image_{i}/{k}': kind for i in range(3) for k, kind in ((f'images/image_{i}.png', 'photo'), ('masks/a.png', 'mask'), ('masks/b.png', 'mask'))}
    layout, pairs = found(folder(tmp_path/'bowl', files))
    assert not layout.problems and {k: (v[0], len(v[1])) for k, v in pairs['train'].items()} == {f'image_{i}': (f'image_{i}/images/image_{i}.png', 2) for i in range(3)}


# ---- more that data sets bring

@pytest.mark.parametrize('name,text', [
    ('meta.json', json.dumps(dict(CLASSES=['Void', 'Road'], PALETTE=[[0, 0, 0], [128, 64, 128]]))), ('colors.json', json.dumps(dict(Void=[0, 0, 0], Road=[128, 64, 128]))),
    ('palette.yaml', 'Void: [0, 0, 0]\nRoad: [128, 64, 128]\n'), ('colormap.txt', 'Void #000000\nRoad #804080\n'), ('class_dict_seg.csv', 'name, r, g, b\nVoid, 0, 0, 0\nRoad, 128, 64, 128\n'),
    ('class_dict.csv', ',name,r,g,b\n0,Void,0,0,0\n1,Road,128,64,128\n'), ('classes.csv', 'name,rgb\nVoid,"(0, 0, 0)"\nRoad,"(128, 64, 128)"\n')])
def test_names_and_colors_in_more_forms(tmp_path, name, text):
    (tmp_path/name).write_text(text)
    names = find_names(tmp_path, [tmp_path/name])
    assert names.names == ('Void', 'Road') and names.colors == ((0, 0, 0), (128, 64, 128)) and names.ids is None and names.void == 0


def test_a_list_of_colors_alone_names_nothing(tmp_path):
    (tmp_path/'palette.txt').write_text('0 0 0\n128 64 128\n')
    (tmp_path/'colors.csv').write_text('1,2\n')
    assert find_names(tmp_path, [tmp_path/'palette.txt', tmp_path/'colors.csv']) is None


def test_names_in_other_encodings(tmp_path):
    (tmp_path/'codes.txt').write_text('Tür\nDach\n', encoding='utf-16')
    assert read_codes(tmp_path/'codes.txt').names == ('Tür', 'Dach')
    (tmp_path/'codes.txt').write_text('Tür\nDach\n', encoding='cp1252')
    with pytest.raises(PixsegError, match='is not UTF-8 text: save it as UTF-8'): read_codes(tmp_path/'codes.txt')


def pool(n=6): return {f: '' for i in range(n) for f in (f'images/f{i}.jpg', f'masks/f{i}.png')}

SPLIT = {'train': ['f0', 'f2', 'f4'], 'val': ['f1', 'f5'], 'test': ['f3']}

@pytest.mark.parametrize('files', [
    {'split.csv': 'filename,split\n'+''.join(f'{o}.jpg,{s}\n' for s, os_ in SPLIT.items() for o in os_)},
    {'metadata.tsv': 'set\tid\tmask\n'+''.join(f'{s}\t{o}\tmasks/{o}.png\n' for s, os_ in SPLIT.items() for o in os_)},
    {'splits.json': json.dumps(SPLIT)}, {'a/data_split.json': json.dumps({k: [f'images/{o}.jpg' for o in v] for k, v in SPLIT.items()})},
    {f'{k}.csv': ',image,mask\n'+''.join(f'{i},images/{o}.jpg,masks/{o}.png\n' for i, o in enumerate(v)) for k, v in SPLIT.items()}],
    ids=['csv', 'tsv', 'json', 'json of paths', 'a table each'])
def test_tables_give_the_splits(tmp_path, files):
    layout, splits = found(folder(tmp_path, {**pool(), **files}))
    assert {k: sorted(v) for k, v in splits.items()} == SPLIT and not layout.problems


def test_is_valid_and_tables_that_give_no_splits(tmp_path):
    _, splits = found(folder(tmp_path/'a', {**pool(), 'all.csv': 'fname,is_valid\n'+''.join(f'f{i}.jpg,{i > 3}\n' for i in range(6))}))
    assert sorted(splits['val']) == ['f4', 'f5']
    for i, files in enumerate(({'train.csv': 'id,depth\nf0,3\n'}, {'notes.csv': 'split,by\ntrain,me\nval,me\n'}, {'odd.json': '[', 'more.json': '{"train": 3}', 'e.csv': ''})):
        assert list(found(folder(tmp_path/str(i), {**pool(), **files}))[1]) == ['train']


def test_lists_in_other_capitals(tmp_path):
    layout, splits = found(folder(tmp_path, {**pool(), 'val.txt': 'images\\F1.JPG\nF5\n'}))
    assert sorted(splits['val']) == ['f1', 'f5'] and not layout.problems


def test_lines_behind_a_hash_are_no_names(tmp_path):
    layout, splits = found(folder(tmp_path, {**pool(), 'val.txt': '# held out\nf1\n'}))
    assert list(splits['val']) == ['f1'] and not layout.problems


@pytest.mark.parametrize('photo,mask', [('Bilder/{i}.jpg', 'Masken/{i}.png'), ('a/{i}.png', 'b/{i}.png'), ('train/jpg/{i}.jpg', 'train/png/{i}.png'), ('jpg/val/{i}.jpg', 'png/val/{i}.png')])
def test_colors_tell_what_names_do_not(tmp_path, photo, mask):
    files = {o.format(i=i): k for i in range(3) for o, k in ((photo, 'photo'), (mask, 'mask'))}
    layout, splits = found(folder(tmp_path, files))
    assert next(iter(splits.values()))['0'] == (photo.format(i=0), mask.format(i=0)) and any('told by their colours' in o for o in layout.notes)


def test_folders_of_masks_beside_masks(tmp_path):
    files = {f: '' for i in range(3) for f in (f'training/image_2/{i}.png', f'training/semantic/{i}.png', f'training/semantic_rgb/{i}.png', f'training/instance/{i}.png')}
    assert found(folder(tmp_path/'kitti', files))[1]['train']['0'] == ('training/image_2/0.png', 'training/semantic/0.png')
    files = {f: '' for i in range(3) for f in (f'images/10k/train/{i}.jpg', f'labels/sem_seg/masks/train/{i}.png', f'labels/sem_seg/colormaps/train/{i}.png')}
    assert found(folder(tmp_path/'bdd', files))[1]['train']['0'][1] == 'labels/sem_seg/masks/train/0.png'
    layout, splits = found(folder(tmp_path/'suim', {**pool(), **{f'masks/{k}/f{i}.bmp': '' for k in ('RO', 'FV') for i in range(6)}}))
    assert splits['train']['f0'][1] == 'masks/f0.png' and not layout.problems and '12 masks such as masks/' in layout.notes[-1]


def test_two_people_are_no_classes(tmp_path):
    files = {f: k for i in range(3) for f, k in ((f'Image_{i}L.jpg', 'photo'), (f'Image_{i}L_1stHO.png', 'mask'), (f'Image_{i}L_2ndHO.png', 'mask'))}
    with pytest.raises(PixsegError, match='both may be the mask of Image_0L'): find_layout(folder(tmp_path, files))


def test_only_photographs_of_ade20k_have_its_numbering(tmp_path):
    files = {f: '' for s in ('training', 'validation') for i in range(2) for f in (f'images/{s}/{i}.jpg', f'annotations/{s}/{i}.png')}
    assert find_layout(folder(tmp_path, files)).form == 'photographs in images/training/, masks in annotations/training/'


@pytest.mark.parametrize('mask', ['masks/{k}/{i}.png', 'masks/{i}_{k}.png'])
def test_masks_of_one_class_each_are_asked_for(tmp_path, mask):
    files = {f: '' for i in range(6) for f in (f'images/{i}.jpg', mask.format(i=i, k=('disk', 'box')[i % 2]))}
    with pytest.raises(PixsegError, match='which may be classes: if they are, give every photograph a mask of each'): find_layout(folder(tmp_path, files))
    layout, splits = found(folder(tmp_path, {mask.format(i=i, k=k): '' for i in range(6) for k in ('disk', 'box')})) # as it says
    assert layout.classes == ('box', 'disk') and not layout.problems and len(splits['train']) == 6


def test_a_rare_class_has_few_files(tmp_path):
    files = [f for i in range(8) for f in (f'images/{i}.jpg', f'masks/disk/{i}.png', f'masks/box/{i//7*7}.png')]
    layout = find_layout(folder(tmp_path, files))
    assert layout.classes == ('box', 'disk') and not layout.problems and any('6 photographs have no mask of some class' in o for o in layout.notes)


@pytest.mark.parametrize('where', ['road_{}/images/{}.jpg road_{}/masks/{}.png', 'uavid_{}/seq1/Images/{}.jpg uavid_{}/seq1/Labels/{}.png',
                                   'images/road_{}/{}.jpg masks/road_{}/{}.png', 'images/{}_of_road/{}.jpg masks/{}_of_road/{}.png', 'road_{}2017/images/{}.jpg road_{}2017/masks/{}.png'])
def test_folders_that_differ_in_the_word_of_a_split(tmp_path, where):
    files = [where.format(s, f'{s}{i}', s, f'{s}{i}').split() for s in ('train', 'val', 'test') for i in range(2)]
    layout, splits = found(folder(tmp_path, sum(files, [])))
    assert {s: [*o.values()] for s, o in splits.items()} == {s: [tuple(o) for o in files if s in o[0]] for s in ('train', 'val', 'test')} and not layout.problems


def test_a_word_for_a_split_without_another_is_none(tmp_path):
    files = [f'{k}/{d}/{i}.{e}' for k, e in (('images', 'jpg'), ('masks', 'png')) for d in ('road_train', 'sky') for i in range(2)]
    assert list(found(folder(tmp_path/'one', files))[1]) == ['train']
    two = [f'{k}/{d}_{s}/{i}.{e}' for k, e in (('images', 'jpg'), ('masks', 'png')) for d in ('road', 'sky') for s in ('train', 'val') for i in range(2)]
    assert {s: list(o) for s, o in found(folder(tmp_path/'two', two))[1].items()} == dict.fromkeys(('train', 'val'), ['road/0', 'road/1', 'sky/0', 'sky/1'])


LISTS = dict(train=['a0', 'a1', 'a2', 'a3'], val=['a4', 'a5'])


@pytest.mark.parametrize('files', [
    {f'{s}.lst': ''.join(f'images/{o}.jpg masks/{o}.png\n' for o in os_) for s, os_ in LISTS.items()},
    {f'{s}.json': json.dumps([f'{o}.jpg' for o in os_]) for s, os_ in LISTS.items()},
    {f'{s}.json': json.dumps([dict(image=f'images/{o}.jpg', n=1) for o in os_]) for s, os_ in LISTS.items()},
    {f'{s}.csv': 'filename\n'+''.join(f'{o}.jpg\n' for o in os_) for s, os_ in LISTS.items()},
    {'split.json': json.dumps(dict(train=[f'{o}.jpg' for o in LISTS['train']], val=[dict(image=f'{o}.jpg') for o in LISTS['val']]))}],
    ids=['lst', 'json', 'json of records', 'csv', 'one json of names and records'])
def test_lists_in_other_forms(tmp_path, files):
    images = [f for i in range(6) for f in (f'images/a{i}.jpg', f'masks/a{i}.png')]
    layout, splits = found(folder(tmp_path, {**dict.fromkeys(images, ''), **files}))
    assert {s: list(o) for s, o in splits.items()} == LISTS and layout.problems == layout.notes == []


def test_train_and_test_without_val(tmp_path):
    files = {f'{s}.csv': 'filename\n'+''.join(f'{o}.jpg\n' for o in os_) for s, os_ in dict(train=['a0', 'a1'], test=['a2', 'a3']).items()}
    _, splits = found(folder(tmp_path, {**dict.fromkeys([f for i in range(4) for f in (f'images/a{i}.jpg', f'masks/a{i}.png')], ''), **files}))
    assert {s: list(o) for s, o in splits.items()} == dict(train=['a0', 'a1'], test=['a2', 'a3'])


def test_a_list_of_sequences(tmp_path):
    frames = [f'{k}/480p/{q}/{i:05}.{e}' for q in ('bear', 'bmx', 'cow') for i in range(2) for k, e in (('JPEGImages', 'jpg'), ('Annotations', 'png'))]
    lists = {'ImageSets/2016/train.txt': 'bear\n', 'ImageSets/2017/train.txt': 'bear\ncow\n', 'ImageSets/2017/val.txt': 'bmx\n'}
    layout, splits = found(folder(tmp_path, {**dict.fromkeys(frames, ''), **lists}))
    assert {s: [*dict.fromkeys(o.split('/')[-2] for o in rows)] for s, rows in splits.items()} == dict(train=['bear', 'cow'], val=['bmx']) and not layout.problems


@pytest.mark.parametrize('name,text,told', [
    ('train.json', '{"a0": {"n": 1}}', 'train.json may be a list of a split'), ('train.csv', 'file\na0.jpg\n', 'train.csv may be a list of a split'), ('train.lst', '17\n', 'train.lst may be a list of a split'),
    ('splits_final.json', '[{"train": ["a0"], "val": ["a1"]}]', 'splits_final.json may be a list of a split'),
    ('split.json', '{"train": ["a0"], "test": ["a1"], "val": [7]}', 'split.json speaks of val, but none')])
def test_a_list_that_is_not_understood_is_told(tmp_path, name, text, told):
    images = dict.fromkeys([f for i in range(2) for f in (f'images/a{i}.jpg', f'masks/a{i}.png')], '')
    assert any(o.startswith(told) for o in find_layout(folder(tmp_path/'a', {**images, name: text})).notes)
    coco = {**images, 'train.json': '{"images": [], "annotations": [], "categories": []}', 'instances_val2017.json': '{"images": [], "annotations": []}'}
    assert not any('list of a split' in o for o in find_layout(folder(tmp_path/'b', coco)).notes)


CITY = [('unlabeled', 0, 255), ('ego vehicle', 1, 255), ('road', 7, 0), ('sidewalk', 8, 1), ('rail track', 10, -1)]


@pytest.mark.parametrize('name,text', [('labels.json', json.dumps([dict(name=n, id=i, trainId=t) for n, i, t in CITY])),
                                       ('labels.csv', 'name,id,trainId\n'+''.join(f'{n},{i},{t}\n' for n, i, t in CITY))])
def test_the_names_of_train_ids_are_those_of_their_column(tmp_path, name, text):
    (tmp_path/name).write_text(text)
    names = find_names(tmp_path, [tmp_path/name])
    assert names_for(names, ['a/x_gtFine_labelIds.png']) == ClassNames(tuple(o[0] for o in CITY), None, (0, 1, 7, 8, 10), 0, name)
    assert names_for(names, ['a/x_gtFine_labelTrainIds.png']) == names_for(names, ['train_ids/x.png']) == ClassNames(('road', 'sidewalk', 'Void'), None, (0, 1, 255), 2, name)
    (tmp_path/name).write_text(text.replace('"trainId": 1', '"trainId": 0').replace('8,1', '8,0'))
    with pytest.raises(PixsegError, match="gives 'road' and 'sidewalk' one trainId"): names_for(find_names(tmp_path, [tmp_path/name]), ['labelTrainIds/a.png'])
    assert names_for(find_names(tmp_path, [tmp_path/name]), []).ids == (0, 1, 7, 8, 10)


def test_a_folder_of_train_ids_is_named_by_them(tmp_path):
    for s in ('train', 'val'):
        for i in range(2):
            draw(tmp_path/f'leftImg8bit/{s}/a/{s}_{i}_leftImg8bit.png')
            (tmp_path/f'gtFine/{s}/a').mkdir(parents=True, exist_ok=True)
            for kind, values in dict(labelIds=(7, 8, 0), labelTrainIds=(0, 1, 255)).items():
                Image.fromarray(np.repeat(np.uint8(values), 256).reshape(24, 32)).save(tmp_path/f'gtFine/{s}/a/{s}_{i}_gtFine_{kind}.png')
    (tmp_path/'labels.json').write_text(json.dumps([dict(name=n, id=i, trainId=t) for n, i, t in CITY]))
    data = open_folder(tmp_path)
    labels = data.labels
    assert [labels.names[i] for i in np.unique(read_pair(data.splits['train'][0], np.arange(256, dtype=np.uint8))[1])] == ['road', 'sidewalk', 'Void'] and labels.void == 2


@pytest.mark.parametrize('name,text,what', [
    ('labels.json', '{"a0.jpg": 0, "a1.jpg": 1, "a2.jpg": 2}', 'photographs'), ('labels.txt', 'a0 0\na1 1\na2 0\n', 'photographs'), ('labels.txt', 'a0.jpg 0\na1.jpg 1\n', 'photographs'),
    ('class_weights.txt', '0.3\n0.4\n0.9\n', 'numbers'), ('labels.csv', 'id,label\na0,cat\na1,dog\na2,cat\n', 'photographs'), ('labels.json', '["a0", "a1", "a2"]', 'photographs')])
def test_lists_of_photographs_and_numbers_name_no_classes(tmp_path, name, text, what):
    (tmp_path/name).write_text(text)
    assert find_names(tmp_path, [tmp_path/name], ['a0', 'a1', 'a2'], notes := []) is None
    assert notes == [f'{name} lists {what}, not classes: passed over']


def test_classes_that_are_called_like_one_photograph_or_a_whole_number_are_classes(tmp_path):
    for text in ('cat\ndog\nbox\n', '0\n1\n2\n'):
        (tmp_path/'classes.txt').write_text(text)
        assert find_names(tmp_path, [tmp_path/'classes.txt'], ['cat', '7'], notes := []).names == tuple(text.split()) and not notes


def test_a_configuration_that_cannot_be_used_is_told(tmp_path):
    (tmp_path/'config.json').write_text(json.dumps(dict(labels=[dict(name=o, color=[i, 0, 0]) for i, o in enumerate(('road', 'void--car-mount', 'void--unlabeled'))])))
    assert find_names(tmp_path, [tmp_path/'config.json'], notes=(notes := [])) is None
    assert len(notes) == 1 and notes[0].startswith('config.json is not used') and 'two voids' in notes[0] and 'rename' in notes[0]
    (tmp_path/'config.json').write_text('{"rate": 0.1}')
    assert find_names(tmp_path, [tmp_path/'config.json'], notes=(none := [])) is None and none == []


def test_annotations_beside_masks_are_told(tmp_path):
    images = {f: kind for i in range(3) for f, kind in ((f'images/a{i}.jpg', 'photo'), (f'masks/a{i}.png', 'mask'))}
    coco = lambda name: json.dumps(dict(images=[dict(id=1, file_name=f'images/{name}')], annotations=[dict(image_id=1, segmentation=[[1, 1, 5, 1, 5, 5]])]))
    data = open_folder(folder(tmp_path/'same', {**images, 'annotations.json': coco('a1.jpg')}))
    assert 'annotations.json has annotations of the same photographs, and is not used: there are masks' in data.notes and len(data.splits['train']) == 2
    for i, text in enumerate((coco('other.jpg'), '{"file": "a1.jpg", "weather": "rain"}')):
        assert not any('annotations' in o for o in open_folder(folder(tmp_path/str(i), {**images, 'annotations.json': text})).notes)


def grey(path, *values):
    "A mask in columns, one for each value: a number or a colour."
    path.parent.mkdir(parents=True, exist_ok=True)
    a = np.repeat(np.repeat(np.array(values, np.uint8)[None], 24, 0), -(-32//len(values)), 1)[:, :32]
    Image.fromarray(a).save(path)


def ids(data, split='train'):
    "Names of the classes in the columns of the first mask of a split."
    assert not data.refusal, data.refusal
    mask = read_pair(data.splits[split][0], np.arange(256, dtype=np.uint8))[1]
    return [data.labels.names[i] for i in dict.fromkeys(np.asarray(mask)[0].tolist())]


@pytest.mark.parametrize('gt, other, values', (
    ('masks/gt', 'masks/pred', (1, 0, 2)), ('masks', 'predictions/masks', (1, 0, 2)), ('masks/gtLabels', 'masks/rgbLabels', ((255, 0, 0), (0, 255, 0), (0, 0, 255)))))
def test_predicted_and_coloured_masks_are_no_classes(tmp_path, gt, other, values):
    for i in range(3):
        draw(tmp_path/f'images/a{i}.png')
        grey(tmp_path/gt/f'a{i}.png', 0, 1, 2)
        grey(tmp_path/other/f'a{i}.png', *values)
    data = open_folder(tmp_path)
    assert ids(data) == ['class 0', 'class 1', 'class 2'] and f'{other}/: passed over 3 images' in data.notes


def test_masks_of_two_annotators_are_no_classes(tmp_path):
    for i in range(3):
        draw(tmp_path/f'images/a{i}.png')
        grey(tmp_path/f'masks/annotator1/a{i}.png', 0, 255, 0)
        grey(tmp_path/f'masks/annotator2/a{i}.png', 0, 0, 255)
    with pytest.raises(PixsegError, match='annotator1/a0.png and masks/annotator2/a0.png, and both may be the mask of a0: keep one kind'): open_folder(tmp_path)


def test_masks_of_objects_with_values_of_their_own_are_refused(tmp_path):
    for i in range(2):
        draw(tmp_path/f'c{i}/images/c{i}.png')
        for k, v in enumerate((1, 2) if i else (255, 1)): grey(tmp_path/f'c{i}/masks/x{k}.png', *[v if k == j else 0 for j in range(3)])
    a, b = (p.mask for ps in open_folder(tmp_path, draw=False).splits.values() for p in ps)
    assert a.draw()[0, ::11].tolist() == [1, 1, 0]
    with pytest.raises(PixsegError, match='x1.png has the value 2, and x0.png has 1, so they look like classes'): b.draw()


@pytest.mark.parametrize('values, classes', (
    ((7, 26, 11, 255), ['class 7', 'class 26', 'class 11', 'Void']), ((0, 7, 33, 255), ['class 0', 'class 7', 'class 33', 'Void']),
    ((0, 85, 170, 255), ['class 0', 'class 85', 'class 170', 'class 255']), ((0, 128, 255), ['class 0', 'class 128', 'class 255'])))
def test_255_far_behind_other_values_is_void(tmp_path, values, classes):
    for i in range(2):
        draw(tmp_path/f'images/a{i}.png')
        grey(tmp_path/f'masks/a{i}.png', *values)
    data = open_folder(tmp_path)
    assert ids(data) == classes and (data.labels.void is not None) == (classes[-1] == 'Void')
    assert any(o.startswith('255 in the masks is taken as void') if data.labels.void is not None else '`255 Void`' in o for o in data.notes)


def test_names_that_may_be_off_by_one_are_told_where_0_does_not_occur(tmp_path):
    for i in range(2):
        draw(tmp_path/f'images/a{i}.png')
        grey(tmp_path/f'masks/a{i}.png', 1, 3, 255)
    (tmp_path/'labels.txt').write_text('0: unlabeled\n1: person\n2: car\n3: dog\n4: cat\n')
    said = lambda: [o for o in open_folder(tmp_path).notes if "no mask has 0, which is 'unlabeled' in labels.txt" in o and "if 0 is 'person'" in o]
    assert ids(open_folder(tmp_path)) == ['person', 'dog', 'unlabeled'] and said()
    for i in range(2): grey(tmp_path/f'masks/a{i}.png', 1, 4, 255)
    assert ids(open_folder(tmp_path)) == ['person', 'cat', 'unlabeled'] and not said()


def test_copies_of_a_photograph_are_one(tmp_path):
    from pixseg.io.folder import draw_split, holdout_split, original, random_split
    for name in ('a', 'a_aug1.jpg', 'a_flip', 'a-hflip', 'a_rot90', 'a_rotate_90', 'a_jpg.rf.4f3c2b1a09', 'a_aug_2_flip_h', 'a.png'): assert original(name) == 'a', name
    for name in ('day/aug1', 'flip', 'a_1', 'a_crop', 'a_flipper', 'augustus', 'robot90', 'a_night'): assert original(name) == name
    names = [f'{n}{k}' for n in 'dbgcaehf' for k in ('', '_aug1', '_flip')]
    train, val, said = draw_split(names)
    assert len(val) == 6 and len(train) == 18 and not {original(names[i]) for i in train} & {original(names[i]) for i in val} and 'copies of a photograph together' in said
    assert draw_split([*'dbgcaehf'])[:2] == random_split([*'dbgcaehf'])
    pairs = [Pair(f'v_{i:03}{k}', None, None) for i in range(40) for k in ('', '_aug1')]
    learn, held = holdout_split(pairs, 0)
    assert len(learn)+len(held) == 80 and not {original(p.name) for p in learn} & {original(p.name) for p in held}


def test_copies_in_two_splits_are_told(tmp_path):
    split = lambda s, *names: {f: kind for n in names for f, kind in ((f'{s}/images/{n}.jpg', 'photo'), (f'{s}/masks/{n}.png', 'mask'))}
    told = lambda root: [o for o in open_folder(root).notes if 'copies' in o]
    assert told(folder(tmp_path/'a', {**split('train', 'a', 'b', 'c_aug1'), **split('val', 'a_aug1', 'c', 'e')})) == [
        '2 of 3 photographs of val are copies of some of train by their names (a_aug1 and a): scores on val flatter, so keep copies in one split']
    assert told(folder(tmp_path/'b', {**split('train', 'x_jpg.rf.0011223344'), **split('val', 'x_jpg.rf.ff11223344')}))
    assert not told(folder(tmp_path/'c', {**split('train', '0001', '0001_aug1', '0002'), **split('val', '0001', '0003')}))


RGB = (10, 20, 30), (200, 0, 0), (0, 200, 0)
COLORS = {c: '#{:02X}{:02X}{:02X}'.format(*c) for c in RGB}
# name -> masks by path: values in columns; photograph; the mask that is taken; what is passed over, in a note
PUBLISHED = {
    'RUGD': ({'RUGD_annotations/creek/creek_{i}.png': RGB}, 'RUGD_frames-with-annotations/creek/creek_{i}.png', 0, ''),
    'iSAID': ({'m/Semantic_masks/P{i}_instance_color_RGB.png': RGB, 'm/Instance_masks/P{i}_instance_id_RGB.png': ((1, 0, 0), (2, 0, 0))}, 'images/P{i}.png', 0,
              'NAME_instance_color_RGB'),
    'iSAID in one folder': ({'masks/P{i}_instance_color_RGB.png': RGB, 'masks/P{i}_instance_id_RGB.png': ((1, 0, 0), (2, 0, 0))}, 'images/P{i}.png', 0, 'number objects'),
    'CIHP': ({'Training/Category_ids/{i}.png': (0, 2, 1), 'Training/Instance_ids/{i}.png': (1, 3, 0), 'Training/Human_ids/{i}.png': (1, 0, 0)}, 'Training/Images/{i}.jpg', 0,
             'Human_ids/: passed over'),
    'ACDC': ({'gt/fog/train/G/G_{i}_gt_labelTrainIds.png': (0, 2, 1), 'gt/fog/train/G/G_{i}_gt_labelIds.png': (7, 8, 9), 'gt/fog/train/G/G_{i}_gt_invIds.png': (0, 1, 0),
              'gt/fog/train/G/G_{i}_gt_labelColor.png': RGB}, 'rgb_anon/fog/train/G/G_{i}_rgb_anon.png', 0, 'NAME_gt_labelIds passed over'),
    'WoodScape': ({'semantic_annotations/gtLabels/{i}_FV.png': (0, 2, 1), 'semantic_annotations/rgbLabels/{i}_FV.png': RGB}, 'rgb_images/{i}_FV.png', 0, 'rgbLabels/: passed over'),
    'ScanNet': ({'s{i}/label-filt/0.png': (0, 2, 1), 's{i}/label/0.png': (3, 1, 0), 's{i}/instance/0.png': (1, 2, 3)}, 's{i}/color/0.jpg', 0, 's0007/label/: passed over'),
    'ISIC 2017': ({'T_Part1_GroundTruth/ISIC_{i}_segmentation.png': (0, 2, 1), 'T_Data/ISIC_{i}_superpixels.png': RGB}, 'T_Data/ISIC_{i}.jpg', 0, 'NAME_superpixels passed over'),
}


@pytest.mark.parametrize('form', PUBLISHED)
def test_published_arrangements(tmp_path, form):
    masks, photo, taken, note = PUBLISHED[form]
    for i in ('0007', '0019', '0040'):
        draw(tmp_path/photo.format(i=i))
        if form == 'ACDC': draw(tmp_path/f'rgb_anon/fog/train_ref/G/G_{i}_rgb_ref_anon.png')
        for f, values in masks.items(): grey(tmp_path/f.format(i=i), *values)
    data = open_folder(tmp_path)
    values = [*masks.values()][taken]
    assert ids(data) == [COLORS[v] if v in COLORS else f'class {v}' for v in values]
    assert len([p for ps in data.splits.values() for p in ps]) == 3 and not data.problems and (not note or any(note in o for o in data.notes))


def test_a_folder_and_an_ending_for_each_class(tmp_path):
    home, lesions = '2. All Segmentation Groundtruths', {'1. Microaneurysms': 'MA', '4. Soft Exudates': 'SE', '5. Optic Disc': 'OD'}
    for split, numbers in (('a. Training Set', range(1, 6)), ('b. Testing Set', range(6, 8))):
        for i in numbers:
            draw(tmp_path/f'1. Original Images/{split}/IDRiD_{i:02}.jpg')
            for k, (d, end) in enumerate(lesions.items()):
                if end != 'SE' or i in (2, 3): grey(tmp_path/home/split/d/f'IDRiD_{i:02}_{end}.tif', *[(255*(k == j), 0, 0) for j in range(4)])
    data = open_folder(tmp_path, draw=False)
    assert {k: len(v) for k, v in data.splits.items()} == {'train': 5, 'test': 2} and not data.problems
    assert ids(data) == ['MA', 'background', 'OD'] and any('5 photographs have no mask of some class' in o for o in data.notes)
    data.splits['train'] = data.splits['train'][1:]
    assert ids(data) == ['MA', 'SE', 'OD', 'background']


def test_sequences_with_a_folder_for_each_class(tmp_path):
    for q in (1, 2):
        for i in range(2):
            draw(tmp_path/f'instrument_dataset_{q}/left_frames/frame{i:03}.png')
            for k, c in enumerate(('Bipolar_labels', 'Other_labels')): grey(tmp_path/f'instrument_dataset_{q}/ground_truth/{c}/frame{i:03}.png', *[30*(k == j) for j in range(3)])
    data = open_folder(tmp_path)
    assert ids(data) == ['Bipolar_labels', 'Other_labels', 'background'] and sum(map(len, data.splits.values())) == 4


def test_a_word_within_names_and_colours_in_hex(tmp_path):
    for q in ('2018_1', '2018_2'):
        for i in range(2):
            name = f'{q}/{{0}}/cam_front/{q}_{{0}}_front_{i:09}.png'
            draw(tmp_path/name.format('camera'))
            grey(tmp_path/name.format('label'), *RGB)
    (tmp_path/'class_list.json').write_text(json.dumps({COLORS[c].lower(): n for c, n in zip(RGB, ('Car 1', 'Road', 'Parking'))}))
    data = open_folder(tmp_path)
    assert ids(data) == ['Car 1', 'Road', 'Parking'] and not data.problems and len([p for ps in data.splits.values() for p in ps]) == 4
    assert all(p.mask.name == p.img.name.replace('camera', 'label') for ps in data.splits.values() for p in ps)


def test_annotations_in_train_and_masks_in_val(tmp_path):
    labelme = '{"imagePath": "a.jpg", "imageHeight": 24, "imageWidth": 32, "shapes": [{"label": "cat", "points": [[2, 2], [20, 2], [20, 20]]}]}'
    data = open_folder(folder(tmp_path, {'train/a.jpg': 'photo', 'train/a.json': labelme, 'val/b.jpg': 'photo', 'val/b_mask.png': 'mask'}))
    problem, = data.problems
    assert problem.what == 'has 1 .json, and annotations are not read where other splits have masks' and f'data convert {tmp_path/"train"} OUT' in problem.remedy
    assert len(open_folder(tmp_path/'train').splits['train']) == 1 # what the remedy asks for


def test_left_and_right_stay_apart(tmp_path):
    files = {f: kind for i in range(2) for side in ('left', 'right') for f, kind in ((f'images/{i}_{side}_img.jpg', 'photo'), (f'masks/{i}_{side}_mask.png', 'mask'))}
    data = open_folder(folder(tmp_path/'a', files))
    assert sorted(p.name for ps in data.splits.values() for p in ps) == ['0_left', '0_right', '1_left', '1_right'] and not data.problems
    both = {f: kind for i in range(2) for f, kind in ((f'images/{i}.jpg', 'photo'), (f'left_mask/{i}.png', 'mask'), (f'right_mask/{i}.png', 'mask'))}
    with pytest.raises(PixsegError, match='both may hold the masks'): open_folder(folder(tmp_path/'b', both))


def test_many_frames_are_no_copies():
    from pixseg.io.folder import draw_split
    names = [f'{c}_contrast_{i:03}' for c in 'ab' for i in range(50)]
    assert len(draw_split(names)[1]) == 20 and 'copies' not in draw_split(names)[2]


def test_numbered_masks_may_be_classes(tmp_path):
    with pytest.raises(PixsegError, match='a0_1.png and masks/a0_2.png.*put them into folders for each, under the name a0'):
        open_folder(folder(tmp_path, {f: kind for i in range(2) for f, kind in ((f'images/a{i}.jpg', 'photo'), (f'masks/a{i}_1.png', 'mask'), (f'masks/a{i}_2.png', 'mask'))}))


def ids_of(root):
    "Name of a pair -> ids in its mask from left to right, and the names of the classes."
    data = open_folder(root)
    table = np.arange(256, dtype=np.uint8)
    row = lambda p: [k for k, _ in itertools.groupby(read_pair(p, table)[1][20].tolist())]
    return {p.name: row(p) for ps in data.splits.values() for p in ps}, data


def stripes(path, *values):
    "A mask of 24x32 with upright stripes."
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.repeat(np.uint8([values]), 24, 0).repeat(32//len(values), 1)).save(path)


@pytest.mark.parametrize('photo,mask', [('image.jpg', 'mask.png'), ('img.png', 'label.png'), ('image.tif', 'gt.tif')])
def test_a_folder_for_each_case(tmp_path, photo, mask):
    for i in range(4):
        draw(tmp_path/f'{"val" if i == 3 else "train"}/case{i}/{photo}')
        stripes(tmp_path/f'{"val" if i == 3 else "train"}/case{i}/{mask}', *((0, 1, 2, 0)[i:]+(0, 1, 2, 0)[:i]))
    got, data = ids_of(tmp_path)
    stem = Path(photo).stem
    assert got == {f'case0/{stem}': [0, 1, 2, 0], f'case1/{stem}': [1, 2, 0], f'case2/{stem}': [2, 0, 1], f'case3/{stem}': [0, 1, 2]}
    assert [len(ps) for ps in data.splits.values()] == [3, 1] and not data.problems


def test_other_images_in_the_folder_of_a_case(tmp_path):
    for i in range(3):
        for o in ('t1.png', 'overlay.png'): draw(tmp_path/f'case{i}/{o}')
        stripes(tmp_path/f'case{i}/seg.png', 0, 1, 2, 0)
    got, data = ids_of(tmp_path)
    assert got == {f'case{i}/t1': [0, 1, 2, 0] for i in range(3)} and 't1 is the photograph and seg its mask, in a folder for each; overlay passed over' in data.notes
    for i in range(3): draw(tmp_path/f'case{i}/t2.png') # which of two?
    with pytest.raises(PixsegError, match='no masks'): open_folder(tmp_path)


def test_an_ending_of_its_own_for_each_mask(tmp_path):
    for i, end in enumerate(('0f3a91', 'b2c4d5', '77aa01', '9e8f7a')):
        draw(tmp_path/f'images/a{i}.jpg')
        stripes(tmp_path/f'masks/a{i}_{end}.png', *((0, 1, 2, 0) if i % 2 else (2, 1, 0, 0)))
    got, data = ids_of(tmp_path)
    assert got == {'a0': [2, 1, 0], 'a1': [0, 1, 2, 0], 'a2': [2, 1, 0], 'a3': [0, 1, 2, 0]} and 'masks are called NAME_*' in data.notes
    stripes(tmp_path/'masks/a0_123456.png', 0, 1, 2, 0) # which of two?
    assert len(open_folder(tmp_path).problems) > 0
    (tmp_path/'masks/a0_123456.png').unlink()
    for p, end in zip(sorted((tmp_path/'masks').iterdir()), ('cat', 'dog', 'cow', 'hen')): p.rename(p.with_name(f'{p.stem[:2]}_{end}.png'))
    assert len(open_folder(tmp_path).problems) > 0 # words may be classes


@pytest.mark.parametrize('photo,mask', [('images/a{}.jpg', 'masks/a{}_jpg.rf.{}.png'), ('a{}.jpg', 'a{}_{}.png')])
def test_an_ending_of_its_own_in_other_places(tmp_path, photo, mask):
    "Roboflow's ending, and photographs and masks side by side; two photographs under such names are no pair."
    ends = '0f3a91', 'b2c4d5', '77aa01', '9e8f7a'
    for i, end in enumerate(ends):
        draw(tmp_path/'a'/photo.format(i))
        stripes(tmp_path/'a'/mask.format(i, end), *((0, 1, 2, 0) if i % 2 else (2, 1, 0, 0)))
        for o in (f'b{i}.jpg', f'b{i}_{end}.jpg'): draw(tmp_path/'b'/o)
    got, data = ids_of(tmp_path/'a')
    assert got == {f'a{i}': [0, 1, 2, 0] if i % 2 else [2, 1, 0] for i in range(4)} and 'masks are called NAME_*' in data.notes
    with pytest.raises(PixsegError, match='no masks'): open_folder(tmp_path/'b')


def test_a_photograph_under_the_name_of_its_folder(tmp_path):
    for i in range(4):
        draw(tmp_path/f'c{i}/c{i}.jpg')
        stripes(tmp_path/f'c{i}/mask.png', *((0, 1, 2, 0) if i % 2 else (2, 1, 0, 0)))
    got, data = ids_of(tmp_path)
    assert got == {f'c{i}': [0, 1, 2, 0] if i % 2 else [2, 1, 0] for i in range(4)} and 'NAME is the photograph and mask its mask, in a folder for each' in data.notes
    (tmp_path/'c1/mask.png').unlink()
    assert [(p.file, p.what) for p in open_folder(tmp_path).problems] == [('c1/c1.jpg', 'has no mask c1/mask.png')]


def test_words_that_recur_in_folders_of_masks_are_classes(tmp_path):
    "car.png and tree.png below each photograph's masks/ became one class; numbers and words that do not recur stay objects."
    for i in range(3):
        draw(tmp_path/f'a/c{i}/image.png')
        draw(tmp_path/f'b/c{i}/image.png')
        for k, o in enumerate(('car', 'tree')):
            stripes(tmp_path/f'a/c{i}/masks/{o}.png', *(255*(j == k+i % 2) for j in range(4)))
            stripes(tmp_path/f'b/c{i}/masks/{k}.png', *(255*(j == k) for j in range(4)))
    stripes(tmp_path/'a/c0/masks/hat.png', 0, 0, 0, 255)
    got, data = ids_of(tmp_path/'a')
    assert data.labels.names == ('background', 'car', 'hat', 'tree') and any('so taken for classes' in o for o in data.notes)
    assert got == {'c0/image': [1, 3, 0, 2], 'c1/image': [0, 1, 3, 0], 'c2/image': [1, 3, 0]}
    assert open_folder(tmp_path/'b').labels.names == ('background', 'object')


def test_zeros_before_numbers(tmp_path):
    for i in range(1, 13):
        draw(tmp_path/f'images/{i}.jpg')
        stripes(tmp_path/f'masks/{i:04}.png', *((0, 1, 2, 0) if i % 2 else (2, 1, 0, 0)))
    got, data = ids_of(tmp_path)
    assert got == {str(i): [0, 1, 2, 0] if i % 2 else [2, 1, 0] for i in range(1, 13)}
    assert 'zeros before numbers do not count: 0001 is a mask of 1' in data.notes
    draw(tmp_path/'images/01.jpg') # whose mask is 0001?
    assert len(open_folder(tmp_path).problems) > 0


def test_celeb_masks(tmp_path):
    "A file for each class that a face has, called after the padded number, in folders of many faces."
    for i in range(6):
        draw(tmp_path/f'CelebA-HQ-img/{i}.jpg')
        for k, name in enumerate(('hair', 'l_brow', 'skin')): stripes(tmp_path/f'CelebAMask-HQ-mask-anno/{i//3}/{i:05}_{name}.png', *(255*(j == k) for j in range(4)))
    stripes(tmp_path/'CelebAMask-HQ-mask-anno/1/00004_hat.png', 0, 0, 0, 255) # one face has it
    got, data = ids_of(tmp_path)
    assert data.labels.names == ('background', 'skin', 'l_brow', 'hair', 'hat')
    assert got == {str(i): [3, 2, 1, 4 if i == 4 else 0] for i in range(6)} and not data.problems


def test_celeb_masks_that_overlap(tmp_path):
    "Skin lies below all that is in a face, and hair above; the folder's name says so, and codes.txt may say otherwise."
    def faces(root, where):
        for i in range(3):
            draw(root/f'CelebA-HQ-img/{i}.jpg')
            for name, *on in (('hair', 1, 0, 0, 0), ('l_brow', 0, 1, 0, 0), ('skin', 1, 1, 1, 0)): stripes(root/f'{where}/0/{i:05}_{name}.png', *(255*o for o in on))
        return root
    got, data = ids_of(faces(tmp_path/'a', 'CelebAMask-HQ-mask-anno'))
    assert data.labels.names == ('background', 'skin', 'l_brow', 'hair') and got == {str(i): [3, 2, 1, 0] for i in range(3)}
    assert "CelebAMask-HQ's authors" in data.line and any('later ones on top: skin, l_brow, hair' in o for o in data.notes)
    (tmp_path/'a/codes.txt').write_text('background\nskin\nhair\nl_brow\n', encoding='utf-8')
    assert ids_of(tmp_path/'a')[0] == {str(i): [2, 3, 1, 0] for i in range(3)}
    assert 'in codes.txt, name what lies inside' in str(open_folder(faces(tmp_path/'b', 'masks')).refusal) # nobody says which is on top


def test_a_case_without_its_mask_is_a_problem(tmp_path):
    "One folder that lacks something is named, and the others are read."
    for i in range(5):
        draw(tmp_path/f'case{i}/image.jpg')
        stripes(tmp_path/f'case{i}/mask.png', *((0, 1, 2, 0) if i else (2, 1, 0, 0)))
    (tmp_path/'case2/mask.png').unlink()
    (tmp_path/'case3/image.jpg').unlink()
    got, data = ids_of(tmp_path)
    assert got == {'case0/image': [2, 1, 0], 'case1/image': [0, 1, 2, 0], 'case4/image': [0, 1, 2, 0]}
    assert {p.file: p.what for p in data.problems} == {'case2/image.jpg': 'has no mask case2/mask.png', 'case3/mask.png': 'is a mask without a photograph'}
    (tmp_path/'case1/mask.png').rename(tmp_path/'case1/t2.png') # none of the others has it
    with pytest.raises(PixsegError, match='no masks'): open_folder(tmp_path)
