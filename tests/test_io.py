"Readers and folders: what they take, what they refuse, and what they say about it."
import io
import json
import shutil
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixseg.io import files
from pixseg.io.camvid import camvid_manifest, data_dest
from pixseg.io.files import cache_dir, find_images, PixsegWarning
from pixseg.io.reading import Pair
from pixseg.io.check import check_data
from pixseg.io.folder import block_split, find_labels, find_pairs, holdout_split, open_folder
from pixseg.io.pairs import label_table, read_pair
from pixseg.io.images import BadImage, open_image, read_mask, save_mask
from pixseg.io.store import store_dir
from pixseg.io.streets import draw_street, draw_streets
from pixseg.io.names import write_codes
from pixseg.labels import CAMVID, Labels, PixsegError
from pixseg.show import overlay

IMG, MASK = draw_street(7, (48, 64))
IMG[0, :2] = [[0], [255]] # black and white, to see both ends
TABLE = CAMVID.table(CAMVID)
UNTURN = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
          6: np.rot90, 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, -1)}


@pytest.fixture(autouse=True)
def nothing_said(): # each test hears what is said once
    files._said.clear()


def save(a, path, turn=None, **kwargs):
    "Write an array as an image file, with an EXIF note if asked for."
    im = Image.fromarray(np.ascontiguousarray(a))
    exif = Image.Exif()
    if turn is not None: exif[274] = turn
    im.save(path, **kwargs, **({} if turn is None else dict(exif=exif)))
    return path


def said_by(f, *args, **kwargs):
    "What `f` returns, and the lines it says."
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter('always')
        out = f(*args, **kwargs)
    return out, [str(o.message) for o in heard if issubclass(o.category, PixsegWarning)]


def one_line(f, *args, **kwargs):
    "The error of `f`, which must be one line."
    with pytest.raises(PixsegError) as e: f(*args, **kwargs)
    assert '\n' not in str(e.value)
    return str(e.value)


def data_folder(path, img=None, masks=(MASK,), codes=CAMVID):
    "A small data folder in SegNet's layout."
    for d in ('train', 'trainannot'): (path/d).mkdir(parents=True)
    for i, m in enumerate(masks):
        save(np.roll(IMG, i, 1) if img is None else img, path/'train'/f'f{i:02}.png')
        save(m, path/'trainannot'/f'f{i:02}.png')
    if codes: write_codes(codes, path/'codes.txt')
    return path


# ---- one reader of photographs

@pytest.mark.parametrize('end', ['png', 'jpg', 'tif', 'webp'])
@pytest.mark.parametrize('turn', list(UNTURN))
def test_exif_is_obeyed_wherever_a_photograph_is_read(tmp_path, turn, end):
    more = dict(lossless=True) if end == 'webp' else {}
    path = save(UNTURN[turn](IMG), tmp_path/f'a.{end}', turn, **more)
    mask = save(MASK, tmp_path/'m.png', 1)
    seen = open_image(path)
    assert seen.shape == IMG.shape and np.abs(seen.astype(int)-IMG).mean() < (6 if end == 'jpg' else .01)
    assert np.array_equal(read_pair(Pair('a', path, mask), TABLE)[0], seen)
    assert np.array_equal(open_image(Image.open(path)), seen)
    assert np.array_equal(overlay(Image.open(path), MASK, CAMVID, alpha=0), seen)


def test_frames_stored_upside_down_are_read_upright_everywhere(tmp_path):
    "CamVid's frames, turned by 180 degrees with a note: judged and predicted alike."
    root = draw_streets(tmp_path/'s', train=2, val=1, test=0, size=(48, 64))
    truth = [read_pair(p, TABLE) for p in find_pairs(root)]
    for p in root.glob('*/*.png'):
        if not p.parent.name.endswith('annot'): save(np.rot90(np.asarray(Image.open(p)), 2), p, 3)
    (read, lines) = said_by(lambda: [read_pair(p, TABLE) for p in find_pairs(root)])
    for a, b in zip(truth, read):
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
    assert len(lines) == 1 and 'trainannot' in lines[0] and 'taken as drawn on the upright photograph' in lines[0]
    report = check_data(root)
    assert report.ok and 'train: 2 masks' in report.notes[0] and report.notes[0] in str(report)
    assert report.notes == check_data(root).to_dict()['notes'] and json.dumps(report.to_dict())


def test_an_open_file_is_read_as_its_path_is(tmp_path):
    data = save(np.rot90(IMG), tmp_path/'a.png', 6).read_bytes()
    assert np.array_equal(open_image(io.BytesIO(data)), IMG)
    for odd in (data[:-400], b'words', save(np.full((9, 9), np.nan, np.float32), tmp_path/'s.tif').read_bytes()):
        (tmp_path/'odd').write_bytes(odd)
        with pytest.raises(BadImage) as e: open_image(io.BytesIO(odd))
        assert one_line(open_image, tmp_path/'odd') == str(e.value).replace('the image', str(tmp_path/'odd'), 1)


def test_a_note_that_makes_no_sense_turns_nothing(tmp_path):
    for turn in (0, 9, 77): assert np.array_equal(open_image(save(IMG, tmp_path/'a.png', turn)), IMG)
    Image.fromarray(IMG).save(tmp_path/'b.png', exif=b'Exif\0\0rubbish')
    assert np.array_equal(open_image(tmp_path/'b.png'), IMG)


floats = torch.from_numpy(IMG.copy()).permute(2, 0, 1)/255


@pytest.mark.parametrize('image', [IMG, IMG/255, (IMG/255).astype(np.float32), floats, floats.double(), floats*1.0005, floats-.0005,
                                   (floats*255).byte(), Image.fromarray(IMG), floats.clone().requires_grad_()])
def test_the_same_photograph_in_any_form(image):
    assert open_image(image).dtype == np.uint8 and np.abs(open_image(image).astype(int)-IMG).max() <= 1
    assert np.array_equal(overlay(image, MASK, CAMVID, alpha=0), open_image(image))


def test_bytes_are_bytes_and_no_value_wraps():
    every = torch.arange(256).expand(3, 2, 256)
    assert np.array_equal(open_image(every.byte())[0, :, 0], np.arange(256)) # 200 was 56
    assert np.array_equal(open_image(every/255)[0, :, 0], np.arange(256))
    assert np.array_equal(open_image((every/255).bfloat16())[0, [0, 255], 0], [0, 255])
    grey = np.arange(256, dtype=np.uint8)[None]
    for same in (grey, grey/255): assert np.array_equal(open_image(same), np.stack([grey]*3, -1))


@pytest.mark.parametrize('image,words', [
    (floats*255, 'divide by 255, or give uint8'), (IMG.astype(np.float32), 'divide by 255'), ((floats-.45)/.25, 'undo the normalisation'),
    (floats-.02, 'undo the normalisation'), (floats*1.02, 'bring the values into 0..1'), (floats*torch.nan, 'nan'),
    (IMG.astype(int), 'photograph of int64'), (torch.from_numpy(IMG.astype(int)).permute(2, 0, 1), 'photograph of int64'),
    (IMG.astype(np.uint16), 'photograph of uint16'), (IMG > 9, 'photograph of bool'), (floats[None], 'no photograph is (1, 3, 48, 64)'),
    (IMG[None], 'no photograph is (1, 48, 64, 3)'), (floats.permute(1, 2, 0), 'no photograph is (48, 64, 3)'),
    (np.moveaxis(IMG, 2, 0), 'no photograph is (3, 48, 64)'), (floats[:1], 'no photograph is (1, 48, 64)'),
    (IMG[..., :2], 'no photograph is (48, 64, 2)'), (np.dstack([IMG, IMG]), 'no photograph is (48, 64, 6)'),
    (IMG[:0], 'no photograph is (0, 64, 3)'), (None, 'no photograph is ()')])
def test_what_cannot_be_told_apart_is_refused(image, words):
    assert words in one_line(open_image, image)
    assert words in one_line(overlay, image, MASK, CAMVID)


@pytest.mark.parametrize('mode,end,words', [('I;16', 'png', '16 bits a channel'), ('I;16', 'tif', '16 bits a channel'),
                                           ('F', 'tif', 'floats of 32 bits'), ('I', 'tif', '32 bits a channel')])
def test_more_than_8_bits_are_never_cut_in_silence(tmp_path, mode, end, words):
    "Where nobody has decided which values become black and white: refused beside a mask, decided by itself and told where it comes alone."
    kind = {'I;16': np.uint16, 'I': np.int32, 'F': np.float32}[mode]
    root = data_folder(tmp_path/'d')
    pair = find_pairs(root)[0]
    pair.img.unlink()
    path = save((IMG[..., 0]*257.).astype(kind), pair.img.with_suffix('.'+end))
    line = one_line(read_pair, pair._replace(img=path), TABLE)
    assert words in line and str(path) in line and 'which values become 0 and 255' in line
    for same in (path, Image.open(path)):
        img,lines = said_by(open_image, same)
        assert np.abs(img[..., 0].astype(int)-IMG[..., 0]).max() <= 2 and len(lines) == 1 and words in lines[0]
        files._said.clear()


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGBA', 'CMYK'])
def test_other_kinds_of_photographs_become_rgb(tmp_path, mode):
    im = Image.fromarray(IMG).convert(mode)
    path = tmp_path/('a.tif' if mode == 'CMYK' else 'a.png')
    im.save(path)
    mask = save(MASK, tmp_path/'m.png')
    for read in (open_image(path), read_pair(Pair('a', path, mask), TABLE)[0]):
        assert np.array_equal(read, np.asarray(Image.open(path).convert('RGB'))) and read.shape == IMG.shape


def many_bands(path, n=8, h=4, w=5):
    "A TIFF of `n` bytes a pixel, as satellites make them."
    tags = [(256, 3, 1, w), (257, 3, 1, h), (258, 3, n, 8+2+12*9+4), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8+2+12*9+4+2*n),
            (277, 3, 1, n), (278, 3, 1, h), (279, 4, 1, n*h*w)]
    head = b'II*\0'+struct.pack('<I', 8)+struct.pack('<H', len(tags))
    body = b''.join(struct.pack('<HHI', t, k, c)+(struct.pack('<HH', v, 0) if k == 3 and c == 1 else struct.pack('<I', v)) for t, k, c, v in tags)
    path.write_bytes(head+body+struct.pack('<I', 0)+struct.pack(f'<{n}H', *[8]*n)+bytes(range(n))*h*w)
    return path


def test_the_remedy_fits_the_file(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tifffile', None) # as if it were not installed
    line = one_line(open_image, many_bands(tmp_path/'sat.tif'))
    assert 'is a TIFF of 8 x 8 bits' in line and '`pip install tifffile`' in line and 'three of its bands' in line
    (tmp_path/'words.png').write_text('not an image')
    assert one_line(open_image, tmp_path/'words.png').endswith('(no image format that Pillow knows): save it as PNG or JPEG')
    assert one_line(open_image, tmp_path/'gone.png').endswith('(No such file or directory): check the path')
    (tmp_path/'cut.png').write_bytes(save(IMG, tmp_path/'a.png').read_bytes()[:-300])
    assert 'truncated' in one_line(open_image, tmp_path/'cut.png') and 'copy or export it again' in one_line(open_image, tmp_path/'cut.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 600_000)
    Image.new('1', (2000, 1000)).save(tmp_path/'large.png')
    line = one_line(open_image, tmp_path/'large.png')
    assert '2 megapixels, more than Pillow opens' in line and 'make it smaller, or cut it into pieces' in line and line.endswith('`tile=True` (--tile)')


def test_a_huge_photograph_is_read_if_memory_has_room(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    save(IMG, tmp_path/'large.png')
    assert np.array_equal(open_image(tmp_path/'large.png', large=10**8), IMG) and Image.MAX_IMAGE_PIXELS == 1000
    line = one_line(lambda p: open_image(p, large=1000), tmp_path/'large.png')
    assert 'of which 1e-06 GB may be used' in line and 'PIXSEG_MEMORY_GB' in line and Image.MAX_IMAGE_PIXELS == 1000
    assert 'than Pillow opens' in one_line(open_image, tmp_path/'large.png')


# ---- one reader of masks

@pytest.mark.parametrize('turn', [5, 6, 7, 8])
def test_a_mask_of_the_stored_size_is_turned_along_and_one_of_the_upright_size_is_not(tmp_path, turn):
    photo = save(UNTURN[turn](IMG), tmp_path/'a.png', turn)
    stored, seen, noted = (save(m, tmp_path/f'{k}.png', t) for k, m, t in
                           (('stored', UNTURN[turn](MASK), None), ('seen', MASK, None), ('noted', UNTURN[turn](MASK), turn)))
    for path, n in ((seen, 0), (noted, 0), (stored, 1)):
        (img, mask), lines = said_by(read_pair, Pair('a', photo, path), TABLE)
        assert np.array_equal(img, IMG) and np.array_equal(mask, MASK)
        assert len(lines) == n and (not n or 'they are turned along' in lines[0] and 'stored.png' in lines[0])
        assert np.array_equal(read_mask(path, CAMVID, (48, 64), turn), MASK)
    wrong = save(MASK[:20], tmp_path/'other.png')
    assert 'other.png is 20x64, but its photograph is 48x64' in one_line(read_pair, Pair('a', photo, wrong), TABLE)


def test_where_size_does_not_tell_the_mask_is_as_people_see_it_and_that_is_said_once(tmp_path):
    square, mask = IMG[:, :48], MASK[:, :48]
    for i in range(3):
        photo, path = save(np.rot90(square), tmp_path/f'{i}.png', 6), save(mask, tmp_path/f'{i}m.png')
        (img, ids), lines = said_by(read_pair, Pair('a', photo, path), TABLE)
        assert np.array_equal(img, square) and np.array_equal(ids, mask)
        assert len(lines) == (i == 0)
    said = save(mask, tmp_path/'sure.png', 1) # a note that says: upright
    files._said.clear()
    assert said_by(read_pair, Pair('a', photo, said), TABLE)[1] == []


def test_a_quarter_turn_keeps_the_classes_of_a_palette_mask(tmp_path):
    photo, im = save(np.rot90(IMG), tmp_path/'a.png', 6), Image.fromarray(np.rot90(MASK).copy())
    im.putpalette(CAMVID.palette().tobytes())
    im.save(tmp_path/'m.png')
    assert np.array_equal(read_pair(Pair('a', photo, tmp_path/'m.png'), TABLE)[1], MASK)


def test_a_folder_with_masks_of_the_stored_size_is_noted(tmp_path):
    root = data_folder(tmp_path/'d', masks=[np.rot90(MASK)])
    save(np.rot90(IMG), root/'train'/'f00.png', 6)
    report = check_data(root)
    assert report.ok and any('train: 1 mask, of the size of the stored photographs' in o for o in report.notes)
    assert report.splits['train'].sizes == {'48x64': 1}


@pytest.mark.parametrize('spoil,words', [
    (lambda p: save(MASK, p, format='JPEG', quality=95), 'is a JPEG, which alters class ids'),
    (lambda p: save(MASK, p, format='TIFF', compression='jpeg'), 'is a JPEG, which alters class ids'),
    (lambda p: save((np.arange(MASK.size) % 30+40).astype(np.uint8).reshape(MASK.shape), p), 'but the 12 labels have ids 0 to 11: colours turned to grey'),
    (lambda p: save((MASK > 3)*np.uint8(255), p), 'write 1 where it has 255'),
    (lambda p: save(MASK[::2], p), 'is 24x64, but its photograph is 48x64'), (lambda p: p.write_bytes(b'no'), 'no image format')])
def test_every_reader_says_the_same_about_a_mask(tmp_path, spoil, words):
    root = data_folder(tmp_path/'d')
    pair = find_pairs(root)[0]
    spoil(pair.mask)
    line = one_line(read_pair, pair, TABLE)
    assert words in line and line.startswith(str(pair.mask))
    problem, = check_data(root).problems
    assert f'{root}/{problem}' == line
    assert one_line(read_mask, pair.mask, CAMVID, (48, 64)) == line


def test_a_mask_of_one_channel_may_have_any_kind_of_whole_numbers(tmp_path):
    root = data_folder(tmp_path/'d')
    pair = find_pairs(root)[0]
    for im in (Image.fromarray(MASK.astype(np.uint16)), Image.fromarray(MASK).convert('LA'), Image.fromarray(MASK).convert('RGB')):
        im.save(pair.mask)
        assert np.array_equal(read_pair(pair, TABLE)[1], MASK) and np.array_equal(read_mask(pair.mask, CAMVID), MASK)
        assert check_data(root).ok
    save(MASK > 3, pair.mask)
    assert np.array_equal(read_pair(pair, TABLE)[1], MASK > 3)


def test_values_that_the_table_leaves_out_are_refused_though_labels_have_them(tmp_path):
    pair, table = find_pairs(data_folder(tmp_path/'d'))[0], TABLE.copy()
    table[3] = 255
    assert 'has the value 3, but only 11 values are classes' in one_line(read_pair, pair, table)


def test_bad_image_survives_a_trip_to_another_process():
    import pickle
    e = pickle.loads(pickle.dumps(BadImage('a.png', 'is odd', 'mend it')))
    assert (e.file, e.what, e.remedy, str(e)) == ('a.png', 'is odd', 'mend it', 'a.png is odd: mend it')


def test_a_mask_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = save_mask(MASK, CAMVID, tmp_path/'new'/'m.png')
    def half(part, data):
        with part.open('wb') as f: f.write(data[:9])
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(Path, 'write_bytes', half)
    with pytest.raises(OSError): save_mask(MASK*0, CAMVID, path)
    assert [p.name for p in path.parent.iterdir()] == ['m.png'] and np.array_equal(read_mask(path, CAMVID), MASK)


# ---- what the classes are called

@pytest.mark.parametrize('name,words', [('job.zip', 'is an archive: unpack it'), ('job.tar.gz', 'is an archive: unpack it'), ('JOB.7Z', 'is an archive: unpack it'),
                                        ('a.json', 'give the folder that holds it and its photographs'), ('a.jpg', 'give the folder that holds train/')])
def test_a_file_is_no_data_folder(tmp_path, name, words):
    (tmp_path/name).write_bytes(b'PK')
    with pytest.raises(PixsegError, match=words): check_data(tmp_path/name)


def test_one_pair_is_no_pairs(tmp_path):
    assert 'd: 1 pair, no problems' in str(check_data(data_folder(tmp_path/'d', masks=[MASK % 3])))
    assert 'd2: 2 pairs, no problems' in str(check_data(data_folder(tmp_path/'d2', masks=[MASK % 3, MASK % 5])))


def test_classes_without_names_are_numbered_and_that_is_said_once(tmp_path):
    root = data_folder(tmp_path/'d', masks=[MASK % 3, MASK % 5], codes=None)
    labels, lines = said_by(find_labels, root)
    assert labels.names == ('class 0', 'class 1', 'class 2', 'class 3', 'class 4') and labels.void is None
    assert len(lines) == 1 and 'no codes.txt' in lines[0] and '\n' not in lines[0] and str(root) in lines[0]
    assert said_by(find_labels, root) == (labels, [])
    report, lines = said_by(check_data, root)
    assert report.ok and report.labels == labels and lines == []
    for text in (str(report), report._repr_markdown_(), report.to_dict()['origin']):
        assert 'no codes.txt' in text and 'Sky' not in text
    write_codes(Labels(list('abcde')), root/'codes.txt')
    assert find_labels(root).names == tuple('abcde') and 'class names: from codes.txt' in str(check_data(root))


def test_the_fast_ai_layout_without_names_is_numbered_too(tmp_path):
    for d in ('images', 'labels'): (tmp_path/d).mkdir()
    save(IMG, tmp_path/'images'/'0001TP_006690.png')
    save(MASK % 4, tmp_path/'labels'/'0001TP_006690_P.png')
    assert said_by(find_labels, tmp_path)[0].names[-1] == 'class 3' # that packing of CamVid has 32 codes and a list of them


def test_a_changed_mask_changes_the_numbering(tmp_path):
    root = data_folder(tmp_path/'d', masks=[MASK % 3], codes=None)
    assert len(find_labels(root)) == 3
    save(MASK % 6, root/'trainannot'/'f00.png')
    assert len(find_labels(root)) == 6


@pytest.mark.parametrize('mask,names,void', [
    (np.where(MASK % 3 == 2, 255, MASK % 3), ('class 0', 'class 1', 'Void'), 2), ((MASK > 3)*255, ('class 0', 'class 1'), None),
    (MASK % 4*50, ('class 0', 'class 50', 'class 100', 'class 150'), None)])
def test_values_that_say_themselves_what_they_are_need_no_names(tmp_path, mask, names, void):
    report = check_data(data_folder(tmp_path/'d', masks=[mask.astype(np.uint8)], codes=None))
    assert report.ok and report.labels.names == names and report.labels.void == void


def test_camvid_has_its_names_by_its_frames_only(tmp_path):
    frames = [p for p in camvid_manifest() if p.startswith('train/')][:2]
    root = data_folder(tmp_path/'d', masks=[MASK, MASK], codes=None)
    for i, f in enumerate(frames):
        for d in ('train', 'trainannot'): (root/d/f'f{i:02}.png').rename(root/d/f.split('/')[1])
    assert said_by(find_labels, open_folder(root, draw=False)) == (CAMVID, []) and "CamVid's" in check_data(root).origin
    for d in ('train', 'trainannot'): save(IMG if d == 'train' else MASK, root/d/'mine.png')
    labels, lines = said_by(find_labels, root)
    assert labels.names[0] == 'class 0' and len(lines) == 1 # one frame of another kind, and it is another folder


def test_all_void_is_a_problem_of_the_split(tmp_path):
    root = data_folder(tmp_path/'d', masks=[np.full_like(MASK, 11)])
    problem, = check_data(root).problems
    assert problem.file == 'train' and 'no labelled pixel' in problem.what and 'Void' in problem.what
    assert check_data(root).shares('train')['Void'] == 1.
    assert check_data(open_folder(data_folder(tmp_path/'e', masks=[np.full_like(MASK, 11), MASK]), draw=False)).ok # one such mask is none


def test_names_that_memory_lacks_are_said_to_someone_without_merge():
    line = one_line(label_table, Labels(['Road', 'Lawn', 'void'], void=2), CAMVID)
    assert 'the class Lawn, but' in line and 'codes.txt' in line and 'model' in line and 'merge' not in line
    assert 'class 0' in one_line(label_table, Labels(['class 0', 'class 1']), CAMVID)
    assert 'the class Void' in one_line(label_table, CAMVID, Labels(CAMVID.names[:11]))
    moved = Labels(['void', 'Road'], void=0) # void is void, whatever it is called
    assert label_table(moved, CAMVID)[:3].tolist() == [11, CAMVID['Road'], 255]


# ---- which files there are

def test_nothing_is_passed_over_untold(tmp_path):
    (tmp_path/'more').mkdir()
    for n in ('a.png', 'b.JPG', 'c.cr2', 'd.CR2', 'e', '.f.png', '.DS_Store'): (tmp_path/n).touch()
    (found, lines) = said_by(find_images, [tmp_path])
    assert [p.name for p in found] == ['a.png', 'b.JPG']
    assert len(lines) == 1 and '2 .cr2, 1 folder, 1 hidden, 1 without ending' in lines[0] and str(tmp_path) in lines[0]
    assert [p.name for p in find_images([tmp_path/'c.cr2', tmp_path/'e', tmp_path/'.f.png'])] == ['c.cr2', 'e', '.f.png']
    (tmp_path/'only').mkdir()
    (tmp_path/'only'/'x.cr2').touch()
    line = one_line(find_images, [tmp_path/'only'])
    assert 'passed over: 1 .cr2' in line and 'by name' in line
    assert said_by(find_images, [save(IMG, tmp_path/'more'/'g.png').parent])[1] == []


def test_a_data_folder_tells_what_it_left_out(tmp_path):
    root = data_folder(tmp_path/'d')
    for d in ('train', 'trainannot'): (root/d/'x.cr2').touch()
    (root/'train'/'more').mkdir()
    assert check_data(root).notes[:2] == ['train/: passed over 1 .cr2', 'trainannot/: passed over 1 .cr2']


def test_frames_of_two_sizes_get_a_remedy_for_everyone(tmp_path):
    from pixseg.io.split import read_split
    from pixseg.io.store import read_frames
    pairs = open_folder(data_folder(tmp_path/'d', masks=[MASK, MASK]), draw=False).splits['train']
    save(IMG[:40], pairs[1].img)
    save(MASK[:40], pairs[1].mask)
    line = one_line(read_frames, pairs, TABLE, cache=False)
    assert 'f00.png is 48x64 but f01.png is 40x64' in line and 'size=(48, 64) or on a command line --size 48x64' in line
    assert [tuple(o.shape) for o in read_split(pairs, CAMVID, memory=0, cache=False).masks] == [(48, 64), (40, 64)] # or each at its own


def test_block_split_of_few_images(tmp_path):
    pairs = find_pairs(data_folder(tmp_path/'d'))
    for f in (lambda: holdout_split(pairs, 0), lambda: block_split([pairs[0].img])):
        assert one_line(f) == f'1 image cannot be split: at least 2 are needed in {tmp_path/"d"/"train"}'
    assert '0 images' in one_line(block_split, [])
    for n in range(2, 30): # none of the parts is ever empty
        for seed in range(5): assert all(block_split([f'a{i:03}' for i in range(n)], seed=seed))


def test_block_split_of_ten_and_more_is_what_it_was():
    names = [f'a{i:03}' for i in range(37)]+[f'b{i:03}' for i in range(20)]
    assert block_split(names, seed=3)[1] == [*range(6, 12), *range(30, 37)]


# ---- where things are kept

def test_one_cache_folder(monkeypatch, tmp_path):
    for k in ('PIXSEG_CACHE', 'PIXSEG_DATA'): monkeypatch.delenv(k, raising=False)
    if sys.platform == 'linux':
        monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
        assert cache_dir() == tmp_path/'pixseg'
    assert store_dir() == cache_dir()/'decoded' and data_dest() == cache_dir()
    monkeypatch.setenv('PIXSEG_DATA', '~/data')
    monkeypatch.setenv('PIXSEG_CACHE', str(tmp_path/'c'))
    assert data_dest().name == 'data' and data_dest().is_absolute() and store_dir() == tmp_path/'c'


@pytest.mark.parametrize('code', [
    "sys.modules['fcntl'] = None\nimport pixseg.io.camvid", # as on Windows
    "import pixseg.io.camvid, pixseg.io.store, pixseg.io.streets\nassert not {'torch', 'fastai', 'matplotlib'} & set(sys.modules)"])
def test_io_needs_neither_unix_nor_torch(code):
    done = subprocess.run([sys.executable, '-c', f'import sys\n{code}'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_said_is_one_line_in_a_shell(tmp_path):
    root = data_folder(tmp_path/'d', masks=[MASK % 3], codes=None)
    code = f"from pixseg.io.folder import find_labels\nfor i in range(3): find_labels({str(root)!r})"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr.count('\n') == 1 and 'no codes.txt' in done.stderr


def test_training_reads_what_was_numbered(tmp_path):
    from pixseg.data import seg_dls
    root = data_folder(tmp_path/'d', masks=[MASK % 3]*4, codes=None)
    for d in ('train', 'trainannot'): shutil.copytree(root/d, root/d.replace('train', 'val'))
    for p in (root/'val').iterdir(): save(255-np.asarray(Image.open(p)), p)
    dls, lines = said_by(seg_dls, root, bs=2, device='cpu')
    assert dls.labels.names == ('class 0', 'class 1', 'class 2') and len(lines) == 1
