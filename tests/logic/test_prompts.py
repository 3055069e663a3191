"""The prompt book: what is read, what is refused and where, and that the shipped sounds are there."""

import shutil
import subprocess
import wave
from pathlib import Path

import pytest

from logic.prompts import Prompt, PromptErrors, load_prompts
from tests.logic.flows import BOOK, ROOT, shipped_prompts

MASTERS = ROOT / "assets/audio/wav"
SHIPPED = ("hello", "alo", "goodby", "yes", "number", "onhold", "repeat")


def wrong(text: str) -> list[str]:
    """What is wrong with a prompt book that must be refused."""
    with pytest.raises(PromptErrors) as caught:
        load_prompts(text, "p.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_prompt_is_read_with_everything_that_is_known_of_it() -> None:
    """Name, words per locale, who spoke it, how it was made, whether it discloses."""
    book = load_prompts(
        "prompts:\n  hi:\n    text: {en: Hi., en-GB: Hello.}\n    recorded_by: Ann\n    made: recorded\n",
        "p.yaml",
    )
    assert book.prompts["hi"] == Prompt(
        "hi", {"en": "Hi.", "en-GB": "Hello."}, "Ann", "recorded", discloses=False
    )
    assert book.names == ("hi",)
    assert book.get("ho") is None
    assert "hi" in book


def test_a_locale_falls_back_to_its_language_and_no_further() -> None:
    """en-US is served by en; fa is not."""
    assert BOOK.words("alo", "en-US") == "Are you there?"
    assert BOOK.words("alo", "fa") is None
    assert BOOK.words("nothing", "en") is None


def test_every_problem_is_told_with_its_place() -> None:
    """Several prompts, several mistakes, one refusal."""
    text = """\
prompts:
  Hello: {text: {en: Hi.}, recorded_by: me, made: recorded}
  alo: {text: {english: Hi.}, recorded_by: me, made: recorded}
  number: {text: {en: 7}, recorded_by: me, made: by hand}
  repeat: {text: {en: Again.}, recordet_by: me, made: recorded, discloses: "yes"}
"""
    assert wrong(text) == [
        "p.yaml:2:3: PR002 'Hello' is no name here; use lower-case letters, digits and _, a letter first, at most 64",
        "p.yaml:3:16: PR002 'english' is no locale; write it like en or en-US",
        "p.yaml:4:23: PR002 'en' must be text; put it in quotes",
        "p.yaml:4:50: PR002 'made' must be synthesised or recorded",
        "p.yaml:5:3: PR002 'repeat' needs 'recorded_by'",
        "p.yaml:5:32: PR001 unknown key 'recordet_by'; did you mean 'recorded_by'?",
        "p.yaml:5:76: PR002 'discloses' must be true or false",
    ]


def test_a_prompt_without_words_is_refused() -> None:
    """No text at all, and text of spaces, are both silence."""
    text = """\
prompts:
  alo: {text: {}, recorded_by: me, made: recorded}
  hello: {text: {en: Hi., fa: "  "}, recorded_by: me, made: recorded}
"""
    assert wrong(text) == [
        "p.yaml:2:15: PR003 the prompt 'alo' has no words",
        "p.yaml:3:31: PR003 the prompt 'hello' has no words in fa",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "p.yaml:1:1: PR002 the file is empty"),
        ("- hello\n", "p.yaml:1:1: PR002 the file must hold keys and values"),
        ("prompts: [a]\n", "p.yaml:1:10: PR002 'prompts' must hold keys and values"),
        (
            "prompts: {a: &b 1}\n",
            "p.yaml:1:14: YA003 anchors (&b) are not used here; write the value out where it is needed",
        ),
    ],
)
def test_a_file_that_is_no_prompt_book_is_refused(text: str, told: str) -> None:
    """What is not even the right kind of file gets one sentence."""
    assert wrong(text) == [told]


def test_the_shipped_book_names_what_the_engine_speaks() -> None:
    """The seven prompts are there, and the first one tells who calls, that it is a machine, and why, in few words."""
    book = shipped_prompts()
    assert book.names == SHIPPED
    assert [name for name in book.names if book.prompts[name].discloses] == ["hello"]
    hello = book.words("hello", "en") or ""
    assert "automated" in hello
    assert "Linekeeper" in hello
    assert "about" in hello
    assert len(hello.split()) <= 24


def test_every_shipped_prompt_has_a_small_master() -> None:
    """16 kHz, mono, 16 bit, not empty, less than 200 kB, and no master without words."""
    assert {path.stem for path in MASTERS.glob("*.wav")} == set(SHIPPED)
    for name in SHIPPED:
        path = MASTERS / f"{name}.wav"
        assert path.stat().st_size < 200_000
        with wave.open(str(path)) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
            assert sound.getnframes() > 16000


# ------------------------------------------------------------------------------------------- sync_audio.sh

needs_converter = pytest.mark.skipif(
    not (shutil.which("sox") or shutil.which("ffmpeg")), reason="neither sox nor ffmpeg is installed"
)


def sync(to: Path, *names: str, masters: Path = MASTERS) -> "subprocess.CompletedProcess[str]":
    """Run the script."""
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "AST_SOUND_DIR": str(to),
        "AUDIO_WAV_DIR": str(masters),
    }
    command = [str(ROOT / "scripts/sync_audio.sh"), *names]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


@needs_converter
def test_sync_gives_every_prompt_in_three_forms_and_twice_changes_nothing(tmp_path: Path) -> None:
    """8 kHz as .wav, 16 kHz as .wav16, and .ulaw; the second run writes nothing; nothing temporary is left."""
    first = sync(tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    expected = {f"{name}.{form}" for name in SHIPPED for form in ("wav", "wav16", "ulaw")}
    assert {path.name for path in tmp_path.iterdir()} == expected
    seconds = []
    for form, rate in (("wav", 8000), ("wav16", 16000)):
        with wave.open(str(tmp_path / f"hello.{form}")) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (rate, 1, 2)
            seconds.append(sound.getnframes() / rate)
    seconds.append((tmp_path / "hello.ulaw").stat().st_size / 8000)
    assert max(seconds) - min(seconds) < 0.01

    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    again = sync(tmp_path)
    assert again.returncode == 0
    assert again.stdout == f"sync_audio: 0 written, 21 unchanged in {tmp_path}\n"
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before


@needs_converter
def test_sync_converts_what_changed_and_names_what_is_missing(tmp_path: Path) -> None:
    """A changed master is converted again; a missing one is named, the rest is still done, and the exit code says so."""
    masters, to = tmp_path / "masters", tmp_path / "to"
    masters.mkdir()
    shutil.copy(MASTERS / "alo.wav", masters / "alo.wav")
    assert sync(to, "alo", masters=masters).stdout == f"sync_audio: 3 written, 0 unchanged in {to}\n"
    shutil.copy(MASTERS / "yes.wav", masters / "alo.wav")
    changed = sync(to, "gone", "alo", masters=masters)
    assert changed.returncode == 1
    assert changed.stderr == f"sync_audio: missing: {masters / 'gone.wav'}\n"
    assert changed.stdout == f"sync_audio: 3 written, 0 unchanged in {to}\n"
    everything = sync(to, masters=masters)
    assert everything.returncode == 1
    assert f"sync_audio: missing: {masters / 'hello.wav'}\n" in everything.stderr


@pytest.mark.parametrize("script", ["sync_audio.sh", "make_prompts.sh"])
def test_scripts_explain_themselves(script: str) -> None:
    """--help prints the usage and exits 0; an unknown option exits 2."""
    command = str(ROOT / "scripts" / script)
    helped = subprocess.run([command, "--help"], capture_output=True, text=True, timeout=10, check=False)
    assert helped.returncode == 0
    assert helped.stdout.startswith(f"usage: scripts/{script}")
    refused = subprocess.run([command, "--nonsense"], capture_output=True, text=True, timeout=10, check=False)
    assert refused.returncode == 2
