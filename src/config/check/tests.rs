//! What is found, line by line.

use std::os::unix::fs::OpenOptionsExt;

use super::*;

fn found(text: &str) -> Vec<String> {
    let config = Config::parse(text).expect(text);
    check(&config).iter().map(Finding::to_string).collect()
}

#[track_caller]
fn finds(text: &str, expected: &str) {
    let found = found(text);
    assert!(found.iter().any(|line| line == expected), "{found:#?}");
}

#[test]
fn a_complete_configuration_is_good() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = directory.path().join(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).mode(0o600);
        options.open(&path).unwrap();
        path.display().to_string()
    };
    let text = format!(
        "[tls]\ncertificate = {:?}\nkey = {:?}\n[mail]\nlocation = \"/m/%d/%n\"\n\
         auto-create = {{ Drafts = '\\drafts', Other = \"\" }}\n\
         [[auth.source]]\nkind = \"passwd-file\"\npath = {:?}\n\
         [users]\nuid = 5000\ngid = \"nogroup\"\n",
        file("cert"),
        file("key"),
        file("users"),
    );
    assert_eq!(found(&text), Vec::<String>::new());
}

#[test]
fn what_is_no_service_of_pam_is_one_of_all_others() {
    finds(
        "[[auth.source]]\nkind = \"pam\"\nservice = \"no-such\"\n",
        "warning: auth.source.service: no /etc/pam.d/no-such: PAM goes by /etc/pam.d/other",
    );
}

#[test]
fn certificates_and_keys_go_together_and_exist() {
    finds(
        "[tls]\ncertificate = \"/c\"\n",
        "error: tls.key: missing; tls.certificate needs it",
    );
    finds(
        "[tls]\nkey = \"/c\"\n",
        "error: tls.certificate: missing; tls.key needs it",
    );
    finds(
        "[tls]\ncertificate = \"/no/c\"\nkey = \"/tmp\"\n",
        "error: tls.certificate: /no/c: No such file or directory (os error 2)",
    );
    finds(
        "[tls]\ncertificate = \"/c\"\nkey = \"/tmp\"\n",
        "error: tls.key: /tmp is no file",
    );
}

#[test]
fn files_of_users_exist_and_are_not_public() {
    let source = |path: &str| format!("[[auth.source]]\nkind = \"passwd-file\"\npath = {path:?}\n");
    finds(
        &source("/no/users"),
        "error: auth.source.path: /no/users: No such file or directory (os error 2)",
    );
    finds(
        &source("/etc/passwd"),
        "warning: auth.source.path: /etc/passwd can be read by everybody",
    );
    assert!(
        !found(&source("/no/%d/users"))
            .iter()
            .any(|line| line.contains("/no/"))
    );
    finds(
        &format!("{}master = true\n", source("/no/%d")),
        "error: auth.source: only master users: there is nobody to log in as",
    );
}

#[test]
fn owners_are_known_and_not_root() {
    finds(
        "[users]\nuid = \"no-such-user-here\"\n",
        "error: users.uid: no-such-user-here is not known on this system",
    );
    finds(
        "[users]\nuid = \"root\"\n",
        "error: users.uid: root may not own mail",
    );
    finds(
        "[users]\nuid = 33\n",
        "error: users.uid: 33 is below users.first-uid, 500",
    );
    finds(
        "[users]\nuid = 5000\n",
        "error: users.uid: goes together with users.gid: set both or none",
    );
}

#[test]
fn what_leaves_the_server_less_strict_is_an_error_and_the_rest_a_warning() {
    finds(
        "[listen]\nmetrics = \"127.0.0.1:9143\"\n",
        "warning: listen.metrics: not supported by this version yet",
    );
    finds(
        "[auth]\nmechanisms = [\"EXTERNAL\"]\n",
        "error: auth.mechanisms: none that works: nobody could log in",
    );
    finds(
        "[tls]\nclient-ca = \"/ca.pem\"\n",
        "warning: tls.client-ca: only EXTERNAL asks for it, and auth.mechanisms has none",
    );
    finds(
        "[auth]\nmechanisms = [\"PLAIN\", \"SCRAM-SHA-256\"]\n",
        "warning: auth.mechanisms: SCRAM-SHA-256 is not offered: a source cannot answer it",
    );
}

#[test]
fn other_contradictions() {
    finds(
        "[listen]\nimap = []\nimaps = []\n",
        "error: listen.imap: empty, as is listen.imaps: there is nothing to serve",
    );
    finds(
        "[listen]\nimap = [\"[::]:993\"]\n",
        "error: listen.imaps: [::]:993 is there twice",
    );
    finds(
        "[mail]\nlocation = \"Maildir\"\n",
        "error: mail.location: must begin with / or ~/",
    );
    finds(
        "[users]\nhome = \"~/x\"\n",
        "error: users.home: cannot stand on the home that it says",
    );
    finds(
        "[mail]\nauto-create = { Spam = '\\Spam' }\n",
        "error: mail.auto-create: \"Spam\": \"\\\\Spam\" is none of \\All \\Archive \\Drafts \\Flagged \\Junk \\Sent \\Trash",
    );
    finds(
        "[limits]\nidle-timeout = \"5m\"\n",
        "warning: limits.idle-timeout: RFC 3501 §5.4 asks for 30 minutes at least",
    );
    finds(
        "[capabilities]\noff = [\"UIDONLY\", \"imap4REV1\"]\n",
        "warning: capabilities.off: imap4REV1 cannot be switched off here",
    );
    finds(
        "[[capabilities.client]]\nname = \"x\"\noff = [\"a b\"]\n",
        "error: capabilities.client: \"a b\" is no capability",
    );
    finds(
        "[limits]\nmessage-limit = 999\n",
        "error: limits.message-limit: RFC 9738 asks for 1000 at the least, or 0",
    );
    finds(
        "[limits]\nmessage-limit = 1000\nsave-limit = 2000\n",
        "error: limits.save-limit: limits.message-limit limits what is saved too",
    );
    finds(
        "[auth]\nplaintext-without-tls = \"always\"\n",
        "warning: auth.plaintext-without-tls: \"always\" lets passwords cross the network in clear",
    );
}

#[test]
fn paths_lead_to_where_their_writer_means() {
    for (location, said) in [
        ("Maildir", "must begin with / or ~/"),
        ("~ann/Maildir", "must begin with / or ~/"),
        ("maildir:/x", FROM_DOVECOT),
        ("maildir:~/Maildir:LAYOUT=fs", FROM_DOVECOT),
    ] {
        let text = format!("[mail]\nlocation = {location:?}\n");
        let config = Config::parse(&text).unwrap();
        let expected = format!("error: mail.location: {said}");
        for findings in [places(&config), unsupported(&config), check(&config)] {
            let lines = findings.iter().map(Finding::to_string);
            let about = lines.filter(|line| line.contains("mail.location: must"));
            assert_eq!(about.collect::<Vec<_>>(), [&*expected], "{location}");
        }
    }
    for location in ["/x/%u", "~/Maildir", "%h/mail"] {
        let text = format!("[mail]\nlocation = {location:?}\n");
        assert_eq!(places(&Config::parse(&text).unwrap()), []);
    }
}
