"""Make README.md from nbs/index.ipynb, and keep every link's owner the one in settings.ini. No Quarto needed.

    python .ci/readme.py            # write README.md
    python .ci/readme.py --check    # exit 1 if README.md is not what the notebook gives, or a link has another owner
"""
import base64
import configparser
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT/'nbs'/'images' # pictures of the README, written out of the notebook's outputs
HIDDEN = re.compile(r'^#\| *(hide|default_exp)', re.M)


def settings() -> configparser.SectionProxy:
    ini = configparser.ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    return ini['DEFAULT']


def text(value) -> str: return ''.join(value) if isinstance(value, list) else value


def markdown_table(html: str) -> str:
    "The rows of an HTML table (fastai's table of epochs) as markdown; nothing for other HTML."
    rows = [re.findall(r'<t[hd][^>]*>(.*?)</t[hd]>', row, re.S) for row in re.findall(r'<tr[^>]*>(.*?)</tr>', html, re.S)]
    rows = [f"| {' | '.join(cells)} |" for cells in rows if cells]
    return '\n'.join([rows[0], '|---'*rows[0].count(' | ')+'|---|', *rows[1:]])+'\n' if rows else ''


def output_markdown(out: dict, name: str, figures: dict, alt: str = '') -> str:
    "One output of a cell as markdown; pictures are collected in `figures` by file name, and described by the cell's `#| fig-alt:`."
    if out['output_type'] == 'stream': return f"```\n{text(out['text']).rstrip()}\n```\n"
    data = out.get('data', {})
    for mime, ext in (('image/png', 'png'), ('image/jpeg', 'jpg')):
        if mime in data:
            figures[f'{name}.{ext}'] = base64.b64decode(text(data[mime]))
            return f'![{alt}](nbs/images/{name}.{ext})\n'
    if 'text/html' in data: return markdown_table(text(data['text/html']))
    if 'text/markdown' in data: return text(data['text/markdown']).rstrip()+'\n'
    return f"```\n{text(data['text/plain']).rstrip()}\n```\n" if 'text/plain' in data else ''


def cell_markdown(i: int, cell: dict, figures: dict) -> list[str]:
    source = text(cell['source'])
    if cell['cell_type'] == 'markdown': return [source.rstrip()+'\n']
    if HIDDEN.search(source): return []
    code = '\n'.join(line for line in source.split('\n') if not line.startswith('#|')).strip()
    shown = [f'```python\n{code}\n```\n'] if code and not re.search(r'^#\| *echo: *false', source, re.M) else []
    alt = re.search(r'^#\| *fig-alt: *"(.*)"', source, re.M)
    return shown+[o for k, out in enumerate(cell['outputs']) if (o := output_markdown(out, f'index-{i:02d}-{k}', figures, alt[1] if alt else ''))]


def readme() -> tuple[str, dict]:
    "The README's text and its pictures."
    cells, figures = json.loads((ROOT/'nbs'/'index.ipynb').read_text(encoding='utf-8'))['cells'], {}
    parts = [part for i, cell in enumerate(cells) for part in cell_markdown(i, cell, figures)]
    body = '\n'.join(parts)
    # a link to a chapter or a picture is relative to nbs/ in the notebook and to the root in the README
    body = re.sub(r'\]\(((?!nbs/)(?:\w+/)*\w+\.(?:ipynb|jpg|png))\)', r'](nbs/\1)', body)
    return '<!-- made from nbs/index.ipynb by `make readme`; edit the notebook -->\n\n'+body, figures


def strange_owners() -> list[str]:
    "Links to a copy of this repository under another owner than settings.ini's."
    cfg, found = settings(), []
    link = re.compile(r'github(?:\.com|/)/?([\w.-]+)/'+re.escape(cfg['repo'])+r'\b')
    for path in [*sorted((ROOT/'nbs').rglob('*.ipynb')), ROOT/'README.md', ROOT/'pyproject.toml', *sorted((ROOT/'.github').rglob('*.*'))]:
        found += [f'{path.relative_to(ROOT)}: {o}' for o in link.findall(path.read_text(encoding='utf-8')) if o != cfg['user']]
    return found


def main(check: bool) -> int:
    body, figures = readme()
    if not check:
        FIGURES.mkdir(exist_ok=True)
        for old in FIGURES.glob('index-*'):
            if old.name not in figures: old.unlink()
        for name, data in figures.items(): (FIGURES/name).write_bytes(data)
        (ROOT/'README.md').write_text(body, encoding='utf-8')
        return 0
    wrong = strange_owners()
    if (ROOT/'README.md').read_text(encoding='utf-8') != body: wrong.append('README.md differs from nbs/index.ipynb: run `make readme`')
    wrong += [f'nbs/images/{n} is not the figure of nbs/index.ipynb: run `make readme`' for n, d in figures.items()
              if not (FIGURES/n).is_file() or (FIGURES/n).read_bytes() != d]
    print('\n'.join(wrong), end='\n'*bool(wrong))
    return 1 if wrong else 0


if __name__ == '__main__': sys.exit(main('--check' in sys.argv[1:]))
