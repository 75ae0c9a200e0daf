"`python -m pixseg`: the same as the command `pixseg`."
import sys

from .cli import main

if __name__ == '__main__': sys.exit(main())
