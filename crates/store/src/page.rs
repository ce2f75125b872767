//! Keyset paging: a page begins strictly after a cursor, so it costs the same wherever it lies.

use crate::engine::Value;

/// A page of a list: at most `limit` rows strictly after the cursor in the order asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<C> {
    /// The last row of the page before; `None` begins at the start.
    pub after: Option<C>,
    /// The order.
    pub ascending: bool,
    /// Rows at most.
    pub limit: u32,
}

impl<C> Page<C> {
    /// The first `limit` rows in ascending order.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { after: None, ascending: true, limit }
    }

    /// Completes `select` (which ends in its `WHERE` conditions and uses `params`) with cursor, order and limit over the
    /// columns `keys`. `cursor` holds the values of the cursor.
    pub(crate) fn complete(
        &self,
        select: &str,
        params: impl Into<Vec<Value>>,
        keys: &[&str],
        cursor: Option<impl IntoIterator<Item = Value>>,
    ) -> (String, Vec<Value>) {
        let mut params = params.into();
        let (compare, direction) = if self.ascending { (">", "ASC") } else { ("<", "DESC") };
        let mut sql = String::with_capacity(select.len() + 160);
        sql.push_str(select);
        if let Some(cursor) = cursor {
            let places: Vec<String> = (1..=keys.len()).map(|n| format!("${}", params.len() + n)).collect();
            sql.push_str(&format!(" AND ({}) {compare} ({})", keys.join(", "), places.join(", ")));
            params.extend(cursor);
        }
        let order: Vec<String> = keys.iter().map(|key| format!("{key} {direction}")).collect();
        params.push(Value::Int(i64::from(self.limit)));
        sql.push_str(&format!(" ORDER BY {} LIMIT ${}", order.join(", "), params.len()));
        (sql, params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_comparison_an_order_and_a_limit() {
        let page = Page { after: Some(()), ascending: false, limit: 3 };
        let (sql, params) = page.complete(
            "SELECT a FROM t WHERE s = $1",
            vec![Value::Int(1)],
            &["a", "b"],
            Some(vec![Value::Int(2), Value::Int(3)]),
        );
        assert_eq!(sql, "SELECT a FROM t WHERE s = $1 AND (a, b) < ($2, $3) ORDER BY a DESC, b DESC LIMIT $4");
        assert_eq!(params, [1, 2, 3, 3].map(Value::Int));
    }
}
