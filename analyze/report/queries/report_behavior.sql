-- grain: one metric of one condition.
-- How good are the answers in each condition? An item counts once; scores that do not exist are counted, not dropped.
WITH items AS (
    SELECT metric, condition, item_id, avg(score) AS score, count(*) AS n_responses, count(score) AS n_scored
    FROM behavior
    WHERE study = $study AND model = $model AND task = $task
    GROUP BY ALL
)
SELECT
    metric,
    condition,
    avg(score) AS mean,
    median(score) AS median,
    count(score) AS n_items,
    sum(n_responses) AS n_responses,
    sum(n_scored) AS n_scored
FROM items
GROUP BY ALL
ORDER BY ALL
