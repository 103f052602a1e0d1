//! Starts FreeType, and reads a file that is no font.

fn main() {
    let library = freetype::Library::init().expect("FreeType");
    let no_font = library.new_memory_face(b"no font".to_vec(), 0).err();
    println!("FreeType: {no_font:?}");
}
