#!/usr/bin/env bash
# The vectors are what the independent implementation makes today: vectors/generate.py, in Python, on another library.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! python3 -c 'import cryptography' 2>/dev/null; then
    python3 -m pip install --quiet cryptography || python3 -m pip install --quiet --break-system-packages cryptography
fi
python3 vectors/generate.py --check
