-- grain: one condition of a task.
-- What does the model read in each condition, and what does it answer? The item is one that most conditions share.
WITH shared AS (
    SELECT item_id, count(DISTINCT condition) AS n_conditions
    FROM prompts
    WHERE task = $task
    GROUP BY item_id
)
SELECT
    p.condition, p.prompt_id, p.item_id, p.text, p.expected, r.response
FROM prompts AS p
JOIN shared AS s ON s.item_id = p.item_id
LEFT JOIN responses AS r ON r.model = $model AND r.task = p.task AND r.prompt_id = p.prompt_id AND r.sample = 0
WHERE p.task = $task
QUALIFY row_number() OVER (PARTITION BY p.condition ORDER BY s.n_conditions DESC, p.item_id, p.prompt_id) = 1
ORDER BY p.condition
