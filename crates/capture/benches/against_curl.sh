#!/bin/sh
# How fast is the daemon, and what does it cost, against a bare reader of the same log?
#
#   crates/capture/benches/against_curl.sh [LINES] [ROUNDS] [DAEMON OPTIONS...]
#
# A container writes LINES lines of 93 bytes and stays; then curl (to /dev/null) and the daemon read its log in turn. Shown
# for each: lines a second, CPU seconds of the engine, own CPU seconds. The machine should have nothing else to do.
set -eu
lines=${1:-1000000}; rounds=${2:-3}; [ $# -gt 2 ] && shift 2 || set --
run="capture-bench-$$"; here=$(cd "$(dirname "$0")/.." && pwd); work=$(mktemp -d)
trap 'docker rm -f "$run" >/dev/null 2>&1; docker rmi -f "$run:1" >/dev/null 2>&1; rm -rf "$work"' EXIT
target=${CARGO_TARGET_DIR:-$here/../../target}
cargo build --quiet --release -p leakcheck-capture --example capture --manifest-path "$here/Cargo.toml"
rustc --edition 2024 -O -C target-feature=+crt-static -o "$work/speaker" "$here/tests/real_engine/speaker.rs"
tar -C "$work" -cf - speaker | docker import -c 'ENTRYPOINT ["/speaker"]' - "$run:1" >/dev/null
docker run -d --name "$run" --network none --label "leakcheck.run=$run" --log-driver json-file --log-opt max-size=8g \
    "$run:1" lines 1000000000 "$lines" 93 0 stay >/dev/null
until docker logs --tail 1 "$run" 2>/dev/null | grep -q "^S0 $((lines - 1)) "; do sleep 0.5; done

engine=$(pgrep -o -x dockerd)
ticks=$(getconf CLK_TCK)
cpu() { awk -v t="$ticks" '{ sub(/.*\) /, ""); print ($12 + $13) / t }' "/proc/$1/stat"; }
now() { date +%s.%N; }
show() { awk -v n="$lines" -v who="$1" -v t0="$2" -v t1="$3" -v e0="$4" -v e1="$5" -v own="$6" \
    'BEGIN { printf "%-8s %7.0f lines/s   engine %5.2f s   own %5.2f s CPU\n", who, n / (t1 - t0), e1 - e0, own }'; }

for round in $(seq "$rounds"); do
    e0=$(cpu "$engine"); t0=$(now)
    own=$( { command time -f '%U %S' curl -sN --unix-socket /var/run/docker.sock -o /dev/null \
        "http://docker/containers/$run/logs?stdout=true&stderr=true&timestamps=true"; } 2>&1 | awk '{ print $1 + $2 }')
    t1=$(now); show curl "$t0" "$t1" "$e0" "$(cpu "$engine")" "$own"

    e0=$(cpu "$engine"); t0=$(now)
    "$target/release/examples/capture" --label "leakcheck.run=$run" --output "$work/out" --listen 127.0.0.1:18099 \
        "$@" 2>/dev/null &
    daemon=$!
    until curl -s http://127.0.0.1:18099/metrics | awk -v n="$lines" '/^log_capturer_lines_total/ { all = $2 >= n } END { exit !all }'
    do sleep 0.05; done
    t1=$(now); show capture "$t0" "$t1" "$e0" "$(cpu "$engine")" "$(cpu "$daemon")"
    kill "$daemon"; wait "$daemon" || true; rm -rf "$work/out"
done
