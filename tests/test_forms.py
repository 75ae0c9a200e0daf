"Annotation files: drawn by code, read as masks, written again."
import base64
import io
import json
import os
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixseg.io.annotations import Entry, Found, Photos, Tree, add_ring, clean, only_boxes, read_cvat, read_labelme, read_runs, read_studio, read_supervisely, read_via, read_voc, read_yolo, split_of
from pixseg.io.forms import Annotated, find_annotations, shape_names
from pixseg.io.folder import open_folder, pick_split
from pixseg.io.images import BadImage, MARK, is_marked, save_mask
from pixseg.io.pairs import read_pair
from pixseg.io.polygons import mask_polygons, object_ids, one_ring, simplify, to_coco, to_geojson, to_labelme, to_yolo, yolo_names
from pixseg.io.shapes import Shape, Shapes, fill_counts, fill_ellipse, fill_rings, pairs_to_counts, ring, unpack_counts
from pixseg.io.store import pair_state
from pixseg.labels import Labels, PixsegError

H,W = SIZE = (48, 64)
y,x = np.mgrid[:H,:W]
MASK = np.where((x-20)**2+(y-24)**2 < 100, 1, np.where((x > 40) & (x < 52) & (y > 10) & (y < 30), 2, 0)).astype(np.uint8)
BOX = [40,10, 52,10, 52,30, 40,30]
LABELS = Labels(('background','disk','box'))


def photo(path, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size[::-1], (90,90,90)).save(path)


def put(path, what):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(what if isinstance(what, str) else json.dumps(what), encoding='utf-8')


def only(a, split='train'): return a.splits[split][0][2]
def draw(*shapes, size=SIZE, **kw): return Shapes(Path('a.json'), 'a.jpg', None, shapes, **kw).draw(size)


# Shapes

@pytest.mark.parametrize('kind', ['disk','box','turned','star'])
def test_pixels_are_inside_if_their_centre_is(kind):
    "Against 16x16 points in every pixel."
    t = np.linspace(0, 2*np.pi, 60, endpoint=False)
    xy = dict(disk=np.stack([31.3+20*np.cos(t), 23.7+20*np.sin(t)], 1), box=np.array([[5.4,6.2],[50.8,6.2],[50.8,40.9],[5.4,40.9]]),
              turned=np.array([[30,2],[60,22],[33,46],[4,25.]]), star=np.stack([(1+.4*np.cos(5*t))*16*np.cos(t)+32, (1+.4*np.cos(5*t))*16*np.sin(t)+24], 1))[kind]
    n = 16
    fine = draw(Shape(1, 'polygon', (ring(xy*n),)), size=(H*n,W*n)).reshape(H,n,W,n).mean((1,3))
    mask = draw(Shape(1, 'polygon', (ring(xy),)))
    assert (mask == (fine > .5)).mean() > .99
    assert abs(mask.sum()/fine.sum()-1) < .03


def test_an_ellipse_is_its_polygon():
    t = np.linspace(0, 2*np.pi, 720, endpoint=False)
    u,v,s,c = 20*np.cos(t),8*np.sin(t),np.sin(np.radians(30)),np.cos(np.radians(30))
    a = draw(Shape(1, 'ellipse', (32,24,20,8,30)))
    assert (a != draw(Shape(1, 'polygon', (ring(np.stack([32+u*c-v*s, 24+u*s+v*c], 1)),)))).sum() <= 2
    assert abs(fill_ellipse(0, 0, 10, 10, 0, SIZE)[2].sum()-np.pi*25) < 8 # a quarter is inside


@pytest.mark.parametrize('seed', range(4))
def test_run_lengths_both_ways(seed):
    rng = np.random.default_rng(seed)
    m = rng.random((int(rng.integers(1, 40)), int(rng.integers(1, 90)))) < rng.random()
    assert np.array_equal(fill_counts(unpack_counts(pack(counts(m))), m.shape), m)
    assert np.array_equal(draw(Shape(1, 'runs', (runs(m), 'F', 1)), size=m.shape), m)
    assert np.array_equal(draw(Shape(1, 'runs', (runs(m.T), 'C', 1)), size=m.shape), m)
    assert np.array_equal(draw(Shape(1, 'counts', (0, 0, *m.shape, 'C', counts(m.T).tobytes())), size=m.shape), m)


def counts(m):
    flat = np.concatenate([[0], m.ravel('F'), [2]])
    at = np.flatnonzero(np.diff(flat))
    return np.diff(np.concatenate([[0], at])).astype(np.int64)


def runs(m):
    c = counts(m)
    starts = np.cumsum(c)[:-1:2]
    return ' '.join(f'{s+1} {n}' for s,n in zip(starts, c[1::2]))


def pack(counts):
    out = []
    for i,v in enumerate(counts.tolist()):
        if i > 2: v -= int(counts[i-2])
        while True:
            low,v = v & 31,v >> 5
            more = v != (-1 if low & 16 else 0)
            out.append(chr(48+(low | 32*more)))
            if not more: break
    return ''.join(out)


def test_packed_counts_of_cocos_own_tools():
    assert unpack_counts('52203').tolist() == [5,2,2,2,5] # made with pycocotools
    m = np.zeros((48,64), bool)
    m[10:30,40:52] = True
    assert np.array_equal(fill_counts(unpack_counts('Zl1d0l0000000000000000000000fa0'), (48,64)), m)


def test_smaller_areas_lie_on_top_or_later_ones():
    big,small = Shape(1, 'polygon', (ring([0,0, 40,0, 40,40, 0,40]),)),Shape(2, 'polygon', (ring([5,5, 9,5, 9,9, 5,9]),))
    assert (draw(small, big) == 2).sum() == (draw(big, small) == 2).sum() == 16
    assert (draw(small, big, order='file') == 2).sum() == 0
    assert (draw(small._replace(layer=-1), big) == 2).sum() == 0
    assert (draw(big._replace(layer=1), small) == 2).sum() == 0


def test_areas_beyond_the_photograph_are_cut():
    assert draw(Shape(1, 'polygon', (ring([-9,-9, 999,-9, 999,999, -9,999]),))).all()
    assert not draw(Shape(1, 'polygon', (ring([70,9, 90,9, 90,30]),))).any()
    bits = np.ones(400, np.int64)[:1]*400
    two = np.concatenate([[0], bits]).astype(np.int64).tobytes()
    assert draw(Shape(1, 'counts', (-10, -10, 20, 20, 'C', two))).sum() == 100
    assert draw(Shape(1, 'counts', (54, 38, 20, 20, 'C', two))).sum() == 100
    assert draw(Shape(1, 'counts', (99, 99, 20, 20, 'C', two))).sum() == 0


@pytest.mark.parametrize('shape,words', [
    (Shape(1, 'runs', ('1 2 3', 'F', 1)), 'no pairs'), (Shape(1, 'runs', ('5 5 3 2', 'F', 1)), 'go back'), (Shape(1, 'runs', ('a b', 'F', 1)), 'no whole numbers'),
    (Shape(1, 'runs', ('3000 200', 'F', 1)), '48x64'), (Shape(1, 'counts', (0, 0, 48, 64, 'F', '52203')), '48x64 has 3072'),
    (Shape(1, 'counts', (0, 0, 48, 64, 'F', 'x y')), 'character'), (Shape(1, 'bitmap', (0, 0, 'abc')), 'bitmap')])
def test_a_shape_that_cannot_be_drawn_is_named(shape, words):
    with pytest.raises(BadImage, match=words) as e: draw(shape)
    assert 'a.json' in str(e.value) and 'a.jpg' in str(e.value)


def test_shapes_of_another_size_are_refused():
    s = Shapes(Path('a.json'), 'a.jpg', (24,32), ())
    with pytest.raises(BadImage, match='24x32, but the photograph is 48x64'): s.draw(SIZE)
    assert s.draw().shape == (24,32)
    with pytest.raises(BadImage, match='EXIF'): s.draw((32,24))
    with pytest.raises(ValueError, match='give `size`'): Shapes(Path('a.json'), 'a.jpg', None, ()).draw()


@pytest.mark.parametrize('points', [[], [1,2], [1,2,3,4], [1,2,3,4,5], [1,2,3,4,5,float('nan')], [[1,2],[3,4]]])
def test_no_outline(points):
    with pytest.raises(ValueError, match='outline'): ring(points)


def test_the_digest_tells_shapes_apart():
    s = Shapes(Path('a.json'), 'a.jpg', SIZE, (Shape(1, 'polygon', (ring(BOX),)),))
    others = [Shapes(s.file, s.name, SIZE, (s.shapes[0]._replace(id=2),)), Shapes(s.file, s.name, None, s.shapes), Shapes(s.file, s.name, SIZE, s.shapes, 'file')]
    assert len({o.digest() for o in (s, *others)}) == 4 and len({s, *others}) == 4
    assert repr(s) == '1 shape for a.jpg (48x64) from a.json'


# Outlines

def traced(areas, size): return draw(*(Shape(a.id, 'polygon', tuple(map(ring, a.rings))) for a in areas), size=size)


def masks(n=40, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        size = tuple(int(v) for v in rng.integers(1, 30, 2))
        k = int(rng.integers(1, 5))
        yield rng.integers(0, k, size).astype(np.uint8) if rng.random() < .5 else np.kron(rng.integers(0, k, size), np.ones((3,2), int)).astype(np.uint8)


def test_outlines_drawn_again_are_the_mask():
    for m in masks():
        areas = mask_polygons(m)
        assert np.array_equal(traced(areas, m.shape), m)
        assert np.array_equal(traced([a._replace(rings=[one_ring(a.rings)]) for a in areas], m.shape), m)
        parts = [Shape(1, 'polygon', tuple(map(ring, a.rings))).fill(m.shape) for a in areas]
        assert [int(p.sum()) for *_,p in parts] == [a.pixels for a in areas]
        assert sum(a.pixels for a in areas) == m.size # no pixel twice


def test_an_island_in_a_hole_is_an_area_of_its_own():
    m = np.zeros((11,11), np.uint8)
    for i in range(5): m[i:11-i,i:11-i] = i%2
    assert [(a.id, len(a.rings)) for a in mask_polygons(m)] == [(0,2), (0,2), (0,1), (1,2), (1,2)]
    two = np.array([[1,0],[0,1]])
    assert len(mask_polygons(two, (0,))) == 2 and all(len(a.rings[0]) == 4 for a in mask_polygons(two))
    assert mask_polygons(two, (0,1)) == []
    with pytest.raises(ValueError, match=r'\(2, 2, 3\)'): mask_polygons(np.zeros((2,2,3)))


def test_tolerance_takes_corners_away_and_few_pixels():
    m = (((x-30)**2+(y-24)**2 < 400) & ((x-30)**2+(y-24)**2 > 60)).astype(np.uint8)
    areas = mask_polygons(m, (0,), 1.)
    assert [len(a.rings) for a in areas] == [2] and sum(len(r) for r in areas[0].rings) < 40
    assert (traced(areas, SIZE) != m).mean() < .03
    line = np.array([[0,0],[1,.1],[2,0],[3,0],[3,3]])
    assert simplify(line, .5).tolist() == [[0,0],[3,0],[3,3]]


LABELLED = [Labels(('background','a','b','c')), Labels(('a','b','c','d'))]


@pytest.mark.parametrize('labels', LABELLED, ids=['background','none'])
@pytest.mark.parametrize('form', ['coco','labelme','yolo'])
def test_every_mask_comes_back_from_every_form(tmp_path, labels, form):
    shift = 0 if labels.names[0] == 'background' else 1
    for i,m in enumerate(masks(10, seed=3)):
        root = tmp_path/str(i)
        photo(root/'images'/'a.png', m.shape)
        if form == 'coco': put(root/'annotations'/'instances_train.json', to_coco([('a.png', m)], labels))
        if form == 'labelme': put(root/'images'/'a.json', to_labelme('a.png', m, labels))
        if form == 'yolo':
            put(root/'labels'/'a.txt', to_yolo(m, labels))
            put(root/'data.yaml', yolo_names(labels))
        if not (m.any() or shift) and form != 'coco': continue # nothing to write
        a = find_annotations(root)
        back = only(a).draw(m.shape)
        there = np.array([a.names.names.index(o) if o in a.names.names else 255 for o in labels.names])
        assert a.problems == [] and np.array_equal(there[m], back)


def test_geojson_closes_rings_and_turns_them_as_maps_want():
    m = np.zeros((6,8), np.uint8)
    m[1:5,1:6],m[2:4,2:4] = 1,2
    labels = Labels(('background','lake','isle'))
    for place in (None, (10,0,500, 0,-10,900)):
        d = json.loads(json.dumps(to_geojson(m, labels, place=place)))
        assert d['type'] == 'FeatureCollection' and [f['properties']['class'] for f in d['features']] == ['lake','isle']
        rings = [np.array(r) for r in d['features'][0]['geometry']['coordinates']]
        assert all((r[0] == r[-1]).all() for r in rings)
        area = [((r[:-1,0]*r[1:,1]-r[1:,0]*r[:-1,1]).sum()/2) for r in rings]
        assert area[0] > 0 > area[1] and sum(area) == (16 if place is None else 1600)
    assert rings[0].min(0).tolist() == [510,850] and rings[0].max(0).tolist() == [560,890]
    assert to_geojson(m, labels, crs='EPSG:32633')['crs']['properties']['name'].endswith('EPSG::32633')


def test_void_gets_an_outline_and_background_none():
    assert object_ids(Labels(('_background_','a','Void'), void=2)) == [1,2]
    assert [c['id'] for c in to_coco([], LABELLED[1])['categories']] == [1,2,3,4]


# COCO

def coco(images, annotations, categories=((1,'disk'),(2,'box'))):
    cats = [c if isinstance(c, dict) else dict(id=c[0], name=c[1]) for c in categories]
    return dict(images=[dict(id=i, file_name=f, height=H, width=W) for i,f in enumerate(images)], categories=cats,
                annotations=[dict(id=i, iscrowd=0, image_id=0, category_id=1, **a) if 'category_id' not in a else dict(dict(id=i, image_id=0, iscrowd=0), **a)
                             for i,a in enumerate(annotations)])


def test_coco_as_it_is_downloaded(tmp_path):
    for s,n in (('train',3), ('val',2)):
        for i in range(n): photo(tmp_path/f'{s}2017'/f'{s[0]}{i}.jpg')
        put(tmp_path/'annotations'/f'instances_{s}2017.json', coco([f'{s[0]}{i}.jpg' for i in range(n)], [dict(segmentation=[BOX], category_id=90)], [(1,'person'),(90,'brush')]))
        put(tmp_path/'annotations'/f'captions_{s}2017.json', dict(images=[], annotations=[dict(caption='x')]))
        put(tmp_path/'annotations'/f'person_keypoints_{s}2017.json', coco([f'{s[0]}{i}.jpg' for i in range(n)], []))
    a = find_annotations(tmp_path)
    assert {k: len(v) for k,v in a.splits.items()} == dict(train=3, val=2) and a.problems == []
    assert isinstance(a, Annotated) and a.names.names == ('background','person','brush') and a.form == 'COCO polygons'
    assert np.bincount(only(a, 'val').draw(SIZE).ravel()).tolist() == [H*W-240, 0, 240]
    assert a.notes[-1] == '3 photographs listed with no area: all background'


def test_only_some_of_the_photographs_are_there(tmp_path):
    photo(tmp_path/'val2017'/'v.jpg')
    for s in ('train','val'): put(tmp_path/'annotations'/f'instances_{s}2017.json', coco(['v.jpg' if s == 'val' else 't.jpg'], [dict(segmentation=[BOX])]))
    a = find_annotations(tmp_path)
    assert list(a.splits) == ['val'] and a.problems == [] and 'none of its 1 photographs' in a.notes[0]


def test_a_photograph_of_another_split_is_not_taken(tmp_path):
    photo(tmp_path/'valid'/'0.jpg')
    photo(tmp_path/'train'/'1.jpg')
    put(tmp_path/'train'/'_annotations.coco.json', coco(['0.jpg','1.jpg'], [dict(segmentation=[BOX])]))
    a = find_annotations(tmp_path)
    assert [(s, [n for n,*_ in v]) for s,v in a.splits.items()] == [('train', ['train/1'])]
    assert [(p.file, '0.jpg' in p.what) for p in a.problems] == [('train/_annotations.coco.json', True)]
    assert any('valid/0.jpg' in n for n in a.notes)


def test_roboflow_has_a_category_above_the_others(tmp_path):
    cats = [dict(id=0, name='things', supercategory='none'), dict(id=1, name='box', supercategory='things'), dict(id=2, name='disk', supercategory='things')]
    for s in ('train','valid','test'):
        photo(tmp_path/s/'0_jpg.rf.abc.jpg')
        put(tmp_path/s/'_annotations.coco.json', coco(['0_jpg.rf.abc.jpg'], [dict(segmentation=[BOX])], cats))
    a = find_annotations(tmp_path)
    assert list(a.splits) == ['train','val','test'] and a.names.names == ('background','box','disk')
    assert any('things' in n for n in a.notes)
    put(tmp_path/'train'/'_annotations.coco.json', coco(['0_jpg.rf.abc.jpg'], [dict(segmentation=[BOX], category_id=0)], cats))
    assert find_annotations(tmp_path).names.names == ('background','things','box','disk') # it is used


def test_cvats_coco_with_run_lengths_crowds_and_parts(tmp_path):
    photo(tmp_path/'images'/'default'/'a.jpg')
    left = np.zeros(SIZE, bool)
    left[:,:20] = True
    anns = [dict(segmentation=dict(size=[H,W], counts=pack(counts(left))), category_id=1), # smaller than the crowd, so over it
            dict(segmentation=dict(size=[H,W], counts=[0, H*W]), iscrowd=1, category_id=3),
            dict(segmentation=[[30,0, 40,0, 40,10, 30,10], [35,5, 45,5, 45,15, 35,15]], category_id=2)]
    put(tmp_path/'annotations'/'instances_default.json', coco(['default\\a.jpg'], anns, [(3,'crowd'),(1,'left'),(2,'parts')]))
    a = find_annotations(tmp_path)
    assert a.form == 'COCO polygons and run lengths' and a.names.names == ('background','left','parts','crowd')
    assert np.bincount(only(a).draw(SIZE).ravel()).tolist() == [0, H*20, 175, H*W-H*20-175]


def test_names_count_not_numbers(tmp_path):
    "Two files with other numbers for the same names; one of them is called background."
    for s,cats in (('train', [(5,'disk'),(7,'Background')]), ('val', [(7,'disk'),(5,'Background')])):
        photo(tmp_path/s/f'{s}.jpg')
        put(tmp_path/f'{s}.json', coco([f'{s}/{s}.jpg'], [dict(segmentation=[BOX], category_id=cats[0][0])], cats))
    a = find_annotations(tmp_path)
    assert a.names.names == ('Background','disk') and a.names.void is None
    assert [int(only(a, s).draw(SIZE).max()) for s in ('train','val')] == [1,1]


def test_what_is_wrong_with_a_coco_file(tmp_path):
    for n in 'ab': photo(tmp_path/f'{n}.jpg')
    photo(tmp_path/'c.jpg')
    anns = [dict(segmentation=[BOX]), dict(segmentation=[BOX], category_id=9), dict(segmentation=[BOX], image_id=77, category_id=1), dict(segmentation=[], bbox=[1,1,5,5]),
            dict(segmentation=[[1,2,3,4]]), dict(segmentation=[[100,5, 120,5, 120,20]]), dict(segmentation=[[60,5, 80,5, 80,20, 60,22]])]
    put(tmp_path/'x.json', coco(['a.jpg','b.jpg','gone.jpg','gone2.jpg'], anns))
    a = find_annotations(tmp_path)
    said = ' | '.join(map(str, a.problems))
    for words in ('category 9', 'image 77', 'a box without an outline', 'outline of 2 points', 'area outside of a.jpg', '2 photographs not found (the first is gone.jpg)'): assert words in said
    assert len(a.problems) == 6 and {p.file for p in a.problems} == {'x.json'}
    assert any('1 area reaches beyond' in n for n in a.notes) and any('c.jpg' in n for n in a.notes)


def test_boxes_are_refused_in_words(tmp_path):
    photo(tmp_path/'a.jpg')
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[], bbox=[1,1,5,5])]*3))
    with pytest.raises(PixsegError, match=r'x.json has boxes only \(3\).*draw outlines'): find_annotations(tmp_path)
    assert 'boxes only (2)' in str(only_boxes('f', 2))


def test_rectangles_that_may_be_boxes_are_told(tmp_path):
    photo(tmp_path/'a.jpg')
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[BOX])]*2))
    assert any('upright rectangles' in n for n in find_annotations(tmp_path).notes)


def test_the_same_photograph_in_two_files_is_refused(tmp_path):
    photo(tmp_path/'a.jpg')
    for n in ('x','y'): put(tmp_path/f'{n}.json', coco(['a.jpg'], [dict(segmentation=[BOX])]))
    with pytest.raises(PixsegError, match='both speak of a.jpg'): find_annotations(tmp_path)


def test_nothing_of_a_file_is_there(tmp_path):
    photo(tmp_path/'z.jpg')
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[BOX])]))
    with pytest.raises(PixsegError, match='the first is a.jpg'): find_annotations(tmp_path)


def test_photographs_of_a_layout_keep_its_names(tmp_path):
    for d in ('one','two'): photo(tmp_path/d/'a.jpg')
    photo(tmp_path/'Café.png')
    put(tmp_path/'x.json', coco(['C:\\data\\two\\a.jpg', unicodedata.normalize('NFD', 'Café.png'), 'one/a.jpg'], [dict(segmentation=[BOX])]))
    photos = dict(train=[('first', tmp_path/'one'/'a.jpg'), ('second', tmp_path/'two'/'a.jpg')])
    a = find_annotations(tmp_path, photos)
    assert [(n, len(s.shapes)) for n,_,s in a.splits['train']] == [('Café', 0), ('first', 0), ('second', 1)]


# LabelMe

def labelme(*shapes, name='a.jpg', size=SIZE):
    return dict(version='5.4', imagePath=name, imageData='QUJD', imageHeight=size[0], imageWidth=size[1], shapes=[dict(label=o, points=p, shape_type=k, **more) for o,p,k,more in shapes])


def test_all_that_labelme_draws(tmp_path):
    photo(tmp_path/'a.jpg')
    bits = io.BytesIO()
    Image.fromarray(np.eye(8, 6) > 0).save(bits, 'PNG')
    png = base64.b64encode(bits.getvalue()).decode()
    put(tmp_path/'a.json', labelme(('poly', [[0,0],[10,0],[10,10],[0,10]], None, {}), ('rect', [[30,30],[20,20]], 'rectangle', {}), ('round', [[50,20],[55,20]], 'circle', {}),
                                   ('bits', [[2,30],[7,37]], 'mask', dict(mask=png)), ('wire', [[0,0],[9,9]], 'line', {}), ('spot', [[0,0]], 'point', {})))
    a = find_annotations(tmp_path)
    assert a.names.names == ('background','bits','poly','rect','round') and a.problems == []
    n = np.bincount(only(a).draw(SIZE).ravel())
    assert n[1:4].tolist() == [6, 100, 100] and abs(n[4]-np.pi*25) < 4
    assert 'shapes that enclose nothing left out: 1 line, 1 point' in a.notes


def test_labelme_draws_in_its_order_and_knows_void(tmp_path):
    photo(tmp_path/'img'/'a.jpg')
    square = lambda a,b: [[a,a],[b,a],[b,b],[a,b]]
    put(tmp_path/'ann'/'a.json', labelme(('car', square(5,15), 'polygon', {}), ('road', square(0,40), 'polygon', {}), ('_background_', square(10,12), 'polygon', {}),
                                         ('__ignore__', square(20,22), 'polygon', {}), name='..\\img\\a.jpg'))
    a = find_annotations(tmp_path)
    assert a.names.names == ('background','car','road','void') and a.names.void == 3
    assert np.bincount(only(a).draw(SIZE).ravel()).tolist() == [H*W-1600+4, 0, 1600-8, 4]
    put(tmp_path/'labels.txt', '__ignore__\n_background_\nroad\ncar\n')
    assert find_annotations(tmp_path).names.names == ('background','road','car','void')


def test_labelme_files_that_were_renamed_or_lack_their_photograph(tmp_path):
    for n in 'abc': photo(tmp_path/f'{n}.jpg')
    for n,path in (('a','IMG_1.jpg'), ('b','b.jpg'), ('d','d.jpg')): put(tmp_path/f'{n}.json', labelme(('x', [[0,0],[9,0],[9,9]], 'polygon', {}), name=path))
    a = find_annotations(tmp_path)
    assert [n for n,*_ in a.splits['train']] == ['a','b']
    assert [p.file for p in a.problems] == ['d.json'] and any('c.jpg' in n for n in a.notes)
    put(tmp_path/'b.json', '{"shapes": [')
    assert {p.file for p in find_annotations(tmp_path).problems} == {'b.json','d.json'}


# CVAT

CVAT = '''<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task><labels>
<label><name>road</name><color>#804080</color></label><label><name>car</name><color>#00ff00</color></label></labels></task></meta>{}</annotations>'''


def test_all_that_cvat_draws(tmp_path):
    photo(tmp_path/'images'/'a.jpg')
    put(tmp_path/'annotations.xml', CVAT.format('''<image id="0" name="a.jpg" width="64" height="48">
        <polygon label="car" points="5.00,5.00;15.00,5.00;15.00,15.00;5.00,15.00" z_order="1"/><polygon label="road" points="0,0;40,0;40,40;0,40" z_order="0"/>
        <mask label="car" rle="2, 4, 2" left="50" top="10" width="4" height="2" z_order="2"/><ellipse label="car" cx="50" cy="30" rx="8" ry="4" rotation="90" z_order="0"/>
        <polyline label="car" points="1,1;2,2" z_order="0"/></image>'''))
    a = find_annotations(tmp_path)
    assert a.form == 'CVAT polygons and ellipses and run lengths' and a.problems == []
    assert a.names.names == ('background','road','car') and a.names.colors == ((0,0,0),(128,64,128),(0,255,0))
    m = only(a).draw(SIZE)
    assert m[5:15,5:15].min() == 2 and (m == 1).sum() == 1500
    assert m[10:12,50:54].tolist() == [[0,0,2,2],[2,2,0,0]] and m[23,50] == 2 and m[30,57] == 0
    assert 'shapes that enclose nothing left out: 1 polyline' in a.notes


def test_cvats_boxes(tmp_path):
    photo(tmp_path/'a.jpg')
    box = '<box label="car" xtl="10" ytl="10" xbr="20" ybr="14" z_order="0" {}/>'
    image = '<image id="0" name="a.jpg" width="64" height="48">{}</image>'
    put(tmp_path/'annotations.xml', CVAT.format(image.format(box.format(''))))
    with pytest.raises(PixsegError, match='boxes only'): find_annotations(tmp_path)
    put(tmp_path/'annotations.xml', CVAT.format(image.format(box.format('rotation="90"')+'<polygon label="road" points="30,30;40,30;40,40;30,40"/>')))
    a = find_annotations(tmp_path)
    assert any('1 rectangle filled' in n for n in a.notes)
    assert (only(a).draw(SIZE)[7:17,13:17] == 2).all()
    put(tmp_path/'annotations.xml', CVAT.format('<track id="0" label="car"/>'))
    with pytest.raises(PixsegError, match='CVAT for images'): find_annotations(tmp_path)


def test_cvats_subsets_are_splits(tmp_path):
    images = ''
    for s in ('Train','Validation'):
        photo(tmp_path/'images'/s/f'{s}.jpg')
        images += f'<image id="0" name="{s}.jpg" subset="{s}" width="64" height="48"><polygon label="car" points="5,5;15,5;15,15"/></image>'
    put(tmp_path/'annotations.xml', CVAT.format(images))
    assert {k: len(v) for k,v in find_annotations(tmp_path).splits.items()} == dict(train=1, val=1)


# YOLO

@pytest.mark.parametrize('images,labels', [('images/{}','labels/{}'), ('{}/images','{}/labels'), ('{}','{}'), ('images/{}','images/{}')])
@pytest.mark.parametrize('names', ['names: [disk, box]\n', 'names:\n  0: disk\n  1: box\n', 'nc: 2\nnames: ["disk", "box"]\n'])
def test_yolo_where_its_texts_lie(tmp_path, images, labels, names):
    for s,n in (('train',3), ('valid',1)):
        for i in range(n):
            photo(tmp_path/images.format(s)/f'{s}{i}.jpg')
            if i != 2: put(tmp_path/labels.format(s)/f'{s}{i}.txt', to_yolo(MASK, LABELS))
    put(tmp_path/'data.yaml', f"path: /data/somewhere\ntrain: ../{images.format('train')}\nval: ../{images.format('valid')}\n{names}")
    a = find_annotations(tmp_path)
    assert {k: len(v) for k,v in a.splits.items()} == dict(train=3, val=1) and a.problems == []
    assert a.names.names == LABELS.names and np.array_equal(only(a).draw(SIZE), MASK)
    assert not a.splits['train'][2][2].draw(SIZE).any() and any('1 photograph without a text' in n for n in a.notes)


def test_yolos_splits_by_lists_and_no_names(tmp_path):
    for i in range(4):
        photo(tmp_path/'images'/f'{i}.png')
        put(tmp_path/'labels'/f'{i}.txt', '3 .1 .1 .5 .1 .5 .5\n' if i else '')
    put(tmp_path/'train.txt', './images/0.png\n./images/1.png\n')
    put(tmp_path/'val.txt', 'images\\2.png\n')
    put(tmp_path/'data.yaml', 'train: train.txt\nval: [val.txt]\nnc: 4\n')
    a = find_annotations(tmp_path)
    assert {k: [n for n,*_ in v] for k,v in a.splits.items()} == dict(train=['images/0','images/1','images/3'], val=['images/2'])
    assert a.names.names == ('background','class 3') and 'numbers' in a.names.origin


def test_what_is_wrong_with_yolo_texts(tmp_path):
    good = '0 .1 .1 .5 .1 .5 .5\n'
    for n,text in dict(box=good+'0 .5 .5 .2 .2\n', odd=good+'0 .1 .2 .3 .4 .5 .6 .7\n', name=good+'7 .1 .1 .5 .1 .5 .5\n', pixels=good+'0 10 10 50 10 50 50\n', text='hello world\n').items():
        photo(tmp_path/'images'/f'{n}.png')
        put(tmp_path/'labels'/f'{n}.txt', text)
    put(tmp_path/'data.yaml', 'names: [disk]\ntrain: images\n')
    a = find_annotations(tmp_path)
    said = {p.file: p.what for p in a.problems}
    for n,words in dict(box='box (five numbers)', odd='no pairs', name='class 7', pixels='outside of 0..1', text='no class').items(): assert words in said[f'labels/{n}.txt']
    for n in ('box','odd','name','pixels'): put(tmp_path/'labels'/f'{n}.txt', '0 .5 .5 .2 .2\n')
    with pytest.raises(PixsegError, match='boxes only'): find_annotations(tmp_path)


# Kaggle

def kaggle(root, head, rows, name='train.csv', folder='train_images', photos=('a','b','c'), size=SIZE):
    for p in photos: photo(root/folder/f'{p}.jpg', size)
    put(root/name, '\n'.join([head, *(','.join(r) for r in rows)])+'\n')


@pytest.mark.parametrize('head,row', [
    ('ImageId,ClassId,EncodedPixels', lambda c,r: ('a.jpg', c, r)), ('ImageId_ClassId,EncodedPixels', lambda c,r: (f'a.jpg_{c}', r)),
    ('Image_Label,EncodedPixels', lambda c,r: (f'a.jpg_{c}', r)), ('image_id,label,rle', lambda c,r: ('a', c, r)), ('EncodedPixels,Height,Width,ClassId,ImageId', lambda c,r: (r, '48', '64', c, 'a.jpg'))])
@pytest.mark.parametrize('classes', [('1','2'), ('0','1'), ('Fish','Sugar')])
def test_columns_of_run_lengths(tmp_path, head, row, classes):
    kaggle(tmp_path, head, [row(classes[0], runs(MASK == 1)), row(classes[1], runs(MASK == 2)), tuple(o.replace('a', 'b', 1) if o.startswith('a') else o for o in row(classes[0], ''))])
    a = find_annotations(tmp_path)
    assert a.form == 'Kaggle run lengths' and a.problems == []
    assert a.names.names == ('background', *(f'class {c}' if c.isdigit() else c for c in classes))
    assert [n for n,*_ in a.splits['train']] == ['train_images/a','train_images/b'] and np.array_equal(only(a).draw(SIZE), MASK)
    assert any('c.jpg' in n for n in a.notes) and any('all background' in n for n in a.notes)


@pytest.mark.parametrize('empty', ['', 'nan', '-1'])
def test_one_class_of_run_lengths(tmp_path, empty):
    kaggle(tmp_path, 'id,rle_mask', [('a', runs(MASK == 1)), ('b', empty), ('c', runs(MASK == 2))], folder='images')
    photo(tmp_path/'test'/'z.jpg')
    put(tmp_path/'sample_submission.csv', 'id,rle_mask\nz,1 1\n')
    a = find_annotations(tmp_path)
    assert a.names.names == ('background','object') and len(a.splits['train']) == 3 and np.array_equal(only(a).draw(SIZE), MASK == 1)


def test_runs_along_the_rows_and_from_zero(tmp_path):
    rows = [(n, runs((MASK == c).T)) for n,c in zip('abc', (1,2,1))]
    kaggle(tmp_path, 'id,annotation', rows)
    a = find_annotations(tmp_path)
    assert np.array_equal(only(a).draw(SIZE), MASK == 1) and any('along the rows' in n for n in a.notes)
    corner = np.zeros(SIZE, bool)
    corner[:5,:4] = True
    zero = ' '.join(str(int(v)-(i%2 == 0)) for i,v in enumerate(runs(corner).split()))
    kaggle(tmp_path, 'id,annotation', [('a', zero)])
    a = find_annotations(tmp_path)
    assert np.array_equal(only(a).draw(SIZE), corner) and any('from 0' in n for n in a.notes)


def test_squares_do_not_tell_the_direction(tmp_path):
    m = np.zeros((40,40), bool)
    m[3:9,20:30] = True
    kaggle(tmp_path, 'ImageId,EncodedPixels', [('a.jpg', runs(m))], size=(40,40))
    a = find_annotations(tmp_path)
    assert np.array_equal(only(a).draw((40,40)), m) and any('nothing in them tells' in n for n in a.notes)


def test_run_lengths_without_photographs_and_missing_ones(tmp_path):
    kaggle(tmp_path, 'ImageId,EncodedPixels', [('q.jpg', '1 5')])
    with pytest.raises(PixsegError, match='q.jpg'): find_annotations(tmp_path)
    kaggle(tmp_path, 'ImageId,EncodedPixels', [('q.jpg', '1 5'), ('a.jpg', '1 5')])
    assert 'the first is q.jpg' in find_annotations(tmp_path).problems[0].what


# VIA, VOC, and what is no form

def test_via(tmp_path):
    photo(tmp_path/'train'/'a.jpg')
    region = lambda name,**s: dict(shape_attributes=dict(name=name, **s), region_attributes=dict(**{'class':'car'}, note='x'))
    polygon = region('polygon', all_points_x=[0,10,10,0], all_points_y=[0,0,10,10])
    for regions in ([polygon, region('rect', x=20, y=20, width=10, height=5), region('point', cx=1, cy=1)], {'0':polygon}):
        d = {'a.jpg123':dict(filename='a.jpg', size=123, regions=regions)}
        for project in (d, dict(_via_settings={}, _via_img_metadata=d)):
            put(tmp_path/'train'/'via_region_data.json', project)
            a = find_annotations(tmp_path)
            assert a.names.names == ('background','car') and only(a).draw(SIZE).sum() == (150 if isinstance(regions, list) else 100)


def test_via_tables(tmp_path):
    photo(tmp_path/'a.jpg')
    shape = json.dumps(dict(name='polygon', all_points_x=[0,10,10,0], all_points_y=[0,0,10,10])).replace('"', '""')
    head = 'filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n'
    put(tmp_path/'via.csv', head+f'a.jpg,1,"{{}}",1,0,"{shape}","{{""type"":""car""}}"\n')
    a = find_annotations(tmp_path)
    assert a.form == 'VIA polygons' and a.names.names == ('background','car') and only(a).draw(SIZE).sum() == 100
    put(tmp_path/'via.csv', head+f'a.jpg,1,"{{}}",1,0,"{shape}","{{""type"":""car""}}"\na.jpg,1,"{{}}",1,1,"{{broken",""\n')
    assert any('1 line of the table' in o for o in find_annotations(tmp_path).notes)


def panoptic(root, pixels, *segments, name='a', categories=({'id': 1, 'name': 'road'}, {'id': 9, 'name': 'car'}), where='panoptic_train', listed=True):
    "A photograph with numbered segments: `(number, category)` each."
    photo(root/'train'/f'{name}.jpg')
    n = np.asarray(pixels)
    (root/where).mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([n%256, n//256%256, n//65536], 2).astype(np.uint8)).save(root/where/f'{name}.png')
    file = root/'panoptic_train.json'
    d = json.loads(file.read_text()) if file.exists() else dict(images=[], annotations=[], categories=list(categories))
    d['images'].append(dict(id=len(d['images']), file_name=f'{name}.jpg', height=H, width=W))
    if listed: d['annotations'].append(dict(image_id=len(d['images'])-1, file_name=f'{name}.png', segments_info=[dict(id=i, category_id=c) for i,c in segments]))
    return put(file, d)


def numbered(*values):
    a = np.zeros(SIZE, np.int32)
    for i,v in enumerate(values): a[i] = v
    return a


def test_panoptic_coco(tmp_path):
    "Segments become classes, number 0 is void, and no class stands behind them."
    panoptic(tmp_path, numbered(70000, 5, 300), (70000, 1), (5, 9), (300, 9))
    panoptic(tmp_path, numbered(70000)+1, (1, 9), (70001, 1), name='b')
    data = open_folder(tmp_path)
    assert (data.form, data.labels.names, data.labels.void) == ('COCO panoptic masks', ('road', 'car', 'void'), 2)
    pairs = {p.img.stem: p for ps in data.splits.values() for p in ps}
    mask = read_pair(pairs['a'], np.arange(256, dtype=np.uint8))[1]
    assert mask[:3, 0].tolist() == [0, 1, 1] and (mask[3:] == 2).all()
    assert (read_pair(pairs['b'], np.arange(256, dtype=np.uint8))[1][1:] == 1).all()
    before = pair_state(pairs['a'])
    panoptic(tmp_path/'other', numbered(5), (5, 1))
    os.replace(tmp_path/'other'/'panoptic_train'/'a.png', tmp_path/'panoptic_train'/'a.png')
    assert pair_state(pairs['a']) != before # a decoded copy is not used


@pytest.mark.parametrize('categories,names,void', [
    ([dict(id=1, name='road', color=[128, 64, 128]), dict(id=9, name='car', color=[0, 0, 142])], ('road', 'car', 'void'), (0, 0, 0)),
    ([dict(id=1, name='road'), dict(id=2, name='unlabeled'), dict(id=9, name='car')], ('road', 'unlabeled', 'car'), None)])
def test_panoptic_coco_with_colours_or_a_void_of_its_own(tmp_path, categories, names, void):
    for name in 'ab': panoptic(tmp_path, numbered(7, 8), (7, 1), (8, 9), name=name, categories=categories)
    data = open_folder(tmp_path)
    assert data.labels.names == names and names[data.labels.void] in ('void', 'unlabeled')
    if void: assert [tuple(c) for c in data.labels.colors] == [(128, 64, 128), (0, 0, 142), void]
    mask = read_pair(data.splits['train'][0], np.arange(256, dtype=np.uint8))[1]
    assert mask[:2, 0].tolist() == [0, names.index('car')] and (mask[2:] == data.labels.void).all()


def test_panoptic_coco_that_does_not_fit(tmp_path):
    def fault(words, pixels, *segments, **more):
        root = tmp_path/str(len([*tmp_path.iterdir()]))
        for name in 'ab': panoptic(root, pixels, *segments, name=name, **more)
        with pytest.raises(PixsegError, match=words):
            for p in pick_split(open_folder(root), 'train'): read_pair(p, np.arange(256, dtype=np.uint8))
        return root
    fault('pixels of segment 6 in a.png, of which it does not say what it is', numbered(5, 6), (5, 1))
    fault('segments in a.png of 3x3 pixels', np.full((3, 3), 5), (5, 1))
    fault('has a segment of category 4, which it does not list', numbered(5), (5, 4))
    for name in 'ab': panoptic(tmp_path/'gone', numbered(5), (5, 1), name=name)
    for name,words in (('a', 'names a.png, which is not in the folder panoptic_train'), ('b', 'PNG files that are not there .the first is a.png.: put them into a folder panoptic_train')):
        (tmp_path/'gone'/'panoptic_train'/f'{name}.png').unlink()
        with pytest.raises(PixsegError, match=words): pick_split(open_folder(tmp_path/'gone'), 'all')


@pytest.mark.parametrize('where', ['annotations/panoptic_train', 'elsewhere', '.'])
def test_where_panoptic_images_may_lie(tmp_path, where):
    for name in 'ab': panoptic(tmp_path, numbered(5, 6), (5, 1), (6, 9), name=name, where=where)
    masks = [read_pair(p, np.arange(256, dtype=np.uint8))[1] for p in pick_split(open_folder(tmp_path), 'all')]
    assert len(masks) == 2 and all(m[:3, 0].tolist() == [0, 1, 2] for m in masks)


def test_a_photograph_of_a_panoptic_file_without_segments_is_left_out(tmp_path):
    for name in 'abc': panoptic(tmp_path, numbered(5), (5, 1), name=name, listed=name != 'c')
    data = open_folder(tmp_path)
    assert sorted(p.img.stem for ps in data.splits.values() for p in ps) == ['a', 'b'] and any('1 photograph without annotations left out' in o for o in data.notes)


def studio(*results, image='/data/upload/1/0a1b2c3d-a.jpg', **more):
    full = [dict(type=kind, original_width=W, original_height=H, value=value) for kind,value in results]
    return dict(data=dict(image=image, note='a text.'), annotations=[dict(result=full)], **more)


CAR = ('polygonlabels', dict(points=[[0,0],[25,0],[25,50],[0,50]], polygonlabels=['car'])) # 16 x 24 pixels
STUDIO = [([CAR], 16*24), ([], 0), ([('choices', dict(choices=['rain'])), CAR], 16*24), ([CAR, ('keypointlabels', dict(x=1, y=1, width=1, keypointlabels=['car']))], 16*24),
          ([('rectanglelabels', dict(x=50, y=50, width=25, height=50, rotation=0, rectanglelabels=['car']))], 16*24),
          ([('rectanglelabels', dict(x=50, y=25, width=12.5, height=25, rotation=90, rectanglelabels=['car']))], 8*12),
          ([('ellipselabels', dict(x=50, y=50, radiusX=12.5, radiusY=25, rotation=0, ellipselabels=['car']))], round(np.pi*8*12))]


@pytest.mark.parametrize('results,pixels', STUDIO)
def test_label_studio(tmp_path, results, pixels):
    for n in 'abc': photo(tmp_path/f'{n}.jpg')
    put(tmp_path/'project-1.json', [studio(*results), studio(CAR, image='/data/local-files/?d=lot%20a/b.jpg'), dict(data=dict(image='c.jpg'), annotations=[])])
    a = find_annotations(tmp_path)
    assert not a.problems and [n for n,*_ in a.splits['train']] == ['a', 'b'] and 'c.jpg' in ' '.join(a.notes) # c is not done yet
    assert abs(int((only(a).draw(SIZE) > 0).sum())-pixels) <= 4 and a.names.names == ('background', 'car')


def test_label_studios_small_form(tmp_path):
    photo(tmp_path/'a.jpg')
    put(tmp_path/'p.json', [dict(id=1, image='/data/upload/1/0a1b2c3d-a.jpg', annotator=1, shapes=[dict(CAR[1], original_width=W, original_height=H)])])
    assert (only(find_annotations(tmp_path)).draw(SIZE) == 1).sum() == 16*24


@pytest.mark.parametrize('results,more,words', [
    ([('brushlabels', dict(format='rle', rle=[1], brushlabels=['car']))], {}, 'painted with a brush'),
    ([CAR], dict(annotations=[dict(result=[]), dict(result=[])]), '2 annotations of one photograph'),
    ([('polygonlabels', dict(points=[[0,0],[1,1]], polygonlabels=['car']))], {}, 'outline of 2 points'),
    ([CAR], dict(annotations=[dict(result=[dict(type=CAR[0], value=CAR[1])])]), 'without the size')])
def test_what_label_studio_leaves_open_is_a_problem(tmp_path, results, more, words):
    photo(tmp_path/'a.jpg')
    put(tmp_path/'p.json', [dict(studio(*results), **more)])
    assert words in find_annotations(tmp_path).problems[0].what


def test_supervisely(tmp_path):
    disk = io.BytesIO()
    Image.fromarray((MASK[14:35,10:31] == 1).view(np.uint8)*255).save(disk, 'PNG')
    objects = [dict(classTitle='disk', geometryType='bitmap', bitmap=dict(data=base64.b64encode(zlib.compress(disk.getvalue())).decode(), origin=[10,14])),
               dict(classTitle='box', geometryType='rectangle', points=dict(exterior=[[51,29],[41,11]], interior=[])),
               dict(classTitle='ring', geometryType='polygon', points=dict(exterior=[[0,0],[8,0],[8,8],[0,8]], interior=[[[2,2],[6,2],[6,6],[2,6]]])),
               dict(classTitle='box', geometryType='line', points=dict(exterior=[[0,0],[3,3]], interior=[]))]
    for s in ('train', 'val'):
        photo(tmp_path/s/'img'/'a.jpg')
        put(tmp_path/s/'ann'/'a.jpg.json', dict(size=dict(height=H, width=W), tags=[], objects=objects))
    put(tmp_path/'meta.json', dict(classes=[dict(title=t, color=c) for t,c in (('disk', '#ff0000'), ('box', '#00FF00'), ('ring', '#0000ff'))]))
    a = find_annotations(tmp_path)
    assert a.names.names == ('background', 'disk', 'box', 'ring') and a.names.colors[1:3] == ((255,0,0), (0,255,0))
    assert not a.problems and [*a.splits] == ['train', 'val'] and any('1 line' in o or '2 line' in o for o in a.notes)
    want = MASK.copy()
    want[:8,:8] = 3
    want[2:6,2:6] = 0
    assert np.array_equal(only(a, 'val').draw(SIZE), want)
    put(tmp_path/'val'/'ann'/'a.jpg.json', dict(size=dict(height=H, width=W), objects=[dict(classTitle='disk', geometryType='bitmap', bitmap=dict(data='xx', origin=[0,0]))]))
    assert 'bitmap without its numbers' in find_annotations(tmp_path).problems[0].what


def test_vocs_boxes_are_refused(tmp_path):
    for n in 'ab':
        photo(tmp_path/'JPEGImages'/f'{n}.jpg')
        put(tmp_path/'Annotations'/f'{n}.xml', '<annotation><object><name>dog</name><bndbox><xmin>1</xmin></bndbox></object></annotation>')
    with pytest.raises(PixsegError, match='SegmentationClass'): find_annotations(tmp_path)
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[BOX])]))
    assert any('Pascal VOC' in n for n in find_annotations(tmp_path).notes)


def test_two_forms_are_refused(tmp_path):
    photo(tmp_path/'a.jpg')
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[BOX])]))
    put(tmp_path/'a.json', labelme(('x', [[0,0],[9,0],[9,9]], 'polygon', {})))
    with pytest.raises(PixsegError, match='COCO polygons and LabelMe polygons'): find_annotations(tmp_path)


def test_folders_without_annotations(tmp_path):
    photo(tmp_path/'a.jpg')
    assert find_annotations(tmp_path) is None
    put(tmp_path/'package.json', dict(name='x', images=[]))
    put(tmp_path/'list.json', [1,2])
    put(tmp_path/'table.csv', 'name,r,g,b\nsky,1,2,3\n')
    put(tmp_path/'a.txt', 'some words\n')
    put(tmp_path/'a.svg.xml', '<svg/>')
    assert find_annotations(tmp_path) is None
    put(tmp_path/'broken.json', '{"images": [')
    with pytest.raises(PixsegError, match='broken.json cannot be read'): find_annotations(tmp_path)


def test_readers_alone(tmp_path):
    "Each takes its own form and no other."
    photo(tmp_path/'a.jpg')
    put(tmp_path/'a.json', labelme(('x', [[0,0],[9,0],[9,9]], 'polygon', {})))
    tree = Tree(tmp_path)
    photos = Photos(tmp_path, None, tree.paths)
    assert read_labelme(tree).names == ['x'] and photos.find('A.JPG', tmp_path, None)[1] == 'a'
    assert [read_cvat(tree), read_via(tree), read_studio(tree, photos), read_supervisely(tree), read_voc(tree), read_yolo(tree, photos), read_runs(tree, photos)] == [None]*7
    found,entry = Found('x', ['a']),Entry(tmp_path/'a.json', 'a.jpg', None, None, [])
    add_ring(found, entry, 'a', BOX)
    add_ring(found, entry, 'a', [1,2])
    assert len(entry.areas) == 1 and len(found.faults) == 1 and shape_names(found)[1] == {'a':1}
    assert clean('.\\a\\b.jpg') == 'a/b.jpg' and split_of('x/test_images') == 'test'


def test_too_many_classes(tmp_path):
    photo(tmp_path/'a.jpg')
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[BOX])], [(i, f'c{i}') for i in range(1, 301)]))
    with pytest.raises(PixsegError, match='300 classes'): find_annotations(tmp_path)


def test_fill_rings_of_nothing():
    assert fill_rings([np.array([[1,1.2],[5,1.2],[5,1.3]])], SIZE)[2].size == 0
    assert pairs_to_counts('', 1).size == 0


# Predictions, and photographs that are elsewhere

def exported(root, end, n=4): put(root/'annotations.coco.json', to_coco([(f'{i}.{end}', MASK) for i in range(n)], LABELS))


@pytest.mark.parametrize('end', ['jpg','png','tif'])
@pytest.mark.parametrize('overlays', [False,True])
def test_a_prediction_never_stands_in_for_a_photograph(tmp_path, end, overlays):
    for i in range(4):
        save_mask(MASK, LABELS, tmp_path/f'{i}.png', software=MARK)
        if overlays: Image.new('RGB', SIZE[::-1]).save(tmp_path/f'{i}_overlay.jpg', exif=(e := Image.Exif(), e.__setitem__(305, MARK))[0])
    exported(tmp_path, end)
    with pytest.raises(PixsegError) as e: open_folder(tmp_path)
    assert f'speaks of 4 photographs not found (the first is 0.{end}); 0.png is a mask that pixseg predicted: put the photographs beside it' in str(e.value)
    photo(tmp_path/'photos'/'0.jpg') # some of them
    a = find_annotations(tmp_path)
    if end == 'jpg': assert 'speaks of 3 photographs not found (the first is 1.jpg); 1.png is a mask that pixseg predicted' in str(a.problems[0])
    assert [p.name for _,p,_ in a.splits['train']] == ['0.jpg']


def test_another_ending_is_told(tmp_path):
    for i in range(3): photo(tmp_path/f'{i}.jpg')
    exported(tmp_path, 'png', 3)
    data = open_folder(tmp_path)
    assert '3 photographs found under another ending (0.jpg for 0.png)' in data.notes and not data.problems
    exported(tmp_path, 'jpg', 3)
    assert not any('ending' in o for o in open_folder(tmp_path).notes)


def test_labelme_beside_its_photographs_and_predictions(tmp_path):
    for i in range(4):
        photo(tmp_path/f'{i}.jpg')
        save_mask(MASK, LABELS, tmp_path/f'{i}.png', software=MARK)
        put(tmp_path/f'{i}.json', to_labelme(f'{i}.jpg', MASK, LABELS))
    data = open_folder(tmp_path)
    assert data.form == 'LabelMe polygons' and {p.img.suffix for ps in data.splits.values() for p in ps} == {'.jpg'}
    assert '4 images that pixseg predicted passed over, for they lie beside photographs' in data.notes
    assert not any('left out' in o for o in data.notes)
    assert is_marked(tmp_path/'0.png') and not is_marked(tmp_path/'0.jpg') and not is_marked(tmp_path/'no.png')


def test_an_export_without_its_photographs_says_so(tmp_path):
    put(tmp_path/'annotations.xml', '<annotations><image name="a.jpg" width="64" height="48"><polygon label="car" points="1,1;9,1;9,9"/></image></annotations>')
    with pytest.raises(PixsegError, match=r'speaks of 1 photograph not found \(the first is a.jpg\): put the photographs beside it'): open_folder(tmp_path)


def test_background_that_is_made_is_said(tmp_path):
    for i in range(3): photo(tmp_path/f'{i}.jpg')
    exported(tmp_path, 'jpg', 3)
    assert '3 classes from annotations.coco.json, with background where no shape is' in open_folder(tmp_path).line


# What cannot be told from the numbers alone

@pytest.mark.parametrize('head,cell,words', [('id,label,bbox', '10 10 30 20', r'boxes only \(3\)'), ('id,label,box', '10 10', 'boxes only'), ('id,label,place', '10 10 30 20', '4 numbers in every cell of place: boxes, or runs'),
                                             ('id,label,centre', '10 10', '2 numbers in every cell of centre: points, or runs')])
def test_pairs_of_numbers_that_are_no_runs(tmp_path, head, cell, words):
    kaggle(tmp_path, head, [(n, 'cat', cell) for n in 'abc'])
    with pytest.raises(PixsegError, match=words): find_annotations(tmp_path)
    kaggle(tmp_path, head.rsplit(',', 1)[0]+',rle', [(n, 'cat', cell) for n in 'abc'])
    assert find_annotations(tmp_path).form == 'Kaggle run lengths'


def test_sizes_and_boxes_beside_runs(tmp_path):
    kaggle(tmp_path, 'id,size,bbox,rle', [(n, '48 64', '10 10 30 20', runs(MASK == 1)) for n in 'abc'])
    a = find_annotations(tmp_path)
    assert a.names.names == ('background','object') and np.array_equal(only(a).draw(SIZE), MASK == 1)
    kaggle(tmp_path, 'id,image_size', [(n, '48 64') for n in 'abc'])
    assert find_annotations(tmp_path) is None
    kaggle(tmp_path, 'id,centre,rle', [(n, '48 64', runs(MASK == 1)) for n in 'abc'])
    with pytest.raises(PixsegError, match='of centre'): find_annotations(tmp_path)


def test_a_column_of_runs_for_each_class(tmp_path):
    kaggle(tmp_path, 'id,box,disk', [(n, runs(MASK == 2), runs(MASK == 1)) for n in 'ab']+[('c', '', runs(MASK == 1))])
    a = find_annotations(tmp_path)
    assert a.names.names == ('background','box','disk') and np.array_equal(only(a).draw(SIZE), np.array([0,2,1])[MASK]) and any('box and disk' in o for o in a.notes)
    kaggle(tmp_path, 'id,class,box,disk', [(n, n, runs(MASK == 2), runs(MASK == 1)) for n in 'ab'])
    with pytest.raises(PixsegError, match='box and disk.*class in class'): find_annotations(tmp_path)


@pytest.mark.parametrize('column', ['organ','category_name'])
def test_a_column_of_words_is_the_class(tmp_path, column):
    rows = [(n, o, 'train', '3', runs(MASK == c)) for n in 'abc' for c,o in ((1,'spleen'), (2,'liver'))]
    kaggle(tmp_path, f'id,{column},split,fold,rle', rows)
    a = find_annotations(tmp_path)
    assert a.names.names == ('background','liver','spleen') and np.array_equal(only(a).draw(SIZE), np.array([0,2,1])[MASK])
    assert any('column organ of train.csv is taken for the class' in o for o in a.notes) == (column == 'organ')


def test_two_columns_that_may_be_the_class(tmp_path):
    rows = [(n, o, s, runs(MASK == c)) for n,s in zip('abc', ('male','female','male')) for c,o in ((1,'spleen'), (2,'liver'))]
    kaggle(tmp_path, 'id,organ,sex,rle', rows)
    with pytest.raises(PixsegError, match='several columns that may be the class: organ, sex'): find_annotations(tmp_path)
    kaggle(tmp_path, 'id,class,sex,rle', rows)
    assert find_annotations(tmp_path).names.names == ('background','liver','spleen')
    kaggle(tmp_path, 'id,stage,rle', [(n, str(c), runs(MASK == c)) for n in 'abc' for c in (1,2)])
    assert any('of one class: no other column (stage)' in o for o in find_annotations(tmp_path).notes)


def test_a_task_of_several_photographs(tmp_path):
    for n in ('a0','b0','a1','b1'): photo(tmp_path/f'{n}.jpg')
    area = lambda to,k: dict(studio(CAR)['annotations'][0]['result'][0], to_name=to, value=dict(CAR[1], polygonlabels=[k]))
    task = lambda i,*areas: dict(data=dict(img1=f'/data/upload/1/a{i}.jpg', img2=f'/data/upload/1/b{i}.jpg', note='x.5'), annotations=[dict(result=[*areas, dict(type='choices', to_name='no', value=dict(choices=['x']))])])
    put(tmp_path/'p.json', [task(0, area('img1', 'cat'), area('img2', 'dog')), task(1, area('img2', 'dog'))])
    a = find_annotations(tmp_path)
    assert {n: np.unique(s.draw(SIZE)).tolist() for n,_,s in a.splits['train']} == dict(a0=[0,1], b0=[0,2], a1=[0], b1=[0,2]) and not a.problems
    put(tmp_path/'p.json', [task(0, area('image', 'cat'))])
    with pytest.raises(PixsegError, match='several photographs in a task .img1, img2., and areas of image'): find_annotations(tmp_path)
    put(tmp_path/'p.json', [dict(studio(('polygonlabels', dict(CAR[1], polygonlabels=['car','occluded'])), image='https://x.org/a0.jpg?X-Date=1'))])
    assert 'an area of 2 classes (car, occluded)' in find_annotations(tmp_path).problems[0].what


def test_outlines_in_shares_where_pixels_are_meant(tmp_path):
    for n in 'ab': photo(tmp_path/f'{n}.jpg')
    shares = [v/(W,H)[i%2] for i,v in enumerate(BOX)]
    words = 'within 0..1: shares of width and height, wanted pixels'
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[shares]), dict(segmentation=[shares, shares])]))
    with pytest.raises(PixsegError, match='x.json has all corners '+words): find_annotations(tmp_path)
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[shares]), dict(segmentation=[BOX])])) # a speck
    assert find_annotations(tmp_path).problems == []
    (tmp_path/'x.json').unlink()
    one = lambda xy, n: put(tmp_path/f'{n}.json', labelme(('x', np.reshape(xy, (-1,2)).tolist(), 'polygon', {}), ('y', [[.5,.5],[.6,.5]], 'circle', {}), name=f'{n}.jpg'))
    one(shares, 'a')
    with pytest.raises(PixsegError, match=words): find_annotations(tmp_path)
    one(BOX, 'b')
    a = find_annotations(tmp_path)
    assert [(p.file, words in p.what) for p in a.problems] == [('a.json', True)]


def test_yolos_poses_and_oriented_boxes(tmp_path):
    line = '0 .1 .1 .5 .1 .5 .5 .1 .5'
    for n in 'abc':
        photo(tmp_path/'images'/f'{n}.png')
        put(tmp_path/'labels'/f'{n}.txt', line+'\n')
    said = lambda words: any(words in o for o in find_annotations(tmp_path).notes)
    assert said('all areas have four corners: oriented boxes?')
    put(tmp_path/'labels'/'c.txt', '0 .1 .1 .5 .1 .5 .5\n')
    assert not said('corners')
    for n in 'abc': put(tmp_path/'labels'/f'{n}.txt', line+' .1 .3\n')
    assert said('all areas have 5 corners: key points?')
    put(tmp_path/'data.yaml', 'train: images\nkpt_shape: [3, 2]\nnames: [person]\n')
    with pytest.raises(PixsegError, match='data.yaml has kpt_shape'): find_annotations(tmp_path)


def test_vias_attributes_that_may_be_the_class(tmp_path):
    photo(tmp_path/'a.jpg')
    region = lambda at,**a: dict(shape_attributes=dict(name='rect', x=at, y=at, width=8, height=8), region_attributes=a)
    project = lambda *rs: put(tmp_path/'via.json', {'a.jpg1': dict(filename='a.jpg', regions=list(rs))})
    project(region(0, label='cat', category='animal'), region(20, label='dog', category='animal'))
    with pytest.raises(PixsegError, match='several attributes that may be the class: category, label'): find_annotations(tmp_path)
    project(region(0, Class='cat', category='animal'), region(20, Class='dog', category='animal'))
    assert find_annotations(tmp_path).names.names == ('background','cat','dog')
    project(region(0, label='cat', category='c'), region(20, label='dog', category='d')) # the same, said twice
    assert len(find_annotations(tmp_path).names.names) == 3
    project(region(0, label='cat'), region(20), region(20, label={'cat':True, 'dog':True}))
    a = find_annotations(tmp_path)
    assert a.names.names == ('background','cat') and [p.what.split(' (a')[0] for p in a.problems] == ['has a region without its label', 'has a region of 2 classes (cat, dog)']
    project(region(0), region(20))
    assert find_annotations(tmp_path).names.names == ('background','object') and not find_annotations(tmp_path).problems


def test_coco_files_that_are_passed_over_are_named(tmp_path):
    photo(tmp_path/'a.jpg')
    for n in ('instances','stuff','person_keypoints','captions'): put(tmp_path/f'{n}_val2017.json', coco(['a.jpg'], [dict(segmentation=[BOX])]))
    a = find_annotations(tmp_path)
    assert [o.split(' passed')[0] for o in a.notes if 'passed over' in o] == ['stuff_val2017.json'] and a.problems == []
    for n in ('instances','person_keypoints','captions'): (tmp_path/f'{n}_val2017.json').unlink()
    os.replace(tmp_path/'stuff_val2017.json', tmp_path/'stuff_instances.json')
    assert find_annotations(tmp_path).form == 'COCO polygons'


@pytest.mark.parametrize('url', ['coco_url','flickr_url'])
def test_lvis_has_addresses_and_no_names(tmp_path, url):
    for n in ('1','2'): photo(tmp_path/'train2017'/f'{n}.jpg')
    for s,n in (('train','1'), ('val','2')):
        d = coco(['x'], [dict(segmentation=[BOX])])
        d['images'] = [{'id':0, 'height':H, 'width':W, url:f'http://x.org/train2017/{n}.jpg?a=1'}]
        put(tmp_path/f'lvis_v1_{s}.json', d)
        if url == 'flickr_url': break
    a = find_annotations(tmp_path)
    assert {s: [n for n,*_ in ps] for s,ps in a.splits.items()} == dict(train=['train2017/1'], **({'val':['train2017/2']} if url == 'coco_url' else {}))
    assert not a.problems


def test_a_category_that_stands_above_itself_is_a_class(tmp_path):
    photo(tmp_path/'a.jpg')
    cats = [dict(id=1, name='person', supercategory='person'), dict(id=2, name='car', supercategory='vehicle'), dict(id=3, name='vehicle', supercategory='none')]
    put(tmp_path/'x.json', coco(['a.jpg'], [dict(segmentation=[BOX], category_id=2)], cats))
    a = find_annotations(tmp_path)
    assert a.names.names == ('background','person','car') and any('vehicle' in o and 'person' not in o for o in a.notes)


def counts_of(a, order):
    "Counts of pixels outside and inside in turn, by columns or by rows."
    flat = np.concatenate([[0], a.ravel(order=order).astype(int)])
    at = [0, *np.flatnonzero(np.diff(flat)), a.size]
    return np.diff(at).tolist()


@pytest.mark.parametrize('order', 'FC')
@pytest.mark.parametrize('size, box', (((48, 64), True), ((48, 64), False), ((48, 48), True)))
def test_run_lengths_along_the_rows_are_known_by_boxes_or_outlines(tmp_path, order, size, box):
    a = np.zeros(size, bool)
    a[5:15, 8:38] = True
    photo(tmp_path/'a.jpg', size)
    seg = dict(image_id=1, category_id=1, segmentation=dict(size=[*size], counts=counts_of(a, order)), **(dict(bbox=[8, 5, 30, 10]) if box else {}))
    put(tmp_path/'c.json', dict(images=[dict(id=1, file_name='a.jpg', height=size[0], width=size[1])], annotations=[seg], categories=[dict(id=1, name='cat')]))
    data = find_annotations(tmp_path)
    assert (only(data).draw(size) == a).all()
    assert ('run lengths in c.json go along the rows, as their boxes or outlines show' in data.notes) == (order == 'C') and not any('nothing in them' in o for o in data.notes)


def test_run_lengths_on_a_square_photograph_say_not_how_they_go(tmp_path):
    a = np.zeros((48, 48), bool)
    a[5:15, 8:38] = True
    photo(tmp_path/'a.jpg', a.shape)
    put(tmp_path/'c.json', dict(images=[dict(id=1, file_name='a.jpg', height=48, width=48)], categories=[dict(id=1, name='cat')],
                                annotations=[dict(image_id=1, category_id=1, segmentation=dict(size=[48, 48], counts=counts_of(a, 'F')))]))
    data = find_annotations(tmp_path)
    assert (only(data).draw(a.shape) == a).all() and any('nothing in them tells' in o for o in data.notes)


def test_label_studio_has_several_photographs_in_a_list(tmp_path):
    for n in 'abc': photo(tmp_path/f'{n}.jpg')
    area = lambda i, name, x: dict(original_width=W, original_height=H, to_name='img', **({} if i is None else dict(item_index=i)), type='polygonlabels',
                                   value=dict(points=[[x, 0], [x+25, 0], [x+25, 50], [x, 50]], polygonlabels=[name]))
    task = lambda *areas: [dict(data=dict(pages=['/data/upload/a.jpg', '/data/upload/b.jpg']), annotations=[dict(result=[*areas])])]
    put(tmp_path/'e.json', task(area(0, 'cat', 0), area(1, 'dog', 50)))
    data = find_annotations(tmp_path)
    a, b = (s.draw(SIZE) for *_, s in data.splits['train'])
    assert data.names.names == ('background', 'cat', 'dog') and a[0, ::16].tolist() == [1, 0, 0, 0] and b[0, ::16].tolist() == [0, 0, 2, 0]
    put(tmp_path/'e.json', task(area(0, 'cat', 0), area(None, 'dog', 50)))
    with pytest.raises(PixsegError, match='do not say which of them they are of'): find_annotations(tmp_path)


def test_shares_in_a_part_of_a_file_are_a_problem(tmp_path):
    for n in 'ab': photo(tmp_path/f'{n}.jpg')
    area = lambda i, seg: dict(image_id=i, category_id=1, segmentation=[seg])
    coco = lambda *areas: put(tmp_path/'c.json', dict(images=[dict(id=i, file_name=f'{n}.jpg', height=H, width=W) for i, n in enumerate('ab')],
                                                      annotations=[*areas], categories=[dict(id=1, name='cat')]))
    coco(area(0, BOX), area(1, [.1, .1, .8, .1, .8, .8]))
    assert [str(p) for p in find_annotations(tmp_path).problems] == [
        'c.json has 1 outline with all corners within 0..1, beside others in pixels (b.jpg): multiply x by the width and y by the height']
    coco(area(0, BOX), area(1, [.1, .1, .8, .1, .8, .8]), area(1, BOX))
    assert any('specks, or shares' in o for o in find_annotations(tmp_path).notes)
    coco(area(0, BOX), area(1, [0, 0, 1, 0, 1, 1, 0, 1]))
    assert not find_annotations(tmp_path).problems


# Exports of more tools

CAR_RING,ROAD_RING,HOLE_RING = [[4,4],[20,4],[20,20],[4,20]],[[30,6],[50,6],[50,26],[30,26]],[[8,8],[16,8],[16,16],[8,16]]
SHARE = dict(car=256, road=400) # pixels of each
share = lambda r: [(a/W, b/H) for a,b in r]
corner = lambda r: [dict(x=a, y=b) for a,b in r]
both = lambda f: [f('car', CAR_RING), f('road', ROAD_RING)]
closed = lambda c,r: dict(category=c, poly2d=[dict(vertices=r, types='L'*len(r), closed=True)])
labelbox = lambda labels, **row: dict(data_row=row, media_attributes=dict(width=W, height=H), projects=dict(p=dict(labels=[dict(annotations=dict(objects=o)) for o in labels])))
outlined = lambda c,r: dict(name=c, annotation_kind='ImagePolygon', polygon=corner(r))
encord = lambda *objects: [dict(data_units=dict(u=dict(data_title='a.jpg', width=W, height=H, labels=dict(objects=list(objects)))))]
shares = lambda c,r: dict(name=c, shape='polygon', polygon={str(i): p for i,p in enumerate(corner(share(r)))})
via3 = lambda options, kind, *shapes: dict(project={}, file={'1': dict(fname='a.jpg')}, view={'1': dict(fid_list=['1'])}, attribute={'1': dict(aname='class', type=kind, options=options)},
                                           metadata={f'1_{i}': dict(vid='1', xy=xy, av={'1': v}) for i,(v,xy) in enumerate(shapes)})
flat = lambda r: [v for p in r for v in p]
tissue = lambda c,r: dict(type='Feature', geometry=dict(type='Polygon', coordinates=[r]), properties=dict(objectType='annotation', classification=c))
EXPORTS = {
    'BDD100K': [dict(name='a.jpg', labels=both(closed))], 'Scalabel': dict(config={}, frames=[dict(name='a.jpg', labels=both(closed))]),
    'BDD100K of 2018': dict(name='a', frames=[dict(timestamp=1, objects=[*both(lambda c,r: dict(category=c, poly2d=[[*p, 'L'] for p in r])), dict(category='lane/road curb', poly2d=[[0,0,'L'],[9,0,'C'],[9,9,'C'],[0,9,'L']])])]),
    'BDD100K, run lengths': [dict(name='a.jpg', labels=[closed('car', CAR_RING), dict(category='road', rle=dict(size=[H,W], counts=[30*H+6, *([20,28]*19), 20, 694]))])],
    'Cityscapes': dict(imgWidth=W, imgHeight=H, objects=both(lambda c,r: dict(label=c, polygon=r))),
    'Labelbox': labelbox([both(outlined)], external_id='a.jpg'), 'Labelbox, its own keys': labelbox([both(outlined)], global_key='a.jpg'), 'Labelbox, from an address': labelbox([both(outlined)], row_data='https://b/a.jpg?token=1'),
    'Labelbox of 2021': [{'External ID': 'a.jpg', 'Label': dict(objects=both(lambda c,r: dict(title=c, polygon=corner(r), instanceURI='https://a')))}],
    'Encord': encord(*both(shares)), 'Encord, polygons': encord(*both(lambda c,r: {**shares(c, r), 'polygons': [[flat(share(r))]]})),
    'Hasty': dict(label_classes=[], images=[dict(image_name='a.jpg', width=W, height=H, labels=both(lambda c,r: dict(class_name=c, polygon=r)))]),
    'Datumaro': dict(categories=dict(label=dict(labels=[dict(name='road'), dict(name='car')])), items=[dict(id='a', image=dict(path='a.jpg', size=[H,W]), annotations=both(lambda c,r: dict(type='polygon', label_id=int(c == 'car'), points=flat(r))))]),
    'VIA 3': via3({'0': 'car', 'R': 'road'}, 4, ('0', [7, *flat(CAR_RING)]), ('R', [2, 30, 6, 20, 20])), 'VIA 3, words': via3({}, 1, ('car', [7, *flat(CAR_RING)]), ('road', [7, *flat(ROAD_RING)])),
    'QuPath': dict(type='FeatureCollection', features=both(lambda c,r: tissue(dict(name=c), r)))}


def export_pixels(root, d):
    "Pixels of each class but what lies behind, after an export was put beside a photograph."
    photo(root/'a.jpg')
    put(root/('a.geojson' if isinstance(d, dict) and 'features' in d else 'a.json'), d)
    a = find_annotations(root)
    assert not a.problems
    mask = only(a).draw(SIZE)
    return {o: int((mask == i).sum()) for i,o in enumerate(a.names.names) if i}, a


@pytest.mark.parametrize('tool', EXPORTS)
def test_an_export_is_read(tmp_path, tool): assert export_pixels(tmp_path, EXPORTS[tool])[0] == SHARE


def test_holes_of_exports_stay_holes(tmp_path):
    "Encord says an outline twice, and only once with its holes; a class of QuPath may stand below another."
    whole = {**shares('car', CAR_RING), 'polygons': [[flat(share(CAR_RING)), flat(share(HOLE_RING))]]}
    assert export_pixels(tmp_path/'encord', encord(whole, shares('road', ROAD_RING)))[0] == dict(car=192, road=400)
    cells = dict(type='FeatureCollection', features=[tissue(dict(name='road'), ROAD_RING), tissue(dict(names=['car', 'old']), CAR_RING)])
    cells['features'][1]['geometry']['coordinates'] = [CAR_RING, HOLE_RING]
    assert export_pixels(tmp_path/'qupath', cells)[0] == {'car: old': 192, 'road': 400}
    whole['polygons'][0][0][0] += .5
    with pytest.raises(PixsegError, match='two outlines of one thing'): export_pixels(tmp_path/'differ', encord(whole))


@pytest.mark.parametrize('d,why', [
    (labelbox([both(outlined), both(outlined)], external_id='a.jpg'), '2 labels of a.jpg, as of several people: export one'),
    (labelbox([[outlined('car', CAR_RING), dict(name='road', composite_mask=dict(url='https://a', color_rgb=[1,2,3]))]], external_id='a.jpg'), "masks that lie on Labelbox's server: export outlines"),
    ([{'External ID': 'a.jpg', 'Label': dict(objects=[dict(title='car', instanceURI='https://a')])}], "masks that lie on Labelbox's server"),
    (encord(shares('car', CAR_RING), dict(name='road', shape='bitmask', bitmask=dict(rleString='a'))), r"painted with Encord's brush \(road\): export as COCO"),
    ([dict(data_units=dict(u=dict(data_title='a.jpg', width=W, height=H, labels={'0': dict(objects=[shares('car', CAR_RING)])})))], 'labels by frame of a video'),
    (via3({'0': 'car', '1': 'road'}, 2, ('0,1', [7, *flat(CAR_RING)])), r'whose class is 0,1, wanted one of its options \(car, road\)'),
    (via3({'0': 'car'}, 4, ('0', [8, *flat(CAR_RING)])), 'an extreme rectangle or circle'),
    ([dict(name='a.jpg', labels=[dict(category='car', poly2d=[dict(vertices=CAR_RING, types='LCCC', closed=True)])])], "a curved outline"),
    (dict(dataset=dict(samples=[dict(uuid='u', labels={})])), 'Segments.ai, whose masks lie on its server: export it as masks or COCO')])
def test_an_export_that_would_be_read_wrong_is_refused(tmp_path, d, why):
    with pytest.raises(PixsegError, match=why): export_pixels(tmp_path, d)


@pytest.mark.parametrize('d,kinds', [
    ([dict(name='a.jpg', labels=[dict(category='car', box2d={}), dict(category='lane', poly2d=[dict(vertices=CAR_RING, types='LLLL', closed=False)])])], '2 lane or box'),
    (labelbox([[dict(name='car', annotation_kind='ImageBoundingBox', bounding_box={})]], external_id='a.jpg'), '1 ImageBoundingBox'),
    (encord(dict(name='car', shape='bounding_box')), '1 bounding_box'),
    (dict(label_classes=[], images=[dict(image_name='a.jpg', width=W, height=H, labels=[dict(class_name='car', bbox=[0,0,9,9])])]), '1 box'),
    (dict(categories=dict(label=dict(labels=[dict(name='car')])), items=[dict(id='a', annotations=[dict(type='bbox', label_id=0)])]), '1 bbox'),
    (dict(imagePath='a.jpg', shapes=[dict(label='car', shape_type='line', points=[[0,0],[9,9]])]), '1 line')])
def test_an_export_without_any_outline_is_no_background(tmp_path, d, kinds):
    "Boxes and lines alone would be photographs with nothing on them."
    with pytest.raises(PixsegError, match=f'nothing with an outline, only {kinds}: draw outlines'): export_pixels(tmp_path, d)


def test_outlines_of_frames_that_recur(tmp_path):
    "India Driving counts the frames of each folder anew; the outlines of gtFine/train/1 belong to leftImg8bit/train/1. A group of cars is cars."
    for n,names in ((0, ('car', 'road')), (1, ('road', 'cargroup'))):
        photo(tmp_path/f'leftImg8bit/train/{n}/frame7_leftImg8bit.png')
        put(tmp_path/f'gtFine/train/{n}/frame7_gtFine_polygons.json', dict(imgWidth=W, imgHeight=H, objects=[dict(label=o, polygon=r) for o,r in zip(names, (CAR_RING, ROAD_RING))]))
    a = find_annotations(tmp_path)
    assert not a.problems and a.names.names == ('background', 'car', 'road')
    at = {img.parent.name: mask.draw(SIZE) for _,img,mask in a.splits['train']}
    assert {n: [int(m[10, 10]), int(m[10, 40]), int(m[40, 5])] for n,m in at.items()} == {'0': [1, 2, 0], '1': [2, 1, 0]}


def test_what_nobody_has_labelled_is_no_background(tmp_path):
    "Labelbox lists all photographs; those that wait or were skipped teach nothing."
    for o in 'abc': photo(tmp_path/f'{o}.jpg')
    put(tmp_path/'export.json', [labelbox([both(outlined)], external_id='a.jpg'), labelbox([[]], external_id='b.jpg'), labelbox([], external_id='c.jpg')])
    found = find_annotations(tmp_path)
    assert sorted(name for rows in found.splits.values() for name, *_ in rows) == ['a', 'b'] and any('1 photograph without annotations left out' in o for o in found.notes)
    put(tmp_path/'export.json', [{'External ID': 'a.jpg', 'Label': 'Skip'}])
    with pytest.raises(PixsegError, match='no photograph is labelled'): find_annotations(tmp_path)


@pytest.mark.parametrize('d', [[dict(data_row=5, projects=dict(p=dict(labels=[{}])))], dict(items=[dict(id='a', image=5)], categories=dict(label=None)), [dict(data_units=dict(a=5))],
                               dict(project={}, metadata={'1': dict(vid='1', xy=[2, 5], av={'1': 'car'})}, file={'1': dict(fname='a.jpg')})])
def test_an_odd_export_is_refused_by_its_name(tmp_path, d):
    photo(tmp_path/'a.jpg')
    put(tmp_path/'export.json', d)
    with pytest.raises(PixsegError, match='export.json resembles an export of'): find_annotations(tmp_path)
