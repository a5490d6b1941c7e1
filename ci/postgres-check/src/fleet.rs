//! The fleet: processes, and in each some workers with a connection of their own, that are all let loose at once.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _, stdin},
    process::{Command, Stdio},
};

use tokio::task::JoinSet;

use crate::{check, device::Device, dice::Dice, report::Tally};

/// Processes of the fleet.
pub(crate) const PROCESSES: usize = 3;
/// Workers in each.
pub(crate) const WORKERS: usize = 2;

/// Sends a fleet out with a role, and waits for all of it: the counts of all workers together.
pub(crate) fn send_out(server: &str, processes: usize, role: &str) -> Tally {
    let start = |process: usize| {
        Command::new(env::current_exe().unwrap())
            .args([server, &process.to_string(), role])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut fleet: Vec<_> = (0..processes).map(start).collect();
    let mut outputs: Vec<_> =
        fleet.iter_mut().map(|process| BufReader::new(process.stdout.take().unwrap())).collect();
    for output in &mut outputs {
        output.read_line(&mut String::new()).unwrap();
    }
    for process in &mut fleet {
        process.stdin.take().unwrap().write_all(b"\n").unwrap();
    }
    let mut all = Tally::default();
    for (process, output) in fleet.iter_mut().zip(&mut outputs) {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert!(process.wait().unwrap().success(), "a process of the fleet failed");
        all = text.lines().filter_map(Tally::parse).fold(all, Tally::and);
    }
    all
}

/// One process of the fleet.
pub(crate) async fn work(server: &str, process: &str, role: &str) {
    let mut devices = Vec::new();
    let device = if role == "answer" { "peer" } else { "phone" };
    for _ in 0..WORKERS {
        devices.push(Device::connect(server, device).await);
    }
    println!("ready");
    stdin().read_exact(&mut [0]).unwrap();

    let mut workers = JoinSet::new();
    for (worker, device) in devices.into_iter().enumerate() {
        let role = role.to_owned();
        let number = process.parse::<usize>().unwrap() * WORKERS + worker;
        workers.spawn(async move {
            match role.as_str() {
                "share" => share(device, number).await,
                "answer" => answer(device).await,
                "replenish" => replenish(device).await,
                "welcome" => welcome(device, number).await,
                _ => panic!("no role: {role}"),
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        println!("{}", done.unwrap().line());
    }
}

/// Opens all that the peer has sent, in an order of its own, and sends a text after each.
async fn share(mut phone: Device, number: usize) -> Tally {
    let mut envelopes = phone.envelopes("peer").await;
    Dice::new(number as u64).shuffle(&mut envelopes);
    for (place, envelope) in envelopes.iter().enumerate() {
        // Opened, or refused since another worker was faster.
        phone.receive("peer", envelope).await.ok();
        phone.send("peer", &format!("worker {number} {place}")).await;
    }
    phone.0.tally
}

/// At the peer: opens all that the phone has sent, in its order, since what is skipped is bounded.
async fn answer(mut peer: Device) -> Tally {
    for envelope in peer.envelopes("phone").await {
        peer.receive("phone", &envelope).await.ok();
    }
    peer.0.tally
}

/// Makes prekeys.
async fn replenish(mut phone: Device) -> Tally {
    for _ in 0..check::RUNS {
        phone.replenish(check::AT_ONCE).await;
    }
    phone.0.tally
}

/// Opens the first messages of pairs of strangers that were given one prekey, those of one before those of the other.
async fn welcome(mut phone: Device, number: usize) -> Tally {
    let mut dice = Dice::new(number as u64);
    for pair in 0..check::GIVEN_TWICE {
        let mut names = check::strangers(pair);
        if dice.once_in(2) {
            names.reverse();
        }
        for name in names {
            for envelope in phone.envelopes(&name).await {
                phone.receive(&name, &envelope).await.ok();
            }
        }
    }
    phone.0.tally
}
