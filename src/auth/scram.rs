//! SCRAM, the server's messages and the client's (RFC 5802 §5 and §7; with SHA-256 RFC 7677), as values. Neither where a
//! user's keys come from is known here, nor what follows from a proof. Octets are already out of base64.
//!
//! The -PLUS forms bind a login to its TLS connection, so that nobody in between can pass it on: both ends put what they
//! know of the connection into the proof.

use serde::{Deserialize, Serialize};

use super::digest::{equal, hex, random};
use super::scram_keys::{Hash, Keys};

/// The longest nonce a client may have, in octets.
const NONCE_MAX: usize = 1024;

/// What both ends of one TLS connection know of it (RFC 5056).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// tls-exporter (RFC 9266); `None` before TLS 1.3.
    pub exporter: Option<Vec<u8>>,
    /// tls-server-end-point (RFC 5929 §4): the hash of the server's certificate; `None` where it has no such hash.
    pub end_point: Option<Vec<u8>>,
}

impl Channel {
    /// What binds to it, by the name the type is registered under.
    fn by_type(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.exporter.as_deref(),
            "tls-server-end-point" => self.end_point.as_deref(),
            _ => None,
        }
    }
}

/// `client-first-message`.
#[derive(Debug, PartialEq, Eq)]
pub struct First {
    /// Who logs in.
    pub user: String,
    /// As whom, where that is said.
    pub authorize_as: Option<String>,
    /// What the client has to repeat in `c=`: its own header, and what it is bound to.
    bound: Vec<u8>,
    bare: String,
    nonce: String,
}

impl First {
    /// Takes the message apart. `plus`: by a -PLUS mechanism. `channel`: `None` where no such mechanism is offered. The
    /// answer `None` ends the exchange: it is no such message, or the client asks for what is not there, or somebody has
    /// hidden from it that -PLUS is offered (RFC 5802 §6).
    pub fn parse(message: &[u8], plus: bool, channel: Option<&Channel>) -> Option<First> {
        let message = std::str::from_utf8(message).ok()?;
        if message.contains('\0') {
            return None;
        }
        let (flag, rest) = message.split_once(',')?;
        let (authorize_as, bare) = rest.split_once(',')?;
        let binding = match (flag, plus) {
            ("n", false) => None,
            ("y", false) if channel.is_none() => None,
            (flag, true) => Some(channel?.by_type(flag.strip_prefix("p=")?)?),
            _ => return None,
        };
        let authorize_as = match authorize_as {
            "" => None,
            name => Some(saslname(name.strip_prefix("a=")?)?),
        };
        let header = message.strip_suffix(bare)?;
        let bound = [header.as_bytes(), binding.unwrap_or_default()].concat();
        // An extension that must be understood, `m=`, would stand first, and none is.
        let mut fields = bare.split(',');
        let user = saslname(fields.next()?.strip_prefix("n=")?)?;
        let nonce = fields.next()?.strip_prefix("r=")?.to_owned();
        let is_printable = nonce.bytes().all(|octet| octet.is_ascii_graphic());
        if nonce.is_empty() || nonce.len() > NONCE_MAX || !is_printable {
            return None;
        }
        Some(First {
            user,
            authorize_as,
            bound,
            bare: bare.to_owned(),
            nonce,
        })
    }

    /// The server's answer, `server-first-message`. `own` is its part of the nonce, new each time.
    pub fn answer(self, hash: Hash, keys: Keys, own: &str) -> (Exchange, String) {
        let nonce = self.nonce + own;
        let salt = base64_simd::STANDARD.encode_to_string(&keys.salt);
        let answer = format!("r={nonce},s={salt},i={}", keys.rounds);
        let exchange = Exchange {
            hash,
            keys,
            bound: self.bound,
            messages: format!("{},{answer},", self.bare),
            nonce,
        };
        (exchange, answer)
    }
}

/// A new nonce; `None`: the system has no randomness.
pub fn nonce() -> Option<String> {
    random::<18>().map(|octets| hex(&octets))
}

/// `saslname`: `=2C` is a comma, `=3D` an equals sign, and one does not stand for itself.
fn saslname(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (character, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    (!name.is_empty()).then_some(name)
}

/// One that waits for the client's proof.
#[derive(Debug)]
pub struct Exchange {
    hash: Hash,
    keys: Keys,
    bound: Vec<u8>,
    nonce: String,
    /// Of `AuthMessage` what was said so far.
    messages: String,
}

impl Exchange {
    /// Takes `client-final-message`: `Some` with `server-final-message` where the proof is right.
    pub fn finish(self, message: &[u8]) -> Option<String> {
        let message = std::str::from_utf8(message).ok()?;
        let (unproven, proof) = message.rsplit_once(",p=")?;
        let mut fields = unproven.split(',');
        let decode = |text: &str| base64_simd::STANDARD.decode_to_vec(text).ok();
        let bound = decode(fields.next()?.strip_prefix("c=")?)?;
        let nonce = fields.next()?.strip_prefix("r=")?;
        let proof = decode(proof)?;
        let messages = self.messages + unproven;
        let signature = self.hash.mac(&self.keys.stored, messages.as_bytes());
        if proof.len() != signature.len() {
            return None;
        }
        let pairs = proof.iter().zip(&signature);
        let client: Vec<u8> = pairs.map(|(left, right)| left ^ right).collect();
        let is_right = equal(&self.hash.digest(&client), &self.keys.stored);
        if !is_right || bound != self.bound || nonce != self.nonce {
            return None;
        }
        let verifier = self.hash.mac(&self.keys.server, messages.as_bytes());
        let verifier = base64_simd::STANDARD.encode_to_string(verifier);
        Some(format!("v={verifier}"))
    }
}

#[cfg(test)]
pub(super) mod tests;
