//! Compresses a picture with mozjpeg.

use mozjpeg::{ColorSpace, Compress, Decompress};

fn main() {
    let mut compress = Compress::new(ColorSpace::JCS_RGB);
    compress.set_size(16, 16);
    let mut compress = compress.start_compress(Vec::new()).expect("a picture");
    compress.write_scanlines(&[200; 16 * 16 * 3]).expect("its pixels");
    let jpeg = compress.finish().expect("a JPEG file");
    let mut pixels = Decompress::new_mem(&jpeg).expect("a JPEG file").rgb().expect("pixels");
    let pixels = pixels.read_scanlines::<[u8; 3]>().expect("pixels");
    println!("mozjpeg: {} pixels of {:?}", pixels.len(), pixels[0]);
}
