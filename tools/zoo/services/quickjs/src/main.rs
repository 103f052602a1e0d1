//! Runs a line of JavaScript with QuickJS.

fn main() {
    let runtime = rquickjs::Runtime::new().expect("a runtime");
    let context = rquickjs::Context::full(&runtime).expect("a context");
    let text: String =
        context.with(|js| js.eval("[40, 2].reduce((a, b) => a + b).toString()")).expect("a text");
    println!("QuickJS: {text}");
}
