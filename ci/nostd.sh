#!/usr/bin/env bash
# Links the crate without std, for real, and runs a conversation in the program: no libc, no loader, exit code 0 or the number of the check that failed
# (ci/nostd-check/src/conversation.rs). Then the control: with prost's std switched on the same program must not link.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "skipped: the program's entry point is written for Linux on x86_64"
    exit 0
fi

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/nostd"
build() {
    RUSTFLAGS="-Crelocation-model=static -Ctarget-feature=+crt-static -Clink-arg=-nostartfiles -Clink-arg=-nostdlib -Clink-arg=-static" \
        cargo build --quiet --locked --target x86_64-unknown-linux-gnu --manifest-path ci/nostd-check/Cargo.toml "$@"
}

for profile in dev release; do
    build --profile "$profile"
    program="$CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/${profile/dev/debug}/nostd-check"
    code=0
    "$program" || code=$?
    if [ "$code" != 0 ]; then
        echo "the program without std ended with $code: see Check in ci/nostd-check/src/conversation.rs" >&2
        exit 1
    fi
    if readelf --dynamic --program-headers "$program" | grep -q "INTERP\|NEEDED"; then
        echo "the program wants a loader or a library" >&2
        exit 1
    fi
    echo "$profile: linked without std, ran, 0"
done

if errors=$(build --profile dev --features control 2>&1); then
    echo "the control with std linked: this check proves nothing" >&2
    exit 1
fi
if ! grep -q "E0152" <<<"$errors"; then
    printf 'the control failed for another reason than std (E0152):\n%s\n' "$errors" >&2
    exit 1
fi
echo "control: with std it does not link (E0152)"
