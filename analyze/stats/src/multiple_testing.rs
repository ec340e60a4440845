//! Correction of a declared family of p-values. Max-statistic correction, which needs the permutations, is in
//! [`super::permutation`].

/// Benjamini-Hochberg q-values (Benjamini & Hochberg 1995), aligned with `p_values`.
///
/// A `None` (undefined test) stays `None` and does not count towards the size of the family.
pub fn benjamini_hochberg(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut defined: Vec<(f64, usize)> =
        p_values.iter().enumerate().filter_map(|(i, p)| p.map(|p| (p, i))).collect();
    defined.sort_by(|a, b| a.0.total_cmp(&b.0));
    let family = defined.len() as f64;
    let mut q_values = vec![None; p_values.len()];
    let mut smallest = 1.0_f64;
    for (rank, &(p, i)) in defined.iter().enumerate().rev() {
        smallest = smallest.min(p * family / (rank + 1) as f64);
        q_values[i] = Some(smallest);
    }
    q_values
}
