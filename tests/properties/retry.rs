//! Messages that are asked for again: what goes out, to whom, how often, and what it costs those who did not ask.

use outrigger::{
    Address, Advice, AnswerRetry, Content, Keep, MessageId, OpenError, Receive, RequestRetry, RetryAnswer,
    RetryError, RetryOutcome, RetryReason, Send, Sent, VerifiedBundle,
};

use crate::world::{BOUND, Device, Server, exchange, friends, strangers};

impl Device {
    /// Receives what cannot be opened and asks for it again; the request's bytes.
    pub(crate) fn asks(&mut self, from: Address, envelope: &[u8]) -> Vec<u8> {
        let error = self.refuses(from, envelope);
        assert_eq!(error.advice(), Advice::RequestRetry, "{error:?}");
        self.run(&RequestRetry { from, envelope, error }).unwrap().request
    }

    /// Answers a request, with a bundle if one is wanted.
    pub(crate) fn answers(
        &mut self,
        from: Address,
        request: &[u8],
        server: &mut Server,
    ) -> Result<RetryAnswer, RetryError> {
        let answer = AnswerRetry { from, request, bundle: None, resend_to: None };
        match self.run(&answer) {
            Err(RetryError::NoBundle) => {
                let bundle = VerifiedBundle::verify(&server.fetch(from), &from).unwrap();
                self.run(&AnswerRetry { bundle: Some(&bundle), ..answer })
            }
            other => other,
        }
    }

    pub(crate) fn sends(&mut self, to: Address, text: &[u8], keep: Keep) -> Sent {
        self.run(&Send { to, plaintext: text, associated_data: BOUND, keep }).unwrap()
    }
}

/// A sender that went back and a receiver that is ahead: one retry mends both.
#[test]
fn a_rolled_back_sender_and_its_peer_are_mended_by_one_retry() {
    let (mut ada, mut ben, mut server) = friends();
    exchange(&mut ada, &mut ben);
    let before = ada.store.clone();
    let old = ada.send(ben.address, b"of a time that was");
    ben.opens(ada.address, &old, b"of a time that was");
    ada.store = before;
    let sent = ada.sends(ben.address, b"at the same counter", Keep::ForRetry);
    assert_eq!(ben.refuses(ada.address, &sent.envelope), OpenError::KeyGone);
    assert_eq!(ben.refuses(ada.address, &old), OpenError::Duplicate);

    let request = ben.asks(ada.address, &sent.envelope);
    assert_eq!(ada.refuses(ben.address, &request), OpenError::RetryRequest);
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    assert_eq!(
        (answer.outcome, answer.reason, answer.restarted, answer.message_id),
        (RetryOutcome::Again, RetryReason::KeyGone, true, sent.message_id)
    );
    assert_eq!(answer.associated_data, BOUND);
    let received = ben.opens(ada.address, &answer.envelope, b"at the same counter");
    assert!(received.again);
    assert_eq!(received.message_id, sent.message_id);
    assert_eq!(MessageId::of(&sent.envelope), Ok(sent.message_id));
    assert_eq!(ben.refuses(ada.address, &answer.envelope), OpenError::Duplicate);
    assert_eq!(ada.answers(ben.address, &request, &mut server), Err(RetryError::UnknownMessage));
    assert_eq!(ada.active(ben.address), ben.active(ada.address));
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
}

#[test]
fn what_was_not_kept_is_reported_lost_at_both_ends() {
    let (mut ada, mut ben, mut server) = friends();
    let before = ada.store.clone();
    exchange(&mut ada, &mut ben);
    ada.store = before;
    let sent = ada.sends(ben.address, b"typing", Keep::Nothing);
    let request = ben.asks(ada.address, &sent.envelope);
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    assert_eq!((answer.outcome, answer.message_id), (RetryOutcome::Lost, sent.message_id));
    let receive = Receive { from: ada.address, envelope: &answer.envelope, associated_data: BOUND };
    let received = ben.run(&receive).unwrap();
    assert!(matches!(received.content, Content::Lost));
    assert_eq!(received.message_id, sent.message_id);
    exchange(&mut ben, &mut ada);
}

#[test]
fn a_stranger_is_not_asked() {
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let envelope = ada.send(ben.address, b"hello");
    ben.store.0.retain(|key, _| key.kind() != outrigger::RecordKind::OneTimePrekey);
    server = Server::default();
    ben.publish(5, &mut server);
    ada.publish(5, &mut server);
    let error = ben.refuses(ada.address, &envelope);
    let ask = RequestRetry { from: ada.address, envelope: &envelope, error };
    assert_eq!(ben.run(&ask), Err(RetryError::UnknownPeer));
    // The user agrees to meet it: then it is known by its bundle.
    ben.start(ada.address, &mut server).unwrap();
    let request = ben.run(&ask).unwrap().request;
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    assert!(ben.opens(ada.address, &answer.envelope, b"hello").again);
}

/// Its message came by the answer: the first envelope, whose key is still there, is a repeat for as long as 256 digests say so.
#[test]
fn a_first_envelope_that_comes_after_its_answer_is_a_repeat() {
    for later in [0, 1, 100, 254, 255] {
        let (mut ada, mut ben, mut server) = friends();
        let wanted = ada.send(ben.address, b"wanted");
        exchange(&mut ada, &mut ben);
        let ask = RequestRetry { from: ada.address, envelope: &wanted, error: OpenError::KeyGone };
        let request = ben.run(&ask).unwrap().request;
        exchange(&mut ben, &mut ada);
        let answer = ada.answers(ben.address, &request, &mut server).unwrap();
        assert!(ben.opens(ada.address, &answer.envelope, b"wanted").again);
        for _ in 0..later {
            exchange(&mut ada, &mut ben);
        }
        assert_eq!(ben.receive(ada.address, &wanted).map(drop), Err(OpenError::Duplicate), "{later} later");
    }
}
