//! Longest prefix of a number among many: the structure behind every look-up.
//! (Skeleton: naive; to be replaced by the measured layout, same API.)

use super::Number;

/// Builds the section bytes from distinct prefixes in lexicographic order (ids are indexes in that order).
pub fn build(_sorted: &[Number]) -> Vec<u8> {
    todo!()
}

/// A validated view over the bytes of a prefix map.
#[derive(Clone, Copy)]
pub struct PrefixMap<'a> {
    pub bytes: &'a [u8],
}

impl<'a> PrefixMap<'a> {
    /// Checks everything once.
    pub fn validate(_bytes: &'a [u8]) -> Result<PrefixMap<'a>, &'static str> {
        todo!()
    }
    /// A view over bytes that `validate` accepted before.
    pub fn trusted(bytes: &'a [u8]) -> PrefixMap<'a> {
        PrefixMap { bytes }
    }
    /// Id of the longest prefix.
    pub fn longest(&self, _number: Number) -> Option<u32> {
        todo!()
    }
    /// Many at once; `u32::MAX` where there is none.
    pub fn longest_batch(&self, _numbers: &[Number], _out: &mut [u32]) {
        todo!()
    }
    /// Id of the next shorter prefix in the map.
    pub fn parent(&self, _id: u32) -> Option<u32> {
        todo!()
    }
    /// How many prefixes.
    pub fn len(&self) -> u32 {
        todo!()
    }
}
