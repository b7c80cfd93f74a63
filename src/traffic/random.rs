//! Random numbers from a seed: the same in every run and every version.
//!
//! Does not know what they are for. Not for secrets.

/// xoshiro256++ (Blackman and Vigna), seeded by SplitMix64, as its authors advise.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Random {
        let mut state = seed;
        Random(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Below `n`, each alike (up to a bias of n in 2⁶⁴); 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// From 0 up to but not 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with that probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Exponential with mean 1: the wait for the next call of a Poisson stream.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// `n` random digits.
    pub fn digits(&mut self, n: usize, out: &mut String) {
        for _ in 0..n {
            out.push(char::from(b'0' + self.below(10) as u8));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // From the authors' C code, xoshiro256plusplus.c, state 1 2 3 4.
        let mut random = Random([1, 2, 3, 4]);
        let got: Vec<u64> = (0..4).map(|_| random.bits()).collect();
        assert_eq!(got, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
        // SplitMix64 of seed 0, from its author's C code.
        assert_eq!(Random::new(0).0[0], 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn draws_have_their_means() {
        let mut random = Random::new(7);
        let n = 100_000;
        let mut mean =
            |draw: &mut dyn FnMut(&mut Random) -> f64| (0..n).map(|_| draw(&mut random)).sum::<f64>() / n as f64;
        for (got, expected) in [
            (mean(&mut |r| r.unit()), 0.5),
            (mean(&mut |r| r.normal()), 0.0),
            (mean(&mut |r| r.normal().powi(2)), 1.0),
            (mean(&mut |r| r.exponential()), 1.0),
            (mean(&mut |r| r.below(10) as f64), 4.5),
            (mean(&mut |r| f64::from(r.chance(0.3))), 0.3),
        ] {
            // Five deviations of the mean of 100 000 draws, the widest of which deviates by 2.9.
            assert!((got - expected).abs() < 0.05, "{got} {expected}");
        }
    }
}
