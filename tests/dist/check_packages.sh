#!/usr/bin/env bash
# Checks the packages in a directory: that they are reproducible, that every file is in its place,
# that they conflict with the official command line, and that the .deb can be installed into a root
# of Debian and removed. A check whose tool is missing is skipped with a message.
# Usage: check_packages.sh DIRECTORY VERSION   (with SOURCE_DATE_EPOCH and MAINTAINER)
set -euo pipefail

here=$(dirname "$0")
directory=$(realpath "$1") version=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

has() { # TOOL WHAT
    command -v "$1" >/dev/null || { echo "not checked: $2: $1 is missing"; return 1; }
}
fail() {
    echo "$*" >&2
    exit 1
}

mkdir "$work/again"
for archive in "$directory"/*.tar.gz; do
    name=$(basename "$archive" .tar.gz)
    cp -r "$directory/$name" "$work/again/"
    (umask 077 && TZ=Asia/Kathmandu LC_ALL=C bash "$here/packages.sh" "$work/again/$name" "$version" "${name#*-"$version"-}") >/dev/null
done
for package in "$work"/again/*.*; do
    [[ -d $package ]] || cmp "$package" "$directory/$(basename "$package")"
done
echo 'ok      packages: the same bytes when they are made again'

# The files of every package. ZSH: the directory in which zsh searches completions.
expected() { # ZSH
    (cd "$directory" && find "$name/man" -name '*.1' -printf 'usr/share/man/man1/%f.gz\n')
    printf '%s\n' usr/bin/openai usr/share/bash-completion/completions/openai "usr/share/zsh/$1/_openai" \
        usr/share/fish/vendor_completions.d/openai.fish usr/share/doc/openai-videos/CHANGELOG.md \
        usr/share/licenses/openai-videos/{LICENSE,THIRD-PARTY.txt}
}
compare() { # PACKAGE ZSH: the list of files on standard input, with and without a leading ./ or /
    diff <(expected "$2" | sort) <(sed -e 's|^\./||' -e 's|^/||' -e '/\/$/d' -e '/^$/d' | sort) >"$work/diff" ||
        { cat "$work/diff" >&2; fail "$(basename "$1") has other files than it should"; }
}
conflict() { # PACKAGE PATTERN: the description on standard input
    grep -qx "$2" || fail "$(basename "$1") does not conflict with the official command line"
}
for package in "$directory"/*.apk; do
    tar --list --gzip --ignore-zeros --file "$package" 2>/dev/null | grep -v '^\.PKGINFO$' | compare "$package" site-functions
    tar --extract --gzip --ignore-zeros --to-stdout --file "$package" .PKGINFO 2>/dev/null | conflict "$package" 'depend = !openai'
done
for package in "$directory"/*.ipk; do
    part() { tar --extract --gzip --to-stdout --file "$package" "./$1.tar.gz"; }
    part data | tar --list --gzip | compare "$package" site-functions
    part control | tar --extract --gzip --to-stdout ./control | conflict "$package" 'Conflicts: openai'
done
echo 'ok      .apk, .ipk: every file in its place, and the conflict'

if has rpm '.rpm'; then
    for package in "$directory"/*.rpm; do
        rpm -qp --list "$package" | compare "$package" site-functions
        rpm -qp --conflicts "$package" | conflict "$package" openai
    done
    echo 'ok      .rpm: every file in its place, and the conflict'
fi

if has lintian 'the policy of Debian'; then
    lintian --allow-root --fail-on error "$directory"/*.deb
    echo 'ok      .deb: no errors by the policy of Debian'
fi

deb=$directory/openai-videos_$version-1_$(dpkg --print-architecture).deb
if has debootstrap 'the .deb in a root of Debian' && ((EUID == 0)); then
    root=$work/root
    debootstrap --variant=minbase bookworm "$root" >"$work/log" 2>&1 || { tail "$work/log" >&2; fail 'debootstrap failed'; }
    before=$(cd "$root" && find . -path ./var -prune -o -print | sort)
    cp "$deb" "$root/var/tmp/openai.deb"
    within() { chroot "$root" "$@"; }
    within dpkg -i /var/tmp/openai.deb >/dev/null
    [[ $(within openai --version) == "openai-videos $version" ]]
    within dpkg --verify openai-videos
    within dpkg -r openai-videos >/dev/null
    diff <(echo "$before") <(cd "$root" && find . -path ./var -prune -o -print | sort) || fail 'dpkg -r left these files'
    mkdir -p "$work/official/DEBIAN"
    printf '%s\n' 'Package: openai' 'Version: 1' 'Architecture: all' 'Maintainer: x' 'Description: x' >"$work/official/DEBIAN/control"
    dpkg-deb --build "$work/official" "$root/var/tmp/official.deb" >/dev/null
    within dpkg -i /var/tmp/official.deb >/dev/null
    ! within dpkg -i /var/tmp/openai.deb >"$work/log" 2>&1 || fail 'dpkg installs it beside the official command line'
    grep -q 'conflicting packages' "$work/log"
    echo 'ok      .deb: installed into a root of Debian, removed, and kept from the official command line'
fi
