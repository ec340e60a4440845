-- grain: one ordered pair of different prompts, a among $rows and b among $columns.
-- What does the hypothesis say of each pair?
SELECT a.$index, b.$index, CAST($hypothesis AS DOUBLE)
FROM $prompts AS a
JOIN $prompts AS b ON a.$index <> b.$index
WHERE a.$index IN ($rows) AND b.$index IN ($columns)
ORDER BY a.$index, b.$index
