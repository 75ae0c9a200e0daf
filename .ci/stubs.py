"""Make pixseg/__init__.pyi from the table in pixseg/__init__.py, so that editors and type checkers see what is imported lazily.

    python .ci/stubs.py            # write it
    python .ci/stubs.py --check    # exit 1 if it is not what the table gives
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import pixseg # noqa: E402


def stub() -> str:
    "The text of the stub: every public name, imported from where it lives."
    lines = ['# made from __init__.py by `python .ci/stubs.py`']
    for module in dict.fromkeys(pixseg._home.values()):
        names = [n for n, m in pixseg._home.items() if m == module]
        lines.append(f"from .{module} import {', '.join(f'{n} as {n}' for n in names)}")
    return '\n'.join([*lines, '', '__version__: str', '__all__: list[str]', ''])


def main(check: bool) -> int:
    path = ROOT/'pixseg'/'__init__.pyi'
    if not check:
        path.write_text(stub(), encoding='utf-8')
        return 0
    same = path.is_file() and path.read_text(encoding='utf-8') == stub()
    if not same: print('pixseg/__init__.pyi is not what __init__.py says: run `python .ci/stubs.py`')
    return 0 if same else 1


if __name__ == '__main__': sys.exit(main('--check' in sys.argv[1:]))
