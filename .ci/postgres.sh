#!/usr/bin/env bash
# A throw-away PostgreSQL for the tests, on loopback only.
#
#   eval "$(.ci/postgres.sh start)"    starts it (or finds it running) and sets HSTORE_TEST_POSTGRES_URL
#   .ci/postgres.sh stop               stops that server and removes its files
#
# Where no server can be had, start says what it skipped on standard error and sets nothing: the tests that
# need PostgreSQL then skip themselves. HSTORE_POSTGRES_DIR chooses the folder, one server for each.
set -euo pipefail

folder=${HSTORE_POSTGRES_DIR:-${TMPDIR:-/tmp}/hstore-postgres-$(id -u)}
data=$folder/data

say() { printf 'postgres.sh: %s\n' "$*" >&2; }
skip() { say "skipped: $*; tests on PostgreSQL will be skipped"; exit 0; }

find_bin() { # the folder with initdb and pg_ctl, the newest of several
    local candidate
    for candidate in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -rV) \
        "$(dirname "$(command -v pg_ctl || echo /nowhere/pg_ctl)")"; do
        if [[ -x $candidate/initdb && -x $candidate/pg_ctl && -x $candidate/postgres ]] \
            && "$candidate/postgres" --version >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

install_server() {
    local as_root=()
    command -v apt-get >/dev/null || skip "no PostgreSQL server here and no apt-get to install one"
    if [[ $(id -u) -ne 0 ]]; then
        sudo -n true 2>/dev/null || skip "no PostgreSQL server here, and installing one needs root or sudo"
        as_root=(sudo -n)
    fi
    say "installing a PostgreSQL server with apt-get"
    { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends postgresql; } >&2 || skip "apt-get could not install postgresql"
}

server_user() { # PostgreSQL refuses to run as root
    if [[ $(id -u) -ne 0 ]]; then id -un
    elif id postgres >/dev/null 2>&1; then echo postgres
    else echo nobody
    fi
}

as_server() { # run a command as the server's user, in a folder it may enter
    local user
    user=$(server_user)
    if [[ $user == "$(id -un)" ]]; then (cd "$folder" && "$@"); else
        (cd "$folder" && runuser -u "$user" -- "$@")
    fi
}

make_cluster() { # make_cluster BIN PASSWORD
    mkdir -m 711 "$folder" || skip "cannot make $folder"
    mkdir -m 700 "$data"
    (umask 077 && printf '%s\n' "$2" >"$folder/password")
    [[ $(id -u) -ne 0 ]] || chown "$(server_user)" "$data" "$folder/password"
    as_server "$1/initdb" -D "$data" -U hstore -E UTF8 --locale=C --auth=scram-sha-256 \
        --pwfile="$folder/password" --no-sync >&2 || { rm -rf "$folder"; skip "initdb failed"; }
    rm -f "$folder/password"
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

start_server() { # start_server BIN; prints the port. Another program may take the port first: try again.
    local port try
    for try in 1 2 3 4 5; do
        port=$(free_port)
        if as_server "$1/pg_ctl" -D "$data" -l "$data/server.log" -w -t 60 -s -o "-p $port \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories='' \
            -c fsync=off -c full_page_writes=off -c synchronous_commit=off" start >&2; then
            echo "$port"
            return
        fi
        say "start $try on port $port failed"
    done
    return 1
}

start() {
    local bin password port
    bin=$(find_bin)
    [[ -n $bin ]] || install_server
    bin=${bin:-$(find_bin)}
    [[ -n $bin ]] || skip "no PostgreSQL server found after the installation"
    if [[ -e $folder ]]; then
        [[ -O $folder && -f $folder/url ]] || skip "$folder exists and holds no server of this user; remove it or run stop"
        if as_server "$bin/pg_ctl" -D "$data" status >/dev/null; then cat "$folder/url"; return; fi
        rm -rf "$folder"
    fi
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    make_cluster "$bin" "$password"
    port=$(start_server "$bin") || { tail -n 5 "$data/server.log" >&2; rm -rf "$folder"; skip "the server did not start"; }
    (umask 077 && echo "export HSTORE_TEST_POSTGRES_URL=postgresql+psycopg://hstore:$password@127.0.0.1:$port/postgres" \
        >"$folder/url")
    say "$("$bin/postgres" --version) on port $port, files in $folder"
    cat "$folder/url"
}

stop() {
    local bin
    if [[ ! -O $folder || ! -d $data ]]; then say "nothing to stop in $folder"; return; fi
    bin=$(find_bin)
    # pg_ctl ends the process named in this cluster's own postmaster.pid and no other.
    if as_server "$bin/pg_ctl" -D "$data" status >/dev/null; then
        as_server "$bin/pg_ctl" -D "$data" -m fast -w -s stop >&2
    fi
    rm -rf "$folder"
    say "stopped, $folder removed"
}

case ${1:-} in
    start | stop) "$1" ;;
    *) say "usage: eval \"\$(.ci/postgres.sh start)\" or .ci/postgres.sh stop"; exit 2 ;;
esac
