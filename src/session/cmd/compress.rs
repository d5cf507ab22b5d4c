//! COMPRESS (RFC 4978). "the server MUST compress starting immediately after the CRLF which ends the tagged OK
//! response", so this command alone answers itself.

use crate::imap::core::Tag;
use crate::imap::response::StatusKind;
use crate::session::Session;
use crate::session::reply::End;

pub(crate) async fn run(session: &mut Session, tag: &Tag) -> Result<(), End> {
    let writer = &mut session.writer;
    writer.status(Some(tag), StatusKind::Ok, None, "DEFLATE active");
    writer.flush().await?;
    writer.deflate();
    session.reader.inflate();
    Ok(())
}
