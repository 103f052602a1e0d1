//! Parses JSON with tree-sitter.

fn main() {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_json::LANGUAGE.into()).expect("a grammar");
    let tree = parser.parse("[40, 2]", None).expect("a tree");
    println!("tree-sitter: {}", tree.root_node().to_sexp());
}
