#!/usr/bin/env bash
# Checks every world of two devices, and of a companion that is linked, and of a desktop behind its phone, within larger bounds than `cargo test` has time for: some minutes. Prints states, transitions and depth of
# each configuration.
set -euo pipefail
cd "$(dirname "$0")/.."

OUTRIGGER_MODEL=far cargo test --locked --release --test model --test linking_model --test relay_model -- --nocapture --test-threads 1
