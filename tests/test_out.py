"Results in other forms: sub-folders, pages, places on earth, polygons, probabilities, tables, films, graphs for any size."
import csv
import errno
import json
import os
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin
from torch import nn

from pixseg import cli
from pixseg.io import export
from pixseg.io.export import export_onnx
from pixseg.io.files import find_images, folders_below, PixsegWarning
from pixseg.io.geo import GEO_TAGS, Place, find_place, save_tiff
from pixseg.io.images import BadImage
from pixseg.io.video import is_video, look_at_film, read_frames, write_film
from pixseg.labels import Labels, PixsegError
from pixseg.modelfile import make_card, save_model
from pixseg.predict import predict_mask, predict_tiled
from pixseg.run.predict import POLYGONS, predict_files
from pixseg.run.results import MARK, is_prediction, join_coco, save_json, save_overlay, save_picture, save_probs, save_table, share_row
from pixseg.calibration import predict_probs
from pixseg.unet import UNet

LABELS = Labels(('sky', 'road', 'car', 'void'), void=3)
UTM = Place(((33550, 12, (.5, .25, 0.)), (33922, 12, (0., 0., 0., 400123.456789, 5000000.125, 0.)),
             (34735, 3, (1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 32633, 3076, 0, 1, 9001)), (34737, 2, 'WGS 84 / UTM zone 33N|')))


def tiny():
    torch.manual_seed(1)
    net = UNet(LABELS.n, width=4, depth=2)
    net.labels,net.size,net.card = LABELS,(24, 32),make_card(net, LABELS, (24, 32))
    return net.eval()


@pytest.fixture(scope='module')
def model(): return tiny()


def drawn(seed=0, size=(24, 32)):
    return np.asarray(Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)).resize(size[::-1]))


def photo(path, seed=0, size=(24, 32), **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawn(seed, size)).save(path, **kwargs)
    return path


def geo_photo(path, place=UTM, seed=0, **more):
    "A GeoTIFF, written by Pillow with the tags of a place."
    ifd = TiffImagePlugin.ImageFileDirectory_v2()
    for n,kind,value in place.tags: ifd.tagtype[n],ifd[n] = kind,value
    for n,(kind,value) in more.pop('tags', {}).items(): ifd.tagtype[n],ifd[n] = kind,value
    return photo(path, seed, tiffinfo=ifd, **more)


def ids(path):
    with Image.open(path) as im: return np.asarray(im)


def bytes_of(folder): return {p.relative_to(folder).as_posix():p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def quietly(*args, **kwargs):
    "`predict_files`, with what it told in place of a warning."
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        return *predict_files(*args, **kwargs),[str(o.message) for o in said if issubclass(o.category, PixsegWarning)]


def names(written, out): return [p.relative_to(out).as_posix() for p in written]


# ---- folders in folders

def test_folders_keep_their_folders(model, tmp_path):
    root,out = tmp_path/'in',tmp_path/'out'
    for i,name in enumerate(('a.jpg', 'day/img0.jpg', 'day/img0.png', 'night/img0.jpg', 'night/deep/x.y.jpg', 'Day/IMG0.bmp', '.hidden/z.jpg')): photo(root/name, i)
    before = bytes_of(root)
    written,failed,_ = quietly(model, [root], out, with_overlay=True)
    assert not failed and len(written) == 6 and all(map(is_prediction, written))
    assert {'a.png', 'night/img0.png', 'night/deep/x.y.png'} <= set(names(written, out))
    assert len({o.casefold() for o in names(written, out)}) == 6 # also where A and a are one folder
    assert sum(p.name.endswith('_overlay.jpg') for p in out.rglob('*')) == 6
    for p in written:
        if 'night' in p.parts: np.testing.assert_array_equal(ids(p), predict_mask(model, root/p.relative_to(out).with_suffix('.jpg')))
    assert bytes_of(root) == before


def test_results_among_the_photographs_are_none(model, tmp_path):
    photo(tmp_path/'day'/'a.jpg'); photo(tmp_path/'b.jpg', 1)
    kinds = dict(with_overlay=True, probabilities=True, polygons='labelme', table=tmp_path/'masks'/'t.csv', binary='road')
    first = quietly(model, [tmp_path], tmp_path/'masks', **kinds)
    before = bytes_of(tmp_path)
    written,failed,told = quietly(model, [tmp_path], tmp_path/'masks', **kinds)
    assert (written, failed) == (first[0], []) and bytes_of(tmp_path).keys() == before.keys()
    assert any('4 of 6 files predicted earlier' in o for o in told) and any('9 files of an earlier prediction' in o for o in told)


def test_two_folders_and_a_file(model, tmp_path, monkeypatch):
    for d in 'ab': photo(tmp_path/d/'x.jpg', ord(d)); photo(tmp_path/d/'in'/'x.jpg', ord(d)+9)
    monkeypatch.chdir(tmp_path)
    written,failed,_ = quietly(model, ['a', 'b', 'a/in/x.jpg'], tmp_path/'out')
    assert names(written, tmp_path/'out') == ['x.png', 'in/x.png', 'x-1.png', 'in/x-1.png'] and not failed
    written,_,_ = quietly(model, ['.'], tmp_path/'all')
    assert names(written, tmp_path/'all') == ['a/x.png', 'a/in/x.png', 'b/x.png', 'b/in/x.png']


def test_a_circle_of_links_ends(tmp_path):
    photo(tmp_path/'a'/'x.jpg')
    (tmp_path/'a'/'up').symlink_to(tmp_path)
    assert [p.name for p in find_images([tmp_path], below=True)] == ['x.jpg']
    assert folders_below(tmp_path) == [tmp_path, tmp_path/'a']


# ---- what may be written over

def one_of_each(folder):
    "A file of every kind that is written, with its path."
    mask,probs = np.zeros((4, 6), np.uint8),np.full((3, 4, 6), 1/3, np.float32)
    yield save_picture(mask, LABELS, folder/'a.png')
    yield save_picture(mask, LABELS, folder/'b.png', binary=1)
    yield save_picture(mask, LABELS, folder/'a.tif', UTM)
    yield save_overlay(np.zeros((4, 6, 3), np.uint8), folder/'a_overlay.jpg')
    yield save_probs(probs, LABELS, folder/'a.npz')
    yield save_json(dict(shapes=[dict(points=((1, 2.5),))], version='ä'), folder/'a.json')
    yield save_json(dict(type='FeatureCollection', features=[]), folder/'a.geojson')
    yield save_table([share_row('ä "x", y\n.jpg', mask, LABELS)]*2, folder/'a.csv')


def test_every_kind_is_known_again_until_somebody_changes_it(tmp_path):
    files = list(one_of_each(tmp_path))
    assert all(map(is_prediction, files)) and not [p for p in tmp_path.iterdir() if p not in files]
    for p in files: p.rename(tmp_path/f'moved{p.name}')
    assert all(map(is_prediction, tmp_path.iterdir()))
    for p in list(tmp_path.iterdir()):
        if p.suffix in ('.json', '.geojson'):
            d = json.loads(p.read_text(encoding='utf-8'))
            p.write_text(json.dumps({**d, 'flags':{}})) # as an annotation program keeps what it does not know
        elif p.suffix == '.csv': p.write_text(p.read_text(encoding='utf-8').replace('24', '25', 1), encoding='utf-8')
        elif p.suffix == '.npz': np.savez(p, probabilities=np.zeros(3))
        else:
            with Image.open(p) as im: im.copy().save(p)
        assert not is_prediction(p), p


@pytest.mark.parametrize('name', ['a.json', 'a.geojson', 'a.csv', 'a.npz', 'a.png', 'a.tif', 'a.jpg', 'a.mp4', 'a.txt'])
@pytest.mark.parametrize('content', [b'', b'{}', b'[1]', b'null', b'a,b\n1,2\n', b'generator\npixseg predict\n', b'{"generator": "pixseg predict"}'])
def test_what_others_wrote_is_no_prediction(tmp_path, name, content):
    (tmp_path/name).write_bytes(content)
    assert not is_prediction(tmp_path/name)


@pytest.mark.parametrize('kind,taken', [(dict(polygons='coco'), 'annotations.coco.json'), (dict(polygons='labelme'), 'day/b.json'), (dict(polygons='geojson'), 'day/b.geojson'),
                                        (dict(probabilities=True), 'day/b_probabilities.npz'), (dict(table='T'), 't.csv'), (dict(), 'day/b.png')])
def test_no_kind_of_result_is_written_over_anything_else(model, tmp_path, kind, taken):
    photo(tmp_path/'in'/'a.jpg'); photo(tmp_path/'in'/'day'/'b.jpg', 1)
    out = tmp_path/'out'
    (out/taken).parent.mkdir(parents=True)
    (out/taken).write_text('mine')
    if 'table' in kind: kind['table'] = out/'t.csv'
    before = bytes_of(tmp_path)
    with pytest.raises(PixsegError, match='is there already and no earlier prediction') as e: predict_files(model, [tmp_path/'in'], out, **kind)
    assert Path(taken).name in str(e.value) and bytes_of(tmp_path) == before


# ---- what is asked for

@pytest.mark.parametrize('wrong,words', [(dict(binary='roof'), "no class 'roof'.*choose from sky, road, car$"), (dict(binary='void'), 'choose from'),
    (dict(polygons='yolo'), 'choose from coco, geojson, labelme'), (dict(table='x.xlsx'), r'ends in \.csv'), (dict(smooth=1), 'from 0 up to 1'), (dict(smooth=-.1), 'from 0 up'),
    (dict(smooth='much'), 'from 0 up'), (dict(tolerance=-1), 'number of pixels'), (dict(tolerance=float('nan')), 'number of pixels')])
def test_wishes_that_mean_nothing(model, tmp_path, wrong, words):
    with pytest.raises(PixsegError, match=words) as e: predict_files(model, [photo(tmp_path/'a.jpg')], tmp_path/'out', **wrong)
    assert '\n' not in str(e.value) and not (tmp_path/'out').exists()


def test_smooth_without_a_film_is_told(model, tmp_path):
    _,_,told = quietly(model, [photo(tmp_path/'a.jpg')], tmp_path/'out', smooth=.5)
    assert any('is for films' in o for o in told)


def test_black_and_white(model, tmp_path):
    f = photo(tmp_path/'a.jpg', 3)
    for name in ('road', 'Road'):
        written,_,_ = quietly(model, [f], tmp_path/name, binary=name)
        np.testing.assert_array_equal(ids(written[0]), np.where(predict_mask(model, f) == 1, 255, 0))
        with Image.open(written[0]) as im: assert im.mode == 'L'


@pytest.mark.parametrize('tile', [False, True])
def test_probabilities_are_those_of_the_mask(model, tmp_path, tile):
    f = photo(tmp_path/'a.jpg', 2, (50, 70))
    written,_,_ = quietly(model, [f], tmp_path/'out', probabilities=True, tile=tile)
    with np.load(tmp_path/'out'/'a_probabilities.npz') as z: probs,classes = z['probabilities'],z['classes']
    assert classes.tolist() == ['sky', 'road', 'car'] and probs.shape == (3, 50, 70) and probs.dtype == np.float16
    mask = predict_mask(model, f, tile=tile)
    np.testing.assert_array_equal(ids(written[0]), mask)
    assert (np.take_along_axis(probs, mask[None].astype(int), 0)[0] >= probs.max(0)).all() and np.abs(probs.sum(0, dtype=np.float32)-1).max() < .01
    whole = predict_tiled(model, f, predict=predict_probs) if tile else predict_probs(model, [drawn(2, (50, 70))])[0].numpy()
    if tile: np.testing.assert_allclose(probs, whole, atol=1e-3)
    assert whole.shape == probs.shape and whole.dtype == np.float32


def test_a_table_has_a_row_for_each_mask(model, tmp_path):
    photo(tmp_path/'in'/'a.jpg'); photo(tmp_path/'in'/'day'/'b.jpg', 1, (30, 40)); geo_photo(tmp_path/'in'/'c.tif'); (tmp_path/'in'/'broken.jpg').write_text('x')
    written,failed,_ = quietly(model, [tmp_path/'in'], tmp_path/'out', table=tmp_path/'new'/'t.csv')
    assert len(written) == 3 and len(failed) == 1
    with open(tmp_path/'new'/'t.csv', newline='', encoding='utf-8') as f: rows = list(csv.DictReader(f))
    assert [(r['photograph'], r['pixels'], r['m2_per_pixel']) for r in rows] == [('a.jpg', '768', ''), ('c.tif', '768', '0.125'), ('day/b.jpg', '1200', '')]
    for r,p in zip(rows, written): assert [float(r[f'share of {o}']) for o in LABELS.classes] == [round(float((ids(p) == i).mean()), 6) for i in range(3)]


def test_a_table_that_cannot_be_written_is_a_line(model, tmp_path, monkeypatch):
    from pixseg.run import predict as run_predict
    def full(*args): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(run_predict, 'save_table', full)
    written,failed,_ = quietly(model, [photo(tmp_path/'a.jpg')], tmp_path/'out', table=tmp_path/'t.csv')
    assert len(written) == 1 and len(failed) == 1 and 't.csv cannot be written (No space left on device)' in failed[0]


# ---- polygons

def test_coco_of_a_whole_run(model, tmp_path):
    for i,name in enumerate(('a.jpg', 'day/a.jpg', 'day/b.jpg')): photo(tmp_path/'in'/name, i)
    written,_,_ = quietly(model, [tmp_path/'in'], tmp_path/'out', polygons='coco')
    d = json.loads((tmp_path/'out'/'annotations.coco.json').read_text())
    assert [o['file_name'] for o in d['images']] == ['a.jpg', 'day/a.jpg', 'day/b.jpg'] and {o['name'] for o in d['categories']} >= {'sky', 'road', 'car'}
    assert len({o['id'] for o in d['annotations']}) == len(d['annotations']) and d['generator'].startswith(MARK)
    number = {o['name']:o['id'] for o in d['categories']}
    for im,p in zip(d['images'], written):
        for i,name in enumerate(LABELS.classes):
            found = [a for a in d['annotations'] if a['image_id'] == im['id'] and a['category_id'] == number[name]]
            assert sum(a['area'] for a in found) == (ids(p) == i).sum()
    assert join_coco([d])['annotations'] == d['annotations']


def test_names_in_coco_do_not_meet(model, tmp_path):
    for d in 'ab': photo(tmp_path/d/'x.jpg', ord(d))
    quietly(model, [tmp_path/'a', tmp_path/'b'], tmp_path/'out', polygons='coco')
    d = json.loads((tmp_path/'out'/'annotations.coco.json').read_text())
    assert len({o['file_name'] for o in d['images']}) == 2


@pytest.mark.parametrize('kind', POLYGONS)
def test_polygons_with_fewer_corners(model, tmp_path, kind):
    f = photo(tmp_path/'a.jpg', 4, (60, 80))
    sizes = [(quietly(model, [f], tmp_path/str(t), polygons=kind, tolerance=t), sum(p.stat().st_size for p in (tmp_path/str(t)).glob('*json')))[1] for t in (0, 2.)]
    assert sizes[1] < sizes[0]


def test_geojson_is_in_the_map_s_coordinates(model, tmp_path):
    f = geo_photo(tmp_path/'a.tif'); photo(tmp_path/'b.jpg')
    _,_,told = quietly(model, [f, tmp_path/'b.jpg'], tmp_path/'out', polygons='geojson')
    d = json.loads((tmp_path/'out'/'a.geojson').read_text())
    xy = np.concatenate([np.array(r) for o in d['features'] for r in o['geometry']['coordinates']])
    np.testing.assert_allclose([*xy.min(0), *xy.max(0)], [400123.456789, 5000000.125-24*.25, 400123.456789+32*.5, 5000000.125])
    assert '32633' in json.dumps(d['crs']) and any('EPSG:32633' in o for o in told) and any('in pixels' in o for o in told)
    plain = json.loads((tmp_path/'out'/'b.geojson').read_text())
    xy = np.concatenate([np.array(r) for o in plain['features'] for r in o['geometry']['coordinates']])
    assert [*xy.min(0), *xy.max(0)] == [0, 0, 32, 24] and 'crs' not in plain


def test_labelme_names_the_photograph(model, tmp_path):
    photo(tmp_path/'in'/'day'/'a.jpg')
    quietly(model, [tmp_path/'in'], tmp_path/'out', polygons='labelme')
    d = json.loads((tmp_path/'out'/'day'/'a.json').read_text())
    assert (tmp_path/'out'/'day'/d['imagePath']).resolve() == (tmp_path/'in'/'day'/'a.jpg').resolve() and d['shapes']
    assert (d['imageHeight'], d['imageWidth']) == (24, 32)


# ---- places on earth

@pytest.mark.parametrize('binary', [None, 'road'])
def test_a_geotiff_gives_a_geotiff(model, tmp_path, binary):
    f = geo_photo(tmp_path/'a.tif', tags={42113:(2, '0'), 42112:(2, '<GDALMetadata/>')})
    written,failed,_ = quietly(model, [f], tmp_path/'out', binary=binary)
    assert names(written, tmp_path/'out') == ['a.tif'] and not failed and is_prediction(written[0])
    assert find_place(written[0]) == find_place(f) == UTM
    with Image.open(written[0]) as im:
        assert 42113 not in im.tag_v2 and im.mode == ('P' if binary is None else 'L') # 0 is a class, not nothing
        if binary is None: np.testing.assert_array_equal(np.array(im.getpalette()[:9]).reshape(3, 3), LABELS.colors[:3])
    mask = predict_mask(model, f)
    np.testing.assert_array_equal(ids(written[0]), mask if binary is None else 255*(mask == 1))
    assert not is_prediction(f)


def test_in_its_own_folder_a_geotiff_is_not_written_over(model, tmp_path):
    f = geo_photo(tmp_path/'a.tif')
    before = bytes_of(tmp_path)
    with pytest.raises(PixsegError, match=r'a\.tif is there already'): predict_files(model, [f], tmp_path)
    assert bytes_of(tmp_path) == before


def test_places_that_are_none(model, tmp_path):
    photo(tmp_path/'plain.tif')
    geo_photo(tmp_path/'turned.tif', tags={274:(3, 6)}) # its tags count the rows as they are stored
    geo_photo(tmp_path/'keys.tif', Place((UTM.tags[2],)))
    (tmp_path/'cut.tif').write_bytes((tmp_path/'turned.tif').read_bytes()[:40])
    for p in tmp_path.iterdir(): assert find_place(p) is None, p
    assert find_place(tmp_path/'nowhere') is None and find_place(geo_photo(tmp_path/'a.tif'), page=1) is None


def test_a_place_that_pillow_cannot_open(tmp_path):
    im = Image.fromarray(np.zeros((4, 6), np.uint16))
    ifd = TiffImagePlugin.ImageFileDirectory_v2()
    for n,kind,value in UTM.tags: ifd.tagtype[n],ifd[n] = kind,value
    im.save(tmp_path/'deep.tif', tiffinfo=ifd); im.save(tmp_path/'big.tif', tiffinfo=ifd, big_tiff=True)
    assert [find_place(tmp_path/o) for o in ('deep.tif', 'big.tif')] == [UTM]*2


def test_six_numbers():
    turned = Place(((34264, 12, (0., 2., 0., 10., -2., 0., 0., 20., *[0.]*8)), (34735, 3, (1, 1, 0, 1, 1025, 0, 1, 2))))
    assert turned.affine == (0, 2, 9, -2, 0, 21) # the centre of the first pixel lies at 10, 20
    moved = Place(((33550, 12, (2., 2., 0.)), (33922, 12, (3., 1., 0., 100., 50., 0.))))
    assert moved.affine == (2, 0, 94, 0, -2, 52) and moved.epsg is None and moved.pixel_area is None
    points = Place(((33922, 12, (0.,)*24),))
    assert points.affine is None and UTM.key(1024) == 1 and UTM.key(9) is None and UTM.tag(34264) == () and set(UTM.tag(33550)) and len(GEO_TAGS) == 7
    assert Place(((33550, 12, (2., 2., 0.)), (33922, 12, (0.,)*6), (34735, 3, (1, 1, 0, 1, 2048, 0, 1, 4326)))).epsg == 4326


def test_a_tiff_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(self, fp, *args, **kwargs): Path(fp).write_bytes(b'half'); raise OSError(errno.ENOSPC, 'full')
    monkeypatch.setattr(Image.Image, 'save', fail)
    with pytest.raises(OSError): save_tiff(Image.new('L', (4, 4)), tmp_path/'a.tif', UTM)
    assert not list(tmp_path.iterdir())


# ---- pages

def stack(path, n, kind='TIFF', **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    pages = [Image.fromarray(drawn(i)) for i in range(n)]
    pages[0].save(path, kind, save_all=True, append_images=pages[1:], **kwargs)
    return path


def test_a_mask_for_each_page(model, tmp_path):
    stack(tmp_path/'in'/'s.tif', 11); photo(tmp_path/'in'/'s_p01.jpg', 99)
    written,failed,_ = quietly(model, [tmp_path/'in'], tmp_path/'out', table=tmp_path/'t.csv', polygons='coco')
    assert len(set(written)) == 12 and not failed and 's_p11.png' in names(written, tmp_path/'out')
    for i in range(1, 11): np.testing.assert_array_equal(ids(tmp_path/'out'/f's_p{i+1:02}.png'), predict_mask(model, drawn(i)))
    with open(tmp_path/'t.csv', newline='') as f: assert [r['page'] for r in csv.DictReader(f)] == [*map(str, range(1, 12)), '']
    assert [o.get('page') for o in json.loads((tmp_path/'out'/'annotations.coco.json').read_text())['images']] == [*range(1, 12), None]


def test_an_animation_is_pages_and_one_page_is_a_photograph(model, tmp_path):
    stack(tmp_path/'in'/'g.gif', 3, 'GIF'); stack(tmp_path/'in'/'one.tif', 1)
    written,failed,_ = quietly(model, [tmp_path/'in'], tmp_path/'out')
    assert names(written, tmp_path/'out') == ['g_p1.png', 'g_p2.png', 'g_p3.png', 'one.png'] and not failed


# ---- films

def film(path, n=5, size=(24, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_film(path, Fraction(10)) as add:
        for i in range(n): add(drawn(i, size))
    return path


def test_a_mask_for_each_frame(model, tmp_path):
    pytest.importorskip('av')
    clip = film(tmp_path/'clip.mp4')
    written,failed,_ = quietly(model, [clip, photo(tmp_path/'a.jpg')], tmp_path/'out', table=tmp_path/'t.csv')
    assert names(written, tmp_path/'out') == [*(f'clip/{i:06}.png' for i in range(1, 6)), 'a.png'] and not failed
    assert look_at_film(tmp_path/'out'/'clip_overlay.mp4') == (10, 5) and is_prediction(tmp_path/'out'/'clip_overlay.mp4') and not is_prediction(clip)
    for p,img in zip(written, read_frames(clip)): np.testing.assert_array_equal(ids(p), predict_mask(model, img))
    _,_,told = quietly(model, [clip], tmp_path/'out')
    assert any('6 files of an earlier prediction' in o for o in told)


def test_a_smoothed_film_is_an_average_over_time(model, tmp_path):
    pytest.importorskip('av')
    clip = film(tmp_path/'clip.mp4')
    written,_,_ = quietly(model, [clip], tmp_path/'out', smooth=.75)
    before = None
    for p,img in zip(written, read_frames(clip)):
        now = predict_probs(model, [img])[0].numpy()
        before = now if before is None else .75*before+.25*now
        assert (ids(p) == before.argmax(0)).mean() > .99


def test_films_that_are_none(model, tmp_path):
    pytest.importorskip('av')
    (tmp_path/'broken.mp4').write_bytes(b'not a film'); (tmp_path/'cut.mp4').write_bytes(film(tmp_path/'clip.mp4').read_bytes()[:300])
    written,failed,_ = quietly(model, [tmp_path/'broken.mp4', photo(tmp_path/'a.jpg'), tmp_path/'cut.mp4'], tmp_path/'out')
    assert [p.name for p in written] == ['a.png'] and len(failed) == 2 and all('cannot be read as a film' in o for o in failed)
    assert [p.name for p in (tmp_path/'out').iterdir()] == ['a.png']
    with pytest.raises(BadImage, match='cannot be read as a film'): list(read_frames(tmp_path/'broken.mp4'))
    with pytest.raises(PixsegError, match='give one size'):
        with write_film(tmp_path/'two.mp4', Fraction(5)) as add: add(drawn(0)); add(drawn(0, (48, 64)))
    assert not (tmp_path/'two.mp4').exists()


def test_frames_are_written_over_nothing_else(model, tmp_path):
    pytest.importorskip('av')
    clip = film(tmp_path/'in'/'clip.mp4')
    photo(tmp_path/'out'/'clip'/'000003.png')
    before = bytes_of(tmp_path)
    with pytest.raises(PixsegError, match=r'000003\.png is there already'): predict_files(model, [clip], tmp_path/'out')
    assert bytes_of(tmp_path) == before
    photo(tmp_path/'in'/'clip'/'000001.jpg')
    with pytest.raises(PixsegError, match='would meet'): predict_files(model, [clip, tmp_path/'in'], tmp_path/'new')
    assert not (tmp_path/'new').exists()


def test_what_all_frames_have_in_common_is_said_once(model, tmp_path):
    pytest.importorskip('av')
    deep = UNet(3, width=2, depth=5).eval()
    deep.labels,deep.size,deep.card = LABELS,None,make_card(deep, LABELS)
    written,failed,_ = quietly(deep, [film(tmp_path/'clip.mp4')], tmp_path/'out')
    assert not written and len(failed) == 1 and 'clip.mp4' in failed[0] and '24x32' in failed[0]


def test_a_film_that_cannot_be_drawn_is_a_line(model, tmp_path, monkeypatch):
    pytest.importorskip('av')
    from pixseg.run import predict as run_predict
    clip,calls = film(tmp_path/'clip.mp4'),[]
    def bad(*args, **kwargs): calls.append(1); raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(run_predict, 'draw_overlay', bad)
    written,failed,_ = quietly(model, [clip], tmp_path/'out')
    assert len(written) == 5 and len(failed) == len(calls) == 1 and 'clip_overlay.mp4 cannot be written (No space left' in failed[0]
    assert [p.name for p in (tmp_path/'out').iterdir()] == ['clip']


def test_without_pyav(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'av', None)
    (tmp_path/'clip.MP4').write_bytes(b'')
    assert is_video(tmp_path/'clip.MP4')
    with pytest.raises(PixsegError, match=r"pip install 'pixseg\[video\]'"): predict_files(model, [tmp_path/'clip.MP4'], tmp_path/'out')
    assert not (tmp_path/'out').exists()


# ---- a graph for any size

@pytest.mark.parametrize('config', [dict(depth=2), dict(depth=1, fold=3, up='bilinear', norm='none')], ids=str)
def test_onnx_for_any_size(tmp_path, config):
    ort = pytest.importorskip('onnxruntime')
    torch.manual_seed(0)
    net = UNet(3, width=4, **config).eval()
    net.card = make_card(net, LABELS)
    session = ort.InferenceSession(export_onnx(net, tmp_path/'any.onnx', size='any'))
    low = net.min_size
    for size in ((1, low, low), (1, low+1, 2*low-1), (3, 96, 128), (2, 97, 131), (1, 131, 67), (1, 50, 50)):
        x = torch.randn(size[0], 3, *size[1:])
        with torch.no_grad(): ours = net(x).numpy()
        np.testing.assert_allclose(session.run(None, dict(image=x.numpy()))[0], ours, atol=1e-4)


def test_sides_that_are_left_open(tmp_path):
    timm = pytest.importorskip('timm')
    from timm.layers.conv2d_same import Conv2dSame
    assert timm
    for k,s,d in ((3, 2, 1), (5, 2, 1), (3, 1, 2), (3, 2, 2), (1, 2, 1), (2, 3, 1)):
        net = nn.Sequential(Conv2dSame(2, 4, k, s, dilation=d))
        x = [torch.randn(1, 2, h, w) for h in range(3, 12) for w in (4, 9, 16)]
        want = [net(o) for o in x]
        net = export._open_sides(net)
        assert not any(isinstance(o, Conv2dSame) for o in net.modules())
        for o,y in zip(x, want): torch.testing.assert_close(net(o), y)


@pytest.mark.parametrize('size,words', [('large', "or 'any'"), ((2, 64), 'at least 4 pixels')])
def test_sizes_that_mean_nothing(tmp_path, size, words):
    with pytest.raises(PixsegError, match=words): export_onnx(tiny(), tmp_path/'a.onnx', size=size)
    paper = UNet(3, width=4, depth=2, padding='valid').eval()
    paper.card = make_card(paper, LABELS)
    with pytest.raises(PixsegError, match="padding='valid' takes few sizes"): export_onnx(paper, tmp_path/'a.onnx', size='any')
    assert not list(tmp_path.iterdir())


# ---- from a shell

def test_all_of_it_from_a_shell(tmp_path, capsys):
    save_model(tmp_path/'m.safetensors', tiny(), LABELS, (24, 32))
    photo(tmp_path/'in'/'day'/'a.jpg')
    run = lambda *argv: cli.main(['predict', str(tmp_path/'m.safetensors'), str(tmp_path/'in'), '--device', 'cpu', '--out', *map(str, argv)])
    out = tmp_path/'out'
    assert run(out, '--polygons', 'geojson', '--tolerance', '1', '--probabilities', '--binary', 'car', '--table', out/'t.csv', '--overlay') == 0
    assert sorted(bytes_of(out)) == [*(f'day/{o}' for o in ('a.geojson', 'a.png', 'a_overlay.jpg', 'a_probabilities.npz')), 't.csv']
    assert run(out, '--binary', 'roof') == 1
    assert '--binary' in (err := capsys.readouterr().err) and 'sky, road, car' in err
    assert run(out, '--smooth', '2') == 1 and '--smooth is 2' in capsys.readouterr().err
    (tmp_path/'clip.mp4').touch()
    assert cli.split_model([str(tmp_path/'clip.mp4')]) == (None, [str(tmp_path/'clip.mp4')])
    parse = lambda *argv: cli.build_parser().parse_args(['export', 'm', '--onnx', 'x.onnx', *argv]).sides
    assert [parse(), parse('--size', 'any'), parse('--size', '48x64')] == [None, 'any', (48, 64)]
    assert cli.any_size_arg('ANY') == 'any'
