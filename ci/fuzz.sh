#!/usr/bin/env bash
# Runs every fuzz target for some seconds, from the committed seeds and whatever corpus this machine has kept.
#
#     ci/fuzz.sh [SECONDS]     default: 12 for each target
#
# A crash is written to fuzz/artifacts/<target>/: mend it, then keep the file in fuzz/seeds/<target>/ under the name of the symptom, where
# tests/corpus.rs replays it for good. No sanitizer: the crate has no unsafe code; `cargo fuzz run <target>` has AddressSanitizer on for the dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-12}"
fuzz=(cargo)
if cargo +nightly --version >/dev/null 2>&1; then
    fuzz=(cargo +nightly)
else
    echo "no nightly here: on stable, with its unstable flags let through"
    export RUSTC_BOOTSTRAP=1
fi

cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null || {
    echo "fuzz/Cargo.lock is stale: cargo update --workspace --manifest-path fuzz/Cargo.toml" >&2
    exit 1
}
"${fuzz[@]}" fuzz build -s none

failed=()
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
for target in $("${fuzz[@]}" fuzz list); do
    mkdir -p "fuzz/corpus/$target"
    if "${fuzz[@]}" fuzz run -s none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=2048 -timeout=20 >"$log" 2>&1; then
        printf '%-20s %s\n' "$target" "$(grep -o 'Done [0-9]* runs.*' "$log" || echo "no result")"
    else
        printf '%-20s FAILED\n' "$target"
        grep -A3 "panicked at\|ERROR: libFuzzer\|^Output of\|^error" "$log" || tail -20 "$log"
        failed+=("$target")
    fi
done
if [ "${#failed[@]}" != 0 ]; then
    echo "failed: ${failed[*]}; the inputs are in fuzz/artifacts/" >&2
    exit 1
fi
