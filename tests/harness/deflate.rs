//! The client's side of COMPRESS=DEFLATE (RFC 4978).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// Both directions.
pub struct Deflate {
    out: Compress,
    input: Decompress,
    /// Octets that came, as they came.
    pub received: u64,
}

impl Deflate {
    pub fn new() -> Deflate {
        Deflate {
            out: Compress::new(Compression::default(), false),
            input: Decompress::new(false),
            received: 0,
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

    /// What octets that came say. What is no deflate fails the test.
    pub fn unpack(&mut self, mut packed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.received += packed.len() as u64;
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
