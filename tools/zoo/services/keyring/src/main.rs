//! Names an entry in the system's store of secrets.

fn main() {
    let entry = keyring::Entry::new("bowline-zoo", "nobody").expect("an entry");
    let store = keyring::default::default_credential_builder();
    println!("keyring: {} kept {:?}", entry.get_credential().is::<()>(), store.persistence());
}
