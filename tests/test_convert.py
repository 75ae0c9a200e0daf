"A data set in another form, and the page of a check: what was understood is what is written, and nothing else is touched."
import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from pixseg.cli import main
from pixseg.io.check import check_data
from pixseg.io.convert import convert_data
from pixseg.io.files import PixsegWarning
from pixseg.io.folder import find_pairs, open_folder
from pixseg.io.images import BadImage
from pixseg.io.page import check_page
from pixseg.io.pairs import read_pair
from pixseg.io.reading import DataSet, Pair
from pixseg.io.shapes import fill_counts
from pixseg.io.sources import open_source
from pixseg.io.streets import draw_streets
from pixseg.labels import Labels, PixsegError

pytestmark = pytest.mark.filterwarnings('ignore::pixseg.io.files.PixsegWarning')
FORMS = ('pixseg', 'coco', 'yolo', 'voc')


def blobs(seed, n, size=(40, 56)):
    "A mask of areas with holes, of specks and lines, in which ids 0 to n-1 occur."
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.repeat(rng.integers(0, n, (5, 7)), 8, 0), 8, 1).astype(np.uint8)
    for i in range(n):
        y,x = rng.integers(0, 28, 2)
        ids[y:y+12, x:x+12] = i
        ids[y+3:y+9, x+3:x+9] = (i+1) % n
        ids[y+5:y+7, x+5:x+7] = i
        ids[tuple(rng.integers(0, s, 6) for s in size)] = i
    ids[0] = np.arange(size[1]) % n
    return ids


def write_folder(root, names, splits=(('train', 3), ('val', 2))):
    "pixseg's own layout, with `codes.txt`; the name Void stands for void."
    for split,n in splits:
        for d in (root/split, root/f'{split}annot'): d.mkdir(parents=True)
        for i in range(n):
            rng = np.random.default_rng([i, len(split)])
            photo = Image.fromarray(rng.integers(0, 256, (40, 56, 3), dtype=np.uint8))
            photo.save(root/split/f'{split}{i}.jpg')
            Image.fromarray(blobs(i+10*len(split), len(names))).save(root/f'{split}annot'/f'{split}{i}.png')
    (root/'codes.txt').write_text('\n'.join(names)+'\n')
    return root


def content(root): return {p.relative_to(root).as_posix(): hashlib.md5(p.read_bytes()).hexdigest() for p in sorted(root.rglob('*')) if p.is_file()}


def read_all(data):
    "{split: {name: (photograph, mask of class names)}}"
    table,names = np.arange(256, dtype=np.uint8),np.array([*data.labels.names, *['?']*(256-len(data.labels))])
    read = lambda p: (lambda img,ids: (img, names[ids]))(*read_pair(p, table))
    return {split: {p.name: read(p) for p in pairs} for split,pairs in data.splits.items()}


def compare(before, after, least=1., renamed=()):
    "The same splits, names, photographs and classes; the latter for a share of the pixels."
    assert {k: sorted(v) for k,v in before.items()} == {k: sorted(v) for k,v in after.items()}
    for split in before:
        for name,(img,mask) in before[split].items():
            again,said = after[split][name]
            np.testing.assert_array_equal(img, again)
            for a,b in renamed: mask = np.where(mask == a, b, mask)
            assert (mask == said).mean() >= least, (split, name, (mask == said).mean())


@pytest.mark.parametrize('names', [('Road', 'Tree', 'Void', 'Car'), ('background', 'disk', 'Void'), ('disk', 'background', 'box'),
                                   ('a b', "it's", 'c')], ids=' '.join)
@pytest.mark.parametrize('to', FORMS)
def test_what_is_written_reads_the_same(tmp_path, to, names):
    root = write_folder(tmp_path/'in', names)
    made = open_folder(convert_data(root, tmp_path/'out', to))
    void = [('Void', 'background')] if to in ('coco', 'yolo') else []
    compare(read_all(open_folder(root)), read_all(made), .99 if to == 'yolo' else 1, void)
    assert made.problems == []
    if to in ('pixseg', 'voc'): assert {*made.labels.names} == {*names} and (made.labels.void is None) == ('Void' not in names)
    if to == 'pixseg': assert made.labels == open_folder(root).labels
    if to in ('coco', 'yolo'): assert {*made.labels.names} == {*names, 'background'}-{'Void'}


@pytest.mark.parametrize('to', FORMS)
def test_originals_stay_and_photographs_are_copied(tmp_path, to):
    root = write_folder(tmp_path/'in', ['a', 'b'])
    before,seen = content(root),[]
    out = convert_data(root, tmp_path/'out', to, progress=lambda i,n: seen.append((i, n)))
    assert content(root) == before and seen == [(i, 5) for i in range(1, 6)] and out == (tmp_path/'out').resolve()
    photos = {v for k,v in before.items() if k.endswith('.jpg')}
    assert photos <= {*content(out).values()} and len(list(out.rglob('*.jpg'))) == 5


def test_names_in_sub_folders_meet_in_one(tmp_path):
    root = write_folder(tmp_path/'in', ['a', 'b'])
    a,b,c = find_pairs(root, 'train')
    for d in ('day', 'night'): (tmp_path/d).mkdir()
    data = DataSet(root, 'a list', {'train': [Pair('day/0', a.img, a.mask), Pair('night/0', b.img, b.mask)], 'val': [Pair('day_0', c.img, c.mask)]},
                   Labels(['a', 'b']))
    assert [p.name for p in open_folder(convert_data(data, tmp_path/'own')).splits['train']] == ['day_0', 'night_0']
    voc = convert_data(data, tmp_path/'voc', 'voc')
    assert sorted(p.stem for p in (voc/'JPEGImages').iterdir()) == ['day_0', 'day_0-1', 'night_0']
    assert (voc/'ImageSets'/'Segmentation'/'val.txt').read_text() == 'day_0-1\n'
    dotted = Pair('a.b', a.img, a.mask),Pair('a.c', b.img, b.mask)
    out = convert_data(DataSet(root, 'a list', {'train': [*dotted]}, Labels(['a', 'b'])), tmp_path/'dots')
    assert sorted(p.name for p in (out/'train').iterdir()) == ['a.b.jpg', 'a.c.jpg']


def test_a_turned_photograph_is_written_upright_and_told(tmp_path):
    root = write_folder(tmp_path/'in', ['a', 'b'], splits=[('train', 2), ('val', 1)])
    tags = Image.Exif()
    tags[274] = 6
    stored = np.random.default_rng(0).integers(0, 256, (56, 40, 3), dtype=np.uint8)
    Image.fromarray(stored).save(root/'train'/'train0.jpg', exif=tags) # upright 40x56, as its mask is
    with pytest.warns(PixsegWarning, match=r'1 of 3 photographs are not copied but written as PNG'):
        out = convert_data(root, tmp_path/'out')
    assert sorted(p.name for p in (out/'train').iterdir()) == ['train0.png', 'train1.jpg']
    compare(read_all(open_folder(root)), read_all(open_folder(out)))
    with Image.open(out/'train'/'train0.png') as im: assert im.size == (56, 40) and not im.getexif()


@pytest.mark.parametrize('to', FORMS)
def test_what_is_in_memory_can_be_written(tmp_path, to, monkeypatch, recwarn):
    monkeypatch.chdir(tmp_path)
    imgs,masks = np.random.default_rng(0).integers(0, 256, (4, 20, 24, 3), dtype=np.uint8),np.stack([blobs(i, 2)[:20, :24] for i in range(4)])
    data = open_source((imgs, masks))
    made = open_folder(convert_data(data, 'new', to))
    again = {name:img for split in read_all(made).values() for name,(img,_) in split.items()}
    assert sorted(map(np.ndarray.tobytes, again.values())) == sorted(o.tobytes() for o in imgs)
    assert not any('written as PNG' in str(w.message) for w in recwarn)


def test_what_a_form_cannot_say_is_told(tmp_path):
    root = write_folder(tmp_path/'in', ['background', 'a', 'Void'])
    (root/'train'/'extra.jpg').write_bytes((root/'train'/'train0.jpg').read_bytes())
    share = np.mean([m == 'Void' for split in read_all(open_folder(root)).values() for _,m in split.values()])
    with pytest.warns(PixsegWarning) as told: convert_data(root, tmp_path/'coco', 'coco')
    words = ' '.join(str(w.message) for w in told)
    assert f'{share:.1%} of the pixels are Void' in words and 'left out 1 file' in words and 'extra.jpg' in words


def test_coco_writes_holes_as_run_lengths(tmp_path):
    root = write_folder(tmp_path/'in', ['background', 'ring'], splits=[('train', 1), ('val', 1)])
    ring = np.zeros((40, 56), np.uint8)
    ring[4:20, 5:30],ring[8:12, 9:20],ring[30:35, 2:9] = 1,0,1
    Image.fromarray(ring).save(root/'trainannot'/'train0.png')
    coco = json.loads((convert_data(root, tmp_path/'out', 'coco')/'train'/'_annotations.coco.json').read_text())
    holed,plain = sorted(coco['annotations'], key=lambda a: isinstance(a['segmentation'], list))
    assert holed['segmentation']['size'] == [40, 56] and holed['area'] == 16*25-4*11 and plain['segmentation'] == [[2, 30, 9, 30, 9, 35, 2, 35]]
    drawn = fill_counts(np.array(holed['segmentation']['counts']), (40, 56))
    np.testing.assert_array_equal(drawn, ring*(np.arange(40) < 25)[:, None] == 1)
    assert [c['name'] for c in coco['categories']] == ['ring'] and holed['bbox'] == [5, 4, 25, 16]


def test_voc_has_its_own_colours_and_255_for_void(tmp_path):
    root = write_folder(tmp_path/'in', ['background', 'Void', 'car'])
    out = convert_data(root, tmp_path/'out', 'voc')
    assert (out/'labelmap.txt').read_text().splitlines()[1:] == ['background:0,0,0::', 'car:128,0,0::', 'Void:224,224,192::']
    with Image.open(out/'SegmentationClass'/'train0.png') as im:
        assert im.mode == 'P' and {*np.unique(np.asarray(im))} == {0, 1, 255} and im.getpalette()[-3:] == [224, 224, 192]


def test_nothing_is_written_over_or_into_the_data(tmp_path):
    root = write_folder(tmp_path/'in', ['a', 'b'])
    (tmp_path/'mine').mkdir()
    (tmp_path/'mine'/'thesis.txt').write_text('three years')
    for out,words in ((tmp_path/'mine', 'is not empty'), (tmp_path/'mine'/'thesis.txt', 'is a file'), (root/'new', 'lies in the data folder'),
                      (root, 'lies in the data folder'), (root/'..'/'in'/'x', 'lies in the data folder')):
        with pytest.raises(PixsegError, match=words): convert_data(root, out)
    with pytest.raises(PixsegError, match="no form 'csv': choose from pixseg, coco"): convert_data(root, tmp_path/'new', 'csv')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['in', 'mine']
    (tmp_path/'empty').mkdir()
    assert len(list((convert_data(root, tmp_path/'empty')/'train').iterdir())) == 3


@pytest.mark.parametrize('to', FORMS)
def test_a_conversion_that_fails_leaves_nothing(tmp_path, to):
    root = write_folder(tmp_path/'in', ['a', 'b'])
    open_folder(root)
    photo = root/'val'/'val1.jpg'
    photo.write_bytes(photo.read_bytes()[:700])
    with pytest.raises(BadImage, match='val1.jpg'): convert_data(root, tmp_path/'out', to)
    def stop(i, n): raise KeyboardInterrupt
    shutil.rmtree(root)
    with pytest.raises(KeyboardInterrupt): convert_data(write_folder(root, ['a', 'b']), tmp_path/'out', to, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ['in']


def test_a_void_of_another_name_is_renamed_aloud(tmp_path):
    root = write_folder(tmp_path/'in', ['a', 'nothing', 'b'])
    data = open_folder(root)
    data = DataSet(root, data.form, data.splits, Labels(['a', 'nothing', 'b'], void=1))
    with pytest.warns(PixsegWarning, match='nothing is called Void'): out = convert_data(data, tmp_path/'out')
    assert (out/'codes.txt').read_text().split() == ['a', 'Void', 'b']


def test_convert_command(tmp_path, capsys):
    root = write_folder(tmp_path/'in', ['a', 'Void'])
    assert main(['data', 'convert', str(root), str(tmp_path/'out'), '--to', 'yolo']) == 0
    said = capsys.readouterr()
    assert '5 pairs of train, val, written as yolo' in said.out and 'are Void' in said.err
    assert main(['data', 'convert', str(root), str(tmp_path/'out'), '--to', 'yolo']) == 1
    assert capsys.readouterr().err.count('\n') == 1
    assert (tmp_path/'out'/'data.yaml').read_text().splitlines()[:2] == ['train: images/train', 'val: images/val']
    assert main(['data', 'convert', str(root), str(tmp_path/'new'), '--bands', '0']) in (1, 2)
    assert 'such as 4,3,2' in capsys.readouterr().err and not (tmp_path/'new').exists()


# The page

@pytest.fixture(scope='module')
def streets(tmp_path_factory): return draw_streets(tmp_path_factory.mktemp('page')/'my <streets>', train=8, val=4, test=0, size=(48, 64))


def page_of(root, path):
    text = check_page(check_data(root), path).read_text(encoding='utf-8')
    assert len(text) < 3e6 and text.count('<img ') == len(re.findall(r'<img [^>]*alt="[^"]+"', text))
    assert not re.search(r'<script|https?:|src="(?!data:image/jpeg;base64,)|<link', text), 'nothing runs, nothing is loaded'
    return text


def test_a_sound_folder_has_a_page(streets, tmp_path):
    text = page_of(streets, tmp_path/'check.html')
    assert '<h1>my &lt;streets&gt;</h1>' in text and 'no problems' in text and '<h2>Problems' not in text
    assert text.count('over its photograph') == 8 and all(f'> {o}' in text for o in ('Sky', 'Void'))
    assert content(streets) == content(streets) and (tmp_path/'check.html').stat().st_size < 1e6


def test_every_kind_of_fault_is_shown(streets, tmp_path):
    root = shutil.copytree(streets, tmp_path/'bad')
    small,words,lone,value,cut = find_pairs(root, 'train')[:5]
    Image.open(small.mask).resize((32, 24), 0).save(small.mask)
    words.img.write_text('not an image')
    lone.mask.unlink()
    mask = np.array(Image.open(value.mask))
    mask[:4] = 77
    Image.fromarray(mask).save(value.mask)
    cut.mask.write_bytes(cut.mask.read_bytes()[:90])
    before = content(root)
    report = check_data(root)
    text = page_of(root, tmp_path/'check.html')
    assert content(root) == before
    for p in report.problems: assert p.file in text
    assert f'{len(report.problems)} problems' in text and text.count('<section>') == len(report.grouped())


def test_twins_stand_side_by_side(streets, tmp_path):
    root = shutil.copytree(streets, tmp_path/'twins')
    a = find_pairs(root, 'train')[0]
    shutil.copy(a.img, root/'val'/'twin.png'); shutil.copy(a.mask, root/'valannot'/'twin.png')
    text = page_of(root, tmp_path/'check.html')
    assert re.search(rf'<figcaption>val/twin.png</figcaption></figure>\s*<figure>.*<figcaption>train/{a.name}.png', text)


def test_shapes_have_pictures_too(tmp_path):
    coco = convert_data(write_folder(tmp_path/'in', ['background', 'a', 'b']), tmp_path/'coco', 'coco')
    photo = coco/'train'/'train1.jpg'
    with Image.open(photo) as im: im.crop((0, 0, 50, 40)).save(photo)
    assert [p.what.split()[-1] for p in check_data(coco).problems] == ['40x50']
    text = page_of(coco, tmp_path/'check.html')
    assert text.count('<figure>') == 1+4*3 # of the photograph that its shapes do not fit, and of four sound pairs


def test_many_faults_fit_on_the_page(tmp_path):
    root,rng = tmp_path/'many',np.random.default_rng(0)
    for d in ('train', 'trainannot', 'val', 'valannot'): (root/d).mkdir(parents=True)
    for split,n in (('train', 90), ('val', 12)):
        for i in range(n):
            Image.fromarray(rng.integers(0, 256, (180, 240, 3), dtype=np.uint8)).save(root/split/f'{i}.png', compress_level=0)
            mask = rng.integers(0, 2, (180, 240), dtype=np.uint8) if split == 'val' else np.zeros((i//6+1, 9), np.uint8)
            Image.fromarray(mask).save(root/f'{split}annot'/f'{i}.png')
    (root/'codes.txt').write_text('a\nb\n')
    text = page_of(root, tmp_path/'check.html')
    assert text.count('<img ') >= 24 and '90 files: is ' in text and '84 more' in text


def test_a_page_replaces_a_page_and_nothing_else(streets, tmp_path):
    report = check_data(streets)
    (tmp_path/'index.html').write_text('<html>my site</html>')
    for path,words in ((tmp_path/'index.html', 'no page of a check'), (tmp_path, 'is a folder')):
        with pytest.raises(PixsegError, match=words): check_page(report, path)
    assert (tmp_path/'index.html').read_text() == '<html>my site</html>'
    first = check_page(report, tmp_path/'new'/'check.html').read_bytes()
    assert check_page(report, tmp_path/'new'/'check.html').read_bytes() == first and len(list((tmp_path/'new').iterdir())) == 1


def test_check_command_writes_a_page(streets, tmp_path, capsys):
    assert main(['data', 'check', str(streets), '--html', str(tmp_path/'a.html'), '--json', str(tmp_path/'a.json')]) == 0
    assert json.loads((tmp_path/'a.json').read_text())['html'] == str(tmp_path/'a.html') and '- page: ' in capsys.readouterr().out
    (tmp_path/'b.html').write_text('mine')
    assert main(['data', 'check', str(streets), '--html', str(tmp_path/'b.html')]) == 1
    assert 'choose another file' in capsys.readouterr().err and (tmp_path/'b.html').read_text() == 'mine'
