//! Where to listen, and whom to believe: addresses, networks and socket files.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::system::Id;
use super::value::{Complaint, Value, expected, from_string, quoted};
use super::words::AuthProtocol;

/// A socket file that an MTA connects to: a bare path, or a table with owner and mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketFile {
    /// The socket file.
    pub path: PathBuf,
    /// What is spoken there.
    pub kind: AuthProtocol,
    /// Who owns it; `None`: root.
    pub user: Option<Id>,
    /// Its group; `None`: root's.
    pub group: Option<Id>,
    /// Its permission bits, 0 to 0o777; `None`: what is spoken there decides.
    pub mode: Option<u32>,
}

/// Where a service listens: a socket file or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket file.
    Socket(SocketFile),
    /// An address and port.
    Address(SocketAddr),
}

/// A range of addresses, `10.0.0.0/8`; an address alone is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether `address` lies in the range. An IPv4 address that came in by an IPv6 socket
    /// (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                let shift = 32u32.saturating_sub(u32::from(self.prefix));
                let differ = range.to_bits() ^ address.to_bits();
                differ.checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                let shift = 128u32.saturating_sub(u32::from(self.prefix));
                let differ = range.to_bits() ^ address.to_bits();
                differ.checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let expected = || format!("{text:?} is no network; expected one like \"10.0.0.0/8\"");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| expected())?,
            None => widest,
        };
        if prefix > widest {
            return Err(expected());
        }
        Ok(Network { address, prefix })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Socket(socket) => write!(f, "{}", socket.path.display()),
            Endpoint::Address(address) => write!(f, "{address}"),
        }
    }
}

/// Reads `address:port`; `localhost` stands for 127.0.0.1.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:")
        && let Ok(port) = port.parse()
    {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| {
        format!("{text:?} is no address; expected one like \"127.0.0.1:143\" or \"[::]:143\"")
    })
}

impl Value for SocketAddr {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<SocketAddr> {
        from_string(
            from,
            "an address like \"[::]:143\"",
            complaints,
            parse_address,
        )
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl Value for Endpoint {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Endpoint> {
        if from.get_ref().is_table() {
            let socket = SocketFile::read(from, complaints)?;
            if socket.kind != AuthProtocol::default() {
                let text = "kind: is for listen.auth alone".to_owned();
                complaints.push((from.span(), text));
                return None;
            }
            return Some(Endpoint::Socket(socket));
        }
        let expected = "a path, a table with one, or an address";
        from_string(from, expected, complaints, |text| {
            if text.starts_with('/') && !text.contains('\0') {
                return Ok(Endpoint::Socket(SocketFile {
                    path: PathBuf::from(text),
                    ..SocketFile::default()
                }));
            }
            parse_address(text).map(Endpoint::Address).map_err(|_| {
                format!("{text:?} is neither a path (which begins with /) nor an address like \"127.0.0.1:24\"")
            })
        })
    }

    fn write(&self) -> Option<String> {
        match self {
            Endpoint::Socket(socket) => socket.write(),
            Endpoint::Address(address) => Some(quoted(&address.to_string())),
        }
    }
}

impl Value for Network {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Network> {
        from_string(
            from,
            "a network like \"10.0.0.0/8\"",
            complaints,
            str::parse,
        )
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl Value for SocketFile {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<SocketFile> {
        let Some(table) = from.get_ref().as_table() else {
            if !from.get_ref().is_str() {
                return expected(from, "a path or a table with one", complaints);
            }
            return PathBuf::read(from, complaints).map(|path| SocketFile {
                path,
                ..SocketFile::default()
            });
        };
        let before = complaints.len();
        let mut socket = SocketFile::default();
        for (name, value) in table {
            match &**name.get_ref() {
                "path" => socket.path = PathBuf::read(value, complaints).unwrap_or_default(),
                "user" => socket.user = Id::read(value, complaints),
                "group" => socket.group = Id::read(value, complaints),
                "kind" => socket.kind = AuthProtocol::read(value, complaints).unwrap_or_default(),
                "mode" => {
                    socket.mode = from_string(value, "a mode like \"0660\"", complaints, |text| {
                        u32::from_str_radix(text, 8)
                            .ok()
                            .filter(|mode| *mode <= 0o777)
                            .ok_or_else(|| {
                                format!("{text:?} is no mode; expected one like \"0660\"")
                            })
                    });
                }
                other => complaints.push((
                    name.span(),
                    format!("unknown key {other:?}; expected path, kind, user, group or mode"),
                )),
            }
        }
        if complaints.len() == before && socket.path.as_os_str().is_empty() {
            complaints.push((from.span(), "path is missing".to_owned()));
        }
        (complaints.len() == before).then_some(socket)
    }

    fn write(&self) -> Option<String> {
        let path = self.path.write()?;
        let mut fields = vec![format!("path = {path}")];
        if self.kind != AuthProtocol::default() {
            fields.push(format!("kind = {}", self.kind.write()?));
        }
        if let Some(user) = self.user.write() {
            fields.push(format!("user = {user}"));
        }
        if let Some(group) = self.group.write() {
            fields.push(format!("group = {group}"));
        }
        if let Some(mode) = self.mode {
            fields.push(format!("mode = \"{mode:04o}\""));
        }
        if fields.len() == 1 {
            return Some(path);
        }
        Some(format!("{{ {} }}", fields.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let in_network = |network: &str, address: &str| {
            let network: Network = network.parse().expect("network");
            network.contains(address.parse().expect("address"))
        };
        assert!(in_network("10.0.0.0/8", "10.255.1.2"));
        assert!(!in_network("10.0.0.0/8", "11.0.0.1"));
        assert!(in_network("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(in_network("192.0.2.7", "192.0.2.7"));
        assert!(!in_network("192.0.2.7", "192.0.2.6"));
        assert!(in_network("0.0.0.0/0", "203.0.113.9"));
        assert!(!in_network("0.0.0.0/0", "2001:db8::1"));
        assert!(in_network("2001:db8::/32", "2001:db8:1::1"));
        assert!(in_network("::/0", "2001:db8::1"));
        for bad in ["10.0.0.0/33", "::/129", "x", "10.0.0.0/", "/8", "10.0.0/8"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        assert!(parse_address("[::]:143").is_ok());
        assert_eq!(
            parse_address("localhost:1143").unwrap().to_string(),
            "127.0.0.1:1143"
        );
        for bad in [
            "143",
            ":143",
            "::143",
            "host.example:143",
            "1.2.3.4",
            "1.2.3.4:99999",
        ] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }
}
