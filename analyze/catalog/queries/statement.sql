-- Grain: one fact about the text $1 as the parser reads it. `kind` says which: `error` (its type), `statement` (one a
-- statement), `table`, `table_function` or `function` (its name).
WITH parsed AS MATERIALIZED (SELECT json_serialize_sql($1::VARCHAR)::JSON AS tree),
named AS MATERIALIZED (
    SELECT node.key, node.atom->>'$' AS name, node.path
    FROM parsed, json_tree(parsed.tree) AS node
    WHERE node.key IN ('table_name', 'function_name') AND node.atom IS NOT NULL
)
SELECT 'error' AS kind, tree->>'$.error_type' AS name FROM parsed WHERE tree->>'$.error_type' IS NOT NULL
UNION ALL
SELECT 'statement', '' FROM parsed, json_each(parsed.tree, '$.statements')
UNION ALL
SELECT 'table', name FROM named WHERE key = 'table_name' AND name IS NOT NULL
UNION ALL
SELECT CASE WHEN path LIKE '%.function' THEN 'table_function' ELSE 'function' END, name
FROM named WHERE key = 'function_name' AND name IS NOT NULL
