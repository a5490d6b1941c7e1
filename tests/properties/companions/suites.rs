//! What a device list says of suites: a bundle with less is found out also by who has never had more with the device.

use outrigger::{
    Address, DeviceId, DeviceList, KemSize, ListError, Restart, Started, Suite, SuitePolicy, VerifiedBundle,
};

use super::household::Directory;
use crate::world::{Device, exchange, wire::Fields};

const CLASSIC: Suite = Suite::Classic;
const SMALL: Suite = Suite::PostQuantum(KemSize::MlKem768);
const LARGE: Suite = Suite::PostQuantum(KemSize::MlKem1024);

fn phone(name: &str, suites: SuitePolicy, directory: &mut Directory) -> Device {
    let mut phone = Device::new(name);
    phone.suites = suites;
    phone.publish(10, &mut directory.bundles);
    phone
}

fn companion(phone: &mut Device, suites: SuitePolicy, directory: &mut Directory) -> Device {
    let mut companion = Device::empty("desk");
    (companion.now, companion.suites) = (phone.now, suites);
    directory.link_traffic(phone, &mut companion);
    companion
}

/// A session with a phone from the bytes of a bundle, in place of any before.
fn restart_from(device: &mut Device, bundle: &[u8], phone: Address) -> Started {
    device.run(&Restart { bundle: &VerifiedBundle::verify(bundle, &phone).unwrap() }).unwrap()
}

#[test]
fn a_list_says_which_suites_each_device_accepts() {
    let mut directory = Directory::default();
    let mut ada = phone("ada", SuitePolicy::Prefer(KemSize::MlKem768), &mut directory);
    let desk = companion(&mut ada, SuitePolicy::Require(KemSize::MlKem1024), &mut directory);
    let read = |directory: &Directory, ada: &Device| {
        let account = ada.address.account;
        DeviceList::verify(&directory.lists[&account], &account, &ada.identity).unwrap()
    };
    let list = read(&directory, &ada);
    assert_eq!(list.suites(DeviceId::PHONE), [CLASSIC, SMALL]);
    assert_eq!(list.suites(desk.address.device), [LARGE]);
    assert!(list.suites(DeviceId(desk.address.device.0 ^ 1)).is_empty());
    // The phone's are as they are whenever it signs; the companion's stay what its bundle said.
    ada.suites = SuitePolicy::Classic;
    directory.renew(&mut ada);
    let renewed = read(&directory, &ada);
    assert_eq!(renewed.suites(DeviceId::PHONE), [CLASSIC]);
    assert_eq!(renewed.suites(desk.address.device), [LARGE]);
    // They are no part of what views are compared by.
    assert_eq!(list.digest(), renewed.digest());
    // The signature is over them.
    let signed = Fields::parse(list.as_bytes(), 1);
    for without in [
        Fields::parse(signed.bytes(1), 0).with(9, None),
        Fields::parse(signed.bytes(1), 0).with_bytes(9, &[1]),
    ] {
        let altered = signed.with_bytes(1, &without.encode()).encode();
        let refused = DeviceList::verify(&altered, &ada.address.account, &ada.identity);
        assert_eq!(refused, Err(ListError::BadSignature));
    }
}

/// A server that shows an old bundle, of before the device spoke PQXDH, to someone who has never had more with it.
#[test]
fn l4_an_old_bundle_is_told_of_to_who_has_the_list() {
    let prefer = SuitePolicy::Prefer(KemSize::MlKem768);
    for of_companion in [false, true] {
        let mut directory = Directory::default();
        let mut ada = phone("ada", SuitePolicy::Classic, &mut directory);
        let mut desk = companion(&mut ada, prefer, &mut directory);
        let device = if of_companion { &mut desk } else { &mut ada };
        let address = device.address;
        device.suites = SuitePolicy::Classic;
        device.publish(0, &mut directory.bundles);
        let old = directory.bundles.fetch(address);
        device.suites = prefer;
        device.publish(10, &mut directory.bundles);
        ada.suites = prefer;
        directory.renew(&mut ada);

        // Ben has met the phone by that old bundle, or the phone as it is now and not yet the companion.
        let mut ben = phone("ben", prefer, &mut directory);
        let met = if of_companion { directory.bundles.fetch(ada.address) } else { old.clone() };
        assert!(!ben.start_from(&met, ada.address).unwrap().downgraded);
        assert!(of_companion || !restart_from(&mut ben.clone(), &old, address).downgraded);
        directory.learn(&mut ben, address.account).unwrap();
        let with_new = directory.verified(&mut ben, address);
        assert!(!ben.clone().run(&Restart { bundle: &with_new }).unwrap().downgraded);
        let shelf = directory.bundles.0.get_mut(&address).unwrap();
        shelf.bundle = old;
        shelf.last_resort.clear();
        shelf.one_time.clear();
        let with_old = directory.verified(&mut ben, address);
        let told = ben.clone().run(&Restart { bundle: &with_old }).unwrap();
        assert_eq!((told.suite, told.downgraded), (CLASSIC, true));
        // Who does not speak PQXDH misses nothing.
        ben.suites = SuitePolicy::Classic;
        assert!(of_companion || !ben.run(&Restart { bundle: &with_old }).unwrap().downgraded);
    }
}

/// The other way: a first message without a KEM part from a device whose phone has signed that it can.
#[test]
fn l4_a_first_message_of_less_than_the_list_says_is_told_of() {
    let prefer = SuitePolicy::Prefer(KemSize::MlKem768);
    let mut directory = Directory::default();
    let mut ada = phone("ada", prefer, &mut directory);
    let mut desk = companion(&mut ada, prefer, &mut directory);
    let mut ben = phone("ben", prefer, &mut directory);
    directory.start(&mut ben, ada.address).unwrap();
    directory.learn(&mut ben, ada.address.account).unwrap();
    let mut honest = desk.clone();
    directory.start(&mut honest, ben.address).unwrap();
    assert!(!exchange(&mut honest, &mut ben.clone()).downgraded);
    desk.suites = SuitePolicy::Classic;
    directory.start(&mut desk, ben.address).unwrap();
    let received = exchange(&mut desk, &mut ben);
    assert_eq!((received.suite, received.downgraded), (CLASSIC, true));
}

/// Of two parameter sets: a list, or a bundle of before, says that there is a stronger one.
#[test]
fn l4_a_weaker_parameter_set_than_there_was_is_told_of() {
    let large = SuitePolicy::Prefer(KemSize::MlKem1024);
    let small = SuitePolicy::Prefer(KemSize::MlKem768);
    let mut directory = Directory::default();
    let mut ada = phone("ada", small, &mut directory);
    let old = directory.bundles.fetch(ada.address);
    ada.suites = large;
    ada.publish(10, &mut directory.bundles);
    let _desk = companion(&mut ada, large, &mut directory);
    let mut by_list = phone("ben", small, &mut directory);
    by_list.start_from(&old, ada.address).unwrap();
    directory.learn(&mut by_list, ada.address.account).unwrap();
    let mut by_memory = phone("carol", small, &mut directory);
    assert_eq!(directory.start(&mut by_memory, ada.address).unwrap().suite, LARGE);
    let mut by_nothing = phone("dan", small, &mut directory);
    for (device, told) in [(&mut by_list, true), (&mut by_memory, true), (&mut by_nothing, false)] {
        let started = restart_from(device, &old, ada.address);
        assert_eq!((started.suite, started.downgraded), (SMALL, told));
    }
    // What ada starts is of the other's parameter set, which is no step back.
    directory.start(&mut ada, by_memory.address).unwrap();
    let received = exchange(&mut ada, &mut by_memory);
    assert_eq!((received.suite, received.downgraded), (SMALL, false));
}
