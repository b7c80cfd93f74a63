#!/usr/bin/env python3
"""Makes the example rate decks of this folder from numbering.csv.

    python3 rates/generate_decks.py           writes rates/decks/*.csv
    python3 rates/generate_decks.py --check   writes nothing; fails if a deck on disk differs from what
                                              would be written, or if a check below fails

What is true here is the structure: which prefixes are which country's fixed, mobile, premium, shared-cost, toll-free,
personal, pager and satellite numbers, which services are charged per call and which per minute, which destinations are
stepped otherwise than the rest. THE PRICES ARE INVENTED: round figures of a plausible size, nobody's price list. Put
your own in the tables below, or write decks of your own by any other means; the daemon does not care where they
come from.

Prices are set per destination, and a destination is a country and a kind of number ("Germany Mobile"). The prefixes
that spell a destination come from numbering.csv. Of all decks that give every number of numbering.csv its price by
longest prefix the one written has the fewest rows (optimal aggregation, "ORTC": Draves, King, Venkatachary, Zill,
"Constructing Optimal IP Routing Tables", 1999; ten children to a node instead of two, unassigned ranges are don't-cares).

A deck knows prefixes only, while 473 prefixes of numbering.csv are told apart by the number's total length. There
the ordinary kind decides (mobile before fixed before special services), see PREFERENCE; --check counts these.

Python 3.8 or newer, standard library only, no clock and no randomness: the same input gives the same bytes.
"""

import csv
import io
import sys
from collections import defaultdict
from decimal import ROUND_UP, Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
DECKS = HERE / "decks"

# ---------------------------------------------------------------------------------------------------------------------
# Prices per minute in US dollars (invented). Every other currency is derived by a fixed factor, rounded up to 0.001.
# ---------------------------------------------------------------------------------------------------------------------

# Fixed factors, not exchange rates of any day.
CURRENCIES = {"usd": Decimal("1"), "eur": Decimal("0.9"), "gbp": Decimal("0.8"), "brl": Decimal("5.5")}

# Tier: price to fixed numbers, price to mobile numbers, countries. One price for both means that the two are one
# destination under the country's name, as is usual where nothing tells a mobile number from a fixed one.
TIERS = [
    ("0.012", "0.012", "US CA"),
    ("0.03", "0.03", "PR VI GU MP AS"),
    ("0.014", "0.045", "DE FR GB IT ES PT NL AT SE NO FI IE BE LU GR CY CZ PL SK HU"),
    ("0.016", "0.07", "DK CH MT SI HR RO BG EE LV LT IS AX SJ VA"),
    ("0.03", "0.18", "GG JE IM LI MC AD SM GI FO GL"),
    ("0.09", "0.28", "AL BA ME MK RS XK MD UA BY TR"),
    ("0.06", "0.11", "RU KZ GE AM AZ UZ KG TJ TM MN"),
    ("0.015", "0.015", "CN HK SG"),
    ("0.02", "0.02", "IN"),
    ("0.018", "0.05", "AU NZ JP KR TW MO IL TH MY"),
    ("0.05", "0.09", "ID PH VN KH LA MM BD LK NP BT BN TL"),
    ("0.025", "0.025", "MX"),
    ("0.03", "0.12", "BR"),
    ("0.025", "0.09", "AR CL CO PE VE PA CR UY PY BO EC"),
    ("0.14", "0.2", "GT HN NI SV BZ GY SR GF FK"),
    ("0.12", "0.24", "AG AI BB BM BS DM DO GD JM KN KY LC MS SX TC TT VC VG AW BQ CW GP MQ BL MF PM"),
    ("0.35", "0.4", "HT CU"),
    ("0.06", "0.14", "SA AE BH KW QA OM JO LB IQ PS"),
    ("0.12", "0.16", "IR SY YE AF PK"),
    ("0.05", "0.16", "ZA EG MA NG KE GH TZ UG"),
    ("0.28", "0.42", "DZ LY TN AO BJ BF BI BW CD CF CG CI CM CV DJ ER ET GA GM GN GQ GW KM LR LS"),
    ("0.28", "0.42", "MG ML MR MU MW MZ NA NE RE RW SC SD SL SN SO SS ST SZ TD TG YT ZM ZW"),
    ("0.55", "0.7", "MV KP CC CX NF NC PF WF FJ PG MH FM PW"),
    ("0.95", "1.2", "CK KI NR NU SB TK TO TV VU WS IO SH TA AC"),
]


# What kinds beyond fixed and mobile cost, given the country's fixed and mobile price. What the wholesale trade cannot
# reach or only at the called party's price is dear, so that nobody's fraud is sold below cost.
def special_price(kind, fixed, mobile):
    return {
        "voip": fixed,
        "uan": fixed,
        "toll_free": fixed + Decimal("0.02"),
        "voicemail": mobile,
        "pager": mobile + Decimal("0.2"),
        "personal": mobile + Decimal("0.25"),
        "shared_cost": mobile + Decimal("0.15"),
        "premium": Decimal("2.5"),
    }[kind]


# Special kinds that cost what a fixed number costs: China's hotlines 96xxx of every area, which share their prefixes with
# the area's fixed numbers and are told apart by length only.
AS_FIXED = {("CN", "shared_cost")}

# Numbers of no country: prefix, name, price (invented). The longest prefix names the network.
# The networks behind +881, +882 and +883 are those of ITU-T E.164's list of assigned country codes.
NETWORKS = [
    ("800", "Universal Freephone (UIFN)", "0.12"),
    ("808", "Universal Shared Cost", "0.6"),
    ("870", "Satellite Inmarsat", "6.5"),
    ("878", "Universal Personal Telecommunications", "1.2"),
    ("881", "Satellite GMSS", "7.5"),
    ("8816", "Satellite Iridium", "6.9"),
    ("8817", "Satellite Iridium", "6.9"),
    ("8818", "Satellite Globalstar", "3.9"),
    ("8819", "Satellite Globalstar", "3.9"),
    ("882", "International Networks 882", "3.5"),
    ("88216", "Satellite Thuraya", "3.2"),
    ("883", "International Networks 883", "1.5"),
    ("888", "Telecommunications for Disaster Relief", "2"),
    ("979", "International Premium Rate", "3.5"),
]

# Destinations whose steps differ from the rest, as published lists commonly have them: country → initial, increment.
# All others have none, so that the plan's or the country's rule decides (R14); Brazil's mobiles must have none.
STEPS = {
    "MX": (60, 60), "PG": (60, 60), "TO": (60, 60), "VU": (60, 60), "WS": (60, 60), "NR": (60, 60),
    "GM": (60, 1),
    "001": (60, 60),
}  # fmt: skip
# American lists step domestic calls by six seconds.
STEPS_IN_DECK = {"usd": {"US": (6, 6), "CA": (6, 6)}}

# Where only the total length tells kinds apart, the first of these decides the price of the prefix.
PREFERENCE = [
    "mobile", "fixed_or_mobile", "fixed", "voip", "uan", "toll_free", "pager", "voicemail", "personal", "shared_cost",
    "premium",
]  # fmt: skip

KIND_NAMES = {
    "fixed": "", "mobile": " Mobile", "fixed_or_mobile": " Mobile", "voip": " VoIP", "uan": " UAN",
    "toll_free": " Toll-Free", "voicemail": " Mobile", "pager": " Pager", "personal": " Personal",
    "shared_cost": " Shared Cost", "premium": " Premium",
}  # fmt: skip

COUNTRY_NAMES = dict(
    line.split(" ", 1)
    for line in """\
AC Ascension Island
AD Andorra
AE United Arab Emirates
AF Afghanistan
AG Antigua & Barbuda
AI Anguilla
AL Albania
AM Armenia
AO Angola
AR Argentina
AS American Samoa
AT Austria
AU Australia
AW Aruba
AX Åland Islands
AZ Azerbaijan
BA Bosnia & Herzegovina
BB Barbados
BD Bangladesh
BE Belgium
BF Burkina Faso
BG Bulgaria
BH Bahrain
BI Burundi
BJ Benin
BL St. Barthélemy
BM Bermuda
BN Brunei
BO Bolivia
BQ Caribbean Netherlands
BR Brazil
BS Bahamas
BT Bhutan
BW Botswana
BY Belarus
BZ Belize
CA Canada
CC Cocos Islands
CD Congo (Kinshasa)
CF Central African Republic
CG Congo (Brazzaville)
CH Switzerland
CI Côte d'Ivoire
CK Cook Islands
CL Chile
CM Cameroon
CN China
CO Colombia
CR Costa Rica
CU Cuba
CV Cape Verde
CW Curaçao
CX Christmas Island
CY Cyprus
CZ Czechia
DE Germany
DJ Djibouti
DK Denmark
DM Dominica
DO Dominican Republic
DZ Algeria
EC Ecuador
EE Estonia
EG Egypt
ER Eritrea
ES Spain
ET Ethiopia
FI Finland
FJ Fiji
FK Falkland Islands
FM Micronesia
FO Faroe Islands
FR France
GA Gabon
GB United Kingdom
GD Grenada
GE Georgia
GF French Guiana
GG Guernsey
GH Ghana
GI Gibraltar
GL Greenland
GM Gambia
GN Guinea
GP Guadeloupe
GQ Equatorial Guinea
GR Greece
GT Guatemala
GU Guam
GW Guinea-Bissau
GY Guyana
HK Hong Kong
HN Honduras
HR Croatia
HT Haiti
HU Hungary
ID Indonesia
IE Ireland
IL Israel
IM Isle of Man
IN India
IO British Indian Ocean Territory
IQ Iraq
IR Iran
IS Iceland
IT Italy
JE Jersey
JM Jamaica
JO Jordan
JP Japan
KE Kenya
KG Kyrgyzstan
KH Cambodia
KI Kiribati
KM Comoros
KN St. Kitts & Nevis
KP North Korea
KR South Korea
KW Kuwait
KY Cayman Islands
KZ Kazakhstan
LA Laos
LB Lebanon
LC St. Lucia
LI Liechtenstein
LK Sri Lanka
LR Liberia
LS Lesotho
LT Lithuania
LU Luxembourg
LV Latvia
LY Libya
MA Morocco
MC Monaco
MD Moldova
ME Montenegro
MF St. Martin
MG Madagascar
MH Marshall Islands
MK North Macedonia
ML Mali
MM Myanmar
MN Mongolia
MO Macao
MP Northern Mariana Islands
MQ Martinique
MR Mauritania
MS Montserrat
MT Malta
MU Mauritius
MV Maldives
MW Malawi
MX Mexico
MY Malaysia
MZ Mozambique
NA Namibia
NC New Caledonia
NE Niger
NF Norfolk Island
NG Nigeria
NI Nicaragua
NL Netherlands
NO Norway
NP Nepal
NR Nauru
NU Niue
NZ New Zealand
OM Oman
PA Panama
PE Peru
PF French Polynesia
PG Papua New Guinea
PH Philippines
PK Pakistan
PL Poland
PM St. Pierre & Miquelon
PR Puerto Rico
PS Palestine
PT Portugal
PW Palau
PY Paraguay
QA Qatar
RE Réunion
RO Romania
RS Serbia
RU Russia
RW Rwanda
SA Saudi Arabia
SB Solomon Islands
SC Seychelles
SD Sudan
SE Sweden
SG Singapore
SH St. Helena
SI Slovenia
SJ Svalbard & Jan Mayen
SK Slovakia
SL Sierra Leone
SM San Marino
SN Senegal
SO Somalia
SR Suriname
SS South Sudan
ST São Tomé & Príncipe
SV El Salvador
SX Sint Maarten
SY Syria
SZ Eswatini
TA Tristan da Cunha
TC Turks & Caicos Islands
TD Chad
TG Togo
TH Thailand
TJ Tajikistan
TK Tokelau
TL Timor-Leste
TM Turkmenistan
TN Tunisia
TO Tonga
TR Türkiye
TT Trinidad & Tobago
TV Tuvalu
TW Taiwan
TZ Tanzania
UA Ukraine
UG Uganda
US United States
UY Uruguay
UZ Uzbekistan
VA Vatican City
VC St. Vincent & Grenadines
VE Venezuela
VG British Virgin Islands
VI U.S. Virgin Islands
VN Vietnam
VU Vanuatu
WF Wallis & Futuna
WS Samoa
XK Kosovo
YE Yemen
YT Mayotte
ZA South Africa
ZM Zambia
ZW Zimbabwe
""".splitlines()
)

# ---------------------------------------------------------------------------------------------------------------------
# Services of the home countries: rows that name a call type (R8), written by hand. Invented prices, true structure:
# where a service is charged by the call, the price stands in connect_fee and the rate is 0.
# ---------------------------------------------------------------------------------------------------------------------

PREMIUM, FREE, IN_PLAN, ABROAD = "domestic_premium", "toll_free_outbound", "included", "international"

# prefix, destination, call type, rate, connect fee
SERVICES = {
    "premium-de": [
        # 0900: the digit after it says what for: 1 information, 3 entertainment, 5 other, 9 dialler programs.
        ("49900", "0900 premium service", PREMIUM, "1.99", "0"),
        ("499001", "0900-1 information", PREMIUM, "1.49", "0"),
        ("499003", "0900-3 entertainment", PREMIUM, "1.99", "0"),
        ("499005", "0900-5 other services", PREMIUM, "0.79", "0"),
        ("499009", "0900-9 dialler", PREMIUM, "1.99", "0"),
        # 0137, mass calls: the regulator sets per call or per minute by the digit after it.
        ("491371", "0137-1 mass calls", PREMIUM, "0", "0.15"),
        ("491372", "0137-2 mass calls", PREMIUM, "0.15", "0"),
        ("491373", "0137-3 mass calls", PREMIUM, "0.15", "0"),
        ("491374", "0137-4 mass calls", PREMIUM, "0.15", "0"),
        ("491375", "0137-5 mass calls", PREMIUM, "0", "0.15"),
        ("491376", "0137-6 mass calls", PREMIUM, "0", "0.25"),
        ("491377", "0137-7 mass calls", PREMIUM, "0", "1"),
        ("491378", "0137-8 mass calls", PREMIUM, "0", "0.5"),
        ("491379", "0137-9 mass calls", PREMIUM, "0", "0.5"),
        ("49138", "0138 mass calls", PREMIUM, "0", "0.15"),
        # 0180, service numbers: 2, 4 and 6 per call, the others per minute. (0180-7's free first half minute cannot
        # be said by a deck row; it is charged from the start.)
        ("49180", "0180 service number", PREMIUM, "0.15", "0"),
        ("491802", "0180-2 service number", PREMIUM, "0", "0.06"),
        ("491803", "0180-3 service number", PREMIUM, "0.09", "0"),
        ("491804", "0180-4 service number", PREMIUM, "0", "0.2"),
        ("491806", "0180-6 service number", PREMIUM, "0", "0.2"),
        ("49700", "0700 personal number", PREMIUM, "0.12", "0"),
        ("49164", "0164 pager", PREMIUM, "0.5", "0"),
        ("49168", "0168 pager", PREMIUM, "0.5", "0"),
        ("49169", "0169 pager", PREMIUM, "0.5", "0"),
        # A mobile number by the numbering plan, sold as a premium service: only a row that names its type tells.
        ("4915555", "01555-5 premium service", PREMIUM, "0.99", "0"),
        ("DE:115", "115 public authorities", IN_PLAN, "0", "0"),
        ("DE:116", "116 helplines", FREE, "0", "0"),
        ("DE:118", "118 directory enquiries", PREMIUM, "1.99", "0"),
    ],
    "premium-us": [
        ("1900", "900 information services", PREMIUM, "3.99", "0"),
        # Puerto Rico by the numbering plan, sold as a premium service.
        ("1787555", "787-555 premium service", PREMIUM, "0.99", "0"),
        ("US:411", "411 directory assistance", PREMIUM, "0", "1.99"),
        ("US:211", "211 community services", FREE, "0", "0"),
        ("US:311", "311 municipal services", FREE, "0", "0"),
        ("US:511", "511 traffic information", FREE, "0", "0"),
        ("US:611", "611 carrier's customer service", FREE, "0", "0"),
        ("US:711", "711 relay service", FREE, "0", "0"),
        ("US:811", "811 call before you dig", FREE, "0", "0"),
        # 976 exchanges and 555-1212 directory assistance of every area code are added below.
    ],
    "premium-it": [
        # Italian services often have a fee per answered call ("scatto alla risposta") and a price per minute.
        ("3914", "144 premium service", PREMIUM, "1.5", "0.3"),
        ("3916", "16x premium service", PREMIUM, "1.2", "0.3"),
        ("39166", "166 premium service", PREMIUM, "1.5", "0.3"),
        ("39178", "178 personal number", PREMIUM, "0.2", "0.12"),
        ("39199", "199 single-number service", PREMIUM, "0.14", "0.12"),
        ("39840", "840 shared cost, one unit", PREMIUM, "0", "0.1"),
        ("39841", "841 shared cost, one unit", PREMIUM, "0", "0.1"),
        ("39847", "847 shared cost", PREMIUM, "0.08", "0.1"),
        ("39848", "848 shared cost", PREMIUM, "0.08", "0.1"),
        ("3989", "89x premium service", PREMIUM, "2", "0.3"),
        ("39892", "892 premium information", PREMIUM, "1.8", "0.35"),
        ("39893", "893 premium service, by the call", PREMIUM, "0", "1"),
        ("39894", "894 premium mass calls, by the call", PREMIUM, "0", "1"),
        ("39895", "895 premium service", PREMIUM, "1.2", "0.15"),
        ("39899", "899 premium service", PREMIUM, "1.6", "0.15"),
        ("390878", "0878 premium service", PREMIUM, "1.5", "0.3"),
        ("IT:12", "12xx directory enquiries", PREMIUM, "1.5", "0.35"),
        ("IT:4", "4x premium short codes", PREMIUM, "0", "2"),
        ("IT:114", "114 child emergency", FREE, "0", "0"),
        ("IT:116", "116 helplines", FREE, "0", "0"),
        ("IT:117", "117 financial police", FREE, "0", "0"),
        ("IT:15", "15xx public services", FREE, "0", "0"),
        ("IT:119", "119 operator's customer service", FREE, "0", "0"),
        ("IT:187", "187 operator's customer service", FREE, "0", "0"),
        ("IT:19", "19x operators' customer services", FREE, "0", "0"),
    ],
    "premium-br": [
        ("5530", "0300 and 3003 shared cost", PREMIUM, "0.45", "0"),
        ("5540", "4000 to 4009 shared cost", PREMIUM, "0.25", "0"),
        ("5550", "0500 donation, by the call", PREMIUM, "0", "5"),
        ("5590", "0900 premium service", PREMIUM, "6", "0"),
        ("BR:100", "100 human rights", FREE, "0", "0"),
        ("BR:102", "102 directory enquiries", PREMIUM, "0", "2.5"),
        ("BR:103", "103xx operators' customer services", FREE, "0", "0"),
        ("BR:105", "105xx operators' customer services", FREE, "0", "0"),
        ("BR:106", "106xx pay-television customer services", FREE, "0", "0"),
        ("BR:11", "11x public utility services", FREE, "0", "0"),
        ("BR:12", "12x public utility services", FREE, "0", "0"),
        ("BR:13", "13x public utility services", IN_PLAN, "0", "0"),
        ("BR:14", "14x public utility services", IN_PLAN, "0", "0"),
        ("BR:15", "15x public utility services", IN_PLAN, "0", "0"),
        ("BR:16", "16x public utility services", IN_PLAN, "0", "0"),
        ("BR:18", "18x public utility services", FREE, "0", "0"),
        ("BR:19", "19x public utility services", FREE, "0", "0"),
        # Dialled with 90 in front a call is collect: whoever answers pays.
        ("BR:90", "Collect call", FREE, "0", "0"),
    ],
    "premium-gb": [
        # 070 looks like a mobile number and is none; the pagers of 076 are added below, for 07624 is a mobile.
        ("4470", "070 personal number", PREMIUM, "0.65", "0"),
        # 084, 087, 09, 118: what the called service charges, with what the phone company adds.
        ("4484", "084 service number", PREMIUM, "0.12", "0"),
        ("44844", "0844 service number", PREMIUM, "0.1", "0"),
        ("44845", "0845 service number", PREMIUM, "0.08", "0"),
        ("4487", "087 service number", PREMIUM, "0.18", "0"),
        ("44870", "0870 service number", PREMIUM, "0.15", "0"),
        ("4490", "090 premium service", PREMIUM, "1.6", "0"),
        ("44909", "0909 premium service", PREMIUM, "1.2", "0.6"),
        ("4491", "091 premium service", PREMIUM, "1.6", "0"),
        ("4498", "098 premium service", PREMIUM, "2.2", "0"),
        ("GB:100", "100 operator", PREMIUM, "0", "1"),
        ("GB:101", "101 police", FREE, "0", "0"),
        ("GB:105", "105 power cuts", FREE, "0", "0"),
        ("GB:111", "111 health service", FREE, "0", "0"),
        ("GB:116", "116 helplines", FREE, "0", "0"),
        ("GB:118", "118 directory enquiries", PREMIUM, "2.5", "2.5"),
        ("GB:119", "119 health service", FREE, "0", "0"),
        ("GB:123", "123 speaking clock", PREMIUM, "0", "0.5"),
        ("GB:155", "155 international operator", PREMIUM, "0", "3"),
        ("GB:159", "159 bank fraud line", IN_PLAN, "0", "0"),
        ("GB:195", "195 directory for the disabled", FREE, "0", "0"),
    ],
}

# Inbound: what the owner of a toll-free number pays per minute, by the called number (R11).
TOLL_FREE = {
    "tollfree-us": [("1800", "800", "0.02"), ("1833", "833", "0.02"), ("1844", "844", "0.02"),
                    ("1855", "855", "0.02"), ("1866", "866", "0.02"), ("1877", "877", "0.02"),
                    ("1888", "888", "0.02"), ("800", "UIFN +800", "0.09")],
    "tollfree-de": [("49800", "0800", "0.025"), ("800", "UIFN +800", "0.08")],
    "tollfree-it": [("39800", "800", "0.03"), ("39803", "803", "0.03"), ("800", "UIFN +800", "0.08")],
    "tollfree-br": [("55800", "0800", "0.15"), ("800", "UIFN +800", "0.5")],
    "tollfree-gb": [("44800", "0800", "0.02"), ("44808", "0808", "0.02"),
                    ("800", "UIFN +800", "0.07")],
}  # fmt: skip

# Domestic calls of the German pay-as-you-go plan (EUR), stepped by the second after the first minute.
DOMESTIC_DE = {"Germany": "0.012", "Germany Mobile": "0.049"}


# ---------------------------------------------------------------------------------------------------------------------
# From numbering.csv to destinations
# ---------------------------------------------------------------------------------------------------------------------


def read_numbering():
    """numbering.csv as prefix → [(country, kind)], unfolded: no prefix lies below another, and prefixes without valid
    numbers are left out. More than one pair stands only where the total length tells them apart."""
    # prefix → total length → (country, kind); the children of a prefix are those of its extensions that have rows.
    said, extended = defaultdict(dict), set()
    with open(HERE / "numbering.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            prefix = row["prefix"]
            for lengths in row["total_lengths"].split() or ["1-20"]:
                low, _, high = lengths.partition("-")
                for length in range(int(low), int(high or low) + 1):
                    said[prefix][length] = (row["country"], row["type"])
            extended.update(prefix[:n] for n in range(len(prefix)))
    unfolded = {}

    def unfold(prefix, inherited):
        by_length = {**inherited, **said.get(prefix, {})}
        if prefix in extended:
            for digit in "0123456789":
                unfold(prefix + digit, by_length)
            return
        kinds = {pair for length, pair in by_length.items() if length >= len(prefix) and pair[1] != "unknown"}
        if kinds:
            unfolded[prefix] = sorted(kinds)

    unfold("", {})
    return unfolded


def country_prices():
    """country → (price to fixed, price to mobile), US dollars."""
    prices = {}
    for fixed, mobile, countries in TIERS:
        for country in countries.split():
            assert country not in prices, f"{country} stands in two tiers"
            prices[country] = (Decimal(fixed), Decimal(mobile))
    return prices


def network(prefix):
    """Name and price of the network of a number of no country."""
    best = max((n for n in NETWORKS if prefix.startswith(n[0])), key=lambda n: len(n[0]))
    return best[1], Decimal(best[2])


def destination(prices, country, kind, prefix):
    """Name and price (US dollars) of a prefix that is of this country and kind."""
    if country == "001":
        return network(prefix)
    fixed, mobile = prices[country]
    price = {"fixed": fixed, "mobile": mobile, "fixed_or_mobile": mobile}.get(kind)
    if (country, kind) in AS_FIXED:
        price = fixed
    if price is None:
        price = special_price(kind, fixed, mobile)
    # Kinds at the price of the fixed network go by the country's name alone.
    suffix = KIND_NAMES[kind] if price != fixed else ""
    return COUNTRY_NAMES[country] + suffix, price


def preferred(kinds):
    """Of kinds that share a prefix, the one that sets its price."""
    return min(kinds, key=lambda pair: (PREFERENCE.index(pair[1]), pair[0]))


# ---------------------------------------------------------------------------------------------------------------------
# The fewest rows: optimal aggregation by longest prefix
# ---------------------------------------------------------------------------------------------------------------------


class Node:
    """A digit string; `wanted` holds the destinations any of which costs least rows below, None for don't-care."""

    __slots__ = ("children", "label", "wanted")

    def __init__(self):
        self.children = {}
        self.label = None
        self.wanted = None


def aggregate(labels, main):
    """labels: disjoint prefix → destination. Returns the fewest rows (prefix, destination) under which the longest
    prefix gives each its own. `main` is taken for the calling code itself where it costs no further row."""
    root = Node()
    for prefix, label in labels.items():
        node = root
        for digit in prefix:
            assert node.label is None, f"{prefix} lies below another prefix"
            node = node.children.setdefault(digit, Node())
        assert not node.children, f"{prefix} lies above another prefix"
        node.label = label
    gather(root)
    rows = []
    # The calling code's own row: descend to where numbers begin to differ.
    spread(root, "", None, main, rows)
    return rows


def gather(node):
    if node.label is not None:
        node.wanted = frozenset([node.label])
        return
    votes = defaultdict(int)
    for child in node.children.values():
        gather(child)
        for label in child.wanted:
            votes[label] += 1
    most = max(votes.values())
    node.wanted = frozenset(label for label, n in votes.items() if n == most)


def spread(node, prefix, inherited, main, rows):
    if inherited not in node.wanted:
        # A row goes down to the last node above all that it is for: 49900, never 4990 with nine unassigned parts.
        if len(node.children) == 1:
            ((digit, child),) = node.children.items()
            spread(child, prefix + digit, inherited, main, rows)
            return
        inherited = main if main in node.wanted else min(node.wanted)
        rows.append((prefix, inherited))
    for digit in sorted(node.children):
        spread(node.children[digit], prefix + digit, inherited, main, rows)


# Main country of a calling code that several share; elsewhere the only one.
MAIN = {"1": "US", "7": "RU", "39": "IT", "44": "GB", "47": "NO", "61": "AU", "212": "MA", "262": "RE", "290": "SH",
        "358": "FI", "590": "GP", "599": "CW"}  # fmt: skip


def calling_code(prefix, codes):
    return next(prefix[:n] for n in (1, 2, 3) if prefix[:n] in codes)


def calling_codes(numbering):
    """Calling codes as ITU-T E.164 builds them: 1, 7, and by their first two digits two or three long."""
    two = set("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 "
              "82 84 86 90 91 92 93 94 95 98".split())  # fmt: skip
    return {p[0] if p[0] in "17" else p[:2] if p[:2] in two else p[:3] for p in numbering}


def world_rows(numbering, prices):
    """[(prefix, destination, price in US dollars, country)] of the world decks, in order of prefix."""
    codes = calling_codes(numbering)
    labels = defaultdict(dict)
    price_of, country_of = {}, {}
    for prefix, kinds in numbering.items():
        country, kind = preferred(kinds)
        if country == "001":
            continue
        name, price = destination(prices, country, kind, prefix)
        assert price_of.setdefault(name, price) == price, name
        country_of[name] = country
        labels[calling_code(prefix, codes)][prefix] = name
    rows = []
    for code, of_code in labels.items():
        countries = {country_of[name] for name in of_code.values()}
        main = MAIN[code] if len(countries) > 1 else next(iter(countries))
        rows += [(p, name, price_of[name], country_of[name]) for p, name in aggregate(of_code, COUNTRY_NAMES[main])]
    rows += [(prefix, name, Decimal(price), "001") for prefix, name, price in NETWORKS]
    return sorted(rows)


# ---------------------------------------------------------------------------------------------------------------------
# Decks as text
# ---------------------------------------------------------------------------------------------------------------------


def table(header, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def in_currency(price, currency):
    """The price in another currency, rounded up to 0.001, without trailing zeros."""
    price = (price * CURRENCIES[currency]).quantize(Decimal("0.001"), rounding=ROUND_UP)
    return f"{price.normalize():f}"


def world_deck(rows, currency):
    steps = {**STEPS, **STEPS_IN_DECK.get(currency, {})}
    out = []
    for prefix, name, price, country in rows:
        initial, increment = steps.get(country, ("", ""))
        out.append((prefix, name, in_currency(price, currency), initial, increment))
    return table(("prefix", "destination", "rate", "initial", "increment"), out)


def area_codes(numbering):
    """Area codes of the North American plan → country, of the United States and Canada. Where numbering.csv says one
    thing of ten area codes at once, all ten are taken: unassigned ones harm nobody."""
    codes = {}
    for prefix, kinds in numbering.items():
        country, kind = preferred(kinds)
        if prefix[0] == "1" and country in ("US", "CA") and kind == "fixed_or_mobile":
            for code in [prefix[:4]] if len(prefix) >= 4 else [prefix + d for d in "0123456789"]:
                codes[code] = country
    return codes


def service_deck(name, numbering):
    rows = list(SERVICES[name])
    if name == "premium-us":
        for code, country in area_codes(numbering).items():
            # The numbering plan calls all of these ordinary numbers of the area. Canada's are premium services
            # of another country.
            kind, where = (PREMIUM, code[1:]) if country == "US" else (ABROAD, f"{code[1:]} (Canada)")
            rows.append((code + "976", f"976 premium service {where}", kind, "1.99", "0"))
            rows.append((code + "5551212", f"555-1212 directory assistance {where}", kind, "0", "1.99"))
    if name == "premium-gb":
        # One by one, not 4476: among them is 07624, the Isle of Man's mobiles.
        pagers = [p for p, kinds in numbering.items() if preferred(kinds) == ("GB", "pager")]
        rows += [(prefix, "076 pager", PREMIUM, "0.6", "0") for prefix in pagers]
    rows.sort(key=lambda row: (":" in row[0], row[0]))
    return table(("prefix", "destination", "call_type", "rate", "connect_fee"), rows)


def toll_free_deck(name):
    return table(("prefix", "destination", "rate"), [(p, f"Toll-free {d}", rate) for p, d, rate in TOLL_FREE[name]])


def domestic_deck(world):
    """Every German row of the world deck again, at the pay-as-you-go plan's prices: rows of equal length, so that
    the deck listed first decides."""
    rows = [(p, name, DOMESTIC_DE[name], 60, 1) for p, name, _, _ in world if name in DOMESTIC_DE]
    return table(("prefix", "destination", "rate", "initial", "increment"), rows)


def all_decks(numbering, world):
    decks = {f"world-{currency}": world_deck(world, currency) for currency in CURRENCIES}
    decks.update((name, service_deck(name, numbering)) for name in SERVICES)
    decks.update((name, toll_free_deck(name)) for name in TOLL_FREE)
    decks["domestic-de"] = domestic_deck(world)
    return decks


# ---------------------------------------------------------------------------------------------------------------------
# Checks: by another way than the aggregation
# ---------------------------------------------------------------------------------------------------------------------


def longest(deck, number):
    return next((deck[number[:n]] for n in range(len(number), 0, -1) if number[:n] in deck), None)


def check(numbering, prices, decks):
    """Every row of numbering.csv gets the price of its country and kind from the deck text as written; where kinds
    share a prefix, the preferred one does. Returns what was counted."""
    counted = {}
    for currency in CURRENCIES:
        deck = {row["prefix"]: row for row in csv.DictReader(io.StringIO(decks[f"world-{currency}"]))}
        rows = shared = 0
        for prefix, kinds in numbering.items():
            # A row is decided by the deck's rows at and above it; one below it would split it.
            found = longest(deck, prefix)
            assert found is not None, f"{prefix} has no price"
            for country, kind in kinds:
                name, price = destination(prices, country, kind, prefix)
                if (country, kind) == preferred(kinds):
                    got = (found["destination"], found["rate"])
                    assert got == (name, in_currency(price, currency)), (prefix, country, kind, got)
                elif found["rate"] != in_currency(price, currency):
                    shared += 1
                rows += 1
        below = [p for p in deck if any(p[:n] in numbering for n in range(1, len(p)))]
        assert all(numbering[next(p[:n] for n in range(1, len(p)) if p[:n] in numbering)][0][0] == "001" for p in below)
        for prefix in deck:
            parent = longest(deck, prefix[:-1]) if len(prefix) > 1 else None
            same = parent is not None and parent["rate"] == deck[prefix]["rate"]
            assert not same or parent["destination"] != deck[prefix]["destination"], f"{prefix} repeats its parent"
        counted[currency] = (len(deck), rows, shared)
    countries = {country for kinds in numbering.values() for country, _ in kinds}
    assert countries == set(prices) | {"001"}, "tiers and numbering.csv differ"
    return counted


def main():
    numbering = read_numbering()
    prices = country_prices()
    world = world_rows(numbering, prices)
    decks = all_decks(numbering, world)
    counted = check(numbering, prices, decks)
    for currency, (rows, numbers, shared) in counted.items():
        print(f"world-{currency}: {rows} rows price {numbers} rows of numbering.csv; "
              f"{shared} differ only by total length and take another kind's price")  # fmt: skip
    stale = []
    for name, text in decks.items():
        path = DECKS / f"{name}.csv"
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_bytes() != text.encode():
                stale.append(path.name)
        else:
            DECKS.mkdir(exist_ok=True)
            path.write_bytes(text.encode())
    if stale:
        sys.exit("differ from what would be written: " + ", ".join(stale))


if __name__ == "__main__":
    main()
