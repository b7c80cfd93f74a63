#!/usr/bin/env python3
"""Makes numbering.csv out of libphonenumber's metadata: which prefixes, at which lengths, are whose and of what kind.

usage: generate_numbering.py PhoneNumberMetadata.xml numbering.csv

The metadata (Apache-2.0, github.com/google/libphonenumber, resources/) has an expression for each kind of number of each
territory. Here they become a table for look-ups: the longest prefix with a row for the number's total length decides.
The table is exact: every string of 5 to 15 digits gets the territory and the kind that libphonenumber gives it, or none
where libphonenumber does not hold it to be a valid number.

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
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

from generate_countries import EMPTY, NOTHING, attribute, children, derive, lengths_text, null, parse

# libphonenumber's order (getNumberTypeHelper); fixed and mobile come after these, for a number may be both.
SPECIAL = [("premiumRate", "premium"), ("tollFree", "toll_free"), ("sharedCost", "shared_cost"), ("voip", "voip"),
           ("personalNumber", "personal"), ("pager", "pager"), ("uan", "uan"), ("voicemail", "voicemail")]

# Digits in all of what the daemon takes for a number (rating rule R3).
SHORTEST, LONGEST = 5, 15

UNKNOWN = None


class Territory:
    """A territory's expressions; `start` is what a number of it has still to match before its first digit."""

    def __init__(self, element):
        self.name = element.get("id")
        self.is_main = element.get("mainCountryForCode") == "true"
        leading = attribute(element, "leadingDigits")
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
    """The automaton of all territories that share a calling code, the main one first. A state is the number of national
    digits read so far and a state of each territory; none where nothing valid can follow."""

    def __init__(self, code, territories):
        self.code = code
        self.territories = sorted(territories, key=lambda t: not t.is_main)
        self.main = self.territories[0].name
        self.start = (0, tuple(t.start for t in self.territories))
        self.following, self.best, self.sole = {}, {}, {}

    def step(self, state, digit):
        if state is None:
            return None
        if (state, digit) not in self.following:
            read, states = state
            states = tuple(t.step(s, digit) for t, s in zip(self.territories, states))
            alive = any(general != NOTHING for _, general, _ in states)
            full = len(self.code) + read + 1 > LONGEST
            self.following[state, digit] = (read + 1, states) if alive and not full else None
        return self.following[state, digit]

    def meaning(self, state):
        """(territory, kind) of the number that ends here, or UNKNOWN."""
        if state is None:
            return UNKNOWN
        read, states = state
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
        if state is None:
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
        if state is None:
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
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.setrecursionlimit(100_000)
    by_code = {}
    for element in ElementTree.parse(sys.argv[1]).getroot().find("territories"):
        by_code.setdefault(element.get("countryCode"), []).append(Territory(element))
    rows = []
    for code, territories in by_code.items():
        calling_code = CallingCode(code, territories)
        for prefix, meaning, of_lengths in calling_code.rows():
            country, kind = meaning or (calling_code.main, "unknown")
            rows.append((prefix, country, kind, lengths_text(of_lengths).replace(",", " ")))
    with open(sys.argv[2], "w", encoding="utf-8", newline="\n") as file:
        file.write("prefix,country,type,total_lengths\n")
        file.writelines(",".join(row) + "\n" for row in sorted(rows))
    unknown = sum(kind == "unknown" for _, _, kind, _ in rows)
    print(f"{len(rows)} rows, {unknown} of them unknown; {len({row[0] for row in rows})} prefixes")


if __name__ == "__main__":
    main()
