//! Sections one after the other, a head before them and their digest behind.
//!
//! Does not know what a section holds.

use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::{DIGEST_BYTES, Head, Kind, LINE, MAGIC, Section, VERSION};

/// Puts an image together.
#[derive(Default)]
pub struct Writer {
    sections: Vec<(Kind, u16, Vec<u8>)>,
}

impl Writer {
    pub fn section(&mut self, kind: Kind, index: usize, bytes: Vec<u8>) {
        self.sections.push((kind, index as u16, bytes));
    }

    pub fn finish(self) -> Vec<u8> {
        let head = Head { magic: MAGIC, version: U32::new(VERSION), sections: U32::new(self.sections.len() as u32) };
        let mut offset = size_of::<Head>() + self.sections.len() * size_of::<Section>();
        let mut out = head.as_bytes().to_vec();
        for (kind, index, bytes) in &self.sections {
            offset = offset.next_multiple_of(LINE);
            let section = Section {
                kind: U16::new(*kind as u16),
                index: U16::new(*index),
                zero: U32::new(0),
                offset: U64::new(offset as u64),
                length: U64::new(bytes.len() as u64),
            };
            out.extend_from_slice(section.as_bytes());
            offset += bytes.len();
        }
        out.reserve_exact(offset + DIGEST_BYTES - out.len());
        for (_, _, bytes) in &self.sections {
            out.resize(out.len().next_multiple_of(LINE), 0);
            out.extend_from_slice(bytes);
        }
        let digest = blake3::hash(&out);
        out.extend_from_slice(digest.as_bytes());
        out
    }
}
