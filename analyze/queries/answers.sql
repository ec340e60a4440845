-- grain: one response of model $1 to one prompt of task $2.
-- What was answered, what was expected, and how likely was it?
SELECT p.prompt_id, r.sample, p.expected, r.response, r.expected_logprob
FROM responses AS r
JOIN prompts AS p ON p.task = r.task AND p.prompt_id = r.prompt_id
WHERE r.model = $1::VARCHAR AND r.task = $2::VARCHAR
ORDER BY p.prompt_id, r.sample
