# made from __init__.py by `python .ci/stubs.py`
from .labels import Labels as Labels, CAMVID as CAMVID, CAMVID32 as CAMVID32, PixsegError as PixsegError, read_codes as read_codes
from .show import show_mask as show_mask, show_errors as show_errors, overlay as overlay
from .io.files import PixsegWarning as PixsegWarning
from .io.images import open_image as open_image, read_mask as read_mask, save_mask as save_mask
from .io.streets import draw_street as draw_street, draw_streets as draw_streets
from .io.folder import open_folder as open_folder, find_pairs as find_pairs, find_labels as find_labels, block_split as block_split, holdout_split as holdout_split
from .io.sources import open_source as open_source
from .io.check import check_data as check_data
from .io.convert import convert_data as convert_data
from .io.camvid import get_camvid as get_camvid
from .loader import SegAugment as SegAugment
from .data import seg_dls as seg_dls
from .trace import draw_unet as draw_unet
from .unet import UNet as UNet
from .encoder import EncoderUNet as EncoderUNet
from .rare import SegLoss as SegLoss, class_weights as class_weights
from .metrics import confusion as confusion, accuracy as accuracy, class_accuracy as class_accuracy, iou as iou, mean_iou as mean_iou
from .learner import seg_learner as seg_learner
from .modelfile import save_model as save_model, load_model as load_model
from .predict import predict_mask as predict_mask
from .calibration import confidence as confidence
from .run.config import RunConfig as RunConfig
from .run.train import train_run as train_run
from .run.track import Track as Track
from .run.predict import predict_files as predict_files
from .run.evaluate import evaluate as evaluate
from .run.hub import from_hub as from_hub, push_to_hub as push_to_hub
from .web.viewer import MaskBrowser as MaskBrowser
from .web.monitor import TrainMonitor as TrainMonitor
from .web.explorer import FeatureExplorer as FeatureExplorer
from .web.predict_app import PredictApp as PredictApp
from .web.labeller import MaskEditor as MaskEditor, Labeller as Labeller
from .web.page import save_page as save_page

__version__: str
__all__: list[str]
