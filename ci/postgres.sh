#!/usr/bin/env bash
# A fleet of processes on one device's records in PostgreSQL: ci/postgres-check, on a server of its own that listens on a socket in a directory of its own
# and is gone afterwards. Where PostgreSQL is neither here nor to be had, it is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)

# The directory of the server's programs, which are not on every path.
programs() {
    local candidate
    for candidate in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
        [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ] && [ -x "$candidate/postgres" ] && echo "$candidate" && return
    done
    return 1
}

skip() {
    echo "postgres: skipped, $1"
    exit 0
}

if ! bin="$(programs)"; then
    command -v apt-get >/dev/null || skip "PostgreSQL is not here, nor is apt"
    "${root[@]}" true 2>/dev/null || skip "PostgreSQL is not here, and only root can install it"
    "${root[@]}" apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends postgresql ||
        skip "PostgreSQL is not here and cannot be installed"
    bin="$(programs)" || skip "PostgreSQL was installed without its server"
fi

# The server does not run as root, nor where its user may not read.
as_server() (
    cd /
    if [ "$(id -u)" = 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
)

target="${CARGO_TARGET_DIR:-$PWD/target}"
cargo build --quiet --locked --manifest-path ci/postgres-check/Cargo.toml --target-dir "$target"

# A path that the server may enter, and short: a socket's has at most 107 bytes.
place="$(mktemp -d -p /tmp)"
stop() {
    as_server "$bin/pg_ctl" -D "$place/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$place"
}
trap stop EXIT
[ "$(id -u)" != 0 ] || chown postgres "$place"

as_server "$bin/initdb" -D "$place/data" -A trust -U app >/dev/null
# Processes race here, nothing loses power: without waiting for the disk they meet more often.
as_server "$bin/pg_ctl" -D "$place/data" -l "$place/log" -w start \
    -o "-c listen_addresses= -c unix_socket_directories=$place -c fsync=off" >/dev/null || {
    cat "$place/log" >&2
    exit 1
}
# The socket's directory must let the check in.
[ "$(id -u)" != 0 ] || chmod 0711 "$place"
"$target/debug/postgres-check" "$place"
