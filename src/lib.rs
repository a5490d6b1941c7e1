#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod companion;
pub mod handshake;
mod identity;
mod prekey;
mod primitives;
pub mod ratchet;
mod relay;
mod session;
mod step;
pub mod wire;

pub use companion::{
    AbandonLinking, Acknowledgement, AskHistory, AskSupply, CloseAccount, ComparisonCode, ConfirmLink,
    ConfirmSupply, Consent, Consequence, ContinueLinking, DeclineLink, DescribeDevices, DescribeGranting,
    DescribeLinking, DevicesDescription, EnterLinkCode, FanOutError, FinishHistory, FromOwnPhone, GrantLink,
    Granting, GrantingStage, HistoryChunk, HistoryError, HistoryProgress, Joined, LearnDevices, Learned,
    LeaveAccount, LeaveError, LinkCode, LinkError, LinkProgress, LinkReference, LinkRequest, Linked, Linking,
    OpenHistory, OpenSynced, Plan, PlanMessage, Refusal, RemoveCompanion, RenewDevices, ScanLinkCode,
    SealHistory, SealSynced, SendToAccount, SentToAccount, ShowLinkCode, ShowTypedCode, SignedList, Supplied,
    SupplyCompanion, SupplyError, SupplyState, SyncEpoch, SyncError, TakeHistory, TakeInvitation, TakeSupply,
    TakenSupply, Told, TypedCode,
};
pub use identity::{
    AccountId, AccountIdLength, Address, Certificate, CertificateError, ChangeNumber, Decision,
    DescribeDevice, DeviceChange, DeviceDescription, DeviceEntry, DeviceError, DeviceId, DeviceList, Epoch,
    IdentityKey, IdentityKeyPair, Incarnation, KeyIndex, ListDigest, ListError, NotE164, NumberError,
    PhoneNumber, Register, SafetyNumber, ScanError, TrustError, TrustMark, Unlisted, VerifiedNumber,
};
pub use prekey::{
    BundleError, ConfirmPrekeys, DescribePrekeys, HandOutBundle, OneTimePrekeyFields, PrekeyId, PrekeyUpload,
    PrekeysDescription, RefillPlan, ReplenishPrekeys, SignedStatement, UploadId, VerifiedBundle,
};
pub use primitives::{
    KemPair, KemPublicKey, KemSeed, KemSize, KeyPair, NonContributory, PublicKey, PublicKeyError, Random,
    RandomError, SecretBytes, Signature,
};
pub use ratchet::RootSecret;
pub use relay::{
    AcceptUpgrade, AckPhone, AskPhone, CancelRequest, DescribeDesktops, DescribeRelay, DesktopConsent,
    DesktopDescription, DetachDesktop, EndOfRelay, FlushRequests, ForDesktop, FrameNumber, FromDesktop,
    FromPhone, GrantDesktop, GrantedDesktop, JoinPhone, JoinProgress, LeavePhone, News, ReceivedAndRelayed,
    RefusedRequest, RejoinPhone, RelayDescription, RelayError, RelayOutbox, RelayReceive, RelayRequest,
    RelaySend, RelayStanding, RenewDesktop, Request, RequestId, RequestNumber, RequestState, Requested,
    SentAndRelayed, SetDesktopConsent, ShowDesktopCode, Suspension, TakeFromDesktop, TakeFromPhone,
    TakenFromPhone, TellDesktop, Unsent, UnsentRequest, Verdict, Wanted, WhileAway,
};
pub use session::{
    AnswerRetry, Arrival, ChainReport, Content, DecideIdentity, DescribePeer, Diagnose, EnvelopeDescription,
    Finding, HandshakeDescription, HeaderDescription, HistoryId, HistoryManifest, Keep, LearnNumber,
    MessageId, OpenError, Origin, PeerDescription, Receive, Received, Recover, Recovered, Report,
    RequestRetry, Restart, RetryAnswer, RetryError, RetryOutcome, RetryReason, RetryRequest, Send, SendError,
    Sent, SentReport, SessionDescription, SessionPhase, SessionReport, SharedId, ShowSafetyNumber, Side,
    Standing, Start, StartError, Started, Strength, SupplyFrame, SupplyNumber, Tidy, View,
};
pub use step::{
    Advice, Advise, Batch, Context, DriveError, Generation, Headers, Held, Limits, Loaded, MemoryStore,
    Needs, Operation, Padding, Record, RecordDescription, RecordError, RecordKey, RecordKind, Rejected,
    Revision, Run, Step, SuitePolicy, Unanswered, UnixMillis, Write, drive,
};
pub use wire::{DecodeError, Field, SessionId, Suite};
