-- grain: one item of one condition and metric.
-- What did each item score, and to which cluster does it belong? (The bootstrap draws clusters.) $expression is the task's
-- own SQL over one prompt, in parentheses.
WITH clusters AS (
    SELECT prompt_id, CAST($expression AS VARCHAR) AS cluster
    FROM prompt_params
    WHERE task = $task
)
SELECT b.metric, b.condition, b.item_id, min(c.cluster) AS cluster, avg(b.score) AS score
FROM behavior AS b
JOIN clusters AS c ON c.prompt_id = b.prompt_id
WHERE b.study = $study AND b.model = $model AND b.task = $task
GROUP BY ALL
HAVING count(b.score) > 0
ORDER BY ALL
