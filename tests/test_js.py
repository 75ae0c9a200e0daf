"The JavaScript without a browser: what needs none is tested by node, and the types that can be inferred must agree."
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
JS = ROOT/'tests'/'js'
NODE,TSC = shutil.which('node'),os.environ.get('PIXSEG_TSC') or shutil.which('tsc')


def run(*argv):
    done = subprocess.run([str(a) for a in argv], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout+done.stderr


@pytest.mark.skipif(not NODE, reason='no node: `apt-get install nodejs` (18 or newer) to test the JavaScript without a browser')
@pytest.mark.parametrize('file', sorted(JS.glob('*.test.mjs')), ids=lambda p: p.name)
def test_node(file): run(NODE, '--test', file)


@pytest.mark.skipif(not TSC, reason='no tsc: `npm install -g typescript`, or name one in PIXSEG_TSC, to check the types of the JavaScript')
def test_types(): run(TSC, '-p', JS/'jsconfig.json')
