select id, organisation_id, slug, name, zone, cut_off_minutes, week_start, currency, language
from store
order by id
