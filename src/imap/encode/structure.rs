//! ENVELOPE and BODYSTRUCTURE (RFC 3501 §7.4.2, §9 `envelope` and `body`).

use crate::imap::encode::string::{nil, nstring, number, string};
use crate::imap::structure::{
    Address, BodyFields, BodyStructure, CommonExtension, Envelope, Parameter, SingleKind,
};

/// What stands for the parts of a multipart that has none, since the grammar wants one at least.
const NO_PART: &[u8] = b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)";

/// `envelope`
pub(super) fn envelope(out: &mut Vec<u8>, envelope: &Envelope) {
    out.push(b'(');
    nstring(out, envelope.date.as_deref());
    out.push(b' ');
    nstring(out, envelope.subject.as_deref());
    for list in [
        &envelope.from,
        &envelope.sender,
        &envelope.reply_to,
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ] {
        out.push(b' ');
        addresses(out, list);
    }
    out.push(b' ');
    nstring(out, envelope.in_reply_to.as_deref());
    out.push(b' ');
    nstring(out, envelope.message_id.as_deref());
    out.push(b')');
}

/// `env-from` and its like: `"(" 1*address ")" / nil`, without spaces between.
fn addresses(out: &mut Vec<u8>, list: &[Address]) {
    if list.is_empty() {
        return nil(out);
    }
    out.push(b'(');
    for address in list {
        out.push(b'(');
        nstring(out, address.name.as_deref());
        out.push(b' ');
        nstring(out, address.adl.as_deref());
        out.push(b' ');
        nstring(out, address.mailbox.as_deref());
        out.push(b' ');
        nstring(out, address.host.as_deref());
        out.push(b')');
    }
    out.push(b')');
}

/// `body`, with extension data where the value has it. It calls itself for parts in parts; how deep
/// they may be is for the maker of the value to limit, and the room `message` does.
pub(super) fn body(out: &mut Vec<u8>, structure: &BodyStructure) {
    out.push(b'(');
    match structure {
        BodyStructure::Single {
            fields,
            kind,
            extension,
        } => {
            body_fields(out, fields);
            match kind {
                SingleKind::Basic => {}
                SingleKind::Message {
                    envelope: inner,
                    body: structure,
                    lines,
                } => {
                    out.push(b' ');
                    envelope(out, inner);
                    out.push(b' ');
                    body(out, structure);
                    out.push(b' ');
                    number(out, *lines);
                }
                SingleKind::Text { lines } => {
                    out.push(b' ');
                    number(out, *lines);
                }
            }
            if let Some(extension) = extension {
                out.push(b' ');
                nstring(out, extension.md5.as_deref());
                common_extension(out, &extension.common);
            }
        }
        BodyStructure::Multi {
            parts,
            subtype,
            extension,
        } => {
            if parts.is_empty() {
                out.extend_from_slice(NO_PART);
            }
            for part in parts {
                body(out, part);
            }
            out.push(b' ');
            string(out, subtype);
            if let Some(extension) = extension {
                out.push(b' ');
                parameters(out, &extension.parameters);
                common_extension(out, &extension.common);
            }
        }
    }
    out.push(b')');
}

/// The media type and `body-fields`.
fn body_fields(out: &mut Vec<u8>, fields: &BodyFields) {
    string(out, &fields.media_type);
    out.push(b' ');
    string(out, &fields.subtype);
    out.push(b' ');
    parameters(out, &fields.parameters);
    out.push(b' ');
    nstring(out, fields.id.as_deref());
    out.push(b' ');
    nstring(out, fields.description.as_deref());
    out.push(b' ');
    string(out, &fields.encoding);
    out.push(b' ');
    number(out, fields.size);
}

/// `body-fld-param`
fn parameters(out: &mut Vec<u8>, parameters: &[Parameter]) {
    if parameters.is_empty() {
        return nil(out);
    }
    list(
        out,
        parameters.iter().flat_map(|(name, value)| [name, value]),
    );
}

/// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
fn common_extension(out: &mut Vec<u8>, extension: &CommonExtension) {
    out.push(b' ');
    match &extension.disposition {
        Some((kind, its_parameters)) => {
            out.push(b'(');
            string(out, kind);
            out.push(b' ');
            parameters(out, its_parameters);
            out.push(b')');
        }
        None => nil(out),
    }
    out.push(b' ');
    if extension.language.is_empty() {
        nil(out);
    } else {
        list(out, &extension.language);
    }
    out.push(b' ');
    nstring(out, extension.location.as_deref());
}

/// `"(" string *(SP string) ")"`
fn list<'s>(out: &mut Vec<u8>, strings: impl IntoIterator<Item = &'s Vec<u8>>) {
    out.push(b'(');
    for (at, text) in strings.into_iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        string(out, text);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::structure::{MultiExtension, SingleExtension};

    fn some(text: &str) -> Option<Vec<u8>> {
        Some(text.into())
    }

    fn written(structure: &BodyStructure) -> String {
        let mut out = Vec::new();
        body(&mut out, structure);
        String::from_utf8(out).unwrap()
    }

    fn text(size: u64, lines: u64, extension: Option<SingleExtension>) -> BodyStructure {
        BodyStructure::Single {
            fields: BodyFields {
                media_type: b"TEXT".into(),
                subtype: b"PLAIN".into(),
                parameters: vec![(b"CHARSET".into(), b"US-ASCII".into())],
                encoding: b"7BIT".into(),
                size,
                ..BodyFields::default()
            },
            kind: SingleKind::Text { lines },
            extension,
        }
    }

    #[test]
    fn the_rfcs_envelope() {
        let address = |name: Option<&str>, mailbox: &str, host: &str| Address {
            name: name.map(Into::into),
            adl: None,
            mailbox: some(mailbox),
            host: some(host),
        };
        let gray = vec![address(Some("Terry Gray"), "gray", "cac.washington.edu")];
        let value = Envelope {
            date: some("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)"),
            subject: some("IMAP4rev1 WG mtg summary and minutes"),
            from: gray.clone(),
            sender: gray.clone(),
            reply_to: gray,
            to: vec![address(None, "imap", "cac.washington.edu")],
            cc: vec![
                address(None, "minutes", "CNRI.Reston.VA.US"),
                address(Some("John Klensin"), "KLENSIN", "MIT.EDU"),
            ],
            bcc: vec![],
            in_reply_to: None,
            message_id: some("<B27397-0100000@cac.washington.edu>"),
        };
        let mut out = Vec::new();
        envelope(&mut out, &value);
        // RFC 3501 §8, with the space between the addresses of Cc that its own grammar has not.
        let gray = "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))";
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \
                 \"IMAP4rev1 WG mtg summary and minutes\" {gray} {gray} {gray} \
                 ((NIL NIL \"imap\" \"cac.washington.edu\")) \
                 ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")\
                 (\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
                 \"<B27397-0100000@cac.washington.edu>\")"
            )
        );
    }

    #[test]
    fn single_parts() {
        let plain = "\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92";
        assert_eq!(written(&text(3028, 92, None)), format!("({plain})"));
        let bare = Some(SingleExtension::default());
        let all_nil = format!("({plain} NIL NIL NIL NIL)");
        assert_eq!(written(&text(3028, 92, bare)), all_nil);
        let full = Some(SingleExtension {
            md5: some("Q2hlY2s="),
            common: CommonExtension {
                disposition: Some((
                    b"attachment".into(),
                    vec![(b"filename".into(), b"a b".into())],
                )),
                language: vec![b"en".into(), b"de".into()],
                location: some("http://a/b"),
            },
        });
        assert_eq!(
            written(&text(3028, 92, full)),
            format!(
                "({plain} \"Q2hlY2s=\" (\"attachment\" (\"filename\" \"a b\")) \
                 (\"en\" \"de\") \"http://a/b\")"
            )
        );
        let short = Some(SingleExtension {
            md5: None,
            common: CommonExtension {
                disposition: Some((b"inline".into(), vec![])),
                language: vec![b"en".into()],
                location: None,
            },
        });
        let expected = format!("({plain} NIL (\"inline\" NIL) (\"en\") NIL)");
        assert_eq!(written(&text(3028, 92, short)), expected);
    }

    #[test]
    fn parts_in_parts() {
        let plain = "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 1)";
        let multi = |parts, extension| BodyStructure::Multi {
            parts,
            subtype: b"MIXED".into(),
            extension,
        };
        assert_eq!(
            written(&multi(vec![text(1, 1, None), text(1, 1, None)], None)),
            format!("({plain}{plain} \"MIXED\")")
        );
        let extension = MultiExtension {
            parameters: vec![(b"boundary".into(), b"x".into())],
            ..MultiExtension::default()
        };
        assert_eq!(
            written(&multi(vec![text(1, 1, None)], Some(extension))),
            format!("({plain} \"MIXED\" (\"boundary\" \"x\") NIL NIL NIL)")
        );
        assert_eq!(
            written(&multi(vec![], None)),
            "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"MIXED\")"
        );
        let message = BodyStructure::Single {
            fields: BodyFields {
                media_type: b"message".into(),
                subtype: b"rfc822".into(),
                encoding: b"7bit".into(),
                size: 9,
                ..BodyFields::default()
            },
            kind: SingleKind::Message {
                envelope: Box::default(),
                body: Box::new(text(1, 1, None)),
                lines: 4,
            },
            extension: None,
        };
        assert_eq!(
            written(&message),
            format!(
                "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 \
                 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) {plain} 4)"
            )
        );
    }
}
