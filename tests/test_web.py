"The widgets without a browser: what they hand to a notebook, whose labels they show, how a watched training ends, what is uploaded."
import io
import subprocess
import sys
import types
import warnings

import anywidget._util
import comm
import numpy as np
import pytest
import torch
from comm.base_comm import BaseComm
from fastai.callback.core import Callback, CancelFitException
from fastai.learner import Learner
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from pixseg.data import seg_dls
from pixseg.io.files import PixsegWarning
from pixseg.io.images import save_mask
from pixseg.io.streets import draw_street, draw_streets
from pixseg.labels import CAMVID, Labels, PixsegError
from pixseg.learner import seg_learner, seg_metrics
from pixseg.modelfile import load_model, save_model
from pixseg.predict import predict_mask
from pixseg.calibration import confidence
from pixseg.unet import UNet
from pixseg.web.explorer import FeatureExplorer
from pixseg.web.monitor import TrainMonitor
from pixseg.web.predict_app import PredictApp, Upload
from pixseg.web.viewer import MaskBrowser

VIEW = 'application/vnd.jupyter.widget-view+json'
CLOCK = 'to go'


def labelled(seed=0):
    "A small network of random weights that knows its labels."
    torch.manual_seed(seed)
    net = UNet(CAMVID.n, width=4, depth=2)
    net.labels,net.size = CAMVID,(96,128)
    return net.eval()


@pytest.fixture(scope='module')
def streets(tmp_path_factory):
    return draw_streets(tmp_path_factory.mktemp('data')/'streets', train=8, val=3, test=1, seed=0)


def ours(root, *cbs):
    "The learner of the course."
    return seg_learner(seg_dls(root, bs=4, device='cpu', seed=0), UNet(CAMVID.n, width=4, depth=2), precision='fp32', cbs=cbs)


def plain(root, *cbs):
    "fastai's own, which calls no callback when a fit dies."
    o = ours(root)
    return Learner(o.dls, o.model, loss_func=o.loss_func, metrics=seg_metrics(CAMVID), cbs=cbs)


LEARNERS = [ours, plain]


def fit(learn, epochs=3, **kwargs):
    with learn.no_bar(), learn.no_logging(): learn.fit(epochs, **kwargs)


# ---- what a notebook is handed

@pytest.fixture
def colab(monkeypatch):
    "What is there on Colab: its modules, its widget manager switched on, and a kernel that listens."
    output = types.ModuleType('google.colab.output')
    output._widgets = types.SimpleNamespace(_installed_url=None)
    def enable(): output._widgets._installed_url = 'https://example.org/manager.js'
    output.enable_custom_widget_manager = enable
    for name,module in {'google.colab':types.ModuleType('google.colab'), 'google.colab.output':output}.items():
        monkeypatch.setitem(sys.modules, name, module)
    class Listened(BaseComm):
        def publish_msg(self, *args, **kwargs): pass
    monkeypatch.setattr(comm, 'create_comm', Listened)
    anywidget._util.enable_custom_widget_manager_once.cache_clear()
    yield {VIEW:{'colab':{'custom_widget_manager':{'url':'https://example.org/manager.js'}}}}
    anywidget._util.enable_custom_widget_manager_once.cache_clear()


def watched(streets):
    monitor = TrainMonitor(n=1, live=False)
    fit(ours(streets), 1, cbs=monitor)
    return monitor


MAKE = dict(
    MaskBrowser=lambda _: MaskBrowser(*[[o] for o in draw_street(1)], labels=CAMVID),
    FeatureExplorer=lambda _: FeatureExplorer(labelled(), *draw_street(1)),
    PredictApp=lambda _: PredictApp(labelled(), {'a street':draw_street(1)[0]}),
    TrainMonitor=watched)


def handed(o, monkeypatch):
    "What a notebook is handed for a last line, in one output or in several."
    parts = []
    monkeypatch.setattr('pixseg.web.viewer.publish_display_data', lambda data, metadata=None: parts.append((data, metadata or {})))
    data,meta = DisplayFormatter().format(o)
    for d,m in parts: data,meta = data|d,meta|m
    return data,meta


@pytest.mark.parametrize('name', MAKE)
def test_a_last_line_on_colab_carries_the_widget_manager(name, colab, streets, monkeypatch):
    o = MAKE[name](streets)
    data,meta = handed(o, monkeypatch)
    assert data['text/plain'].startswith(name)
    assert data[VIEW]['model_id'] == o.widget.model_id
    assert meta == colab


@pytest.mark.parametrize('name', MAKE)
def test_elsewhere_nothing_is_added(name, streets, monkeypatch):
    data,meta = handed(MAKE[name](streets), monkeypatch)
    assert data['text/plain'].startswith(name) and meta == {}


# ---- whose labels

def told(f):
    "What `f` gives, and the lines that were said."
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        return f(),[str(o.message) for o in caught if issubclass(o.category, PixsegWarning)]


def test_masks_without_labels_are_numbered_and_told():
    imgs,masks = [np.zeros((4,6,3), np.uint8)]*2,[np.zeros((4,6), np.uint8), np.full((4,6), 3)]
    b,lines = told(lambda: MaskBrowser(imgs, masks))
    assert b.labels.names == ('class 0', 'class 1', 'class 2', 'class 3') and b.labels.void is None
    assert len(lines) == 1 and '\n' not in lines[0] and 'pass `labels`' in lines[0] and "'class 3'" in lines[0]
    b,_ = told(lambda: MaskBrowser(imgs, masks[:1]*2, masks)) # the truth may hold more than was predicted
    assert len(b.labels) == 4


def test_masks_in_files_without_labels_are_numbered(tmp_path):
    mask = np.array([[0,1,2]], np.uint8)
    save_mask(mask, CAMVID, tmp_path/'a.png')
    b,lines = told(lambda: MaskBrowser([np.zeros((1,3,3), np.uint8)], [tmp_path/'a.png']))
    assert len(b.labels) == 3 and len(lines) == 1


def test_a_mask_in_a_file_is_read_as_everywhere(tmp_path):
    "A photograph that EXIF turns, and its mask drawn on the stored pixels: `read_mask` turns it along."
    img,mask = draw_street(1)
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(img).save(tmp_path/'a.jpg', exif=exif)
    save_mask(mask, CAMVID, tmp_path/'a.png')
    b = MaskBrowser([tmp_path/'a.jpg'], [tmp_path/'a.png'], labels=CAMVID)
    assert b.frames.sizes[0] == (128,96) and (b.steps[0](0)[0] == np.rot90(mask, -1)).all()
    Image.fromarray(img).save(tmp_path/'colours.png')
    with pytest.raises(PixsegError, match='the predictions: .*colours.png is no mask: .*photograph'):
        MaskBrowser([tmp_path/'a.jpg'], [tmp_path/'colours.png'], labels=CAMVID)


def test_what_cannot_be_numbered_is_asked_for():
    img,mask = np.zeros((2,2,3), np.uint8),np.array([[0,1],[255,0]], np.uint8)
    b,lines = told(lambda: MaskBrowser([img], [mask]))
    assert b.labels.names == ('class 0', 'class 1', 'Void') and len(lines) == 1 and '255 in the masks is taken as void' in lines[0]
    with pytest.raises(PixsegError, match='pass `labels`'): MaskBrowser([img], lambda img: mask)
    with pytest.raises(PixsegError, match='image 0: the prediction: class ids are whole numbers'): MaskBrowser([img], [mask/2])


def test_labels_that_are_given_are_not_told():
    b,lines = told(lambda: MaskBrowser([np.zeros((2,2,3), np.uint8)], [np.ones((2,2), np.uint8)], labels=Labels(('a', 'b'))))
    assert b.labels.names == ('a', 'b') and lines == []


def test_an_id_beyond_the_labels_has_a_remedy():
    b,_ = told(lambda: MaskBrowser([np.zeros((2,2,3), np.uint8)], [np.ones((2,2), np.uint8)]))
    with pytest.raises(PixsegError, match='pass `labels` that name it'): b.add_step([np.full((2,2), 7)], 'later')


def test_exported_masks_do_not_meet(tmp_path):
    imgs,masks = [np.zeros((2,2,3), np.uint8)]*4,[np.full((2,2), i, np.uint8) for i in range(4)]
    names = ['a/x.jpg', 'b/x.jpg', 'x-1.png', 'X.png']
    written = MaskBrowser(imgs, masks, labels=CAMVID, names=names).export_masks(tmp_path/'out')
    assert len({o.name.lower() for o in written}) == 4 # also where `X.png` and `x.png` are one file
    assert [int(np.asarray(Image.open(o))[0,0]) for o in written] == [0,1,2,3]


# ---- how a watched training ends

class Fail(Callback):
    "Raise something when this event comes in the second epoch."
    run_valid = False
    def __init__(self, error, event='before_batch'): self.error,self.event = error,event
    def __call__(self, event):
        if event == self.event and self.learn.epoch == 1 and (self.learn.training or event == 'after_epoch'): raise self.error
        return super().__call__(event)


ERRORS = dict(interrupt=KeyboardInterrupt(), error=RuntimeError('out of memory'), cancelled=CancelFitException())


def words(monitor):
    "What the live view says."
    return monitor.widget.children[0].value


@pytest.mark.parametrize('event', ['before_batch', 'after_loss', 'after_epoch'])
@pytest.mark.parametrize('how', ERRORS)
@pytest.mark.parametrize('learner', LEARNERS)
def test_a_training_that_breaks_off_is_called_stopped(learner, how, event, streets):
    monitor,learn = TrainMonitor(n=1, live=False),learner(streets, Fail(ERRORS[how], event))
    try: fit(learn, cbs=monitor)
    except (KeyboardInterrupt, RuntimeError): assert how != 'cancelled'
    assert 'stopped' in words(monitor) and CLOCK not in words(monitor)
    assert 'TrainMonitor' in repr(monitor) and 'stopped' in repr(monitor)


@pytest.mark.parametrize('how', ERRORS)
@pytest.mark.parametrize('learner', LEARNERS)
def test_so_is_one_whose_monitor_stays_with_the_learner(learner, how, streets):
    monitor = TrainMonitor(n=1, live=False)
    learn = learner(streets, monitor, Fail(ERRORS[how]))
    try: fit(learn)
    except (KeyboardInterrupt, RuntimeError): assert how != 'cancelled'
    assert 'stopped' in words(monitor) and CLOCK not in words(monitor)


@pytest.mark.parametrize('how', ERRORS)
@pytest.mark.parametrize('learner', LEARNERS)
def test_the_live_view_says_so_at_once(learner, how, streets, capsys):
    "The box that stands under the cell, without anybody looking again."
    monitor,learn = TrainMonitor(n=1, live=True, every=0),learner(streets, Fail(ERRORS[how]))
    try: fit(learn, cbs=monitor)
    except (KeyboardInterrupt, RuntimeError): pass
    assert 'stopped' in monitor._widget.children[0].value and CLOCK not in monitor._widget.children[0].value


class Listen(Callback):
    "What the monitor says after every batch."
    order = 70
    def __init__(self, monitor): self.monitor,self.said = monitor,[]
    def after_batch(self): self.said.append(words(self.monitor))


def test_while_it_trains_it_says_how_long_it_will(streets):
    monitor = TrainMonitor(n=1, live=False)
    listen = Listen(monitor)
    fit(ours(streets), 2, cbs=[monitor, listen])
    assert all(CLOCK in o and 'stopped' not in o for o in listen.said)
    assert '<b>done</b>: 2 epochs' in words(monitor)
    assert CLOCK not in words(monitor)


def test_a_training_that_was_stopped_can_go_on(streets):
    monitor,fail = TrainMonitor(n=1, live=False),Fail(KeyboardInterrupt())
    learn = ours(streets)
    with pytest.raises(KeyboardInterrupt): fit(learn, cbs=[monitor, fail])
    steps = len(monitor.losses)
    fit(learn, 2, cbs=monitor)
    assert 'done' in words(monitor) and len(monitor.losses) == steps+2*len(learn.dls.train)


def test_an_error_in_the_monitor_is_an_error_of_the_fit(streets, monkeypatch):
    "The monitor does not swallow what goes wrong in itself."
    monitor = TrainMonitor(n=1, live=False)
    monkeypatch.setattr(TrainMonitor, '_look', lambda self, name: 1/0)
    with pytest.raises(ZeroDivisionError): fit(ours(streets), cbs=monitor)


# ---- uploads

def as_file(img, format='PNG'):
    f = io.BytesIO()
    Image.fromarray(img).save(f, format)
    return f.getvalue()


def upload(app, img, name='mine.png', seen=None):
    "What arrives from the browser when a file was chosen."
    app.upload._handle_custom_msg({'kind':'file', 'name':name, 'seen':seen}, [memoryview(as_file(img))])


@pytest.mark.parametrize('kind', [bytes, bytearray, memoryview])
def test_an_upload_is_predicted(kind):
    img,got = draw_street(5)[0],[]
    Upload(lambda *file: got.append(file))._handle_custom_msg({'kind':'file', 'name':'a.png', 'seen':[2, 3]}, [kind(b'ab')])
    assert got == [('a.png', b'ab', (2, 3))]
    app = PredictApp(labelled(), {'a street':draw_street(4)[0]})
    app.pick.value = 'a street'
    upload(app, img)
    assert 'Not done' not in app.message.value and app.name == 'mine.png'
    assert (app.mask == predict_mask(app.model(), img)).all()


@pytest.mark.parametrize('seen,size', [(None, '300x400'), ([3000, 4000], '3000x4000')])
def test_both_sizes_are_told(seen, size):
    "7d29f36 said 96x128 of a photograph of 300x400."
    app = PredictApp(labelled(), side=128)
    upload(app, np.zeros((300, 400, 3), np.uint8), 'large.png', seen)
    assert app.mask.shape == (96, 128) and f'large.png: {size} pixels, masked at 96x128' in app.message.value
    upload(app, draw_street(5)[0], 'small.png')
    assert 'small.png: 96x128 pixels,' in app.message.value and 'masked at' not in app.message.value
    app.pick.value = 'large.png'
    assert f'{size} pixels, masked at 96x128' in app.message.value


def test_the_list_grows():
    app = PredictApp(labelled())
    assert app.pick.layout.display == 'none'
    upload(app, draw_street(5)[0])
    assert app.pick.options == ('', 'mine.png') and app.pick.layout.display is None
    upload(app, draw_street(6)[0]) # another one of that name takes its place
    assert app.pick.options == ('', 'mine.png') and (app.images['mine.png'] == draw_street(6)[0]).all()
    other = PredictApp(labelled(), {'mine.png':draw_street(4)[0]})
    upload(other, draw_street(5)[0]) # but not that of a photograph in the list
    assert other.pick.options == ('', 'mine.png', 'mine.png (uploaded)') and other.pick.value == 'mine.png (uploaded)'


def test_pictures_to_pick_from(tmp_path):
    for d in ('day', 'night'):
        (tmp_path/d).mkdir()
        for i in range(2): Image.fromarray(draw_street(i, size=(32, 32))[0]).save(tmp_path/d/f'{i}.png')
    app = PredictApp(labelled(), tmp_path/'day')
    assert app.pick.options == ('', '0.png', '1.png')
    both = PredictApp(labelled(), [*(tmp_path/'day').iterdir(), tmp_path/'night'/'0.png'])
    assert len(both.images) == 3 and both.predict(both.images[str(tmp_path/'night'/'0.png')]).shape == (32, 32)
    for nothing,words in (('nix', 'no file or folder at nix'), (tmp_path, 'no images in')):
        with pytest.raises(PixsegError, match=words): PredictApp(labelled(), nothing)



def test_an_upload_that_can_be_read_but_is_no_photograph():
    f = io.BytesIO()
    Image.fromarray(np.full((64,64), np.nan, np.float32)).save(f, 'TIFF')
    app = PredictApp(labelled(), {})
    app._safely(app._take, 'deep.tif', f.getvalue())
    assert 'deep.tif has values that are no numbers' in app.message.value and 'give a JPEG' not in app.message.value


def test_the_list_names_what_is_shown():
    "The name of the photograph before must not stay chosen: it could not be chosen again."
    streets = {'one':draw_street(1)[0], 'two':draw_street(2)[0]}
    app = PredictApp(labelled(), streets)
    app.pick.value = 'one'
    upload(app, draw_street(5)[0])
    assert (app.name, app.pick.value) == ('mine.png', 'mine.png')
    app.pick.value = 'one'
    assert app.name == 'one'
    app.webcam._handle_custom_msg({'kind':'picture'}, [memoryview(as_file(draw_street(6)[0], 'JPEG'))])
    assert (app.name, app.pick.value) == ('camera', 'camera')
    app.predict(streets['two'], 'two') # from Python: a name of the list
    assert app.pick.value == 'two'
    app.pick.value = 'one'
    upload(app, np.zeros((1,1,3), np.uint8), 'small.png') # refused: the list goes on naming what is there
    assert 'Not done' in app.message.value and (app.name, app.pick.value) == ('one', 'one')


def test_the_same_file_can_be_uploaded_again():
    app = PredictApp(labelled(), {'one':draw_street(1)[0]})
    upload(app, draw_street(5)[0])
    app.pick.value = 'one'
    upload(app, draw_street(5)[0])
    assert app.name == 'mine.png'


# ---- how sure

def test_the_app_is_as_sure_as_the_card_says(tmp_path):
    net,img = labelled(),draw_street(3)[0]
    cool = load_model(save_model(tmp_path/'cool.safetensors', net, CAMVID, (96,128), temperature=.1))
    apps = [PredictApp(o) for o in (net, cool)]
    for app in apps: app.predict(img)
    maps = [app.browser.steps[0](0)[1]/255 for app in apps]
    assert maps[1].mean() > maps[0].mean()+.1 # a low temperature is a surer network
    for app,shown in zip(apps, maps, strict=True):
        mask,conf = confidence(app.model(), img)
        assert (app.mask == mask).all() and np.abs(shown-conf).max() < .01


# ---- what an import costs

def test_fastai_is_not_needed_to_look():
    code = """
import sys
for module in ('viewer', 'explorer', 'predict_app'):
    __import__(f'pixseg.web.{module}')
    print(*[f'{module}: {o}' for o in sys.modules if o.split('.')[0] == 'fastai'], sep='\\n')"""
    out = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []
