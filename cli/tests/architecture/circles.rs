//! Import circles among the modules of a crate.
//!
//! A module is a file. Module `a` imports module `b` if a path in `a`, in a `use` or in an expression, names an item
//! that `b` defines; re-exports are followed to the definition. A parent's paths into its own descendants are not
//! counted: a parent declares, re-exports and drives its children, and what they share may be defined in it.

use crate::sources::{Source, code, rust_files};
use std::collections::{BTreeMap, BTreeSet};

type ModulePath = Vec<String>;

#[derive(Default)]
struct Module {
    /// Absolute paths that the module's code names.
    paths: BTreeSet<ModulePath>,
    /// Names that `use` brings in, with what they stand for.
    imports: BTreeMap<String, ModulePath>,
}

/// One shortest circle through each module that lies on one, as text; none if there are no circles.
pub fn circles(crate_directory: &str) -> Vec<String> {
    let modules = read_modules(&rust_files(&[&format!("{crate_directory}/src")]));
    let edges: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> =
        modules.iter().map(|(path, module)| (path, imported(path, module, &modules))).collect();
    let mut found = BTreeMap::new();
    for start in edges.keys() {
        if let Some(circle) = shortest_circle(start, &edges) {
            let members: BTreeSet<_> = circle.iter().copied().collect();
            let names: Vec<_> = circle.iter().map(|m| m.join("::")).collect();
            found.entry(members).or_insert_with(|| format!("{crate_directory}: {}", names.join(" → ")));
        }
    }
    found.into_values().collect()
}

fn read_modules(sources: &[Source]) -> BTreeMap<ModulePath, Module> {
    let mut modules = BTreeMap::new();
    for source in sources {
        let path = module_path(&source.path);
        if path.iter().any(|part| part == "tests") {
            continue;
        }
        // Unit tests stand at the end of a file and may import what they like.
        let text = source.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        modules.insert(path.clone(), read_module(&path, &code(text)));
    }
    modules
}

/// `crate`, then a part for each module: `extract/src/model/mod.rs` is `[crate, model]`.
fn module_path(file: &str) -> ModulePath {
    let (_, inside) = file.split_once("/src/").expect("a source file");
    let parts = inside.trim_end_matches(".rs").split('/');
    let parts = parts.filter(|part| !["lib", "main", "mod"].contains(part));
    std::iter::once("crate").chain(parts).map(str::to_owned).collect()
}

fn read_module(path: &ModulePath, code: &str) -> Module {
    let mut module = Module::default();
    let mut rest = code;
    while let Some((before, after)) = split_at_use(rest) {
        add_inline(path, before, &mut module);
        let (statement, next) = after.split_once(';').expect("a use statement ends");
        for (name, target) in expand(&statement.split_whitespace().collect::<Vec<_>>().join(" ")) {
            let absolute = absolute(path, &target);
            module.imports.insert(name, absolute.clone());
            module.paths.insert(absolute);
        }
        rest = next;
    }
    add_inline(path, rest, &mut module);
    module
}

/// Text before and after the next `use` keyword at the beginning of a statement.
fn split_at_use(text: &str) -> Option<(&str, &str)> {
    let starts = text.match_indices("use ").map(|(at, _)| at);
    let mut starts = starts.filter(|at| {
        let line = text[..*at].rsplit('\n').next().unwrap_or_default().trim();
        line.is_empty() || line == "pub" || (line.starts_with("pub(") && line.ends_with(')'))
    });
    starts.next().map(|at| (&text[..at], &text[at + 4..]))
}

/// Names and paths of a `use` tree.
fn expand(tree: &str) -> Vec<(String, ModulePath)> {
    let tree = tree.trim();
    if let Some((prefix, inner)) = tree.split_once('{') {
        let prefix: ModulePath = parts(prefix.trim_end_matches("::"));
        let inner = inner.trim_end().trim_end_matches('}');
        let items = split_top(inner).into_iter().flat_map(|item| expand(&item));
        return items
            .map(|(name, path)| {
                let path = prefix.iter().cloned().chain(path).filter(|p| p != "self" || prefix.is_empty());
                let path: ModulePath = path.collect();
                let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name };
                (name, path)
            })
            .collect();
    }
    let (path, name) = tree.split_once(" as ").map_or((tree, None), |(p, n)| (p, Some(n.trim().to_owned())));
    let path = parts(path.trim());
    let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
    if path.is_empty() { Vec::new() } else { vec![(name, path)] }
}

/// Items of a brace list, nested lists kept whole.
fn split_top(list: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        items.last_mut().expect("one item").push(c);
    }
    // A nested list's closing brace was trimmed with its parent's if it was the last character.
    items.iter_mut().for_each(|item| {
        let open = item.matches('{').count() - item.matches('}').count().min(item.matches('{').count());
        item.push_str(&"}".repeat(open));
    });
    items.retain(|item| !item.trim().is_empty());
    items
}

fn parts(path: &str) -> ModulePath {
    path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// `path` as seen from `module`, from the crate's root. Other crates' paths stay as they are.
fn absolute(module: &ModulePath, path: &[String]) -> ModulePath {
    match path.first().map(String::as_str) {
        Some("crate") => path.to_vec(),
        Some("self") => module.iter().chain(&path[1..]).cloned().collect(),
        Some("super") => {
            let parent = module[..module.len() - 1].to_vec();
            match path.get(1).is_some_and(|part| part == "super") {
                true => absolute(&parent, &path[1..]),
                false => parent.iter().chain(&path[1..]).cloned().collect(),
            }
        }
        // A child of this module, or another crate.
        _ => module.iter().chain(path).cloned().collect(),
    }
}

/// Adds paths in expressions and signatures that begin with `crate`, `super` or `self`.
fn add_inline(module: &ModulePath, code: &str, out: &mut Module) {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for word in code.split(|c| !is_path(c)) {
        if ["crate::", "super::", "self::"].iter().any(|root| word.starts_with(root)) {
            out.paths.insert(absolute(module, &parts(word)));
        }
    }
}

fn imported<'a>(
    path: &ModulePath,
    module: &Module,
    modules: &'a BTreeMap<ModulePath, Module>,
) -> BTreeSet<&'a ModulePath> {
    let targets = module.paths.iter().filter_map(|target| resolve(target, modules, 0));
    targets.filter(|target| !target.starts_with(path)).collect()
}

/// The module that defines what `path` names, re-exports followed; none for other crates' items.
fn resolve<'a>(
    path: &[String],
    modules: &'a BTreeMap<ModulePath, Module>,
    depth: usize,
) -> Option<&'a ModulePath> {
    let n = (1..=path.len()).rev().find(|n| modules.contains_key(&path[..*n]))?;
    let (module, contents) = modules.get_key_value(&path[..n])?;
    let target = path.get(n).and_then(|name| contents.imports.get(name));
    match target {
        // The import of a name from another crate resolves to the module itself, like a definition.
        Some(target) if depth < 8 && target != path => {
            let rest = target.iter().chain(&path[n + 1..]).cloned().collect::<Vec<_>>();
            resolve(&rest, modules, depth + 1)
        }
        _ => Some(module),
    }
}

/// A shortest way from `start` back to itself.
fn shortest_circle<'a>(
    start: &'a ModulePath,
    edges: &BTreeMap<&'a ModulePath, BTreeSet<&'a ModulePath>>,
) -> Option<Vec<&'a ModulePath>> {
    let mut queue = std::collections::VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = queue.pop_front() {
        for next in &edges[way[way.len() - 1]] {
            let longer = [way.as_slice(), &[*next]].concat();
            if *next == start {
                return Some(longer);
            }
            if seen.insert(*next) {
                queue.push_back(longer);
            }
        }
    }
    None
}

#[test]
fn a_circle_of_two_modules_is_found_through_a_re_export() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let modules = read_modules(&[
        source("x/src/lib.rs", "mod a;\nmod b;"),
        source("x/src/a/mod.rs", "mod inner;\npub use inner::{Item, more::{self, Deep}};"),
        source("x/src/a/inner.rs", "use crate::b::Other;\npub struct Item;"),
        source("x/src/b.rs", "pub struct Other;\nfn f(_: crate::a::Item) {}"),
    ]);
    let edges: BTreeMap<_, _> = modules.iter().map(|(p, m)| (p, imported(p, m, &modules))).collect();
    let inner: ModulePath = ["crate", "a", "inner"].map(str::to_owned).to_vec();
    let circle = shortest_circle(&inner, &edges).expect("a circle");
    let names: Vec<_> = circle.iter().map(|m| m.join("::")).collect();
    assert_eq!(names, ["crate::a::inner", "crate::b", "crate::a::inner"]);
}
