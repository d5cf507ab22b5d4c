//! offlineimap, two-way over three connections: nested folders with non-ASCII names, flags, keywords, new
//! messages, moves and deletions on both sides; a second run changes nothing. And the push of its IDLE
//! thread.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::disk;
use crate::harness::server::{PASSWORD, USER};
use crate::harness::{Client, Maildir, Server, have, message, wait_until};
use crate::program::{self, Running};

/// In the form of the wire.
const FOLDERS: [&str; 4] = ["INBOX", "Archiv.M&AOQ-rz", "&ZeVnLIqe-", "with space"];
/// The keywords that it is told of, as a Maildir's letters.
const KEYWORDS: &str = "0 Wichtig\n1 $Later\n";

struct Near {
    home: TempDir,
    config: PathBuf,
}

impl Near {
    /// A configuration for this server, with further lines for the two repositories and the account.
    fn new(server: &Server, account: &str, far: &str) -> Near {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().display();
        let config = home.path().join("offlineimaprc");
        fs::write(
            &config,
            format!(
                "[general]\naccounts = a\nmetadata = {dir}/meta\nfsync = false\nui = basic\nsocktimeout = 20\n\n\
                 [Account a]\nlocalrepository = near\nremoterepository = far\n{account}\n\n\
                 [Repository near]\ntype = Maildir\nlocalfolders = {dir}/near\nsep = .\n\
                 customflag_a = Wichtig\ncustomflag_b = $Later\n\n\
                 [Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {}\nremoteuser = {USER}\n\
                 remotepass = {PASSWORD}\nssl = no\nstarttls = no\nmaxconnections = 3\n{far}\n",
                server.imap.port(),
            ),
        )
        .unwrap();
        Near { home, config }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join("near").join(name)
    }

    fn sync(&self) {
        let mut command = program::command("offlineimap");
        command.env("HOME", self.home.path());
        let output = command.arg("-o").arg("-c").arg(&self.config).output();
        let output = output.unwrap();
        let said = program::said(&output);
        assert!(output.status.success() && !said.contains("ERROR"), "{said}");
    }

    /// Each folder's messages, as [`disk::messages`] has them.
    fn messages(&self) -> Vec<Vec<String>> {
        let folders = FOLDERS.iter();
        folders
            .map(|name| disk::messages_in(&self.folder(name), KEYWORDS))
            .collect()
    }

    fn file(&self, folder: &str, subject: &str) -> PathBuf {
        let subs = ["cur", "new"].map(|sub| self.folder(folder).join(sub));
        let mut files = subs
            .iter()
            .flat_map(|dir| fs::read_dir(dir).unwrap())
            .map(|entry| entry.unwrap().path());
        let header = format!("Subject: {subject}\n");
        files
            .find(|path| fs::read_to_string(path).unwrap().contains(&header))
            .unwrap()
    }

    /// Gives a message other flag letters, as a mail reader does.
    fn reflag(&self, folder: &str, subject: &str, letters: &str) {
        let old = self.file(folder, subject);
        let name = old.file_name().unwrap().to_str().unwrap();
        let stem = name.split(":2,").next().unwrap();
        let new = format!("{stem}:2,{letters}");
        fs::rename(&old, self.folder(folder).join("cur").join(new)).unwrap();
    }
}

fn far(maildir: &Maildir) -> Vec<Vec<String>> {
    FOLDERS
        .iter()
        .map(|name| disk::messages(maildir, name))
        .collect()
}

fn change_the_far_side(c: &mut Client) {
    c.ok("SELECT INBOX");
    c.ok("STORE 1 +FLAGS (\\Answered $Later)");
    c.ok("STORE 2 +FLAGS (\\Deleted)");
    c.ok("EXPUNGE");
    c.ok("MOVE 2 Archiv.M&AOQ-rz");
    c.append("\"with space\"", "(\\Seen Wichtig) ", &message("far-new"));
    c.ok("UNSELECT");
}

/// Keywords stay as they are: offlineimap brings those of the near side to no server.
fn change_the_near_side(near: &Near) {
    near.reflag("&ZeVnLIqe-", "1-2", "F");
    near.reflag("&ZeVnLIqe-", "2-2", "STa");
    fs::remove_file(near.file("&ZeVnLIqe-", "3-2")).unwrap();
    let moved = near.file("with space", "3-3");
    let name = "1700000001.moved.host:2,S";
    fs::rename(moved, near.folder("INBOX").join("cur").join(name)).unwrap();
    let text = message("near-new").replace("\r\n", "\n");
    let dir = near.folder("Archiv.M&AOQ-rz").join("new");
    fs::write(dir.join("1700000000.near.host"), text).unwrap();
}

#[test]
fn two_way_and_a_second_run_changes_nothing() {
    if !have("offlineimap") {
        return;
    }
    let server = Server::start();
    let mut c = server.client();
    for (number, folder) in FOLDERS.iter().enumerate() {
        if *folder != "INBOX" {
            c.ok(&format!("CREATE \"{folder}\""));
        }
        let flags = [
            "",
            "(\\Seen) ",
            "(\\Flagged Wichtig) ",
            "(\\Draft $Later) ",
            "",
        ];
        for (at, flags) in flags.into_iter().enumerate() {
            let subject = message(&format!("{at}-{number}"));
            c.append(&format!("\"{folder}\""), flags, &subject);
        }
    }
    let near = Near::new(&server, "", "");
    near.sync();
    assert_eq!(near.messages(), far(&server.maildir));

    change_the_far_side(&mut c);
    change_the_near_side(&near);
    near.sync();
    let agreed = far(&server.maildir);
    assert_eq!(near.messages(), agreed);
    let counts: Vec<usize> = agreed.iter().map(Vec::len).collect();
    assert_eq!(counts, [4, 7, 4, 5]);
    assert!(
        agreed[2].contains(&"1-2\t\\Flagged".to_owned()),
        "{agreed:?}"
    );

    let files = FOLDERS.map(|name| server.maildir.files(name));
    near.sync();
    assert_eq!(FOLDERS.map(|name| server.maildir.files(name)), files);
    assert_eq!(near.messages(), agreed, "a second run");
}

#[test]
fn a_delivery_is_pushed_by_its_idle_thread() {
    if !have("offlineimap") {
        return;
    }
    let server = Server::start();
    server.maildir.deliver("INBOX", &message("one"));
    let near = Near::new(
        &server,
        "autorefresh = 60",
        "idlefolders = ['INBOX']\nholdconnectionopen = yes\nkeepalive = 60",
    );
    let mut command = program::command("offlineimap");
    command.env("HOME", near.home.path());
    let log = near.home.path().join("log");
    command.args(["-d", "imap", "-l"]).arg(&log);
    let mut running = Running::start(command.arg("-c").arg(&near.config));
    let near_has = |count: usize| {
        near.folder("INBOX/new").is_dir()
            && disk::messages_in(&near.folder("INBOX"), KEYWORDS).len() == count
    };
    wait_until("the first sync", || near_has(1));
    wait_until("its IDLE", || {
        fs::read_to_string(&log).unwrap().contains(" IDLE\\r\\n")
    });
    server.maildir.deliver("INBOX", &message("two"));
    wait_until("the push", || near_has(2));
    assert!(running.runs());
}
