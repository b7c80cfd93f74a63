//! Decks and lists of them, as stored.
//!
//! Does not know rows.

use serde::{Deserialize, Serialize};

/// A deck; decks are in the order of their names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredDeck {
    pub name: String,
    pub first_row: u32,
    pub rows: u32,
    pub currency: Option<String>,
    pub timezone: String,
    pub source: String,
}

/// A list of decks, first choice first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredList {
    pub decks: Vec<u16>,
    /// Set where id n of the map is simply row `first_row + n`: one deck, one row a prefix.
    pub first_row: Option<u32>,
}
