-- grain: one condition of model $1 on task $2 in study $3 in which some answer was scored.
-- Which conditions can improve on each other?
SELECT DISTINCT condition
FROM behavior
WHERE study = $3::VARCHAR AND model = $1::VARCHAR AND task = $2::VARCHAR AND score IS NOT NULL
ORDER BY condition
