-- Which rule set counts a new hour. A version is in force for the event hours from `since` on, until a
-- newer one is in force for them. An hour pins what is in force when its row is made, and keeps it.

alter table ledger drop constraint ledger_kind_check;
alter table ledger add constraint ledger_kind_check
  check (kind in ('publish', 'rollback', 'confirm', 'release', 'rules'));

create table rule_versions (
  version     integer primary key check (version > 0),   -- from 1, without a gap
  hash        text collate "C" not null references rule_sets,
  since       timestamptz check (date_trunc('hour', since, 'UTC') = since),   -- null: all hours
  author      text not null,
  reason      text not null,
  put_at      timestamptz not null default clock_timestamp(),
  publication bigint references ledger                    -- its entry; the first version has none
);
create trigger rule_versions_append_only before update or delete or truncate on rule_versions
  for each statement execute function refuse_change();

insert into rule_versions (version, hash, author, reason, put_at)
select 1, hash, 'migration', 'in force before there were versions', since from active_rule_set;
drop table active_rule_set;

create function rule_set_for(of_hour timestamptz) returns text
  language sql stable as $$
  select hash from rule_versions where since is null or since <= of_hour
   order by version desc limit 1
$$;

-- As before (0003), but the pin of a new hour is what is in force for it here and now, not what the
-- worker believes: cells that it built under another one are refused and built again.
drop function flush_begin(integer[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[],
  boolean[], timestamptz[], timestamptz[], text);
create function flush_begin(
  slots integer[], epochs bigint[], old_offsets bigint[], new_offsets bigint[],
  rebuild_froms bigint[], max_events_ms bigint[], log_ends bigint[], at_ends boolean[],
  counted_hours timestamptz[], asked_hours timestamptz[]
) returns table (refused_slot integer, hour_start timestamptz, is_cut boolean, pin text)
language plpgsql volatile as $$
declare
  h timestamptz;
  k integer;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'flush_begin needs READ COMMITTED, not %',
      current_setting('transaction_isolation');
  end if;

  for i in 1 .. cardinality(slots) loop
    update stream_progress p
       set next_offset = new_offsets[i], rebuild_from = rebuild_froms[i],
           max_event_ms = greatest(p.max_event_ms, max_events_ms[i]),
           log_end_offset = log_ends[i], seen_at = clock_timestamp(),
           at_end_since = case when at_ends[i] then clock_timestamp() end
     where p.slot = slots[i] and p.epoch = epochs[i] and p.next_offset = old_offsets[i];
    if not found then
      return query select slots[i], null::timestamptz, null::boolean, null::text;
      return;
    end if;
  end loop;

  for k in select distinct hour_lock_key(c) from unnest(counted_hours) as c order by 1 loop
    perform pg_advisory_xact_lock_shared(hour_lock_class(), k);
  end loop;

  foreach h in array counted_hours loop
    if not exists (select from hours s where s.hour = h) then
      insert into hours (hour, rule_set) values (h, rule_set_for(h)) on conflict (hour) do nothing;
    end if;
  end loop;

  return query
    select null::integer, s.hour, s.state = 'cut', s.rule_set
      from hours s where s.hour = any (asked_hours);
end $$;
