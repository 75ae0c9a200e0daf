"Shards: a writer and a training that are killed, two processes, and all that a tar file can have wrong."
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pytest
from PIL import Image

from pixseg.cli import main
from pixseg.io.check import check_data
from pixseg.io.convert import convert_data
from pixseg.io.files import PixsegWarning
from pixseg.io.folder import find_labels, find_pairs, open_folder
from pixseg.io.pairs import read_pair
from pixseg.io.reading import DataSet
from pixseg.io.shards import _opened, find_shards, index_file, photo_and_mask, Shard, write_shards
from pixseg.io.split import MixedData, read_split, StreamData
from pixseg.io.streets import draw_shards, draw_streets
from pixseg.labels import CAMVID, PixsegError
from pixseg.loader import SegDL
from pixseg.run.train import read_csv, train_run

pytestmark = pytest.mark.filterwarnings('ignore::pixseg.io.files.PixsegWarning')
RUN = dict(width=4, depth=2, bs=4, seed=0, device='cpu')


@pytest.fixture(scope='module')
def root(tmp_path_factory): return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=16, val=5, test=0, size=(48, 64), seed=0)


@pytest.fixture(scope='module')
def shards(root): return convert_data(root, root.parent/'shards', 'shards', shard_mb=.04)


def content(folder): return {p.name: hashlib.md5(p.read_bytes()).hexdigest() for p in folder.iterdir()}
def rows(run): return [{k:v for k,v in row.items() if k != 'seconds'} for row in read_csv(run/'metrics.csv')]


def write_tar(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, 'w') as tar:
        for name,data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def coded(a, kind='PNG'):
    file = io.BytesIO()
    Image.fromarray(a).save(file, kind)
    return file.getvalue()


PHOTO,MASK = coded(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8), 'JPEG'),coded((np.arange(768).reshape(24, 32)//384).astype(np.uint8))


def samples(n=4, end='.png'): return [o for i in range(n) for o in ((f'{i:04}.jpg', PHOTO), (f'{i:04}{end}', MASK))]


def test_the_same_bytes_whoever_writes_them(root, shards, tmp_path):
    again = convert_data(root, tmp_path/'again', 'shards', shard_mb=.04)
    assert content(again) == content(shards) and len([*shards.glob('*.tar')]) > 3
    back = open_folder(convert_data(shards, tmp_path/'back'))
    table = back.labels.table(back.labels)
    for split,pairs in open_folder(root).splits.items():
        for p,q in zip(pairs, back.splits[split], strict=True):
            assert p.img.read_bytes() == q.img.read_bytes()
            assert np.array_equal(read_pair(p, table)[1], read_pair(q, table)[1])


def test_a_killed_writer_goes_on(tmp_path):
    args = ['data', 'draw', '--train', '40', '--val', '4', '--test', '0', '--size', '48x64', '--shard-mb', '.02', '--workers', '0']
    assert main([*args, str(tmp_path/'whole')]) == 0
    writer = subprocess.Popen([sys.executable, '-m', 'pixseg.cli', *args, str(tmp_path/'cut')])
    while not len([*(tmp_path/'cut').glob('*.index.json')]) > 1: assert writer.poll() is None; time.sleep(.01)
    writer.kill(); writer.wait()
    assert writer.returncode == -signal.SIGKILL
    with pytest.raises(PixsegError, match='writing was not finished: give the command that wrote them once more'): find_pairs(tmp_path/'cut')
    there = {index_file(p): index_file(p).stat().st_mtime_ns for p in (tmp_path/'cut').glob('*.tar') if index_file(p).is_file()}
    (tmp_path/'cut'/'.train-000009.tar.01234567.part').write_bytes(b'half')
    assert main([*args, str(tmp_path/'cut')]) == 0
    assert content(tmp_path/'cut') == content(tmp_path/'whole')
    assert len(there) > 1 and all(p.stat().st_mtime_ns == t for p,t in there.items())


def test_drawing_processes_change_nothing(tmp_path):
    args = dict(train=5, val=1, test=0, size=(48, 64))
    script = f'from pixseg.io.streets import draw_shards\nif __name__ == "__main__": draw_shards({str(tmp_path/"two")!r}, workers=2, **{args})\n'
    (tmp_path/'draw.py').write_text(script)
    subprocess.run([sys.executable, tmp_path/'draw.py'], check=True)
    assert content(tmp_path/'two') == content(draw_shards(tmp_path/'one', **args))


def test_photographs_that_change_amid_the_writing_are_written_anew(root, tmp_path):
    copy = shutil.copytree(root, tmp_path/'copy')
    def stop(done, total):
        if done == 12: raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): convert_data(copy, tmp_path/'out', 'shards', stop, .04)
    with pytest.raises(PixsegError, match='another state or size: choose a new folder'): convert_data(copy, tmp_path/'out', 'shards', shard_mb=.05)
    first = sorted((copy/'train').iterdir())[0]
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(first)
    out = convert_data(copy, tmp_path/'out', 'shards', shard_mb=.04)
    assert {k for k,v in content(out).items()} == {k for k,v in content(convert_data(copy, tmp_path/'new', 'shards', shard_mb=.04)).items()}
    assert find_pairs(out)[0].img.opened().read() == first.read_bytes()
    os.utime(first, (1, 1))
    with pytest.raises(PixsegError, match='another state'): convert_data(copy, out, 'shards', shard_mb=.04)


def test_nothing_of_others_is_overwritten(root, shards, tmp_path):
    (tmp_path/'full').mkdir(); (tmp_path/'full'/'notes.txt').write_text('mine')
    with pytest.raises(PixsegError, match='is not empty'): convert_data(root, tmp_path/'full', 'shards')
    with pytest.raises(PixsegError, match='is not empty'): draw_shards(tmp_path/'full', train=1)
    with pytest.raises(PixsegError, match='lies in the data folder'): convert_data(root, root/'shards', 'shards')
    before = content(shards)
    with pytest.raises(PixsegError, match='holds shards of other data'): draw_shards(shards, train=1)
    with pytest.raises(PixsegError, match='is no size'): draw_shards(tmp_path/'new', train=1, shard_mb=0)
    assert content(shards) == before and [p.name for p in (tmp_path/'full').iterdir()] == ['notes.txt']


KILLED = '''
import json, os, signal, sys
from fastai.callback.core import Callback
from pixseg.run.train import train_run
class Kill(Callback):
    def after_batch(self):
        if self.training and (self.epoch, self.iter) == (2, 1): os.kill(os.getpid(), signal.SIGKILL)
train_run(sys.argv[1], sys.argv[2], epochs=4, progress=False, say=lambda text: None, cbs=[Kill()], **json.loads(sys.argv[3]))
'''


def test_a_killed_training_goes_on_in_the_same_order(root, shards, tmp_path, monkeypatch):
    monkeypatch.setenv('PIXSEG_CACHE', 'off'); monkeypatch.setenv('PIXSEG_MEMORY_GB', '1e-6') # streamed, not held
    orders,draw = [],SegDL.shuffle_fn
    monkeypatch.setattr(SegDL, 'shuffle_fn', lambda self, idxs: orders.append(draw(self, idxs)) or orders[-1])
    quiet = dict(progress=False, say=lambda text: None)
    train_run(shards, tmp_path/'whole', epochs=4, **quiet, **RUN)
    whole = [*orders]
    killed = subprocess.run([sys.executable, '-W', 'ignore', '-c', KILLED, shards, tmp_path/'cut', json.dumps(RUN)])
    n = len(rows(tmp_path/'cut')) # an epoch's line is written while the next one runs
    assert killed.returncode == -signal.SIGKILL and 0 < n < 3
    orders.clear()
    train_run(shards, tmp_path/'cut', resume=True, **quiet)
    assert rows(tmp_path/'cut') == rows(tmp_path/'whole')
    assert orders == whole[n:] and len({*map(tuple, whole)}) == 4
    monkeypatch.setenv('PIXSEG_MEMORY_GB', '1')
    train_run(root, tmp_path/'files', epochs=4, **quiet, **RUN) # in memory, from files
    assert rows(tmp_path/'files') == rows(tmp_path/'whole')


def test_two_processes_take_halves_of_the_batches_of_one(shards, monkeypatch):
    labels = find_labels(shards)
    data = read_split(find_pairs(shards), labels.void_last(), labels, cache=False, memory=0)
    taken = []
    monkeypatch.setattr(data, '_start', lambda idxs: taken.append(list(idxs)) or StreamData._start(data, idxs))
    def epoch(rank, world):
        taken.clear()
        monkeypatch.setattr('pixseg.ranks._now', dict(rank=rank, world=world, accelerator=None, control=None))
        for _ in SegDL(data, bs=4, shuffle=True, seed=1, device='cpu'): pass
        return [*taken]
    alone,first,second = epoch(0, 1),epoch(0, 2),epoch(1, 2)
    assert type(data) is StreamData and [a+b for a,b in zip(first, second, strict=True)] == alone and sorted(sum(alone, [])) == list(range(16))


def spoilt(shards, tmp_path): return shutil.copytree(shards, tmp_path/'spoilt')


def test_shards_and_indices_that_do_not_fit(shards, tmp_path):
    def refused(words, change):
        folder = spoilt(shards, tmp_path)
        change(folder, folder/'train-000000.tar', folder/'train-000000.index.json')
        with pytest.raises(PixsegError, match=words):
            for p in find_pairs(folder): read_pair(p, np.arange(256, dtype=np.uint8))
        shutil.rmtree(folder)
    cut = lambda p, n: p.write_bytes(p.read_bytes()[:n])
    refused('train-000000.tar has 5000 bytes, but', lambda d, tar, index: cut(tar, 5000))
    refused('train-000000.index.json is no index', lambda d, tar, index: cut(index, 100))
    refused('train-000000.index.json is no index', lambda d, tar, index: index.write_text('[]'))
    refused('train-000001.tar is missing: copy all of the', lambda d, tar, index: (d/'train-000001.tar').unlink())
    refused('train-000000.index.json is missing', lambda d, tar, index: index.unlink())
    refused('train-000099.tar is not one of the shards', lambda d, tar, index: shutil.copy(tar, d/'train-000099.tar'))
    refused('shards.json is no note', lambda d, tar, index: cut(d/'shards.json', 9))
    for shards_are in ([], {'train-000000.tar': 3}, {'train-000000.tar': [None, 'x']}):
        refused('shards.json is no note', lambda d, tar, index: (d/'shards.json').write_text(json.dumps(dict(pixseg=1, done='x', source='y', shards=shards_are)))) # noqa: B023
    def moved(d, tar, index):
        o = json.loads(index.read_text())
        o['samples'][0][2][1] += 512
        index.write_text(json.dumps(o))
    refused('train-000000.tar does not have .* where its index says', moved)
    def swapped(d, tar, index): # of one length
        data = tar.read_bytes()
        tar.write_bytes(data[:512].replace(b'S0', b'T0')+data[512:])
    refused('train-000000.tar does not have S0', swapped)
    def mixed(d, tar, index): # two conversions, one copied over the other as far as it went
        for p in (tar, index): shutil.copy(str(p).replace('000000', '000001'), p)
    refused('train-000000.tar is not the one that shards.json was written with', mixed)


def test_what_lies_about_in_a_folder_of_shards(shards, tmp_path):
    folder = spoilt(shards, tmp_path)
    for name in ('preview.png', '._train-000000.tar', '@eaDir/train-000000.tar'):
        (folder/name).parent.mkdir(exist_ok=True)
        (folder/name).write_bytes(b'no tar file')
    names = lambda d: [p.name for s in ('train', 'val') for p in find_pairs(d, s)]
    assert names(folder) == names(shards)


def test_a_shard_that_shrinks_while_it_is_read(shards, tmp_path):
    folder = spoilt(shards, tmp_path)
    pairs = find_pairs(folder)
    for p in folder.glob('*.tar'): os.truncate(p, 1000)
    with pytest.raises(PixsegError, match='tar is shorter than it was'): read_pair(pairs[-1], np.arange(256, dtype=np.uint8))


def test_a_mount_that_gives_less_than_it_is_asked_for(shards, monkeypatch):
    pairs,table = find_pairs(shards),np.arange(256, dtype=np.uint8)
    want,pread = [read_pair(p, table) for p in pairs],os.pread
    monkeypatch.setattr(os, 'pread', lambda fd, n, at: pread(fd, min(n, 1000), at))
    for p,(img,mask) in zip(pairs, want, strict=True): assert np.array_equal(read_pair(p, table)[0], img) and np.array_equal(read_pair(p, table)[1], mask)


def test_a_pair_is_one_read(shards, monkeypatch):
    pairs,asked,read = find_pairs(shards),[],Shard.read
    monkeypatch.setattr(Shard, 'read', lambda self, start, n: asked.append(self.path) or read(self, start, n))
    labels = find_labels(shards)
    for _ in SegDL(StreamData(pairs, labels, labels.table(labels), (48, 64)), bs=4, device='cpu'): pass
    assert sorted(asked) == sorted(p.img.shard.path for p in pairs)


def test_the_index_of_a_shard_that_is_no_longer_wanted_goes_with_it(tmp_path):
    args = dict(train=12, val=0, test=0, size=(48, 64), shard_mb=.02)
    def stop(done, total):
        if done == 9: raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): draw_shards(tmp_path/'s', progress=stop, **args)
    shutil.copy(tmp_path/'s'/'train-000000.index.json', tmp_path/'s'/'train-000099.index.json') # its tar is gone: killed in between
    assert content(draw_shards(tmp_path/'s', **args)) == content(draw_shards(tmp_path/'new', **args))


def test_many_threads_read_few_open_files(shards, monkeypatch):
    monkeypatch.setattr('pixseg.io.shards._opened', lru_cache(1)(_opened.__wrapped__)) # each closes what another one may be reading from
    pairs = find_pairs(shards)
    files = [p.img.opened().read() for p in pairs]
    with ThreadPoolExecutor(8) as pool: assert [*pool.map(lambda p: p.img.opened().read(), pairs*100)] == files*100


@pytest.mark.parametrize('words,files', [
    ('/0004.jpg has no mask in its shard', [*samples(), ('0004.jpg', PHOTO)]),
    ('/0004.png has no photograph|/0004.png has no mask', [*samples(), ('0004.png', MASK)]),
    ('0-00.tar has two files 0003.jpg: write it again', [*samples(), ('0003.jpg', PHOTO)]),
    ('0004 .*has the files .jpg, .depth.png: name the mask', [*samples(), ('0004.jpg', PHOTO), ('0004.depth.png', MASK)]),
    ('has the files .jpg, .png, .webp: name the mask', [*samples(), ('0003.webp', PHOTO)])])
def test_samples_that_are_no_pairs(words, files, tmp_path):
    write_tar(tmp_path/'s'/'0-00.tar', files)
    with pytest.raises(PixsegError, match=words): find_pairs(tmp_path/'s')


def test_tar_files_that_are_none(tmp_path):
    tar = write_tar(tmp_path/'s'/'train-00.tar', samples())
    data = tar.read_bytes()
    for n in (100, 512, 700, len(samples()[0][1])+600, data.rindex(MASK)+512, data.rindex(MASK)+20): # in a header, behind one, in a file, before the end's zeros
        tar.write_bytes(data[:n])
        with pytest.raises(PixsegError, match='train-00.tar is no whole tar file'): find_pairs(tmp_path/'s')
    tar.write_bytes(data+data) # `cat` of two
    with pytest.raises(PixsegError, match='train-00.tar is no whole tar file .something follows its end'): find_pairs(tmp_path/'s')
    tar.write_bytes(data+bytes(3*2**20))
    assert sum(len(find_pairs(tmp_path/'s', s)) for s in ('train', 'val')) == 4
    tar.write_bytes(b'\x1f\x8b'+data)
    with pytest.raises(PixsegError, match='train-00.tar is no whole tar file'): find_pairs(tmp_path/'s')


def test_other_tools_shards(tmp_path):
    folder = tmp_path/'s'
    write_tar(folder/'train-00.tar', [('./readme.md', b'#'), *((f'./{n}', d) for n,d in samples(end='.seg.png'))])
    write_tar(folder/'train-01.tar', samples()) # numbered anew
    write_tar(folder/'val'/'00.tar', [(f'{"long"*40}/ümlaut{n}', d) for n,d in samples(2)])
    with pytest.warns(PixsegWarning, match='3 shards without an index looked through'): data = find_pairs(folder)
    assert [p.name for p in data] == [f'train-{s:02}/{i:04}' for s in range(2) for i in range(4)]
    assert '1 sample without a picture passed over' in open_folder(folder).line and not open_folder(folder).native
    img,mask = read_pair(find_pairs(folder, 'val')[1], np.arange(256, dtype=np.uint8))
    assert img.shape == (24, 32, 3) and np.array_equal(mask, np.arange(768).reshape(24, 32)//384)
    assert check_data(folder).ok is False # each photograph stands in train and in val
    assert {p.file.split('.tar')[0] for p in check_data(folder).problems} == {'val/00'}


def test_shards_that_are_numbered_anew_in_each_folder_and_one_without_a_number(tmp_path):
    folder = tmp_path/'s'
    for name in ('a/0.tar', 'b/0.tar', 'val.tar'): write_tar(folder/name, samples())
    with pytest.warns(PixsegWarning, match='2 of 3 shards name no split and are taken for train .the first is 0.tar'): data = find_pairs(folder)
    assert [p.name for p in data] == [f'{d}/0/{i:04}' for d in 'ab' for i in range(4)] and len(find_pairs(folder, 'val')) == 4
    (folder/'val.tar').rename(folder/'val.tar.gz')
    with pytest.raises(PixsegError, match='val.tar.gz lies among shards, but is compressed'): find_pairs(folder)


def test_an_odd_mask_is_named_by_shard_and_sample(root, tmp_path):
    data = open_folder(root)
    odd = data.splits['train'][2]._replace(mask=np.full((48, 64), 3, np.uint8))
    made = convert_data(DataSet(root, 'a list', {'train': [*data.splits['train'][:2], odd], 'val': data.splits['val']}, data.labels), tmp_path/'s', 'shards')
    (made/'codes.txt').write_text('a\nb\nVoid\n')
    with pytest.raises(PixsegError, match=r'train-000000.tar/S0000_0000.mask.png has the values'): read_split(find_pairs(made), *[find_labels(made)]*2)
    report = check_data(made)
    assert 'train-000000.tar/S0006_0000.mask.png' in [p.file for p in report.problems]


def test_sizes_come_from_the_index(root, tmp_path, monkeypatch):
    wide = draw_streets(tmp_path/'wide', train=3, val=1, test=0, size=(48, 80))
    for kind in ('train', 'trainannot'): shutil.copy(root/kind/'S0000_0000.png', wide/kind/'other.png')
    labels,pairs = find_labels(wide),find_pairs(convert_data(wide, tmp_path/'s', 'shards'))
    monkeypatch.setattr('pixseg.io.shards.Shard.read', lambda *args: pytest.fail('a photograph was opened'))
    assert sorted(MixedData(pairs, labels, labels.table(labels)).sizes) == [(48, 64), *[(48, 80)]*3]
    monkeypatch.undo()
    result = train_run(tmp_path/'s', tmp_path/'run', epochs=1, crop=(32, 32), progress=False, say=lambda text: None, **{**RUN, 'bs':2})
    assert len(result['rows']) == 1


def test_what_is_no_folder_of_shards(root, tmp_path):
    (tmp_path/'a').mkdir()
    write_tar(tmp_path/'a'/'data.tar', samples()) # an archive, not a shard
    with pytest.raises(PixsegError, match='data.tar: unpack it'): open_folder(tmp_path/'a')
    both = shutil.copytree(root, tmp_path/'both')
    write_tar(both/'backup-01.tar', samples())
    assert find_shards(both) is None and open_folder(both).form == "SegNet's layout"


def test_commands(root, tmp_path, capsys):
    assert main(['data', 'convert', str(root), str(tmp_path/'s'), '--to', 'shards', '--shard-mb', '.05']) == 0
    assert '21 pairs of train, val, written as shards' in capsys.readouterr().out
    assert main(['data', 'check', str(tmp_path/'s'), '--html', str(tmp_path/'check.html')]) == 0
    assert main(['data', 'convert', str(root), str(tmp_path/'s'), '--to', 'coco']) == 1
    assert main(['data', 'draw', str(tmp_path/'d'), '--train', '0', '--val', '0', '--test', '0']) == 1
    assert main(['data', 'draw', str(tmp_path/'d'), '--shard-mb', '-1']) == 1 and not (tmp_path/'d').exists()


def test_streets_that_no_memory_holds(tmp_path):
    with pytest.raises(PixsegError, match='size 100000x100000 is 10000 million pixels: a street has 50 at most'):
        draw_shards(tmp_path/'s', size=(100_000, 100_000))
    with pytest.raises(PixsegError, match='train is 400000: a seed has 333333 scenes'): draw_shards(tmp_path/'s', train=400_000)
    assert not (tmp_path/'s').exists()


@pytest.mark.parametrize('how', ['lost', 'cut', 'index'])
def test_a_lost_shard_is_written_again_and_no_other(tmp_path, how):
    root = draw_streets(tmp_path/'streets', train=12, val=2, test=1, size=(48, 64), seed=0)
    out = convert_data(root, tmp_path/'shards', 'shards', shard_mb=.03)
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in out.glob('*.tar')}
    assert len(before) > 3
    tar = out/'train-000001.tar'
    if how == 'lost': tar.unlink()
    elif how == 'cut': tar.write_bytes(tar.read_bytes()[:-1024])
    else: tar.with_suffix('.index.json').unlink()
    with pytest.raises(PixsegError): open_folder(out)
    convert_data(root, out, 'shards', shard_mb=.03)
    after = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in out.glob('*.tar')}
    assert {k: v[0] for k, v in before.items()} == {k: v[0] for k, v in after.items()}
    assert {k for k in before if before[k][1] != after[k][1]} == {tar.name}
    open_folder(out)


def small_shards(out, c, state):
    "Four pairs for train and val, masks of class `c`."
    def png(a):
        b = io.BytesIO()
        Image.fromarray(a).save(b, 'PNG')
        return b.getvalue()
    make = lambda split, i: ('.png', png(np.full((8, 8, 3), i, np.uint8)), png(np.full((8, 8), c, np.uint8)), (8, 8))
    return write_shards(out, {k: [(f'{k}{i}', [i, state]) for i in range(4)] for k in ('train', 'val')}, make, CAMVID)


def test_an_index_of_other_masks_is_no_index_of_this_shard(tmp_path):
    "Masks were corrected, and of the new conversion the index was copied, but not the shard: names and lengths are the same."
    old, new = small_shards(tmp_path/'old', 5, 0), small_shards(tmp_path/'new', 6, 1)
    table = CAMVID.table(CAMVID)
    assert {int(read_pair(p, table)[1].max()) for p in open_folder(new).splits['train']} == {6}
    shutil.copy(old/'train-000000.tar', new/'train-000000.tar')
    with pytest.raises(PixsegError, match='copy both again'): read_pair(open_folder(new).splits['train'][0], table)


def test_names_longer_in_bytes_than_in_letters(tmp_path):
    root = draw_streets(tmp_path/'streets', train=3, val=1, test=1, size=(48, 64), seed=0)
    for k in ('train', 'trainannot'): (root/k/'S0000_0000.png').rename(root/k/('я'*47+'.png'))
    out = convert_data(root, tmp_path/'shards', 'shards')
    table = CAMVID.table(CAMVID)
    assert [read_pair(p, table)[0].shape for p in open_folder(out).splits['train']] == [(48, 64, 3)]*3


def test_a_server_that_was_started_anew(tmp_path, monkeypatch):
    out = small_shards(tmp_path/'out', 5, 0)
    pair, read, tries = open_folder(out).splits['train'][0], os.pread, []
    def stale(*args):
        tries.append(args)
        if len(tries) == 1: raise OSError(errno.ESTALE, 'Stale file handle')
        return read(*args)
    monkeypatch.setattr(os, 'pread', stale)
    assert read_pair(pair, CAMVID.table(CAMVID))[1].max() == 5 and len(tries) > 1
    monkeypatch.setattr(os, 'pread', lambda *args: (_ for _ in ()).throw(OSError(errno.EIO, 'Input/output error')))
    monkeypatch.setattr('time.sleep', lambda s: None)
    with pytest.raises(PixsegError, match='cannot be read'): read_pair(pair, CAMVID.table(CAMVID))


def test_a_tar_made_on_a_mac(tmp_path):
    out = small_shards(tmp_path/'out', 5, 0)
    with tarfile.open(tmp_path/'mac-0.tar', 'w') as to, tarfile.open(out/'train-000000.tar') as of:
        for m in of.getmembers():
            own = tarfile.TarInfo('./._'+m.name)
            own.size = 4
            to.addfile(own, io.BytesIO(b'abcd'))
            to.addfile(m, of.extractfile(m))
    data = tmp_path/'data'
    data.mkdir()
    (tmp_path/'mac-0.tar').rename(data/'mac-0.tar')
    shutil.copy(out/'codes.txt', data)
    assert sum(map(len, open_folder(data).splits.values())) == 4


def test_what_was_begun_with_larger_photographs_is_removed(tmp_path):
    "Killed between a shard and its index; then fewer shards are enough."
    rows = [(f's{i}', [i]) for i in range(8)]
    make = lambda size: lambda split, i: ('.png', b'0'*size, b'0', (8, 8))
    out = tmp_path/'out'
    write_shards(out, {'train': rows}, make(20000), CAMVID, shard_mb=.03)
    (out/'shards.json').write_text(json.dumps(dict(json.loads((out/'shards.json').read_text()), done=False, shards={})))
    (out/'train-000003.index.json').unlink()
    write_shards(out, {'train': [(n, [*s, 1]) for n, s in rows]}, make(5000), CAMVID, shard_mb=.03)
    assert sorted(p.name for p in out.glob('*.tar')) == ['train-000000.tar', 'train-000001.tar']


@pytest.mark.parametrize('ends,said', [(['.png', '.labelIds.png'], ('.png', '.labelIds.png')), (['.tif', '.annotations.png'], ('.tif', '.annotations.png')),
                                       (['.jpg', '.png'], ('.jpg', '.png')), (['.png', '.depth.png'], None), (['.tif', '.png'], None)])
def test_which_picture_is_the_mask(ends, said): assert photo_and_mask(ends) == photo_and_mask(ends[::-1]) == said


def test_shards_of_others_need_no_names(tmp_path):
    rng = np.random.default_rng(0)
    def data(a, kind):
        b = io.BytesIO()
        Image.fromarray(a.astype(np.uint8)).save(b, kind)
        return b.getvalue()
    with tarfile.open(tmp_path/'train-000.tar', 'w') as tar:
        for i in range(4):
            for end, b in (('.jpg', data(rng.integers(0, 255, (32, 32, 3)), 'jpeg')), ('.mask.png', data(rng.integers(0, 3, (32, 32)), 'png'))):
                info = tarfile.TarInfo(f'{i}{end}')
                info.size = len(b)
                tar.addfile(info, io.BytesIO(b))
    data = open_folder(tmp_path)
    assert sum(map(len, data.splits.values())) == 4 and data.labels.n == 3
