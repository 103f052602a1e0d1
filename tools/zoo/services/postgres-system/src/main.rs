//! Asks for PostgreSQL by Diesel and the system's libpq.

use diesel::{Connection as _, PgConnection};

fn main() {
    // Nothing listens there: the error is libpq's own.
    let url = "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=5";
    let Err(error) = PgConnection::establish(url) else { panic!("nothing listens at port 1") };
    println!("libpq: {error}");
}
