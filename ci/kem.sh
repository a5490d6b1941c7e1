#!/usr/bin/env bash
# Ten thousand keys, ciphertexts and altered ciphertexts of ML-KEM, half of each parameter set, against a second implementation, and the published sets of vectors: by the code that
# this processor would run, and by the portable one that all others run.
#
#     ci/kem.sh [RUNS]         default: 5000 of each parameter set
set -euo pipefail
cd "$(dirname "$0")/.."

export OUTRIGGER_KEM_RUNS="${1:-5000}"
# The second implementation is compiled into the test, where it would be a hundred times slower unoptimised.
export CARGO_PROFILE_DEV_OPT_LEVEL=3
target="${CARGO_TARGET_DIR:-$PWD/target}"

echo "for this processor"
CARGO_TARGET_DIR="$target/kem" cargo test --quiet --locked --lib -- kem::vectors
echo "portable"
CARGO_TARGET_DIR="$target/kem-portable" LIBCRUX_DISABLE_SIMD256=1 LIBCRUX_DISABLE_SIMD128=1 cargo test --quiet --locked --lib -- kem::vectors
