//! Requests for what did not open, and what answers them.

use outrigger::{Advice, AnswerRetry, Limits, MessageId, RequestRetry, RetryError, RetryOutcome};

use super::{
    super::world::{Choices, Refusal},
    DEVICES, Message, Request, World,
};

impl World {
    /// Asks for a message that its recipient cannot open.
    pub(super) fn ask(&mut self, message: usize) {
        let sent = self.messages[message].clone();
        let Err(error) = self.open(message, Limits::DEFAULT) else { return };
        let ask = RequestRetry { from: self.devices[sent.from].address, envelope: &sent.envelope, error };
        match self.run(sent.to, &ask) {
            Ok(asked) => {
                assert_eq!(error.advice(), Advice::RequestRetry);
                assert_eq!(MessageId::of(&sent.envelope), Ok(asked.message_id));
                let in_note = sent.envelope.starts_with(&[1, 0x80]);
                let len = asked.request.len();
                assert!(if in_note { len == 228 } else { (149..=160).contains(&len) }, "{len} bytes");
                self.requests.push(Request { message, bytes: asked.request, answered: false });
                let again = self.run(sent.to, &ask).expect_err("asked twice");
                assert!(matches!(again, RetryError::AlreadyAsked), "{again}");
            }
            Err(RetryError::NotRetryable) => assert_ne!(error.advice(), Advice::RequestRetry),
            Err(
                RetryError::UnknownPeer
                | RetryError::AlreadyAsked
                | RetryError::TooMany { .. }
                | RetryError::IdentityChanged { .. },
            ) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// A request comes to the device that it is for.
    pub(super) fn answer(&mut self, place: usize, choice: u8) {
        let Request { message, bytes, answered } = self.requests[place].clone();
        let wanted = self.messages[message].clone();
        let (at, asks) = (wanted.from, wanted.to);
        let field = if choice.is_multiple_of(2) { self.server[asks].one_time.pop() } else { None };
        let bundle = self.bundle(asks, field.as_ref());
        let bare =
            AnswerRetry { from: self.devices[asks].address, request: &bytes, bundle: None, resend_to: None };
        let answer = match self.run(at, &bare) {
            Err(RetryError::NoBundle) => self.run(at, &AnswerRetry { bundle: Some(&bundle), ..bare }),
            other => other,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                error.show();
                let allowed = matches!(
                    error,
                    RetryError::NotAuthentic
                        | RetryError::UnknownMessage
                        | RetryError::AnsweredEnough
                        | RetryError::IdentityChanged { .. }
                        | RetryError::SentToAnotherKey { .. }
                );
                assert!(allowed, "{error}");
                return;
            }
        };
        // From here on a message can come by two ways, and old sessions go.
        self.calm = false;
        self.requests[place].answered = true;
        assert!(!answered || self.devices[at].went_back, "answered twice");
        let first = wanted.answers.map_or(message, |(first, _)| first);
        let root = self.messages[first].clone();
        assert_eq!((answer.message_id, &answer.associated_data), (root.id, &root.bound));
        let carried =
            1 + self.messages.iter().filter(|sent| sent.answers.is_some_and(|(of, _)| of == first)).count();
        assert!(carried < 5 || self.devices[at].went_back, "{carried} envelopes for one message");
        assert!(answer.outcome == RetryOutcome::Lost || root.kept, "a text that was not kept");
        let plaintext = if answer.outcome == RetryOutcome::Again { root.plaintext } else { Vec::new() };
        self.in_flight.push(self.messages.len());
        self.messages.push(Message {
            incarnation: self.devices[asks].incarnation,
            envelope: answer.envelope,
            plaintext,
            session: answer.session,
            answers: Some((first, answer.outcome)),
            ..wanted
        });
        let last = self.messages.len() - 1;
        (self.messages[last].id, self.messages[last].bound) = (answer.message_id, answer.associated_data);
    }

    /// A request that somebody has altered, or said to come from another device, or sent to another.
    pub(super) fn answer_altered(&mut self, choices: &mut Choices<'_>) {
        if self.requests.is_empty() {
            return;
        }
        let Request { message, bytes, .. } = self.requests[choices.below(self.requests.len())].clone();
        let (mut at, mut asks) = (self.messages[message].from, self.messages[message].to);
        let mut request = bytes.clone();
        let (kind, place) = (choices.byte(), usize::from(choices.byte()) % request.len());
        match kind % 8 {
            0 => at = (at + 1) % DEVICES,
            1 => asks = (asks + 1) % DEVICES,
            2 => (at, asks) = (asks, at),
            3 => request.truncate(place),
            4 => request.insert(place, kind),
            _ => request[place] ^= 1 << (kind / 8 % 8),
        }
        let bundle = self.bundle(asks, None);
        let answer = AnswerRetry {
            from: self.devices[asks].address,
            request: &request,
            bundle: Some(&bundle),
            resend_to: None,
        };
        self.run(at, &answer).expect_err("altered and answered").show();
    }
}
