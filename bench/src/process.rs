//! What the kernel tells of a process: its CPU time and memory. And how a process gets all the file descriptors that
//! the system allows it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::{Failure, Outcome};

/// Between looks at a server that is to become quiet.
const LOOK: Duration = Duration::from_millis(250);
/// Looks at most: making key pairs ahead takes some seconds after a start.
const LOOKS: u32 = 240;
/// `USER_HZ`, which Linux keeps at 100 for every user space.
const TICK: Duration = Duration::from_millis(10);

/// CPU time that the process `pid` has taken, in user and kernel mode.
pub(crate) fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may contain anything; what follows the last one is numbers. utime and stime are the
    // 14th and 15th field, the name is the 2nd.
    let (_, numbers) = stat.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
    let ticks = |at: usize| -> Outcome<u32> {
        Ok(numbers.split_ascii_whitespace().nth(at).ok_or("/proc/PID/stat is too short")?.parse()?)
    };
    Ok(TICK * (ticks(11)? + ticks(12)?))
}

/// Resident memory of the process `pid`, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("/proc/PID/status has no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// Waits until `pid` does next to nothing.
pub(crate) async fn quiet(pid: u32) -> Outcome {
    let mut before = cpu(pid)?;
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        let now = cpu(pid)?;
        if now.saturating_sub(before) <= TICK {
            return Ok(());
        }
        before = now;
    }
    Err("the server does not become quiet".into())
}

/// A command that runs `program` with as many file descriptors as the system allows.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    // `exec` keeps the process id: what is measured and ended is the program itself.
    command.args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$@\"", "sh"]).arg(program);
    command
}

/// Goes on as a process that may open as many files as the system allows.
pub(crate) fn with_all_file_descriptors() -> Outcome {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).ok_or("no limit of open files")?;
    let mut numbers = line.split_ascii_whitespace();
    if numbers.next() == numbers.next() {
        return Ok(());
    }
    let failed = command(&std::env::current_exe()?).args(std::env::args_os().skip(1)).exec();
    Err(Failure::from(failed))
}
