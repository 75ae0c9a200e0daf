"The Hugging Face Hub as `huggingface_hub` really asks it, played by a server in this process; and everything that must not happen."
import base64
import json
import re
import threading
import traceback
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest
import torch
from huggingface_hub import HfApi, metadata_load
from safetensors.torch import save_file

from pixseg.cli import main
from pixseg.io.files import PixsegWarning
from pixseg.labels import Labels, PixsegError
from pixseg.modelfile import find_model, load_model, read_card, save_model
from pixseg.run import hub
from pixseg.run.hub import from_hub, hub_file, open_model, push_to_hub, render_hub_folder, render_readme
from pixseg.unet import UNet

LABELS = Labels(['Sky', 'Road', 'Void'], void=2)
TOKEN = 'hf_'+'Sx7'*9 # of nobody


class Server(ThreadingHTTPServer):
    "Repositories in memory: name -> {'private': bool, 'commits': [(hash, {file: bytes})]}."
    daemon_threads = True
    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.repos,self.asked,self.answer = {},[],None
        threading.Thread(target=self.serve_forever, kwargs=dict(poll_interval=.01), daemon=True).start()
    url = property(lambda self: f'http://127.0.0.1:{self.server_port}')
    def add(self, repo, private=False, **files):
        entry = self.repos.setdefault(repo, dict(private=private, commits=[]))
        old = entry['commits'][-1][1] if entry['commits'] else {}
        entry['commits'].append((f"{len(entry['commits'])+1:040x}", {**old, **{k.replace('__', '.'): v for k,v in files.items()}}))
        return entry['commits'][-1][0]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def say(self, status, body=b'', **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for k,v in {'Content-Length': len(body), **{k.replace('_', '-'): v for k,v in headers.items()}}.items(): self.send_header(k, str(v))
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
    def do_POST(self):
        s,data = self.server,self.rfile.read(int(self.headers.get('Content-Length') or 0))
        s.asked.append(f'POST {self.path}')
        if s.answer: return self.say(s.answer[0], dict(error=f'no, {TOKEN}'), **s.answer[1])
        if self.path == '/api/repos/create':
            o = json.loads(data)
            repo = f"{o['organization']}/{o['name']}"
            if repo in s.repos: return self.say(409, dict(error='there already', url=f'{s.url}/{repo}'))
            s.add(repo, bool(o.get('private')) or o.get('visibility') == 'private', **{'.gitattributes': b'*'})
            return self.say(200, dict(url=f'{s.url}/{repo}', name=repo, id=repo))
        if self.path == '/api/validate-yaml': return self.say(200, dict(errors=[], warnings=[]))
        repo = re.match(r'/api/models/(\w+/\w+)/', self.path)[1]
        if '/preupload/' in self.path: return self.say(200, dict(files=[dict(path=f['path'], uploadMode='regular', shouldIgnore=False) for f in json.loads(data)['files']]))
        lines = [json.loads(line) for line in data.splitlines()]
        s.header = lines[0]['value']
        if s.header.get('parentCommit') not in (None, s.repos[repo]['commits'][-1][0]): return self.say(412, dict(error='another commit'))
        sha = s.add(repo, **{o['value']['path']: base64.b64decode(o['value']['content']) for o in lines[1:]})
        self.say(200, dict(success=True, commitOid=sha, commitUrl=f'https://huggingface.co/{repo}/commit/{sha}'))
    def do_GET(self):
        s,path = self.server,unquote(self.path.split('?')[0])
        s.asked.append(f'{self.command} {path}')
        if s.answer: return self.say(s.answer[0], dict(error=f'no, {TOKEN}'), **s.answer[1])
        m = re.match(r'/(?:api/models/)?(\w+/\w+)(?:/(?:revision|resolve)/([^/]+))?(?:/(.+))?$', path)
        entry = s.repos.get(m[1]) if m else None
        if not entry: return self.say(401, dict(error='Invalid username or password.'))
        found = [c for c in entry['commits'] if m[2] in (None, 'main', c[0])][-1:]
        if not found: return self.say(404, dict(error='x'), X_Error_Code='RevisionNotFound')
        (sha, files), = found
        if path.startswith('/api/'): return self.say(200, dict(id=m[1], sha=sha, private=entry['private'], downloads=0, likes=0, tags=[], siblings=[dict(rfilename=f) for f in files]))
        if m[3] not in files: return self.say(404, dict(error='x'), X_Error_Code='EntryNotFound')
        body = files[m[3]]
        part = re.match(r'bytes=(\d+)-(\d*)', self.headers.get('range') or '')
        extra = dict(X_Repo_Commit=sha, ETag=f'"{len(body)}-{torch.tensor(list(body)).sum().item()}"')
        if part and self.command == 'GET': return self.say(206, body[int(part[1]):int(part[2] or len(body))+1], **extra)
        self.say(200, body, **extra)
    do_HEAD = do_GET


@pytest.fixture
def there(monkeypatch, tmp_path):
    "A Hub of our own, and an empty cache."
    server = Server()
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path/'cache'))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', False)
    for name in ('HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    monkeypatch.setattr('pixseg.io.files._said', {})
    yield server
    server.shutdown(); server.server_close()


@pytest.fixture
def api(there): return HfApi(endpoint=there.url, token=TOKEN)


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    torch.manual_seed(0)
    return save_model(tmp_path_factory.mktemp('m')/'m.safetensors', UNet(LABELS.n, width=4, depth=1), LABELS, (64, 96))


def told(f, *args, **kwargs):
    "What a call returns, and the warnings it gave."
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always', PixsegWarning)
        return f(*args, **kwargs),[str(o.message) for o in said if issubclass(o.category, PixsegWarning)]


def test_there_and_back_by_the_real_library(there, api, model):
    done = push_to_hub(model, 'jane/streets', private=True, message='first', api=api)
    sha,files = there.repos['jane/streets']['commits'][-1]
    assert done == dict(repo='jane/streets', revision=sha, url=f'https://huggingface.co/jane/streets/commit/{sha}', private=True, files=['model.safetensors', 'README.md'])
    assert set(files) == {'.gitattributes', 'model.safetensors', 'README.md'} and there.repos['jane/streets']['private']
    assert files['model.safetensors'] == model.read_bytes() and there.header['summary'] == 'first'
    net,said = told(from_hub, 'hf://jane/streets', api=api)
    assert net.source == f'hf://jane/streets@{sha}' and said == [f'hf://jane/streets@{sha} was loaded: this name gives the same model again']
    assert all(a.equal(b) for a,b in zip(net.state_dict().values(), load_model(model).state_dict().values()))
    assert not any('README' in o for o in there.asked if o.startswith(('GET', 'HEAD'))) # one file is fetched


def test_without_network_the_cache_serves(there, api, model):
    push_to_hub(model, 'jane/streets', api=api)
    first = from_hub('jane/streets', api=api).source
    n = len(there.asked)
    assert from_hub(first, api=api).source == first and len(there.asked) == n # by its hash: nobody is asked
    away = HfApi(endpoint='http://127.0.0.1:9', token=TOKEN)
    net,said = told(from_hub, 'jane/streets', api=away)
    assert net.source == first and 'cannot be reached' in said[0] and first.split('@')[1] in said[0]
    with pytest.raises(PixsegError, match='cannot be reached') as e: from_hub('jane/other', api=away)
    assert '\n' not in str(e.value)
    there.answer = 503, {}
    assert from_hub('jane/streets', api=api).source == first # an ill Hub is as good as none


def test_offline_by_wish(there, api, model, monkeypatch):
    push_to_hub(model, 'jane/streets', api=api)
    from_hub('jane/streets', api=api)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    n = len(there.asked)
    assert from_hub('jane/streets', api=api).source.startswith('hf://jane/streets@') and len(there.asked) == n
    with pytest.raises(PixsegError, match='cannot be reached'): push_to_hub(model, 'jane/streets', api=api)


def test_a_newer_commit_is_taken_and_an_old_one_can_be_named(there, api, model, tmp_path):
    push_to_hub(model, 'jane/streets', api=api)
    old = from_hub('jane/streets', api=api)
    torch.manual_seed(1)
    push_to_hub(save_model(tmp_path/'n.safetensors', UNet(LABELS.n, width=4, depth=1), LABELS), 'jane/streets', api=api)
    new = from_hub('jane/streets', api=api)
    assert new.source != old.source and new.size is None and old.size == (64, 96)
    assert from_hub(old.source, api=api).size == (64, 96)


@pytest.mark.parametrize('status,headers,words', [
    (401, {}, 'does not exist, or is not for everybody'), (404, dict(X_Error_Code='RepoNotFound'), 'does not exist, or is not for everybody'),
    (403, dict(X_Error_Code='GatedRepo'), 'accept its terms'), (404, dict(X_Error_Code='RevisionNotFound'), "no revision 'v9'"),
    (403, {}, 'does not allow'), (429, {}, '429'), (400, {}, '400')])
def test_every_refusal_of_the_hub_is_a_line_without_the_token(there, api, status, headers, words):
    there.answer = status,headers
    with pytest.raises(PixsegError, match=re.escape(words)) as e: from_hub('hf://jane/streets', 'v9', api=api)
    assert '\n' not in str(e.value) and TOKEN not in ''.join(traceback.format_exception(e.value)) and TOKEN not in str(e.value)
    assert e.value.__suppress_context__


def test_a_repository_that_is_not_ours(there, api, model, tmp_path):
    there.add('joe/old', pytorch_model__bin=b'x', config__json=b'{}')
    with pytest.raises(PixsegError, match=r'pytorch_model.bin: such a file can run code'): from_hub('joe/old', api=api)
    there.add('joe/none', README__md=b'x')
    with pytest.raises(PixsegError, match='is not a model that'): from_hub('joe/none', api=api)
    save_file(dict(w=torch.zeros(3)), tmp_path/'o.safetensors')
    there.add('joe/other', model__safetensors=(tmp_path/'o.safetensors').read_bytes())
    with pytest.raises(PixsegError, match='has no pixseg card'): from_hub('joe/other', api=api)
    assert not list((tmp_path/'cache').rglob('*.safetensors')) # nothing was fetched for that
    with pytest.raises(PixsegError, match='not pushed by pixseg'): push_to_hub(model, 'joe/other', api=api)
    with pytest.raises(PixsegError, match='is public, and stays so'): push_to_hub(model, 'joe/old', private=True, api=api)
    assert not any('/commit/' in o for o in there.asked)
    text = 'x'*300+json.dumps(dict(a=1))
    there.add('joe/broken', model__safetensors=(len(text)).to_bytes(8, 'little')+text.encode())
    with pytest.raises(PixsegError, match='is no safetensors file'): from_hub('joe/broken', api=api)


def test_a_damaged_file_is_named_by_its_repository(there, api, model, tmp_path):
    good = model.read_bytes()
    there.add('jane/cut', model__safetensors=good[:-20])
    def load():
        with pytest.raises(PixsegError, match='hf://jane/cut@') as e: from_hub('jane/cut', api=api)
        return str(e.value)
    line,said = told(load)
    assert str(tmp_path) not in line and said == []


def test_a_page_that_was_changed_stays(there, api, model):
    push_to_hub(model, 'jane/streets', api=api)
    page = there.repos['jane/streets']['commits'][-1][1]['README.md']
    there.add('jane/streets', README__md=page.replace(b'## Use', b'Thanks.\n\n## Use'))
    done,said = told(push_to_hub, model, 'jane/streets', api=api)
    assert done['files'] == ['model.safetensors'] and 'stays as it is' in said[0]
    assert b'Thanks.' in there.repos['jane/streets']['commits'][-1][1]['README.md']
    there.add('jane/made_in_browser', README__md=b'---\nlicense: mit\n---\n')
    assert told(push_to_hub, model, 'jane/made_in_browser', api=api)[0]['files'] == ['model.safetensors']
    assert push_to_hub(model, 'jane/streets', replace=True, api=api)['files'] == ['model.safetensors', 'README.md']


def test_a_push_that_came_between_is_not_lost(there, api, model, monkeypatch):
    push_to_hub(model, 'jane/streets', api=api)
    before = hub._to_upload
    def slow(*args):
        there.add('jane/streets', notes__txt=b'of somebody else')
        return before(*args)
    monkeypatch.setattr(hub, '_to_upload', slow)
    with pytest.raises(PixsegError, match='push again; nothing was uploaded'): push_to_hub(model, 'jane/streets', api=api)


def test_a_model_that_cannot_be_loaded_is_not_pushed(there, api, model, tmp_path):
    (tmp_path/'cut.safetensors').write_bytes(model.read_bytes()[:-20])
    with pytest.raises(PixsegError): push_to_hub(tmp_path/'cut.safetensors', 'jane/cut', api=api)
    with pytest.raises(PixsegError, match='write owner/name'): push_to_hub(model, 'streets', api=api)
    assert there.asked == []


def test_the_token_goes_to_the_library_and_nowhere_else(monkeypatch, model, there):
    made = {}
    def make(**kwargs):
        made.update(kwargs)
        return HfApi(endpoint=there.url, **kwargs)
    monkeypatch.setattr(hub, 'HfApi', make)
    push_to_hub(model, 'jane/streets', token=TOKEN)
    assert made['token'] == TOKEN
    assert not any(TOKEN.encode() in v for _,files in there.repos['jane/streets']['commits'] for v in files.values())
    assert all('--token' not in line for line in open(hub.__file__.replace('run/hub.py', 'cli.py'), encoding='utf-8'))


def test_only_hf_names_ask(monkeypatch, model):
    def never(**kwargs): raise AssertionError('the network was asked')
    monkeypatch.setattr(hub, 'HfApi', never)
    assert open_model(model).size == (64, 96) and open_model(None).labels.n == 11
    for name in ('jane/streets', 'hub:jane/streets', 'https://huggingface.co/jane/streets'):
        with pytest.raises(PixsegError, match='no model file'): open_model(name)
    for f in (load_model, read_card, find_model):
        with pytest.raises(PixsegError, match='asks no network'): f('hf://jane/streets')
    with pytest.raises(AssertionError, match='was asked'): open_model('hf://jane/streets')


def test_folders(model, tmp_path, monkeypatch):
    out = render_hub_folder(model, tmp_path/'jane'/'streets', licence='mit', data='drawn streets', scores=dict(split='test', miou=.5, iou=dict(Sky=.9, Road=None)))
    assert from_hub(out).source == str(out)
    meta = metadata_load(out/'README.md')
    assert (meta['library_name'], meta['pipeline_tag'], meta['license']) == ('pixseg', 'image-segmentation', 'mit')
    result, = meta['model-index'][0]['results']
    assert result['dataset'] == dict(name='drawn streets', type='custom', split='test') and [o['value'] for o in result['metrics']] == [.5]
    monkeypatch.chdir(tmp_path)
    net,said = told(from_hub, 'jane/streets')
    assert net.source == 'jane/streets' and 'write hf://jane/streets for the Hub' in said[0]
    with pytest.raises(PixsegError, match='has no revision'): from_hub('jane/streets', 'v1')
    (tmp_path/'p').mkdir(); (tmp_path/'p'/'net.pth').write_bytes(b'x')
    with pytest.raises(PixsegError, match='net.pth: such a file can run code'): from_hub(tmp_path/'p')
    (tmp_path/'file').write_text('x')
    with pytest.raises(PixsegError): render_hub_folder(model, tmp_path/'file')


def test_strange_cards_make_pages_that_can_be_read(model, tmp_path):
    card = {**read_card(model), 'name': 'a: "b"\n---\n# c', 'data': '| x |\n---\nlicense: mit', 'scores': dict(split=3, miou=float('nan'), accuracy=.5, iou=[]),
            'licence': 'do: not\n---', 'recipe': 7, 'weak': 4}
    (tmp_path/'README.md').write_text(render_readme(card), encoding='utf-8')
    meta = metadata_load(tmp_path/'README.md')
    assert meta['license'] == 'other' and meta['model-index'][0]['results'][0]['metrics'] == [dict(type='accuracy', value=.5, name='pixel accuracy')]
    for scores in (7, [], None, dict(iou=3)): render_readme({**card, 'scores': scores})


def test_the_shell(there, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hub, 'HfApi', lambda **kwargs: HfApi(endpoint=there.url, token=TOKEN))
    assert main(['push', str(model), 'jane/streets', '--private', '--licence', 'mit']) == 0
    assert 'model.safetensors and README.md, private; load it as hf://jane/streets@' in capsys.readouterr().out
    from pixseg.io.streets import draw_streets
    root = draw_streets(tmp_path/'s', train=2, val=1, test=1)
    assert main(['predict', 'hf://jane/streets', str(root/'test'), '--out', str(tmp_path/'masks'), '--device', 'cpu']) == 0
    seen = capsys.readouterr()
    assert '1 mask' in seen.out and 'hf://jane/streets@' in seen.err
    assert main(['train', str(root), '--init', 'hf://jane/streets', '--epochs', '1', '--out', str(tmp_path/'run'), '--device', 'cpu', '--quiet']) == 0
    assert read_card(tmp_path/'run'/'last.safetensors')['recipe']['init'] == 'hf://jane/streets'
    assert main(['predict', 'hf://jane/nothing', str(root/'test'), '--out', str(tmp_path/'masks')]) == 1
    assert 'pixseg: hf://jane/nothing does not exist, or is not for everybody' in capsys.readouterr().err.splitlines()[-1]
    assert main(['push', str(model), 'hf://jane/streets@a', '--branch', 'b']) == 1
    assert 'give one of them' in capsys.readouterr().err
    assert hub_file('hf://jane/streets')[0].is_file()
