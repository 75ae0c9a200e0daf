"Two processes learn, judge and predict as one; one of them is killed."
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pixseg.io.streets import draw_streets
from pixseg.modelfile import load_model
from pixseg.run.evaluate import evaluate
from pixseg.run.predict import predict_files
from pixseg.run.train import read_csv, train_run

EPOCHS = 3
RUN = dict(epochs=EPOCHS, width=4, depth=2, bs=4, seed=0, device='cpu')
FLAGS = [o for k,v in RUN.items() for o in (f'--{k}', str(v))]


def pixseg(*args): return [sys.executable, '-W', 'ignore', '-m', 'pixseg.cli', *map(str, args)]
def shell(*args): return subprocess.run(pixseg(*args), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope='module')
def root(tmp_path_factory): return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=16, val=9, test=0, size=(48, 64), seed=0)


@pytest.fixture(scope='module')
def two(root, tmp_path_factory):
    out = tmp_path_factory.mktemp('two')/'run'
    done = shell('train', root, *FLAGS, '--out', out, '--launch', 2)
    assert done.returncode == 0, done.stderr
    return out,done


def test_two_processes_learn_what_one_does(root, two, tmp_path):
    out,done = two
    assert done.stdout.startswith('2 processes share each batch of 4\n') and done.stdout.count('\n') == 2 and done.stderr == ''
    train_run(root, tmp_path/'one', progress=False, say=lambda text: None, **RUN)
    both = list(zip(read_csv(tmp_path/'one'/'metrics.csv'), read_csv(out/'metrics.csv'), strict=True))
    assert both[0][0]['train_loss'] == pytest.approx(both[0][1]['train_loss'], rel=1e-3) # but for the order of sums; other batches differ by more than 1e-2
    for a,b in both: assert (a['train_loss'], a['valid_loss']) == pytest.approx((b['train_loss'], b['valid_loss']), rel=.02)
    assert json.loads((out/'config.json').read_text())['processes'] == 2


def test_two_processes_judge_as_one(root, two, tmp_path):
    model = two[0]/'model.safetensors'
    done = shell('evaluate', model, root, '--bs', 2, '--device', 'cpu', '--launch', 2, '--json', tmp_path/'two.json')
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path/'two.json').read_text()) # the second process has 4 of 9 frames
    alone = evaluate(load_model(model, 'cpu'), root, bs=2)
    assert scores['confusion'] == alone['confusion'] and scores['n_images'] == alone['n_images'] == 9


def test_two_processes_predict_as_one(root, two, tmp_path):
    model,photos = two[0]/'model.safetensors',root/'train'
    (tmp_path/'more').mkdir(); (tmp_path/'more'/'broken.png').write_bytes(b'no picture')
    done = shell('predict', model, photos, tmp_path/'more', '--out', tmp_path/'two', '--table', tmp_path/'two.csv', '--polygons', 'coco', '--device', 'cpu', '--launch', 2)
    assert done.returncode == 1 and done.stderr.count('broken.png') == 1 and '16 masks' in done.stdout and '1 failed' in done.stdout
    predict_files(load_model(model, 'cpu'), [photos, tmp_path/'more'], tmp_path/'one', table=tmp_path/'one.csv', polygons='coco')
    files = lambda name: {p.name:p.read_bytes() for p in (tmp_path/name).iterdir()}
    assert files('one') == files('two') and len(files('two')) == 17
    assert (tmp_path/'one.csv').read_bytes() == (tmp_path/'two.csv').read_bytes()


def _worker(parent, rank):
    "The process of that number, once it is there."
    for child in psutil.Process(parent.pid).children(recursive=True):
        try:
            if child.environ().get('RANK') == str(rank): return child
        except psutil.Error: pass


@pytest.mark.parametrize('rank', [1])
def test_a_killed_worker_ends_the_launch_and_the_run_goes_on_to_the_same_end(root, two, tmp_path, rank):
    out = tmp_path/'run'
    run = subprocess.Popen(pixseg('train', root, *FLAGS, '--out', out, '--launch', 2), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out/'checkpoint'/'state.pt').exists() and run.poll() is None: time.sleep(.02)
    if worker := _worker(run, rank): os.kill(worker.pid, signal.SIGKILL)
    _,err = run.communicate(timeout=60)
    if run.returncode: assert run.returncode == 1 and f'process {rank} of the launch was ended by SIGKILL' in err and 'Traceback' not in err
    done = shell('train', root, '--out', out, '--resume', '--launch', 2) # a run that was done before it was killed has nothing left to do
    assert done.returncode == 0, done.stderr
    rows = lambda run: [{k:v for k,v in row.items() if k != 'seconds'} for row in read_csv(Path(run)/'metrics.csv')]
    assert rows(out) == rows(two[0])


def test_what_cannot_be_shared_is_refused_once(root, tmp_path):
    done = shell('train', root, *FLAGS, '--bs', 3, '--out', tmp_path/'run', '--launch', 2)
    assert done.returncode == 2 and '--bs 3 cannot be shared among 2 processes' in done.stderr and done.stderr.count('\n') == 1 # the first process says it
    assert shell('train', root, '--launch', 0).returncode == 2
