//! Asks the system's store of secrets for one that is not there.

use keyring::credential::CredentialPersistence;

fn main() {
    let entry = keyring::Entry::new("bowline-zoo", "nobody").expect("an entry");
    let answer = entry.get_password().map_err(|error| error.to_string());
    let kept = keyring::default::default_credential_builder().persistence();
    let outlasts =
        !matches!(kept, CredentialPersistence::EntryOnly | CredentialPersistence::ProcessOnly);
    println!("keyring: a secret outlasts the program: {outlasts}; {answer:?}");
}
