//! The PROXY protocol, versions 1 and 2: what a proxy says of a connection before the client says anything
//! (<https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>). Whose word counts is not decided here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How long a header may take; the proxy has it at hand.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// LOCAL and PROXY, of version 2.
const COMMANDS: [u8; 2] = [0x20, 0x21];

/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";

/// What a header begins with.
const FRONTS: [&[u8]; 4] = [&SIGNATURE, b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN"];

/// The longest line of version 1, with its end: "a 108-byte buffer is always enough" for it and a NUL.
const LINE_MAX: usize = 107;

/// The longest rest of a header of version 2, in octets: addresses, and what is said beside them, which nobody needs here.
const REST_MAX: u16 = 4096;

/// The two ends of a connection as the client sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// Where it connected to.
    pub destination: SocketAddr,
}

/// Reads a header and nothing behind it, and of what is none no more than it takes to see that. `None`: the connection is the proxy's own (`LOCAL`), or it does not know whose
/// it is (`UNKNOWN`).
///
/// # Errors
///
/// `InvalidData` for what is no such header, and what the socket says.
pub async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Ends>> {
    // No header of either version is shorter.
    let mut begin = [0; SIGNATURE.len()];
    let mut come = 0;
    while let Some(room) = begin.get_mut(come..).filter(|room| !room.is_empty()) {
        match stream.read(room).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => come += more,
        }
        // Who says something else does not wait for an answer that never comes.
        if !may_begin(begin.get(..come).unwrap_or_default()) {
            return Err(invalid("no PROXY header"));
        }
    }
    if begin == SIGNATURE {
        return read_version_2(stream).await;
    }
    let mut line = begin.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE_MAX {
            return Err(invalid("the PROXY header does not end"));
        }
        line.push(stream.read_u8().await?);
    }
    let line = line.strip_suffix(b"\r\n").unwrap_or_default();
    version_1(line).ok_or_else(|| invalid("a PROXY header of version 1 that is none"))
}

/// Whether a header may begin like this.
fn may_begin(octets: &[u8]) -> bool {
    let mut fronts = FRONTS.iter();
    fronts.any(|front| front.iter().zip(octets).all(|(one, other)| one == other))
}

async fn read_version_2(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Ends>> {
    let command = stream.read_u8().await?;
    if !COMMANDS.contains(&command) {
        return Err(invalid("a PROXY header of version 2 that is none"));
    }
    let family = stream.read_u8().await?;
    let length = stream.read_u16().await?;
    if length > REST_MAX {
        return Err(invalid("the PROXY header is too long"));
    }
    let mut rest = vec![0; usize::from(length)];
    stream.read_exact(&mut rest).await?;
    version_2(command, family, &rest)
        .ok_or_else(|| invalid("a PROXY header of version 2 that is none"))
}

/// A line without its end; `Some(None)`: it says that nothing is known.
fn version_1(line: &[u8]) -> Option<Option<Ends>> {
    let line = std::str::from_utf8(line.strip_prefix(WORD)?).ok()?;
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(None);
    }
    let mut fields = line.split(' ');
    let family = fields.next()?;
    let mut address = || -> Option<IpAddr> {
        let text = fields.next()?;
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, destination) = (address()?, address()?);
    let mut port = || -> Option<u16> {
        let text = fields.next()?;
        let digits = text.bytes().all(|octet| octet.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let (from, to) = (port()?, port()?);
    fields.next().is_none().then_some(Some(Ends {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
    }))
}

/// The octets behind the signature: version and command, family and protocol, and the rest behind its length.
fn version_2(command: u8, family: u8, rest: &[u8]) -> Option<Option<Ends>> {
    match command {
        // LOCAL: whatever else it says is skipped.
        0x20 => return Some(None),
        0x21 => {}
        _ => return None,
    }
    let ends = match family {
        // UNSPEC, and a Unix socket.
        0x00 | 0x31 => return Some(None),
        // TCP over IPv4.
        0x11 => {
            let (source, rest) = rest.split_first_chunk::<4>()?;
            let (destination, rest) = rest.split_first_chunk::<4>()?;
            ends((*source).into(), (*destination).into(), rest)?
        }
        // TCP over IPv6.
        0x21 => {
            let (source, rest) = rest.split_first_chunk::<16>()?;
            let (destination, rest) = rest.split_first_chunk::<16>()?;
            ends((*source).into(), (*destination).into(), rest)?
        }
        _ => return None,
    };
    Some(Some(ends))
}

/// Two addresses, and the ports behind them.
fn ends(source: IpAddr, destination: IpAddr, rest: &[u8]) -> Option<Ends> {
    let (from, rest) = rest.split_first_chunk()?;
    let (to, _) = rest.split_first_chunk()?;
    Some(Ends {
        source: SocketAddr::new(source, u16::from_be_bytes(*from)),
        destination: SocketAddr::new(destination, u16::from_be_bytes(*to)),
    })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use tokio::time::timeout;

    use super::*;

    /// What is read of these octets, and how many are left.
    fn read(octets: &[u8]) -> (io::Result<Option<Ends>>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut left = octets;
        let said = runtime.block_on(read_header(&mut left));
        (said, left.len())
    }

    fn both(source: &str, destination: &str) -> Ends {
        Ends {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[test]
    fn version_1_by_its_examples() {
        for (line, ends) in [
            (
                "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
                Some(both("255.255.255.255:65535", "255.255.255.255:65535")),
            ),
            (
                "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
                Some(both("192.168.0.1:56324", "192.168.0.11:443")),
            ),
            (
                "PROXY TCP6 2001:db8::1 ::1 1 993\r\n",
                Some(both("[2001:db8::1]:1", "[::1]:993")),
            ),
            ("PROXY UNKNOWN\r\n", None),
            (
                "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
                None,
            ),
        ] {
            let (said, left) = read(format!("{line}a NOOP\r\n").as_bytes());
            assert_eq!((said.unwrap(), left), (ends, 8), "{line}");
        }
    }

    #[test]
    fn version_2_with_and_without_more() {
        let four = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0, 143];
        let ends = Some(both("192.0.2.1:4660", "198.51.100.2:143"));
        let more = [&four[..], &[4, 0, 1, 0]].concat();
        let mut six = [0; 36];
        (six[0], six[15], six[31], six[35]) = (0x20, 1, 2, 7);
        for (octets, expected) in [
            (v2(0x21, 0x11, &four), ends),
            (v2(0x21, 0x11, &more), ends),
            (v2(0x21, 0x21, &six), Some(both("[2000::1]:0", "[::2]:7"))),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &four), None),
            (v2(0x21, 0x00, &[1, 2, 3]), None),
        ] {
            let (said, left) = read(&[&octets[..], b"rest"].concat());
            assert_eq!((said.unwrap(), left), (expected, 4), "{octets:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_become_a_header_is_not_waited_for() {
        let v2 = |command: u8| [&SIGNATURE[..], &[command]].concat();
        for (octets, waits) in [
            (b"a".to_vec(), false),
            (b"PROXX".to_vec(), false),
            (b"PROXY TCP5".to_vec(), false),
            (b"\r\n\r\nx".to_vec(), false),
            (v2(0x11), false),
            (b"".to_vec(), true),
            (b"P".to_vec(), true),
            (b"PROXY ".to_vec(), true),
            (b"PROXY TCP6 ".to_vec(), true),
            (b"PROXY UNKNOWN".to_vec(), true),
            (SIGNATURE.to_vec(), true),
            (v2(0x21), true),
        ] {
            let (mut client, mut server) = tokio::io::duplex(100);
            client.write_all(&octets).await.unwrap();
            let read = timeout(HEADER_TIMEOUT, read_header(&mut server)).await;
            assert_eq!(read.is_err(), waits, "{octets:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let endless = format!("PROXY UNKNOWN {}\r\n", "x".repeat(200));
        for line in [
            "a LOGIN u p\r\na NOOP\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\n\n",
            endless.as_str(),
        ] {
            assert!(read(line.as_bytes()).0.is_err(), "{line}");
        }
        for octets in [
            v2(0x11, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x12, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 12]),
            v2(0x20, 0x00, &[0; 5000]),
        ] {
            assert!(read(&octets).0.is_err(), "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_is_more_than_refused(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&octets);
            let _ = read(&[&SIGNATURE[..], &octets].concat());
            let _ = read(&[WORD, &octets].concat());
        }
    }
}
