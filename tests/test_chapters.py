"What the chapters' functions refuse, in which words, and what they promise beside their lessons."
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixseg.course.engine import scene
from pixseg.draw import to_ids
from pixseg.io.names import write_codes
from pixseg.labels import CAMVID, CAMVID32, MERGE32, Labels, PixsegError, name_labels, read_codes
from pixseg.loss import masked_ce
from pixseg.metrics import accuracy, confusion, report
from pixseg.rare import SegLoss, class_weights, soft_dice
from pixseg.show import class_shares, color_mask, error_colors, error_map, error_names, overlay, show_errors, show_grid, show_mask
from pixseg.trace import trace_shapes, u_levels
from pixseg.unet import ConvBlock, UNet, UpBlock

TOY = Labels(['Sky', 'Void', 'Road'], void=1)
THEIRS = Labels(['Unlabelled', 'Asphalt', 'Lane', 'Sky'], void=0)
MASK = np.zeros((60, 80), np.uint8)
IMG = np.zeros((60, 80, 3), np.uint8)


def refused(call, words, error=PixsegError):
    "The call raises; its message holds the words and is one line."
    with pytest.raises(error) as e: call()
    assert words in str(e.value) and '\n' not in str(e.value), str(e.value)


# 01_labels

@pytest.mark.parametrize('args,words', [
    ((['Road', 'Sky', 'Road'],), "'Road' comes twice"),
    (('Sky',), "single string 'Sky'"),
    ((range(257),), '257 class names'),
    (([],), '0 class names'),
    (([' Sky'],), "' Sky' is empty or"),
    ((['Sky\nRoad'],), 'is empty or has a line break'),
    ((['a', 'b', 'c'], None, 3), '3 names have ids 0..2'),
    ((['Sky', 'Void'], None, 'Void'), 'give its id'),
    ((['Sky', 'Road'], [(0,0,0)]), '1 colours for 2 names'),
    ((['Sky'], [(.5,0,0)]), 'multiply colours in 0..1 by 255')])
def test_labels_refuse(args, words): refused(lambda: Labels(*args), words)


def test_a_misspelt_class_is_answered_with_the_choices(): refused(lambda: TOY['Raod'], 'choose from Sky, Void, Road', KeyError)


@pytest.mark.parametrize('labels,to,merge,words', [
    (THEIRS, TOY, None, 'no class in `to` for Asphalt, Lane'),
    (THEIRS, TOY, dict(Asphalt='Road', Lane='Raod'), 'Lane -> Raod'),
    (THEIRS, TOY, dict(Lanes='Road'), '`merge` names Lanes: choose from'),
    (TOY, Labels(['Sky', 'Road']), None, 'no class in `to` for Void'),
    (TOY, Labels(range(256)), None, '`to` has 256 ids')])
def test_a_numbering_that_leads_nowhere_is_refused(labels, to, merge, words): refused(lambda: labels.table(to, merge), words)


@pytest.mark.parametrize('bad', [['Sky', 'Road'], dict(names=5), dict(names=['Sky'], colors=[['r', 'g', 'b']]), dict(names=['Sky'], void=9), None])
def test_what_holds_no_labels_is_refused(bad): refused(lambda: Labels.from_dict(bad), 'holds no labels')


@pytest.mark.parametrize('text,words', [
    ('Sky\n\nRoad\n', 'codes.txt line 2 is blank'),
    ('Sky\nvoid\nUnlabelled', "names two voids, 'void' and 'Unlabelled'"),
    ('Sky\nRoad\nSky', "codes.txt: class name 'Sky' comes twice"),
    ('', 'codes.txt: 0 class names'),
    (b'Sky\n\xff\xfe', 'codes.txt is not UTF-8 text')])
def test_a_codes_file_that_cannot_be_one_is_refused(tmp_path, text, words):
    file = tmp_path/'codes.txt'
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(lambda: read_codes(file), words)


def test_a_codes_file_that_is_not_there_or_cannot_be_read_back_is_refused(tmp_path):
    refused(lambda: read_codes(tmp_path/'names.txt'), 'No such file')
    refused(lambda: write_codes(Labels(['ignore', 'Sky']), tmp_path/'codes.txt'), 'only void')


@pytest.mark.parametrize('names', [['1 apple', '0 pear', '2 fig'], ['item: 1', 'item: 2'], ['x,1,2,3'], ['"q"'], ['# a', 'b'], ['a, b']])
def test_names_that_a_list_would_say_otherwise_are_refused(tmp_path, names):
    "Read back they would have other numbers, or lose a part: 1 apple became class 0, pear."
    refused(lambda: write_codes(Labels(names), tmp_path/'codes.txt'), 'would not be read as it is meant')
    assert not (tmp_path/'codes.txt').exists()


def test_a_codes_file_from_windows_is_read(tmp_path):
    file = tmp_path/'codes.txt'
    file.write_bytes('\ufeffTram\r\nRoad\r\nunlabeled\r\n\r\n'.encode())
    assert read_codes(file) == Labels(('Tram', 'Road', 'unlabeled'), ((0,114,178), (128,64,128), (0,0,0)), void=2)


@pytest.mark.parametrize('name,void', [('Background_void', True), ('Avoid', False), ('UNLABELLED', True), ('ignore-region', True), ('Unlabeled', True)])
def test_which_names_say_void(tmp_path, name, void):
    (tmp_path/'codes.txt').write_text(f'Sky\n{name}\n')
    assert read_codes(tmp_path/'codes.txt').void == (1 if void else None)


def test_names_may_come_one_by_one():
    assert name_labels(o for o in ['Sky', 'Void', 'Road']) == name_labels(['Sky', 'Void', 'Road'])
    assert name_labels(iter(['Sky', 'Void', 'Road'])).void == 1
    refused(lambda: name_labels('Sky'), "single string 'Sky'")


def test_thirty_two_become_twelve_by_name():
    noise = np.random.default_rng(0).integers(0, 32, 10_000, dtype=np.uint8)
    assert CAMVID32.table(CAMVID, MERGE32)[noise].tolist() == [CAMVID[MERGE32[CAMVID32.names[i]]] for i in noise]
    assert CAMVID32.table(CAMVID32.void_last())[:32].tolist() == [*range(30), 31, 30]


def test_labels_without_void_or_with_void_last_stay():
    plain = Labels(['a', 'b'])
    assert plain.void_last() == plain and plain.n == 2
    assert CAMVID.void_last() == CAMVID


def test_default_colours_are_distinct_and_no_mark():
    colors = Labels(range(256)).colors
    assert len(set(colors)) == 256 and not {(0,0,0), (255,0,255)} & set(colors)


# 02_show

@pytest.mark.parametrize('mask,words', [
    (IMG, 'shape (H,W) but this has (60, 80, 3)'),
    (torch.rand(4, 4), 'float32: argmax first'),
    (np.array([[0, -1]]), 'run from -1 to 0'),
    (np.array([[0, 300]]), 'run from 0 to 300')])
def test_what_is_no_mask_is_refused(mask, words): refused(lambda: color_mask(mask, CAMVID), words)


def test_a_yes_no_mask_has_ids_0_and_1(): assert to_ids(np.array([[True, False]])).tolist() == [[1, 0]]


@pytest.mark.parametrize('call,words', [
    (lambda: overlay(IMG, MASK[:,:40], CAMVID), 'is (60, 80) but its mask (60, 40)'),
    (lambda: overlay(IMG, MASK, CAMVID, alpha=50), 'alpha is 50'),
    (lambda: overlay(torch.full((3, 60, 80), -1.25), MASK, CAMVID), 'undo the normalisation'),
    (lambda: class_shares(np.array([0, 77]), CAMVID), 'values [77] are no ids'),
    (lambda: error_map(MASK[:,:2], MASK), 'prediction is (60, 2) but the truth (60, 80)'),
    (lambda: show_grid([IMG]*3, [MASK]*2, CAMVID), '3 photographs, 2 masks'),
    (lambda: show_grid([], [], CAMVID), '0 photographs'),
    (lambda: show_grid([IMG], [MASK], CAMVID, titles=['a', 'b']), '2 titles')])
def test_pictures_that_cannot_be_drawn_are_refused(call, words): refused(call, words)


def test_an_overlay_is_mirrored_with_its_photograph():
    rng = np.random.default_rng(0)
    img,mask = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8),rng.integers(0, 12, (6, 8), dtype=np.uint8)
    assert (overlay(img[:,::-1], mask[:,::-1], CAMVID) == overlay(img, mask, CAMVID)[:,::-1]).all()


def test_errors_do_not_ask_for_the_numbering():
    pred,targ = np.array([[0,0,1], [2,0,2]]),np.array([[0,1,2], [1,0,2]])
    swap = np.array([1,0,2])
    assert (error_map(swap[pred], swap[targ], void=2) == error_map(pred, targ, void=2)).all()


def test_nothing_but_void_has_no_shares_and_no_score():
    void = np.full((4, 4), CAMVID.void)
    assert set(class_shares(void, CAMVID).values()) == {0.}
    assert show_errors(void, void, CAMVID).get_title() == 'all void'
    assert show_errors(MASK, MASK, CAMVID).get_title() == '0.0% wrong'
    assert show_errors(MASK, MASK, CAMVID, title='fog').get_title() == 'fog'


def test_a_picture_says_what_it_shows():
    mask = scene()[1]
    texts = lambda ax: [o.get_text() for o in ax.get_legend().get_texts()]
    assert texts(show_mask(mask, CAMVID)) == list(CAMVID.classes) # all eleven are there
    truth,pred = mask.copy(),mask[:,::-1]
    truth[88:,30:98] = CAMVID.void
    ax,known = show_errors(pred, truth, CAMVID),truth != CAMVID.void
    assert (ax.images[0].get_array() == error_colors[error_map(pred, truth, CAMVID.void)]).all()
    assert texts(ax) == list(error_names)
    assert ax.get_title() == f'{np.mean(pred[known] != truth[known]):.1%} wrong' # counted a second way


def test_a_grid_leaves_the_place_of_a_missing_example_empty():
    imgs = [IMG, IMG+9, IMG+90]
    fig = show_grid(imgs, [MASK, MASK+1, MASK], CAMVID, ncols=2)
    shown = [ax for ax in fig.axes if ax.images]
    assert (len(fig.axes), len(shown)) == (8, 6) # two columns, two blocks of two rows
    assert (shown[1].images[0].get_array() == imgs[1]).all()
    assert [o.get_text() for o in fig.legends[0].get_texts()] == ['Sky', 'Building']


# 04_unet

@pytest.mark.parametrize('settings,words', [
    (dict(head=2), 'odd kernel'), (dict(depth=0), 'depth is 0'), (dict(fold=0), 'fold is 0'), (dict(width=8.), 'width is 8.0'),
    (dict(fold=2, padding='valid'), "fold needs padding='same'"), (dict(norm='layer'), "'batch', 'group', 'none'"),
    (dict(up='cubic'), "'transpose', 'nearest', 'bilinear'"), (dict(padding='mirror'), "'same', 'valid'")])
def test_settings_that_make_no_network_are_refused(settings, words): refused(lambda: UNet(11, **settings), words)


@pytest.mark.parametrize('settings,shape,words', [
    ({}, (1, 3, 15, 40), '15x40 (height x width) but this network needs at least 16x16'),
    ({}, (3, 96, 128), 'img[None]'),
    ({}, (1, 4, 96, 128), 'photographs of 3 channels'),
    (dict(fold=2), (1, 3, 31, 40), 'needs at least 32x32'),
    (dict(padding='valid', head=1), (1, 3, 570, 576), '188, 204, 220, ...: pad it to 572x588'),
    (dict(padding='valid', head=1), (1, 3, 100, 572), 'at least 188x188')])
def test_photographs_that_a_network_cannot_answer_for_are_refused(settings, shape, words):
    net = UNet(2, width=2, **settings).eval()
    with torch.no_grad(): refused(lambda: net(torch.zeros(shape)), words)


def test_a_block_is_padded_or_not_and_has_biases_without_a_norm():
    assert ConvBlock(3, 16, padding='valid')(torch.randn(1, 3, 12, 15)).shape == (1, 16, 8, 11)
    assert sum(p.numel() for p in ConvBlock(3, 16, norm='none').parameters()) == 3*16*9+16+16*16*9+16
    assert UpBlock(32, 0, 16)(torch.randn(2, 32, 22, 30)).shape == (2, 16, 44, 60)


def test_tracing_leaves_the_network_as_it_came():
    net = UNet(3, width=4, depth=2).train()
    net.downs[0].eval()
    trace_shapes(net, (32, 32))
    assert net.training and not net.downs[0].training and net.ups[0].training
    assert u_levels(trace_shapes(UNet(3, width=4, depth=2, fold=2), (32, 32)))[-1] == 0


# 07_loss

@pytest.mark.parametrize('targ,more,words', [
    (torch.full((1, 4, 4), 11), {}, 'holds 11, but the model has 11 outputs'),
    (torch.zeros(1, 4, 2).long(), dict(void=11), 'resize the logits'),
    (torch.zeros(1, 4, 4), dict(void=11), 'whole numbers'),
    (torch.zeros(1, 4, 4).long(), dict(void=11, weight=torch.ones(12)), 'none for void')])
def test_a_loss_that_would_mislead_is_refused(targ, more, words): refused(lambda: masked_ce(torch.zeros(1, 11, 4, 4), targ, **more), words)


LOGITS = torch.randn(2, 11, 6, 8, generator=torch.Generator().manual_seed(0))
TARG = torch.randint(0, 12, (2, 6, 8), generator=torch.Generator().manual_seed(1)) # 11 is void


def close(a, b, eps=1e-6): assert abs(float(a)-float(b)) < eps, (float(a), float(b))


@pytest.mark.parametrize('loss', [lambda *o: masked_ce(*o), lambda *o: soft_dice(*o), lambda a,b,void: SegLoss(void, dice=.5)(a, b)], ids=['ce', 'dice', 'both'])
def test_a_loss_is_the_same_in_whatever_form_its_tensors_come(loss):
    from fastai.torch_core import TensorImage, TensorMask
    want = loss(LOGITS, TARG, 11)
    for void in (200, 255): close(loss(LOGITS, TARG.where(TARG != 11, void), void), want)
    for kind in (torch.uint8, torch.int16, torch.int32): close(loss(LOGITS, TARG.to(kind), 11), want)
    close(loss(LOGITS, TARG[:,None], 11), want)
    close(loss(LOGITS.to(memory_format=torch.channels_last), TARG, 11), want)
    got = loss(TensorImage(LOGITS), TensorMask(TARG), 11)
    close(got, want)
    assert type(got) is torch.Tensor
    two = torch.tensor([[[True, False]]])
    close(loss(LOGITS[:1,:2,:1,:2], two, 11), loss(LOGITS[:1,:2,:1,:2], two.long(), 11))


@pytest.mark.parametrize('loss', [masked_ce, soft_dice])
def test_a_crop_of_void_costs_nothing_but_a_broken_network_does(loss):
    logits = LOGITS.clone().requires_grad_()
    value = loss(logits, torch.full_like(TARG, 11), 11)
    value.backward()
    assert value == 0 and not logits.grad.any()
    broken = LOGITS.clone()
    broken[:,:,0] = float('nan')
    assert loss(broken, TARG, 11).isnan()


def test_a_loss_of_sixteen_bits_does_not_overflow():
    gen = torch.Generator().manual_seed(0)
    big,targ = torch.randn(1, 11, 240, 320, generator=gen),torch.randint(0, 12, (1, 240, 320), generator=gen)
    loss,half = SegLoss(11, dice=1.),big.half().requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16): under = loss(half, targ)
    assert under.dtype == torch.float32
    close(under.detach(), loss(big, targ), 1e-3)
    under.backward()
    assert half.grad.dtype == torch.float16 and half.grad.isfinite().all() and not half.grad.abs().sum(1)[targ == 11].any()


def test_an_output_for_void_is_only_pushed_down():
    logits = torch.randn(2, 12, 6, 8, generator=torch.Generator().manual_seed(2), requires_grad=True)
    masked_ce(logits, TARG, 11).backward()
    assert (logits.grad[:,11] >= 0).all() and (logits.grad[:,11] > 0).any()


# 08_rare

@pytest.mark.parametrize('counts,how,words', [([2,1,1], 'inverse', 'choose from enet, median, sqrt, mild'), ([0,0,0], 'median', 'not all 0')])
def test_class_weights_that_mean_nothing_are_refused(counts, how, words): refused(lambda: class_weights(counts, how), words)


def test_class_weights_of_camvid_are_those_that_others_computed():
    "ENet's and SegNet's, but for the Sign of SegNet's published model, 9.6446, which does not follow from its data."
    images = torch.tensor([366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201]) # training images in which the class occurs
    counts = torch.tensor([10682767, 14750079, 623349, 20076880, 2845085, 6166762, 743859, 714595, 3719877, 405385, 184967])
    enet,sqrt,mild,median = (class_weights(counts, how, images*360*480) for how in ('enet', 'sqrt', 'mild', 'median'))
    assert [float(f'{o:.3g}') for o in enet] == [5.60, 4.30, 33.6, 3.34, 15.5, 8.74, 31.5, 32.0, 12.8, 38.0, 43.9]
    others = [.2793, .2017, 4.7865, .1490, 1.0000, .4217, 3.8467, 1.9736, .7889, 6.3747, 8.8587]
    assert median.tolist() == pytest.approx(others, abs=5.1e-5)
    assert sqrt.tolist() == pytest.approx((enet.sqrt()/enet.sqrt().mean()).tolist(), rel=1e-5)
    assert [round(float(w.max()/w.min()), 1) for w in (mild, sqrt, enet, median)] == [1.9, 3.6, 13.2, 59.4]


def test_a_class_without_pixels_weighs_as_the_rarest_that_has_some():
    assert class_weights([2,1,0], 'median').tolist() == pytest.approx([.75, 1.5, 1.5]) # the median of 2/3 and 1/3 is 1/2


def test_weights_and_smoothing_are_those_of_torch():
    enet = class_weights(torch.arange(1, 12), 'enet')
    for w in (None, enet):
        for s in (0., .1): close(masked_ce(LOGITS, TARG, 11, w, s), F.cross_entropy(LOGITS, TARG, w, ignore_index=11, label_smoothing=s), 1e-5)


def test_soft_dice_is_that_of_numpy_one_class_at_a_time():
    probs,t,dices = LOGITS.softmax(1).numpy(),TARG.numpy(),[]
    for c in range(11):
        p,g = probs[:,c][t != 11],(t[t != 11] == c).astype(float)
        if g.any(): dices.append(2*(p*g).sum()/((p**2).sum()+g.sum()))
    close(soft_dice(LOGITS, TARG, 11), 1-np.mean(dices), 1e-5)
    close(soft_dice(torch.zeros(1, 2, 1, 4), torch.tensor([[[0,0,1,1]]])), 1/3)


def test_one_loss_per_image_has_the_batch_s_loss_as_its_mean_over_labelled_pixels():
    loss,fewer = SegLoss(11),TARG.clone()
    loss.reduction = 'none'
    fewer[1,:4] = 11
    each,n = loss(LOGITS, fewer),(fewer != 11).sum((1, 2))
    for i in range(2): close(each[i], masked_ce(LOGITS[i:i+1], fewer[i:i+1], 11))
    close((each*n).sum()/n.sum(), masked_ce(LOGITS, fewer, 11))


# 09_metrics

@pytest.mark.parametrize('call,words', [
    (lambda t: confusion(t[:,:-1], t, 3, void=3), 'resize the logits'),
    (lambda t: confusion(torch.rand(2, 3, 9, 7), t, 3, void=3), 'take the argmax'),
    (lambda t: confusion(t, t, 3, void=3), '`pred` holds 3, but there are 3 classes'),
    (lambda t: confusion(t.clamp(max=2), t, 3), '`targ` holds 3'),
    (lambda t: report(torch.zeros(2, 2), CAMVID), 'count with n=11'),
    (lambda t: accuracy(torch.tensor([3, 1])), 'make it with `confusion`')])
def test_counts_that_would_mislead_are_refused(call, words):
    targ = torch.arange(2*9*7).reshape(2, 9, 7)%4 # three classes, and 3 is void
    refused(lambda: call(targ), words)
