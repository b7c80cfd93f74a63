//! Does not know formats: pieces are made up here.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;
const MAX_OPEN: Micros = Micros::seconds(25 * 3600);

/// One piece of a story: who says what, when it happened, when it came. Times in seconds.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    kind: PieceKind,
    step: Step,
    key: String,
    at: Option<i64>,
    destination: &'static str,
    answer: Option<i64>,
    end: Option<i64>,
    talk: Option<i64>,
    seq: Option<u64>,
    came: i64,
}

fn told(step: Step, key: &str, at: i64) -> Told {
    let key = key.to_owned();
    let (destination, answer, end, talk, seq) = ("", None, None, None, None);
    Told { kind: PieceKind::Radius, step, key, at: Some(at), destination, answer, end, talk, seq, came: at }
}

/// A Start and a Stop in the way of Kamailio: the number called is in the first only.
fn start(key: &str, at: i64) -> Told {
    Told { destination: "441132960100", ..told(Step::Answer, key, at) }
}

fn stop(key: &str, at: i64) -> Told {
    told(Step::End, key, at)
}

/// A Stop in the way of Cisco.
fn full_stop(key: &str, answer: i64, end: i64) -> Told {
    Told { destination: "441132960100", answer: Some(answer), end: Some(end), ..told(Step::End, key, end) }
}

/// The road's part that the assembly needs, played: positions, identities, books.
#[derive(Default)]
struct Desk {
    assembly: Assembly,
    position: u64,
    known: BTreeMap<Vec<u8>, Position>,
    books: BTreeMap<&'static str, i64>,
    /// What went on: id, answer and end in seconds.
    calls: Vec<String>,
    suspended: BTreeMap<Position, String>,
    durable: i64,
}

impl Desk {
    fn count(&mut self, what: &'static str, by: i64) {
        *self.books.entry(what).or_default() += by;
    }

    /// Takes a piece; what became of it in a word.
    fn tell(&mut self, one: &Told) -> &'static str {
        self.position += 100;
        self.durable += 1;
        let time = |seconds: Option<i64>| seconds.map(|s| Timestamp(s * SECOND));
        let raw = format!("{:?} {}", one.step, one.key);
        let piece = Piece {
            kind: one.kind,
            step: one.step,
            key: one.key.as_bytes(),
            at: time(one.at),
            delay: Micros(0),
            record: Record {
                id: one.key.as_bytes(),
                node: b"sbc",
                destination: one.destination.as_bytes(),
                answer: time(one.answer),
                end: time(one.end),
                duration: one.talk.map(Micros::seconds),
                seq: one.seq,
                raw: raw.as_bytes(),
                ..Record::default()
            },
        };
        let position = Position(self.position);
        let received_at = Timestamp(one.came * SECOND);
        let arrived = Arrived { piece, position, received_at, source: 3, max_open: MAX_OPEN };
        if one.step == Step::Reset {
            let lapsed = self.assembly.reset(arrived);
            self.count("merged", 1);
            self.lapsed(lapsed);
            return "reset";
        }
        let mut out = Vec::new();
        let known = &self.known;
        let taken = self.assembly.take(
            arrived,
            |record| Ok::<_, ()>(known.get(record.id).is_some_and(|first| *first < position)),
            &mut out,
        );
        match taken.unwrap() {
            Taken::Waits => {
                self.count("open", 1);
                "waits"
            }
            Taken::Merged => {
                self.count("merged", 1);
                "merged"
            }
            Taken::Repeat => {
                self.count("duplicate", 1);
                "repeat"
            }
            Taken::Over(over) => {
                self.count("open", -(over.waited as i64));
                self.count("merged", over.waited as i64);
                if let Some(place) = over.suspended {
                    assert!(self.suspended.remove(&place).is_some());
                    self.count("suspended", -1);
                    self.count("merged", 1);
                }
                if !over.answered {
                    self.count("unanswered", 1);
                    return "unanswered";
                }
                let record = Record::decode(&out).unwrap();
                if self.known.contains_key(record.id) {
                    self.count("duplicate", 1);
                    return "duplicate";
                }
                self.known.insert(record.id.to_vec(), position);
                self.count("resolved", 1);
                self.calls.push(shown(&record));
                "call"
            }
        }
    }

    fn tick(&mut self, at: i64) {
        let lapsed = self.assembly.tick(Timestamp(at * SECOND));
        self.lapsed(lapsed);
    }

    fn lapsed(&mut self, lapsed: Vec<Lapsed>) {
        for one in lapsed {
            self.count("open", -(one.waited as i64));
            self.count("merged", one.waited as i64 - 1);
            match one.unfinished {
                None => self.count("unanswered", 1),
                Some(call) => {
                    self.count("suspended", 1);
                    let record = Record::decode(&call.record).unwrap();
                    let text = format!("{} {}", String::from_utf8_lossy(record.id), call.detail);
                    assert!(self.suspended.insert(call.position, text).is_none());
                }
            }
        }
    }

    fn check_books(&self) {
        let all: i64 = self.books.values().sum();
        assert_eq!(self.durable, all, "{:?}", self.books);
        let states: Vec<u64> = self.assembly.calls.values().map(|c| waiting_pieces(&c.encode()).unwrap()).collect();
        assert_eq!(self.books.get("open").copied().unwrap_or(0), states.iter().sum::<u64>() as i64);
    }
}

fn shown(record: &Record<'_>) -> String {
    let seconds = |t: Option<Timestamp>| t.map_or("-".to_owned(), |t| (t.0 / SECOND).to_string());
    let id = String::from_utf8_lossy(record.id);
    let destination = String::from_utf8_lossy(record.destination);
    let talk = record.duration.map_or("-".to_owned(), |d| d.to_string());
    format!("{id} {destination} {} {} {talk}", seconds(record.answer), seconds(record.end))
}

/// Tells a story; what became of each piece, and of the calls.
fn check(story: &[Told], fates: &[&str], calls: &[&str]) {
    let mut desk = Desk::default();
    let found: Vec<&str> = story.iter().map(|one| desk.tell(one)).collect();
    assert_eq!(found, fates, "{story:?}");
    assert_eq!(desk.calls, calls, "{story:?}");
    desk.check_books();
}

#[test]
fn stories() {
    let whole = "a 441132960100 100 103 -";
    check(&[start("a", 100), stop("a", 103)], &["waits", "call"], &[whole]);
    // UDP turns the two round.
    check(&[stop("a", 103), start("a", 100)], &["waits", "call"], &[whole]);
    check(
        &[start("a", 100), start("a", 100), stop("a", 103), stop("a", 103)],
        &["waits", "repeat", "call", "repeat"],
        &[whole],
    );
    check(&[start("a", 100), stop("a", 103), start("a", 100)], &["waits", "call", "repeat"], &[whole]);
    // A Stop that says all of it does not wait; its Start, late or early, adds nothing.
    check(&[full_stop("a", 100, 103)], &["call"], &[whole]);
    check(&[full_stop("a", 100, 103), start("a", 99)], &["call", "merged"], &[whole]);
    check(&[start("a", 99), full_stop("a", 100, 103)], &["waits", "call"], &[whole]);
    // Its repeat goes by its content.
    check(&[full_stop("a", 100, 103), full_stop("a", 100, 103)], &["call", "duplicate"], &[whole]);
    // Failed, twice.
    let failed = told(Step::Fail, "a", 100);
    check(&[failed.clone(), failed.clone()], &["unanswered", "repeat"], &[]);
    check(&[told(Step::Begin, "a", 99), failed.clone()], &["waits", "unanswered"], &[]);
    // The answer overtook the failure's packet: the call is charged.
    check(&[failed, start("a", 101), stop("a", 103)], &["unanswered", "waits", "call"], &["a 441132960100 101 103 -"]);
    // A re-INVITE is told as another answer, to an address without a number, perhaps within the same second.
    let again = told(Step::Answer, "a", 100);
    check(&[start("a", 100), again.clone(), stop("a", 103)], &["waits", "repeat", "call"], &[whole]);
    check(&[again, start("a", 100), stop("a", 103)], &["waits", "repeat", "call"], &[whole]);
    // Two calls at once.
    check(
        &[start("a", 1), start("b", 2), stop("a", 3), stop("b", 4)],
        &["waits", "waits", "call", "call"],
        &["a 441132960100 1 3 -", "b 441132960100 2 4 -"],
    );
    // An interim update gives the number that the Start lacked.
    let (begin, update) = (told(Step::Answer, "a", 100), told(Step::Update, "a", 101));
    let update = Told { destination: "441132960100", ..update };
    check(&[begin, update.clone(), update, stop("a", 103)], &["waits", "waits", "merged", "call"], &[whole]);
    // Talk time alone says when it was answered.
    let begin = Told { destination: "441132960100", ..told(Step::Begin, "a", 90) };
    let end = Told { talk: Some(3), ..stop("a", 103) };
    check(&[begin, end], &["waits", "call"], &["a 441132960100 100 103 3"]);
}

#[test]
fn sip_forks() {
    let sip = |step, at| Told { kind: PieceKind::Sip, ..told(step, "a", at) };
    let invite = Told { destination: "441132960100", ..sip(Step::Begin, 100) };
    let call = ["a 441132960100 105 109 -"];
    // One branch is busy, another answers; the 200 is sent twice; each side sends a BYE.
    let story = [invite.clone(), sip(Step::Fail, 101), sip(Step::Answer, 105), sip(Step::Answer, 106)];
    check(&story, &["waits", "waits", "waits", "repeat"], &[]);
    let story = [&story[..], &[sip(Step::End, 109), sip(Step::End, 110)]].concat();
    check(&story, &["waits", "waits", "waits", "repeat", "call", "repeat"], &call);
    // All branches fail: known after a while.
    let mut desk = Desk::default();
    desk.tell(&invite);
    desk.tell(&sip(Step::Fail, 101));
    desk.tick(101 + 63);
    assert_eq!(desk.books.get("unanswered"), None);
    desk.tick(101 + 64);
    assert_eq!((desk.books["unanswered"], desk.books["merged"], desk.suspended.len()), (1, 1, 0));
    desk.check_books();
    // The BYE was lost: not charged but kept, until it comes after all.
    let mut desk = Desk::default();
    desk.tell(&invite);
    desk.tell(&sip(Step::Answer, 105));
    desk.tick(100 + 25 * 3600);
    assert_eq!(desk.suspended[&Position(100)], format!("a {}", Missing::End.words()));
    assert!(desk.calls.is_empty());
    assert_eq!(desk.tell(&Told { came: 100_000, ..sip(Step::End, 109) }), "call");
    assert_eq!((&desk.calls[..], desk.suspended.len()), (&call.map(str::to_owned)[..], 0));
    desk.check_books();
}

#[test]
fn segments_add_up() {
    let segment = |step, seq, at, talk| Told {
        kind: PieceKind::Segments,
        destination: "441132960100",
        talk: Some(talk),
        seq: Some(seq),
        ..told(step, "a", at)
    };
    let one = segment(Step::Update, 1, 100, 20);
    let two = segment(Step::Update, 2, 120, 0);
    let three = segment(Step::End, 3, 120, 5);
    let call = ["a 441132960100 100 120 25"];
    check(&[one.clone(), two.clone(), three.clone()], &["waits", "waits", "call"], &call);
    check(&[three.clone(), one.clone(), one.clone(), two.clone()], &["waits", "waits", "merged", "call"], &call);
    check(&[segment(Step::End, 1, 100, 0)], &["unanswered"], &[]);
}

/// R2's longest call and an hour; then suspense; then the missing piece after all.
#[test]
fn what_never_ended_waits_in_suspense() {
    let mut desk = Desk::default();
    assert_eq!(desk.tell(&start("a", 100)), "waits");
    assert_eq!(desk.tell(&Told { came: 200, ..stop("lone", 190) }), "waits");
    desk.tick(200 + 3599);
    assert_eq!(desk.suspended.len(), 0);
    desk.tick(200 + 3600);
    assert_eq!(desk.suspended[&Position(200)], format!("lone {}", Missing::Beginning.words()));
    desk.tick(100 + 25 * 3600);
    assert_eq!(desk.suspended[&Position(100)], format!("a {}", Missing::End.words()));
    desk.check_books();
    assert_eq!((desk.books["open"], desk.books["suspended"]), (0, 2));
    // A repeat changes nothing, the missing one everything.
    assert_eq!(desk.tell(&Told { came: 100_000, ..start("a", 100) }), "repeat");
    assert_eq!(desk.tell(&Told { came: 100_000, ..stop("a", 103) }), "call");
    assert_eq!(desk.tell(&Told { came: 100_000, ..start("lone", 150) }), "call");
    assert_eq!(desk.calls, ["a 441132960100 100 103 -", "lone 441132960100 150 190 -"]);
    assert_eq!((desk.books["suspended"], desk.suspended.len()), (0, 0));
    desk.check_books();
    // In the end nothing is remembered, and nothing more is to be ticked for.
    desk.tick(200_000);
    assert!(desk.assembly.is_empty() && desk.assembly.until.is_empty());
    // The identity still knows it.
    assert_eq!(desk.tell(&Told { came: 300_000, ..start("a", 100) }), "repeat");
}

#[test]
fn a_restart_ends_what_was_open_before_it() {
    let mut desk = Desk::default();
    desk.tell(&start("before", 100));
    desk.tell(&start("after", 160));
    // Told late: what began behind it goes on.
    desk.tell(&Told { came: 170, ..told(Step::Reset, "", 150) });
    assert_eq!(desk.suspended[&Position(100)], "before the node restarted before it said how the call ended");
    assert_eq!((desk.suspended.len(), desk.books["open"]), (1, 1));
    assert_eq!(desk.tell(&stop("after", 170)), "call");
    // Its Stop was under way.
    assert_eq!(desk.tell(&Told { came: 171, ..stop("before", 149) }), "call");
    desk.check_books();
    assert_eq!(desk.books["suspended"], 0);
}

/// What the store keeps is all there is to it.
#[test]
fn the_state_survives_its_bytes() {
    let mut desk = Desk::default();
    for one in [start("open", 1), start("over", 2), stop("over", 3), told(Step::Fail, "failed", 3), stop("late", 4)] {
        desk.tell(&one);
    }
    desk.tick(4 + 3600);
    desk.tell(&Told { kind: PieceKind::Acc, ..start("new", 4000) });
    let mut again = Assembly::default();
    for (key, state) in desk.assembly.changes() {
        if let Some(state) = state {
            again.load(key, &state).unwrap();
        }
    }
    assert_eq!((again.calls, again.until), (desk.assembly.calls.clone(), desk.assembly.until.clone()));
    assert_eq!(desk.assembly.changes(), []);
}

#[test]
fn states_that_cannot_be_read_are_said() {
    let mut desk = Desk::default();
    desk.tell(&start("a", 1));
    let state = desk.assembly.changes().remove(0).1.unwrap();
    let load = |state: &[u8]| Assembly::default().load(CallKey(1), state);
    assert_eq!(load(&state), Ok(()));
    assert_eq!(load(&[]), Err(BadCall::Short));
    assert_eq!(load(&state[..state.len() - 1]), Err(BadCall::Short));
    let with = |at: usize, byte: u8| load(&[&state[..at], &[byte], &state[at + 1..]].concat());
    assert_eq!(with(0, 2), Err(BadCall::Version(2)));
    assert_eq!(with(1, 7), Err(BadCall::State(7)));
}

/// The pieces of one call, and what it must come to, thought out from the story and not from the pieces.
fn a_call() -> impl Strategy<Value = (Vec<Told>, Option<String>)> {
    let key = "[a-d]";
    let times = (1i64..1000, 1i64..1000);
    prop_oneof![
        // Answered: an opening with the number, an end; and perhaps updates.
        (key, times.clone(), 0usize..3).prop_map(|(key, (answer, talk), updates)| {
            let mut pieces = vec![start(&key, answer), stop(&key, answer + talk)];
            pieces.extend((0..updates).map(|i| told(Step::Update, &key, answer + i as i64)));
            (pieces, Some(format!("{key} 441132960100 {answer} {} -", answer + talk)))
        }),
        // The end says all.
        (key, times.clone(), any::<bool>()).prop_map(|(key, (answer, talk), opened)| {
            let mut pieces = vec![full_stop(&key, answer, answer + talk)];
            pieces.extend(opened.then(|| told(Step::Begin, &key, answer - 1)));
            (pieces, Some(format!("{key} 441132960100 {answer} {} -", answer + talk)))
        }),
        // Not answered.
        (key, times)
            .prop_map(|(key, (at, _))| (vec![told(Step::Begin, &key, at), told(Step::Fail, &key, at + 1)], None)),
    ]
}

proptest! {
    /// In any order, with any repeats: the same calls, each once, and the books balance after every piece.
    #[test]
    fn order_and_repeats_do_not_matter(
        calls in proptest::collection::vec(a_call(), 1..5),
        order in proptest::collection::vec((any::<usize>(), any::<u16>()), 1..60),
    ) {
        // One call for each key.
        let mut by_key: BTreeMap<String, (Vec<Told>, Option<String>)> = BTreeMap::new();
        for (pieces, call) in calls {
            by_key.insert(pieces[0].key.clone(), (pieces, call));
        }
        let pieces: Vec<Told> = by_key.values().flat_map(|(pieces, _)| pieces.clone()).collect();
        // Every piece once in an order of its own, and some again.
        let mut told: Vec<(u16, Told)> = pieces
            .iter()
            .enumerate()
            .map(|(i, piece)| (order[i % order.len()].1.wrapping_mul(i as u16 + 1), piece.clone()))
            .collect();
        told.extend(order.iter().map(|(which, place)| (*place, pieces[which % pieces.len()].clone())));
        told.sort_by_key(|(place, _)| *place);
        let mut desk = Desk::default();
        for (_, piece) in &told {
            // All of it within a minute.
            desk.tell(&Told { came: 2000, ..piece.clone() });
            desk.check_books();
        }
        let mut found = desk.calls.clone();
        found.sort();
        let expected: Vec<String> = by_key.values().filter_map(|(_, call)| call.clone()).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(desk.books.get("open").copied().unwrap_or(0), 0);
        prop_assert_eq!(desk.books.get("unanswered").copied().unwrap_or(0),
            by_key.values().filter(|(_, call)| call.is_none()).count() as i64);
    }
}
