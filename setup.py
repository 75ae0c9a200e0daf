"Build from `settings.ini`, the one home of the metadata."
import re
from configparser import ConfigParser
from pathlib import Path

import setuptools

here = Path(__file__).parent
ini = ConfigParser(delimiters=['='])
ini.read(here/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
lib, repo = cfg['lib_path'], f"https://github.com/{cfg['user']}/{cfg['repo']}"
version = re.search(r'__version__ = "(.+?)"', (here/lib/'__init__.py').read_text(encoding='utf-8'))[1]
extras = {k.removesuffix('_requirements'): v.split() for k, v in cfg.items() if k.endswith('_requirements')}
# Folders of data are namespace packages, so each file belongs to one and setuptools has nothing to warn of.
packages = setuptools.find_namespace_packages(here, include=[lib, f'{lib}.*'], exclude=['*.__pycache__', '*.__pycache__.*'])

setuptools.setup(
    version=version, description=cfg['description'], keywords=cfg['keywords'].split(),
    author=cfg['author'], author_email=cfg['author_email'],
    classifiers=[line for line in cfg['classifiers'].splitlines() if line],
    project_urls=dict(Homepage=repo, Repository=repo, Issues=f'{repo}/issues', Changelog=f"{repo}/blob/{cfg['branch']}/CHANGELOG.md"),
    packages=packages, package_data={'': ['py.typed', '*.pyi', '*.csv', '*.json', '*.js', '*.css', '*.safetensors', 'LICENSE']}, include_package_data=False,
    install_requires=cfg['requirements'].split(), extras_require=extras,
    entry_points=dict(console_scripts=[cfg['console_scripts']], nbdev=[f'{lib}={lib}._modidx:d']))
