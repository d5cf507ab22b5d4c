//! Words, quoted strings and comments of structured header fields (RFC 5322 §3.2), leniently.
//!
//! A cursor goes forward only. A quotation mark or parenthesis that is never closed is text: what would close it is
//! looked for once, so that a field full of them is still read in linear time.

/// A place in a field's body.
#[derive(Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    /// A quoted string was found open at the end: no later one is closed either.
    open_quote: bool,
    /// A comment was found open at the end: how many octets before the end stand the parentheses that are not
    /// closed. Those between them are.
    open_comments: Vec<usize>,
    /// A parenthesis that was quoted in that comment, and begins one outside of it, was found open as well: no more
    /// comments are looked for.
    no_comments: bool,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub fn new(body: &'a [u8]) -> Cursor<'a> {
        Cursor {
            rest: body,
            open_quote: false,
            open_comments: Vec::new(),
            no_comments: false,
        }
    }

    /// The next octet, not taken.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes one octet.
    pub fn bump(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Takes the octet if it is next.
    pub fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        if next {
            self.bump();
        }
        next
    }

    /// Takes octets as long as they are wanted.
    pub fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self
            .rest
            .iter()
            .position(|byte| !wanted(*byte))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// Passes over white space and comments. Gives the last comment's text, if there was one.
    pub fn skip_cfws(&mut self) -> Option<Vec<u8>> {
        let mut last = None;
        loop {
            self.take_while(is_space);
            match self.comment() {
                Some(text) => last = Some(text),
                None if self.peek() == Some(b'(') => {
                    self.bump();
                }
                None => return last,
            }
        }
    }

    /// Whether a parenthesis was passed that is never closed.
    pub fn has_open_comment(&self) -> bool {
        !self.open_comments.is_empty()
    }

    /// A comment with those inside it; parentheses of the inner ones stay.
    fn comment(&mut self) -> Option<Vec<u8>> {
        if self.peek() != Some(b'(') || self.no_comments {
            return None;
        }
        let length = self.rest.len();
        let known = self.open_comments.binary_search_by(|at| length.cmp(at));
        if known.is_ok() {
            return None;
        }
        let mut text = Vec::new();
        let mut open = Vec::new();
        let mut bytes = self.rest.iter().enumerate();
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                b'\\' => text.extend(bytes.next().map(|(_, quoted)| *quoted)),
                b'(' => {
                    if !open.is_empty() {
                        text.push(byte);
                    }
                    open.push(length - at);
                }
                b')' => {
                    open.pop();
                    if open.is_empty() {
                        self.rest = self.rest.get(at + 1..).unwrap_or_default();
                        return Some(text);
                    }
                    text.push(byte);
                }
                _ => text.push(byte),
            }
        }
        self.no_comments = !self.open_comments.is_empty();
        self.open_comments = open;
        None
    }

    /// The content of a quoted string that begins here, backslashes taken away. `None` if none begins
    /// here, or if it is never closed: its quotation mark is then text.
    pub fn quoted_string(&mut self) -> Option<Vec<u8>> {
        if self.peek() != Some(b'"') || self.open_quote {
            return None;
        }
        let mut text = Vec::new();
        let mut bytes = self.rest.iter().enumerate().skip(1);
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                // Also one before a line end, which is none even then (RFC 5322 §4.1).
                b'\\' => {
                    let quoted = bytes.next().map(|(_, quoted)| *quoted);
                    text.extend(quoted.filter(|byte| !matches!(byte, b'\r' | b'\n')));
                }
                b'"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Some(text);
                }
                b'\r' | b'\n' => {}
                _ => text.push(byte),
            }
        }
        self.open_quote = true;
        None
    }
}

/// White space, line ends included.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_nest() {
        let mut cursor = Cursor::new(b" (a (b\\) c)) \n (d) x");
        assert_eq!(cursor.skip_cfws().as_deref(), Some(&b"d"[..]));
        assert_eq!(cursor.peek(), Some(b'x'));
        let mut cursor = Cursor::new(b"(a (b\\) c))x");
        assert_eq!(cursor.skip_cfws().as_deref(), Some(&b"a (b) c)"[..]));
    }

    #[test]
    fn quoted_pairs() {
        let mut cursor = Cursor::new(b"\"a\\\r\nb\"");
        assert_eq!(cursor.quoted_string().as_deref(), Some(&b"ab"[..]));
        let mut cursor = Cursor::new(b"\"a\\\"b\\\\\r\n c\"d");
        assert_eq!(cursor.quoted_string().as_deref(), Some(&b"a\"b\\ c"[..]));
        assert_eq!(cursor.peek(), Some(b'd'));
    }

    #[test]
    fn what_is_not_closed_is_text() {
        for text in [&b"\"a"[..], b"\"a\\", b"\"a\\\"", b"\""] {
            let mut cursor = Cursor::new(text);
            assert_eq!(cursor.quoted_string(), None);
            assert_eq!(cursor.peek(), Some(b'"'));
        }
        let mut cursor = Cursor::new(b"((a) b\\");
        assert_eq!(cursor.skip_cfws().as_deref(), Some(&b"a"[..]));
        assert_eq!(cursor.peek(), Some(b'b'));
    }

    #[test]
    fn comments_within_one_that_is_not_closed() {
        let mut cursor = Cursor::new(b"(a (b) c ((d) e (\\(f) \\(g");
        let mut found = Vec::new();
        while cursor.peek().is_some() {
            found.extend(cursor.skip_cfws());
            cursor.bump();
        }
        assert_eq!(found, [&b"b"[..], b"d", b"(f"]);
    }

    #[test]
    fn unclosed_marks_cost_linear_time() {
        for text in ["(\\\"\"", "(", "\\(", "(a)(", "((a)", "(\\("] {
            let text = text.repeat(200_000);
            let mut cursor = Cursor::new(text.as_bytes());
            while cursor.peek().is_some() {
                cursor.skip_cfws();
                if cursor.quoted_string().is_none() {
                    cursor.bump();
                }
            }
        }
    }
}
