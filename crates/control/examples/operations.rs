//! Prints the names of the operations that exist, for `cargo xtask coverage`.

use gatehouse_control::operations;
use serde_json::json;

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() {
    let names: Vec<_> = operations::all().into_iter().map(|handler| handler.name).collect();
    println!("{}", json!(names));
}
