//! The other processes: this test binary once more, in another role.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _, stdin},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use crate::{life, one_file, prekeys, report::Tally};

/// Holds the role and its arguments, a line each.
const ROLE: &str = "OUTRIGGER_PROCESS";

#[test]
#[ignore = "what the other processes of these tests run; alone it does nothing"]
fn entry() {
    let Ok(role) = env::var(ROLE) else { return };
    let words: Vec<&str> = role.split('\n').collect();
    let tally = match words[..] {
        ["share", own, other, name] => one_file::share(Path::new(own), Path::new(other), name),
        ["replenish", own] => prekeys::replenish(Path::new(own)),
        ["welcome", own, order] => prekeys::welcome(Path::new(own), order),
        ["live", own, rounds, crash] => life::live(Path::new(own), rounds, crash),
        _ => panic!("no role: {role}"),
    };
    println!("{}", tally.line());
}

/// Said by a child that has opened its store.
pub(crate) fn ready() {
    println!("ready");
}

/// Waits in a child until all that are to run at once are ready.
pub(crate) fn await_start() {
    ready();
    stdin().read_exact(&mut [0]).unwrap();
}

/// A running child. Its error output is this process's own.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(role: &[&str]) -> Self {
        // Through a shell, for one that dies by its own hand is to leave no core behind.
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -c 0; exec \"$@\"", "sh"])
            .arg(env::current_exe().unwrap())
            .args(["child::entry", "--exact", "--ignored", "--nocapture"])
            .env(ROLE, role.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Starts several, lets them loose together, so many times, and waits for all; one that fails, fails the test.
    pub(crate) fn at_once(starts: usize, roles: &[&[&str]]) -> Vec<Tally> {
        let mut processes: Vec<_> = roles.iter().map(|role| Self::start(role)).collect();
        for _ in 0..starts {
            processes.iter_mut().for_each(Self::await_ready);
            for process in &mut processes {
                // One that died is found below.
                process.child.stdin.as_mut().unwrap().write_all(b"\n").ok();
            }
        }
        processes.into_iter().map(Self::finish).collect()
    }

    /// Reads until the child is ready, or dead.
    pub(crate) fn await_ready(&mut self) {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 && !line.ends_with("ready\n") {}
    }

    /// SIGKILL, if it still runs.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    /// Lets it run to its end, whichever.
    pub(crate) fn wait(mut self) -> ExitStatus {
        std::io::copy(&mut self.output, &mut std::io::sink()).unwrap();
        self.child.wait().unwrap()
    }

    fn finish(mut self) -> Tally {
        let mut output = String::new();
        self.output.read_to_string(&mut output).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "a child failed: {status}\n{output}");
        output.lines().find_map(Tally::parse).unwrap()
    }
}
