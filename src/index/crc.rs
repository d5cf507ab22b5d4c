//! CRC-32 (ISO 3309, as in gzip): tells octets that were changed or cut off.

/// What each octet does to the sum.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < table.len() {
        let mut sum = octet as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                sum >> 1 ^ 0xEDB8_8320
            } else {
                sum >> 1
            };
            bit += 1;
        }
        table[octet] = sum;
        octet += 1;
    }
    table
}

/// The sum of octets.
pub(super) fn crc(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |sum, octet| {
        let [low, ..] = sum.to_le_bytes();
        TABLE
            .get(usize::from(low ^ octet))
            .map_or(sum, |step| sum >> 8 ^ step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sum_of_the_standard() {
        assert_eq!(crc(b""), 0);
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
    }
}
