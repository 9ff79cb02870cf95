-- The fence and the hour locks of a flush, in one round trip.
--
-- Two integers make an advisory key: this class and a number of the hour.
create function hour_lock_class() returns integer
  language sql immutable parallel safe as $$ select 29795 $$;

-- Hours 1,024 apart share a key, so that a flush holds at most that many locks: the lock table of
-- the server is small (about 64 for each connection), and the clicks of one flush may lie in
-- thousands of hours. A coarser lock is only more careful.
create function hour_lock_key(hour timestamptz) returns integer
  language sql immutable parallel safe as $$
  select ((extract(epoch from hour) / 3600)::bigint % 1024)::integer
$$;

-- Begins a flush inside the caller's READ COMMITTED transaction. In this order, which the model of
-- the protocol checks (docs/decisions: fence and cut):
--   1. the fence rows, by slot: epoch and next_offset must be the caller's, else nothing is done
--      and the one row returned names the slot that refused;
--   2. shared locks on the hours with counted clicks, ascending by key: a cut holds the exclusive one;
--   3. missing rows of those hours, ascending, pinned to the given rule set. After the locks: a cut
--      that holds the lock may be inserting the same row;
--   4. state and pin of all hours asked for. This is a statement of its own: in a VOLATILE function
--      under READ COMMITTED each statement sees what was committed before it began, so it sees
--      every cut that held the lock before us.
create function flush_begin(
  slots integer[], epochs bigint[], old_offsets bigint[], new_offsets bigint[],
  rebuild_froms bigint[], max_events_ms bigint[], log_ends bigint[], at_ends boolean[],
  counted_hours timestamptz[], asked_hours timestamptz[], new_pin text
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
    insert into hours (hour, rule_set) values (h, new_pin) on conflict (hour) do nothing;
  end loop;

  return query
    select null::integer, s.hour, s.state = 'cut', s.rule_set
      from hours s where s.hour = any (asked_hours);
end $$;

-- Adds two rows of 60 minute counts. One expression, no subquery: measured in docs/decisions
-- (live layout).
create function add_minutes(a integer[], b integer[]) returns integer[]
  language sql immutable parallel safe as $$
  select array(select x + y from unnest(a, b) as t (x, y))
$$;
