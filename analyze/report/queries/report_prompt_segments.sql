-- grain: one segment of one of the prompts $prompts (a JSON array of their ids).
-- Which characters of the prompts have which role?
SELECT prompt_id, segment, role, start, "end"
FROM segments
WHERE task = $task AND list_contains(from_json($prompts, '["VARCHAR"]'), prompt_id)
ORDER BY prompt_id, segment
