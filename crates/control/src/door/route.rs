//! Finds the operation of a request by method and raw path. The table is computed: every path of the model is in it,
//! with the handler of the operation that carries it, or with none yet.

use std::collections::HashMap;

use crate::facts::{Facts, OperationFacts};
use crate::operation::Handler;
use crate::query::percent_decode;

/// One operation of the model.
pub(super) struct Route {
    /// Its AWS name.
    pub(super) name: &'static str,
    /// Its facts.
    pub(super) facts: &'static OperationFacts,
    /// What runs it; absent for an operation that does not exist here yet.
    pub(super) handler: Option<Handler>,
    segments: Vec<Segment>,
}

enum Segment {
    Static(&'static str),
    Label(&'static str),
    /// The last label, taking the rest of the path.
    Greedy(&'static str),
}

/// All routes of a service.
pub(super) struct Routes {
    by_method: HashMap<&'static str, Vec<Route>>,
}

/// The labels of a path, percent-decoded.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Why no operation was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// No operation has this method and path.
    Unknown,
    /// A segment is not percent-encoded UTF-8.
    Encoding,
}

impl Routes {
    /// The table of `facts`, with `handlers` where they exist.
    pub(super) fn new(facts: &'static Facts, handlers: Vec<Handler>) -> Self {
        let mut handlers: HashMap<&str, Handler> = handlers.into_iter().map(|h| (h.name, h)).collect();
        let mut by_method: HashMap<&'static str, Vec<Route>> = HashMap::new();
        for (name, operation) in &facts.operations {
            let segments = split(&operation.path).map(segment).collect();
            let handler = handlers.remove(name.as_str());
            let route = Route { name, facts: operation, handler, segments };
            by_method.entry(&operation.method).or_default().push(route);
        }
        for routes in by_method.values_mut() {
            // Where a static segment and a label both fit, the static one wins.
            routes.sort_by_key(|route| route.segments.iter().map(rank).collect::<Vec<_>>());
        }
        Self { by_method }
    }

    /// The operation at `method` and `path` (as on the wire, without the query), and its labels.
    pub(super) fn find(&self, method: &str, path: &str) -> Result<(&Route, Labels), NoRoute> {
        let segments: Vec<&str> = split(path).collect();
        let routes = self.by_method.get(method).ok_or(NoRoute::Unknown)?;
        for route in routes {
            if let Some(raw) = route.matches(&segments) {
                let labels: Option<Labels> =
                    raw.into_iter().map(|(name, text)| Some((name, percent_decode(&text)?))).collect();
                return labels.map(|labels| (route, labels)).ok_or(NoRoute::Encoding);
            }
        }
        Err(NoRoute::Unknown)
    }
}

impl Route {
    fn matches(&self, path: &[&str]) -> Option<Vec<(&'static str, String)>> {
        let mut labels = Vec::new();
        let mut rest = path.iter();
        for segment in &self.segments {
            match segment {
                Segment::Static(text) => {
                    if rest.next() != Some(text) {
                        return None;
                    }
                }
                Segment::Label(name) => match rest.next() {
                    Some(text) if !text.is_empty() => labels.push((*name, (*text).to_owned())),
                    _ => return None,
                },
                Segment::Greedy(name) => {
                    let all: Vec<&str> = rest.by_ref().copied().collect();
                    if all.is_empty() {
                        return None;
                    }
                    labels.push((*name, all.join("/")));
                }
            }
        }
        if rest.next().is_some() { None } else { Some(labels) }
    }
}

fn segment(text: &'static str) -> Segment {
    match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        Some(label) => match label.strip_suffix('+') {
            Some(greedy) => Segment::Greedy(greedy),
            None => Segment::Label(label),
        },
        None => Segment::Static(text),
    }
}

const fn rank(segment: &Segment) -> u8 {
    match segment {
        Segment::Static(_) => 0,
        Segment::Label(_) => 1,
        Segment::Greedy(_) => 2,
    }
}

/// The segments of a path; one trailing slash does not count.
fn split(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::IOT;

    fn found(method: &str, path: &str) -> Result<(&'static str, Labels), NoRoute> {
        Routes::new(&IOT, Vec::new()).find(method, path).map(|(route, labels)| (route.name, labels))
    }

    #[test]
    fn every_operation_of_the_model_is_found_at_its_own_path() {
        for (name, operation) in &IOT.operations {
            let path = operation.path.replace('{', "v-").replace("+}", "").replace('}', "");
            assert_eq!(found(&operation.method, &path).unwrap().0, name, "{path}");
        }
    }

    #[test]
    fn segments_are_split_before_they_are_decoded() {
        let (name, labels) = found("POST", "/attached-policies/arn%3Aaws%3Aiot%3Ax%3Acert%2Fab").unwrap();
        assert_eq!(name, "ListAttachedPolicies");
        assert_eq!(labels, vec![("target", "arn:aws:iot:x:cert/ab".to_owned())]);
        let (name, labels) = found("GET", "/things/%2e%2e%2fx").unwrap();
        assert_eq!((name, labels), ("DescribeThing", vec![("thingName", "../x".to_owned())]));
    }

    #[test]
    fn other_paths_are_unknown() {
        assert_eq!(found("GET", "/nope"), Err(NoRoute::Unknown));
        assert_eq!(found("TRACE", "/things"), Err(NoRoute::Unknown));
        assert_eq!(found("GET", "/things//principals"), Err(NoRoute::Unknown));
        assert_eq!(found("GET", "/things/%zz"), Err(NoRoute::Encoding));
        assert_eq!(found("GET", "/things/%ff"), Err(NoRoute::Encoding));
    }

    #[test]
    fn a_trailing_slash_does_not_count() {
        assert_eq!(found("GET", "/authorizers").unwrap().0, "ListAuthorizers");
        assert_eq!(found("GET", "/authorizers/").unwrap().0, "ListAuthorizers");
    }
}
