-- grain: one condition of one task.
-- Which conditions does each task have, how many examples do they show, and which are scored?
SELECT
    p.task,
    p.condition,
    min(p.n_examples) AS n_examples,
    count(*) AS n_prompts,
    count(DISTINCT p.item_id) AS n_items,
    coalesce(any_value(b.n_scored), 0) AS n_scored
FROM prompts AS p
LEFT JOIN (
    SELECT task, condition, count(*) AS n_scored
    FROM behavior
    WHERE study = $study AND model = $model
    GROUP BY ALL
) AS b ON b.task = p.task AND b.condition = p.condition
GROUP BY ALL
ORDER BY p.task, n_examples, p.condition
