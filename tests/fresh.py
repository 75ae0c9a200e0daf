"A command, or a function, in a process of its own: it can be killed, interrupted and limited, and need not import torch and fastai anew each time."
import contextlib
import os
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

# A server without threads imports once what all need, and every process is forked from it. Windows cannot fork.
context = get_context('spawn' if sys.platform == 'win32' else 'forkserver')
if sys.platform != 'win32': context.set_forkserver_preload(['pixseg.cli', 'pixseg.run.train', 'pixseg.run.evaluate'])


def _live(argv, folder, before):
    "What the process does; its streams go into files."
    for fd,name in ((1, 'out'), (2, 'err')): os.dup2(os.open(Path(folder)/name, os.O_WRONLY|os.O_CREAT), fd)
    import warnings
    import torch
    from pixseg.cli import main
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    if before: before()
    sys.exit(main(argv) if argv else 0)


@contextlib.contextmanager
def started(*argv, before=None):
    "A command that runs, `before()` in its process first, or nothing but that: `pid`, and `end()` that waits and returns code and streams. Not alive afterwards."
    with tempfile.TemporaryDirectory() as folder:
        p = context.Process(target=_live, args=([str(a) for a in argv], folder, before), daemon=True)
        p.start()
        def end(seconds=120):
            p.join(seconds)
            out,err = ((Path(folder)/o).read_text() if (Path(folder)/o).exists() else '' for o in ('out', 'err'))
            assert p.exitcode is not None, f'still running after {seconds} s: {out}{err}'
            return SimpleNamespace(returncode=p.exitcode, stdout=out, stderr=err)
        try: yield SimpleNamespace(pid=p.pid, alive=p.is_alive, end=end)
        finally:
            if p.is_alive(): p.kill()
            p.join()


def run(*argv, before=None):
    "A command from its start to its end."
    with started(*argv, before=before) as p: return p.end()
