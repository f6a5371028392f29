#!/usr/bin/env bash
# C compiler and linker for TARGET, one of rustc's musl targets: zig's (`pip install ziglang`),
# which brings musl for every processor.
set -euo pipefail

cpu=baseline
case $TARGET in
i686-*) zig=x86-linux-musl cpu=pentium4 ;; # what rustc means by i686
armv7-*) zig=arm-linux-musleabihf cpu=generic+v7a+vfp3d16-d32-neon ;;
arm-*hf) zig=arm-linux-musleabihf cpu=arm1176jzf_s ;; # the Raspberry Pi 1
riscv64gc-*) zig=riscv64-linux-musl ;;
*) zig=${TARGET/-unknown/} ;;
esac

# Drops the arguments with which rustc and the crate cc name the target and the processor, as zig
# has other names for them, and one about dynamic linking, which no binary here has.
args=()
for arg in "$@"; do
    case $arg in
    --target=* | -march=* | -Wl,-melf_i386 | -Wl,--no-dynamic-linker) ;;
    *) args+=("$arg") ;;
    esac
done
exec python-zig cc -target "$zig" -mcpu="$cpu" "${args[@]}"
