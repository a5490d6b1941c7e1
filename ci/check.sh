#!/usr/bin/env bash
# Every check, in order, each under a heading and with its time. All are run; the end says which failed.
#
#     ci/check.sh              all
#     ci/check.sh test deny    these
set -euo pipefail
cd "$(dirname "$0")/.."

CHECKS=(fmt imports lessons clippy docs test vectors nostd alloc wasm deny benches postgres fuzz)
[ "$#" = 0 ] || CHECKS=("$@")

failed=()
times=()
for check in "${CHECKS[@]}"; do
    printf '\n==== %s ====\n' "$check"
    script="ci/$check.sh"
    [ -e "$script" ] || script="ci/$check.py"
    begin=$SECONDS
    outcome=ok
    "$script" || { outcome=FAILED && failed+=("$check"); }
    times+=("$(printf '%-10s %-7s %4d s' "$check" "$outcome" $((SECONDS - begin)))")
    printf -- '---- %s: %s, %d s\n' "$check" "$outcome" $((SECONDS - begin))
done

printf '\n==== all ====\n'
printf '%s\n' "${times[@]}"
printf '%d s\n' "$SECONDS"
if [ "${#failed[@]}" != 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
