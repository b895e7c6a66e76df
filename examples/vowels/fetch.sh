#!/bin/sh
# Gets the JapaneseVowels data and puts it beside the spec. Does nothing if it is already there.
#
# Source: the PyPI package aeon 1.6.0 (BSD-3-Clause), which carries the equal-length version of the data.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
package='aeon==1.6.0'
inside='aeon/datasets/data/JapaneseVowels'
train='JapaneseVowels_eq_TRAIN.ts'
test='JapaneseVowels_eq_TEST.ts'
train_sha256='8958279c6296b97c8e34038346407935222db171492b84dffa3b930d087bc2d6'
test_sha256='bb83bb1aa6bfb17faae269f6829b7cac71de36fdd3264ee34137fe90270d5895'

# fail MESSAGE [WAY_OUT]
fail() {
    printf 'fetch.sh: error: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then
        printf 'fetch.sh: help: %s\n' "$2" >&2
    fi
    exit 1
}

# sha256_is FILE HASH: whether a file is there and has the hash.
sha256_is() {
    [ -f "$1" ] && [ "$(python3 -c 'import hashlib, sys
with open(sys.argv[1], "rb") as file:
    print(hashlib.sha256(file.read()).hexdigest())' "$1")" = "$2" ]
}

command -v python3 >/dev/null 2>&1 ||
    fail 'python3 is not installed' 'apt-get install python3 python3-pip'

if sha256_is "$here/$train" "$train_sha256" && sha256_is "$here/$test" "$test_sha256"; then
    printf 'The vowels data is already there: %s and %s\n' "$train" "$test"
    exit 0
fi

python3 -m pip --version >/dev/null 2>&1 ||
    fail 'python3 has no pip' 'apt-get install python3-pip'

folder=$(mktemp -d) || fail 'no temporary folder can be made' 'free some space, or set TMPDIR to a writable folder'
trap 'rm -rf -- "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

printf 'Downloading %s for the vowels data (6 MB) ...\n' "$package"
python3 -m pip download --quiet --disable-pip-version-check --no-input --no-deps --only-binary :all: \
    --dest "$folder" "$package" </dev/null >"$folder/log" 2>&1 || {
    cat "$folder/log" >&2
    fail "pip could not download $package" \
        "check the network and pip's index, or put $train and $test into $here yourself"
}

wheel=$(find "$folder" -name 'aeon-*.whl')
[ -n "$wheel" ] || fail "pip downloaded no wheel of $package" 'update pip: python3 -m pip install --upgrade pip'
python3 -m zipfile -e "$wheel" "$folder/package" || fail "cannot unpack $wheel" 'run this script again'

# put NAME HASH: checks a file and moves it into place at once.
put() {
    file="$folder/package/$inside/$1"
    [ -f "$file" ] || fail "$package does not hold $inside/$1"
    sha256_is "$file" "$2" ||
        fail "$1 has another sha256 than $2" 'the download is damaged or was changed: run this script again'
    if ! { cp -- "$file" "$here/$1.tmp" && mv -f -- "$here/$1.tmp" "$here/$1"; }; then
        fail "cannot write $here/$1" 'make the folder writable'
    fi
}
put "$train" "$train_sha256"
put "$test" "$test_sha256"
printf 'The vowels data is there: %s and %s\n' "$train" "$test"
