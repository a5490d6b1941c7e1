#!/usr/bin/env bash
# The benches build. Their numbers are taken by hand, on a machine that does nothing else: cargo bench.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo bench --locked --no-run
