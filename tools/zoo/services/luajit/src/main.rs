//! Runs a line of LuaJIT.

fn main() {
    let lua = mlua::Lua::new();
    let text: String = lua.load("return jit.version .. ': ' .. (40 + 2)").eval().expect("a text");
    println!("{text}");
}
