"For all tests."
import os

# As many threads as cores in each of several test processes wait for each other most of the time: six times as long on a busy machine.
os.environ.setdefault('OMP_NUM_THREADS', '1')
