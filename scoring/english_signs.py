"""What English says for signs: comparisons, operators, currencies, and what joins two parts of a word or a number."""

from typing import Final

from scoring.readings import Form

CURRENCIES: Final[dict[str, tuple[str, str, str, str]]] = {
    "$": ("dollars", "dollar", "cents", "cent"),
    "€": ("euros", "euro", "cents", "cent"),
    "£": ("pounds", "pound", "pence", "penny"),
    "¥": ("yen", "yuan", "fen", "fen"),
    "₹": ("rupees", "rupee", "paise", "paisa"),
    "₩": ("won", "won", "jeon", "jeon"),
    "₽": ("rubles", "ruble", "kopecks", "kopeck"),
    "₺": ("lira", "lira", "kurus", "kurus"),
    "₪": ("shekels", "shekel", "agorot", "agora"),
    "₫": ("dong", "dong", "hao", "hao"),
    "₴": ("hryvnias", "hryvnia", "kopecks", "kopeck"),
    "₦": ("naira", "naira", "kobo", "kobo"),
    "₱": ("pesos", "peso", "centavos", "centavo"),
    "฿": ("baht", "baht", "satang", "satang"),
    "₿": ("bitcoins", "bitcoin", "cents", "cent"),
    "¢": ("cents", "cent", "cents", "cent"),
}
"""Names of a currency and of its hundredth, several and one. A sign that is not here is a unit as it is."""

_LESS: Final[Form] = [([(), "is"], one, "than") for one in ("less", "smaller", "fewer")]
_GREATER: Final[Form] = [([(), "is"], one, "than") for one in ("greater", "more", "larger", "bigger")]
_OR_EQUAL: Final[Form] = ("or", "equal", ["to", ()])
_ABOUT: Final[list[Form]] = ["about", "approximately", "around", "roughly"]
_ARROW: Final[list[Form]] = ["to", "arrow", ("leads", "to"), "implies", "gives"]
SYMBOLS: Final[dict[str, Form]] = {
    "<": [*_LESS, "under", "below"],
    ">": [*_GREATER, "over", "above"],
    "<=": [(_LESS, _OR_EQUAL), ("at", "most")],
    ">=": [(_GREATER, _OR_EQUAL), ("at", "least")],
    "≤": [(_LESS, _OR_EQUAL), ("at", "most")],
    "≥": [(_GREATER, _OR_EQUAL), ("at", "least")],
    "≠": [
        ("is", "not", "equal", "to"),
        ("does", "not", "equal"),
        ("not", "equal", "to"),
        ("not", "equal"),
        ("not", "equals"),
        ("is", "not"),
    ],
    "≈": [("is", "approximately"), ("approximately", "equals"), ("approximately", "equal", "to"), ("is", "about"), *_ABOUT],
    "~": [*_ABOUT, "tilde"],
    "&": ["and", "ampersand"],
    "@": "at",
    "+": "plus",
    "=": ["equals", "equal", "is", ("is", "equal", "to"), ("equal", "to")],
    "==": ["equals", ("is", "equal", "to"), ("equals", "equals")],
    "\u00d7": ["times", "by"],
    "÷": [("divided", "by"), "over"],
    "±": [("plus", "or", "minus"), ("plus", "minus")],
    "%": ["percent", ("per", "cent")],
    "‰": [("per", "mille"), "permille", ("per", "mil"), ("per", "thousand")],
    "°": ["degrees", "degree"],
    "√": [("square", "root", "of"), ("the", "square", "root", "of"), ("root",)],
    "∞": "infinity",
    "§": ["section", "paragraph"],
    "∑": ["sum", ("the", "sum", "of")],
    "∫": ["integral", ("the", "integral", "of")],
    "∈": ["in", ("is", "in"), ("is", "an", "element", "of")],
    "¬": "not",
    "\\": "backslash",
    "*": ["star", "asterisk", "times"],
    "|": ["pipe", "bar", ("vertical", "bar"), "or", "given"],
    "^": [("to", "the"), ("to", "the", "power", "of"), "caret"],
    "!": "factorial",
    ".": ["dot", "point"],
    **dict.fromkeys(("->", "=>", "→", "⇒"), _ARROW),
    **{sign: [many, one] for sign, (many, one, _, _) in CURRENCIES.items()},
}
RANGE: Final[list[Form]] = ["to", "through", "until", "till", "dash", "hyphen"]
DASHES: Final[dict[str, Form]] = {
    "range": RANGE,
    "difference": ["minus", *RANGE],
    "either": [(), *RANGE, "minus"],
    "silent": (),
}
INSIDE: Final[dict[str, Form]] = {
    "~": ["to", "through", "tilde"],
    "*": ["times", "star"],
    "x": ["by", "times", "x"],
    ":": ["to", ()],
    "/": [(), "slash", "over"],
    "_": ["base", "sub", "underscore"],
}
JOINTS: Final[dict[str, Form]] = {".": [(), "dot", "point"], "/": [(), "slash", "or", "and", "per"], "_": [(), "underscore"]}
