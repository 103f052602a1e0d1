//! Runs a line of Lua.

fn main() {
    let lua = mlua::Lua::new();
    let text: String = lua.load("return _VERSION .. ': ' .. (40 + 2)").eval().expect("a text");
    println!("{text}");
}
