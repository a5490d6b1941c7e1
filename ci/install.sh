#!/usr/bin/env bash
# Installs what the checks need and this machine lacks. Says nothing where nothing is to be done.
#
# Expected: Linux with apt, rustup's cargo, rustc, rustfmt and clippy, a C++ compiler (for libFuzzer), python3 with pip.
set -euo pipefail

CARGO_FUZZ=0.13.2
CARGO_DENY=0.20.2

root=()
[ "$(id -u)" = 0 ] || root=(sudo)

missing=()
for package in rustc-web rust-web-src lld-22; do
    dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' || missing+=("$package")
done
command -v node >/dev/null || missing+=(nodejs)
command -v readelf >/dev/null || missing+=(binutils)
command -v c++ >/dev/null || missing+=(g++)
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
if [ "${#missing[@]}" != 0 ]; then
    "${root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
[ "$(cargo fuzz --version 2>/dev/null)" = "cargo-fuzz $CARGO_FUZZ" ] ||
    cargo install --locked "cargo-fuzz@$CARGO_FUZZ"
[ "$(cargo deny --version 2>/dev/null)" = "cargo-deny $CARGO_DENY" ] ||
    cargo install --locked "cargo-deny@$CARGO_DENY"
