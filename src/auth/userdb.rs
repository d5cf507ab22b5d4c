//! Dovecot's protocol for asking what is known of users, version 1: by it Exim and delivery agents find out whether there
//! is somebody, and where the mail is. No password is asked for, so whoever can open the socket may ask.
//!
//! Lines of fields parted by TAB, as in [`super::mta`]. Requests are answered in their order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::mta::{broken, escaped, number, unescaped};
use super::{Authenticator, Granted, Verdict};

/// The longest line of a client, in octets.
const LINE_MAX: u64 = 8 << 10;

/// How long a client may take to ask, or to hear the answer.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What is said of a user, by name; `None`: the user cannot have mail.
pub type Describe = dyn Fn(&Granted) -> Option<Vec<(&'static str, String)>> + Send + Sync;

/// Answers a client until it hangs up, or says what is not in the protocol.
///
/// # Errors
///
/// `InvalidData` with what is not in the protocol, and what the socket says.
pub async fn serve<S>(stream: S, auth: Arc<Authenticator>, describe: &Describe) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let greeting = format!("VERSION\t1\t1\nSPID\t{}\n", std::process::id());
    say(&mut stream, &greeting).await?;
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut stream).take(LINE_MAX);
        timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await??;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return match u64::try_from(line.len()).is_ok_and(|length| length < LINE_MAX) {
                true => Ok(()),
                false => Err(broken("a line is too long")),
            };
        }
        let mut fields = line.split(|byte| *byte == b'\t');
        match fields.next() {
            Some(b"VERSION") if fields.next() == Some(b"1") => {}
            Some(b"USER") => {
                let id = fields.next().and_then(number);
                let name = fields.next().map(unescaped);
                let (Some(id), Some(name)) = (id, name) else {
                    return Err(broken("a request that names nobody"));
                };
                let answer = answer(&auth, id, &String::from_utf8_lossy(&name), describe).await;
                say(&mut stream, &answer).await?;
            }
            _ => return Err(broken("a line that is no request")),
        }
    }
}

async fn answer(auth: &Authenticator, id: u32, name: &str, describe: &Describe) -> String {
    match auth.lookup(name.to_owned()).await {
        Verdict::Granted(granted) => match describe(&granted) {
            Some(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(key, value)| format!("\t{key}={}", escaped(value)));
                let fields: String = fields.collect();
                format!("USER\t{id}\t{}{fields}\n", escaped(&granted.user))
            }
            None => format!("FAIL\t{id}\n"),
        },
        Verdict::Denied => format!("NOTFOUND\t{id}\n"),
        Verdict::Disabled(_) | Verdict::Unavailable => format!("FAIL\t{id}\n"),
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) -> io::Result<()> {
    timeout(PATIENCE, stream.write_all(text.as_bytes())).await?
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::io::duplex;

    use super::*;
    use crate::auth::{Outside, Proof, Question};
    use crate::config::Config;

    struct Here;

    impl Outside for Here {
        fn open(&self, _: usize, _: &str, path: &std::path::Path) -> io::Result<fs::File> {
            fs::File::open(path)
        }

        fn prove(&self, _: usize, _: Question) -> io::Result<Proof> {
            Ok(Proof::Wrong)
        }
    }

    /// What is answered, and how it ends.
    async fn dialogue(asked: &str) -> (String, io::Result<()>) {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("users");
        let users = "alice@example.test:{PLAIN}x:5000:5001::/v/a::\nodd@example.test:x::::::proxy\n\
            away@example.test:x::::::nologin\n";
        fs::write(&path, users).unwrap();
        let text = format!(
            "[[auth.source]]\nkind = \"passwd-file\"\npath = {:?}\n",
            path.display().to_string()
        );
        let here: Arc<dyn Outside> = Arc::new(Here);
        let auth = Authenticator::new(&Config::parse(&text).unwrap().auth, 0, &here);
        let (mut client, server) = duplex(1 << 16);
        let served = tokio::spawn(async move {
            let describe = |granted: &Granted| {
                let home = granted.account.home.as_ref()?;
                Some(vec![
                    ("home", home.display().to_string()),
                    ("x", "a\tb".to_owned()),
                ])
            };
            serve(server, Arc::new(auth), &describe).await
        });
        client.write_all(asked.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        let ended = served.await.unwrap();
        let greeting = format!("VERSION\t1\t1\nSPID\t{}\n", std::process::id());
        (said.strip_prefix(&greeting).expect(&said).to_owned(), ended)
    }

    #[tokio::test]
    async fn who_is_there_and_who_is_not() {
        let asked = "VERSION\t1\t0\nUSER\t1\tAlice@example.test\tservice=lmtp\nUSER\t2\tnosuch@example.test\n\
            USER\t3\todd@example.test\tservice=smtp\nUSER\t4\t../x\tservice=smtp\nUSER\t5\taway@example.test\n";
        let (said, ended) = dialogue(asked).await;
        ended.unwrap();
        assert_eq!(
            said,
            "USER\t1\talice@example.test\thome=/v/a\tx=a\u{1}tb\nNOTFOUND\t2\nFAIL\t3\nNOTFOUND\t4\nFAIL\t5\n"
        );
    }

    #[tokio::test]
    async fn what_is_not_in_the_protocol_ends_it() {
        let long = format!("USER\t1\t{}\n", "x".repeat(9000));
        for asked in [
            "PASS\t1\tx\n",
            "USER\n",
            "USER\tx\ty\n",
            "USER\t1\n",
            "VERSION\t2\t0\n",
            "\n",
            &long,
        ] {
            let asked = format!("{asked}USER\t1\talice@example.test\n");
            let (said, ended) = dialogue(&asked).await;
            assert_eq!(said, "", "{asked:?}");
            let error = ended.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{asked:?}");
        }
    }
}
