#!/usr/bin/env bash
# Measures the crate and prints one table: each operation beside the sum of the primitive calls that it cannot avoid, then what it allocates.
#
#     ci/figures.sh             times, instructions (where valgrind is installed), allocations; 3 to 4 minutes after compiling
#     ci/figures.sh record-     the same for the operations with this in their name
#
# A time is criterion's median, the least of five runs of each side, since other work on the machine only adds; what is over its target is measured
# up to three times more, both sides of it. Compare ratios, not times.
# Instructions are exact and repeatable, but valgrind shows programs a processor without SHA instructions (and without wide AES): SHA-256 is far dearer
# there than on most processors of today, on both sides, so that their ratio flatters. "more", the instructions beyond the sum, does not.
# A time over its target is printed and does not fail, an allocation over its limit does.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly RUNS=5
readonly CALLS=20
readonly PATTERN="${1:-}"
target="${CARGO_TARGET_DIR:-$PWD/target}"
export CRITERION_HOME="$target/figures"
rm -rf "$CRITERION_HOME"

bench="$(cargo bench --quiet --bench operations --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')"
cargo build --quiet --release --manifest-path ci/alloc-check/Cargo.toml --target-dir "$target"

measure() {
    "$bench" --bench --quiet --save-baseline "run$1" "$2" >/dev/null 2>&1
}

# Nanoseconds of one side of an operation: the least median of the runs.
nanoseconds() {
    cat "$CRITERION_HOME/$1/$2"/run*/estimates.json |
        sed -n 's/.*"median":{"confidence_interval":{[^}]*},"point_estimate":\([0-9.e+-]*\).*/\1/p' |
        awk 'NR == 1 || $1 < least { least = $1 } END { print least }'
}

# Instructions of one call of one side, counted only inside the function that makes the calls.
instructions() {
    command -v valgrind >/dev/null || { echo - && return; }
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='operations::case::measured*' \
        "$bench" count "$1" "$2" "$CALLS" 2>&1 >/dev/null |
        awk -v calls="$CALLS" '/Collected :/ { printf "%.0f\n", $4 / calls; found = 1 } END { exit !found }'
}

ratio_is_over() {
    awk -v ours="$(nanoseconds "$1" ours)" -v sum="$(nanoseconds "$1" sum)" -v limit="$2" 'BEGIN { exit ours <= sum * limit }'
}

for run in $(seq "$RUNS"); do
    echo "times, run $run of $RUNS" >&2
    measure "$run" "$PATTERN"
done
while IFS=$'\t' read -r name limit; do
    [[ "$name" == *"$PATTERN"* && "$limit" != - ]] || continue
    for again in 1 2 3; do
        ratio_is_over "$name" "$limit" || break
        echo "times, $name again" >&2
        measure "$((RUNS + again))" "$name/"
    done
done < <("$bench" list)

echo "instructions" >&2
printf '\n%-24s %10s %10s %6s %7s %-5s %12s %12s %6s %8s\n' \
    operation time sum ratio target "" instructions "of sum" ratio more
while IFS=$'\t' read -r name limit; do
    [[ "$name" == *"$PATTERN"* ]] || continue
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$limit" "$(nanoseconds "$name" ours)" "$(nanoseconds "$name" sum)" \
        "$(instructions "$name" ours)" "$(instructions "$name" sum)"
done < <("$bench" list) | awk -F'\t' '
    function span(ns) {
        if (ns < 1e3) return sprintf("%.0f ns", ns)
        if (ns < 1e6) return sprintf("%.2f us", ns / 1e3)
        return sprintf("%.2f ms", ns / 1e6)
    }
    {
        ratio = $3 / $4
        verdict = $2 == "-" ? "" : ratio <= $2 ? "ok" : "over"
        if ($5 == "-") { share = "-"; more = "-" } else { share = sprintf("%.2f", $5 / $6); more = $5 - $6 }
        printf "%-24s %10s %10s %6.2f %7s %-5s %12s %12s %6s %8s\n",
            $1, span($3), span($4), ratio, $2, verdict, $5, $6, share, more
    }'

status=0
figures="$("$target/release/alloc-check")" || status=$?
printf '\n'
awk -F'\t' '{ printf "%-75s %8s %8s  %s\n", $1, $2, $3, $4 }' <<<"figure"$'\t'"measured"$'\t'"limit"$'\n'"$figures"
exit "$status"
