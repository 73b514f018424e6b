"""The made-up vocabulary of generated creators and videos, in several scripts."""

HANDLE_WORDS = ("amber", "birch", "cobalt", "dune", "ember", "fjord", "grove", "heron", "indigo", "juniper")
"""Lower-case ASCII, at most 8 letters, so that a handle stays within the 24 characters the platform allows."""

NICKNAMES = (
    "Amber Loomis",
    "birch & co",
    "КОБАЛЬТ мастерская",
    "Dune Harrow 🌵",
    "炎の台所",
    "Fjörd Émilie",
    "بستان الزعتر",
    "HERON.tv",
    "indigo ✨ledger✨",
    "주니퍼 공방",
    "Ада Ветрова",
    'O\'Quill "Inky" Tam',
)

BIOS = (
    "Small things, made slowly.",
    "Two cats, one oven\nNew clips on Sundays",
    "Мастерская на чердаке 🧵",
    "静かな道具の話",
    "أشياء بسيطة كل يوم",
    "gear notes | honest verdicts | no drama",
    "☕️ + 📷 = me",
)

PHRASES = (
    "three things nobody tells you about this",
    "unboxing the quiet one 🤫",
    "POV: your desk finally makes sense",
    "Проверяем, стоит ли оно того",
    "これだけは知っておいて",
    "لماذا أحببت هذا الشيء",
    "a & b <compared>, part 2 of 3",
    "line one\nline two \\ with a backslash",
    "👩🏽‍💻🎧",
)

HASHTAGS = (
    "quietgear",
    "deskcorner",
    "fyp",
    "обзор",
    "мастерская",
    "道具",
    "おすすめ",
    "مراجعة",
    "사운드",
    "été2031",
    "🎧",
)

VERIFICATIONS = (("verified account", ""), ("Popular creator", ""), ("", "institution account"))
"""Pairs of ``custom_verify`` and ``enterprise_verify_reason`` that the provider gives for verified accounts."""

MAIL_LINES = (
    "Business: {name}@studio.example",
    "📩 {upper}@AGENCY.EXAMPLE",
    "Write to {name}@mail.example.",
    "collab <{name}+tt@post.co.example> / DM",
)
"""Lines of a bio that hold a mail address of a reserved domain: plain, upper case, trailing dot, bracketed."""

REGIONS = ("US", "GB", "DE", "BR", "JP", "EG", "KR")
