//! Files of users that only master may open.

use std::fs;
use std::process::Command;

use crate::hall::Hall;
use crate::harness::wait_until;

#[test]
fn a_file_of_users_that_is_none_is_named_in_the_log() {
    let Some(hall) = Hall::open() else { return };
    for (make, words) in [("mkfifo", "a FIFO or a device"), ("mkdir", "directory")] {
        let _ = fs::remove_file(hall.at("users"));
        // Whoever checks passwords may not open it: it is given it, or the reason why not.
        let made = Command::new(make)
            .args(["-m", "0700"])
            .arg(hall.at("users"))
            .status();
        assert!(made.unwrap().success());
        let mut client = hall.stranger();
        let outcome = client.outcome("LOGIN ann p");
        assert!(outcome.starts_with("NO [UNAVAILABLE]"), "{outcome}");
        wait_until("the log", || hall.log().contains(words));
    }
}
