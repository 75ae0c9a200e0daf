"""Run notebooks as Colab would; see colab.sh. Prints a line for each: seconds, or the error; exit status 1 if one failed.

Colab's own front end and its package `google.colab` cannot be had outside of Colab: a stand-in has the names that are asked for.
"""
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
NAME = re.search(r'^lib_name = (.+)$', (ROOT/'settings.ini').read_text(encoding='utf-8'), re.M)[1]
STAND_IN = {'google/colab/__init__.py': '', 'google/colab/output.py': '''
class _widgets: _installed_url = 'https://example.org/manager.js'
def enable_custom_widget_manager(): pass
''', 'sitecustomize.py': 'import os\nif os.environ.get("PIXSEG_COLAB"): import google.colab.output\n'}


def pip(*args): return subprocess.run([sys.executable, '-m', 'pip', *args], capture_output=True, text=True, check=True).stdout


def run(path: Path) -> str | None:
    "Run one notebook in an empty folder; None, or what went wrong."
    nb = nbformat.read(path, 4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(nb, timeout=900, kernel_name='python3', resources={'metadata': {'path': folder}})
        try: client.execute()
        except CellExecutionError as e: return f'{e.ename}: {e.evalue}'[:600]
        except Exception as e: return f'{type(e).__name__}: {e}'[:600]
    return None


def main(words: list[str]) -> int:
    notebooks = [p for p in sorted((ROOT/'nbs').rglob('*.ipynb')) if '.ipynb_checkpoints' not in p.parts]
    chosen = [p for p in notebooks if not words or any(w in p.relative_to(ROOT/'nbs').as_posix() for w in words)]
    with tempfile.TemporaryDirectory() as stand_in:
        for name, text in STAND_IN.items():
            (file := Path(stand_in, name)).parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        os.environ.update(PYTHONPATH=stand_in, PIXSEG_COLAB='1', PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            GIT_CONFIG_COUNT='1', GIT_CONFIG_KEY_0=f'url.file://{ROOT}.insteadOf', GIT_CONFIG_VALUE_0='https://github.com/pixseg/pixseg')
        subprocess.run([sys.executable, '-m', 'pip', 'uninstall', '--quiet', '--yes', NAME], check=False)
        before, failed = set(pip('freeze').splitlines()), 0
        for path in chosen:
            start, wrong = time.time(), run(path)
            failed += wrong is not None
            print(f"{path.relative_to(ROOT/'nbs').as_posix():32} {time.time()-start:5.0f} s  {wrong or 'ok'}", flush=True)
        lost = sorted(before-set(pip('freeze').splitlines()))
        print(f"{len(chosen)-failed} of {len(chosen)} notebooks ran through; packages changed: {', '.join(lost) or 'none'}")
    return 1 if failed or lost else 0


if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
