#!/usr/bin/env bash
# C compiler and linker for TARGET, one of rustc's musl targets: zig's (`pip install
# ziglang==0.15.2`), which brings musl for every processor.
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
# has other names for them, and one about dynamic linking, which no binary here has. zig links with
# lld, but refuses some of its options, or ignores them.
args=()
direct=()
for arg in "$@"; do
    case $arg in
    --target=* | -march=* | -Wl,-melf_i386 | -Wl,--no-dynamic-linker) ;;
    -Wl,--icf=* | -Wl,--defsym=* | -Wl,--no-eh-frame-hdr | -Wl,-T,* | -Wl,-z,pack-relative-relocs)
        IFS=, read -ra options <<<"${arg#-Wl,}"
        direct+=("${options[@]}")
        ;;
    *) args+=("$arg") ;;
    esac
done
compile=(python-zig cc -target "$zig" -mcpu="$cpu" "${args[@]}")
((${#direct[@]} > 0)) || exec "${compile[@]}"

# Links without these options, and repeats the call of lld, which zig prints, with them.
printed=$(ZIG_VERBOSE_LINK=1 "${compile[@]}" 2>&1) || {
    echo "$printed" >&2
    exit 1
}
line=$(grep '^ld.lld ' <<<"$printed" | tail -n 1) || true
if [[ ! $line ]]; then
    echo 'zig did not print its call of ld.lld; ziglang 0.15.2 does' >&2
    exit 1
fi
read -ra call <<<"$line"
exec python-zig "${call[@]}" "${direct[@]}"
