-- The names of the dimensions that a rule set counts by, so that an answer can say of which hours it
-- cannot know: a filter of a dimension that came with a later rule set counts 0 there. Rule sets are
-- found by their hash: none may change.
create table rule_set_dimensions (
  hash text collate "C" not null references rule_sets,
  name text collate "C" not null,
  primary key (hash, name)
);

create trigger rule_sets_append_only before update or delete or truncate on rule_sets
  for each statement execute function refuse_change();

create function note_dimensions() returns trigger language plpgsql as $$
begin
  insert into rule_set_dimensions (hash, name)
  select distinct new.hash, d ->> 'name' from jsonb_array_elements(new.body -> 'dimensions') d;
  return null;
end $$;
create trigger rule_sets_dimensions after insert on rule_sets
  for each row execute function note_dimensions();

insert into rule_set_dimensions (hash, name)
select distinct r.hash, d ->> 'name'
  from rule_sets r cross join lateral jsonb_array_elements(r.body -> 'dimensions') d;
