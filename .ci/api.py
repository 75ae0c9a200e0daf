"""The public names of pixseg with their signatures, one a line: what may not change without a word in CHANGELOG.md.

    python .ci/api.py            # write tests/api.txt anew
    python .ci/api.py --check    # exit 1, with the lines that differ, if it is not what the package says
"""
import difflib
import inspect
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import pixseg # noqa: E402


def shape(f) -> str:
    "Names and defaults of the parameters, without their annotations."
    try: params = inspect.signature(f).parameters.values()
    except (TypeError, ValueError): return ''
    plain = lambda v: repr(v) if isinstance(v, (str, int, float, bool, tuple, type(None))) else '...'
    words, star = [], False
    for p in params:
        if p.name == 'self': continue
        if p.kind is p.KEYWORD_ONLY and not star: words.append('*')
        star = star or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        words.append({p.VAR_POSITIONAL: '*', p.VAR_KEYWORD: '**'}.get(p.kind, '')+p.name+('' if p.default is p.empty else f'={plain(p.default)}'))
    return f"({', '.join(words)})"


def lines() -> list[str]:
    "One for each public name, and for each public method of a class that pixseg defines."
    out = []
    for name in sorted(pixseg.__all__):
        o = getattr(pixseg, name)
        out.append(f'{name}{shape(o) if callable(o) else ""}')
        if not inspect.isclass(o): continue
        for k, v in sorted(vars(o).items()):
            if k[0] == '_' or not (callable(v) or isinstance(v, (property, classmethod, staticmethod))): continue
            f = v.__func__ if isinstance(v, (classmethod, staticmethod)) else v
            out.append(f'{name}.{k}{"" if isinstance(v, property) else shape(f)}')
    return out


def main(check: bool) -> int:
    path, now = ROOT/'tests'/'api.txt', lines()
    if not check:
        path.write_text('\n'.join(now)+'\n', encoding='utf-8')
        return 0
    was = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    for line in difflib.unified_diff(was, now, 'tests/api.txt', 'pixseg', n=0, lineterm=''): print(line)
    return int(was != now)


if __name__ == '__main__': sys.exit(main('--check' in sys.argv[1:]))
