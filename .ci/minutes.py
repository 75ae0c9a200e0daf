"""How long the course takes, into pixseg/results/course.json: minutes of reading as each chapter says, and measured seconds.

    python .ci/minutes.py            # runs every chapter and every solution, each in an empty folder
    python .ci/minutes.py 04_unet    # only these
    python .ci/minutes.py --reading  # minutes of reading only, as each chapter's opening says; nothing is run

Afterwards nbs/index.ipynb has to be run and `make readme` called: both show these figures. Measure on a machine that does nothing else.
"""
import json
import os
import re
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT/'pixseg'/'results'/'course.json'


def sources(path, kind): return [''.join(c['source']) for c in json.loads(path.read_text(encoding='utf-8'))['cells'] if c['cell_type'] == kind]


def said(path, pattern):
    "A number that a notebook says in its opening, its first four cells of text, or None."
    found = re.search(pattern, ' '.join(sources(path, 'markdown')[:4]))
    return int(found[1]) if found else None


def reading(path):
    "Minutes of reading: what a notebook's opening says, `Reading NN minutes`; one that says nothing is refused."
    found = said(path, r'\b[Rr]eading (?:about )?(\d+) minutes')
    if found is None: raise SystemExit(f'{path.name} does not say how long it takes to read: write "Reading NN minutes" into its opening')
    return found


def seconds(path):
    "Seconds of a run from an empty folder, imports and all; an error in a cell is raised."
    import nbformat
    from nbclient import NotebookClient
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(nbformat.read(path, 4), timeout=1800, kernel_name='python3', resources={'metadata': {'path': folder}})
        start = time.time()
        client.execute()
        return round(time.time()-start)


def measure(path, told=True):
    "Seconds, printed; said so where the notebook tells its readers something else."
    took = seconds(path)
    promised = said(path, r'running\D{0,20}(\d+) seconds') if told else None
    odd = promised is not None and abs(took-promised) > max(5, .5*promised)
    print(f'{path.relative_to(ROOT)}: {took} s'+f', but it says {promised}: change its opening'*odd, flush=True)
    return took


def main(argv):
    course,only = json.loads(FILE.read_text(encoding='utf-8')),[a for a in argv if not a.startswith('-')]
    os.environ['PYTHONPATH'] = str(ROOT)
    for o in course['chapters']: # the wings' minutes are of their first pages, and written by hand
        path = ROOT/'nbs'/f"{o['file']}.ipynb"
        if not path.is_file() or only and path.stem not in only: continue
        o['reading'] = reading(path)
        if '--reading' in argv: continue
        o['seconds'],solved = measure(path),path.parent/'solutions'/path.name
        if solved.is_file(): o['solutions'] = measure(solved, told=False)
    if '--reading' not in argv and not only: course['measured'] = f'{os.cpu_count()} CPU cores, {date.today()}'
    FILE.write_text(json.dumps(course, indent=1, ensure_ascii=False)+'\n', encoding='utf-8')


if __name__ == '__main__': main(sys.argv[1:])
