"Two processes learn, judge and predict as one; one of them is killed."
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from pixseg import cli
from pixseg.io.streets import draw_streets
from pixseg.modelfile import load_model
from pixseg.run.evaluate import evaluate
from pixseg.run.predict import predict_files
from pixseg.run.train import read_csv, train_run

RUN = dict(epochs=3, width=4, depth=2, bs=4, seed=0, device='cpu')
FLAGS = [o for k,v in RUN.items() for o in (f'--{k}', str(v))]
SCRIPT = '''
import json, sys
from pathlib import Path
from pixseg.modelfile import load_model
from pixseg.ranks import is_main, together
from pixseg.run.config import ConfigError
from pixseg.run.evaluate import evaluate
from pixseg.run.predict import predict_files
from pixseg.run.train import train_run
root,tmp,run = sys.argv[1],Path(sys.argv[2]),json.loads(sys.argv[3])
told = []
train_run(root, tmp/'run', progress=False, say=told.append, **run) # comes together by itself
try: train_run(root, tmp/'odd', progress=False, **{**run, 'bs':3})
except ConfigError as e: told.append(str(e))
with together('cpu'):
    model = load_model(tmp/'run'/'model.safetensors', 'cpu')
    scores = evaluate(model, root, bs=2, boundary=True)
    written,failed = predict_files(model, [root+'/train', tmp/'more'], tmp/'masks', table=tmp/'table.csv', polygons='coco')
    if is_main(): (tmp/'said.json').write_text(json.dumps(dict(told=told, scores=scores, written=len(written), failed=failed)))
'''


@pytest.fixture(scope='module')
def root(tmp_path_factory): return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=16, val=17, test=0, size=(48, 64), seed=0)


@pytest.fixture(scope='module')
def two(root, tmp_path_factory):
    tmp = tmp_path_factory.mktemp('two')
    (tmp/'more').mkdir(); (tmp/'more'/'broken.png').write_bytes(b'no picture')
    (tmp/'script.py').write_text(SCRIPT)
    launch = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2', tmp/'script.py', root, tmp, json.dumps(RUN)]
    done = subprocess.run(launch, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return tmp,json.loads((tmp/'said.json').read_text())


def rows(run): return [{k:v for k,v in row.items() if k != 'seconds'} for row in read_csv(run/'metrics.csv')]


def test_two_processes_learn_what_one_does(root, two, tmp_path):
    tmp,said = two
    assert said['told'][0] == '2 processes share each batch of 4'
    train_run(root, tmp_path/'one', progress=False, say=lambda text: None, **RUN)
    both = list(zip(rows(tmp_path/'one'), rows(tmp/'run'), strict=True))
    assert both[0][0]['train_loss'] == pytest.approx(both[0][1]['train_loss'], rel=1e-3) # but for the order of sums; another seed differs by more than 1e-2
    for a,b in both: assert (a['train_loss'], a['valid_loss']) == pytest.approx((b['train_loss'], b['valid_loss']), rel=.02)
    assert json.loads((tmp/'run'/'config.json').read_text())['processes'] == 2


def test_a_batch_that_cannot_be_shared_is_refused(two):
    assert two[1]['told'][-1] == '`bs=3` cannot be shared among 2 processes: give a multiple of 2'


def test_two_processes_judge_as_one(root, two):
    tmp,said = two
    alone = evaluate(load_model(tmp/'run'/'model.safetensors', 'cpu'), root, bs=2, boundary=True) # the second process had 8 of 17 frames
    for o in (alone, said['scores']): o.pop('seconds')
    assert json.loads(json.dumps(alone)) == said['scores'] and alone['n_images'] == 17


def test_two_processes_predict_as_one(root, two, tmp_path):
    tmp,said = two
    _,failed = predict_files(load_model(tmp/'run'/'model.safetensors', 'cpu'), [root/'train', tmp/'more'], tmp_path/'masks', table=tmp_path/'table.csv', polygons='coco')
    files = lambda folder: {p.name:p.read_bytes() for p in folder.iterdir()}
    assert files(tmp/'masks') == files(tmp_path/'masks') and len(failed) == 1 and said['written'] == 16
    assert (tmp/'table.csv').read_bytes() == (tmp_path/'table.csv').read_bytes() and said['failed'] == failed


def _worker(parent, rank):
    "The process of that number, if it is there."
    for child in psutil.Process(parent.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.environ().get('RANK') == str(rank): return child


def test_a_killed_process_ends_the_launch_and_the_run_goes_on_to_the_same_end(root, two, tmp_path):
    out,words = tmp_path/'run',[sys.executable, '-W', 'ignore', '-m', 'pixseg.cli', 'train', str(root), '--out', str(tmp_path/'run'), '--launch', '2']
    run = subprocess.Popen([*words, *FLAGS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out/'checkpoint'/'state.pt').exists() and run.poll() is None: time.sleep(.02)
    if worker := _worker(run, 1): os.kill(worker.pid, signal.SIGKILL)
    _,err = run.communicate(timeout=60)
    if run.returncode: assert run.returncode == 1 and 'process 1 of the launch was ended by SIGKILL' in err and 'Traceback' not in err
    done = subprocess.run([*words, '--resume'], capture_output=True, text=True, timeout=300) # of a run that was done before it was killed nothing is left to do
    assert done.returncode == 0 and done.stderr == '' and done.stdout.count('\n') == 3, done.stderr
    assert rows(out) == rows(two[0]/'run')


def test_all_but_the_first_process_are_silent(root, two, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('pixseg.ranks.together', contextlib.nullcontext)
    args = ['predict', str(two[0]/'run'/'model.safetensors'), str(two[0]/'more'), '--out', str(tmp_path/'out'), '--device', 'cpu']
    for name,value in dict(WORLD_SIZE='2', RANK='1').items(): monkeypatch.setenv(name, value)
    assert cli.main(args) == 0 and capsys.readouterr() == ('', '')
    monkeypatch.setenv('RANK', '0')
    assert cli.main(args) == 1 and 'broken.png' in capsys.readouterr().err


def test_a_launch_of_nothing_and_of_what_works_alone_is_refused(root, capsys, monkeypatch):
    assert cli.main(['train', str(root), '--launch', '0']) == 2 and '--launch 0 starts nothing' in capsys.readouterr().err
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setenv('RANK', '0')
    assert cli.main(['data', 'check', str(root)]) == 2 and 'works in one process' in capsys.readouterr().err
