//! Which operation a request is for: by method and *raw* path, split before it is decoded, so that an encoded slash stays
//! part of a name.

use gatehouse_control::query::percent_decode;

use super::answer::{Code, Failure};
use super::operations::{OPERATIONS, Operation};

/// An operation that was found, with the values of its labels.
pub(super) struct Route {
    pub(super) operation: &'static Operation,
    pub(super) labels: Vec<(&'static str, String)>,
}

/// Finds the operation at `method` and `path`.
pub(super) fn find(method: &str, path: &str) -> Result<Route, Failure> {
    let mut others = Vec::new();
    for operation in OPERATIONS {
        let Some(raw) = labels(operation.path, path) else { continue };
        if operation.method != method {
            others.push(operation.method);
            continue;
        }
        let decoded = raw.into_iter().map(|(name, text)| Some((name, percent_decode(text)?)));
        let labels =
            decoded.collect::<Option<_>>().ok_or_else(|| Failure::invalid("the path is not percent-encoded UTF-8"))?;
        return Ok(Route { operation, labels });
    }
    if others.is_empty() {
        return Err(Failure::new(Code::UnknownOperation, "no operation has this path"));
    }
    others.dedup();
    let allow = Some(others.join(", "));
    let message = "the path exists, and takes another method";
    Err(Failure { allow, ..Failure::new(Code::MethodNotAllowed, message) })
}

/// The raw labels of `path` if it fits `pattern`. `{name}` is one segment, `{name+}` all that is left; neither is empty.
fn labels<'p>(pattern: &'static str, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let mut labels = Vec::new();
    let mut rest = Some(path.strip_prefix('/')?);
    for segment in pattern.trim_start_matches('/').split('/') {
        let left = rest?;
        let (text, after) = left.split_once('/').map_or((left, None), |(text, after)| (text, Some(after)));
        match segment.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
            None if segment == text => rest = after,
            None => return None,
            Some(label) => match label.strip_suffix('+') {
                Some(greedy) if !left.is_empty() => {
                    labels.push((greedy, left));
                    rest = None;
                }
                None if !text.is_empty() => {
                    labels.push((label, text));
                    rest = after;
                }
                _ => return None,
            },
        }
    }
    rest.is_none().then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Result<(&'static str, Vec<String>), Code> {
        find(method, path)
            .map(|route| (route.operation.name, route.labels.into_iter().map(|(_, value)| value).collect()))
            .map_err(|failure| failure.code)
    }

    #[test]
    fn paths_are_split_before_they_are_decoded() {
        let table = [
            ("POST", "/topics/a", "Publish", vec!["a"]),
            ("POST", "/topics/a/b//c/", "Publish", vec!["a/b//c/"]),
            ("POST", "/topics/a%2Fb%2f%20%2525", "Publish", vec!["a/b/ %25"]),
            ("POST", "/topics//a", "Publish", vec!["/a"]),
            ("GET", "/retainedMessage", "ListRetainedMessages", vec![]),
            ("GET", "/retainedMessage/a%2Fb", "GetRetainedMessage", vec!["a/b"]),
            ("GET", "/connections/a%2Fsubscriptions", "GetConnection", vec!["a/subscriptions"]),
            ("GET", "/connections/a/subscriptions", "ListSubscriptions", vec!["a"]),
            ("DELETE", "/connections/a", "DeleteConnection", vec!["a"]),
            ("POST", "/connections/a/messages", "SendDirectMessage", vec!["a"]),
            ("POST", "/things/t/shadow", "UpdateThingShadow", vec!["t"]),
            ("PUT", "/things/t/jobs/$next", "StartNextPendingJobExecution", vec!["t"]),
            ("GET", "/things/t/jobs/$next", "DescribeJobExecution", vec!["t", "$next"]),
            ("GET", "/role-aliases/r/credentials", "AssumeRoleWithCertificate", vec!["r"]),
        ];
        for (method, path, name, labels) in table {
            let labels = labels.into_iter().map(str::to_owned).collect();
            assert_eq!(found(method, path), Ok((name, labels)), "{method} {path}");
        }
    }

    #[test]
    fn other_methods_and_paths_are_told_apart() {
        let table = [
            ("GET", "/topics/a", Code::MethodNotAllowed),
            ("post", "/topics/a", Code::MethodNotAllowed),
            ("POST", "/retainedMessage", Code::MethodNotAllowed),
            ("POST", "/topics/", Code::UnknownOperation),
            ("POST", "/topics", Code::UnknownOperation),
            ("POST", "/Topics/a", Code::UnknownOperation),
            ("POST", "/", Code::UnknownOperation),
            ("POST", "", Code::UnknownOperation),
            ("POST", "*", Code::UnknownOperation),
            ("GET", "/connections//subscriptions", Code::UnknownOperation),
            ("GET", "/connections/a/subscriptions/", Code::UnknownOperation),
            ("POST", "/%74opics/a", Code::UnknownOperation),
            ("POST", "/topics/%zz", Code::InvalidRequest),
            ("POST", "/topics/%ff", Code::InvalidRequest),
        ];
        for (method, path, code) in table {
            assert_eq!(found(method, path).err(), Some(code), "{method} {path}");
        }
    }
}
