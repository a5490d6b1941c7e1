#!/usr/bin/env bash
# The vectors are what the independent implementation makes today: vectors/generate.py and the modules beside it, in Python, on other libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

KYBER_PY=1.2.0

need=()
python3 -c 'import cryptography.hazmat.primitives.asymmetric.mlkem' 2>/dev/null || need+=("cryptography>=48")
[ "$(python3 -c 'from importlib.metadata import version; print(version("kyber-py"))' 2>/dev/null)" = "$KYBER_PY" ] || need+=("kyber-py==$KYBER_PY")
if [ "${#need[@]}" != 0 ]; then
    python3 -m pip install --quiet "${need[@]}" || python3 -m pip install --quiet --break-system-packages "${need[@]}"
fi
python3 vectors/generate.py --check
