"Masks as a page, and as an overlay that says what its colours mean."
import base64
import json
import re
import webbrowser

import numpy as np
import pytest
import torch
from PIL import Image

from pixseg.cli import main
from pixseg.draw import legend_strip
from pixseg.io.images import save_mask
from pixseg.io.streets import draw_street
from pixseg.labels import CAMVID, Labels, PixsegError
from pixseg.modelfile import save_model
from pixseg.run.predict import predict_files
from pixseg.run.results import draw_overlay, is_prediction
from pixseg.show import overlay
from pixseg.unet import UNet


@pytest.fixture
def place(tmp_path):
    "Two photographs, their masks, and a model."
    for d in ('photos', 'masks'): (tmp_path/d).mkdir()
    for i in (2, 10):
        img,mask = draw_street(i)
        Image.fromarray(img).save(tmp_path/'photos'/f's{i}.png')
        save_mask(mask, CAMVID, tmp_path/'masks'/f's{i}.png')
    (tmp_path/'codes.txt').write_text('\n'.join(CAMVID)+'\n')
    torch.manual_seed(1) # some masks of an untrained network look like the photograph
    save_model(tmp_path/'model.safetensors', UNet(CAMVID.n, width=4, depth=2), CAMVID, (96, 128))
    return tmp_path


def run(capsys, *argv):
    code = main([str(o) for o in argv])
    out = capsys.readouterr()
    return code,out.out,out.err


def state(page): return json.loads(re.search(r'const state = (.*), bytes = text', page.read_text(encoding='utf-8'))[1])


def test_predict_writes_a_page(place, capsys):
    page = place/'look.html'
    argv = 'predict', place/'model.safetensors', place/'photos', '--out', place/'out', '--page', page, '--device', 'cpu'
    code,out,_ = run(capsys, *argv)
    assert code == 0 and f'page: {page}' in out
    s = state(page)
    assert s['_meta']['names'] == ['s10.png', 's2.png'] and s['_meta']['labels'] == list(CAMVID.names)
    assert len(base64.b64decode(s['_step0']['pred/0/0'])) > 10
    assert run(capsys, *argv)[0] == 0 # an earlier page is replaced


def test_a_binary_page_has_two_classes(place, capsys):
    argv = 'predict', place/'model.safetensors', place/'photos', '--out', place/'out', '--page', place/'b.html', '--binary', 'Road', '--device', 'cpu'
    assert run(capsys, *argv)[0] == 0
    assert state(place/'b.html')['_meta']['labels'] == ['background', 'Road'] and state(place/'b.html')['off'] == ['background']


@pytest.mark.parametrize('where,words', [('model.safetensors', 'no page of the viewer'), ('masks', 'is a folder'), ('no/a.html', 'there is no folder')])
@pytest.mark.parametrize('command', ['predict', 'look'])
def test_a_page_is_written_over_nothing_else(place, capsys, command, where, words):
    before = (place/where).read_bytes() if (place/where).is_file() else None
    argv = ('predict', place/'photos', '--out', place/'out', '--page', place/where) if command == 'predict' else ('look', place/'photos', place/'masks', '--out', place/where)
    code,_,err = run(capsys, *argv)
    assert code == 1 and words in err and not (place/'out').exists()
    assert before is None or (place/where).read_bytes() == before


@pytest.mark.parametrize('argv,views', [
    (('masks',), ['truth']), ((), ['prediction', 'confidence']), (('masks', '--truth', 'masks'), ['prediction', 'truth', 'curtain', 'errors']),
    (('masks', '--model', 'model.safetensors'), ['prediction', 'truth', 'curtain', 'errors', 'confidence']),
    (('--truth', 'masks'), ['prediction', 'truth', 'curtain', 'errors', 'confidence'])])
def test_look(place, capsys, monkeypatch, argv, views):
    monkeypatch.chdir(place)
    monkeypatch.setenv('BROWSER', 'nothing') # a screen, as it seems
    opened = []
    monkeypatch.setattr(webbrowser, 'open', lambda url: opened.append(url) or True)
    code,out,err = run(capsys, 'look', 'photos', *argv, '--out', 'look.html')
    assert code == 0, err
    s = state(place/'look.html')
    assert s['_meta']['views'] == views and s['_meta']['names'] == ['s2.png', 's10.png'] and s['_meta']['labels'] == list(CAMVID.names)
    assert opened == [(place/'look.html').resolve().as_uri()] and 'opened in the browser' in out
    assert ('mean IoU' in out) == ('errors' in views)
    assert 'mean IoU 1.000' in out or argv[1:] != ('--truth', 'masks')


def test_a_machine_without_a_screen(place, capsys, monkeypatch):
    for o in ('DISPLAY', 'WAYLAND_DISPLAY', 'BROWSER'): monkeypatch.delenv(o, raising=False)
    monkeypatch.setattr('sys.platform', 'linux')
    monkeypatch.setattr(webbrowser, 'open', lambda url: pytest.fail('it opened a browser'))
    code,out,_ = run(capsys, 'look', place/'photos', place/'masks', '--out', place/'look.html')
    assert code == 0 and f'{place}/look.html: no browser can be opened here' in out
    code,out,_ = run(capsys, 'look', place/'photos', place/'masks', '--out', place/'look.html', '--no-open')
    assert code == 0 and 'open it in a browser' in out


def test_three_are_not_compared(place, capsys):
    code,_,err = run(capsys, 'look', place/'photos', place/'masks', '--model', 'camvid-unet', '--truth', place/'masks', '--out', place/'a.html')
    assert code == 2 and 'leave out MASKS or --model' in err


# ---- overlays

def test_an_overlay_names_its_classes(place):
    from pixseg.modelfile import load_model
    model = load_model(place/'model.safetensors')
    for alpha in (0., 1.):
        (written,_),path = predict_files(model, [place/'photos'], place/f'out{alpha}', with_overlay=True, alpha=alpha),place/f'out{alpha}'/'s2_overlay.jpg'
        shown,mask = np.asarray(Image.open(path)).astype(int),np.asarray(Image.open(written[1]))
        assert shown.shape[1:] == (128, 3) and shown.shape[0] > 96 and is_prediction(path)
        want = draw_street(2)[0] if alpha == 0 else CAMVID.palette()[mask]
        other = CAMVID.palette()[mask] if alpha == 0 else draw_street(2)[0]
        assert np.abs(shown[:96]-want).mean() < .7*np.abs(shown[:96]-other).mean() # a JPEG is not exact
    with pytest.raises(PixsegError, match='`alpha` is 2: give a share'): predict_files(model, [place/'photos'], place/'x', with_overlay=True, alpha=2)


def test_alpha_on_the_command_line(place, capsys):
    code,_,err = run(capsys, 'predict', place/'model.safetensors', place/'photos', '--out', place/'x', '--overlay', '--alpha', '1.5')
    assert code == 1 and '--alpha' in err and 'from 0 to 1' in err


def test_a_photograph_stays_clear():
    "Less of it is hidden than by half of colour, and areas keep a line of full colour."
    img,mask = draw_street(3)
    shown = draw_overlay(img, mask, CAMVID)[:96]
    far = lambda a: np.abs(a.astype(int)-img).mean()
    assert far(shown) < .85*far(overlay(img, mask, CAMVID))
    edge = np.zeros(mask.shape, bool)
    edge[:,1:] = mask[:,1:] != mask[:,:-1]
    assert (shown[edge] == CAMVID.palette()[mask[edge]]).all()


def test_a_film_keeps_its_size():
    img,mask = draw_street(3)
    assert draw_overlay(img, mask, CAMVID, every=True).shape == draw_overlay(img, mask*0, CAMVID, every=True).shape
    assert draw_overlay(img, mask, CAMVID).shape != draw_overlay(img, mask*0, CAMVID).shape


def test_the_strip_shows_each_class():
    strip = legend_strip([0, 2], CAMVID, 300)
    there = {tuple(c) for c in strip.reshape(-1, 3).tolist()}
    assert CAMVID.colors[0] in there and CAMVID.colors[2] in there and CAMVID.colors[3] not in there
    long = Labels(tuple('a very long name of a class that has no end '.strip()+str(i) for i in range(5)))
    assert legend_strip(range(5), long, 60).shape[1] == 60
