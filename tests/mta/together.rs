//! A whole small host: users of the system by PAM, virtual ones by a file, all of them there at once while Postfix brings
//! them mail.

use std::fs;

use crate::harness::{Client, Kind, wait_until};
use crate::postfix::Postfix;
use crate::view::VMAIL;
use crate::world::{Host, World};

/// The virtual users.
const MANY: usize = 200;

/// Users of the system, and their uids.
const SYSTEM: [(&str, u32); 2] = [("anna", 61_031), ("otto", 61_032)];

/// `secret`, by crypt(3) with `$6$`.
const HASH: &str = "$6$./q00xZ.qcMRoCOb$8YoWIjjHHoJlPVgbfcJL3hDAA0Qn6y7pdBFdL9Fbq9LZbVKK9YPs.0xkMTg2XIGG7Vnn2G1bWOWVdh0..Sc78/";

/// Mail that each of them gets.
const MAILS: usize = 3;

#[test]
fn users_of_the_system_and_virtual_ones_at_once() {
    let mut before = String::from(
        "printf 'auth required pam_unix.so\\naccount required pam_unix.so\\n' > /etc/pam.d/culver\n",
    );
    for (name, id) in SYSTEM {
        before += &format!(
            "echo '{name}:x:{id}:{id}::HOME/{name}:/bin/sh' >> /etc/passwd\n\
             echo '{name}:x:{id}:' >> /etc/group\necho '{name}:{HASH}:19000:0:99999:7:::' >> /etc/shadow\n\
             install -d -m 700 -o {id} -g {id} HOME/{name}\n"
        );
    }
    let host = Host {
        before,
        boxes: (0..MANY)
            .map(|number| (format!("u{number}"), "many.example"))
            .collect(),
        settings: "[[auth.source]]\nkind = \"pam\"\n[limits]\nconnections-per-address = 300\n"
            .to_owned(),
    };
    let Some(world) = World::<Postfix>::on(host) else {
        return;
    };
    let system = SYSTEM.map(|(name, _)| (name.to_owned(), format!("{name}@mx.test.example")));
    let virtuals = (0..MANY).map(|number| format!("u{number}@many.example"));
    let everybody: Vec<(String, String)> = virtuals
        .map(|address| (address.clone(), address))
        .chain(system)
        .collect();
    let here = std::sync::Barrier::new(everybody.len() + 1);
    std::thread::scope(|scope| {
        for (user, _) in &everybody {
            scope.spawn(|| {
                let mut client = client(world.imap, user);
                here.wait();
                reads_all(&mut client, user);
            });
        }
        here.wait();
        shown(&world);
        let mut sender = world.sender();
        for number in 0..MAILS {
            for some in everybody.chunks(50) {
                let to: Vec<&str> = some.iter().map(|(_, address)| address.as_str()).collect();
                let subject = format!("mail {number}");
                assert_eq!(sender.send(crate::SENDER, &to, &subject, "text"), 250);
            }
        }
    });
    world.await_empty();
    assert_eq!(world.subjects(crate::SENDER), Vec::<String>::new());
    for (name, id) in SYSTEM {
        let maildir = fs::metadata(world.view.at(name).join("Maildir")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&maildir), id);
    }
}

fn client(port: u16, user: &str) -> Client {
    let mut client = Client::open(([127, 0, 0, 1], port).into(), Kind::Culver);
    client.greeting();
    client.ok(&format!("LOGIN {user} secret"));
    client.ok("SELECT INBOX");
    client
}

/// Waits in IDLE until all mail is there, and reads it.
fn reads_all(client: &mut Client, user: &str) {
    let all = format!("* {MAILS} EXISTS");
    client.send(b"idle IDLE\r\n");
    while client.line() != all.as_bytes() {}
    client.send(b"DONE\r\n");
    client.until_tagged("idle");
    let mut subjects = client.ok("FETCH 1:* BODY[HEADER.FIELDS (SUBJECT)]");
    subjects.retain(|line| line.contains("Subject: mail"));
    assert_eq!(subjects.len(), MAILS, "{user}: {subjects:?}");
}

/// Prints every process of the server and what it may do; checks it, too.
fn shown(world: &World<Postfix>) {
    let master = world.culver.as_ref().unwrap().0.id();
    let mut workers = Vec::new();
    wait_until("a worker for each uid", || {
        let all: Vec<String> = descendants(master)
            .into_iter()
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok())
            // A password's proof is over at any time.
            .filter(|status| field(status, "Name:") != "culver-proof")
            .collect();
        let is_worker = |status: &&String| field(status, "Name:") == "culver-worker";
        workers = all.iter().filter(is_worker).map(|one| uid(one)).collect();
        workers.sort_unstable();
        if workers.len() < SYSTEM.len() + 1 {
            return false;
        }
        for status in &all {
            let line = ["NoNewPrivs:", "Seccomp:", "CapEff:"].map(|name| field(status, name));
            println!(
                "{:14} uid {:5} NoNewPrivs {} Seccomp {} CapEff {}",
                field(status, "Name:"),
                uid(status),
                line[0],
                line[1],
                line[2]
            );
            // The nursery is root for those that it starts.
            if field(status, "Name:") == "culver-nursery" {
                assert_eq!(line, ["1", "0", "00000000000001e0"]);
            } else if !status.contains(&format!("\nPid:\t{master}\n")) {
                assert_ne!(uid(status), 0);
                assert_eq!(line, ["1", "2", "0000000000000000"]);
            }
        }
        true
    });
    let [(_, anna), (_, otto)] = SYSTEM;
    assert_eq!(workers, [VMAIL, anna, otto]);
}

/// A process and all that it has started.
fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace();
    let children = children.flat_map(|child| descendants(child.parse().unwrap()));
    [pid].into_iter().chain(children).collect()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim()
}

fn uid(status: &str) -> u32 {
    let uids = field(status, "Uid:");
    uids.split_whitespace().next().unwrap().parse().unwrap()
}
