#!/usr/bin/env bash
# Every lesson that this version must cover has a test whose name carries its number: l7_…, or …_l7_…. Prints those that have none.
# Every row of the tables of docs/relay.md has a test that tests/properties/relay/rows.txt names: ci/rows.py.
set -euo pipefail
cd "$(dirname "$0")/.."

LESSONS=(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 50)

names="$(grep -rhoE --include='*.rs' '\bfn +[A-Za-z0-9_]+' src tests | awk '{ print tolower($2) }')"
missing=()
for lesson in "${LESSONS[@]}"; do
    if ! grep -qE "(^|_)l${lesson}_" <<<"$names"; then
        missing+=("L$lesson")
    fi
done
echo "lessons: ${#LESSONS[@]} to cover, ${#missing[@]} without a test${missing[*]:+: ${missing[*]}}"
outcome=0
[ "${#missing[@]}" = 0 ] || outcome=1
ci/rows.py || outcome=1
exit "$outcome"
