#!/usr/bin/env bash
# All tests and all code in the documentation: the command of the README.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test
