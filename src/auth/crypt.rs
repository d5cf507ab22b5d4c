//! crypt(3) by the system's libcrypt: DES, `$1$`, `$5$`, `$6$`, `$2y$`, `$7$`, `$y$`, `$gy$` …
//!
//! The only room besides `process` where `unsafe` stands. Of libxcrypt's functions those are called
//! that write into a buffer of the caller's and keep no state, so nothing is allocated or freed on
//! the other side.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_ulong, c_void};

use zeroize::Zeroizing;

/// `sizeof (struct crypt_data)`, which is a promise of libxcrypt's ABI.
const SCRATCH: usize = 32_768;

/// `CRYPT_GENSALT_OUTPUT_SIZE`.
const SETTING: usize = 192;

#[link(name = "crypt")]
unsafe extern "C" {
    fn crypt_rn(
        phrase: *const c_char,
        setting: *const c_char,
        scratch: *mut c_void,
        size: c_int,
    ) -> *mut c_char;

    fn crypt_gensalt_rn(
        prefix: *const c_char,
        count: c_ulong,
        random: *const c_char,
        random_len: c_int,
        output: *mut c_char,
        output_size: c_int,
    ) -> *mut c_char;
}

/// Hashes `password` with the method, cost and salt of `setting`, which may be a whole hash. `None`:
/// libcrypt does not know the method, or the password is longer than it takes (512 octets) or holds
/// a NUL, which libcrypt would take for its end.
pub fn crypt(password: &[u8], setting: &str) -> Option<String> {
    let phrase = terminated(password)?;
    let setting = CString::new(setting).ok()?;
    let mut scratch = Zeroizing::new(vec![0u8; SCRATCH]);
    // SAFETY: `phrase` and `setting` end in NUL and outlive the call, which only reads them.
    // `scratch` is zeroed, as the manual asks for, writable, and as long as `size` says; its type
    // consists of bytes, so any alignment will do.
    let hash = unsafe {
        crypt_rn(
            phrase.as_ptr().cast(),
            setting.as_ptr(),
            scratch.as_mut_ptr().cast(),
            SCRATCH as c_int,
        )
    };
    if hash.is_null() {
        return None;
    }
    // SAFETY: what is not null is a string within `scratch` that ends in NUL (crypt_rn's manual);
    // `scratch` lives to the end of this function and is not written to meanwhile.
    let hash = unsafe { CStr::from_ptr(hash) };
    let hash = hash.to_str().ok()?;
    // A failure token begins with `*`; crypt_rn does not give one, but it must never match.
    (!hash.starts_with('*')).then(|| hash.to_owned())
}

/// A setting with a new salt for [`crypt`]. `prefix` names the method (`"$y$"`), `cost` is the
/// method's own measure, 0 for its default. `None`: libcrypt does not know the method.
pub fn new_setting(prefix: &str, cost: u8) -> Option<String> {
    let prefix = CString::new(prefix).ok()?;
    let mut output = [0u8; SETTING];
    // SAFETY: `prefix` ends in NUL and outlives the call. A null `random` makes libcrypt ask the
    // system for randomness. `output` is writable and as long as its size says.
    let setting = unsafe {
        crypt_gensalt_rn(
            prefix.as_ptr(),
            c_ulong::from(cost),
            std::ptr::null(),
            0,
            output.as_mut_ptr().cast(),
            SETTING as c_int,
        )
    };
    if setting.is_null() {
        return None;
    }
    let setting = CStr::from_bytes_until_nul(&output).ok()?;
    setting.to_str().ok().map(str::to_owned)
}

/// The password as C has its strings, wiped when dropped.
fn terminated(password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if password.contains(&0) {
        return None;
    }
    let mut phrase = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    phrase.extend_from_slice(password);
    phrase.push(0);
    Some(phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_hashes_and_repeats() {
        for prefix in ["", "$1$", "$5$", "$6$", "$2y$", "$y$", "$7$"] {
            let setting = new_setting(prefix, 0).expect(prefix);
            let hash = crypt(b"secret", &setting).expect(prefix);
            assert!(hash.starts_with(prefix));
            assert_eq!(crypt(b"secret", &hash).as_deref(), Some(hash.as_str()));
            assert_ne!(crypt(b"Secret", &hash).as_deref(), Some(hash.as_str()));
            assert_ne!(new_setting(prefix, 0), Some(setting), "salts are fresh");
        }
    }

    #[test]
    fn what_cannot_be_hashed_gives_nothing() {
        assert_eq!(crypt(b"secret", ""), None);
        assert_eq!(crypt(b"secret", "*0"), None);
        assert_eq!(crypt(b"secret", "$nonsense$"), None);
        assert_eq!(crypt(b"secret", "$6$ab\0c"), None);
        assert_eq!(crypt(b"sec\0ret", "$6$salt$"), None);
        assert_eq!(crypt(&[b'x'; 600], "$6$salt$"), None);
        assert_eq!(new_setting("$nonsense$", 0), None);
    }
}
