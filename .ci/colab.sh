#!/usr/bin/env bash
# Run notebooks as Colab would: its Python and packages, each notebook alone in an empty folder, its setup cell really run.
#   bash .ci/colab.sh                       # every notebook; the environment is made in .colab if it is missing
#   bash .ci/colab.sh 04_unet solutions     # those whose path contains one of the words
# PYTHON names a Python 3.13 (default python3.13), COLAB the folder of the environment. What is installed is the last commit.
set -euo pipefail
cd "$(dirname "$0")/.."
COLAB=${COLAB:-.colab}
if [ ! -e "$COLAB/.made" ]; then
  "${PYTHON:-python3.13}" -m venv "$COLAB"
  "$COLAB/bin/python" -m pip install --quiet -r .ci/colab.txt
  touch "$COLAB/.made"
fi
"$COLAB/bin/python" .ci/colab.py "$@"
