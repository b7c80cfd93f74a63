//! The road as a queueing network: frames go from part to part, each part has so many servers, and a server works only
//! while it holds a core.
//!
//! Played event by event. Work of a frame at a part: the measured time a record times the records of a frame, exponentially
//! scattered, so that queues are met as in life and not in step. A queue holds [`ROOM`] frames; a part that finds the
//! next one full keeps its server, not its core. The sequencer takes all that waits, and then waits for the disk
//! without a core. What it leaves out: that cores share caches and memory, and that a flush takes what many frames
//! gathered; so it is an upper bound, the nearer the fewer cores.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::time::Duration;

/// Frames that wait in front of a part: the daemon's own queues hold as many.
const ROOM: usize = 256;
/// Frames of a run.
const FRAMES: usize = 60_000;

/// How many cores there are.
#[derive(Clone, Copy)]
pub struct Cores(pub usize);

/// A part of the road.
#[derive(Clone)]
pub struct Part {
    name: &'static str,
    /// Microseconds a record.
    micros: f64,
    /// None: as many as there are cores.
    servers: Option<usize>,
    /// It waits for the disk behind each piece of work.
    syncs: bool,
    /// A record that has left it is seen in its account's usage.
    rates: bool,
}

impl Part {
    pub fn new(name: &'static str, micros: f64, servers: Option<usize>) -> Part {
        Part { name, micros, servers, syncs: false, rates: false }
    }

    pub fn syncs(self) -> Part {
        Part { syncs: true, ..self }
    }

    pub fn rates(self) -> Part {
        Part { rates: true, ..self }
    }
}

/// What the model found.
pub struct Found {
    /// Records a second that reach the end when there are always more.
    pub per_second: f64,
    limit: String,
    /// Until rated, at half and at 80 % of that: mean and 99th of a hundred, in milliseconds.
    waits: [(f64, f64); 2],
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [(half, half99), (most, most99)] = self.waits;
        write!(
            f,
            "{:.0} records/s, limit {}; until rated at 50 %: {half:.1} ms, p99 {half99:.1}; at 80 %: {most:.1}, p99 {most99:.1}",
            self.per_second, self.limit
        )
    }
}

/// Plays the road on so many cores.
pub fn run(parts: &[Part], cores: Cores, frame: f64, sync: Duration) -> Found {
    let full = Play::new(parts, cores, frame, sync, None).play();
    let frames_per_second = FRAMES as f64 / full.seconds;
    let busiest = full
        .busy
        .iter()
        .enumerate()
        .map(|(i, seconds)| (seconds / full.seconds / parts[i].servers.unwrap_or(cores.0) as f64, parts[i].name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let all = full.busy.iter().sum::<f64>() / full.seconds / cores.0 as f64;
    let limit = match busiest {
        Some((part, name)) if part > all => format!("the {name} ({:.0} % busy, cores {:.0} %)", part * 1e2, all * 1e2),
        _ => format!("the cores ({:.0} % busy)", all * 1e2),
    };
    let waits = [0.5, 0.8].map(|load| {
        let mut waits = Play::new(parts, cores, frame, sync, Some(frames_per_second * load)).play().waits;
        waits.sort_by(f64::total_cmp);
        let mean = waits.iter().sum::<f64>() / waits.len().max(1) as f64;
        (mean * 1e3, waits.get(waits.len() * 99 / 100).copied().unwrap_or(0.0) * 1e3)
    });
    Found { per_second: frames_per_second * frame, limit, waits }
}

/// What happens next, in nanoseconds since the beginning.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    /// A part has done that work.
    Worked(usize, u64),
    /// The disk has what the part gave it.
    Synced(usize, u64),
}

/// Frames by when they came, in seconds.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<f64>,
    /// Done, but the next queue is full.
    blocked: VecDeque<f64>,
    /// Servers that hold a core, and those that wait for the disk.
    working: usize,
    syncing: usize,
}

struct Play<'a> {
    parts: &'a [Part],
    /// That are free now, and all.
    cores: usize,
    all: usize,
    frame: f64,
    sync: Duration,
    /// None: there are always more.
    arrivals: Option<f64>,
    queues: Vec<Queue>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    made: u64,
    /// What is worked on or synced.
    under: BTreeMap<u64, Vec<f64>>,
    now: u64,
    arrived: usize,
    left: usize,
    dice: u64,
    busy: Vec<f64>,
    waits: Vec<f64>,
}

struct Played {
    seconds: f64,
    busy: Vec<f64>,
    waits: Vec<f64>,
}

impl<'a> Play<'a> {
    fn new(parts: &'a [Part], cores: Cores, frame: f64, sync: Duration, arrivals: Option<f64>) -> Play<'a> {
        Play {
            parts,
            cores: cores.0,
            all: cores.0,
            frame,
            sync,
            arrivals,
            queues: parts.iter().map(|_| Queue::default()).collect(),
            events: BinaryHeap::new(),
            made: 0,
            under: BTreeMap::new(),
            now: 0,
            arrived: 0,
            left: 0,
            dice: 1,
            busy: vec![0.0; parts.len()],
            waits: Vec::new(),
        }
    }

    fn play(mut self) -> Played {
        if self.arrivals.is_some() {
            self.at(0.0, Event::Arrives);
        }
        self.go_on();
        while self.left < FRAMES {
            let Some(Reverse((now, _, event))) = self.events.pop() else { break };
            self.now = now;
            match event {
                Event::Arrives => self.arrives(),
                Event::Worked(part, work) => self.worked(part, work),
                Event::Synced(part, work) => {
                    self.queues[part].syncing -= 1;
                    self.hand_on(part, work);
                }
            }
            self.go_on();
        }
        Played { seconds: self.now as f64 / 1e9, busy: self.busy, waits: self.waits }
    }

    fn at(&mut self, seconds: f64, event: Event) {
        self.made += 1;
        self.events.push(Reverse((self.now + (seconds * 1e9) as u64, self.made, event)));
    }

    /// Exponentially distributed, mean 1.
    fn scatter(&mut self) -> f64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        -(((self.dice >> 11) as f64 + 1.0) / (1_u64 << 53) as f64).ln()
    }

    fn arrives(&mut self) {
        let now = self.now as f64 / 1e9;
        self.queues[0].waiting.push_back(now);
        self.arrived += 1;
        if let Some(per_second) = self.arrivals
            && self.arrived < FRAMES
        {
            let gap = self.scatter() / per_second;
            self.at(gap, Event::Arrives);
        }
    }

    fn worked(&mut self, part: usize, work: u64) {
        self.cores += 1;
        self.queues[part].working -= 1;
        if self.parts[part].syncs {
            self.queues[part].syncing += 1;
            self.at(self.sync.as_secs_f64(), Event::Synced(part, work));
        } else {
            self.hand_on(part, work);
        }
    }

    fn hand_on(&mut self, part: usize, work: u64) {
        let frames = self.under.remove(&work).unwrap_or_default();
        if self.parts[part].rates {
            let now = self.now as f64 / 1e9;
            self.waits.extend(frames.iter().map(|born| now - born));
        }
        self.queues[part].blocked.extend(frames);
    }

    /// Moves what can move, and gives free cores to servers that have work, those nearest to the end first.
    fn go_on(&mut self) {
        for part in (0..self.parts.len()).rev() {
            let room =
                if part + 1 < self.parts.len() { ROOM - self.queues[part + 1].waiting.len().min(ROOM) } else { ROOM };
            for _ in 0..room.min(self.queues[part].blocked.len()) {
                let Some(frame) = self.queues[part].blocked.pop_front() else { break };
                match self.queues.get_mut(part + 1) {
                    Some(next) => next.waiting.push_back(frame),
                    None => self.left += 1,
                }
            }
            let servers = self.parts[part].servers.unwrap_or(self.all);
            loop {
                let queue = &mut self.queues[part];
                // Whoever cannot hand on what is done does nothing else meanwhile.
                let taken = queue.working + queue.syncing + queue.blocked.len();
                if self.cores == 0 || taken >= servers {
                    break;
                }
                if self.arrivals.is_none() && part == 0 {
                    queue.waiting.push_back(self.now as f64 / 1e9);
                }
                // One that waits for the disk takes all there is, since it waits as long for one as for many.
                let most = if self.parts[part].syncs { ROOM } else { 1 };
                let frames: Vec<f64> = (0..most).map_while(|_| queue.waiting.pop_front()).collect();
                if frames.is_empty() {
                    break;
                }
                queue.working += 1;
                self.cores -= 1;
                let mean = self.parts[part].micros * 1e-6 * self.frame * frames.len() as f64;
                let seconds = mean * self.scatter();
                self.busy[part] += seconds;
                let work = self.made;
                self.under.insert(work, frames);
                self.at(seconds, Event::Worked(part, work));
            }
        }
    }
}
