"""One name for what is installed: `lib_name` in settings.ini. What is imported and typed stays `pixseg`.

    python .ci/rename.py NAME       # NAME into settings.ini, pyproject.toml and every line that installs with an extra
    python .ci/rename.py --check    # exit 1, with the places, if one of them has another name than settings.ini
"""
import configparser
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = 'settings.ini', 'pyproject.toml', 'README.md', 'CHANGELOG.md', 'Makefile', '.ci/*', '.github/**/*.*', 'nbs/**/*.ipynb', 'pixseg/**/*.py', 'tests/*.py'


def settings() -> configparser.SectionProxy:
    ini = configparser.ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    return ini['DEFAULT']


def places() -> re.Pattern:
    "Where the name stands: in a line of its own in each of the two files of metadata, and before an extra in what `pip install` gets."
    extras = '|'.join(k.removesuffix('_requirements') for k in settings() if k.endswith('_requirements'))
    name = '([A-Za-z][\\w.-]*)'
    return re.compile(rf'''(?P<before>^lib_name = |^\[project\]\nname = "){name}(?="?$)|(?P<installs>pip install [^\n`]*?["' ]){name}(?=\\*\[(?:{extras})\b)''', re.M)


def files() -> list[Path]: return sorted({p for o in FILES for p in ROOT.glob(o) if p.is_file() and '.ipynb_checkpoints' not in p.parts})


def others(name: str) -> list[str]:
    "Places with another name."
    texts = ((p, p.read_text(encoding='utf-8')) for p in files())
    return [f'{p.relative_to(ROOT).as_posix()}: {got}' for p, text in texts for m in places().finditer(text) if (got := m[2] or m[4]) != name]


def rename(name: str) -> None:
    pattern = places()
    for path in files():
        text = path.read_bytes().decode('utf-8')
        if (new := pattern.sub(lambda m: (m['before'] or m['installs'])+name, text)) != text: path.write_bytes(new.encode('utf-8'))


def main(what: str) -> int:
    if what == '--check':
        wrong = others(settings()['lib_name'])
        print('\n'.join(wrong), end='\n'*bool(wrong))
        return int(bool(wrong))
    if not re.fullmatch(r'[A-Za-z](?:[\w.-]*[A-Za-z0-9])?', what, re.A): print(f'{what!r} is no name for the index: letters, digits, and - . _ between them'); return 2
    rename(what)
    return 0


if __name__ == '__main__': sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else '--check'))
