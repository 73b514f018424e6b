"""The few words that say what an account is about, out of what it says of itself."""

import re
import unicodedata
from typing import Final

from platforms.normalise.text import safe_text

MOST_WORDS: Final = 5
SHORTEST: Final = 3
SHORTEST_WITHOUT_CASE: Final = 2
"""Scripts without capital letters, e.g. Han or Hebrew, say more in a letter."""
LONGEST: Final = 19

_NO_WORDS = re.compile(
    r"\S+@\S+|https?://\S+|www\.\S+|@\S+|\S+\.(?:com|net|org|co|io|tv|me|ee|shop|bio|link)\b\S*", re.IGNORECASE
)
_MOST_READ: Final = 2_000
"""Characters of one text; bios have some hundred."""
_WITHIN: Final = "'\u2019\u200c\u200d"
_STOP_TEXT: Final = (
    # What profiles say whoever they are of.
    "acc account admin ads affiliate age agency all always amazon and anytime anywhere are available back backup "
    "based best big biggest bio blog booking bookings business but buy channel check click code collab collabs com "
    "coming comment contact content creator creators daily discount dm dms email enquiries every everyone everything "
    "facebook fan fanpage fans first follow followers following for founder free from fun gmail good got has have "
    "hello help her here hey him his hit host how http https info inquiries insta instagram into its join just know "
    "lets life like likes link linkinbio links live living lots love lover loves made mail main make making "
    "management may mgmt million more most new not now official one only our out over own page part people personal "
    "please posts pro promo promos real see shop shorts snap snapchat some soon sub subscribe support than thank "
    "thanks that the their them there they things this tiktok tiktoker time top try twitter under use user video "
    "videos visit want was watch way website welcome what when where who why will with work world www year years yes "
    "you your youtube youtuber "
    # Small words of other languages.
    "con das dei del della dem den der des die dos ein eine für les los mais mas mein mes mit mon muy não nos "
    "para pas por pour que sin sobre son sono sur sus todo todos tous très tudo una und une uno von vos votre zum "
    "все для или как меня мой моя мы на не он она от по про что это "
    "אני את זה לא של על עם"
)
_STOP_WORDS: Final = frozenset(_STOP_TEXT.split())


def own_words(handle: str, nickname: str, bio: str) -> list[str]:
    """The words to look for others like an account by: lower case, best first, at most `MOST_WORDS`.

    What people say they do goes before what they are called: a hashtag of the bio, a word of the bio, and only then
    the words of a name, which find namesakes. A word that is said in several places goes before one said once.
    """
    weights: dict[str, float] = {}
    for text, weight, is_name in ((bio, 2.0, False), (nickname, 1.0, True), (_spaced(handle), 0.5, True)):
        for word, tagged in _words(text).items():
            said_before = is_name and any(word in other or other in word for other in weights)
            if word in weights or not said_before:
                weights[word] = weights.get(word, 0.0) + weight * (1.5 if tagged else 1.0)
    return sorted(weights, key=lambda word: -weights[word])[:MOST_WORDS]


def _words(text: str) -> dict[str, bool]:
    """Each word worth looking for, and whether it is a hashtag somewhere, in order of appearance."""
    plain = _NO_WORDS.sub(" ", unicodedata.normalize("NFKC", safe_text(text[:_MOST_READ])))
    found: dict[str, bool] = {}
    start = None
    for place, character in enumerate(f"{plain} "):
        kind = unicodedata.category(character)[0]
        # A mark alone begins no word: emoji are followed by one.
        inside = kind in "LN" or (start is not None and (kind == "M" or character in _WITHIN))
        if inside and start is None:
            start = place
        elif not inside and start is not None:
            word = plain[start:place].strip("'\u2019").removesuffix("'s").removesuffix("\u2019s").lower()
            if _telling(word):
                found[word] = found.get(word, False) or plain[:start].endswith("#")
            start = None
    return found


def _telling(word: str) -> bool:
    shortest = SHORTEST if word.upper() != word.lower() else SHORTEST_WITHOUT_CASE
    letters = any(unicodedata.category(character)[0] == "L" for character in word)
    return letters and shortest <= len(word) <= LONGEST and word not in _STOP_WORDS


def _spaced(handle: str) -> str:
    """A handle with its parts apart: at signs, dots, underscores and digits part them."""
    return re.sub(r"[\W\d_]+", " ", handle)
