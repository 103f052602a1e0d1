//! Asks the system's store of secrets for one that is not there.

fn main() {
    let entry = keyring::Entry::new("bowline-zoo", "nobody").expect("an entry");
    let answer = entry.get_password().map_err(|error| error.to_string());
    let store = keyring::default::default_credential_builder();
    println!("keyring: secrets are kept {:?}; {answer:?}", store.persistence());
}
