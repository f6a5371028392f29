#!/usr/bin/env bash
# Makes the packages for one target from the directory that the archive is made of, and prints their
# paths.
# Usage: packages.sh DIRECTORY VERSION TARGET   (with SOURCE_DATE_EPOCH and MAINTAINER)
set -euo pipefail
umask 022

description=$(dirname "$(realpath "$0")")/nfpm.yaml
export VERSION=$2 ARCH

# The names of the processors: nfpm's, which it translates for each format, and OpenWrt's. On a
# Raspberry Pi 1 Debian is armhf, too, so the .deb with that name is for v6, and there is none for
# v7.
formats=(deb rpm apk)
case $3 in
x86_64-*) arch=amd64 openwrt=x86_64 ;;
i686-*) arch=386 openwrt=i386_pentium4 ;;
aarch64-*) arch=arm64 openwrt=aarch64_generic ;;
armv7-*) arch=arm7 openwrt=arm_cortex-a9_vfpv3-d16 formats=(rpm apk) ;;
arm-*) arch=arm6 openwrt=arm_arm1176jzf-s_vfp ;;
riscv64gc-*) arch=riscv64 openwrt=riscv64_generic ;;
*) echo "no packages are made for $3" >&2; exit 1 ;;
esac

staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
out=$(realpath "$1/..")
cp -r --no-preserve=mode "$1/." "$staged"
cd "$staged"
gzip -9 --no-name man/*.1
# Debian's policy requires a changelog, and a reason for the static binary.
mkdir debian
printf 'openai-videos (%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' \
    "$VERSION" "$MAINTAINER" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9 --no-name >debian/changelog.gz
echo 'openai-videos: statically-linked-binary [usr/bin/openai]' >debian/overrides
pack() { # FORMAT ARCH
    ARCH=$2 nfpm package --config "$description" --packager "$1" --target "$out" | sed -n 's/^created package: //p'
}
for format in "${formats[@]}"; do
    pack "$format" "$arch"
done
pack ipk "$openwrt"
