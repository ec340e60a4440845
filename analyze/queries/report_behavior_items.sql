-- grain: one item of one condition and metric.
-- What did each item score? (The bootstrap draws items.)
SELECT metric, condition, item_id, avg(score) AS score
FROM behavior
WHERE model = $model AND task = $task
GROUP BY ALL
HAVING count(score) > 0
ORDER BY ALL
