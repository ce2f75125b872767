//! Tables, migrations and queries over a narrow waist with two engines, and the change log
