//! A trace of strace (`-f -y -xx`) as steps: what the server did to files below one directory, and what it
//! said on its sockets, in the order in which each took effect.
//!
//! A call counts from its return, but what goes to a client counts from the call's beginning, for a client
//! may hear it before the call is back.

use std::collections::HashMap;

/// One effect. Paths are below the directory, without a leading slash; the directory itself is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A file was made (or opened to write), perhaps emptied.
    Open {
        path: String,
        create: bool,
        truncate: bool,
        append: bool,
        /// It has no name yet (`O_TMPFILE`); the path only tells it from others.
        nameless: bool,
        fd: u32,
    },
    /// `at` is `None` for the descriptor's own place.
    Write {
        path: String,
        fd: u32,
        at: Option<usize>,
        bytes: Vec<u8>,
    },
    Seek {
        path: String,
        fd: u32,
        to: usize,
    },
    Truncate {
        path: String,
        size: usize,
    },
    /// fsync or fdatasync of a file or a directory.
    Sync {
        path: String,
    },
    Link {
        from: String,
        to: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    MakeDir {
        path: String,
    },
    RemoveDir {
        path: String,
    },
    /// Bytes to a socket, which is named.
    Say {
        socket: String,
        bytes: Vec<u8>,
    },
    /// A call on our files that the model does not know.
    Unknown(String),
}

/// Reads a whole trace; `root` is the directory's absolute path.
pub fn parse(text: &str, root: &str) -> Vec<Step> {
    let mut begun: HashMap<&str, String> = HashMap::new();
    let mut nameless = HashMap::new();
    let mut steps = Vec::new();
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            if let Some(said) = say(start) {
                steps.push(said);
            }
            begun.insert(pid, start.to_owned());
            continue;
        }
        let whole = if rest.starts_with("<... ") {
            let Some(start) = begun.remove(pid) else {
                continue;
            };
            if say(&start).is_some() {
                continue;
            }
            let Some((_, end)) = rest.split_once("resumed>") else {
                continue;
            };
            start + end
        } else {
            rest.to_owned()
        };
        if let Some(said) = say(&whole) {
            steps.push(said);
        } else if let Some(step) = step(&whole, root, &nameless) {
            if let Step::Open {
                path,
                nameless: true,
                fd,
                ..
            } = &step
            {
                nameless.insert(*fd, path.clone());
            }
            steps.push(step);
        }
    }
    steps
}

/// What a call sends to a socket.
fn say(call: &str) -> Option<Step> {
    let (name, arguments) = call.split_once('(')?;
    if !["write", "writev", "sendto", "sendmsg"].contains(&name) {
        return None;
    }
    let socket = annotation(arguments)?;
    if !(socket.starts_with("socket:") || socket.starts_with("TCP")) {
        return None;
    }
    Some(Step::Say {
        socket,
        bytes: strings(arguments).concat(),
    })
}

fn step(call: &str, root: &str, nameless: &HashMap<u32, String>) -> Option<Step> {
    let (name, rest) = call.split_once('(')?;
    // strace pads short calls: `fsync(3</m/new>)     = 0`.
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    if result.starts_with('-') || result.starts_with('?') {
        return None;
    }
    let below = |path: &str| -> Option<String> {
        let path = normal(path);
        let rest = path.strip_prefix(root)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
    };
    let fields = fields(arguments);
    // A descriptor's file, and a name in a directory.
    let file = |at: usize| annotation(fields.get(at)?).and_then(|path| below(&path));
    let named = |dir: usize, name: usize| -> Option<String> {
        let name = text(fields.get(name)?);
        if name.starts_with('/') {
            return below(&name);
        }
        below(&format!("{}/{name}", annotation(fields.get(dir)?)?))
    };
    let plain = |at: usize| below(&text(fields.get(at)?));
    let fd = |at: usize| -> u32 {
        let digits = fields[at].split('<').next().unwrap();
        digits.parse().unwrap_or(u32::MAX)
    };
    Some(match name {
        "openat" => {
            let flags = fields.get(2)?;
            if !flags.contains("O_WRONLY")
                && !flags.contains("O_RDWR")
                && !flags.contains("O_CREAT")
            {
                return None;
            }
            // The name may lead through /proc/self/fd; what was opened stands behind the result.
            let opened = annotation(result).and_then(|path| below(&path));
            Step::Open {
                path: opened.or_else(|| named(0, 1))?,
                create: flags.contains("O_CREAT") || flags.contains("O_TMPFILE"),
                nameless: flags.contains("O_TMPFILE"),
                truncate: flags.contains("O_TRUNC"),
                append: flags.contains("O_APPEND"),
                fd: result.split(['<', ' ']).next()?.parse().ok()?,
            }
        }
        "write" | "writev" | "pwrite64" => {
            let path = file(0)?;
            let mut bytes = strings(arguments).concat();
            bytes.truncate(result.trim().parse().ok()?);
            let at = match name {
                "pwrite64" => Some(fields.last()?.trim().parse().ok()?),
                _ => None,
            };
            Step::Write {
                path,
                fd: fd(0),
                at,
                bytes,
            }
        }
        "lseek" => Step::Seek {
            path: file(0)?,
            fd: fd(0),
            to: result.trim().parse().ok()?,
        },
        "ftruncate" => Step::Truncate {
            path: file(0)?,
            size: fields.get(1)?.trim().parse().ok()?,
        },
        "truncate" => Step::Truncate {
            path: plain(0)?,
            size: fields.get(1)?.trim().parse().ok()?,
        },
        "fsync" | "fdatasync" => Step::Sync { path: file(0)? },
        "rename" => Step::Rename {
            from: plain(0)?,
            to: plain(1)?,
        },
        "renameat" | "renameat2" => Step::Rename {
            from: named(0, 1)?,
            to: named(2, 3)?,
        },
        "link" => Step::Link {
            from: plain(0)?,
            to: plain(1)?,
        },
        "linkat" => Step::Link {
            // A file without a name gets one by way of its descriptor.
            from: match text(fields.get(1)?).strip_prefix("/proc/self/fd/") {
                Some(fd) => nameless.get(&fd.parse().ok()?)?.clone(),
                None => named(0, 1)?,
            },
            to: named(2, 3)?,
        },
        "unlink" => Step::Unlink { path: plain(0)? },
        "unlinkat" if fields.get(2)?.contains("AT_REMOVEDIR") => {
            Step::RemoveDir { path: named(0, 1)? }
        }
        "unlinkat" => Step::Unlink { path: named(0, 1)? },
        "rmdir" => Step::RemoveDir { path: plain(0)? },
        "mkdir" => Step::MakeDir { path: plain(0)? },
        "mkdirat" => Step::MakeDir { path: named(0, 1)? },
        _ => {
            let ours = arguments.contains(&hex(root));
            return ours.then(|| Step::Unknown(call.to_owned()));
        }
    })
}

/// The arguments, split at their commas. Strings are hexadecimal and so hold none.
fn fields(arguments: &str) -> Vec<&str> {
    arguments.split(", ").collect()
}

/// The path that `-y` puts behind a descriptor.
fn annotation(field: &str) -> Option<String> {
    let start = field.find('<')? + 1;
    let end = field[start..].find('>')? + start;
    Some(unescape(&field[start..end]))
}

/// All strings among the arguments.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    arguments
        .split('"')
        .skip(1)
        .step_by(2)
        .map(unescape_bytes)
        .collect()
}

fn text(field: &str) -> String {
    unescape(field.trim().trim_matches('"'))
}

fn unescape(text: &str) -> String {
    String::from_utf8_lossy(&unescape_bytes(text)).into_owned()
}

fn unescape_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        if *first == b'\\' && more.first() == Some(&b'x') && more.len() >= 3 {
            let digits = std::str::from_utf8(&more[1..3]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &more[3..];
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    bytes
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// Takes `.` and `..` out of an absolute path.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[test]
fn calls_become_steps() {
    let h = hex;
    let dir = format!("3<{}>", h("/m/tmp"));
    let log = format!(
        "7 openat({dir}, \"{a}\", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 5<{p}>\n\
         7 write(5<{p}>, \"{data}\", 4) = 4\n\
         7 fsync(5<{p}> <unfinished ...>\n\
         8 sendto(9<{sock}>, \"{ok}\", 4, MSG_NOSIGNAL, NULL, 0 <unfinished ...>\n\
         7 <... fsync resumed>)                = 0\n\
         8 <... sendto resumed>) = 4\n\
         7 renameat({dir}, \"{a}\", 4<{cur}>, \"{b}\") = 0\n\
         7 unlink(\"{elsewhere}\") = 0\n\
         7 fsync(6<{cur}>) = -1 EIO (Input/output error)\n",
        a = h("a"),
        b = h("b:2,S"),
        p = h("/m/tmp/a"),
        data = h("mail"),
        sock = h("socket:[1]"),
        ok = h("OK\r\n"),
        cur = h("/m/cur"),
        elsewhere = h("/other"),
    );
    let path = || "tmp/a".to_owned();
    assert_eq!(
        parse(&log, "/m"),
        [
            Step::Open {
                path: path(),
                create: true,
                truncate: false,
                append: false,
                nameless: false,
                fd: 5
            },
            Step::Write {
                path: path(),
                fd: 5,
                at: None,
                bytes: b"mail".to_vec()
            },
            Step::Say {
                socket: "socket:[1]".into(),
                bytes: b"OK\r\n".to_vec()
            },
            Step::Sync { path: path() },
            Step::Rename {
                from: path(),
                to: "cur/b:2,S".into()
            },
        ]
    );
}
