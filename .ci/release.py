"""What a release needs to know of the repository.

    python .ci/release.py version    # the version, which the tag v... must name
    python .ci/release.py notes      # what the change log says of it; exit 1 if it says nothing, or that it is not released
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version() -> str:
    "What `pixseg/__init__.py` says."
    return re.search(r'^__version__ = "(.+?)"', (ROOT/'pixseg'/'__init__.py').read_text(encoding='utf-8'), re.M)[1]


def notes(text: str, of: str) -> str:
    "The part of a change log that is headed by a version; `ValueError` if there is none to publish."
    parts = re.split(r'^## ', text, flags=re.M)[1:]
    mine = [p for p in parts if p.split()[0] == of]
    if len(mine) != 1: raise ValueError(f'CHANGELOG.md has {len(mine)} parts headed "## {of}": it needs one')
    head, _, body = mine[0].partition('\n')
    if not re.fullmatch(rf'{re.escape(of)} \(\d{{4}}-\d\d-\d\d\)', head.strip()):
        raise ValueError(f'CHANGELOG.md has "## {head.strip()}": write the day, as in "## {of} (2026-12-24)"')
    if not body.strip(): raise ValueError(f'CHANGELOG.md says nothing of {of}')
    return body.strip()+'\n'


def main(what: str) -> int:
    if what == 'version': print(version()); return 0
    try: print(notes((ROOT/'CHANGELOG.md').read_text(encoding='utf-8'), version()), end='')
    except ValueError as e: print(e, file=sys.stderr); return 1
    return 0


if __name__ == '__main__': sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else 'version'))
