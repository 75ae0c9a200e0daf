"What `import pixseg` promises: the names, where editors find them, and that nothing is loaded before it is asked for."
import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_editors_see_every_public_name():
    import pixseg
    done = subprocess.run([sys.executable, ROOT/'.ci'/'stubs.py', '--check'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    names = {a.asname for node in ast.parse((ROOT/'pixseg'/'__init__.pyi').read_text()).body if isinstance(node, ast.ImportFrom) for a in node.names}
    assert names == set(pixseg.__all__)


def test_every_public_name_exists_and_is_documented():
    import pixseg
    missing = [n for n in pixseg.__all__ if getattr(pixseg, n, None) is None]
    assert missing == []
    assert [n for n in pixseg.__all__ if callable(getattr(pixseg, n)) and not getattr(pixseg, n).__doc__] == []


def test_an_unknown_name_is_an_attribute_error():
    import pixseg
    assert not hasattr(pixseg, 'no_such_name')
    assert 'no_such_name' not in dir(pixseg) and 'UNet' in dir(pixseg)
