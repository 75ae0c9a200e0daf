"Photographs as cameras, microscopes, satellites and phones deliver them: any depth, any number of bands, any page, any size."
import io
import json
import struct
import sys
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from pixseg.data import make_dls, seg_dls
from pixseg.encoder import EncoderUNet
from pixseg.io import files
from pixseg.io.bands import decode_upright, file_head, load_array, NeedsPackage, open_pillow, read_bands, tiff_pages, upright_size
from pixseg.io.files import image_files, PixsegWarning
from pixseg.io.folder import find_pairs
from pixseg.io.pairs import read_pair
from pixseg.io.images import as_rgb, BadImage, decide_photos, decode_mask, decode_photo, open_image, parse_bands, photo_scale, resize_photo
from pixseg.io.reading import PhotoCode, read_as, Reading
from pixseg.io.split import frame_sizes, FrameList, MixedData, read_split
from pixseg.io.store import read_frames, store_name
from pixseg.io.streets import draw_street
from pixseg.io.names import write_codes
from pixseg.labels import CAMVID, PixsegError
from pixseg.learner import seg_learner
from pixseg.loader import ToInput
from pixseg.modelfile import load_model, read_card, save_model
from pixseg.predict import predict_mask
from pixseg.run.predict import predict_files
from pixseg.run.train import train_run
from pixseg.unet import UNet

IMG, MASK = draw_street(7, (48, 64))
DEEP = IMG.astype(np.uint16)*12+500 # 12 bits, as a microscope's
FOUR = np.dstack([IMG, 255-IMG[..., 1]])
TABLE = CAMVID.table(CAMVID)


@pytest.fixture(autouse=True)
def nothing_said(): files._said.clear() # each test hears what is said once


def said_by(f, *args, **kwargs):
    "What `f` returns, and the lines it says."
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter('always')
        out = f(*args, **kwargs)
    return out, [str(o.message) for o in heard if issubclass(o.category, PixsegWarning)]


def png16(path, a):
    "A PNG of 16 bits a channel, which Pillow does not write."
    a = np.atleast_3d(a)
    chunk = lambda name, data: struct.pack('>I', len(data))+name+data+struct.pack('>I', zlib.crc32(name+data))
    head = struct.pack('>IIBBBBB', a.shape[1], a.shape[0], 16, {1: 0, 2: 4, 3: 2, 4: 6}[a.shape[2]], 0, 0, 0)
    rows = b''.join(b'\0'+row.astype('>u2').tobytes() for row in a)
    path.write_bytes(b'\x89PNG\r\n\x1a\n'+chunk(b'IHDR', head)+chunk(b'IDAT', zlib.compress(rows))+chunk(b'IEND', b''))
    return path


def tiff(path, a, **kwargs):
    "A TIFF of any kind."
    tifffile = pytest.importorskip('tifffile')
    more = dict(photometric='minisblack') if a.ndim == 2 or kwargs.get('planarconfig') else dict(photometric='rgb')
    tifffile.imwrite(path, a, **{**more, **kwargs})
    return path


def write(path, a):
    "An array in the format of its name."
    if path.suffix == '.npy': np.save(path, a)
    elif path.suffix == '.png' and a.dtype == np.uint16 and a.ndim == 3: png16(path, a)
    elif path.suffix == '.tif' and (a.ndim == 3 or a.dtype.kind == 'f' and a.dtype.itemsize != 4): tiff(path, a)
    else: Image.fromarray(a).save(path)
    return path


# ---- what is in a file

@pytest.mark.parametrize('a', [DEEP, DEEP[..., 0], np.dstack([DEEP, DEEP[..., :1]]), DEEP[..., :2]], ids=['rgb', 'grey', 'rgba', 'grey alpha'])
def test_16_bits_of_a_png_are_read_without_a_loss(tmp_path, a):
    path = png16(tmp_path/'a.png', a)
    assert np.array_equal(read_bands(path)[0], np.atleast_3d(a)) and np.array_equal(read_bands(io.BytesIO(path.read_bytes()))[0], np.atleast_3d(a))
    assert file_head(path).kind == 'uint16' and file_head(path).bands == np.atleast_3d(a).shape[2]


@pytest.mark.parametrize('kind', [np.uint8, np.uint16, np.int16, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize('more', [{}, dict(planarconfig='separate'), dict(bigtiff=True), dict(byteorder='>'), dict(tile=(16, 16)), dict(compression='zlib')],
                         ids=lambda o: next(iter(o), 'plain'))
def test_tiffs_of_four_bands_of_any_kind(tmp_path, kind, more):
    a = FOUR.astype(kind)*(1 if kind == np.uint8 else 3)
    stored = np.moveaxis(a, 2, 0) if 'planarconfig' in more else a
    path = tiff(tmp_path/'a.tif', stored, extrasamples=['unspecified'], **{**more, **({'photometric': 'rgb'} if 'planarconfig' in more else {})})
    assert np.array_equal(read_bands(path)[0], a)
    head = file_head(path)
    assert (head.kind, head.bands, head.alpha, head.pages) == (np.dtype(kind).name, 4, False, 1)
    assert tuple(upright_size(path)) == (48, 64)
    assert np.array_equal(read_bands(io.BytesIO(path.read_bytes()))[0], a)


@pytest.mark.parametrize('more', [{}, dict(compression='zlib', predictor=True), dict(byteorder='>'), dict(planarconfig='separate', photometric='rgb')], ids=str)
def test_three_deep_channels_need_no_package(tmp_path, monkeypatch, more):
    stored = np.moveaxis(DEEP, 2, 0) if 'planarconfig' in more else DEEP
    path = tiff(tmp_path/'a.tif', stored, **more)
    assert np.array_equal(read_bands(path)[0], DEEP)
    monkeypatch.setitem(sys.modules, 'tifffile', None) # as if it were not installed
    if 'planarconfig' not in more: assert np.array_equal(read_bands(path)[0], DEEP)


@pytest.mark.parametrize('n', [1, 2, 3, 5, 8, 13])
def test_any_number_of_bands(tmp_path, n):
    a = np.dstack([IMG]*5)[..., :n]
    path = tiff(tmp_path/'a.tif', a[..., 0] if n == 1 else a, photometric='minisblack', planarconfig='contig') if n != 3 else tiff(tmp_path/'a.tif', a)
    assert np.array_equal(read_bands(path)[0], a) and file_head(path).bands == n
    np.save(tmp_path/'a.npy', a)
    assert np.array_equal(read_bands(tmp_path/'a.npy')[0], a)


@pytest.mark.parametrize('turn', range(1, 9))
def test_a_deep_tiff_and_a_deep_png_are_turned_upright(tmp_path, turn):
    lie = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
           6: np.rot90, 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, -1)}[turn]
    path = tiff(tmp_path/'a.tif', np.ascontiguousarray(lie(DEEP)), extratags=[(274, 'H', 1, turn, True)])
    a, told = read_bands(path)
    assert told == turn and np.array_equal(a, DEEP) and tuple(upright_size(path)) == (48, 64)


def test_bands_first_and_other_arrays(tmp_path):
    np.save(tmp_path/'a.npy', np.moveaxis(FOUR, 2, 0))
    assert np.array_equal(load_array(tmp_path/'a.npy'), FOUR)
    for odd in (np.zeros(9), np.zeros((2, 9, 9, 3)), np.zeros((0, 9)), np.array(['a'])):
        np.save(tmp_path/'odd.npy', odd)
        with pytest.raises(BadImage, match='odd.npy is an array .*save '): open_image(tmp_path/'odd.npy')
    np.save(tmp_path/'pickled.npy', np.array([{}]), allow_pickle=True)
    with pytest.raises(BadImage, match='pickled.npy'): open_image(tmp_path/'pickled.npy')
    np.save(tmp_path/'ids.npy', MASK.astype(np.int64))
    assert np.array_equal(np.asarray(decode_upright(tmp_path/'ids.npy')[0]), MASK)


def test_pages_are_counted_and_read_one_by_one(tmp_path):
    frames = [Image.fromarray(np.roll(IMG, 9*i, 1)) for i in range(3)]
    for end in ('tif', 'gif', 'webp', 'png'):
        path = tmp_path/f'a.{end}'
        frames[0].save(path, save_all=True, append_images=frames[1:], **(dict(lossless=True) if end == 'webp' else {}))
        assert file_head(path).pages == 3
        for i in range(3): assert np.abs(open_image(path, page=i).astype(int)-np.asarray(frames[i])).mean() < 12
        files._said.clear()
        first, lines = said_by(open_image, path)
        assert np.array_equal(first, open_image(path, page=0)) and len(lines) == 1 and 'has 3 pages: the first is taken' in lines[0]
        code, notes = decide_photos([path, path])
        assert code == PhotoCode() and '2 photographs have several pages' in notes[0]
    with pytest.raises(BadImage): open_image(tmp_path/'a.tif', page=3)
    with pytest.raises(BadImage): open_image(tmp_path/'a.gif', page=3)


def test_smaller_copies_in_a_tiff_are_no_pages(tmp_path):
    tifffile = pytest.importorskip('tifffile')
    with tifffile.TiffWriter(tmp_path/'map.tif') as out:
        out.write(DEEP, photometric='rgb')
        out.write(DEEP[::2, ::2], photometric='rgb', subfiletype=1)
    assert len(tiff_pages(tmp_path/'map.tif')) == 1 and file_head(tmp_path/'map.tif').pages == 1


def test_what_a_package_could_read_names_it(tmp_path, monkeypatch):
    path = tiff(tmp_path/'a.tif', np.dstack([DEEP, DEEP[..., :1]]))
    (tmp_path/'c.heic').write_bytes(b'\0\0\0\x18ftypheic\0\0\0\0mif1heic'+bytes(99))
    for name in ('tifffile', 'pillow_heif'): monkeypatch.setitem(sys.modules, name, None) # as if they were not installed
    with pytest.raises(BadImage, match=r'a.tif is a TIFF of 4 x 16 bits.*pip install tifffile.*extra `formats`'): open_image(path)
    with pytest.raises(BadImage, match=r'c.heic is a HEIC photograph: `pip install pillow-heif`'): open_image(tmp_path/'c.heic')
    with pytest.raises(NeedsPackage): open_pillow(tmp_path/'c.heic')
    assert [*image_files(tmp_path)] == ['a', 'c'] # listed, so that nobody wonders where it went


def test_jpeg_2000_of_many_bits(tmp_path):
    Image.fromarray(DEEP[..., 0]).save(tmp_path/'grey.jp2')
    assert np.array_equal(read_bands(tmp_path/'grey.jp2')[0][..., 0], DEEP[..., 0]) and file_head(tmp_path/'grey.jp2').kind == 'uint16'
    Image.fromarray(IMG).save(tmp_path/'rgb.jp2')
    data = (tmp_path/'rgb.jp2').read_bytes()
    i = data.find(b'\xff\x4f\xff\x51')+42
    (tmp_path/'deep.jp2').write_bytes(data[:i]+bytes([11, 1, 1]*3)+data[i+9:]) # says 12 bits
    with pytest.raises(BadImage, match='deep.jp2 is a JPEG 2000 of 3 channels with more than 8 bits.*save it as TIFF'): open_image(tmp_path/'deep.jp2')


def test_a_pillow_image_that_lost_half_of_its_bits_is_refused(tmp_path):
    for path in (png16(tmp_path/'a.png', DEEP), tiff(tmp_path/'a.tif', DEEP)):
        with pytest.raises(BadImage, match='give its path'): open_image(Image.open(path))


# ---- how values become bytes

@pytest.mark.parametrize('end,a,scale', [
    ('png', DEEP, None), ('tif', DEEP, None), ('png', DEEP[..., 0], None), ('tif', DEEP[..., 0], None), ('npy', DEEP, None),
    ('png', IMG*np.uint16(257), (0, 65535)), ('tif', IMG*np.uint16(257), (0, 65535)), ('npy', IMG.astype(np.uint16), (0, 255)),
    ('tif', (IMG/255).astype(np.float32), (0, 1)), ('tif', IMG[..., 0]/255, (0, 1)), ('npy', (IMG/255).astype(np.float32)-3, None),
    ('tif', IMG.astype(np.float32), (0, 255)), ('tif', DEEP.astype(np.int16)-2000, None), ('npy', DEEP.astype(np.int32), None),
    ('npy', IMG.astype(int), (0, 255)), ('npy', (IMG/255).astype(np.float16), (0, 1))])
def test_a_data_set_of_many_bits_becomes_the_same_scene_in_bytes(tmp_path, end, a, scale):
    paths = [write(tmp_path/f'{i}.{end}', np.roll(a, i, 1)) for i in range(3)]
    code, notes = decide_photos(paths)
    assert scale is None or code.scale == scale
    img = decode_photo(paths[0], code)[0]
    want = IMG if a.ndim == 3 else IMG[..., :1].repeat(3, 2)
    assert img.dtype == np.uint8 and img.shape == IMG.shape and np.corrcoef(img.ravel(), want.ravel())[0, 1] > .99
    assert len(notes) == 1 and 'become 0 to 255' in notes[0] and f'{code.scale[0]:g} to {code.scale[1]:g}' in notes[0]
    if scale: assert np.abs(img.astype(int)-want).max() <= 1
    alone, lines = said_by(open_image, paths[0])
    assert len(lines) == 1 and np.abs(alone.astype(int)-img).mean() < 3


def test_values_are_rounded_and_cut(tmp_path):
    path = write(tmp_path/'a.png', np.arange(3000, dtype=np.uint16).reshape(30, 100))
    img = decode_photo(path, PhotoCode(scale=(1000, 2000)))[0][..., 0].ravel()
    assert np.array_equal(img, np.clip(np.rint((np.arange(3000)-1000)*.255), 0, 255))
    floats = write(tmp_path/'a.tif', np.linspace(-1, 2, 3000, dtype=np.float32).reshape(30, 100))
    assert np.abs(decode_photo(floats, PhotoCode(scale=(0, 1)))[0][..., 0].ravel().astype(int)-img).max() <= 1


def test_one_hot_pixel_does_not_make_the_rest_black(tmp_path):
    hot = DEEP.copy(); hot[0, 0] = 65535
    code, notes = decide_photos([write(tmp_path/'a.png', hot)])
    assert code.scale[1] < 4000 and '65535' in notes[0]
    assert decode_photo(tmp_path/'a.png', code)[0].std() > 20


def test_places_where_nothing_is_known_do_not_count(tmp_path):
    a = IMG[..., 0].astype(np.float32)*10; a[:20] = -9999
    code, notes = decide_photos([tiff(tmp_path/'a.tif', a)])
    assert code.scale[0] >= 0 and "'nothing known' (-9999) did not count" in notes[0]
    b = DEEP[..., 0].copy(); b[:20] = 0
    code, notes = decide_photos([tiff(tmp_path/'b.tif', b, extratags=[(42113, 's', 0, '0', True)])])
    assert code.scale[0] >= 500 and "(0) did not count" in notes[0]


def test_what_cannot_be_one_reading_is_refused_with_its_file(tmp_path):
    deep, flat = write(tmp_path/'deep.png', DEEP), write(tmp_path/'flat.png', IMG)
    with pytest.raises(BadImage, match='(deep|flat).png has (8|16) bits a channel, but (deep|flat).png has'): decide_photos([deep, flat])
    hole = IMG[..., 0].astype(np.float32); hole[3, 3] = np.nan
    with pytest.raises(BadImage, match='hole.tif has values that are no numbers'): decide_photos([write(tmp_path/'hole.tif', hole)])
    with pytest.raises(BadImage, match='hole.tif has values that are no numbers'): decode_photo(tmp_path/'hole.tif', PhotoCode(scale=(0, 255)))
    hole[3, 3] = np.inf
    with pytest.raises(BadImage, match='infinite'): decide_photos([write(tmp_path/'hole.tif', hole)])
    with pytest.raises(BadImage, match='flat.png has 3 bands, but band 4 is wanted'): decide_photos([flat], '1,4')
    with pytest.raises(BadImage, match='flat.png has 3 bands, but band 5 is wanted'): decode_photo(flat, PhotoCode((5,)))
    with pytest.raises(BadImage, match='4 bands, but others have 1'): decide_photos([tiff(tmp_path/'four.tif', FOUR, extrasamples=['unspecified']), write(tmp_path/'grey.png', IMG[..., 0])])
    with pytest.raises(BadImage, match='deep.png has 16 bits a channel: say which'): decode_photo(deep)
    for odd in ('red', '', (), (0, 1), '1,,2', 7, (1.5,), (True,)):
        with pytest.raises(PixsegError, match='bands are'): parse_bands(odd)


def test_bytes_need_no_decision(tmp_path):
    paths = [tmp_path/f'a.{end}' for end in ('png', 'jpg', 'bmp', 'webp', 'gif', 'tif', 'ppm', 'jp2', 'tga')]
    for p in paths: Image.fromarray(IMG).save(p)
    for mode in ('L', 'P', '1', 'CMYK'): paths.append(tmp_path/f'{mode}.tif'); Image.fromarray(IMG).convert(mode).save(paths[-1])
    Image.fromarray(IMG).convert('RGBA').save(tmp_path/'opaque.png')
    assert decide_photos([*paths, tmp_path/'opaque.png']) == (PhotoCode(), [])
    assert decide_photos(paths[:6], (1, 2, 3))[0] == PhotoCode()
    assert decide_photos([]) == (PhotoCode(), [])


def test_eight_bits_where_more_were_expected_are_told(tmp_path):
    img, lines = said_by(open_image, write(tmp_path/'a.png', IMG), PhotoCode(scale=(0, 4000)))
    assert np.array_equal(img, IMG) and 'has 8 bits, but values 0 to 4000 were expected' in lines[0]
    img, lines = said_by(open_image, write(tmp_path/'b.png', DEEP), PhotoCode()) # a network that knows bytes only
    assert img.std() > 20 and 'become 0 to 255' in lines[0]
    assert np.array_equal(open_image(DEEP, PhotoCode(scale=(500, 3560))), IMG) # an array in the file's own numbers


def test_scales_of_constant_photographs():
    for kind, v in (('uint16', 0.), ('uint16', 700.), ('float32', .5), ('float32', 0.)):
        low, high = photo_scale(kind, np.full(99, v), v, v)
        assert low < high


# ---- which bands

def test_more_bands_than_three_are_told_and_can_be_chosen(tmp_path):
    paths = [tiff(tmp_path/f'{i}.tif', np.roll(FOUR, i, 1), extrasamples=['unspecified']) for i in range(2)]
    code, notes = decide_photos(paths)
    assert code.bands == (1, 2, 3) and '4 bands: 1, 2, 3 are used' in notes[0] and np.array_equal(decode_photo(paths[0], code)[0], IMG)
    for asked, want in (('all', FOUR), ('4,3,2', FOUR[..., [3, 2, 1]]), ((1, 4), FOUR[..., [0, 3]]), ([2], FOUR[..., 1:2])):
        code, notes = decide_photos(paths, asked)
        assert code.channels == want.shape[2] and np.array_equal(decode_photo(paths[0], code)[0], want) and 'as asked' in notes[0]
    assert '4 bands: 1, 2, 3' in said_by(open_image, paths[0])[1][0]
    two = tiff(tmp_path/'two.tif', FOUR[..., :2], photometric='minisblack', planarconfig='contig')
    code, notes = decide_photos([two])
    assert code.bands == (1, 2) and 'both are used' in notes[0]


@pytest.mark.parametrize('end', ['tif', 'png'])
def test_infrared_that_calls_itself_alpha_is_told(tmp_path, end):
    paths = [write(tmp_path/f'a.{end}', FOUR) if end == 'png' else tiff(tmp_path/f'a.{end}', FOUR, extrasamples=['unassalpha'])]
    code, notes = decide_photos(paths)
    assert code == PhotoCode() and 'called alpha and left out' in notes[0]
    assert np.array_equal(decode_photo(paths[0], code)[0], IMG)
    assert np.array_equal(decode_photo(paths[0], decide_photos(paths, 'all')[0])[0], FOUR)


# ---- through training, into the model's card, and out again

def make_folder(root, photos, end, sizes=None):
    "A small data folder in SegNet's layout."
    for split, n in (('train', 4), ('val', 2)):
        for d in (split, f'{split}annot'): (root/d).mkdir(parents=True)
        for i in range(n):
            h, w = sizes[i % len(sizes)] if sizes else MASK.shape
            write(root/split/f'{i}{end}', np.ascontiguousarray(photos[:h, :w]))
            Image.fromarray(MASK[:h, :w]).save(root/f'{split}annot'/f'{i}.png')
    write_codes(CAMVID, root/'codes.txt')
    return root


@pytest.fixture
def four(tmp_path):
    "Loaders of 4 bands of 16 bits, and the pairs they come from."
    root = make_folder(tmp_path/'d', np.dstack([DEEP, DEEP[..., :1]]), '.npy')
    splits = [find_pairs(root, s) for s in ('train', 'val')]
    how = Reading(decide_photos([p.img for p in splits[0]], 'all')[0])
    splits = [[p._replace(how=how) for p in pairs] for pairs in splits]
    return make_dls(*(read_split(p, CAMVID, cache=False) for p in splits), bs=2, device='cpu'), splits


def test_four_bands_train_are_saved_and_predict(four, tmp_path):
    dls, (pairs, _) = four
    x, _ = dls.one_batch()
    assert x.shape == (2, 4, 48, 64) and dls.n_in == 4
    learn = seg_learner(dls, UNet(CAMVID.n, 4, width=4, depth=2))
    with learn.no_bar(), learn.no_logging(): learn.fit(1)
    assert seg_learner(dls).model.config['n_in'] == 4
    path = save_model(tmp_path/'m.safetensors', learn.model, CAMVID, dls.size)
    model = load_model(path)
    assert model.photo == pairs[0].how.photo and json.loads(json.dumps(read_card(path)['reading']))['photo']['bands'] == [1, 2, 3, 4]
    mask = predict_mask(model, pairs[0].img)
    assert mask.shape == (48, 64) and np.array_equal(mask, predict_mask(model, read_pair(pairs[0], TABLE)[0]))
    done, failed = predict_files(model, [pairs[0].img], tmp_path/'out', with_overlay=True)
    assert not failed and np.array_equal(np.asarray(Image.open(done[0])), mask)
    with pytest.raises(PixsegError, match='give one .4,H,W. tensor'): predict_mask(model, IMG)
    with pytest.raises(BadImage, match='has 3 bands, but band 4 is wanted'): predict_mask(model, write(tmp_path/'rgb.png', IMG))
    plain = [p._replace(how=Reading()) for p in pairs]
    assert read_as(plain, model.photo)[0].how.photo == model.photo and read_as(plain, None) is plain
    dls.show_batch(max_n=1) # the first three bands, and no complaint


def test_memory_store_and_files_give_the_same_bands(four, tmp_path):
    _, (pairs, _) = four
    ways = [read_split(pairs, CAMVID, cache=tmp_path/'s'), read_split(pairs, CAMVID, cache=tmp_path/'s'), read_split(pairs, CAMVID, cache=False),
            read_split(pairs, CAMVID, cache=False, memory=0)]
    want = next(ways[0].batches([[2, 0]]))
    for data in ways: assert all(torch.equal(a, b) for a, b in zip(want, next(data.batches([[2, 0]]))))
    assert read_frames(pairs, TABLE, (24, 32), cache=False)[0].shape == (4, 24, 32, 4)
    assert store_name(pairs, TABLE, None) != store_name([p._replace(how=Reading()) for p in pairs], TABLE, None)


def test_a_card_with_a_strange_reading_is_refused(tmp_path):
    model = UNet(CAMVID.n, 4, width=4, depth=2)
    for odd in (3, dict(photo=dict(bands=['a'])), dict(photo=dict(scale=[2, 1])), dict(photo=dict(colour=1))):
        path = save_model(tmp_path/'m.safetensors', model, CAMVID, reading=odd)
        with pytest.raises(PixsegError, match="as 'reading'"): load_model(path)


def test_floats_and_channels():
    for c in (1, 2, 3, 4, 8):
        x = torch.randint(0, 256, (2, c, 6, 5), dtype=torch.uint8)
        mean, std = ([o[i % 3] for i in range(c)] for o in ((.1, .2, .3), (.5, .6, .7)))
        want = (x.float()/255-torch.tensor(mean)[:, None, None])/torch.tensor(std)[:, None, None]
        assert torch.allclose(ToInput(mean=(.1, .2, .3), std=(.5, .6, .7)).to_floats(x), want, atol=1e-5)
        assert ToInput(.2, .15).to_floats(x).shape == x.shape
        img = x[0].permute(1, 2, 0).numpy()
        assert as_rgb(img).shape == (6, 5, 3) and as_rgb(x[0]).shape == (3, 6, 5) and resize_photo(img, (3, 4)).shape == (3, 4, c)


@pytest.mark.parametrize('n', [1, 4, 8])
def test_a_pretrained_encoder_is_widened(n):
    three, wide = EncoderUNet(2), EncoderUNet(2, n_in=n)
    a, b = (next(m.encoder.parameters()) for m in (three, wide))
    assert b.shape[1] == n and (torch.allclose(b[:, 0], a.sum(1), atol=1e-5) if n == 1 else torch.allclose(b[:, 3]*n/3, a[:, 0], atol=1e-5))
    assert wide(torch.zeros(1, n, 64, 64)).shape == (1, 2, 64, 64)


# ---- photographs of several sizes

def test_frames_of_several_sizes_are_learned_from_as_they_are(tmp_path):
    root = make_folder(tmp_path/'d', IMG, '.png', [(48, 64), (40, 50), (48, 40)])
    dls, lines = said_by(seg_dls, root, bs=2, device='cpu')
    assert dls.size is None and isinstance(dls.train.dataset, MixedData) and isinstance(dls.train.dataset.imgs, FrameList)
    assert len(lines) == 1 and 'photographs of 3 sizes' in lines[0] and 'judged at their own size' in lines[0]
    shapes = {tuple(x.shape[-2:]) for x, _ in dls.train}
    assert len(shapes) == 1 and [tuple(x.shape[-2:]) for x, _ in dls.valid] == [(48, 64), (40, 50)]
    assert set(frame_sizes(find_pairs(root))) == {(48, 64), (40, 50), (48, 40)}
    first = [x.clone() for x, _ in seg_dls(root, bs=2, device='cpu').train]
    again = [x for x, _ in seg_dls(root, bs=2, device='cpu', cache=False, memory=0).train]
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    with pytest.raises(PixsegError, match='photographs of 3 sizes.*give one size for all'): seg_dls(root, bs=2, augment=False, device='cpu')
    assert [tuple(x.shape[-2:]) for x, _ in seg_dls(root, bs=1, augment=False, device='cpu').train]
    assert seg_dls(root, size=(40, 48), bs=2, device='cpu').size == (40, 48)


@pytest.mark.parametrize('form', [np.asarray, Image.fromarray])
def test_arrays_of_several_sizes_from_memory(form):
    scenes = [draw_street(i, (48, 64) if i % 2 else (56, 40)) for i in range(10)]
    dls = seg_dls(([form(a) for a, _ in scenes], [form(b) for _, b in scenes]), bs=2, device='cpu', labels=CAMVID)
    assert dls.size is None and {tuple(o.shape[1:]) for o in dls.train.dataset.imgs} == {(48, 64), (56, 40)}


def test_a_run_on_frames_of_several_sizes(tmp_path):
    root = make_folder(tmp_path/'d', IMG, '.png', [(48, 64), (40, 50)])
    done = train_run(root, tmp_path/'run', epochs=1, width=4, depth=2, progress=False, say=lambda _: None, device='cpu')
    assert len(done['rows']) == 1 and (tmp_path/'run'/'predictions.png').is_file()
    assert json.loads((tmp_path/'run'/'config.json').read_text())['size'] is None
    model = load_model(tmp_path/'run'/'model.safetensors')
    assert model.size is None and predict_mask(model, IMG[:40, :50]).shape == (40, 50)
    again = train_run(root, tmp_path/'run', resume=True, epochs=2, progress=False, say=lambda _: None)
    assert len(again['rows']) == 2


def test_masks_as_arrays_with_an_axis_too_many_and_of_64_bits(tmp_path):
    for name, a in (('a.npy', MASK[..., None]), ('b.npy', MASK[None])):
        np.save(tmp_path/name, a)
        assert np.array_equal(np.asarray(decode_upright(tmp_path/name)[0]), MASK)
    tifffile = pytest.importorskip('tifffile')
    tifffile.imwrite(tmp_path/'c.tif', MASK.astype(np.int64))
    assert np.array_equal(np.asarray(decode_upright(tmp_path/'c.tif')[0]), MASK)
    (tmp_path/'d.tif').write_bytes(b'nothing')
    with pytest.raises(BadImage, match='d.tif'): open_image(tmp_path/'d.tif')
    Image.fromarray(np.where(MASK == 1, np.nan, MASK).astype(np.float32)).save(tmp_path/'e.tif')
    with pytest.raises(BadImage, match='e.tif has .* pixels that are no number .nan.: write 255 there'): decode_mask(tmp_path/'e.tif')
