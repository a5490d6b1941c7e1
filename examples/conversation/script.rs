//! What is said, by whom, in which order: the lines of a file, or a dialogue that comes with the example.
//!
//! A line is a run of bytes, nothing more: it may be empty and need not be UTF-8. Its number, counted from 1, is its name on the network.

use std::ops::RangeInclusive;

use crate::{dice::Dice, who::Who};

/// Lines that one speaker says in a row, where the lines are a file's.
const RUN: RangeInclusive<u64> = 1..=4;

/// One message to be.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) speaker: Who,
    pub(crate) text: Vec<u8>,
    /// The first line of the run that this one answers: the speaker waits until it has heard that one or a later one. 0: it answers none.
    pub(crate) answers: u32,
}

/// The whole conversation.
#[derive(Debug)]
pub(crate) struct Script(Vec<Line>);

impl Script {
    /// The dialogue that comes with the example.
    pub(crate) fn built_in() -> Self {
        Self::new(DIALOGUE.iter().map(|(speaker, text)| (*speaker, text.as_bytes().to_vec())))
    }

    /// Every line of a file, the two speaking in short runs. A line ends with LF or CR LF, which is not part of it.
    pub(crate) fn of_file(bytes: &[u8], dice: &mut Dice) -> Self {
        let bytes = bytes.strip_suffix(b"\n").map_or((!bytes.is_empty()).then_some(bytes), Some);
        let lines = bytes.into_iter().flat_map(|bytes| bytes.split(|byte| *byte == b'\n'));
        let (mut speaker, mut left) = (Who::Bob, 0);
        Self::new(lines.map(|line| {
            if left == 0 {
                (speaker, left) = (speaker.peer(), dice.within(RUN));
            }
            left = left.saturating_sub(1);
            (speaker, line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        }))
    }

    fn new(lines: impl Iterator<Item = (Who, Vec<u8>)>) -> Self {
        let (mut last, mut run, mut answers) = (None, 0, 0);
        let numbered = (1..).zip(lines).map(|(number, (speaker, text))| {
            if last.replace(speaker) != Some(speaker) {
                (answers, run) = (run, number);
            }
            Line { speaker, text, answers }
        });
        Self(numbered.collect())
    }

    /// How many lines there are.
    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// The lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u32, &Line)> {
        (1..).zip(&self.0)
    }

    /// What a speaker says next after its line `said`; 0: it has said nothing.
    pub(crate) fn next(&self, speaker: Who, said: u32) -> Option<(u32, &Line)> {
        let rest = self.0.get(usize::try_from(said).ok()?..)?;
        (said.saturating_add(1)..).zip(rest).find(|(_, line)| line.speaker == speaker)
    }
}

use Who::{Alice as A, Bob as B};

/// Two friends plan a trip in an outrigger canoe.
const DIALOGUE: &[(Who, &str)] = &[
    (A, "Are you awake? I have an idea for the long weekend."),
    (A, "We take the canoe around the point, to the bay with two palms."),
    (B, "I am now. How far is it?"),
    (B, "And which canoe? The old one leaked all summer."),
    (A, "Eleven miles along the reef, nine if we dare the channel."),
    (A, "The old one, yes. My uncle gave it a new float and new lashings."),
    (A, "He says it will outlive us both."),
    (B, "He said that of the last one."),
    (A, "The last one he tied with fishing line."),
    (B, "All right. What does the wind do?"),
    (A, "Northeast, twelve knots in the morning, eighteen after noon."),
    (B, "Then we leave at first light and are there before it builds."),
    (B, "And the float goes to windward, or I stay at home."),
    (A, "Float to windward all the way out. On the way back we shunt."),
    (A, "You remember how?"),
    (B, "Mast across, sheet across, steering oar to the other end."),
    (B, "And nobody steps on the lee platform."),
    (A, "You did step on it."),
    (B, "Once."),
    (A, "Once is how we lost the stove."),
    (B, "I will bring the new stove. And a line to tie it down."),
    (A, "Water: twenty litres, in four jugs, two at each end."),
    (A, "Food: rice, breadfruit, limes, the dried fish from Mele."),
    (B, "Coffee."),
    (A, "Coffee, of course. Do you still have the chart?"),
    (B, "Yes, with a stain where the channel is."),
    (B, "I will ask the harbour office for a clean copy tomorrow."),
    (A, "Ask about the tide as well. High water was 5:40 last year."),
    (B, "They will say: look at the table, it hangs on the door."),
    (A, "Then look at the table, it hangs on the door."),
    (B, "Who knows where we are, if we are not back on Monday?"),
    (A, "My uncle. And the warden of the bay, she has a radio."),
    (A, "If the swell is over two metres we turn round. No discussion."),
    (B, "No discussion. I like that better than the new lashings."),
    (A, "So, Friday? I sleep at the boathouse, you come at five."),
    (B, "Four thirty. The dog wants to say goodbye."),
    (A, "Bring the dog."),
    (B, "She gets seasick."),
    (A, "She gets the platform. The windward one."),
    (B, "Deal. Four thirty, both of us, and the stove tied down."),
    (A, "E ho\u{2bb}omaka k\u{101}kou: let us begin. Good night!"),
    (B, "Good night. And check those lashings once more."),
];
