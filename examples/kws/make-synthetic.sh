#!/bin/sh
# Makes SYNTHETIC speech in the layout of the keyword spotting example, for those without recordings: ten words, other
# words as `_unknown_`, noise as `_silence_`. A synthesiser is no speaker: a network that knew only such speech had 79 %
# on synthetic voices that it had not heard, and 37 % on people. It shows that everything runs, and nothing more.
#
# usage: make-synthetic.sh [FOLDER]    (default: `synthetic` beside this script)
#
# Source: espeak-ng (GPL 3), from Debian's package of that name. The speaker in a file's name is the voice.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=${1:-$here/synthetic}
out=${out%/}
words='yes no up down left right on off stop go'
others='bed bird cat dog eight five four happy house marvin nine one seven sheila six three tree two wow zero'
accents='en-us en-gb en-gb-scotland en-029'
variants='m1 m2 m3 m4 m5 m6 m7 f1 f2 f3 f4 f5'

# fail MESSAGE [WAY_OUT]
fail() {
    printf 'make-synthetic.sh: error: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then
        printf 'make-synthetic.sh: help: %s\n' "$2" >&2
    fi
    exit 1
}

command -v espeak-ng >/dev/null 2>&1 || fail 'espeak-ng is not installed' 'apt-get install espeak-ng'
command -v python3 >/dev/null 2>&1 || fail 'python3 is not installed' 'apt-get install python3'
if [ -e "$out" ]; then
    fail "$out is there already" 'remove it, or name another folder'
fi

making="$out.tmp"
rm -rf -- "$making"
trap 'rm -rf -- "$making"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p -- "$making/_unknown_" "$making/_silence_" || fail "cannot make $making" 'name a folder that can be written'
printf 'This speech is synthetic, made by espeak-ng.\n' >"$making/README.txt"

# say FOLDER WORD VOICE NUMBER SPEED PITCH
say() {
    name=$(printf '%s' "$3" | tr -d '+-')
    espeak-ng -v "$3" -s "$5" -p "$6" -w "$making/$1/$2_${name}_nohash_$4.wav" "$2" ||
        fail "espeak-ng cannot say $2 as $3"
}

printf 'Making synthetic speech in %s ...\n' "$out"
number=0
for word in $words; do
    mkdir -p "$making/$word"
done
for accent in $accents; do
    for variant in $variants; do
        voice="$accent+$variant"
        speed=$((130 + number * 17 % 80))
        pitch=$((30 + number * 13 % 45))
        for word in $words; do
            say "$word" "$word" "$voice" 0 "$speed" "$pitch"
            say "$word" "$word" "$voice" 1 $((speed + 25)) $((pitch + 10))
        done
        taken=0
        for word in $others; do
            if [ $(((taken + number) % 5)) -eq 0 ]; then
                say _unknown_ "$word" "$voice" 0 "$speed" "$pitch"
            fi
            taken=$((taken + 1))
        done
        number=$((number + 1))
    done
done

python3 - "$making/_silence_" <<'PYTHON' || fail 'python3 could not make the noise'
import array, random, sys, wave

random.seed(1)
for number in range(96):
    # Never so low that two recordings are the same zeros: nasc would tell that a sample is in two parts.
    level = random.choice([10, 20, 60, 200, 800])
    previous, samples = 0.0, array.array("h")
    smooth = random.uniform(0.0, 0.95)
    for _ in range(16000):
        previous = smooth * previous + (1.0 - smooth) * random.uniform(-1.0, 1.0)
        samples.append(int(level * previous))
    with wave.open(f"{sys.argv[1]}/noise_nohash_{number}.wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.tobytes())
PYTHON

mv -- "$making" "$out"
trap - EXIT
printf 'Synthetic speech is there; espeak-ng gives 22,050 samples a second, so let nasc bring them to 16,000:\n'
printf '  nasc compile examples/kws/synthetic.nas --target cortex-m4 --data %s\n' "$out"
