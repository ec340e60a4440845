-- grain: one condition of task $1.
-- In which order do conditions stand, the reference (fewest examples, with answers to be right about) first?
WITH numbered AS (
    SELECT condition, n_examples, expected, row_number() OVER () AS place
    FROM prompts
    WHERE task = $1::VARCHAR
)
SELECT condition
FROM numbered
GROUP BY condition
ORDER BY min(n_examples), count(expected) = 0, min(place)
