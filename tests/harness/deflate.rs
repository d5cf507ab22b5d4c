//! The client's side of COMPRESS=DEFLATE (RFC 4978).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// Both directions.
pub struct Deflate {
    out: Compress,
    input: Decompress,
    /// Octets that came, as they came.
    pub received: u64,
    /// Those of them behind the last flush that was looked at.
    pub ahead: Vec<u8>,
}

/// What a flush ends in (RFC 1951 §3.2.4).
const FLUSHED: &[u8] = &[0, 0, 0xff, 0xff];

impl Deflate {
    pub fn new() -> Deflate {
        Deflate {
            out: Compress::new(Compression::default(), false),
            input: Decompress::new(false),
            received: 0,
            ahead: Vec::new(),
        }
    }

    /// Octets to send for these.
    pub fn pack(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(bytes.len() + 1024);
        self.out
            .compress_vec(bytes, &mut packed, FlushCompress::Sync)
            .unwrap();
        assert!(packed.len() < packed.capacity());
        packed
    }

    /// What octets that came say, up to a flush: behind it compression may have ended. What is no deflate fails the
    /// test.
    pub fn unpack(&mut self, came: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.received += came.len() as u64;
        self.ahead.extend_from_slice(came);
        let mut places = self.ahead.windows(FLUSHED.len());
        let end = places.position(|place| place == FLUSHED);
        let end = end.map_or(self.ahead.len(), |at| at + FLUSHED.len());
        let packed: Vec<u8> = self.ahead.drain(..end).collect();
        let mut packed = &packed[..];
        loop {
            bytes.reserve(64 << 10);
            let before = self.input.total_in();
            self.input
                .decompress_vec(packed, &mut bytes, FlushDecompress::None)
                .unwrap();
            packed = &packed[(self.input.total_in() - before) as usize..];
            if packed.is_empty() && bytes.len() < bytes.capacity() {
                return bytes;
            }
        }
    }
}
