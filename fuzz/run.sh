#!/usr/bin/env bash
# Fuzzes one target on one thread: fuzz/run.sh [seconds] [target]; 600 and `compile` if not given.
# Targets: compile, and the readers of weights pth, npz and safetensors.
# Coverage flags are given by hand, so that a stable toolchain without cargo-fuzz is enough.
set -eu
cd "$(dirname "$0")"
seconds="${1:-600}"
target="${2:-compile}"
flags="--cfg fuzzing -Cpasses=sancov-module"
for arg in level=4 inline-8bit-counters pc-table; do
  flags="$flags -Cllvm-args=-sanitizer-coverage-$arg"
done
features=""
if [ "$target" = compile ]; then features="--features compile"; fi
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="$flags" cargo build --quiet --release --target "$host" --bin "$target" $features
corpus="corpus/$target"
mkdir -p "$corpus" artifacts
length=6000
case "$target" in
  compile)
    set -- -dict=hqc.dict
    for file in ../models/*.hqc ../models/std/*.hqc ../tests/diagnostics/*.hqc ../tests/syntax/sources/*.hqc; do
      cp "$file" "$corpus/$(echo "${file#../}" | tr / -)"
    done
    ;;
  pth)
    set --
    for file in ../tests/fixtures/weights/*.pt*; do
      { printf '\0'; cat "$file"; } > "$corpus/$(basename "$file")"
      # The pickle alone, as the zip and as the stream form take it.
      case "$file" in
        *_old.pth) tail -c +122 "$file" | { printf '\2'; cat; } > "$corpus/$(basename "$file").object" ;;
        *) unzip -p "$file" '*/data.pkl' | { printf '\1'; cat; } > "$corpus/$(basename "$file").pickle" ;;
      esac
    done
    ;;
  npz)
    set --
    for file in ../tests/fixtures/weights/*.npz; do
      { printf '\0'; cat "$file"; } > "$corpus/$(basename "$file")"
      for array in fortran half scalar; do
        unzip -p "$file" "$array.npy" | { printf '\1'; cat; } > "$corpus/$(basename "$file").$array"
      done
    done
    ;;
  safetensors)
    set --
    length=4000
    printf '\11{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"hqcc":"{}"}}' > "$corpus/one"
    printf '\15{"a":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]}}' > "$corpus/two"
    ;;
  *)
    echo "there is no target $target" >&2
    exit 2
    ;;
esac
exec "target/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=3000 \
  -max_len="$length" "$@" -artifact_prefix="artifacts/$target-" -print_final_stats=1 "$corpus"
