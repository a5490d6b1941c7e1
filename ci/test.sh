#!/usr/bin/env bash
# All tests and all code in the documentation: the command of the README. Then, without the feature, under the other suites than the default and with encrypted headers, what depends
# on them most; `ci/matrix.sh` runs all of it in every combination.
set -euo pipefail
cd "$(dirname "$0")/.."

PART=(convergence:: replay:: retry:: recovery:: prekeys:: publishing:: secrecy:: post_quantum relay::upgrade:: companions::linking::)
# With encrypted headers also schedules, sessions that start at once, stores that go back, and some of each model.
HIDDEN=(schedules:: goes_back relay::flow:: relay::joining:: every_schedule two_that_start crashes_ messages_that_come_too_early an_undisturbed_linking)

cargo test

echo "without the feature"
cargo test --no-default-features --test properties -- "${PART[@]}"
for suites in classic 1024; do
    echo "suites: $suites"
    OUTRIGGER_SUITES="$suites" cargo test --test properties -- "${PART[@]}"
done
echo "headers: encrypted"
OUTRIGGER_HEADERS=encrypted cargo test --test properties --test model --test linking_model --test relay_model --test torture -- "${PART[@]}" "${HIDDEN[@]}"
