//! Exim, as small hosts set it up beside Dovecot.

use std::fs;
use std::os::unix::fs::chown;

use crate::harness::server::{Guard, culver_program, free_port};
use crate::view::View;
use crate::world::Mta;

/// Debian-exim.
const EXIM: u32 = 61_023;

pub struct Exim {
    port: u16,
    _child: Guard,
}

impl Mta for Exim {
    fn start(view: &View, boxes: &[(String, &str)]) -> Exim {
        let port = free_port();
        let home = view.home.path().display();
        let boxes: Vec<String> = boxes
            .iter()
            .map(|(name, domain)| format!("{name}@{domain}"))
            .collect();
        let config = format!(
            "primary_hostname = mx.test.example\nlocal_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port}\n\
             spool_directory = {home}/spool\nlog_file_path = {home}/exim.%slog\ntls_advertise_hosts =\n\
             acl_smtp_rcpt = check_rcpt\nacl_smtp_data = accept\nnever_users =\n\
             disable_ipv6 = true\nkeep_environment =\nsmtp_accept_queue_per_connection = 0\n\
             begin acl\ncheck_rcpt:\n  accept authenticated = *\n  deny message = relay not permitted\n\
             begin routers\n\
             known:\n  driver = redirect\n  data = :fail: no such user\n  \
             condition = ${{if inlist{{$local_part@$domain}}{{{boxes}}}{{no}}{{yes}}}}\n\
             lmtp:\n  driver = accept\n  domains = lmtp.example\n  transport = lmtp\n\
             pipe:\n  driver = accept\n  domains = pipe.example\n  local_parts = ann : full : tiny : ghost\n  transport = pipe\n\
             own:\n  driver = accept\n  domains = own.example\n  local_parts = ann : bert\n  transport = own\n\
             begin transports\n\
             lmtp:\n  driver = lmtp\n  socket = {home}/run/lmtp\n  batch_max = 100\n\
             pipe:\n  driver = pipe\n  user = vmail\n  return_path_add\n  delivery_date_add\n  log_output\n  \
             command = {culver} deliver --config {home}/culver.toml -d $local_part_data@$domain_data\n\
             own:\n  driver = appendfile\n  user = vmail\n  maildir_format\n  create_directory\n  \
             directory = {home}/vmail/$domain_data/$local_part_data/Maildir\n\
             begin retry\n* * F,1d,1h\n\
             begin authenticators\n\
             plain:\n  driver = dovecot\n  public_name = PLAIN\n  server_socket = {home}/run/auth\n  \
             server_set_id = $auth1\n\
             login:\n  driver = dovecot\n  public_name = LOGIN\n  server_socket = {home}/run/auth\n  \
             server_set_id = $auth1\n",
            boxes = boxes.join(":"),
            culver = culver_program(),
        );
        fs::create_dir(view.at("spool")).unwrap();
        chown(view.at("spool"), Some(EXIM), Some(EXIM)).unwrap();
        // Where it logs, and what it is sure to trust.
        chown(view.home.path(), Some(EXIM), None).unwrap();
        fs::write(view.inside("/etc/exim4/exim4.conf"), config).unwrap();
        let child = view.captive("exim4").args(["-bdf", "-q1h"]).spawn();
        let child = Guard(child.unwrap());
        view.await_port(port);
        Exim {
            port,
            _child: child,
        }
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn flush(&self, view: &View) {
        view.run("exim4", &["-qff"]);
    }

    fn waiting(&self, view: &View) -> usize {
        let count = view.run("exim4", &["-bpc"]).stdout;
        String::from_utf8(count).unwrap().trim().parse().unwrap()
    }

    fn has_deferred(&self, view: &View, to: &str) -> usize {
        let (to, log) = (format!("== {to} "), self.log(view));
        log.lines()
            .filter(|line| line.contains(&to) && line.contains(" defer "))
            .count()
    }

    fn log(&self, view: &View) -> String {
        fs::read_to_string(view.at("exim.mainlog")).unwrap_or_default()
    }
}
