"What `import pixseg` promises: the names, where editors find them, and that nothing is loaded before it is asked for."
import ast
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_the_interface_is_the_one_that_is_written_down():
    done = subprocess.run([sys.executable, ROOT/'.ci'/'api.py', '--check'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout+done.stderr+'if it is meant to change: a word in CHANGELOG.md, and `python .ci/api.py`'


def release():
    import importlib.util
    spec = importlib.util.spec_from_file_location('release', ROOT/'.ci'/'release.py')
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


def test_a_release_has_a_day_and_a_word():
    notes = release().notes
    text = '# Changelog\n\n## 0.2.0 (2027-01-31)\n\n- two\n\n## 0.1.0 (unreleased)\n\n- one\n'
    assert notes(text, '0.2.0') == '- two\n'
    for version, words in (('0.1.0', 'write the day'), ('0.3.0', '0 parts'), ('0.2', '0 parts')):
        with pytest.raises(ValueError, match=words): notes(text, version)
    with pytest.raises(ValueError, match='says nothing'): notes('## 1.0 (2027-01-31)\n', '1.0')


def test_one_version_everywhere():
    import pixseg
    assert release().version() == pixseg.__version__
    assert f'\nversion: {pixseg.__version__}\n' in (ROOT/'CITATION.cff').read_text(encoding='utf-8')
    first = next(line for line in (ROOT/'CHANGELOG.md').read_text(encoding='utf-8').splitlines() if line.startswith('## '))
    assert first.split()[1] == pixseg.__version__
