#!/bin/sh
# Gets Fashion-MNIST and puts its four files beside the spec. Does nothing if they are already there. Needs no root: the
# package is unpacked, not installed.
#
# Source: Debian's package dataset-fashion-mnist (MIT licence).
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
package='dataset-fashion-mnist'
files='train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz'

# fail MESSAGE [WAY_OUT]
fail() {
    printf 'fetch.sh: error: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then
        printf 'fetch.sh: help: %s\n' "$2" >&2
    fi
    exit 1
}

all_there=yes
for file in $files; do
    [ -f "$here/$file" ] || all_there=no
done
if [ "$all_there" = yes ]; then
    printf 'Fashion-MNIST is already there: %s\n' "$here"
    exit 0
fi

for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null 2>&1 ||
        fail "$tool is not installed" "put the four files of Fashion-MNIST into $here yourself"
done

folder=$(mktemp -d) || fail 'no temporary folder can be made' 'free some space, or set TMPDIR to a writable folder'
trap 'rm -rf -- "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# apt-get may download as a user of its own.
chmod 755 "$folder"

printf 'Downloading %s (31 MB) ...\n' "$package"
(cd "$folder" && apt-get download -qq "$package") >"$folder/log" 2>&1 || {
    cat "$folder/log" >&2
    fail "apt-get could not download $package" 'run apt-get update first, and check the network'
}
dpkg-deb -x "$folder/$package"_*.deb "$folder/package" || fail "cannot unpack $package" 'run this script again'

for file in $files; do
    found="$folder/package/usr/share/datasets/fashion-mnist/$file"
    [ -f "$found" ] || fail "$package does not hold $file"
    if ! { cp -- "$found" "$here/$file.tmp" && mv -f -- "$here/$file.tmp" "$here/$file"; }; then
        fail "cannot write $here/$file" 'make the folder writable'
    fi
done
printf 'Fashion-MNIST is there: %s\n' "$here"
