-- One statement for the session, the person and whether either still counts: nothing is left to forget.
select session.id as session_id, session.last_seen_ms,
       person.id, person.organisation_id, person.email, person.name, person.role, person.all_stores,
       person.language, person.disabled_at_ms
from session
join person on person.id = session.person_id
where session.token_sha256 = $1
  and session.revoked_at_ms is null
  and session.ends_at_ms > $2
  and session.last_seen_ms > $3
  and person.disabled_at_ms is null
