#!/usr/bin/env bash
# The documentation builds without a warning: no broken link, nothing public without a word. On every feature set.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/features.sh

for features in "${FEATURE_SETS[@]}"; do
    # shellcheck disable=SC2086 # a set is several arguments
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps $features
done
