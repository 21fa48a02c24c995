"""Codes of languages, and what tags and names mean which one: nothing but Python, as engines run without our packages.

See ``contracts.languages``.
"""

import functools
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final

MIXED: Final = "mixed"
"""Language of a text that switches between languages, here Chinese and English; our own, no tag of any standard."""

CHINESE: Final = frozenset({"zh", "yue", "wuu", "nan", "hak", "gan", "hsn", "cdo"})
"""The languages that are written in Chinese characters and counted by them: Chinese (Mandarin), Cantonese, Wu, ..."""

UNKNOWN: Final = "und"
"""BCP 47's tag for a language that nobody stated."""

# ISO 639-2: code of ISO 639-1, its codes of three letters (the second one the library's), English names.
_ISO_639: Final = """
aa aar: Afar; ab abk: Abkhazian; ae ave: Avestan; af afr: Afrikaans; ak aka: Akan; am amh: Amharic; an arg: Aragonese;
ar ara: Arabic; as asm: Assamese; av ava: Avaric; ay aym: Aymara; az aze: Azerbaijani; ba bak: Bashkir; be bel:
Belarusian; bg bul: Bulgarian; bh bih: Bihari; bi bis: Bislama; bm bam: Bambara; bn ben: Bengali; bo bod tib: Tibetan;
br bre: Breton; bs bos: Bosnian; ca cat: Catalan, Valencian; ce che: Chechen; ch cha: Chamorro; co cos: Corsican; cr
cre: Cree; cs ces cze: Czech; cu chu: Church Slavic, Old Slavonic, Church Slavonic, Old Bulgarian, Old Church Slavonic;
cv chv: Chuvash; cy cym wel: Welsh; da dan: Danish; de deu ger: German; dv div: Divehi, Dhivehi, Maldivian; dz dzo:
Dzongkha; ee ewe: Ewe; el ell gre: Greek; en eng: English; eo epo: Esperanto; es spa: Spanish, Castilian; et est:
Estonian; eu eus baq: Basque; fa fas per: Persian; ff ful: Fulah; fi fin: Finnish; fj fij: Fijian; fo fao: Faroese; fr
fra fre: French; fy fry: Western Frisian; ga gle: Irish; gd gla: Gaelic, Scottish Gaelic; gl glg: Galician; gn grn:
Guarani; gu guj: Gujarati; gv glv: Manx; ha hau: Hausa; he heb: Hebrew; hi hin: Hindi; ho hmo: Hiri Motu; hr hrv:
Croatian; ht hat: Haitian, Haitian Creole; hu hun: Hungarian; hy hye arm: Armenian; hz her: Herero; ia ina: Interlingua;
id ind: Indonesian; ie ile: Interlingue, Occidental; ig ibo: Igbo; ii iii: Sichuan Yi, Nuosu; ik ipk: Inupiaq; io ido:
Ido; is isl ice: Icelandic; it ita: Italian; iu iku: Inuktitut; ja jpn: Japanese; jv jav: Javanese; ka kat geo:
Georgian; kg kon: Kongo; ki kik: Kikuyu, Gikuyu; kj kua: Kuanyama, Kwanyama; kk kaz: Kazakh; kl kal: Kalaallisut,
Greenlandic; km khm: Central Khmer; kn kan: Kannada; ko kor: Korean; kr kau: Kanuri; ks kas: Kashmiri; ku kur: Kurdish;
kv kom: Komi; kw cor: Cornish; ky kir: Kirghiz, Kyrgyz; la lat: Latin; lb ltz: Luxembourgish, Letzeburgesch; lg lug:
Ganda; li lim: Limburgan, Limburger, Limburgish; ln lin: Lingala; lo lao: Lao; lt lit: Lithuanian; lu lub: Luba-Katanga;
lv lav: Latvian; mg mlg: Malagasy; mh mah: Marshallese; mi mri mao: Maori; mk mkd mac: Macedonian; ml mal: Malayalam; mn
mon: Mongolian; mr mar: Marathi; ms msa may: Malay; mt mlt: Maltese; my mya bur: Burmese; na nau: Nauru; nb nob:
Norwegian Bokmål; nd nde: North Ndebele; ne nep: Nepali; ng ndo: Ndonga; nl nld dut: Dutch, Flemish; nn nno: Norwegian
Nynorsk; no nor: Norwegian; nr nbl: South Ndebele; nv nav: Navajo, Navaho; ny nya: Chichewa, Chewa, Nyanja; oc oci:
Occitan, Provençal; oj oji: Ojibwa; om orm: Oromo; or ori: Oriya; os oss: Ossetian, Ossetic; pa pan: Panjabi, Punjabi;
pi pli: Pali; pl pol: Polish; ps pus: Pushto, Pashto; pt por: Portuguese; qu que: Quechua; rm roh: Romansh; rn run:
Rundi; ro ron rum: Romanian, Moldavian, Moldovan; ru rus: Russian; rw kin: Kinyarwanda; sa san: Sanskrit; sc srd:
Sardinian; sd snd: Sindhi; se sme: Northern Sami; sg sag: Sango; si sin: Sinhala, Sinhalese; sk slk slo: Slovak; sl slv:
Slovenian; sm smo: Samoan; sn sna: Shona; so som: Somali; sq sqi alb: Albanian; sr srp: Serbian; ss ssw: Swati; st sot:
Southern Sotho; su sun: Sundanese; sv swe: Swedish; sw swa: Swahili; ta tam: Tamil; te tel: Telugu; tg tgk: Tajik; th
tha: Thai; ti tir: Tigrinya; tk tuk: Turkmen; tl tgl: Tagalog; tn tsn: Tswana; to ton: Tonga; tr tur: Turkish; ts tso:
Tsonga; tt tat: Tatar; tw twi: Twi; ty tah: Tahitian; ug uig: Uighur, Uyghur; uk ukr: Ukrainian; ur urd: Urdu; uz uzb:
Uzbek; ve ven: Venda; vi vie: Vietnamese; vo vol: Volapük; wa wln: Walloon; wo wol: Wolof; xh xho: Xhosa; yi yid:
Yiddish; yo yor: Yoruba; za zha: Zhuang, Chuang; zh zho chi: Chinese; zu zul: Zulu
"""
# Codes of ISO 639-3 that stand for a language above them in what corpora and models say, and common names beside ISO's.
_ALSO: Final = (
    "zh: cmn, Mandarin, Mandarin Chinese, Putonghua; ar: arb, Standard Arabic; fa: pes, Farsi; ms: zsm; sw: swh; et: ekk; "
    "lv: lvs; ne: npi; or: ory; uz: uzn; az: azj; mn: khk; sq: als; yi: ydd, ji; he: iw; ro: mo"
)
# Common names of languages without two letters.
_NAMED: Final = (
    "yue: Cantonese, Yue, Yue Chinese; nan: Hokkien, Min Nan, Min Nan Chinese, Taiwanese; wuu: Wu, Wu Chinese, "
    "Shanghainese; hak: Hakka, Hakka Chinese; gan: Gan, Gan Chinese; hsn: Xiang, Xiang Chinese; cdo: Min Dong; "
    "haw: Hawaiian; ceb: Cebuano; fil: Filipino; ast: Asturian; ckb: Central Kurdish, Sorani; kmr: Northern "
    "Kurdish, Kurmanji; gsw: Swiss German; nds: Low German; hsb: Upper Sorbian; dsb: Lower Sorbian; scn: "
    "Sicilian; sco: Scots; szl: Silesian; sah: Yakut, Sakha; mhr: Meadow Mari; kab: Kabyle; arz: Egyptian Arabic;"
    " ary: Moroccan Arabic; bho: Bhojpuri; mai: Maithili; kok: Konkani; sat: Santali; mni: Manipuri; pcm: "
    "Nigerian Pidgin; luo: Luo; kea: Kabuverdianu; umb: Umbundu; tok: Toki Pona"
)
# What people call their language; only for hints, for some of these are words of other languages, too.
_OWN_NAMES: Final = (
    "de: Deutsch; fr: Français, Francais; es: Español, Espanol, Castellano; it: Italiano; pt: Português, "
    "Portugues; nl: Nederlands; sv: Svenska; da: Dansk; nb: Bokmål; no: Norsk; fi: Suomi; is: Íslenska; pl: "
    "Polski; cs: Čeština, Cestina; sk: Slovenčina; sl: Slovenščina; hr: Hrvatski; sr: Srpski, Српски; bg: "
    "Български; ru: Русский; uk: Українська; el: Ελληνικά; hu: Magyar; ro: Română, Romana; tr: Türkçe, Turkce; "
    "ca: Català; eu: Euskara; gl: Galego; cy: Cymraeg; ga: Gaeilge; et: Eesti; lv: Latviešu; lt: Lietuvių; ar: "
    "العربية; he: עברית; fa: فارسی; hi: हिन्दी; bn: বাংলা; ta: தமிழ்; th: ไทย; vi: Tiếng Việt; id: Bahasa "
    "Indonesia; ms: Bahasa Melayu; sw: Kiswahili; ja: 日本語, Nihongo; ko: 한국어, Hangugeo; zh: 中文, 汉语, 漢語, "
    "普通话, 普通話, Zhongwen; yue: 粵語, 粤语, 廣東話, 广东话"
)
# Countries that are written in place of their language; those whose letters are another language's (se, kr) cannot be told.
_COUNTRIES: Final = "uk: ua; el: gr; ja: jp; zh: cn, tw; cs: cz; da: dk; vi: vn; hi: in; en: us, gb"

# ISO 3166-1 alpha-2, and what BCP 47 allows beside it.
_REGION_CODES: Final = """
ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz ca cc cd cf
cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd ge gf gg gh
gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw
ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng
ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn
so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug um us uy uz va vc ve vg vi vn vu wf ws ye yt
za zm zw ac cp dg ea eu ez ic ta uk un xk
"""
_REGIONS: Final = frozenset(_REGION_CODES.split())
# Languages whose dialects BCP 47 writes behind them (extended language subtags), and tags of before there were such.
_EXTENDED: Final = frozenset({"zh", "ar", "ms", "sw", "uz", "lv", "kok"})
_GRANDFATHERED: Final = {
    "zh-min-nan": "nan",
    "zh-min": None,
    "zh-guoyu": "zh",
    "zh-hakka": "hak",
    "zh-xiang": "hsn",
    "no-bok": "nb",
    "no-nyn": "nn",
}
_TAG: Final = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<extended>[a-z]{3}))?(?:-[a-z]{4})?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
)


def _entries(table: str) -> Iterator[tuple[str, str]]:
    for entry in table.replace("\n", " ").split(";"):
        codes, _, names = entry.partition(":")
        first, *others = codes.split()
        for name in (first, *others, *names.split(",")):
            if name.strip():
                yield name.strip().lower(), first


_LANGUAGES: Final = {**dict(_entries(_ISO_639)), **dict(_entries(_ALSO)), **dict(_entries(_NAMED)), MIXED: MIXED}
_HINTS: Final = {**_LANGUAGES, **dict(_entries(_OWN_NAMES)), **dict(_entries(_COUNTRIES))}


@functools.cache
def _three_letters() -> frozenset[str]:
    """Return the codes of ISO 639-3 of all languages without two letters (from Debian's iso-codes)."""
    return frozenset(Path(__file__).with_name("iso_639_3.txt").read_text(encoding="ascii").split())


def language_of(tag: str) -> str | None:
    """Return the code of a language for a tag (BCP 47, any case), a code of two or three letters or an English name.

    ``mixed`` is itself. Regions and scripts are left out: ``en-US`` is en, ``zh-Hans`` is zh. A language that is written behind
    another is itself: ``zh-yue`` is yue, as yue is; ``zh-en`` is nothing. None = no such language is known.
    """
    plain = " ".join(tag.lower().split())
    if (known := _known_code(plain)) is not None:
        return known
    plain = plain.replace("_", "-")
    if plain in _GRANDFATHERED:
        return _GRANDFATHERED[plain]
    parts = _TAG.fullmatch(plain)
    if parts is None or not ((region := parts["region"] or "001").isdecimal() or region in _REGIONS):
        return None
    language, extended = _known_code(parts["language"]), parts["extended"]
    if any(variant in _LANGUAGES for variant in parts["variants"].split("-")):
        return None
    if extended is None or language is None:
        return language
    return _known_code(extended) if language in _EXTENDED and _is_own(extended, language) else None


@functools.lru_cache(maxsize=1024)
def base_language(tag: str) -> str:
    """Return the code of the language that a tag names, whatever its script or region: zh for ``zh-Hant``, ``zh-TW``, ``cmn``.

    Of a tag that names no language, its first part in lower case. Whoever compares languages compares these.
    """
    return language_of(tag) or re.split(r"[-_]", tag.strip())[0].lower()


def _known_code(plain: str) -> str | None:
    return _LANGUAGES.get(plain) or (plain if plain in _three_letters() else None)


def _is_own(code: str, language: str) -> bool:
    """Whether a code of three letters stands for itself or for the language above it, and not for one of two letters."""
    return _known_code(code) in {code, language}


def language_hint(tag: str) -> str:
    """Return what to write in place of a tag that ``language_of`` does not know."""
    plain = " ".join(tag.lower().replace("_", "-").split())
    codes = {language_of(part) for part in re.split(r"[-+/,; ]", plain)}
    if codes == {"zh", "en"}:
        return f"did you mean {MIXED!r} (texts that switch between Chinese and English)?"
    names = [name for name in _HINTS if len(name) > 3]
    close = [plain] if plain in _HINTS else get_close_matches(plain, names, n=1, cutoff=0.8) if len(plain) > 3 else []
    if close:
        return f"did you mean {_HINTS[close[0]]!r}" + (f" ({close[0]})?" if len(close[0]) > 3 else "?")
    return f"write its letters of ISO 639-1, such as en or zh, or of ISO 639-3 if there are no two, such as yue, or {MIXED}"
