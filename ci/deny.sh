#!/usr/bin/env bash
# Licences, bans, version floors and sources of everything that the crate links (deny.toml). Then the controls: a floor above what is used and a ban of
# what is used must be found. Needs cargo-deny and, where a lock file's crates are not on the machine yet, the registry.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo deny --exclude-dev check bans licenses sources

# Dev-dependencies bring no code to users: only where they come from and what is banned counts, not their duplicates.
dev="$(mktemp)"
trap 'rm -f "$dev"' EXIT
sed 's/^multiple-versions = "deny"/multiple-versions = "allow"/' deny.toml >"$dev"
cargo deny --config "$dev" check bans sources

must_fail() {
    sed "$1" deny.toml >"$dev"
    if cmp -s deny.toml "$dev"; then
        echo "the control '$1' changes nothing" >&2
        exit 1
    fi
    if cargo deny --config "$dev" --exclude-dev check bans licenses >/dev/null 2>&1; then
        echo "the control '$1' was not found: this check proves nothing" >&2
        exit 1
    fi
}
for floor in aes-gcm curve25519-dalek ed25519-dalek libcrux-intrinsics libcrux-secrets libcrux-sha3 zeroize_derive; do
    must_fail "s/crate = \"$floor:<[0-9.]*\"/crate = \"$floor:<99\"/"
done
must_fail 's/crate = "ring"/crate = "subtle"/'
must_fail 's/"BSD-3-Clause", //'
echo "deny: 9 controls were found"
