#!/bin/sh
# Gives the prompts to Asterisk: NAME.wav (8 kHz), NAME.wav16 (16 kHz) and NAME.ulaw from the 16 kHz masters.
# Asterisk takes a file that ends in .wav for 8 kHz, whatever its header says, so a master is never copied as it is.
set -eu

usage() {
    cat <<'END'
usage: scripts/sync_audio.sh [NAME...]

Converts every prompt of the prompt book and every other master, or only those named, with sox or ffmpeg. A file is
written beside its place and renamed, and only when its master has changed. Exits 1 when a master is missing.

  AST_SOUND_DIR    where the sounds go        (/var/lib/asterisk/sounds/custom)
  AUDIO_WAV_DIR    where the masters are      (assets/audio/wav)
END
}

case "${1:-}" in
-h | --help)
    usage
    exit 0
    ;;
-*)
    usage >&2
    exit 2
    ;;
esac

cd "$(dirname "$0")/.."
from=${AUDIO_WAV_DIR:-assets/audio/wav}
to=${AST_SOUND_DIR:-/var/lib/asterisk/sounds/custom}
book=assets/audio/prompts.yaml

fail() {
    echo "sync_audio: $*" >&2
    exit 1
}

if command -v sox >/dev/null; then
    converter=sox
elif command -v ffmpeg >/dev/null; then
    converter=ffmpeg
else
    fail "neither sox nor ffmpeg is there; install one of them"
fi

mkdir -p "$to" 2>/dev/null || fail "cannot make the folder $to; set AST_SOUND_DIR, or run this as who owns it"
[ -w "$to" ] || fail "cannot write to $to; set AST_SOUND_DIR, or run this as who owns it"

if [ $# -gt 0 ]; then
    names=$*
else
    # The names in the prompt book, read without Python: this also runs where only Asterisk is.
    names=$(sed -n 's/^  "\{0,1\}\([a-z][a-z0-9_]*\)"\{0,1\}: *$/\1/p' "$book")
    for master in "$from"/*.wav; do
        [ -e "$master" ] || continue
        name=$(basename "$master" .wav)
        case " $(echo $names) " in
        *" $name "*) ;;
        *) names="$names $name" ;;
        esac
    done
fi

new=
trap 'rm -f "$new"' EXIT
trap 'exit 130' INT TERM
umask 022

convert() { # master form target
    case $converter:$2 in
    sox:wav) sox -V1 -D -t wav "$1" -t wav -r 8000 -c 1 -b 16 -e signed-integer "$3" ;;
    sox:wav16) sox -V1 -D -t wav "$1" -t wav -r 16000 -c 1 -b 16 -e signed-integer "$3" ;;
    sox:ulaw) sox -V1 -D -t wav "$1" -t ul -r 8000 -c 1 "$3" ;;
    ffmpeg:wav) from_ffmpeg "$1" -ar 8000 -c:a pcm_s16le -f wav "$3" ;;
    ffmpeg:wav16) from_ffmpeg "$1" -ar 16000 -c:a pcm_s16le -f wav "$3" ;;
    ffmpeg:ulaw) from_ffmpeg "$1" -ar 8000 -c:a pcm_mulaw -f mulaw "$3" ;;
    esac
}

from_ffmpeg() {
    master=$1
    shift
    ffmpeg -nostdin -v error -y -i "$master" -ac 1 -map_metadata -1 -fflags +bitexact "$@"
}

written=0
unchanged=0
missing=0
for name in $names; do
    source=$from/$name.wav
    if [ ! -s "$source" ]; then
        echo "sync_audio: missing: $source" >&2
        missing=$((missing + 1))
        continue
    fi
    for form in wav wav16 ulaw; do
        target=$to/$name.$form
        # What was converted carries its master's time, so an older master put back is noticed, too.
        if [ -s "$target" ] && [ ! "$target" -nt "$source" ] && [ ! "$target" -ot "$source" ]; then
            unchanged=$((unchanged + 1))
            continue
        fi
        new=$to/.$name.$form.$$
        convert "$source" "$form" "$new" || fail "$source could not be converted to $form"
        touch -r "$source" "$new"
        mv -f "$new" "$target"
        written=$((written + 1))
    done
done

echo "sync_audio: $written written, $unchanged unchanged in $to"
[ "$missing" -eq 0 ]
