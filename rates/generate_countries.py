#!/usr/bin/env python3
"""Makes countries.toml, and the example numbers for the tests, out of libphonenumber's metadata.

usage: generate_countries.py PhoneNumberMetadata.xml ShortNumberMetadata.xml countries.toml [example_numbers.csv]

Standard library only. The same input gives the same bytes: nothing here depends on hash order, time or place.

What comes from the metadata (Apache-2.0, github.com/google/libphonenumber, resources/):
  calling codes and their main territories, lengths by kind of number, international prefixes, trunk prefixes and
  carrier selection, emergency numbers, short codes, example numbers.
What the metadata does not say stands in the tables below under "By hand", each with its reason.

A metadata expression is turned into a minimal automaton (Brzozowski derivatives), and the automaton into a list of
patterns: digits, classes like [14-6], x for any digit. The daemon needs no regular expressions to read them.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

VERSION = "v9.0.35"

# ---------------------------------------------------------------------------------------------------- By hand

# Numbers of these territories are domestic calls for each other's accounts, as seen from the home country (rating
# rules R6 to R10). Territories not listed: only themselves.
DOMESTIC = {
    "US": ["US", "PR", "VI", "GU", "AS", "MP"],
    "GB": ["GB", "GG", "JE", "IM"],
    "IT": ["IT", "VA"],
}

# Total length of all numbers of a calling code where the metadata alone would not give one: Canada's seven-digit
# 310-XXXX numbers exist only as dialled, never behind +1.
TOTAL_LENGTH = {"1": 11}

# Lengths that a local number (without area code) may have, where the metadata lists only those that no full number
# has. In these countries area codes and subscriber numbers vary in length, so bare digits may always be a local number:
# DE, AT, FI, AX: any length. SE: PTS plan, 5 to 8. ID: 5 to 8. IE: 5 to 7.
LOCAL = {"DE": "2-15", "AT": "2-13", "FI": "3-12", "AX": "3-12", "SE": "5-8", "ID": "5-8", "IE": "5-7"}

# International prefixes beside those of the metadata.
# BR: 00 without a carrier code is what many a PBX and VoIP provider accepts; it is tried after 00 + carrier.
# MX: 00 is the prefix since 2015 (IFT); the metadata's 09 is the legacy operator-assisted one.
# RU, KZ, BY, TM, TJ: 8~10, the tilde (wait for the second tone) is a separator for us: 810.
INTERNATIONAL = {"BR": ["00"]}

# Trunk prefixes beside those of the metadata.
# MX: 01 long distance, 044 and 045 to mobiles, all gone since 2019-08-03 (IFT) but still dialled and still in old CDRs.
# TJ: 8 is the trunk prefix (ITU Operational Bulletin); the metadata leaves it out.
TRUNK = {"MX": ["01", "044", "045"], "TJ": ["8"]}

# What used to be dialled behind the calling code and is not part of the number any more.
# MX: +52 1 for mobiles, until 2019-08-03 (IFT).
AFTER_CODE = {"MX": ["1(x{10})"]}

# Emergency numbers beside those of the metadata: 988 (Suicide & Crisis Lifeline; free by FCC 22-27 in the United
# States, CRTC 2022-234 in Canada) and 933 (a test call to the emergency address service) cost nothing, like 911.
EMERGENCY = {territory: ["933", "988"] for territory in ("US", "CA", "PR", "VI", "GU", "AS", "MP")}

# Short codes beside those of the metadata.
# BR: 90 + carrier + area code + number, or 9090 + local number, is a collect call: the called party pays. It is no number
# of its own kind, so it is treated as a short code: a deck may price it by a row BR:90, and without one it waits.
SHORT = {"BR": ["90x{8,16}"]}

# Short codes taken over literally instead of the metadata's, which for the US and CA are SMS codes (any four to six digits)
# and for the US territories nothing: the N11 services of the North American plan (211 to 811; 911 is an emergency number).
SHORT_INSTEAD = {territory: ["[2-8]11"] for territory in ("US", "CA", "PR", "VI", "GU", "AS", "MP")}

# Argentine mobiles: dialled 0 + area + 15 + number (inside the area 15 + number, which lacks the area code), written
# +54 9 area number. The metadata's transform rule says so by a captured area code.
# JP: 0+ 00xx numbers and carrier selection 003768 stand in one expression there.
# BR: 0 + carrier + area code + number; the metadata allows the same behind 90, which is collect (see SHORT). The nationwide
# eight-digit numbers (4004 …, 3003 …) are dialled as they are, though a local number has eight digits too.
# GA: 0 is dropped only in front of the new eight-digit numbers.
# All four are written by hand from the expressions; {area} and {carrier} are cut out of the expression.
BY_HAND_RULES = {
    "AR": {
        "list": ("area", r"^0\?\(\?:\((.*)\)15\)\?$"),
        "rules": [("(<area>)15(*)", "9", 11), ("0(<area>)15(*)", "9", 11)],
        "after_code": [("(<area>)15(*)", "9", 11), ("9(<area>)15(*)", "9", 11)],
        "trunk": ["0"],
    },
    "BR": {
        "list": ("carrier", r"^\(\?:0\|90\)\(\?:\((.*)\)\(\\d\{10,11\}\)\)\?$"),
        "rules": [("0<carrier>(x{10,11})", ""), ("(<nationwide>)", "")],
        "nationwide": ("sharedCost", 8),
        "after_code": [],
        "trunk": ["0"],
    },
    "JP": {"rules": [("(000[2569]x{4,6})", "")], "after_code": [], "trunk": ["0037680", "003768", "0"]},
    "GA": {
        "rules": [("0(11x{6})", ""), ("0(6[01256]x{6})", ""), ("0(7[467]x{6})", "")],
        "after_code": [],
        "trunk": [],
    },
}

# How long a call is billed, by country (rating rule R14).
STEPS = [
    ({}, "up", 60, None, None, "default of the rating rules: whole minutes, rounded up"),
    ({"home": "DE"}, "up", 60, None, None, "billing guide DE: rounded up to the next minute"),
    ({"home": "US"}, "nearest", 60, None, None, "billing guide US: rounded to the nearest minute"),
    ({"home": "US", "destination": "BR", "type": "mobile"}, "up", 6, 30, 30,
     "billing guide US: calls to Brazilian mobiles, 30 seconds, then 6"),
    ({"home": "BR", "destination": "BR", "type": "mobile"}, "up", 6, 30, 30,
     "Anatel, unit of 6 seconds, minimum 30 seconds: Diário Oficial da União no. 165, 2024-08-27"),
]

HEAD = f"""\
# Dialling rules, emergency numbers, short codes and billing steps of every territory.
#
# Derived from libphonenumber {VERSION} (https://github.com/google/libphonenumber, resources/PhoneNumberMetadata.xml and
# ShortNumberMetadata.xml), Copyright (C) The Libphonenumber Authors, licensed under the Apache License, Version 2.0
# (https://www.apache.org/licenses/LICENSE-2.0); changed and added to by hand where the metadata is silent.
# Made by generate_countries.py, which holds the reasons. Edit there, or here if you must: this file is what is read.
#
# [[territory]]
#   country         ISO 3166 alpha-2; 001 for calling codes of no country
#   calling_code    1 to 3 digits
#   main            true for the main territory of a calling code that several share
#   total_length    digits of every number of the calling code, where there is but one length (on its main territory)
#   leading_zero    true where a number may begin with 0 behind the calling code (Italy)
#   trunk_required  true where full numbers are dialled only behind the trunk prefix
#   domestic        territories that count as home for an account of this country; only itself if not given
#   international   prefixes of an international call
#   trunk           prefixes that are dropped in front of a national number: trunk prefix, carrier selection
#   rules           dialled forms tried before `trunk`: what stands in ( ) is kept, the rest dropped, `put` put in front;
#                   `length` digits in all, if given
#   after_code      the same for what follows the calling code
#   lists           alternatives that a rule names as <name>
#   local           lengths of local numbers, which lack their area code
#   emergency       numbers that are always free, only when dialled exactly
#   short           short codes; a deck prices them by rows like DE:118
#   lengths         lengths of the national number by kind
# In patterns: a digit is itself, [14-6] one of a class, x any digit, x{{4}} or x{{4,6}} so many (at the end only),
# * any number of digits (at the end only). Patterns are whole, except in `international` and `trunk`: there, fronts.
# Lengths: "8-10", "6,8-10".
#
# [[steps]]
#   home, destination, type   whom the rule concerns; the most specific rule wins
#   mode, increment, initial, minimum, free_below   seconds; a rule is whole and inherits nothing
#   source          who says so
"""

# ------------------------------------------------------------------------------- Expressions over the ten digits

nodes, null, known = [], [], {}


def make(node, nullable):
    if node not in known:
        known[node] = len(nodes)
        nodes.append(node)
        null.append(nullable)
    return known[node]


NOTHING, EMPTY = make(("nothing",), False), make(("empty",), True)


def one_of(mask):
    return make(("class", mask), False) if mask else NOTHING


def then(a, b):
    if NOTHING in (a, b):
        return NOTHING
    if a == EMPTY or b == EMPTY:
        return b if a == EMPTY else a
    if nodes[a][0] == "then":
        return then(nodes[a][1], then(nodes[a][2], b))
    return make(("then", a, b), null[a] and null[b])


def either(alternatives):
    rest, mask = set(), 0
    for a in alternatives:
        for b in nodes[a][1] if nodes[a][0] == "either" else (a,):
            if nodes[b][0] == "class":
                mask |= nodes[b][1]
            elif b != NOTHING:
                rest.add(b)
    if mask:
        rest.add(one_of(mask))
    if len(rest) < 2:
        return rest.pop() if rest else NOTHING
    key = tuple(sorted(rest))
    return make(("either", key), any(null[a] for a in key))


def derive(a, digit, memo={}):
    """What may follow after `digit`."""
    if (a, digit) not in memo:
        node = nodes[a]
        if node[0] == "class":
            result = EMPTY if node[1] >> digit & 1 else NOTHING
        elif node[0] == "then":
            result = then(derive(node[1], digit), node[2])
            if null[node[1]]:
                result = either([result, derive(node[2], digit)])
        elif node[0] == "either":
            result = either([derive(b, digit) for b in node[1]])
        else:
            result = NOTHING
        memo[a, digit] = result
    return memo[a, digit]


def parse(text):
    """Reads the metadata's dialect: digits, \\d, classes, groups, |, ?, {n}, {n,m}."""
    text = "".join(text.split())
    at = 0

    def alternatives():
        nonlocal at
        found = [sequence()]
        while at < len(text) and text[at] == "|":
            at += 1
            found.append(sequence())
        return either(found)

    def sequence():
        nonlocal at
        items = []
        while at < len(text) and text[at] not in "|)":
            if text[at] == "(":
                at += 3 if text.startswith("(?:", at) else 1
                item = alternatives()
                at += 1
            elif text[at] == "[":
                end = text.index("]", at)
                item, at = one_of(class_mask(text[at + 1:end])), end + 1
            elif text.startswith("\\d", at):
                item, at = one_of(1023), at + 2
            elif text[at].isdigit():
                item, at = one_of(1 << int(text[at])), at + 1
            else:
                raise ValueError(f"unknown expression {text!r} at {at}")
            least = most = 1
            if at < len(text) and text[at] == "?":
                least, at = 0, at + 1
            elif at < len(text) and text[at] == "{":
                end = text.index("}", at)
                bounds = text[at + 1:end].split(",")
                least, most, at = int(bounds[0]), int(bounds[-1]), end + 1
            repeated = EMPTY
            for _ in range(most - least):
                repeated = either([EMPTY, then(item, repeated)])
            for _ in range(least):
                repeated = then(item, repeated)
            items.append(repeated)
        result = EMPTY
        for item in reversed(items):
            result = then(item, result)
        return result

    result = alternatives()
    if at != len(text):
        raise ValueError(f"unknown expression {text!r} at {at}")
    return result


def class_mask(body):
    mask = 0
    for low, high in re.findall(r"(\d)(?:-(\d))?", body.replace("\\d", "0-9")):
        for digit in range(int(low), int(high or low) + 1):
            mask |= 1 << digit
    return mask


def class_text(mask):
    digits = [d for d in range(10) if mask >> d & 1]
    if len(digits) == 10:
        return "x"
    if len(digits) == 1:
        return str(digits[0])
    runs, text = [], ""
    for d in digits:
        if runs and runs[-1][1] == d - 1:
            runs[-1][1] = d
        else:
            runs.append([d, d])
    for low, high in runs:
        text += str(low) if low == high else f"{low}{high}" if high == low + 1 else f"{low}-{high}"
    return f"[{text}]"


def patterns(expressions, accept=any):
    """Patterns of all texts for which `accept` says yes of (does expression i match?)."""
    minimal, memo = {}, {}

    def state(parts):
        # Bottom-up numbering: two states with the same ending and the same followers are one.
        if parts not in memo:
            if all(p == NOTHING for p in parts):
                memo[parts] = None
            else:
                following = tuple(state(tuple(derive(p, d) for p in parts)) for d in range(10))
                key = (accept([null[p] for p in parts]), following)
                if not key[0] and all(f is None for f in following):
                    memo[parts] = None
                else:
                    memo[parts] = minimal.setdefault(key, len(minimal))
                    keys.setdefault(memo[parts], key)
        return memo[parts]

    keys = {}

    def texts(s):
        ends, following = keys[s]
        found = [""] if ends else []
        masks = {}
        for d, f in enumerate(following):
            if f is not None:
                masks[f] = masks.get(f, 0) | 1 << d
        for f, mask in masks.items():
            found += [class_text(mask) + rest for rest in texts(f)]
        return found

    start = state(tuple(expressions))
    return [] if start is None else texts(start)


def width(pattern):
    """How many digits a pattern has."""
    return len(re.sub(r"\[.*?\]", "x", pattern))


def longest_first(found):
    return sorted(set(found), key=lambda p: (-width(p), p))


# ------------------------------------------------------------------------------------------------- The metadata

# Precedence as in libphonenumber's getNumberTypeHelper; the names are those of numbering.csv.
KINDS = [("fixedLine", "fixed"), ("mobile", "mobile"), ("premiumRate", "premium"), ("tollFree", "toll_free"),
         ("sharedCost", "shared_cost"), ("voip", "voip"), ("uan", "uan"), ("pager", "pager"),
         ("personalNumber", "personal"), ("voicemail", "voicemail")]


def lengths(text):
    found = set()
    for part in (text or "").replace("[", "").replace("]", "").split(","):
        low, _, high = part.strip().partition("-")
        if low:
            found |= set(range(int(low), int(high or low) + 1))
    return found


def lengths_text(found):
    runs = []
    for n in sorted(found):
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def children(territory, tag):
    """(expression text, national lengths, local lengths, example) of one kind; none if it does not exist."""
    element = territory.find(tag)
    text = element is not None and element.findtext("nationalNumberPattern")
    if not text:
        return None
    possible = element.find("possibleLengths")
    national = lengths(possible.get("national")) if possible is not None else set()
    local = lengths(possible.get("localOnly")) if possible is not None else set()
    return "".join(text.split()), national, local, (element.findtext("exampleNumber") or "").strip()


def attribute(territory, name):
    return "".join((territory.get(name) or "").split())


def dialling(identity, territory):
    """(rules, after_code, lists, trunk) of a territory."""
    expression = attribute(territory, "nationalPrefixForParsing")
    transform = attribute(territory, "nationalPrefixTransformRule")
    prefix = attribute(territory, "nationalPrefix")
    rules, lists = [], {}
    after = [(rule, "") for rule in AFTER_CODE.get(identity, [])]
    if identity in BY_HAND_RULES:
        by_hand = BY_HAND_RULES[identity]
        if "list" in by_hand:
            name, cut = by_hand["list"]
            lists[name] = longest_first(patterns([parse(re.match(cut, expression).group(1))]))
        if "nationwide" in by_hand:
            tag, digits = by_hand["nationwide"]
            found = patterns([parse(children(territory, tag)[0])])
            lists["nationwide"] = sorted(p for p in found if width(p) == digits)
        rules, after, trunk = by_hand["rules"], after + by_hand["after_code"], by_hand["trunk"]
    elif transform:
        # "([25-9]\d{5})$|0" with "1481$1": a local number gets its area code.
        local, _, rest = expression.partition("$")
        put, _, group = transform.partition("$")
        found = re.fullmatch(r"\(((?:\d|\[[^]]*\])+)\\d\{(\d+)\}\)", local)
        if group != "1" or not found or rest[:1] not in ("", "|"):
            raise ValueError(f"{identity}: write a rule by hand for {expression!r} -> {transform!r}")
        rules = [(f"({found.group(1)}x{{{found.group(2)}}})", put)]
        trunk = [t for t in patterns([parse(rest[1:])]) if t] if rest else []
    elif expression or prefix:
        trunk = [t for t in patterns([parse(expression or prefix)]) if t]
    else:
        trunk = []
    return rules, after, lists, longest_first(trunk + TRUNK.get(identity, []))


def short_numbers(identity, territory):
    """(emergency, short codes): what can be called, so not codes that only text messages use."""
    if territory is None:
        return [], []
    found = {tag: parse(part[0]) if (part := children(territory, tag)) else NOTHING for tag in
             ("emergency", "shortCode", "smsServices", "tollFree", "standardRate", "premiumRate", "expandedEmergency")}
    emergency = patterns([found["emergency"]]) + EMERGENCY.get(identity, [])
    by_hand = parse("|".join(EMERGENCY[identity])) if identity in EMERGENCY else NOTHING

    def callable_code(matches):
        is_emergency, code, text, by_hand, *priced = matches
        return code and not is_emergency and not by_hand and (not text or any(priced))

    short = SHORT_INSTEAD.get(identity) or patterns(
        [found["emergency"], found["shortCode"], found["smsServices"], by_hand, found["tollFree"],
         found["standardRate"], found["premiumRate"], found["expandedEmergency"]], callable_code)
    return sorted(set(emergency)), sorted(set(short)) + SHORT.get(identity, [])


def quoted(values):
    return "[" + ", ".join(f'"{v}"' for v in values) + "]"


def wrapped(key, values):
    """An array, broken into lines where it is long."""
    line = f"{key} = {quoted(values)}"
    if len(line) <= 118:
        return line
    lines, row = [f"{key} = ["], "   "
    for value in values:
        if len(row) + len(value) + 4 > 116:
            lines.append(row)
            row = "   "
        row += f' "{value}",'
    return "\n".join(lines + [row, "]"])


def rule_table(pattern, put="", length=None):
    put = f', put = "{put}"' if put else ""
    return f'{{ dialled = "{pattern}"{put}{f", length = {length}" if length else ""} }}'


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    numbers_xml, shorts_xml, output = sys.argv[1:4]
    territories = ElementTree.parse(numbers_xml).getroot().findall(".//territory")
    short = {t.get("id"): t for t in ElementTree.parse(shorts_xml).getroot().findall(".//territory")}
    names = dict((code, name) for name, code in
                 re.findall(r"<!-- (\S.*?) \(([A-Z]{2})\) -->", open(numbers_xml, encoding="utf-8").read()))
    sharing, national = {}, {}
    for t in territories:
        code = t.get("countryCode")
        sharing.setdefault(code, []).append(t)
        for tag, _ in KINDS:
            if part := children(t, tag):
                national.setdefault(code, set()).update(part[1])
    out, examples = [HEAD], []
    for t in sorted(territories, key=lambda t: (t.get("id"), int(t.get("countryCode")))):
        identity, code = t.get("id"), t.get("countryCode")
        lines = [f"[[territory]] # {names[identity]}" if identity in names else "[[territory]]"]
        lines += [f'country = "{identity}"', f"calling_code = {code}"]
        main_territory = len(sharing[code]) == 1 or t.get("mainCountryForCode") == "true"
        if len(sharing[code]) > 1 and main_territory:
            lines.append("main = true")
        if main_territory:
            if code in TOTAL_LENGTH:
                lines.append(f"total_length = {TOTAL_LENGTH[code]}")
            elif len(national[code]) == 1:
                lines.append(f"total_length = {len(code) + min(national[code])}")
        parts = [(name, part) for tag, name in KINDS if (part := children(t, tag))]
        if any(derive(parse(part[0]), 0) != NOTHING for _, part in parts):
            lines.append("leading_zero = true")
        if identity != "001":
            rules, after, lists, trunk = dialling(identity, t)
            if t.get("nationalPrefix") and code != "1":
                lines.append("trunk_required = true")
            if identity in DOMESTIC:
                lines.append(f"domestic = {quoted(DOMESTIC[identity])}")
            prefixes = patterns([parse(attribute(t, "internationalPrefix"))])
            lines.append(wrapped("international", longest_first(prefixes + INTERNATIONAL.get(identity, []))))
            if trunk:
                lines.append(wrapped("trunk", trunk))
            for key, found in (("rules", rules), ("after_code", after)):
                if found:
                    lines.append(f"{key} = [{', '.join(rule_table(*rule) for rule in found)}]")
            local = LOCAL.get(identity) or lengths_text(set().union(*(part[2] for _, part in parts)))
            if local:
                lines.append(f'local = "{local}"')
            emergency, codes = short_numbers(identity, short.get(identity))
            lines.append(wrapped("emergency", emergency))
            if codes:
                lines.append(wrapped("short", codes))
        by_kind = ", ".join(f'{name} = "{lengths_text(part[1])}"' for name, part in parts)
        lines.append(f"lengths = {{ {by_kind} }}")
        if identity != "001":
            lines += [wrapped(f"lists.{name}", values) for name, values in lists.items()]
        out.append("\n".join(lines) + "\n")
        same = dict(parts).get("fixed", [0])[0] == dict(parts).get("mobile", [1])[0]
        for name, part in parts:
            if part[3]:
                kind = "fixed_or_mobile" if same and name in ("fixed", "mobile") else name
                examples.append(f"{identity},{kind},{part[3]},{code}{part[3]}")
    for whom, mode, increment, initial, minimum, source in STEPS:
        lines = [f"[[steps]] # {source}"] + [f'{key} = "{value}"' for key, value in whom.items()]
        lines += [f'mode = "{mode}"', f"increment = {increment}"]
        lines += [f"{key} = {value}" for key, value in (("initial", initial), ("minimum", minimum)) if value is not None]
        out.append("\n".join(lines + [f'source = "{source}"']) + "\n")
    with open(output, "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(out))
    if len(sys.argv) == 5:
        with open(sys.argv[4], "w", encoding="utf-8", newline="\n") as file:
            file.write(f"# Example numbers of libphonenumber {VERSION}'s metadata (Apache-2.0), by generate_countries.py.\n")
            file.write("country,type,national_number,e164\n" + "\n".join(examples) + "\n")


if __name__ == "__main__":
    main()
