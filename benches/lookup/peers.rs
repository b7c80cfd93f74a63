//! The structures a user would pick instead: each answers the same question over the same prefixes.
//!
//! All take the number as ASCII digits, as it stands in a record; what a structure needs of it (packing it, cutting it)
//! is in its time. Ids are places in lexicographic order of the prefixes, the same for all of them.

use callrated::number::Number;
use callrated::number::prefix::lexicographic;
use hashbrown::HashMap;

/// No prefix.
pub const NONE: u32 = u32::MAX;

/// A hash table probed once per length that occurs, the longest first.
pub struct HashPerLength {
    ids: HashMap<u64, u32, foldhash::fast::FixedState>,
    lengths: u32,
}

impl HashPerLength {
    pub fn new(sorted: &[Number]) -> HashPerLength {
        let ids = sorted.iter().zip(0..).map(|(n, id)| (n.0, id)).collect();
        HashPerLength { ids, lengths: sorted.iter().fold(0, |bits, n| bits | 1 << n.len()) }
    }

    #[inline(always)]
    pub fn longest(&self, number: Number) -> u32 {
        let mut lengths = self.lengths;
        while lengths != 0 {
            let n = 31 - lengths.leading_zeros();
            if let Some(id) = self.ids.get(&number.prefix(n as usize).0) {
                return *id;
            }
            lengths &= !(1 << n);
        }
        NONE
    }

    pub fn bytes(&self) -> usize {
        self.ids.allocation_size()
    }
}

/// A sorted array with binary search: the last prefix not behind the number, then up its parents until one fits.
pub struct SortedArray {
    keys: Vec<u64>,
    prefixes: Vec<Number>,
    parents: Vec<u32>,
}

impl SortedArray {
    pub fn new(sorted: &[Number]) -> SortedArray {
        let mut open: Vec<u32> = Vec::new();
        let parents = sorted
            .iter()
            .zip(0..)
            .map(|(n, id)| {
                while open.last().is_some_and(|last| !n.starts_with(sorted[*last as usize])) {
                    open.pop();
                }
                let parent = open.last().copied().unwrap_or(NONE);
                open.push(id);
                parent
            })
            .collect();
        SortedArray { keys: sorted.iter().map(|n| lexicographic(*n)).collect(), prefixes: sorted.to_vec(), parents }
    }

    #[inline(always)]
    pub fn longest(&self, number: Number) -> u32 {
        let key = lexicographic(number);
        let mut id = (self.keys.partition_point(|k| *k <= key) as u32).wrapping_sub(1);
        while id != NONE && !number.starts_with(self.prefixes[id as usize]) {
            id = self.parents[id as usize];
        }
        id
    }

    pub fn bytes(&self) -> usize {
        self.keys.len() * 8 + self.prefixes.len() * 8 + self.parents.len() * 4
    }
}

/// A trie with an array of ten children a node and the node's own answer.
pub struct TenAry {
    nodes: Vec<[u32; 11]>,
}

impl TenAry {
    pub fn new(sorted: &[Number]) -> TenAry {
        let mut nodes = vec![[0; 11]];
        nodes[0][10] = NONE;
        for (number, id) in sorted.iter().zip(0..) {
            let mut at = 0;
            for i in 0..number.len() {
                let digit = usize::from(number.digit(i).expect("a digit"));
                if nodes[at][digit] == 0 {
                    nodes[at][digit] = nodes.len() as u32;
                    let mut node = [0; 11];
                    node[10] = NONE;
                    nodes.push(node);
                }
                at = nodes[at][digit] as usize;
            }
            nodes[at][10] = id;
        }
        TenAry { nodes }
    }

    #[inline(always)]
    pub fn longest(&self, digits: &[u8]) -> u32 {
        let (mut at, mut best) = (0, self.nodes[0][10]);
        for b in digits {
            // Digits only: what a number may hold was checked where it was read.
            at = self.nodes[at][usize::from(b & 0xF).min(9)] as usize;
            if at == 0 {
                break;
            }
            let answer = self.nodes[at][10];
            best = if answer == NONE { best } else { answer };
        }
        best
    }

    pub fn bytes(&self) -> usize {
        self.nodes.len() * size_of::<[u32; 11]>()
    }
}

/// A double array: crate `yada`.
pub struct Yada {
    array: yada::DoubleArray<Vec<u8>>,
    bytes: usize,
}

impl Yada {
    pub fn new(sorted: &[Number]) -> Yada {
        let texts: Vec<String> = sorted.iter().map(Number::to_string).collect();
        let keys: Vec<(&str, u32)> = texts.iter().map(String::as_str).zip(0..).collect();
        let bytes = yada::builder::DoubleArrayBuilder::build(&keys).expect("sorted unique keys");
        let size = bytes.len();
        Yada { array: yada::DoubleArray::new(bytes).expect("what was just built"), bytes: size }
    }

    #[inline(always)]
    pub fn longest(&self, digits: &[u8]) -> u32 {
        self.array.common_prefix_search(digits).last().map_or(NONE, |(id, _)| id)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A finite state transducer: crate `fst`.
pub struct Fst {
    map: fst::Map<Vec<u8>>,
}

impl Fst {
    pub fn new(sorted: &[Number]) -> Fst {
        let pairs = sorted.iter().zip(0..).map(|(n, id): (&Number, u64)| (n.to_string(), id));
        Fst { map: fst::Map::from_iter(pairs).expect("sorted unique keys") }
    }

    #[inline(always)]
    pub fn longest(&self, digits: &[u8]) -> u32 {
        let fst = self.map.as_fst();
        let (mut node, mut sum, mut best) = (fst.root(), 0_u64, NONE);
        for b in digits {
            let Some(i) = node.find_input(*b) else { break };
            let transition = node.transition(i);
            sum += transition.out.value();
            node = fst.node(transition.addr);
            if node.is_final() {
                best = (sum + node.final_output().value()) as u32;
            }
        }
        best
    }

    pub fn bytes(&self) -> usize {
        self.map.as_fst().size()
    }
}
