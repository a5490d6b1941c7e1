#!/usr/bin/env bash
# All tests and all code in the documentation: the command of the README. Then, without the feature and under the other suites than the default, what depends on them most;
# `ci/matrix.sh` runs all of it.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test
ci/matrix.sh convergence:: replay:: retry:: recovery:: prekeys:: publishing:: secrecy:: post_quantum relay::upgrade:: companions::linking::
