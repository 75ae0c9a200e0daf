"What the values in masks mean: every way of writing ids comes back, and what can be read in two ways is refused."
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, HealthCheck, settings, strategies as st
from PIL import Image

from pixseg.io.encoding import apply_code, check_number, decide_code, decide_stack, decode_ids, look_at_mask, strange_color, voc_colors
from pixseg.io.images import BadImage, count_pages, lossy, read_mask
from pixseg.io.reading import ClassNames, MaskCode
from pixseg.labels import CAMVID, Labels, PixsegError, name_labels

COLORS = [(0, 0, 0), (200, 30, 0), (0, 180, 20), (7, 7, 250), (200, 200, 0), (90, 90, 90), (255, 255, 255), (1, 2, 3)]
NAMES = 'background disk box bird fish tree road sky'.split()
STEPS = [0, 10, 33, 60, 61, 99, 180, 201]


def written(a, path, **kwargs):
    "An array, or a Pillow image, in a file."
    (a if isinstance(a, Image.Image) else Image.fromarray(np.ascontiguousarray(a))).save(path, **kwargs)
    return path


def palette(a, colors):
    im = Image.fromarray(a)
    im.putpalette(np.array(colors, np.uint8).tobytes())
    return im


def decided(paths, names=None, **kwargs):
    "Ids of all files as they are decided together, labels and notes."
    if isinstance(names, (list, tuple)) and not isinstance(names, ClassNames): names = ClassNames(tuple(names), origin='codes.txt')
    code, labels, notes = decide_code(((p, look_at_mask(p)) for p in paths), names, **kwargs)
    assert all('\n' not in o for o in notes)
    return [decode_ids(p, code)[0] for p in paths], labels, notes, code


def both(tmp_path, *values, names=None, dtype=np.uint8, **kwargs):
    "The decision for files that have these values, a row each."
    kind = 'tif' if np.dtype(dtype).itemsize > 2 else 'png'
    paths = [written(np.array([v, v], dtype), tmp_path/f'f{i:02}.{kind}') for i, v in enumerate(values)]
    return decided(paths, names, **kwargs)


# ---- every way of writing, there and back

def by_list(a, p): return written(np.array(COLORS, np.uint8)[a], p.with_suffix('.png'))

def own_palette(a, p):
    used = np.random.default_rng(len(p.name)+a.size+int(a.sum())).permutation(8) # each file has its own order
    return written(palette(np.argsort(used).astype(np.uint8)[a], [COLORS[i] for i in used]), p.with_suffix('.png'))

def stack(a, p):
    return tuple(written(np.uint8(255)*(a == i), p.with_name(f'{p.name}_{i}.png')) for i in range(1, 8))

def pages(a, p):
    ims = [Image.fromarray(np.uint8(1)*(a == i)) for i in range(1, 8)]
    return written(ims[0], p.with_suffix('.tif'), save_all=True, append_images=ims[1:])

ENCODINGS = dict( # name -> how ids 0..7 are written, and whether the list of colours is given
    grey=(lambda a, p: written(a, p.with_suffix('.png')), False), bmp=(lambda a, p: written(a, p.with_suffix('.bmp')), False),
    index=(lambda a, p: written(palette(a, voc_colors()), p.with_suffix('.png')), False),
    gif=(lambda a, p: written(palette(a, voc_colors()), p.with_suffix('.gif'), optimize=False), False),
    short=(lambda a, p: written(a.astype(np.uint16), p.with_suffix('.png')), False),
    long=(lambda a, p: written(a.astype(np.int32), p.with_suffix('.tif')), False),
    real=(lambda a, p: written(a.astype(np.float32), p.with_suffix('.tif')), False),
    alpha=(lambda a, p: written(Image.fromarray(a).convert('LA'), p.with_suffix('.png')), False),
    three=(lambda a, p: written(np.stack([a]*3, -1), p.with_suffix('.png')), False),
    from_one=(lambda a, p: written(a+np.uint8(1), p.with_suffix('.png')), False),
    gaps=(lambda a, p: written(np.array(STEPS, np.uint8)[a], p.with_suffix('.png')), False),
    objects=(lambda a, p: written(np.where(a, a.astype(np.uint16)*1000+np.arange(a.shape[1])%3, 0).astype(np.uint16), p.with_suffix('.png')), False),
    voc=(lambda a, p: written(np.array(voc_colors(), np.uint8)[a], p.with_suffix('.png')), False),
    colors=(by_list, True), webp=(lambda a, p: written(np.array(COLORS, np.uint8)[a], p.with_suffix('.webp'), lossless=True), True),
    rgba=(lambda a, p: written(Image.fromarray(np.array(COLORS, np.uint8)[a]).convert('RGBA'), p.with_suffix('.png')), True),
    own_palette=(own_palette, True), stack=(stack, False), pages=(pages, False))
VOIDS = dict(grey=255, index=255, short=65535, long=-1, real=-1, three=254, from_one=255, gaps=255, objects=65535)


@pytest.mark.parametrize('how', ENCODINGS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32-1), h=st.integers(3, 9), w=st.integers(4, 9), files=st.integers(1, 3), void=st.booleans())
def test_ids_come_back_however_they_are_written(tmp_path, how, seed, h, w, files, void):
    rng, void = np.random.default_rng(seed), void and how in VOIDS
    masks = [rng.integers(0, 8, (h, w)).astype(np.uint8) for _ in range(files)]
    masks[0].flat[:8] = range(8)
    write, listed = ENCODINGS[how]
    paths = [write(m, tmp_path/f'{i}') for i, m in enumerate(masks)]
    if void: # the last pixel is not labelled
        for p, m in zip(paths, masks):
            a = np.array(Image.open(p))
            a[-1, -1],m[-1, -1] = VOIDS[how],8
            written(palette(a, voc_colors()) if how == 'index' else a, p)
    ids, labels, _, code = decided(paths, ClassNames(tuple(NAMES), tuple(COLORS) if listed else None))
    assert labels.names == (*NAMES, 'Void')[:8+void] and labels.void == (8 if void else None)
    for a, b in zip(ids, masks): assert a.dtype == np.uint8 and np.array_equal(a, b), code


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32-1), white=st.sampled_from([1, 255]), bits=st.booleans(), names=st.sampled_from([['polyp'], NAMES[:2], None]))
def test_black_and_white_comes_back(tmp_path, seed, white, bits, names):
    a = np.random.default_rng(seed).integers(0, 2, (7, 9)).astype(np.uint8)
    a.flat[:2] = 0,1
    ids, labels, notes, _ = decided([written(a > 0 if bits else a*np.uint8(white), tmp_path/'m.png')], names)
    assert np.array_equal(ids[0], a) and len(labels) == 2 and labels.void is None
    assert notes or names and len(names) == 2 and (white == 1 or bits)
    if names and len(names) == 1: assert labels.names == ('background', 'polyp')


def test_a_mask_that_exif_turns_is_read_upright(tmp_path):
    a = np.arange(6, dtype=np.uint8).reshape(2, 3)
    exif = Image.Exif()
    exif[274] = 6
    path = written(np.rot90(np.array(COLORS, np.uint8)[a]), tmp_path/'m.png', exif=exif)
    assert look_at_mask(path).size == (2, 3)
    assert np.array_equal(decided([path], ClassNames(tuple(NAMES), tuple(COLORS)))[0][0], a)


# ---- what is decided, and what is said about it

@pytest.mark.parametrize('values,names,ids,classes,void,words', [
    ([[0, 1, 2, 255]], 3, [[0, 1, 2, 3]], 4, 3, "255 in the masks is taken as void"),
    ([[0, 1, 255]], 2, [[0, 1, 2]], 3, 2, 'void'), ([[0, 255]], 2, [[0, 1]], 2, None, "0 is 'background', 255 is 'disk'"),
    ([[0, 255]], None, [[0, 1]], 2, None, "255 is 'class 1'"), ([[0, 1]], None, [[0, 1]], 2, None, 'numbered'),
    ([[0, 1, 255]], None, [[0, 1, 2]], 3, 2, 'void'), ([[0, 38]], 2, [[0, 1]], 2, None, '0 -> background, 38 -> disk'),
    ([[0, 127, 255]], 3, [[0, 1, 2]], 3, None, '127 -> disk, 255 -> box'), ([[0, 38, 75]], None, [[0, 1, 2]], 3, None, 'class 38'),
    ([[0, 15, 38, 75, 113]], 5, [[0, 4, 1, 2, 3]], 5, None, 'by the greys of their colours'),
    ([[1, 2, 3]], 3, [[0, 1, 2]], 3, None, "begin at 1: 1 is 'background', 3 is 'box'"),
    ([[1, 2, 3, 255]], 3, [[0, 1, 2, 3]], 4, 3, 'begin at 1'), ([[0, 1], [0, 1, 2, 3, 4, 5], [0, 1, 2]], 2, [[0, 1], [0]+[1]*5, [0, 1, 1]], 2, None, 'numbers its objects'),
    ([[0, 10, 20, 255]], 3, [[0, 1, 2, 3]], 4, 3, 'gaps')])
def test_what_values_are_taken_for(tmp_path, values, names, ids, classes, void, words):
    got, labels, notes, _ = both(tmp_path, *values, names=names and NAMES[:names])
    assert [o[0].tolist() for o in got] == ids and len(labels) == classes and labels.void == void
    assert any(words in o for o in notes), notes


@pytest.mark.parametrize('names,void', [(['Void', 'disk', 'box'], 0), (['background', 'disk', 'Void'], 2), (['background', 'ignore', 'box'], 1)])
def test_the_mark_is_the_void_that_the_names_have(tmp_path, names, void):
    for i, values in enumerate(([0, 1, 2, 255], [0, 2, 255])):
        (tmp_path/str(i)).mkdir()
        got, labels, notes, _ = both(tmp_path/str(i), values, names=names)
        assert got[0][0].tolist() == [void if v == 255 else v for v in values] and labels == name_labels(names) and labels.void == void
        assert labels.void_last().names[-1] == names[void] and 'void' in notes[0]


def test_names_alone_make_the_labels_of_a_codes_file(tmp_path):
    _, labels, notes, code = both(tmp_path, range(12), names=CAMVID.names)
    assert (labels, notes, code) == (CAMVID, [], MaskCode())


def test_one_name_is_the_object(tmp_path):
    for i, v in enumerate(([0, 1], [0, 255], [0, 0], [1, 1], [0, 1, 255])):
        (tmp_path/str(i)).mkdir()
        got, labels, notes, _ = both(tmp_path/str(i), v, names=['polyp'])
        assert labels.names[:2] == ('background', 'polyp') and 'put before it' in notes[0]
        assert got[0][0].tolist() == ([0, 1, 2] if len(v) == 3 else [int(o > 0) for o in v])


def test_names_that_say_which_value_they_have(tmp_path):
    names = ClassNames(('road', 'car', 'bird'), ids=(7, 26, 11), origin='labels.txt')
    got, labels, notes, code = both(tmp_path, [7, 26, 11, 255], names=names)
    assert got[0][0].tolist() == [0, 1, 2, 3] and labels.void == 3
    got, labels, notes, code = both(tmp_path, [7, 26003, 26001, 65535], names=names, dtype=np.uint16)
    assert got[0][0].tolist() == [0, 1, 1, 3] and code.kind == 'divide' and '26001//1000 = 26' in notes[0]
    assert apply_code(np.array([[26999, 11, 26]], np.uint16), code).tolist() == [[1, 2, 1]]
    with pytest.raises(BadImage, match='f00.png has the value 3, but only 3 values are classes'): both(tmp_path, [7, 3], names=names)
    one = ClassNames(('wall', 'sky'), ids=(1, 2), origin='labels.txt')
    with pytest.raises(BadImage, match='labels.txt does not name: add a line for it: `0 background`, or `0 Void`'): both(tmp_path, [0, 1], names=one)
    for kw in (dict(names=one, zero_is_void=True), dict(names=one._replace(origin='objectInfo150.txt'))):
        got, labels, _, _ = both(tmp_path, [0, 1, 2], **kw)
        assert labels.names[labels.void] == 'Void' and [labels.names[i] for i in got[0][0]] == ['Void', 'wall', 'sky']


def test_ade20k_has_void_at_0(tmp_path):
    for names, values in ((['wall', 'sky'], [0, 1, 2]), (['wall', 'sky'], [0, 1]), (None, [0, 2])):
        _, labels, notes, code = both(tmp_path, values, names=names, zero_is_void=True)
        assert code == MaskCode() and labels.void == 0 and len(labels) == 3 and 'ADE20K' in notes[0]
    with pytest.raises(BadImage, match='`background` or `Void` as the first line of codes.txt'): both(tmp_path, [0, 1, 2], names=['wall', 'sky'])


def test_objects_that_a_later_mask_numbers_are_read_too(tmp_path):
    *_, code = both(tmp_path, [0, 1003, 2003], names=NAMES[:3], dtype=np.uint16)
    assert apply_code(np.array([[0, 1999, 2000, 1]], np.uint16), code).tolist() == [[0, 1, 2, 1]]
    *_, code = both(tmp_path, [-1, 7000, 26003, 26], names=None, dtype=np.int32)
    assert apply_code(np.array([[7001, 26]], np.int32), code).shape == (1, 2)


def test_smoothed_edges_have_a_border_half_way(tmp_path):
    a = np.zeros((40, 40), np.uint8)
    a[10:30, 10:30], a[9, 10:30], a[30, 10:30] = 255, range(10, 210, 10), range(50, 250, 10)
    for path, kw in ((tmp_path/'m.png', {}), (tmp_path/'m.jpg', dict(quality=90))):
        for names in (NAMES[:2], ['polyp'], None):
            ids, labels, notes, code = decided([written(a, path, **kw)], names)
            assert abs(ids[0].mean()-(a > 127).mean()) < .01 and len(labels) == 2 and code.threshold == 128 and '%' in notes[-1]
        with pytest.raises(BadImage, match='JPEG' if kw else 'values'): decided([path], NAMES[:3])
    a[9, 10:30] = a[30, 10:30] = 100
    with pytest.raises(BadImage, match="the value 100 between 0 and 255"): decided([written(a, tmp_path/'third.png')], NAMES[:2])
    rare = np.zeros((40, 40), np.uint8)
    rare[0, :5] = 0,50,100,150,255
    assert len(decided([written(rare, tmp_path/'rare.png')])[1]) == 5


@pytest.mark.parametrize('values,names,words', [
    ([[0, 255]], 3, 'black and white mask: write 1 where it has 255'), ([[0, 128, 255]], 2, 'one of the three may mean'),
    ([[0, 1], [0, 255]], 2, 'f01.png has 0 and 255, and f00.png has ids, but no mask has both'),
    ([[0, 1], [0, 255]], None, 'no mask has both'), ([[0, 1, 2, 3]], 3, 'one more value than there are names'),
    ([[0, 76, 150]], 3, 'colours turned to grey'), ([[0, 40, 50, 60]], 3, 'f00.png has the values 40, 50, 60'),
    ([range(0, 256, 3)], None, 'has the value')])
def test_what_can_be_read_in_two_ways_is_refused(tmp_path, values, names, words):
    with pytest.raises(BadImage) as e: both(tmp_path, *values, names=names and NAMES[:names])
    assert words in str(e.value) and str(tmp_path) in str(e.value) and '\n' not in str(e.value)


def test_floats_must_be_whole(tmp_path):
    assert both(tmp_path, [0., 1.], names=NAMES[:2], dtype=np.float32)[0][0][0].tolist() == [0, 1]
    for odd in (.5, np.nan):
        with pytest.raises(BadImage, match=r'f00.tif has (the values 0.5, and class ids are whole|2 pixels that are no number)'): both(tmp_path, [0, odd], dtype=np.float32)


def test_a_few_odd_masks_are_told_and_refused_when_read(tmp_path):
    paths = [written(np.array([v], np.uint8), tmp_path/f'f{i}.png') for i, v in enumerate(([0, 1, 2, 255], [0, 2, 1, 0], [0, 77, 1, 2], [1, 0, 0, 0]))]
    code, _, notes = decide_code([(p, look_at_mask(p)) for p in paths], ClassNames(tuple(NAMES[:3])))
    assert '1 of 4 masks have values that are no class, the first is f2.png' in notes[0]
    assert decode_ids(paths[0], code)[0].tolist() == [[0, 1, 2, 3]]
    with pytest.raises(BadImage, match='f2.png has the value 77, but the values of classes are 0, 1, 2, 255'): decode_ids(paths[2], code)


def test_a_value_that_nobody_decided_on_is_refused(tmp_path):
    *_, code = both(tmp_path, [0, 38], names=NAMES[:2])
    with pytest.raises(BadImage, match='new.png has the value 1, but the values of classes are 0, 38'):
        apply_code(np.array([[0, 1]], np.uint8), code, 'new.png')
    with pytest.raises(BadImage, match='300'): apply_code(np.array([[0, 300]], np.uint16), MaskCode())


def test_more_classes_than_a_byte_can_number(tmp_path):
    with pytest.raises(PixsegError, match='codes.txt has 300 classes, and ids go from 0 to 255'):
        both(tmp_path, [0, 7], names=[f'c{i}' for i in range(300)])
    assert check_number(256, 'codes.txt') is None
    with pytest.raises(PixsegError, match='no masks'): decide_code([])


def test_an_array_file_is_a_mask_too_and_an_archive_is_none(tmp_path):
    a = np.array([[0, 2, 1]], np.int64)
    np.save(tmp_path/'m.npy', a)
    assert decided([tmp_path/'m.npy'], NAMES[:3])[0][0].tolist() == a.tolist()
    np.savez(tmp_path/'m.npz', a)
    with pytest.raises(BadImage, match='m.npz '): look_at_mask(tmp_path/'m.npz')


def test_a_photograph_among_masks_is_told(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    photo = written(noise, tmp_path/'photo.png')
    masks = [by_list(np.arange(8, dtype=np.uint8).reshape(2, 4), tmp_path/f'{i}') for i in range(3)]
    looks = [(p, look_at_mask(p)) for p in (photo, *masks)]
    assert 'the first is photo.png' in decide_code(looks, ClassNames(tuple(NAMES), tuple(COLORS)))[2][0]
    with pytest.raises(BadImage, match='photo.png is no mask'): decide_code(looks[:1])
    grey = written(noise[..., 0].astype(np.uint16)*np.uint16(250)+noise[..., 1], tmp_path/'grey.png')
    with pytest.raises(BadImage, match='grey.png is no mask: thousands of values'): decided([grey], NAMES)


# ---- colours and palettes

def test_colors_that_nobody_listed(tmp_path):
    path = written(np.array(COLORS, np.uint8)[:4][None], tmp_path/'m.png')
    with pytest.raises(BadImage, match=r'nothing says which class they are. There are .*\(200, 30, 0\).*`--colors FILE` with a line `name r g b`'):
        decided([path], NAMES[:4])
    ids, labels, notes, _ = decided([path])
    assert labels.names == ('#000000', '#00B414', '#0707FA', '#C81E00') and labels.colors[3] == (200, 30, 0) and 'named after their colours' in notes[0]
    assert ids[0].tolist() == [[0, 3, 1, 2]]
    with pytest.raises(BadImage, match=r"m.png has the colour \(200, 30, 0\) in 1 pixel, which is no class; the nearest is 'disk' \(190, 30, 0\)"):
        decided([path], ClassNames(('background', 'disk'), ((0, 0, 0), (190, 30, 0))))
    with pytest.raises(PixsegError, match='the same colour'): decided([path], ClassNames(('a', 'b'), ((0, 0, 0), (0, 0, 0))))
    strange = str(strange_color('m.png', (1, 1, 1), 3, {(0, 0, 0): 0}))
    assert "nearest is (0, 0, 0)" in strange and strange.index('without smoothing') < strange.index('add a line')


def test_known_colors(tmp_path):
    ids = np.arange(12, dtype=np.uint8)[None]
    got, labels, notes, _ = decided([written(CAMVID.palette()[ids], tmp_path/'c.png')], CAMVID.names)
    assert np.array_equal(got[0], ids) and labels == CAMVID and "CamVid's" in notes[0]
    voc = np.array([0, 1, 2, 255])
    got, labels, notes, _ = decided([written(np.array(voc_colors(), np.uint8)[voc][None], tmp_path/'v.png')], NAMES[:3])
    assert got[0].tolist() == [[0, 1, 2, 3]] and labels.void == 3 and "#800000 -> disk" in notes[0]
    assert voc_colors()[1:3] == ((128, 0, 0), (0, 128, 0)) and voc_colors()[20] == (0, 64, 128) and voc_colors()[255] == (224, 224, 192)
    got, labels, _, _ = decided([written(np.array([[(0, 0, 0), (9, 200, 0)]], np.uint8), tmp_path/'o.png')], ['polyp'])
    assert got[0].tolist() == [[0, 1]] and labels.names == ('background', 'polyp')


def test_a_list_of_colors_says_what_greys_are(tmp_path):
    names = ClassNames(('cell', 'background', 'edge', 'dirt'), ((255,)*3, (0,)*3, (100,)*3, (9, 8, 7)), origin='class_dict.csv')
    for i, values in enumerate(([0, 255], [0, 100, 255])):
        (tmp_path/str(i)).mkdir()
        ids, labels, notes, _ = both(tmp_path/str(i), values, names=names)
        assert ids[0][0].tolist() == [{255: 0, 0: 1, 100: 2}[v] for v in values] and labels.names == names.names and 'greys of class_dict.csv' in notes[0]
    assert both(tmp_path, [0, 1, 2, 3], names=names)[3] == MaskCode() # ids, though the list has colours


def test_a_black_file_among_colors_is_black(tmp_path):
    paths = [by_list(np.array([v], np.uint8), tmp_path/f'{i}') for i, v in enumerate(([0, 1, 2], [0, 0, 0], [5, 6, 0]))]
    ids, *_ = decided(paths, ClassNames(tuple(NAMES), tuple(COLORS)))
    assert [o.tolist() for o in ids] == [[[0, 1, 2]], [[0, 0, 0]], [[5, 6, 0]]]


def test_palettes_that_differ(tmp_path):
    a = np.array([[0, 1, 2]], np.uint8)
    odd = [[(0, 0, 0), (9, 0, 0), (0, 9, 0)], [(0, 0, 0), (0, 9, 0), (9, 0, 0)]]
    paths = [written(palette(a, c), tmp_path/f'f{i}.png') for i, c in enumerate(odd)]
    with pytest.raises(BadImage, match=r'f1.png has another palette than f0.png: index 1 is \(0, 9, 0\) here and \(9, 0, 0\) there: say which .*--colors FILE'):
        decided(paths, NAMES[:3])
    ids, _, notes, _ = decided(paths, ClassNames(tuple(NAMES[:3]), tuple(odd[0])))
    assert [o.tolist() for o in ids] == [[[0, 1, 2]], [[0, 2, 1]]] and 'read by their colours' in notes[0]
    turned = decided(paths[1:], ClassNames(tuple(NAMES[:3]), tuple(odd[0]))) # one palette, but the list says otherwise
    assert turned[0][0].tolist() == [[0, 2, 1]]


def test_palettes_of_greys(tmp_path):
    a = np.array([[0, 1, 1, 0]], np.uint8)
    paths = [written(palette(a, c), tmp_path/f'f{i}.png') for i, c in enumerate(([(0,)*3, (255,)*3], [(255,)*3, (0,)*3]))]
    ids, _, notes, _ = decided(paths, NAMES[:2])
    assert [o.tolist() for o in ids] == [[[0, 1, 1, 0]], [[1, 0, 0, 1]]] and any('255' in o for o in notes)


# ---- one file or page for each class

def test_stacks(tmp_path):
    on = lambda *v: np.array([v], np.uint8)
    looks = lambda *ms: [((a, b), look_at_mask((a, b))) for a, b in ms]
    a, b = written(on(0, 255, 255, 0), tmp_path/'a.png'), written(on(0, 0, 255, 255), tmp_path/'b.png')
    code, labels, notes = decide_stack(looks((a, b)), ClassNames(('car', 'tyre')))
    assert labels.names == ('background', 'car', 'tyre') and decode_ids((a, b), code)[0].tolist() == [[0, 1, 2, 2]]
    assert 'later ones on top: car, tyre' in notes[0] and any(o.startswith('1 pixels (25 %)') for o in notes)
    assert decode_ids((a, None), code)[0].tolist() == [[0, 1, 1, 0]] and look_at_mask((None, b)).bare == 2
    c = written(on(255, 0, 0, 0), tmp_path/'c.png')
    code, labels, _ = decide_code([((a, c), look_at_mask((a, c)))], ClassNames(('car', 'sky')))
    assert labels.names[0] == 'background' and decode_ids((a, c), code)[0].tolist() == [[2, 1, 1, 0]]
    d = written(on(1, 0, 0, 1), tmp_path/'d.png')
    code, labels, _ = decide_code([((a, d), look_at_mask((a, d)))], ClassNames(('car', 'sky'))) # every pixel is covered
    assert labels.names == ('car', 'sky') and decode_ids((a, d), code)[0].tolist() == [[1, 0, 0, 1]]
    with pytest.raises(BadImage, match='without a class'): decode_ids((a, c), code)
    code, labels, _ = decide_code([((a, c), look_at_mask((a, c)))], ClassNames(('car', 'background')))
    assert labels.names == ('car', 'background') and decode_ids((a, c), code)[0].tolist() == [[1, 0, 0, 1]]
    with pytest.raises(BadImage, match='there are 4 names'): decide_stack(looks((a, b)), ClassNames(('x', 'y', 'z', 'w')))
    odd = written(on(0, 1, 2, 3), tmp_path/'odd.png')
    with pytest.raises(BadImage, match='odd.png has 0, 1, 2, 3, but a mask or page of one class is black and white'): decide_stack(looks((a, odd)))
    mixed = written(np.r_[np.zeros(50), 128, 90, 255, 255].astype(np.uint8)[None], tmp_path/'smooth.png')
    other = written(np.r_[255, 255, 255, np.zeros(47), 128, 90, 255, 0].astype(np.uint8)[None], tmp_path/'other.png')
    assert decide_stack(looks((mixed, other)))[0].threshold == 128
    with pytest.raises(BadImage, match='d.png has 0, 1, but'): decide_stack([((p,), look_at_mask((p,))) for p in (mixed, d)])
    with pytest.raises(BadImage, match='is 2x4, but a.png is 1x4'): look_at_mask((a, written(np.zeros((2, 4), np.uint8), tmp_path/'e.png')))


def test_stacks_that_hide_something(tmp_path):
    at = lambda *v: written(np.isin(np.arange(100), v).astype(np.uint8)[None]*255, tmp_path/f'{len(v)}.png')
    looks = lambda *ms: [(ms, look_at_mask(ms))]
    cup, disc, nearly = at(*range(40, 50)), at(*range(30, 60)), at(*range(31, 60))
    own = lambda *names: ClassNames(names, origin='the names of the masks')
    with pytest.raises(BadImage, match="'cup' lies below disc, and is hidden by it: in codes.txt, name what lies inside after"):
        decide_stack(looks(cup, disc), own('cup', 'disc'))
    _, labels, _ = decide_stack(looks(disc, cup), ClassNames(('background', 'disc', 'cup')))
    assert labels.names == ('background', 'disc', 'cup')
    with pytest.raises(BadImage, match='cover nearly the same pixels, as those of two people do'): decide_stack(looks(disc, nearly), own('a', 'b'))
    assert decide_stack(looks(disc, at(*range(30, 57))), ClassNames(('a', 'b')))[1].names == ('background', 'a', 'b')


def test_transparent_pixels_that_may_be_void(tmp_path):
    rgba = np.zeros((1, 4, 4), np.uint8)
    rgba[0, :3, 3], rgba[0, 1] = 255, (9, 8, 7, 255)
    names = ClassNames(('background', 'road'), ((0, 0, 0), (9, 8, 7)))
    path = written(rgba, tmp_path/'a.png')
    with pytest.raises(BadImage, match="a.png has 1 transparent pixel whose colour other pixels have, too"): decide_code([(path, look_at_mask(path))], names)
    rgba[0, :, 3] = 255, 255, 0, 0 # what is transparent has a colour of its own
    rgba[0, 2:, :3], rgba[0, 0, :3] = 0, (9, 8, 7)
    path = written(rgba, tmp_path/'b.png')
    code, _, _ = decide_code([(path, look_at_mask(path))], names)
    assert decode_ids(path, code)[0].tolist() == [[1, 1, 0, 0]]


def test_pages_and_shapes(tmp_path):
    path = pages(np.arange(8, dtype=np.uint8)[None], tmp_path/'m')
    assert count_pages(path) == 7 and look_at_mask(path).kind == 'stack' and count_pages(Image.open(path)) == 1
    class Drawn:
        def draw(self, size): return np.full(size, 2, np.uint8)
    assert decode_ids(Drawn(), size=(2, 3))[0].tolist() == [[2, 2, 2]]*2


# ---- reading

def test_plain_ids_are_the_pixels_themselves():
    a = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert apply_code(a, MaskCode()) is a and apply_code(a > 2, MaskCode()).tolist() == [[0, 0, 0], [1, 1, 1]]


def test_size_and_kind_are_checked(tmp_path):
    path = written(np.zeros((4, 6), np.uint8), tmp_path/'m.png')
    with pytest.raises(BadImage, match='m.png is 4x6, but its photograph is 4x5'): decode_ids(path, MaskCode(), (4, 5))
    jpeg = written(np.zeros((4, 6), np.uint8), tmp_path/'m.jpg')
    with pytest.raises(BadImage) as e: decode_ids(jpeg, MaskCode())
    assert str(e.value) == str(lossy(jpeg))
    rgb = by_list(np.array([[0, 1]], np.uint8), tmp_path/'rgb')
    with pytest.raises(BadImage, match='has colours, and the other masks have none'): decode_ids(rgb, MaskCode())
    with pytest.raises(BadImage, match=r'colour \(200, 30, 0\) in 1 pixel'): decode_ids(rgb, MaskCode('colors', colors=(((0, 0, 0), 0),)))
    with pytest.raises(BadImage, match='has the value 300, but ids go from 0 to 255'): read_mask(written(np.full((2, 2), 300, np.uint16), Path(tmp_path/'s.png')), Labels(['a']))


def test_greys_of_camvid_s_colours_are_camvid_s(tmp_path):
    "Masks that were turned to grey: with CamVid's names the greys are those of CamVid's colours, not of Pascal VOC's."
    names = ClassNames(CAMVID.names, void=11)
    grey = lambda rgb: np.asarray(Image.new('RGB', (1, 1), rgb).convert('L'))[0, 0]
    ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
    path = written(np.array([grey(c) for c in CAMVID.colors], np.uint8)[ids], tmp_path/'a.png')
    code, labels, _ = decide_code([(path, look_at_mask(path))], names)
    assert [labels.names[i] for i in decode_ids(path, code)[0].ravel()] == [CAMVID.names[i] for i in ids.ravel()]


def test_of_a_white_and_a_black_class_one_is_the_white_one(tmp_path):
    listed = ClassNames(('road', 'background'), ((255, 255, 255), (0, 0, 0)), origin='class_dict.csv')
    a = np.uint8([[0, 1, 1], [0, 0, 1]])
    (ids,), labels, notes, _ = decided([written(a, tmp_path/'a.png')], listed)
    assert np.array_equal(ids == labels.names.index('road'), a == 1) and "1 is 'road', which is white" in notes[0]
    (ids,), labels, notes, _ = decided([written(np.where(a, 255, 0).astype(np.uint8), tmp_path/'b.png')], listed)
    assert np.array_equal(ids == labels.names.index('road'), a == 1)
    (ids,), labels, _, _ = decided([written(np.uint8([[0, 1, 255]]), tmp_path/'c.png')], listed)
    assert [labels.names[i] for i in ids[0]] == ['background', 'road', 'Void'] and labels.void == 2
    other = listed._replace(names=('background', 'road'), colors=((0, 0, 0), (255, 255, 255)))
    (ids,), _, notes, _ = decided([written(a, tmp_path/'d.png')], other)
    assert np.array_equal(ids, a) and notes == []


@pytest.mark.parametrize('names', [('unlabeled', 'person', 'bicycle', 'car'), ClassNames(('unlabeled', 'person', 'car'), ids=(0, 1, 5), origin='labels.txt')])
def test_two_voids_may_be_classes_read_off_by_one(tmp_path, names):
    with pytest.raises(BadImage, match=r"255 mostly means 'not labelled', too: if 0 is 'person'.*write 0 for 255"): decided([written(np.uint8([[0, 1, 255]]), tmp_path/'a.png')], names)
    last = 3 if isinstance(names, tuple) and not isinstance(names, ClassNames) else 5
    (ids,), labels, _, _ = decided([written(np.uint8([[0, 1, last, 255]]), tmp_path/'b.png')], names)
    assert [labels.names[i] for i in ids[0]] == ['unlabeled', 'person', 'car', 'unlabeled'] # the last name occurs
    decided([written(np.uint8([[1, 255]]), tmp_path/'c.png')], names), decided([written(np.uint8([[0, 1]]), tmp_path/'d.png')], names)
