//! callrated: a real-time call-rating daemon.
//!
//! This page is the floor plan: modules in the order in which a record meets them.
//!
//! ```text
//!  socket ─▶ ingest ──batch──▶ sequencer ──append, one sync for all that waits──▶ journal
//!            wire::decode          │ ◀── durable up to Position ────────────────────┘
//!            refuse early          ├─▶ resolver: identity (seen before?), then rating::resolve (whose call?)
//!                                  │        └─by billing group─▶ shard 0..n ─ rating::rate ─┐ rated calls, usage
//!                                  └─▶ acknowledge                                          ▼
//!  timer ──flush marker──▶ sequencer … every part answers ──▶ flush ──one transaction──▶ store
//!  billing job ─▶ http ──stored──▶ store        live question ──▶ sequencer ──▶ resolver ──▶ shard, with a reply
//! ```
//!
//! What outlives the process says in its first bytes what it is and in which layout:
//!
//! | in the data folder | layout | read by |
//! | --- | --- | --- |
//! | `journal/*.seg` | 1; records in it: 1, 2 where a routing number is named, 3 where another's price is, 4 where a carrier is; pieces of calls: 1 | [`journal`], [`mod@record`], [`piece`] |
//! | `identity/` | 1 | [`identity`] |
//! | `images/*.tariff` | 2 (1 had no conditions) | [`tariff`] |
//! | `images/*.directory` | 1; or a list of them, 1 | [`directory`] |
//! | `callrated.db` | schema 8; open calls in it: 1 | [`store`], [`assembly`] |
//! | a backup's manifest | 1 | [`daemon::backup`] |
//!
//! A number is raised whenever a program that knows only the one before would read the new bytes wrongly, or not at all.
//! Whoever raises it keeps the reader of every layout ever released (the store migrates, all others are read as they are),
//! and keeps a folder of the new one in `tests/data`, which `tests/forever/released.rs` goes on with. A layout that is
//! newer than the program is refused with exit code 4. Layouts may change under one number until the first release, which
//! has not been yet; tests that hold a file's digest say so when one does.
#![deny(unsafe_code)]
#![warn(missing_docs)]

// The program: arguments, settings, the parts put together.
pub mod cli;
pub mod config;
pub mod daemon;
pub mod exit;

// The words of the house.
pub mod batch;
pub mod books;
pub mod call;
pub mod entry;
pub mod money;
pub mod names;
pub mod piece;
pub mod nearest;
pub mod record;
pub mod time;
pub mod number;

// The road.
pub mod ingest;
pub mod wire;
pub mod road;
pub mod sequencer;
pub mod journal;
pub mod identity;
pub mod resolver;
pub mod period;
pub mod assembly;
pub mod directory;
pub mod tariff;
pub mod rating;
pub mod guard;
pub mod shard;
pub mod flush;
pub mod store;

// Answers out.
pub mod audit;
pub mod explain;
pub mod http;
pub mod metrics;
pub mod shadow;

// Beside the road.
pub mod images;
pub mod poison;
pub mod rates;
pub mod tls;
pub mod traffic;
pub mod webhook;

// The ground.
pub mod os;
