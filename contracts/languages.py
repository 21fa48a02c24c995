"""Languages as all tables name them: the two letters of ISO 639-1, or ``mixed``.

Corpora write ``EN``, ``en-US``, ``eng``, ``English`` or ``cmn`` for what engines, recognisers, listeners and strata must know
under one name. Tags are brought to that name where they come in: in a recipe and in the rows of a corpus.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Final

from pydantic import AfterValidator

MIXED: Final = "mixed"
"""Language of a text that switches between languages, here Chinese and English; our own, no tag of any standard."""

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
    "lv: lvs; ne: npi; or: ory; uz: uzn; az: azj; mn: khk; sq: als; yi: ydd"
)
_TAG: Final = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{1,8})*")


def _entries(table: str) -> Iterator[tuple[str, str]]:
    for entry in table.replace("\n", " ").split(";"):
        codes, _, names = entry.partition(":")
        first, *others = codes.split()
        for name in (first, *others, *names.split(",")):
            if name.strip():
                yield name.strip().lower(), first


_LANGUAGES: Final = {**dict(_entries(_ISO_639)), **dict(_entries(_ALSO)), MIXED: MIXED}


def language_of(tag: str) -> str | None:
    """Return the two letters of ISO 639-1 for a tag (BCP 47, any case), a code of three letters or an English name.

    ``mixed`` is itself. Regions and scripts are left out: ``en-US`` is en, ``zh-Hans`` is zh. None = no such language is known.
    """
    plain = " ".join(tag.lower().split())
    if plain in _LANGUAGES:
        return _LANGUAGES[plain]
    parts = _TAG.fullmatch(plain)
    return _LANGUAGES.get(parts.group(1)) if parts else None


def language_hint(tag: str) -> str:
    """Return what to write in place of a tag that ``language_of`` does not know."""
    close = get_close_matches(tag.lower(), _LANGUAGES, n=1)
    known = f"did you mean {_LANGUAGES[close[0]]!r}" + (f" ({close[0]})?" if len(close[0]) > 3 else "?") if close else ""
    return known or f"write the two letters of ISO 639-1, such as en or zh, or {MIXED}"


def _known(tag: str) -> str:
    if (language := language_of(tag)) is None:
        raise ValueError(f"there is no language {tag!r}: {language_hint(tag)}")
    return language


Language = Annotated[str, AfterValidator(_known)]
"""A language in a recipe or an option: written in any way that ``language_of`` knows, read as its two letters."""
