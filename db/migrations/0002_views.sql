-- The reading side: the watermark, the state of a minute, and the views for BI tools and psql.

-- What readers need to know of the configuration: views cannot be given parameters. One row, written
-- from the configuration in force (store/reading-settings.ts); the defaults are the configuration's.
create table reading_settings (
  only_row            boolean primary key default true check (only_row),
  out_of_orderness_ms bigint not null default 30000  check (out_of_orderness_ms >= 0),
  idle_timeout_ms     bigint not null default 30000  check (idle_timeout_ms >= 0),
  lease_ms            bigint not null default 30000  check (lease_ms > 0),
  grace_ms            bigint not null default 300000 check (grace_ms >= 0),
  topics              text[]                                  -- those that are read; null: all
);
insert into reading_settings default values;

-- Each partition of the log as the watermark sees it at the instant `as_of_time`. A partition is idle
-- only if somebody owns it (reported within a lease) and it has been read to its end for the idle
-- timeout. A topic that is no longer read holds nothing back. core/watermark.ts has the same rules; a
-- test holds the two together.
create function partition_watermarks(as_of_time timestamptz)
returns table (topic text, "partition" integer, slot integer, watermark_ms bigint, owned boolean,
               idle boolean)
language sql stable
begin atomic
  select p.topic, p.partition, p.slot,
         p.max_event_ms - s.out_of_orderness_ms,
         o.owned,
         o.owned and p.at_end_since is not null
           and p.at_end_since <= as_of_time - s.idle_timeout_ms * interval '1 millisecond'
    from stream_progress p
   cross join reading_settings s
   cross join lateral (
     select p.seen_at is not null
            and p.seen_at >= as_of_time - s.lease_ms * interval '1 millisecond' as owned
   ) o
   where s.topics is null or p.topic = any (s.topics);
end;

-- The watermark in epoch milliseconds: the minimum over the partitions that are not idle; null where
-- one of them has not been read at all. When all are idle, the greatest value of any. It runs with its
-- owner's rights, as views do: who may read the views needs no other right.
create function global_watermark_ms(as_of_time timestamptz default now()) returns bigint
language sql stable security definer
begin atomic
  select case
           when bool_and(w.idle) then max(w.watermark_ms)
           when bool_or(not w.idle and w.watermark_ms is null) then null
           else min(w.watermark_ms) filter (where not w.idle)
         end
    from partition_watermarks(as_of_time) w;
end;

-- State of a minute that no generation serves: `open` while its end is above the watermark.
create function minute_state(minute_end timestamptz, watermark_ms bigint) returns text
language sql immutable
return case
  when watermark_ms is null or extract(epoch from minute_end) * 1000 > watermark_ms then 'open'
  else 'provisional'
end;

-- The hours that a range [range_from, range_to) of whole minutes touches, each with its first and last
-- minute in the range, counted from 1 as in `live_cells.counts`.
create function hour_slices(range_from timestamptz, range_to timestamptz)
returns table (hour timestamptz, first integer, last integer)
language sql stable
begin atomic
  select h,
         greatest(0, extract(epoch from range_from - h) / 60)::integer + 1,
         least(60, extract(epoch from range_to - h) / 60)::integer
    from generate_series(date_trunc('hour', range_from, 'UTC'), range_to - interval '1 minute',
                         interval '1 hour') h
  offset 0;  -- keeps `first` and `last` from being worked out again wherever they are used
end;

-- Clicks of the minutes first..last (1..60) of one row of live_cells. One term per minute: so it is
-- inlined, and adds up a row faster than `sum` over `unnest` of the slice (16,000 rows on two cores
-- shared with others: 53 ms against 82 ms).
do $$
begin
  execute format(
    'create function clicks_between(counts integer[], first integer, last integer)
       returns bigint language sql immutable return %s',
    (select string_agg(
              format('case when %s between first and last then counts[%s]::bigint else 0 end', m, m),
              ' + ' order by m)
       from generate_series(1, 60) m));
end;
$$;

-- Per ad, minute and filter, with the state of the minute; minutes without clicks have no row.
-- The join with `hours` makes a condition on `ad_id` one index lookup per hour. `click_hour` is there
-- for conditions: `click_hour >= …` limits the hours looked at, `click_minute >= …` alone cannot.
create view ad_click_counts_filtered
  (ad_id, click_minute, filter_id, count, state, revision, click_hour) as
select m.ad_id, m.click_minute, m.filter, m.count,
       minute_state(m.click_minute + interval '1 minute', (select global_watermark_ms())),
       0, m.hour
  from (
    select c.ad_id, c.filter, h.hour,
           h.hour + (u.minute - 1) * interval '1 minute' as click_minute,
           sum(u.clicks) as count
      from hours h
      join live_cells c on c.hour = h.hour
     cross join lateral unnest(c.counts) with ordinality u (clicks, minute)
     where u.clicks <> 0 and c.filter <> ''
     group by c.ad_id, c.filter, h.hour, u.minute
  ) m
 where m.count > 0;

create view ad_click_counts (ad_id, click_minute, count, state, revision, click_hour) as
select m.ad_id, m.click_minute, m.count,
       minute_state(m.click_minute + interval '1 minute', (select global_watermark_ms())),
       0, m.hour
  from (
    select c.ad_id, h.hour,
           h.hour + (u.minute - 1) * interval '1 minute' as click_minute,
           sum(u.clicks) as count
      from hours h
      join live_cells c on c.hour = h.hour and c.filter = ''
     cross join lateral unnest(c.counts) with ordinality u (clicks, minute)
     where u.clicks <> 0
     group by c.ad_id, h.hour, u.minute
  ) m
 where m.count > 0;
