-- grain: one condition of model $1 on task $2 in which some answer was scored.
-- Which conditions can improve on each other?
SELECT DISTINCT condition
FROM behavior
WHERE model = $1::VARCHAR AND task = $2::VARCHAR AND score IS NOT NULL
ORDER BY condition
