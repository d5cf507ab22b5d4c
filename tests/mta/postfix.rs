//! Postfix, as small hosts set it up beside Dovecot.

use std::fs;

use crate::harness::server::{Guard, culver_program, free_port};
use crate::view::{VMAIL, View};
use crate::world::Mta;

pub struct Postfix {
    port: u16,
    _child: Guard,
}

impl Mta for Postfix {
    fn start(view: &View, boxes: &[(String, &str)]) -> Postfix {
        let port = free_port();
        let home = view.home.path().display();
        let main = format!(
            "compatibility_level = 3.6\nmyhostname = mx.test.example\nmydestination = mx.test.example\nhome_mailbox = Maildir/\nmynetworks =\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmaillog_file = {home}/postfix.log\n\
             maillog_file_prefixes = {home}\nqueue_directory = {home}/queue\ndata_directory = {home}/data\n\
             smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {home}/run/auth\n\
             smtpd_sasl_security_options = noanonymous\n\
             smtpd_relay_restrictions = permit_sasl_authenticated, reject\n\
             virtual_mailbox_domains = lmtp.example, many.example, pipe.example, own.example\n\
             virtual_mailbox_base = {home}/vmail\nvirtual_uid_maps = static:{VMAIL}\nvirtual_gid_maps = static:{VMAIL}\n\
             virtual_mailbox_maps = texthash:/etc/postfix/boxes\n\
             transport_maps = inline:{{lmtp.example=lmtp:unix:{home}/run/lmtp, many.example=lmtp:unix:{home}/run/lmtp, pipe.example=culver:}}\n\
             local_recipient_maps = unix:passwd.byname\nalias_maps =\nalias_database =\nqueue_run_delay = 3600s\n\
             minimal_backoff_time = 3600s\nculver_destination_recipient_limit = 1\n",
        );
        let master = format!(
            "127.0.0.1:{port} inet n - n - - smtpd\npickup unix n - n 3600 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
             tlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n\
             defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nproxymap unix - - n - - proxymap\n\
             flush unix n - n 1000? 0 flush\nshowq unix n - n - - showq\nerror unix - - n - - error\n\
             retry unix - - n - - error\nvirtual unix - n n - - virtual\nlocal unix - n n - - local\nlmtp unix - - n - - lmtp\n\
             anvil unix - - n - 1 anvil\npostlog unix-dgram n - n - 1 postlogd\n\
             culver unix - n n - - pipe\n  flags=DRhu user=vmail argv={culver} deliver --config {home}/culver.toml\n  \
             -f ${{sender}} -a ${{original_recipient}} -d ${{recipient}}\n",
            culver = culver_program(),
        );
        let boxes: String = boxes
            .iter()
            .map(|(name, domain)| format!("{name}@{domain} {domain}/{name}/Maildir/\n"))
            .collect();
        for (name, text) in [("main.cf", main), ("master.cf", master), ("boxes", boxes)] {
            fs::write(view.inside("/etc/postfix").join(name), text).unwrap();
        }
        fs::create_dir(view.at("queue")).unwrap();
        view.run("postfix", &["check"]);
        let child = view.captive("postfix").arg("start-fg").spawn().unwrap();
        let child = Guard(child);
        view.await_port(port);
        Postfix {
            port,
            _child: child,
        }
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn flush(&self, view: &View) {
        view.run("postqueue", &["-f"]);
    }

    fn waiting(&self, view: &View) -> usize {
        let listed = view.run("postqueue", &["-j"]).stdout;
        listed.iter().filter(|octet| **octet == b'\n').count()
    }

    fn has_deferred(&self, view: &View, to: &str) -> usize {
        let (to, log) = (format!("to=<{to}>"), self.log(view));
        log.lines()
            .filter(|line| line.contains(&to) && line.contains("status=deferred"))
            .count()
    }

    fn log(&self, view: &View) -> String {
        fs::read_to_string(view.at("postfix.log")).unwrap_or_default()
    }
}
