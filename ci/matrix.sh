#!/usr/bin/env bash
# The properties without the feature `post-quantum`, and with it under the other suites than the default, ML-KEM-768.
#
#     ci/matrix.sh             all of them, some minutes
#     ci/matrix.sh FILTER...   those whose names have one of these in them
set -euo pipefail
cd "$(dirname "$0")/.."

echo "without the feature"
cargo test --no-default-features --test properties -- "$@"
for suites in classic 1024; do
    echo "suites: $suites"
    OUTRIGGER_SUITES="$suites" cargo test --test properties -- "$@"
done
