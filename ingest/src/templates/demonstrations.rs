//! Which items stand in front of another as demonstrations, in which order, and with which answers.
//!
//! The demonstrations of the condition with k of them are the first k of the item's own list, so that conditions differ by
//! what is added. Every draw has a random stream of its own, named by the item's position in its table.

use super::settings::{Draw, Labels, MAX_EXAMPLES};
use crate::random_stream::RandomStream;
use crate::read::Item;

/// The table that demonstrations come from.
pub(super) struct Pool<'a> {
    pub(super) items: &'a [Item],
    pub(super) draw: Draw,
    /// Columns in which a demonstration differs from its item.
    pub(super) apart: &'a [String],
    /// Every answer once, in the order of the table.
    pub(super) answers: &'a [String],
    pub(super) seed: u64,
}

impl<'a> Pool<'a> {
    /// `n` demonstrations for `item`, whose own draw has the number `index`.
    ///
    /// # Errors
    /// Why there are not that many.
    pub(super) fn draw(&self, item: &Item, index: u64, n: usize) -> Result<Vec<&'a Item>, String> {
        let mut eligible: Vec<&Item> =
            self.items.iter().filter(|other| self.may_stand(other, item)).collect();
        if eligible.len() < n {
            return Err(format!(
                "expected at least {n} demonstrations that differ from it{}, found {}",
                if self.apart.is_empty() { String::new() } else { format!(" in {}", self.apart.join(", ")) },
                eligible.len()
            ));
        }
        let mut stream = RandomStream::new(self.seed, "template draw", index);
        match self.draw {
            Draw::First => eligible.truncate(n),
            Draw::Random => {
                for chosen in 0..n {
                    let other = chosen + stream.index(eligible.len() - chosen);
                    eligible.swap(chosen, other);
                }
                eligible.truncate(n);
            }
            Draw::Balanced => return draw_balanced(eligible, &mut stream, n),
        }
        Ok(eligible)
    }

    fn may_stand(&self, other: &Item, item: &Item) -> bool {
        // An item that says the same under another id would give the answer away.
        let is_same =
            other.params == item.params && other.expected == item.expected && same_variables(other, item);
        let is_apart =
            self.apart.iter().all(|column| other.variables.get(column) != item.variables.get(column));
        !is_same && is_apart
    }

    /// The answers that demonstrations show.
    pub(super) fn label(
        &self,
        demonstrations: &[&'a Item],
        labels: Labels,
        index: u64,
    ) -> Vec<Option<&'a str>> {
        let mut stream = RandomStream::new(self.seed, labels.purpose(), index);
        let own = |item: &&'a Item| item.expected.as_deref();
        let mut one_of = |other_than: Option<&str>| {
            let answers: Vec<&str> =
                self.answers.iter().map(String::as_str).filter(|a| Some(*a) != other_than).collect();
            (!answers.is_empty()).then(|| answers[stream.index(answers.len())])
        };
        match labels {
            Labels::Gold => demonstrations.iter().map(own).collect(),
            Labels::Random => demonstrations.iter().map(|_| one_of(None)).collect(),
            Labels::Wrong => demonstrations.iter().map(|item| one_of(item.expected.as_deref())).collect(),
        }
    }

    /// Different orders of the first `n` demonstrations, at most `n_orders`: as drawn, then others at random.
    pub(super) fn orders(&self, n: usize, n_orders: usize, index: u64) -> Vec<Vec<usize>> {
        let possible = (1..=n).try_fold(1_usize, |product, factor| product.checked_mul(factor));
        let n_orders = possible.map_or(n_orders, |possible| possible.min(n_orders));
        let own = index * (MAX_EXAMPLES + 1) + n as u64;
        let mut stream = RandomStream::new(self.seed, "template order", own);
        let mut orders: Vec<Vec<usize>> = vec![(0..n).collect()];
        while orders.len() < n_orders {
            let order = stream.permutation(n);
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        orders
    }
}

impl Labels {
    fn purpose(self) -> &'static str {
        match self {
            Self::Gold => "template gold",
            Self::Random => "template random",
            Self::Wrong => "template wrong",
        }
    }
}

/// Whether two items say the same, their ids aside.
fn same_variables(a: &Item, b: &Item) -> bool {
    let mut own = a.variables.iter().filter(|(name, _)| *name != "item_id");
    a.variables.len() == b.variables.len() && own.all(|(name, value)| b.variables.get(name) == Some(value))
}

/// Demonstrations such that the numbers of any two answers differ by at most one in every first part of the list.
fn draw_balanced<'a>(
    mut eligible: Vec<&'a Item>,
    stream: &mut RandomStream,
    n: usize,
) -> Result<Vec<&'a Item>, String> {
    stream.shuffle(&mut eligible);
    let mut by_answer: Vec<(Option<&str>, Vec<&Item>)> = Vec::new();
    for item in eligible {
        match by_answer.iter_mut().find(|(answer, _)| *answer == item.expected.as_deref()) {
            Some((_, items)) => items.push(item),
            None => by_answer.push((item.expected.as_deref(), vec![item])),
        }
    }
    let mut drawn = Vec::with_capacity(n);
    while drawn.len() < n {
        // Each round shows every answer once, in an order of its own.
        let round = stream.permutation(by_answer.len());
        for answer in round.into_iter().take(n - drawn.len()) {
            let (answer, items) = &mut by_answer[answer];
            drawn.push(items.pop().ok_or_else(|| {
                format!(
                    "a balanced draw of {n} needs more demonstrations with the answer `{}` than there are",
                    answer.unwrap_or_default()
                )
            })?);
        }
    }
    Ok(drawn)
}
