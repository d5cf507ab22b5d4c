//! Response codes (RFC 3501 §7.1, RFC 5530 and the extensions' own).

use crate::imap::encode::object_id;
use crate::imap::encode::string::{flag_list, nil, number, number_ranges, quoted, words};
use crate::imap::notify::Event;
use crate::imap::response::Code;
use crate::imap::sequence::ModSeq;

/// `"[" resp-text-code "]" SP`. Nothing for an APPENDUID or COPYUID without messages, which there is not
/// (RFC 4315 §3).
pub(super) fn response_code(out: &mut Vec<u8>, code: &Code) {
    let start = out.len();
    out.push(b'[');
    let name = match code {
        Code::Alert => "ALERT",
        Code::AlreadyExists => "ALREADYEXISTS",
        Code::AppendUid(..) => "APPENDUID",
        Code::AuthenticationFailed => "AUTHENTICATIONFAILED",
        Code::AuthorizationFailed => "AUTHORIZATIONFAILED",
        Code::BadCharset(_) => "BADCHARSET",
        Code::BadEvent => "BADEVENT",
        Code::BadUrl(_) => "BADURL",
        Code::Cannot => "CANNOT",
        Code::Capability(_) => "CAPABILITY",
        Code::ClientBug => "CLIENTBUG",
        Code::Closed => "CLOSED",
        Code::ContactAdmin => "CONTACTADMIN",
        Code::CopyUid(..) => "COPYUID",
        Code::Corruption => "CORRUPTION",
        Code::ExpungeIssued => "EXPUNGEISSUED",
        Code::HasChildren => "HASCHILDREN",
        Code::HighestModSeq(_) => "HIGHESTMODSEQ",
        Code::InUse => "INUSE",
        Code::Limit => "LIMIT",
        Code::MailboxId(_) => "MAILBOXID",
        Code::MessageLimit(..) => "MESSAGELIMIT",
        Code::MetadataLongEntries(_) | Code::MetadataMaxSize(_) | Code::MetadataTooMany => {
            "METADATA"
        }
        Code::Modified(_) => "MODIFIED",
        Code::NoModSeq => "NOMODSEQ",
        Code::NonExistent => "NONEXISTENT",
        Code::NoPerm => "NOPERM",
        Code::NotificationOverflow => "NOTIFICATIONOVERFLOW",
        Code::NotSaved => "NOTSAVED",
        Code::InProgress(..) => "INPROGRESS",
        Code::NoUpdate(_) => "NOUPDATE",
        Code::OverQuota => "OVERQUOTA",
        Code::Parse => "PARSE",
        Code::PermanentFlags(..) => "PERMANENTFLAGS",
        Code::PrivacyRequired => "PRIVACYREQUIRED",
        Code::ReadOnly => "READ-ONLY",
        Code::ReadWrite => "READ-WRITE",
        Code::ServerBug => "SERVERBUG",
        Code::TooBig => "TOOBIG",
        Code::TooFew => "TOOFEW",
        Code::TryCreate => "TRYCREATE",
        Code::UidNext(_) => "UIDNEXT",
        Code::UidNotSticky => "UIDNOTSTICKY",
        Code::UidRequired => "UIDREQUIRED",
        Code::UidValidity(_) => "UIDVALIDITY",
        Code::Unavailable => "UNAVAILABLE",
        Code::UnknownCte => "UNKNOWN-CTE",
        Code::Unseen(_) => "UNSEEN",
        Code::UseAttr => "USEATTR",
    };
    out.extend_from_slice(name.as_bytes());
    let argument = |out: &mut Vec<u8>, value: u32| {
        out.push(b' ');
        number(out, u64::from(value));
    };
    match code {
        Code::AppendUid(_, uids) if uids.is_empty() => return out.truncate(start),
        Code::AppendUid(validity, uids) => {
            argument(out, validity.get());
            out.push(b' ');
            number_ranges(out, uids.ranges());
        }
        Code::BadCharset(charsets) if !charsets.is_empty() => {
            out.extend_from_slice(b" (");
            words(out, charsets);
            out.push(b')');
        }
        Code::BadEvent => {
            out.extend_from_slice(b" (");
            words(out, Event::SUPPORTED);
            out.push(b')');
        }
        Code::BadUrl(url) => {
            out.push(b' ');
            response_url(out, url);
        }
        Code::Capability(capabilities) => {
            out.push(b' ');
            words(out, capabilities.iter().map(|name| name.as_bytes()));
        }
        Code::CopyUid(_, from, to) if from.is_empty() || to.is_empty() => {
            return out.truncate(start);
        }
        Code::CopyUid(validity, from, to) => {
            argument(out, validity.get());
            out.push(b' ');
            number_ranges(out, from.ranges());
            out.push(b' ');
            number_ranges(out, to.ranges());
        }
        Code::HighestModSeq(ModSeq(modseq)) => {
            out.push(b' ');
            number(out, *modseq);
        }
        Code::MailboxId(id) => {
            out.push(b' ');
            object_id(out, id);
        }
        Code::Modified(messages) => {
            out.push(b' ');
            number_ranges(out, messages.ranges());
        }
        Code::InProgress(tag, done, goal) => {
            out.extend_from_slice(b" (");
            match tag {
                Some(tag) => quoted(out, tag.as_str().as_bytes()),
                None => nil(out),
            }
            for part in [done, goal] {
                out.push(b' ');
                number(out, *part);
            }
            out.push(b')');
        }
        Code::MessageLimit(limit, lowest) => {
            argument(out, *limit);
            if let Some(lowest) = lowest {
                argument(out, lowest.get());
            }
        }
        Code::MetadataLongEntries(octets) => {
            out.extend_from_slice(b" LONGENTRIES ");
            number(out, *octets);
        }
        Code::MetadataMaxSize(octets) => {
            out.extend_from_slice(b" MAXSIZE ");
            number(out, *octets);
        }
        Code::MetadataTooMany => out.extend_from_slice(b" TOOMANY"),
        Code::NoUpdate(tag) => {
            out.push(b' ');
            quoted(out, tag.as_str().as_bytes());
        }
        Code::PermanentFlags(flags, keywords, any) => {
            out.push(b' ');
            flag_list(out, *flags, false, keywords, *any);
        }
        Code::UidNext(uid) => argument(out, uid.get()),
        Code::UidValidity(validity) => argument(out, validity.get()),
        Code::Unseen(message) => argument(out, message.0.get()),
        _ => {}
    }
    out.extend_from_slice(b"] ");
}

/// `url-resp-text` (RFC 4469 §5): the URL, with what can stand in no URL or not here percent-encoded.
fn response_url(out: &mut Vec<u8>, url: &[u8]) {
    for byte in url {
        match byte {
            b'!'..=b'~' if *byte != b']' => out.push(*byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}
