#!/usr/bin/env bash
# Clippy without warnings, on every feature set. Tests and benches may unwrap, index, add and panic; the crate and its examples may not.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/features.sh

for features in "${FEATURE_SETS[@]}"; do
    echo "features: ${features:-default}"
    # shellcheck disable=SC2086 # a set is several arguments
    cargo clippy --locked --keep-going $features --lib --examples -- -D warnings
    # shellcheck disable=SC2086
    cargo clippy --locked --keep-going $features --tests --benches -- -D warnings \
        -A clippy::unwrap_used -A clippy::expect_used -A clippy::indexing_slicing \
        -A clippy::arithmetic_side_effects -A clippy::panic
done
