//! The two inner states of HMAC-MD5 keyed by a password, as the schemes CRAM-MD5 and HMAC-MD5 keep
//! them: what RFC 2104 §4 allows an implementation to store in place of the key.
//!
//! The `md-5` crate does not show the state between blocks, so MD5's step for one block stands here
//! (RFC 1321 §3.4). Everything else that needs MD5 uses the crate.

use md5::{Digest, Md5};
use zeroize::Zeroizing;

/// One block of MD5, in octets.
const BLOCK: usize = 64;

/// MD5's state before the first block (RFC 1321 §3.3).
const INITIAL: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// How far each step turns, by round.
const TURNS: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];

/// Outer state, then inner state, each as four little-endian words.
pub fn states(password: &[u8]) -> [u8; 32] {
    let mut key = Zeroizing::new([0u8; BLOCK]);
    let hashed;
    let short: &[u8] = if password.len() > BLOCK {
        hashed = Md5::digest(password);
        &hashed
    } else {
        password
    };
    for (to, from) in key.iter_mut().zip(short) {
        *to = *from;
    }
    let mut out = [0u8; 32];
    for (half, pad) in out.chunks_exact_mut(16).zip([0x5c, 0x36]) {
        let block = Zeroizing::new(key.map(|byte| byte ^ pad));
        for (to, word) in half.chunks_exact_mut(4).zip(step(INITIAL, &block)) {
            to.copy_from_slice(&word.to_le_bytes());
        }
    }
    out
}

/// The state after one more block (RFC 1321 §3.4).
fn step(state: [u32; 4], block: &[u8; BLOCK]) -> [u32; 4] {
    let mut words = [0u32; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d] = state;
    for i in 0..BLOCK {
        let round = i / 16;
        let (mixed, word) = match round {
            0 => ((b & c) | (!b & d), i),
            1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
            2 => (b ^ c ^ d, (3 * i + 5) % 16),
            _ => (c ^ (b | !d), (7 * i) % 16),
        };
        // The table of §3.4: the whole part of 2^32 · |sin(i + 1)|.
        let sine = (4_294_967_296.0 * ((i + 1) as f64).sin().abs()) as u32;
        let sum = a
            .wrapping_add(mixed)
            .wrapping_add(words[word])
            .wrapping_add(sine)
            .rotate_left(TURNS[round][i % 4]);
        (a, d, c, b) = (d, c, b, b.wrapping_add(sum));
    }
    let [a0, b0, c0, d0] = state;
    [
        a0.wrapping_add(a),
        b0.wrapping_add(b),
        c0.wrapping_add(c),
        d0.wrapping_add(d),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_is_what_md5_makes_of_it() {
        // "abc", padded by hand to one block (RFC 1321 §3.1, §3.2).
        let mut block = [0u8; BLOCK];
        block[..4].copy_from_slice(b"abc\x80");
        block[56] = 24;
        let digest: Vec<u8> = step(INITIAL, &block)
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        assert_eq!(digest, Md5::digest(b"abc").to_vec());
    }

    #[test]
    fn a_long_password_is_hashed_first() {
        let long = [b'x'; 65];
        assert_eq!(states(&long), states(&Md5::digest(long)));
        assert_ne!(states(&long[..64]), states(&Md5::digest(&long[..64])));
    }
}
