#!/usr/bin/env bash
# The properties, the models and the schedules of torture, as far as `cargo test` goes: under X3DH, PQXDH with ML-KEM-768 and PQXDH with ML-KEM-1024, and without the feature
# `post-quantum`, each with headers in clear and encrypted.
#
#     ci/matrix.sh             all of them: about an hour on two cores
#     ci/matrix.sh FILTER...   those whose names have one of these in them
set -euo pipefail
cd "$(dirname "$0")/.."

TESTS=(--test properties --test model --test linking_model --test relay_model --test torture)

for headers in plain encrypted; do
    export OUTRIGGER_HEADERS="$headers"
    for suites in classic 768 1024; do
        echo "suites: $suites, headers: $headers"
        OUTRIGGER_SUITES="$suites" cargo test "${TESTS[@]}" -- "$@"
    done
    echo "without the feature, headers: $headers"
    cargo test --no-default-features "${TESTS[@]}" -- "$@"
done
