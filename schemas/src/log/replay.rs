//! Reads the log into a snapshot, and finds where it is not as it was written.
//!
//! Entries are numbered without a gap, each names its predecessor's hash, and the head names the last one. An entry that is
//! missing, damaged or not the one that its neighbours name is left out and reported; reading goes on behind it.

use super::LOG_DIRECTORY;
use super::envelope::Broken;
use super::files::{
    CHECKPOINT, HEAD, Head, Listing, file_name, list, read_checkpoint, read_entry, read_head,
};
use crate::commit::LogEntry;
use crate::damage::LostNumbers;
use crate::damage::{Damage, LogProblem};
use crate::error::LakeError;
use crate::log::LOG_FORMAT;
use crate::snapshot::Snapshot;
use std::path::Path;

/// How much of the log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What comes after the checkpoint.
    Tail,
    /// Every entry.
    Whole,
}

/// Replays the log in `log`; `visit` sees every entry that is read.
pub(crate) fn replay(
    log: &Path,
    depth: Depth,
    visit: &mut dyn FnMut(&LogEntry),
) -> Result<Snapshot, LakeError> {
    // Entries may be added meanwhile: what the first head names must be listed, what comes after the second head's
    // successor cannot be of the log.
    let first = read_head(log);
    let mut replay = Replay::begin(log, depth);
    let listing = list(log)?;
    let heads = Heads { first, second: read_head(log) };
    replay.check_history(&listing);
    for &number in listing.numbers.range(replay.begins_at..) {
        replay.take(number, &heads, visit);
    }
    replay.end(&heads, &listing)
}

struct Heads {
    first: Head,
    second: Head,
}

impl Heads {
    /// The last number that an entry can have, where the head says so.
    fn limit(&self) -> Option<u64> {
        self.second.sequence().map(|last| last.saturating_add(1))
    }

    /// Whether a head names another entry than that of this number and hash.
    fn contradict(&self, number: u64, blake3: &str) -> bool {
        let other =
            |head: &Head| matches!(head, Head::At(tip) if tip.sequence == number && tip.blake3 != blake3);
        other(&self.first) || other(&self.second)
    }
}

struct Replay<'a> {
    log: &'a Path,
    snapshot: Snapshot,
    /// The first number that the checkpoint does not cover.
    begins_at: u64,
    /// The number that comes next.
    expected: u64,
    /// Hash of the entry before, where that is known.
    chain: Option<String>,
    problems: Vec<LogProblem>,
    /// Entries that name a predecessor: before the first of them was added, the head was.
    n_sealed: usize,
    unknown: Option<(u64, u32)>,
}

impl<'a> Replay<'a> {
    fn begin(log: &'a Path, depth: Depth) -> Self {
        let mut problems = Vec::new();
        let checkpoint = read_checkpoint(log).unwrap_or_else(|broken| {
            problems.push(problem_of(CHECKPOINT, broken.describe(), Damage::History));
            None
        });
        let snapshot = checkpoint.filter(|_| depth == Depth::Tail).unwrap_or_default();
        let begins_at = snapshot.tip.as_ref().map_or(0, |tip| tip.sequence.saturating_add(1));
        let chain = snapshot.tip.as_ref().map(|tip| tip.blake3.clone());
        Self { log, snapshot, begins_at, expected: begins_at, chain, problems, n_sealed: 0, unknown: None }
    }

    /// Reports entries before the checkpoint that are gone: what they amount to is in the checkpoint.
    fn check_history(&mut self, listing: &Listing) {
        let mut expected = 0;
        let before: Vec<u64> = listing.numbers.range(..self.begins_at).copied().collect();
        for number in before.into_iter().chain([self.begins_at]) {
            if number > expected {
                self.report_gap(expected, number - 1, Damage::History);
            }
            expected = number.saturating_add(1);
        }
    }

    fn report_gap(&mut self, first: u64, last: u64, damage: Damage) {
        let problem = match last - first {
            0 => "is missing".to_owned(),
            n => format!("and the {n} entries after it are missing"),
        };
        let lost = Some(LostNumbers { first, last });
        self.problems.push(LogProblem { lost, ..problem_of(&file_name(first), problem, damage) });
    }

    fn take(&mut self, number: u64, heads: &Heads, visit: &mut dyn FnMut(&LogEntry)) {
        let name = file_name(number);
        let is_beyond = heads.limit().map_or(number > self.expected, |limit| number > limit);
        let read = read_entry(&self.log.join(&name)).and_then(|found| match found {
            None => Err(Broken::Damaged("has gone while the log was read".into())),
            Some((entry, blake3)) => match self.contradiction(&entry, number, &blake3, heads) {
                Some(reason) => Err(Broken::Damaged(reason)),
                None => Ok((entry, blake3)),
            },
        });
        match read {
            Err(broken) if is_beyond => {
                let problem = format!("is not of the log, it {}", broken.describe());
                self.note_format(number, &broken);
                self.problems.push(problem_of(&name, problem, Damage::History));
            }
            Err(broken) => {
                self.pass_gap(number);
                self.note_format(number, &broken);
                let lost = Some(LostNumbers { first: number, last: number });
                self.problems
                    .push(LogProblem { lost, ..problem_of(&name, broken.describe(), Damage::Content) });
                self.chain = None;
            }
            Ok((entry, blake3)) => {
                self.pass_gap(number);
                self.n_sealed += usize::from(entry.previous().is_some());
                visit(&entry);
                self.chain = Some(blake3.clone());
                self.snapshot.apply(entry, blake3);
            }
        }
    }

    fn pass_gap(&mut self, number: u64) {
        if number > self.expected {
            self.report_gap(self.expected, number - 1, Damage::Content);
            self.chain = None;
        }
        self.expected = number.saturating_add(1);
    }

    /// The reason why an entry that is whole is not the one that belongs here.
    fn contradiction(&self, entry: &LogEntry, number: u64, blake3: &str, heads: &Heads) -> Option<String> {
        if entry.sequence() != number {
            return Some(format!("says that it is entry {}", entry.sequence()));
        }
        if heads.contradict(number, blake3) {
            return Some("is not the entry that `_head` names".into());
        }
        let chain = self.chain.as_deref().filter(|_| number == self.expected)?;
        let follows = entry.previous().is_none_or(|previous| previous == chain);
        (!follows).then(|| "does not follow the entry before it".into())
    }

    fn note_format(&mut self, number: u64, broken: &Broken) {
        if let Broken::Format(found) = broken {
            self.unknown = Some((number, *found));
        }
    }

    fn end(mut self, heads: &Heads, listing: &Listing) -> Result<Snapshot, LakeError> {
        if let Some((number, found)) = self.unknown.filter(|_| self.snapshot.tip.is_none()) {
            let path = self.log.join(file_name(number));
            return Err(LakeError::Format { path, found, known: LOG_FORMAT });
        }
        if let Some(last) = heads.first.sequence().filter(|last| *last >= self.expected) {
            self.report_gap(self.expected, last, Damage::Content);
        }
        match &heads.second {
            Head::Damaged(broken) => {
                self.problems.push(problem_of(HEAD, broken.describe(), Damage::Content));
            }
            Head::Absent if self.n_sealed > 0 || self.begins_at > 0 => {
                self.problems.push(problem_of(HEAD, "is missing".into(), Damage::Content));
            }
            _ => {}
        }
        let strays = listing.strays.iter();
        self.problems
            .extend(strays.map(|name| problem_of(name, "is not of the log".into(), Damage::History)));
        let Snapshot { lost, next_sequence, .. } = &mut self.snapshot;
        self.problems.retain(|p| p.lost.is_none_or(|numbers| !numbers.are_among(lost)));
        let taken = [heads.second.sequence(), lost.iter().map(|l| l.last).max()];
        let after = |n: u64| n.saturating_add(1);
        *next_sequence = taken.into_iter().flatten().map(after).fold(*next_sequence, u64::max);
        self.snapshot.problems = self.problems;
        Ok(self.snapshot)
    }
}

fn problem_of(name: &str, problem: String, damage: Damage) -> LogProblem {
    LogProblem { path: format!("{LOG_DIRECTORY}/{name}"), problem, damage, lost: None }
}
