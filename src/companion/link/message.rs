//! The messages of a linking: `version ‖ kind ‖ protobuf`; in most the last field is a MAC over all before it. `docs/protocol.md`, section 10 "Messages of a linking".

use alloc::vec::Vec;

use prost::Message;

use super::{LinkError, LinkReference, Refusal, invitation::MacKey};
use crate::{
    primitives::{PublicKey, Share, Signature},
    wire::{
        AcknowledgementMessage, CodeAnswerMessage, CodeInvitationMessage, CodeOfferMessage,
        ConfirmationMessage, DecodeError, Field, GrantMessage, MAX_LINK_MESSAGE, RefusalMessage,
        decode_canonical, split_version,
    },
};

const GRANT: u8 = 1;
const CONFIRMATION: u8 = 2;
const ACKNOWLEDGEMENT: u8 = 3;
const REFUSAL: u8 = 4;
const CODE_OFFER: u8 = 5;
const CODE_ANSWER: u8 = 6;
const CODE_INVITATION: u8 = 7;
const DESKTOP_GRANT: u8 = 8;

/// A message of a linking whose MAC is still to be checked.
pub(super) struct Unchecked<T> {
    pub(super) reference: LinkReference,
    body: T,
    /// What the MAC is over.
    signed: Vec<u8>,
    mac: [u8; 32],
}

impl<T> Unchecked<T> {
    /// What the message says, if the other side of the linking made it.
    pub(super) fn check(self, key: &MacKey) -> Result<T, LinkError> {
        key.check(&self.signed, &self.mac).map(|()| self.body)
    }
}

/// What the phone sends.
pub(super) enum FromPhone {
    Grant(Unchecked<Grant>),
    Acknowledgement(Unchecked<Vec<u8>>),
    Refusal(Unchecked<Refusal>),
    Answer(Unchecked<Share>),
}

/// The grant, as it travels.
pub(super) struct Grant {
    pub(super) ephemeral_key: PublicKey,
    pub(super) sealed: Vec<u8>,
}

/// What the companion sends.
pub(super) struct Confirmation {
    pub(super) device_signature: Signature,
    pub(super) bundle: Vec<u8>,
}

impl FromPhone {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        let (kind, body) = split(bytes)?;
        match kind {
            GRANT => Unchecked::decode_grant(GRANT, body).map(Self::Grant),
            ACKNOWLEDGEMENT => {
                let mut message: AcknowledgementMessage = decode_canonical(body, Field::Frame)?;
                let mac = take_mac(&mut message.mac)?;
                let signed = front(ACKNOWLEDGEMENT, &message);
                let reference = reference(&message.reference)?;
                Ok(Self::Acknowledgement(Unchecked { reference, body: message.list, signed, mac }))
            }
            REFUSAL => Unchecked::decode_refusal(body).map(Self::Refusal),
            CODE_ANSWER => {
                let mut message: CodeAnswerMessage = decode_canonical(body, Field::Frame)?;
                let mac = take_mac(&mut message.mac)?;
                let signed = front(CODE_ANSWER, &message);
                let reference = reference(&message.reference)?;
                Ok(Self::Answer(Unchecked { reference, body: share(&message.share)?, signed, mac }))
            }
            _ => Err(bad(Field::Frame)),
        }
    }
}

/// What the phone sends to a desktop that it is to relay for.
pub(super) enum ToDesktop {
    Grant(Unchecked<Grant>),
    Refusal(Unchecked<Refusal>),
}

impl ToDesktop {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (kind, body) = split(bytes)?;
        match kind {
            DESKTOP_GRANT => Unchecked::decode_grant(DESKTOP_GRANT, body).map(Self::Grant),
            REFUSAL => Unchecked::decode_refusal(body).map(Self::Refusal),
            _ => Err(DecodeError::Malformed(Field::Frame)),
        }
    }

    pub(super) fn reference(&self) -> LinkReference {
        match self {
            Self::Grant(grant) => grant.reference,
            Self::Refusal(refusal) => refusal.reference,
        }
    }
}

impl Unchecked<Grant> {
    fn decode_grant(kind: u8, body: &[u8]) -> Result<Self, DecodeError> {
        let mut message: GrantMessage = decode_canonical(body, Field::Frame)?;
        let mac = take_mac(&mut message.mac)?;
        let signed = front(kind, &message);
        let ephemeral_key = PublicKey::parse_encoded(&message.ephemeral_key);
        let ephemeral_key = ephemeral_key.map_err(|_| DecodeError::Malformed(Field::EphemeralKey))?;
        let reference = reference(&message.reference)?;
        Ok(Self { reference, body: Grant { ephemeral_key, sealed: message.sealed }, signed, mac })
    }
}

impl Unchecked<Refusal> {
    fn decode_refusal(body: &[u8]) -> Result<Self, DecodeError> {
        let mut message: RefusalMessage = decode_canonical(body, Field::Frame)?;
        let mac = take_mac(&mut message.mac)?;
        let signed = front(REFUSAL, &message);
        let reference = reference(&message.reference)?;
        if message.reason == 0 {
            return Err(DecodeError::Malformed(Field::Reason));
        }
        Ok(Self { reference, body: Refusal::from_wire(message.reason), signed, mac })
    }
}

impl Unchecked<Share> {
    /// The other side's share, from which the key of the MAC follows.
    pub(super) fn share(&self) -> &Share {
        &self.body
    }
}

/// Decodes a companion's share.
pub(super) fn decode_offer(bytes: &[u8]) -> Result<(LinkReference, Share), DecodeError> {
    let (CODE_OFFER, body) = split(bytes)? else { return Err(DecodeError::Malformed(Field::Frame)) };
    let message: CodeOfferMessage = decode_canonical(body, Field::Frame)?;
    Ok((reference(&message.reference)?, share(&message.share)?))
}

/// Decodes an invitation that is sealed under a code.
pub(super) fn decode_invitation(bytes: &[u8]) -> Result<(LinkReference, Vec<u8>), DecodeError> {
    let (CODE_INVITATION, body) = split(bytes)? else { return Err(DecodeError::Malformed(Field::Frame)) };
    let message: CodeInvitationMessage = decode_canonical(body, Field::Frame)?;
    Ok((reference(&message.reference)?, message.sealed))
}

pub(super) fn encode_offer(reference: LinkReference, share: &Share) -> Vec<u8> {
    front(CODE_OFFER, &CodeOfferMessage { reference: reference.0.to_vec(), share: share.to_vec() })
}

pub(super) fn encode_answer(reference: LinkReference, share: &Share, key: &MacKey) -> Vec<u8> {
    let reference = reference.0.to_vec();
    let message = CodeAnswerMessage { reference, share: share.to_vec(), mac: Vec::new() };
    let mac = key.mac(&front(CODE_ANSWER, &message)).to_vec();
    front(CODE_ANSWER, &CodeAnswerMessage { mac, ..message })
}

pub(super) fn encode_invitation(reference: LinkReference, sealed: Vec<u8>) -> Vec<u8> {
    front(CODE_INVITATION, &CodeInvitationMessage { reference: reference.0.to_vec(), sealed })
}

/// Decodes what the companion sends.
pub(super) fn decode_confirmation(bytes: &[u8]) -> Result<Unchecked<Confirmation>, DecodeError> {
    let bad = DecodeError::Malformed;
    let (CONFIRMATION, body) = split(bytes)? else { return Err(bad(Field::Frame)) };
    let mut message: ConfirmationMessage = decode_canonical(body, Field::Frame)?;
    let mac = take_mac(&mut message.mac)?;
    let signed = front(CONFIRMATION, &message);
    let signature = message.device_signature.as_slice().try_into().map_err(|_| bad(Field::Signature))?;
    let device_signature = Signature::from_bytes(signature);
    let reference = reference(&message.reference)?;
    Ok(Unchecked { reference, body: Confirmation { device_signature, bundle: message.bundle }, signed, mac })
}

pub(super) fn encode_grant(
    reference: LinkReference,
    ephemeral: &PublicKey,
    sealed: Vec<u8>,
    key: &MacKey,
) -> Vec<u8> {
    encode_grant_of(GRANT, reference, ephemeral, sealed, key)
}

pub(super) fn encode_desktop_grant(
    reference: LinkReference,
    ephemeral: &PublicKey,
    sealed: Vec<u8>,
    key: &MacKey,
) -> Vec<u8> {
    encode_grant_of(DESKTOP_GRANT, reference, ephemeral, sealed, key)
}

fn encode_grant_of(
    kind: u8,
    reference: LinkReference,
    ephemeral: &PublicKey,
    sealed: Vec<u8>,
    key: &MacKey,
) -> Vec<u8> {
    let reference = reference.0.to_vec();
    let message =
        GrantMessage { reference, ephemeral_key: ephemeral.encoded().to_vec(), sealed, mac: Vec::new() };
    let mac = key.mac(&front(kind, &message)).to_vec();
    front(kind, &GrantMessage { mac, ..message })
}

pub(super) fn encode_confirmation(
    reference: LinkReference,
    device_signature: &Signature,
    bundle: Vec<u8>,
    key: &MacKey,
) -> Vec<u8> {
    let message = ConfirmationMessage {
        reference: reference.0.to_vec(),
        device_signature: device_signature.as_bytes().to_vec(),
        bundle,
        mac: Vec::new(),
    };
    let mac = key.mac(&front(CONFIRMATION, &message)).to_vec();
    front(CONFIRMATION, &ConfirmationMessage { mac, ..message })
}

pub(super) fn encode_acknowledgement(reference: LinkReference, list: &[u8], key: &MacKey) -> Vec<u8> {
    let (reference, list) = (reference.0.to_vec(), list.to_vec());
    let message = AcknowledgementMessage { reference, list, mac: Vec::new() };
    let mac = key.mac(&front(ACKNOWLEDGEMENT, &message)).to_vec();
    front(ACKNOWLEDGEMENT, &AcknowledgementMessage { mac, ..message })
}

pub(super) fn encode_refusal(reference: LinkReference, refusal: Refusal, key: &MacKey) -> Vec<u8> {
    let message =
        RefusalMessage { reference: reference.0.to_vec(), reason: refusal.to_wire(), mac: Vec::new() };
    let mac = key.mac(&front(REFUSAL, &message)).to_vec();
    front(REFUSAL, &RefusalMessage { mac, ..message })
}

/// Version, kind, message.
fn front(kind: u8, message: &impl Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.encoded_len().saturating_add(2));
    bytes.extend_from_slice(&[crate::wire::PROTOCOL_VERSION, kind]);
    bytes.extend(message.encode_to_vec());
    bytes
}

fn split(bytes: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    let body = split_version(bytes, MAX_LINK_MESSAGE)?;
    body.split_first().map(|(kind, body)| (*kind, body)).ok_or(DecodeError::Malformed(Field::Frame))
}

fn reference(bytes: &[u8]) -> Result<LinkReference, DecodeError> {
    bytes.try_into().map(LinkReference).map_err(|_| DecodeError::Malformed(Field::Reference))
}

/// Takes the MAC out of a message, so that what it is over can be encoded.
fn take_mac(mac: &mut Vec<u8>) -> Result<[u8; 32], DecodeError> {
    core::mem::take(mac).as_slice().try_into().map_err(|_| DecodeError::Malformed(Field::Mac))
}

fn share(bytes: &[u8]) -> Result<Share, DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::Malformed(Field::Share))
}
