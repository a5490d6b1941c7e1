#!/usr/bin/env bash
# Kills a device ten thousand times, at any moment, and checks that it lost nothing, doubled nothing and used no key twice: the test of
# tests/processes/kills.rs for as long as that takes, some two minutes. Prints what was counted. Not one of ci/check.sh.
#
#     ci/kills.sh [KILLS]      default: 10000
set -euo pipefail
cd "$(dirname "$0")/.."

OUTRIGGER_KILLS="${1:-10000}" cargo test --locked --test processes -- --nocapture --exact \
    kills::a_phone_that_is_killed_at_any_moment_loses_nothing_doubles_nothing_and_uses_no_key_twice
