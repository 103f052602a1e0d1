//! Reads what the system is doing.

fn main() {
    let system = sysinfo::System::new_all().expect("what the system does");
    let (memory, processors) = (system.total_memory() > 0, system.cpus().len());
    println!(
        "sysinfo: memory {memory}, processors {}, {:?}",
        processors > 0,
        sysinfo::System::name()
    );
}
