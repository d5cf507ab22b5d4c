"""Starts Culver and Dovecot, each on a copy of a Maildir, with throw-away configurations."""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 30


class Servers:
    """Both servers; ended by `stop`."""

    def __init__(self, culver, maildir, ports=None):
        self.home = tempfile.mkdtemp(prefix="differential-")
        self.running = []
        # Mail belongs to nobody where root runs this, for Dovecot serves no mail of root's.
        root = os.getuid() == 0
        self.uid, self.gid = (pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid) if root else (os.getuid(), os.getgid())
        copies = [os.path.join(self.home, name) for name in ("culver", "dovecot")]
        for copy in copies:
            shutil.copytree(maildir, copy)
        self.own(self.home)
        self.culver_port, self.dovecot_port = ports or (free_port(), free_port())
        self.start([culver, "serve", copies[0], "--listen", f"127.0.0.1:{self.culver_port}", "--listen-tls", "127.0.0.1:0", "--user", "u",
                    "--password", "p"], self.culver_port)
        self.start([shutil.which("dovecot") or "/usr/sbin/dovecot", "-F", "-c", self.dovecot_configuration(copies[1])], self.dovecot_port, demote=root)

    def own(self, folder):
        if os.getuid() == 0:
            for path, _, names in os.walk(folder):
                for name in [path] + [os.path.join(path, name) for name in names]:
                    os.chown(name, self.uid, self.gid)

    def dovecot_configuration(self, mail):
        user, group = pwd.getpwuid(self.uid).pw_name, grp.getgrgid(self.gid).gr_name
        path = os.path.join(self.home, "dovecot.conf")
        with open(path, "w") as file:
            file.write(
                f"protocols = imap\nbase_dir = {self.home}/run\nstate_dir = {self.home}/state\nlog_path = {self.home}/dovecot.log\nssl = no\n"
                f"default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n"
                f"first_valid_uid = 1\nfirst_valid_gid = 1\nmail_location = maildir:{mail}\ndisable_plaintext_auth = no\n"
                "passdb {\n  driver = static\n  args = password=p\n}\n"
                f"userdb {{\n  driver = static\n  args = uid={self.uid} gid={self.gid} home={self.home}\n}}\n"
                "service anvil {\n  chroot =\n}\nservice stats {\n  chroot =\n}\n"
                "service imap-login {\n  chroot =\n  inet_listener imap {\n    address = 127.0.0.1\n"
                f"    port = {self.dovecot_port}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n")
        self.own(self.home)
        return path

    def start(self, command, port, demote=False):
        log = open(os.path.join(self.home, os.path.basename(command[0]) + ".out"), "wb")
        who = {"user": self.uid, "group": self.gid, "extra_groups": []} if demote else {}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **who)
        self.running.append(process)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.stop(keep=True)
        raise SystemExit(f"{command[0]} did not start; see {self.home}")

    def stop(self, keep=False):
        for process in self.running:
            try:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(10)
            except ProcessLookupError:
                pass
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        self.running = []
        if not keep:
            shutil.rmtree(self.home, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
