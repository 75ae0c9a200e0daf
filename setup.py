"Build from `settings.ini`, the one home of the metadata."
import re
from configparser import ConfigParser
from pathlib import Path

import setuptools

here = Path(__file__).parent
ini = ConfigParser(delimiters=['='])
ini.read(here/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
lib = cfg['lib_path']
version = re.search(r'__version__ = "(.+?)"', (here/lib/'__init__.py').read_text(encoding='utf-8'))[1]
extras = {k.removesuffix('_requirements'): v.split() for k, v in cfg.items() if k.endswith('_requirements')}

setuptools.setup(
    version=version, description=cfg['description'], packages=[lib], package_data={lib: ['*.csv', '*.js', '*.css', 'models/*.safetensors']},
    install_requires=cfg['requirements'].split(), extras_require=extras,
    entry_points=dict(console_scripts=[cfg['console_scripts']], nbdev=[f'{lib}={lib}._modidx:d']))
