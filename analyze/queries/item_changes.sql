-- grain: one item, condition, measure, layer and behaviour metric of model $1 on task $2 in study $4.
-- How did each item's measure and behaviour change from condition $3? Positive changes of behaviour are
-- improvements. The change of behaviour itself is the measure `behavior` at layer -1.
WITH item_measures AS (
    SELECT condition, item_id, measure, layer, avg(value ORDER BY prompt_id) AS value
    FROM measures
    WHERE study = $4::VARCHAR AND model = $1::VARCHAR AND task = $2::VARCHAR AND value IS NOT NULL
    GROUP BY condition, item_id, measure, layer
),
item_scores AS (
    SELECT
        condition, item_id, metric,
        avg(CASE WHEN metric = 'absolute_error' THEN -score ELSE score END ORDER BY prompt_id) AS score
    FROM behavior
    WHERE study = $4::VARCHAR AND model = $1::VARCHAR AND task = $2::VARCHAR AND score IS NOT NULL
    GROUP BY condition, item_id, metric
),
improvements AS (
    SELECT a.condition, a.item_id, a.metric, a.score - b.score AS improvement
    FROM item_scores AS a
    JOIN item_scores AS b ON b.item_id = a.item_id AND b.metric = a.metric AND b.condition = $3::VARCHAR
    WHERE a.condition <> $3::VARCHAR
),
changes AS (
    SELECT a.condition, a.item_id, a.measure, a.layer, a.value - b.value AS change
    FROM item_measures AS a
    JOIN item_measures AS b
        ON b.item_id = a.item_id AND b.measure = a.measure AND b.layer = a.layer AND b.condition = $3::VARCHAR
    WHERE a.condition <> $3::VARCHAR
)
SELECT i.condition, c.measure, c.layer, i.metric, i.item_id, c.change, i.improvement
FROM improvements AS i
JOIN changes AS c ON c.condition = i.condition AND c.item_id = i.item_id
UNION ALL
SELECT i.condition, 'behavior', -1, i.metric, i.item_id, i.improvement, i.improvement
FROM improvements AS i
ORDER BY ALL
