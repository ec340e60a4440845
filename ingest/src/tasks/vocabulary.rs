//! The words of the scenes: everyday names and activities, written for this software.
//!
//! Every name, and the first word of every activity, occurs once in all four lists, so that an
//! answer can be told by its first word, and no demonstration shares a word that matters with a
//! scene. They are words that common tokenizers keep whole after a space. Changing a list changes
//! what every seed gives: add at the end, and expect new prompts all the same.

/// Names in the scenes that are asked about.
pub(super) const SCENE_NAMES: [&str; 24] = [
    "Anna",
    "Peter",
    "Maria",
    "David",
    "Sarah",
    "Thomas",
    "Alice",
    "Daniel",
    "Emily",
    "Simon",
    "Jane",
    "Robert",
    "Maya",
    "Martin",
    "Elizabeth",
    "James",
    "Kim",
    "Paul",
    "George",
    "Ben",
    "Henry",
    "Victor",
    "Adam",
    "Jack",
];

/// Activities in the scenes that are asked about.
pub(super) const SCENE_ACTIVITIES: [&str; 24] = [
    "reading a book",
    "cooking dinner",
    "painting a fence",
    "playing the piano",
    "riding a bike",
    "washing the car",
    "feeding the cat",
    "writing a letter",
    "cleaning the kitchen",
    "building a shed",
    "drawing a map",
    "singing a song",
    "planting a tree",
    "cutting the grass",
    "watching a film",
    "climbing a hill",
    "eating an apple",
    "driving a bus",
    "walking the dog",
    "sewing a shirt",
    "baking a cake",
    "fixing a lamp",
    "packing a bag",
    "throwing a ball",
];

/// Names in the demonstrations.
pub(super) const DEMO_NAMES: [&str; 12] = [
    "John", "Mary", "Tom", "Anne", "Richard", "Lee", "Samuel", "Andrew", "Arthur", "Luke", "Joseph", "Chris",
];

/// Activities in the demonstrations.
pub(super) const DEMO_ACTIVITIES: [&str; 12] = [
    "swimming in the lake",
    "fishing by the river",
    "drinking some tea",
    "buying some bread",
    "running a race",
    "watering the plants",
    "calling a friend",
    "counting coins",
    "opening the window",
    "carrying a box",
    "setting the table",
    "selling flowers",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn first_words_occur_once_and_no_name_holds_another() {
        let names: Vec<&str> = [&SCENE_NAMES[..], &DEMO_NAMES].concat();
        let activities: Vec<&str> = [&SCENE_ACTIVITIES[..], &DEMO_ACTIVITIES].concat();
        let first_words: BTreeSet<_> =
            activities.iter().filter_map(|activity| activity.split(' ').next()).collect();
        assert_eq!(first_words.len(), activities.len());
        for (i, name) in names.iter().enumerate() {
            assert!(names.iter().enumerate().all(|(j, other)| i == j || !other.contains(name)));
        }
    }

    #[test]
    fn demonstrations_share_no_content_word_with_scenes() {
        let words = |activities: &[&'static str]| -> BTreeSet<&'static str> {
            let words = activities.iter().flat_map(|activity| activity.split(' '));
            words.filter(|word| word.len() > 3).collect()
        };
        assert!(words(&SCENE_ACTIVITIES).is_disjoint(&words(&DEMO_ACTIVITIES)));
    }
}
