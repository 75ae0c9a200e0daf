"Segment images pixel by pixel, step by step."
__version__ = "0.1.0"

import os as _os
import warnings as _warnings
from importlib import import_module as _import

_warnings.filterwarnings('ignore', r'`torch\.jit\.script', FutureWarning) # fastai calls it once while it is imported

# Threads of GNU OpenMP, which torch has on Linux, wait for each other with their cores busy: beside another process they so keep away the one
# that they wait for. With short waits a training step is as fast alone, and takes 0.6 of the time beside one busy core. Read when torch is loaded.
if not {'OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'} & _os.environ.keys(): _os.environ['GOMP_SPINCOUNT'] = '1000'

# Where each public name lives. Nothing is imported before it is asked for: `import pixseg` costs nothing.
_home = {
    'labels': 'Labels CAMVID CAMVID32 PixsegError read_codes',
    'show': 'show_mask show_errors overlay',
    'io.files': 'PixsegWarning',
    'io.images': 'open_image read_mask save_mask',
    'io.streets': 'draw_street draw_streets',
    'io.folder': 'open_folder find_pairs find_labels block_split holdout_split',
    'io.sources': 'open_source',
    'io.check': 'check_data',
    'io.convert': 'convert_data',
    'io.camvid': 'get_camvid',
    'loader': 'SegAugment',
    'data': 'seg_dls',
    'trace': 'draw_unet',
    'unet': 'UNet',
    'encoder': 'EncoderUNet',
    'rare': 'SegLoss class_weights',
    'metrics': 'confusion accuracy class_accuracy iou mean_iou',
    'learner': 'seg_learner',
    'modelfile': 'save_model load_model',
    'predict': 'predict_mask',
    'calibration': 'confidence',
    'run.config': 'RunConfig',
    'run.train': 'train_run',
    'run.track': 'Track',
    'run.predict': 'predict_files',
    'run.evaluate': 'evaluate',
    'run.hub': 'from_hub push_to_hub',
    'web.viewer': 'MaskBrowser',
    'web.monitor': 'TrainMonitor',
    'web.explorer': 'FeatureExplorer',
    'web.predict_app': 'PredictApp',
    'web.labeller': 'MaskEditor Labeller',
    'web.page': 'save_page'}
_home = {name: module for module, names in _home.items() for name in names.split()}
__all__ = list(_home)


def __getattr__(name):
    if name not in _home: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import(f'.{_home[name]}', __name__), name)


def __dir__(): return [*globals(), *__all__]
