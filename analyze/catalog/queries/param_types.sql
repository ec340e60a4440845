-- grain: one key of params, over the prompts of task $1 (all prompts when $1 is null).
-- Which JSON types do the values of each key have?
WITH keys AS (
    SELECT params, unnest(json_keys(params)) AS key
    FROM prompts
    WHERE $1::VARCHAR IS NULL OR task = $1::VARCHAR
)
SELECT
    key,
    string_agg(DISTINCT json_type(params, '/' || replace(replace(key, '~', '~0'), '/', '~1')), ',')
FROM keys
GROUP BY key
ORDER BY key
