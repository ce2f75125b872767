//! Prints what the operations say of themselves, for `cargo xtask coverage` to hold against AWS's model.

use gatehouse_control::operations;
use serde_json::json;

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() {
    let operations: Vec<_> = operations::all()
        .into_iter()
        .map(|handler| {
            json!({
                "name": handler.name,
                "method": handler.method,
                "path": handler.path,
                "input": (handler.input_members)(),
            })
        })
        .collect();
    println!("{}", json!(operations));
}
