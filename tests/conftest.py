"For all tests."
import os

# As many threads as cores in each of several test processes wait for each other most of the time: six times as long on a busy machine.
os.environ.setdefault('OMP_NUM_THREADS', '1')


# With `--dist loadfile --no-loadscope-reorder` files are handed out in this order: the slow ones first, so that no worker ends alone.
SLOW = ('test_labeller', 'test_viewer', 'test_page', 'test_look', 'test_still', 'test_viewer_set', 'test_run', 'test_labeller_notebook', 'test_apps', 'test_learner', 'test_lint', 'test_install')


def pytest_collection_modifyitems(items):
    rank = {name: k for k,name in enumerate(SLOW)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(SLOW)))
