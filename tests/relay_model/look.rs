//! What must hold in every state.

use outrigger::RequestState;

use crate::{
    lab::Lab,
    names::{Asked, Fate, Party},
    world::World,
};

impl World {
    /// What must hold of all stores together.
    pub(crate) fn look(&mut self, lab: &Lab) {
        for party in [Party::Desk, Party::Other] {
            let desk = lab.device(self.store(party));
            desk.tables.asked.iter().for_each(|asked| self.look_at(asked));
            if desk.tables.again && !self.back[0] && !self.back[1] {
                self.wrong.get_or_insert("a message comes by two ways");
            }
        }
        self.refused.sort();
        self.unknown.sort();
        let [phone, desk, peer, other] =
            [Party::Phone, Party::Desk, Party::Peer, Party::Other].map(|party| self.store(party));
        let heard = &lab.device(peer).tables.seen;
        if self.refused.iter().any(|text| heard.contains(text)) {
            self.wrong.get_or_insert("refused, and heard");
        }
        if ![phone, desk, peer, other].iter().all(|store| lab.facts(*store).bounded) {
            self.wrong.get_or_insert("a store grows");
        }
        if !self.agreed && (lab.facts(phone).upgraded || lab.facts(desk).upgraded) {
            self.wrong.get_or_insert("a companion without the user's word");
        }
        if !self.is_straight() {
            return;
        }
        if [phone, desk, other].iter().any(|store| lab.facts(*store).suspended) {
            self.wrong.get_or_insert("suspended, and nothing went back");
        }
        if !self.unknown.is_empty() {
            self.wrong.get_or_insert("unknown, and nothing went back");
        }
        if lab.facts(desk).upgraded && !lab.facts(phone).upgraded {
            self.wrong.get_or_insert("a companion, and its phone does not know");
        }
        if lab.device(desk).tables.recalled {
            self.wrong.get_or_insert("given back, and it had gone out");
        }
        if lab.device(phone).tables.tells_on {
            self.wrong.get_or_insert("a number behind the last frame");
        }
    }

    fn look_at(&mut self, asked: &Asked) {
        let text = asked.text;
        match asked.fate {
            Fate::Queued | Fate::Sent => {}
            Fate::NeverSent | Fate::Told(RequestState::Refused(_)) => {
                if !self.refused.contains(&text) {
                    self.refused.push(text);
                }
            }
            Fate::Told(RequestState::Unknown) => {
                if !self.unknown.contains(&text) {
                    self.unknown.push(text);
                }
            }
            Fate::Told(_) => {
                if !self.handed.contains(&text) {
                    self.wrong.get_or_insert("accepted, and the phone never had it");
                }
            }
            Fate::GivenBack | Fate::Spoken => {
                if self.handed.contains(&text) && self.back == [false; 2] {
                    self.wrong.get_or_insert("given back, and done");
                }
            }
        }
    }
}
