#!/bin/sh
# Speaks the words of assets/audio/prompts.yaml into assets/audio/wav/NAME.wav: 16 kHz, mono, 16 bit.
# The same words give the same bytes. Prompts that a person recorded are left alone.
set -eu

usage() {
    cat <<'END'
usage: scripts/make_prompts.sh [NAME...]

Makes the sound of every synthesised prompt of the prompt book, or of those named, with espeak-ng and sox or ffmpeg.

  PYTHON           the Python that reads the prompt book   (.venv/bin/python)
  AUDIO_WAV_DIR    where the sounds go                     (assets/audio/wav)
  PROMPT_LOCALE    the language spoken                     (en)
  PROMPT_VOICE     espeak-ng's voice                       (en-us)
  PROMPT_SPEED     words a minute                          (175)
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
python=${PYTHON:-.venv/bin/python}
to=${AUDIO_WAV_DIR:-assets/audio/wav}
locale=${PROMPT_LOCALE:-en}
voice=${PROMPT_VOICE:-en-us}
speed=${PROMPT_SPEED:-175}

fail() {
    echo "make_prompts: $*" >&2
    exit 1
}

command -v espeak-ng >/dev/null || fail "espeak-ng is missing; install the package espeak-ng"
if command -v sox >/dev/null; then
    converter=sox
elif command -v ffmpeg >/dev/null; then
    converter=ffmpeg
else
    fail "neither sox nor ffmpeg is there; install one of them"
fi

mkdir -p "$to"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

"$python" - "$locale" "$@" >"$scratch/words" <<'END'
import sys
from pathlib import Path

sys.path.insert(0, ".")
from logic.prompts import PromptErrors, load_prompts

file = "assets/audio/prompts.yaml"
locale, *wanted = sys.argv[1:]
try:
    book = load_prompts(Path(file).read_text("utf-8"), file)
except PromptErrors as error:
    sys.exit(str(error))
if unknown := [name for name in wanted if name not in book]:
    sys.exit(f"make_prompts: not in {file}: {', '.join(unknown)}")
for name in wanted or book.names:
    words = book.words(name, locale)
    if words is None:
        sys.exit(f"make_prompts: the prompt '{name}' has no words in {locale}")
    if book.prompts[name].made == "synthesised":
        print(name, " ".join(words.split()), sep="\t")
END

# The silence before and after the words goes; what is left begins when it is played.
case $converter in
sox) quiet="silence 1 0.02 0.2%" ;;
ffmpeg) quiet="silenceremove=start_periods=1:start_threshold=-54dB" ;;
esac

tab=$(printf '\t')
while IFS="$tab" read -r name words; do
    espeak-ng -v "$voice" -s "$speed" -w "$scratch/spoken.wav" -- "$words"
    case $converter in
    sox) # -D: no dither, so that the same words give the same bytes
        # shellcheck disable=SC2086
        sox -V1 -D -t wav "$scratch/spoken.wav" -t wav -r 16000 -c 1 -b 16 -e signed-integer "$to/.$name.new" \
            gain -n -3 $quiet reverse $quiet reverse
        ;;
    ffmpeg)
        ffmpeg -nostdin -v error -y -i "$scratch/spoken.wav" -ar 16000 -ac 1 -c:a pcm_s16le \
            -af "$quiet,areverse,$quiet,areverse" -map_metadata -1 -fflags +bitexact -f wav "$to/.$name.new"
        ;;
    esac
    mv "$to/.$name.new" "$to/$name.wav"
    echo "$to/$name.wav: $words"
done <"$scratch/words"
