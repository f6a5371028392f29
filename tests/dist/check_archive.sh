#!/usr/bin/env bash
# Compares a release archive with the README and with a second build, which must have the same
# bytes: that of the packed crate, in another directory, with another CARGO_HOME, umask, time zone
# and language.
# Usage: check_archive.sh TARBALL TARGET
set -euo pipefail

tarball=$PWD/$1
target=$2
name=$(basename "$tarball" .tar.gz)
home=${CARGO_HOME:-$HOME/.cargo}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$(dirname "$tarball")" && sha256sum --check --quiet "$name.tar.gz.sha256")
mkdir "$work/first"
tar --extract --file "$tarball" --directory "$work/first"
openai=$work/first/$name/openai

# shellcheck disable=SC2016 # the backticks are those of the README
diff <(sed -n '/^```text$/,/^```$/{/^```/!p;}' README.md) \
    <(tar --list --file "$tarball" | sed -n "s|^$name/\(.*[^/]\)$|\1|p") ||
    { echo 'the README lists other files than the archive has' >&2; exit 1; }
if [[ ${target%%-*} == $(uname -m) ]]; then
    version=$("$openai" --version)
    [[ $name == "${version/ /-}-$target" ]] || { echo "$name has $version" >&2; exit 1; }
fi
version=${name#openai-videos-}
binstall=$(sed -n '/^pkg-url\|^bin-dir/p' Cargo.toml |
    sed "s/{ version }/${version%-"$target"}/g; s/{ target }/$target/g; s/{ bin }/openai/")
[[ $binstall == *"/$name.tar.gz\""*"\"$name/openai\""* ]] || { echo "cargo binstall looks for $binstall" >&2; exit 1; }
sysroot=$("${RUSTC:-rustc}" --print sysroot)
if strings -n 4 "$openai" | grep -F -e "$PWD" -e "$home" -e "$HOME/" -e "$sysroot/lib/rustlib"; then
    echo 'these paths of this machine are in the binary' >&2
    exit 1
fi
echo "ok      $name: the files of the README, and no path of this machine"

cargo package --locked --allow-dirty --no-verify --target-dir "$work" >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
if grep -A 3 '^warning' "$work/said"; then
    exit 1
fi
tar --extract --file "$work"/package/*.crate --directory "$work"
mkdir -p "$work/home/registry"
for part in config.toml registry/index registry/cache; do
    [[ ! -e $home/$part ]] || ln -s "$(realpath "$home/$part")" "$work/home/$part"
done
(
    cd "$work"/openai-videos-*/
    umask 077
    env -u CARGO_TARGET_DIR CARGO_HOME="$work/home" PATH="$PATH:$home/bin" TZ=Asia/Kathmandu LC_ALL=C \
        SOURCE_DATE_EPOCH="$(date -r "$work/first/$name/LICENSE" +%s)" \
        make --no-print-directory dist TARGET="$target"
    cmp "$tarball" "target/dist/$name.tar.gz"
)
echo "ok      $name: the same bytes from another directory"
