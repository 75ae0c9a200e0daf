"""Trainings killed with SIGKILL at random moments and resumed, until they end as trainings that nobody killed: to the last bit.

    python .ci/kills.py 260               # trainings in one process
    python .ci/kills.py 40 --launch 2     # in two processes, one of which is killed
    python .ci/kills.py 300 --seed 1      # other moments

Writes one JSON line: how many were killed, and which runs were lost, ended otherwise, never ended or left files behind; exit code 1 if there is any.
For Linux and macOS.
"""
import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import psutil
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from pixseg import cli # noqa: E402
from pixseg.io.streets import draw_streets # noqa: E402
from pixseg.modelfile import load_model # noqa: E402
from pixseg.run import train # noqa: E402

KINDS = ['', '--norm group --up nearest --fold 2', '--precision bf16', '--also-val', '--crop 32x32 --scale 0.5-1', '--holdout 3']
NEVER = 'never ended'


def work(every, argv):
    "The command in this process, its run folder written at most once in `every` seconds; exit code."
    train.train_run.__kwdefaults__['save_every'] = every
    try: return cli.main(argv) or 0
    except SystemExit as e: return e.code or 0
    except BaseException:
        traceback.print_exc()
        return 99


class Run:
    "A training into a folder, in a forked process or in several launched ones, in a session of its own."
    def __init__(self, argv, log, every, launch):
        self.launch = launch
        with open(log, 'a') as file:
            if launch:
                code = f'import sys; from pixseg.ranks import launch; sys.exit(launch({launch}, "kills", {["worker", str(every), *argv]!r}))'
                self.process = subprocess.Popen([sys.executable, '-W', 'ignore', '-c', code], stdout=file, stderr=file, start_new_session=True,
                                                env={**os.environ, 'PYTHONPATH': f'{HERE}{os.pathsep}{HERE.parent}'})
                self.pid = self.process.pid
            else:
                self.pid = os.fork()
                if self.pid == 0:
                    os.setsid()
                    for stream in (1, 2): os.dup2(file.fileno(), stream)
                    code = work(every, argv)
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code)
        self.code = None

    def ended(self):
        "Exit code, negative for a signal; None while it runs."
        if self.code is None:
            if self.launch: self.code = self.process.poll()
            else:
                pid,status = os.waitpid(self.pid, os.WNOHANG)
                if pid: self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, seconds):
        "Exit code; counted in naps, since a busy machine stops processes now and then."
        for _ in range(int(seconds*200)):
            if self.ended() is not None: return self.code
            time.sleep(.005)
        return NEVER

    def kill(self, rng):
        "End the process, or one of the launched ones; whether there was one."
        pid = self.pid if not self.launch else self.worker(rng.randrange(self.launch))
        if pid is None: return False
        try: os.kill(pid, signal.SIGKILL)
        except ProcessLookupError: return False
        return True

    def worker(self, rank):
        for _ in range(2000):
            if self.ended() is not None: return None
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(self.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        if child.environ().get('RANK') == str(rank): return child.pid
            time.sleep(.01)
        return None

    def clear(self): # of what never ended
        with contextlib.suppress(OSError): os.killpg(self.pid, signal.SIGKILL)


def result(out):
    "Rows without their times, and the weights of both model files."
    import pandas as pd
    rows = pd.read_csv(out/'metrics.csv').drop(columns='seconds')
    return rows,{name:load_model(out/name, 'cpu').state_dict() for name in ('last.safetensors', 'model.safetensors')}


def same(a, b): return a[0].equals(b[0]) and all(torch.equal(v, b[1][name][k]) for name,w in a[1].items() for k,v in w.items())


class Series:
    "Runs of a few kinds, each killed some times; what came of it."
    def __init__(self, folder, seed, launch):
        self.folder,self.launch,self.rng = folder,launch,random.Random(seed)
        self.root = draw_streets(folder/'streets', train=16, val=4, test=0, size=(48,64), seed=0)
        self.epochs,self.kinds = (20,KINDS[:2]) if launch else (10,KINDS)
        self.whole,self.faults = {},[]
        self.killed = self.runs = self.early = 0

    def start(self, out, kind, every, resume=False):
        flags = ['--resume', '--quiet'] if resume else f'--width 4 --depth 2 --bs 4 --epochs {self.epochs} --device cpu --quiet {kind}'.split()
        return Run(['train', str(self.root), '--out', str(out), *flags], f'{out}.log', every, self.launch)

    def undisturbed(self, kind):
        "What a run of this kind gives when nobody kills it, and its seconds."
        if kind not in self.whole:
            out,start = self.folder/f'whole{len(self.whole)}',time.time()
            if self.start(out, kind, 10.).wait(600): raise SystemExit(Path(f'{out}.log').read_text())
            self.whole[kind] = result(out),time.time()-start
        return self.whole[kind]

    def moment(self, run, out, seconds):
        "Wait for a random moment: somewhere in the whole, or after the next writing of the settings or the checkpoint."
        draw = self.rng.random()
        if draw > .85: return time.sleep(self.rng.random()*(8. if self.launch else 1.))
        mark = out/('config.json' if draw < .25 else 'checkpoint/state.pt')
        age = lambda: mark.stat().st_mtime_ns if mark.exists() else 0
        before = age()
        while run.ended() is None and age() == before: time.sleep(.001)
        if run.ended() is None: time.sleep(self.rng.random()*min(.3*seconds, 3.))

    def one(self, most):
        "One run, killed up to `most` times, and then left to its end."
        kind,out = self.rng.choice(self.kinds),self.folder/f'run{self.runs}'
        want,seconds = self.undisturbed(kind)
        every,aim = self.rng.choice([0., 0., .3, 10.]),min(most, self.rng.randint(2, 5 if self.launch else 8))
        self.runs += 1
        while True:
            resume = (out/'checkpoint'/'state.pt').exists()
            run = self.start(out, kind, every, resume)
            if aim: self.moment(run, out, seconds)
            struck = aim > 0 and run.ended() is None and run.kill(self.rng)
            code = run.wait(60 if struck else 600)
            if code == NEVER: run.clear()
            if not struck or code == NEVER: break
            aim,self.killed = aim-1,self.killed+1
            self.early += not (out/'checkpoint'/'state.pt').exists()
        self.judge(out, code, want)

    def judge(self, out, code, want):
        if code: return self.faults.append(f'{out.name}: {code if code == NEVER else f"lost, exit code {code}"}')
        if not same(result(out), want): self.faults.append(f'{out.name}: ended otherwise')
        left = sorted(p.name for p in out.rglob('*') if '.part' in p.name or p.name.startswith('.timing'))
        if left: self.faults.append(f'{out.name}: left {", ".join(left)} behind')


def main(argv):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('n', type=int, help='how many to kill')
    p.add_argument('--launch', type=int, default=0, metavar='N', help='processes of a training (default: this one forked)')
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--out', type=Path, help='folder for runs and logs (default: a new one)')
    args = p.parse_args(argv)
    torch.set_num_threads(1)
    folder = args.out or Path(tempfile.mkdtemp(prefix='kills-'))
    folder.mkdir(parents=True, exist_ok=True)
    series,start = Series(folder, args.seed, args.launch),time.time()
    while series.killed < args.n:
        series.one(args.n-series.killed)
        print(f'{series.killed} of {args.n} killed, {len(series.faults)} faults', end='\r', file=sys.stderr, flush=True)
    print(json.dumps(dict(killed=series.killed, processes=args.launch or 1, seed=args.seed, runs=series.runs, before_a_checkpoint=series.early,
                          faults=series.faults, seconds=round(time.time()-start), folder=str(folder))))
    return 1 if series.faults else 0


if __name__ == '__main__':
    if sys.argv[1:2] == ['worker']: sys.exit(work(float(sys.argv[2]), sys.argv[3:]))
    sys.exit(main(sys.argv[1:]))
