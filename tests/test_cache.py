"The store of decoded frames, seen from other processes: killed in the middle, two at once, a disk that is full."
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

READ = '''
import sys, time
from pixseg.io import store
from pixseg.io.folder import find_labels, find_pairs
from pixseg.io.pairs import label_table
root, cache, slow = sys.argv[1], sys.argv[2], float(sys.argv[3])
if slow:
    read = store.read_pair
    def read_slowly(*a):
        time.sleep(slow)
        return read(*a)
    store.read_pair = read_slowly
labels = find_labels(root)
imgs, masks = store.read_frames(find_pairs(root, 'train'), label_table(labels, labels), cache=cache)
print(int(imgs.sum()), int(masks.sum()), len(imgs), type(imgs.base).__name__)
'''


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    from pixseg.io.streets import draw_streets
    return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=40, val=2, test=2)


def start(root, cache, slow=0., **env):
    return subprocess.Popen([sys.executable, '-c', READ, root, cache, str(slow)], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env={**os.environ, 'OMP_NUM_THREADS':'1', **env})


def result(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()[:3]


def wait_for(cache, pattern, process):
    deadline = time.time()+60
    while not list(Path(cache).glob(pattern)) and time.time() < deadline and process.poll() is None: time.sleep(.02)
    assert list(Path(cache).glob(pattern)), process.communicate()[1] if process.poll() is not None else 'too slow'


def test_killed_in_the_middle_leaves_nothing_that_is_taken_for_whole(root, tmp_path):
    cache, truth = tmp_path/'store', result(start(root, tmp_path/'other'))
    process = start(root, cache, slow=.2)
    wait_for(cache, '.*.part', process)
    time.sleep(.3) # some frames are written, most are not
    process.kill()
    process.communicate()
    assert list(cache.glob('.*.part')) and not list(cache.glob('*.frames'))
    assert result(start(root, cache)) == truth
    part, = cache.glob('.*.part')
    assert len(list(cache.glob('*.frames'))) == 1
    os.utime(part, (1, 1)) # an hour later, the next split to be written clears it away
    from pixseg.io.store import make_room
    assert make_room(cache, 'x-y.frames', 10, 10**9)
    assert not part.exists() and len(list(cache.glob('*.frames'))) == 1


def test_two_at_once_agree_and_leave_one_file(root, tmp_path):
    cache = tmp_path/'store'
    both = [start(root, cache, slow=.02) for _ in range(2)]
    answers = [result(p) for p in both]
    assert answers[0] == answers[1] == result(start(root, cache))
    assert [p.suffix for p in cache.iterdir()] == ['.frames']


def test_a_reader_keeps_its_frames_when_the_file_is_replaced(root, tmp_path):
    from pixseg.io.folder import find_labels, find_pairs
    from pixseg.io.pairs import label_table
    from pixseg.io.store import read_frames
    pairs, table = find_pairs(root, 'train'), label_table(find_labels(root), find_labels(root))
    imgs, _ = read_frames(pairs, table, cache=tmp_path)
    before = imgs.copy()
    os.utime(pairs[0].img)
    read_frames(pairs, table, cache=tmp_path) # throws the older file out
    assert len(list(tmp_path.glob('*.frames'))) == 1 and np.array_equal(imgs, before)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs a limit on the size of files')
def test_a_full_disk_is_no_reason_not_to_train(root, tmp_path):
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    process = subprocess.Popen([sys.executable, '-c', full+READ, root, tmp_path/'store', '0'], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert result(process) == result(start(root, tmp_path/'other'))
    assert list((tmp_path/'store').iterdir()) == []


def test_a_folder_that_may_not_be_written(root, tmp_path):
    shut = tmp_path/'shut'
    shut.mkdir()
    shut.chmod(0o500)
    if os.access(shut, os.W_OK): shut = Path('/proc/nowhere') # root may write anywhere but there
    assert result(start(root, shut)) == result(start(root, tmp_path/'other'))


def test_switched_off(root, tmp_path):
    code = "from pixseg.io import store; store._worth = 0\n"+READ.replace('cache=cache', 'cache=None')
    def run(**env):
        done = subprocess.run([sys.executable, '-c', code, root, '-', '0'], capture_output=True, text=True,
                              env={**os.environ, 'XDG_CACHE_HOME':str(tmp_path), **env})
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[:3]
    truth = run(PIXSEG_CACHE='off')
    assert not (tmp_path/'pixseg').exists()
    assert run(PIXSEG_CACHE='') == truth
    assert len(list((tmp_path/'pixseg'/'decoded').glob('*.frames'))) == 1
