"What only another process can show: a wheel with everything in it, and Ctrl-C from a real keyboard's signal."
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIXSEG = [sys.executable, '-c', 'import sys; from pixseg.cli import main; sys.exit(main())']


def test_wheel_holds_every_module_and_all_data(tmp_path):
    done = subprocess.run([sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-q', '-w', tmp_path, ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wheel, = tmp_path.glob('*.whl')
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {p.relative_to(ROOT).as_posix() for k in ('*.py', '*.csv', '*.js', '*.css', 'models/*.safetensors') for p in (ROOT/'pixseg').glob(k)}
    assert {'pixseg/camvid.csv', 'pixseg/viewer.js', 'pixseg/models/camvid-encoder.safetensors'} <= wanted <= inside


def test_ctrl_c_leaves_a_usable_run(tmp_path):
    from pixseg.io.streets import draw_streets
    root, out = draw_streets(tmp_path/'streets', train=32, val=8, test=2), tmp_path/'run'
    process = subprocess.Popen([*PIXSEG, 'train', root, '--epochs', '500', '--width', '8', '--depth', '3', '--out', out, '--device', 'cpu', '--quiet'],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.time()+120
    while not (out/'model.safetensors').exists() and time.time() < deadline and process.poll() is None: time.sleep(.2)
    time.sleep(.5)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert 'is usable' in said and 'Traceback' not in errors
    scores = subprocess.run([*PIXSEG, 'evaluate', out/'model.safetensors', root, '--device', 'cpu'], capture_output=True, text=True)
    assert scores.returncode == 0 and 'miou=' in scores.stdout, scores.stderr


def test_ctrl_c_in_a_finaliser_is_heard():
    "Where Python drops the exception of Ctrl-C, the note of it stays."
    code = """
import signal, weakref
from pixseg.run.train import StopBetween
signal.signal(signal.SIGINT, signal.default_int_handler) # a shell lets background jobs ignore it
class Thing: pass
def interrupted_finaliser():
    thing = Thing()
    ref = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
interrupted_finaliser() # the ordinary way: dropped, nothing is raised here
stop = StopBetween()
with stop.listening(): interrupted_finaliser()
try: stop.before_batch()
except KeyboardInterrupt: print('heard')
"""
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True)
    assert done.stdout == 'heard\n', done.stderr
    assert 'Exception ignored' in done.stderr and done.returncode == 0 # the first one


def test_kill_leaves_only_whole_files(tmp_path):
    from pixseg.modelfile import load_model
    from pixseg.io.streets import draw_streets
    root, out = draw_streets(tmp_path/'streets', train=32, val=8, test=2), tmp_path/'run'
    process = subprocess.Popen([*PIXSEG, 'train', root, '--epochs', '500', '--width', '8', '--depth', '3', '--out', out, '--device', 'cpu', '--quiet'],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time()+120
    while not (out/'checkpoint'/'state.pt').exists() and time.time() < deadline and process.poll() is None: time.sleep(.2)
    time.sleep(1.3)
    process.kill()
    process.wait()
    load_model(out/'model.safetensors')
    load_model(out/'last.safetensors')


def test_demo_ends_with_its_result(tmp_path):
    done = subprocess.run([*PIXSEG, 'demo', '--epochs', '1', '--out', tmp_path/'demo', '--device', 'cpu', '--quiet'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r'accuracy=0\.\d{4} miou=0\.\d{4}', done.stdout.splitlines()[-1])
    assert {'scores.json', 'scores.txt'} <= {p.name for p in (tmp_path/'demo').iterdir()}
    assert (tmp_path/'demo'/'run'/'predictions.png').stat().st_size > 1000
