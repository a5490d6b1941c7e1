//! Linking by a typed code, for a phone without a camera at hand: eight characters that the companion shows, and the phone's user types.
//!
//! ```text
//! companion                                         phone
//! ShowTypedCode ──offer, a share of CPace─────────▶ EnterLinkCode, with the code that its user typed
//! ContinueLinking ◀──answer, a share and a proof─── ┘
//!                 ──invitation, sealed────────────▶ TakeInvitation: the question to the user, as after a scan
//! ```
//! The code is the password of a password-authenticated key exchange: who stands between has one guess in 2^40 at each code, and nothing to try later. The exchange only
//! carries the invitation that a QR code would have shown; all that makes a companion is the same. `docs/protocol.md`, section 10 "Code".

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
    LinkError, LinkProgress, LinkReference, LinkRequest,
    companion::{CODE_LIFETIME, may_begin},
    companion_record::{Offered, Shown, Stage as CompanionStage},
    invitation::{Invitation, MacKey, Role},
    message::{Unchecked, decode_invitation, decode_offer, encode_answer, encode_invitation, encode_offer},
    phone::{PATIENCE, ask, in_time},
    phone_record::{Record, Stage},
};
use crate::{
    companion::sign::Desk,
    primitives::{
        Pake, PakeScalar, Random, RandomError, SecretBytes, Share, Shares,
        aead::{self, AeadKey},
        kdf, labels, wipes,
    },
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, UnixMillis},
};

/// How long a typed code waits for the phone: three minutes.
const TYPED_LIFETIME: u64 = 3 * 60 * 1_000;
/// The 32 characters of a code: no 0, I, O and U, which look like others.
const ALPHABET: &[u8; 32] = b"123456789ABCDEFGHJKLMNPQRSTVWXYZ";

/// A code's eight characters, secret.
pub(super) struct CodeDigits([u8; Self::LEN]);

impl CodeDigits {
    pub(super) const LEN: usize = 8;

    /// Draws 40 random bits, of 16 random bytes.
    fn draw(random: &mut Random<'_>) -> Result<Self, RandomError> {
        let mut drawn: [u8; 16] = random.draw()?;
        let mut digits = [0; Self::LEN];
        for (place, byte) in digits.iter_mut().zip(&drawn) {
            *place = ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or_default();
        }
        drawn.zeroize();
        Ok(Self(digits))
    }

    /// Takes what a person typed: either case, with spaces and hyphens where they like.
    fn parse(typed: &str) -> Option<Self> {
        let mut digits = [0; Self::LEN];
        let mut places = digits.iter_mut();
        for byte in typed.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            let upper = byte.to_ascii_uppercase();
            *places.next()? = Some(upper).filter(|upper| ALPHABET.contains(upper))?;
        }
        places.next().is_none().then_some(Self(digits))
    }

    pub(super) fn restore(bytes: &[u8; Self::LEN]) -> Option<Self> {
        bytes.iter().all(|byte| ALPHABET.contains(byte)).then_some(Self(*bytes))
    }

    pub(super) fn expose_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn pake<'a>(&'a self, reference: &'a LinkReference) -> Pake<'a> {
        Pake { code: &self.0, channel: labels::CODE_CHANNEL, session: &reference.0 }
    }
}

impl Drop for CodeDigits {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl ZeroizeOnDrop for CodeDigits {}

const _: () = wipes::<CodeDigits>();

impl fmt::Debug for CodeDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeDigits(redacted)")
    }
}

/// What follows from a run of the exchange.
struct CodeKeys {
    /// Under which the phone proves that it holds the code.
    proof: MacKey,
    /// Under which the companion seals its invitation.
    seal: MacKey,
}

impl CodeKeys {
    fn derive(
        pake: &Pake<'_>,
        scalar: &PakeScalar,
        theirs: &Share,
        [companion, phone]: [&Share; 2],
    ) -> Result<Self, LinkError> {
        let shares = Shares { initiator: (companion, &[]), responder: (phone, &[]) };
        let key = pake.finish(scalar, theirs, &shares).map_err(|_| LinkError::NotAuthentic)?;
        let [mut proof, mut seal] = kdf::hkdf(&[0; 32], &[&key], labels::CODE_KEYS);
        Ok(Self { proof: MacKey::take_from(&mut proof), seal: MacKey::take_from(&mut seal) })
    }
}

/// Begins a linking by a typed code in an empty store.
///
/// | | type | meaning |
/// |---|---|---|
/// | out | [`TypedCode`] | what the screen shows for three minutes, and the offer that goes to the phone |
///
/// Writes one record. Draws 192 random bytes.
///
/// # Errors
/// As of [`ShowLinkCode`](crate::ShowLinkCode).
///
/// # Spec
/// `docs/protocol.md`, section 10 "Code"; *CPace*, draft-irtf-cfrg-cpace-21.
#[derive(Clone, Copy, Debug)]
pub struct ShowTypedCode;

/// A code to be typed; wiped on drop.
#[non_exhaustive]
pub struct TypedCode {
    text: String,
    /// What goes to the phone, by the way that the app has to the account.
    pub offer: Vec<u8>,
    /// Where the phone's messages are to be sent.
    pub reference: LinkReference,
    /// Until when the phone's answer is taken.
    pub expires_at: UnixMillis,
}

impl TypedCode {
    /// What the screen shows: eight characters, in two groups. Good for one try.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Drop for TypedCode {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl ZeroizeOnDrop for TypedCode {}

const _: () = wipes::<TypedCode>();

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypedCode(redacted, {:?})", self.reference)
    }
}

/// Takes the code that the phone's user has typed, and the offer that came with it. An offer alone does nothing: a linking that the user did not begin ends here.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `code` | | what was typed |
/// | in | `offer` | 54 B | what came from the companion |
/// | out | `Vec<u8>` | 88 B | the answer, for the companion; send it again as often as need be |
///
/// Writes one record. Draws 64 random bytes. Whether the code is right shows with the invitation.
///
/// # Errors
/// [`LinkError`]: [`NotALinkCode`](LinkError::NotALinkCode) for what cannot be a code, [`AlreadyUsed`](LinkError::AlreadyUsed),
/// [`OutOfOrder`](LinkError::OutOfOrder) while another linking was granted and waits, [`NotAuthentic`](LinkError::NotAuthentic) for an offer that is none.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Code".
#[derive(Clone, Copy)]
pub struct EnterLinkCode<'a> {
    /// What the user typed.
    pub code: &'a str,
    /// What came from the companion.
    pub offer: &'a [u8],
}

impl fmt::Debug for EnterLinkCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnterLinkCode(redacted)")
    }
}

/// Takes the companion's invitation after a code was typed. The output is the question for the user, as of [`ScanLinkCode`](crate::ScanLinkCode).
///
/// Writes one record. Draws 32 random bytes.
///
/// # Errors
/// [`LinkError`]: [`NotAuthentic`](LinkError::NotAuthentic) where another code was typed than the companion shows, or someone stands between.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Code".
#[derive(Clone, Copy, Debug)]
pub struct TakeInvitation<'a> {
    /// What came.
    pub invitation: &'a [u8],
}

impl Offered {
    /// What the screen shows, and the offer.
    pub(super) fn shows(&self) -> TypedCode {
        let mut text = String::with_capacity(CodeDigits::LEN + 1);
        for (place, digit) in self.code.expose_bytes().iter().enumerate() {
            if place == CodeDigits::LEN / 2 {
                text.push('-');
            }
            text.push(char::from(*digit));
        }
        let reference = self.shown.invitation.reference;
        let offer = encode_offer(reference, &self.share);
        TypedCode { text, offer, reference, expires_at: self.shown.expires_at }
    }

    /// Takes the phone's answer: the invitation goes out to who holds the code. One who does not has used up the only try.
    pub(super) fn answered(
        self: Box<Self>,
        answer: Unchecked<Share>,
        slot: &Slot<CompanionStage>,
        context: &mut Context<'_>,
    ) -> Result<Run<LinkProgress>, LinkError> {
        let reference = self.shown.in_time(answer.reference, context.now)?;
        let Self { shown, code, scalar, share } = *self;
        let theirs = *answer.share();
        let keys = CodeKeys::derive(&code.pake(&reference), &scalar, &theirs, [&share, &theirs]);
        let Ok(keys) = keys.and_then(|keys| answer.check(&keys.proof).map(|_| keys)) else {
            let writes = slot.delete().into_iter().collect();
            return Ok(Run::Done(Step::new(writes, LinkProgress::WrongCode)));
        };
        let payload = shown.invitation.payload();
        let mut sealed = Vec::new();
        let key = AeadKey::take_from(&mut zeroize::Zeroizing::new(*keys.seal.expose_bytes()));
        aead::seal(key, &reference.0, &[&payload], &mut context.random, &mut sealed)?;
        let invitation = encode_invitation(reference, sealed);
        let expires_at = context.now.plus(CODE_LIFETIME);
        let invited = Shown { expires_at, sealed: invitation.clone(), ..shown };
        let write = slot.write(CompanionStage::Shown(Box::new(invited)), context);
        Ok(Run::Done(Step::new(Vec::from([write]), LinkProgress::Invite { invitation })))
    }
}

impl Sealed for ShowTypedCode {}

impl Operation for ShowTypedCode {
    type Output = TypedCode;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<TypedCode>, LinkError> {
        let mut needs = Needs::new();
        let Some(stage) = may_begin(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        let shown = Shown::draw(Role::Companion, TYPED_LIFETIME, context)?;
        let code = CodeDigits::draw(&mut context.random)?;
        let (scalar, share) = code.pake(&shown.invitation.reference).start(&mut context.random)?;
        let offered = Offered { shown, code, scalar, share };
        let typed = offered.shows();
        let write = stage.write(CompanionStage::Offered(Box::new(offered)), context);
        Ok(Run::Done(Step::new(Vec::from([write]), typed)))
    }
}

impl Sealed for EnterLinkCode<'_> {}

impl Operation for EnterLinkCode<'_> {
    type Output = Vec<u8>;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, LinkError> {
        let code = CodeDigits::parse(self.code).ok_or(LinkError::NotALinkCode)?;
        let (reference, theirs) = decode_offer(self.offer)?;
        let mut needs = Needs::new();
        let desk = Desk::read(have, context, &mut needs)?;
        let mut slot = Record::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let signing = desk.open()?;
        let mut record = slot.value.take().unwrap_or_default();
        record.begin(reference, signing.former(), context.now)?;
        let pake = code.pake(&reference);
        let (scalar, share) = pake.start(&mut context.random)?;
        let keys = CodeKeys::derive(&pake, &scalar, &theirs, [&theirs, &share])?;
        let answer = encode_answer(reference, &share, &keys.proof);
        let expires_at = context.now.plus(PATIENCE);
        record.stage = Stage::Entered { reference, seal_key: keys.seal, answer: answer.clone(), expires_at };
        Ok(Run::Done(Step::new(Vec::from([slot.write(record, context)]), answer)))
    }
}

impl Sealed for TakeInvitation<'_> {}

impl Operation for TakeInvitation<'_> {
    type Output = LinkRequest;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<LinkRequest>, LinkError> {
        let (named, sealed) = decode_invitation(self.invitation)?;
        let mut needs = Needs::new();
        let desk = Desk::read(have, context, &mut needs)?;
        let mut slot = Record::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let signing = desk.open()?;
        let Record { used, linked, stage } = slot.value.take().unwrap_or_default();
        let Stage::Entered { reference, seal_key, expires_at, .. } = stage else {
            return Err(LinkError::OutOfOrder);
        };
        if named != reference {
            return Err(LinkError::OtherLinking);
        }
        in_time(expires_at, context.now)?;
        let key = AeadKey::take_from(&mut zeroize::Zeroizing::new(*seal_key.expose_bytes()));
        let payload: SecretBytes =
            aead::open(key, &reference.0, &sealed).map_err(|_| LinkError::NotAuthentic)?;
        let invitation = Invitation::decode(&payload)?;
        if invitation.reference != reference || invitation.role != Role::Companion {
            return Err(LinkError::OtherLinking);
        }
        let (stage, request) = ask(invitation, &signing, context)?;
        Ok(Run::Done(Step::new(Vec::from([slot.write(Record { used, linked, stage }, context)]), request)))
    }
}
