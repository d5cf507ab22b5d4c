//! A process that has been taken over: it is made to call the system as an attacker would, with all that holds for it
//! still holding. It is stopped where it waits for the system, its registers are set for another call, and it goes on for
//! one step (ptrace(2)).

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;

use libc::{c_long, c_void, pid_t, user_regs_struct};

/// A stopped process. Dropping it lets it go on as if nothing had been.
pub struct Captive {
    pid: pid_t,
    before: user_regs_struct,
}

/// `syscall`, the machine's instruction.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Free stack below what the calling code may use without asking (the red zone of 128 octets).
const BELOW: u64 = 64 << 10;

impl Captive {
    /// Stops a process where it waits for the system.
    pub fn take(pid: u32) -> Captive {
        let pid = pid_t::try_from(pid).unwrap();
        for _ in 0..1000 {
            ask(libc::PTRACE_ATTACH, pid, 0, 0).unwrap();
            wait(pid);
            let before = registers(pid);
            let mut captive = Captive { pid, before };
            let mut here = [0; 2];
            let found = captive.memory(before.rip - 2, &mut here);
            if found.is_ok() && here == SYSCALL {
                // What it was waiting for begins again when it is let go.
                captive.before = before;
                return captive;
            }
            drop(captive);
            std::thread::yield_now();
        }
        panic!("process {pid} never waits");
    }

    /// Makes a call; what the kernel says.
    pub fn call(&self, number: c_long, arguments: &[u64]) -> io::Result<u64> {
        let mut now = self.before;
        now.rip = self.before.rip - 2;
        now.rax = u64::try_from(number).unwrap();
        // No call is interrupted, so none is begun again.
        now.orig_rax = u64::MAX;
        let places = [
            &mut now.rdi,
            &mut now.rsi,
            &mut now.rdx,
            &mut now.r10,
            &mut now.r8,
            &mut now.r9,
        ];
        for (place, argument) in places.into_iter().zip(arguments) {
            *place = *argument;
        }
        set_registers(self.pid, &now);
        ask(libc::PTRACE_SINGLESTEP, self.pid, 0, 0).unwrap();
        wait(self.pid);
        let said = registers(self.pid).rax;
        match said.cast_signed() {
            error @ -4095..0 => Err(io::Error::from_raw_os_error(i32::try_from(-error).unwrap())),
            _ => Ok(said),
        }
    }

    /// Opens a file for reading, and closes it again.
    pub fn open(&self, path: &str) -> io::Result<()> {
        let path = self.write(path);
        let here = u64::from_ne_bytes(i64::from(libc::AT_FDCWD).to_ne_bytes());
        let opened = self.call(libc::SYS_openat, &[here, path, libc::O_RDONLY as u64, 0])?;
        self.call(libc::SYS_close, &[opened]).map(drop)
    }

    /// Takes all rights to a file away, by its name.
    pub fn close_to_all(&self, path: &str) -> io::Result<()> {
        let path = self.write(path);
        let here = u64::from_ne_bytes(i64::from(libc::AT_FDCWD).to_ne_bytes());
        self.call(libc::SYS_fchmodat, &[here, path, 0]).map(drop)
    }

    /// Sets the times of a file, by its name.
    pub fn touch(&self, path: &str) -> io::Result<()> {
        let path = self.write(path);
        let here = u64::from_ne_bytes(i64::from(libc::AT_FDCWD).to_ne_bytes());
        self.call(libc::SYS_utimensat, &[here, path, 0, 0])
            .map(drop)
    }

    /// Makes a socket.
    pub fn socket(&self, family: i32) -> io::Result<u64> {
        self.call(
            libc::SYS_socket,
            &[family as u64, libc::SOCK_STREAM as u64, 0],
        )
    }

    /// Runs a program in its place.
    pub fn execute(&self, path: &str) -> io::Result<u64> {
        let path = self.write(path);
        self.call(libc::SYS_execve, &[path, 0, 0])
    }

    /// Becomes two.
    pub fn fork(&self) -> io::Result<u64> {
        self.call(libc::SYS_clone, &[libc::SIGCHLD as u64, 0, 0, 0, 0])
    }

    /// Reads another process's memory.
    pub fn look_into(&self, other: u32) -> io::Result<u64> {
        let (place, other) = (self.before.rsp - BELOW, u64::from(other));
        // One span of 8 octets here, and one there: two of iovec(3type), which both point here.
        let span = [place + 64, 8].map(u64::to_ne_bytes).concat();
        self.file().write_all_at(&span, place).unwrap();
        self.call(libc::SYS_process_vm_readv, &[other, place, 1, place, 1, 0])
    }

    /// Makes itself another's master.
    pub fn attach(&self, other: u32) -> io::Result<u64> {
        let attach = libc::PTRACE_ATTACH as u64;
        self.call(libc::SYS_ptrace, &[attach, u64::from(other), 0, 0])
    }

    /// Sends another process a signal that does nothing.
    pub fn signal(&self, other: u32) -> io::Result<u64> {
        self.call(libc::SYS_kill, &[u64::from(other), 0])
    }

    /// Puts a path where the process can name it.
    fn write(&self, path: &str) -> u64 {
        let place = self.before.rsp - BELOW;
        let path = CString::new(path).unwrap();
        self.file()
            .write_all_at(path.as_bytes_with_nul(), place)
            .unwrap();
        place
    }

    fn memory(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        self.file().read_exact_at(into, place)
    }

    fn file(&self) -> std::fs::File {
        let path = format!("/proc/{}/mem", self.pid);
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap()
    }
}

impl Drop for Captive {
    fn drop(&mut self) {
        // It may have been ended for what it did.
        let registers = (&raw const self.before) as usize;
        let _ = ask(libc::PTRACE_SETREGS, self.pid, 0, registers);
        let _ = ask(libc::PTRACE_DETACH, self.pid, 0, 0);
    }
}

fn registers(pid: pid_t) -> user_regs_struct {
    // SAFETY: the struct is made of numbers alone, for which all bits zero are a value.
    let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
    ask(libc::PTRACE_GETREGS, pid, 0, (&raw mut registers) as usize).unwrap();
    registers
}

fn set_registers(pid: pid_t, registers: &user_regs_struct) {
    let registers = std::ptr::from_ref(registers) as usize;
    ask(libc::PTRACE_SETREGS, pid, 0, registers).unwrap();
}

fn ask(request: libc::c_uint, pid: pid_t, address: usize, data: usize) -> io::Result<c_long> {
    // SAFETY: the kernel reads or writes here only behind `data`, and only for the requests for registers, whose callers
    // give a whole struct of them that outlives the call.
    let said = unsafe { libc::ptrace(request, pid, address as *mut c_void, data as *mut c_void) };
    match said {
        -1 => Err(io::Error::last_os_error()),
        said => Ok(said),
    }
}

/// Waits until it has stopped.
fn wait(pid: pid_t) {
    let mut status = 0;
    // SAFETY: `status` outlives the call, which writes nothing else.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
    assert_eq!(waited, pid, "{}", io::Error::last_os_error());
    assert!(
        libc::WIFSTOPPED(status),
        "process {pid} is gone: {status:#x}"
    );
}
