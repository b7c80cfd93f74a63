#!/usr/bin/env python3
"""Makes numbering.csv out of libphonenumber's metadata: which prefixes, at which lengths, are whose and of what kind.

usage: generate_numbering.py [--check] PhoneNumberMetadata.xml numbering.csv

The metadata may be compressed (.gz); tests/data has the one from which the shipped file is made. --check writes nothing
and fails if the file is another than would be written.

The metadata (Apache-2.0, github.com/google/libphonenumber, resources/) has an expression for each kind of number of each
territory. Here they become a table for look-ups: the longest prefix with a row for the number's total length decides.
The table is exact: every string of 5 to 15 digits gets the territory and the kind that libphonenumber gives it, or none
where libphonenumber does not hold it to be a valid number; ASKED_FIRST has the exceptions.

 1. All expressions of one calling code run in lock-step as an automaton (Brzozowski derivatives, from
    generate_countries.py). Where a number ends, its territory and kind follow from libphonenumber's own order:
    the main territory first, a territory's leadingDigits before all else, premium before toll-free … before fixed.
 2. For each total length on its own, the rows are chosen bottom-up so that they are the fewest (optimal aggregation,
    "ORTC": Draves, King, Venkatachary, Zill, "Constructing Optimal IP Routing Tables", 1999). A row may hold for most
    of what lies below it and be corrected by longer rows: `121` of the United States, `1211` of kind `unknown`. So
    nothing is taken for valid because a shorter prefix was merged over it.
 3. Rows of one prefix and one meaning become one row with several lengths; of equally good choices the one that
    holds for more lengths is taken.

Python 3.8 or newer, standard library only, no clock and no randomness: the same input gives the same bytes.
"""
import gzip
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

from generate_countries import EMPTY, NOTHING, attribute, children, derive, lengths_text, null, parse

# libphonenumber's order (getNumberTypeHelper); fixed and mobile come after these, for a number may be both.
SPECIAL = [("premiumRate", "premium"), ("tollFree", "toll_free"), ("sharedCost", "shared_cost"), ("voip", "voip"),
           ("personalNumber", "personal"), ("pager", "pager"), ("uan", "uan"), ("voicemail", "voicemail")]

# By hand: leading digits of the national number for which a territory is asked before the main one.
# IM: 07924 is the Isle of Man's (Ofcom's numbering data). The metadata's Manx expression and example number say so, but
# the British expression, which is asked first, has it too.
ASKED_FIRST = {"IM": "7924"}

# Digits in all of what the daemon takes for a number (rating rule R3).
SHORTEST, LONGEST = 5, 15

UNKNOWN = None


class Territory:
    """A territory's expressions; `start` is what a number of it has still to match before its first digit."""

    def __init__(self, element, asked_first=None):
        self.name = element.get("id")
        self.rank = 0 if asked_first else 1 if element.get("mainCountryForCode") == "true" else 2
        leading = asked_first or attribute(element, "leadingDigits")
        kinds = [(kind, children(element, tag)) for tag, kind in SPECIAL]
        kinds += [(kind, children(element, tag)) for tag, kind in (("fixedLine", "fixed"), ("mobile", "mobile"))]
        kinds = [(kind, found) for kind, found in kinds if found]
        self.kinds = [(kind, national) for kind, (_, national, _, _) in kinds]
        self.has_leading = bool(leading)
        general = element.find("generalDesc").findtext("nationalNumberPattern")
        # Leading digits are matched at the front only: once they are, EMPTY stays in their place.
        expressions = tuple(parse(text) for _, (text, _, _, _) in kinds)
        self.start = (parse(leading) if leading else NOTHING, parse(general), expressions)

    def step(self, state, digit):
        leading, general, expressions = state
        if leading != EMPTY:
            leading = derive(leading, digit)
            # A class of leading digits that can be complete is complete: what follows does not matter.
            leading = EMPTY if null[leading] else leading
        return leading, derive(general, digit), tuple(derive(e, digit) for e in expressions)

    def kind(self, state, length):
        """Kind of the number that ends here; none if it is no valid one."""
        _, general, expressions = state
        if not null[general]:
            return UNKNOWN
        matching = [kind for (kind, lengths), expression in zip(self.kinds, expressions)
                    if null[expression] and (not lengths or length in lengths)]  # fmt: skip
        if not matching:
            return UNKNOWN
        if matching[0] == "fixed" and "mobile" in matching:
            return "fixed_or_mobile"
        return matching[0]


class CallingCode:
    """The automaton of all territories that share a calling code, the main one first. Behind a state stand the number of
    national digits read so far and a state of each territory; DEAD: nothing valid can follow."""

    DEAD = -1

    def __init__(self, code, territories):
        self.code = code
        self.territories = sorted(territories, key=lambda t: t.rank)
        self.main = next(t.name for t in self.territories if t.rank)
        # Number of a state → what stands behind it, and back: numbers are quicker to look up.
        self.behind, self.numbers = [], {}
        self.start = self.number((0, tuple(t.start for t in self.territories)))
        self.following, self.best, self.sole = {}, {}, {}

    def number(self, behind):
        if behind not in self.numbers:
            self.numbers[behind] = len(self.behind)
            self.behind.append(behind)
        return self.numbers[behind]

    def step(self, state, digit):
        if state == self.DEAD:
            return self.DEAD
        if (state, digit) not in self.following:
            read, states = self.behind[state]
            states = tuple(t.step(s, digit) for t, s in zip(self.territories, states))
            alive = any(general != NOTHING for _, general, _ in states)
            full = len(self.code) + read + 1 > LONGEST
            self.following[state, digit] = self.number((read + 1, states)) if alive and not full else self.DEAD
        return self.following[state, digit]

    def meaning(self, state):
        """(territory, kind) of the number that ends here, or UNKNOWN."""
        if state == self.DEAD:
            return UNKNOWN
        read, states = self.behind[state]
        for territory, of_territory in zip(self.territories, states):
            kind = territory.kind(of_territory, read)
            if territory.has_leading:
                if of_territory[0] == EMPTY:
                    return (territory.name, kind) if kind else UNKNOWN
            elif kind:
                return (territory.name, kind)
        return UNKNOWN

    def choices(self, state, more):
        """Meanings any of which, given to this prefix, costs the fewest rows for numbers of `more` further digits."""
        if state == self.DEAD:
            return frozenset([UNKNOWN])
        if (state, more) not in self.best:
            if more == 0:
                found = frozenset([self.meaning(state)])
            else:
                votes = Counter()
                for digit in range(10):
                    votes.update(self.choices(self.step(state, digit), more - 1))
                most = max(votes.values())
                found = frozenset(meaning for meaning, n in votes.items() if n == most)
            self.best[state, more] = found
        return self.best[state, more]

    def one_meaning(self, state, more):
        """Whether all numbers of `more` further digits mean one thing: (that,), else ()."""
        if state == self.DEAD:
            return (UNKNOWN,)
        if (state, more) not in self.sole:
            if more == 0:
                found = {self.meaning(state)}
            else:
                below = [self.one_meaning(self.step(state, digit), more - 1) for digit in range(10)]
                found = {meaning for one in below for meaning in one} if all(below) else ()
            self.sole[state, more] = tuple(found) if len(found) == 1 else ()
        return self.sole[state, more]

    def rows(self):
        """(prefix, meaning, total lengths) for all that is to be said of this calling code."""
        found = []

        def spread(state, prefix, inherited):
            # inherited: total length → meaning by shorter prefixes
            found_here = {}
            open_lengths = {n: self.choices(state, n - len(prefix)) for n in inherited}
            open_lengths = {n: wanted for n, wanted in open_lengths.items() if inherited[n] not in wanted}
            while open_lengths:
                votes = Counter(meaning for wanted in open_lengths.values() for meaning in wanted)
                meaning = min(votes, key=lambda m: (-votes[m], m is UNKNOWN, m or ()))
                of_lengths = [n for n, wanted in open_lengths.items() if meaning in wanted]
                found.append((prefix, meaning, of_lengths))
                for n in of_lengths:
                    found_here[n] = meaning
                    del open_lengths[n]
            below = {**inherited, **found_here}
            below = {n: m for n, m in below.items() if self.one_meaning(state, n - len(prefix)) != (m,)}
            for digit in range(10) if below else ():
                spread(self.step(state, digit), prefix + str(digit), {n: m for n, m in below.items() if n > len(prefix)})

        spread(self.start, self.code, {n: UNKNOWN for n in range(SHORTEST, LONGEST + 1)})
        return found


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    metadata, output = arguments
    by_code = {}
    with (gzip.open if metadata.endswith(".gz") else open)(metadata, "rb") as file:
        for element in ElementTree.parse(file).getroot().find("territories"):
            territories = by_code.setdefault(element.get("countryCode"), [])
            territories.append(Territory(element))
            if element.get("id") in ASKED_FIRST:
                territories.append(Territory(element, ASKED_FIRST[element.get("id")]))
    rows = []
    for code, territories in by_code.items():
        calling_code = CallingCode(code, territories)
        for prefix, meaning, of_lengths in calling_code.rows():
            country, kind = meaning or (calling_code.main, "unknown")
            rows.append((prefix, country, kind, lengths_text(of_lengths).replace(",", " ")))
    text = "prefix,country,type,total_lengths\n" + "".join(",".join(row) + "\n" for row in sorted(rows))
    unknown = sum(kind == "unknown" for _, _, kind, _ in rows)
    print(f"{len(rows)} rows, {unknown} of them unknown; {len({row[0] for row in rows})} prefixes")
    if "--check" in sys.argv[1:]:
        with open(output, encoding="utf-8", newline="") as file:
            if file.read() != text:
                sys.exit(f"{output} differs from what would be written")
    else:
        with open(output, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)


if __name__ == "__main__":
    main()
