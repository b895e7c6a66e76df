#!/bin/sh
# Gets the prompts of the voice example and puts them beside the spec, in `sounds`. Does nothing if they are already
# there. Needs no root: the packages are unpacked, not installed.
#
# Source: Debian's packages asterisk-core-sounds-{en,es,fr,it,ru}-wav (English, Spanish and French under CC BY-SA 3.0,
# Italian and Russian under CC BY 3.0).
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
voices='en_US_f_Allison es_MX_f_Allison fr_CA_f_June it_IT_m_Carlo ru_RU_f_IvrvoiceRU'

# fail MESSAGE [WAY_OUT]
fail() {
    printf 'fetch.sh: error: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then
        printf 'fetch.sh: help: %s\n' "$2" >&2
    fi
    exit 1
}

all_there=yes
for voice in $voices; do
    [ -d "$here/sounds/$voice" ] || all_there=no
done
if [ "$all_there" = yes ]; then
    printf 'The prompts are already there: %s\n' "$here/sounds"
    exit 0
fi

for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null 2>&1 ||
        fail "$tool is not installed" \
            "get the packages from packages.debian.org, and put what is in usr/share/asterisk/sounds into $here/sounds"
done

folder=$(mktemp -d) || fail 'no temporary folder can be made' 'free some space, or set TMPDIR to a writable folder'
trap 'rm -rf -- "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# apt-get may download as a user of its own.
chmod 755 "$folder"

printf 'Downloading five packages of telephone prompts (98 MB) ...\n'
for language in en es fr it ru; do
    package="asterisk-core-sounds-$language-wav"
    (cd "$folder" && apt-get download -qq "$package") >"$folder/log" 2>&1 || {
        cat "$folder/log" >&2
        fail "apt-get could not download $package" 'run apt-get update first, and check the network'
    }
    dpkg-deb -x "$folder/$package"_*.deb "$folder/package" || fail "cannot unpack $package" 'run this script again'
done

mkdir -p -- "$here/sounds" || fail "cannot make $here/sounds" 'make the folder of this script writable'
for voice in $voices; do
    found="$folder/package/usr/share/asterisk/sounds/$voice"
    [ -d "$found" ] || fail "the packages hold no folder $voice"
    rm -rf -- "$here/sounds/$voice.tmp" "$here/sounds/$voice"
    if ! { cp -R -- "$found" "$here/sounds/$voice.tmp" && mv -- "$here/sounds/$voice.tmp" "$here/sounds/$voice"; }; then
        fail "cannot write $here/sounds" 'make the folder writable'
    fi
done
printf 'The prompts are there: %s\n' "$here/sounds"
