#!/usr/bin/env bash
# Fuzzes the compiler for some seconds (default 600) on one thread: fuzz/run.sh [seconds].
# Coverage flags are given by hand, so that a stable toolchain without cargo-fuzz is enough.
set -eu
cd "$(dirname "$0")"
flags="--cfg fuzzing -Cpasses=sancov-module"
for arg in level=4 inline-8bit-counters pc-table; do
  flags="$flags -Cllvm-args=-sanitizer-coverage-$arg"
done
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="$flags" cargo build --quiet --release --target "$host"
mkdir -p corpus artifacts
for file in ../models/*.hqc ../models/std/*.hqc ../tests/diagnostics/*.hqc ../tests/syntax/sources/*.hqc; do
  cp "$file" "corpus/$(echo "${file#../}" | tr / -)"
done
exec "target/$host/release/compile" -max_total_time="${1:-600}" -timeout=10 -rss_limit_mb=3000 \
  -max_len=6000 -dict=hqc.dict -artifact_prefix=artifacts/ -print_final_stats=1 corpus
