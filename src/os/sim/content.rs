//! The content of one simulated file: what is durable, what was written since, what a failed sync left behind.
//!
//! Does not know names, faults or chance; the disk decides and this carries it out.

use std::collections::{BTreeMap, BTreeSet};

use super::SECTOR;

pub(super) type Sector = Box<[u8; SECTOR]>;

#[derive(Clone, Default)]
pub(super) struct Content {
    pub durable: BTreeMap<u64, Sector>,
    pub durable_length: u64,
    /// Versions written since the last good sync, oldest first; the last one is what is read.
    pub unsynced: BTreeMap<u64, Vec<Sector>>,
    /// Left behind by a failed sync: read, never written.
    pub phantom: BTreeMap<u64, Sector>,
    /// Lengths since the last good sync, oldest first.
    pub lengths: Vec<u64>,
    pub length: u64,
    /// Its memory was given back.
    pub forgotten: bool,
}

impl Content {
    pub fn sector(&self, at: u64) -> Option<&Sector> {
        let written = self.unsynced.get(&at).and_then(|versions| versions.last());
        written.or_else(|| self.phantom.get(&at)).or_else(|| self.durable.get(&at))
    }

    /// Fills the buffer; the caller has seen to it that it ends before the file does.
    pub fn read(&self, buffer: &mut [u8], offset: u64) {
        let mut done = 0;
        while done < buffer.len() {
            let place = offset + done as u64;
            let (at, within) = (place / SECTOR as u64, (place % SECTOR as u64) as usize);
            let n = (SECTOR - within).min(buffer.len() - done);
            match self.sector(at) {
                Some(sector) => buffer[done..done + n].copy_from_slice(&sector[within..within + n]),
                None => buffer[done..done + n].fill(0),
            }
            done += n;
        }
    }

    pub fn write(&mut self, bytes: &[u8], offset: u64) {
        let mut done = 0;
        while done < bytes.len() {
            let place = offset + done as u64;
            let (at, within) = (place / SECTOR as u64, (place % SECTOR as u64) as usize);
            let n = (SECTOR - within).min(bytes.len() - done);
            let mut sector = self.sector(at).cloned().unwrap_or_else(blank);
            sector[within..within + n].copy_from_slice(&bytes[done..done + n]);
            self.unsynced.entry(at).or_default().push(sector);
            done += n;
        }
        self.set_length(self.length.max(offset + bytes.len() as u64));
    }

    pub fn set_length(&mut self, length: u64) {
        if length < self.length {
            // What is cut off reads as zero should the file grow again.
            let from = length / SECTOR as u64;
            let maps = self.durable.keys().chain(self.unsynced.keys()).chain(self.phantom.keys());
            let touched: BTreeSet<u64> = maps.copied().filter(|at| *at >= from).collect();
            for at in touched {
                let mut sector = self.sector(at).cloned().unwrap_or_else(blank);
                let keep = if at == from { (length % SECTOR as u64) as usize } else { 0 };
                sector[keep..].fill(0);
                self.unsynced.entry(at).or_default().push(sector);
            }
        }
        if length != self.length {
            self.length = length;
            self.lengths.push(length);
        }
    }

    pub fn sync(&mut self) {
        for (at, mut versions) in std::mem::take(&mut self.unsynced) {
            // A sector written again is dirty again, whatever failed before.
            self.phantom.remove(&at);
            if let Some(last) = versions.pop() {
                self.durable.insert(at, last);
            }
        }
        self.lengths.clear();
        self.durable_length = self.length;
    }

    pub fn sync_failed(&mut self) {
        for (at, mut versions) in std::mem::take(&mut self.unsynced) {
            if let Some(last) = versions.pop() {
                self.phantom.insert(at, last);
            }
        }
    }

    pub fn cut_durable(&mut self, length: u64) {
        self.length = length;
        self.durable_length = length;
        self.durable.retain(|at, _| at * (SECTOR as u64) < length);
        let within = (length % SECTOR as u64) as usize;
        if let Some(sector) = self.durable.get_mut(&(length / SECTOR as u64)) {
            sector[within..].fill(0);
        }
    }
}

pub(super) fn blank() -> Sector {
    Box::new([0; SECTOR])
}
