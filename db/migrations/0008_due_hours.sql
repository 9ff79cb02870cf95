-- Which hours are due for what: one place for readers and for the schedule.

-- The last hour that is due to be cut at an instant: those that start at or before it are, and are cut
-- unless they have been. Null: none is. Due means that the watermark has passed the hour's end by the
-- grace; or that every partition is owned and read to its end and the clock is past the end by grace
-- and idle timeout (then no watermark need come).
create function hours_due_until(as_of_time timestamptz default now()) returns timestamptz
language sql stable
begin atomic
  select greatest(
           to_timestamp((global_watermark_ms(as_of_time) - s.grace_ms) / 1000.0),
           case when at_end.all_read then
             as_of_time - (s.grace_ms + s.idle_timeout_ms) * interval '1 millisecond' end
         ) - interval '1 hour'
    from reading_settings s
   cross join (
     select coalesce(bool_and(w.owned and p.at_end_since is not null), false) as all_read
       from partition_watermarks(as_of_time) w join stream_progress p using (slot)
   ) at_end;
end;

-- Up to where the late clicks of a generation's hour have been examined at a publication, per slot: the
-- generation's own cut and those of its confirmations (is_late_pending says the same of one click).
create function examined_offset(of_generation bigint, at_publication bigint, of_slot integer)
returns bigint
language sql stable
return coalesce((select max(e.next_offset) from examined_cuts e
                  where e.generation = of_generation and e.publication <= at_publication
                    and e.slot = of_slot), 0);

-- When the flush committed that wrote what the stream knows of an offset: late clicks have no time of
-- their own. Flushes of a slot follow each other without a gap.
create function flushed_at(of_slot integer, at_offset bigint) returns timestamptz
language sql stable
return (select f.committed_at from flushes f
         where f.slot = of_slot and f.from_offset <= at_offset
         order by f.from_offset desc limit 1);

-- Whether offsets that were found lost at an instant may have held clicks of an hour. They had been
-- appended by then, and a click is at most 5 minutes ahead of its append time; 5 more for clocks that
-- differ. So a topic that had lost its head before truecount came holds up no later hour.
create function loss_concerns(noted_at timestamptz, of_hour timestamptz) returns boolean
language sql immutable parallel safe
return noted_at >= of_hour - interval '10 minutes';

-- Hours whose last settlement failed, and why: for those who look, and so that the next settlement
-- takes other hours first. At its end a settlement writes those that failed, and takes away those that
-- came through and those for which nothing is left to do.
create table hour_failures (
  hour        timestamptz primary key references hours,
  since       timestamptz not null,                 -- when it failed first, by Temporal's clock …
  failed_at   timestamptz not null,                 -- … and last; both are ends of settlements
  times       integer not null check (times > 0),   -- settlements that it failed in, one after another
  error       text not null,                        -- closed code and words of the last failure
  workflow_id text not null,                        -- the settlement that it failed in last
  run_id      text not null,
  check (since <= failed_at)
);

-- Whether automation has nothing to do for an hour: a person's hold keeps it off, or the hour serves and
-- no late click waits.
create function nothing_to_settle(of_hour timestamptz) returns boolean
language sql stable
return exists (select from hour_holds x where x.hour = of_hour and x.released is null)
    or exists (
      select from ledger_head head
       cross join lateral served_pointer(of_hour, head.publication) p
       where not exists (
         select from late_clicks l
          where l.hour = of_hour
            and is_late_pending(p.generation, head.publication, l.slot, l.log_offset)));

-- The comparison for which an hour waits for a person, null: it waits for none. A settlement's decision
-- to hold stands until something is published: else the schedule would compute the same hour again in
-- every run, and keep others out. What a person looked at, by whatever rules, is no decision of the
-- schedule.
create function holding_reconciliation(of_hour timestamptz) returns bigint
language sql stable
return (
  select r.id
    from (select * from reconciliations x
           where x.hour = of_hour and x.made_by like 'settleDueHours %'
           order by x.id desc limit 1) r
   where r.decision = 'hold'
     and r.revision = coalesce((select max(p.revision) from pointers p where p.hour = of_hour), 0));

-- The comparison that let a generation become a revision of an hour with an alert, null: there is none.
-- It was made at the revision before.
create function alerting_reconciliation(of_hour timestamptz, of_revision integer, of_generation bigint)
returns bigint
language sql stable
return (
  select r.id
    from (select * from reconciliations x
           where x.hour = of_hour and x.generation = of_generation and x.revision = of_revision - 1
           order by x.id desc limit 1) r
   where r.decision = 'publish_alert');
