-- Reading with generations: which one serves an hour at a publication, what state that gives a minute,
-- the cells that are served, and the views for BI tools. Every read is one statement, so one snapshot:
-- the pointers that it finds are those of the publication number that it finds.

-- The revision that serves an hour at a publication: the newest one not above it. No row: the hour is
-- counted live.
create function served_pointer(of_hour timestamptz, at_publication bigint)
returns table (revision integer, generation bigint)
language sql stable rows 1
begin atomic
  select p.revision, p.generation
    from pointers p
   where p.hour = of_hour and p.publication <= at_publication
   order by p.revision desc
   limit 1;
end;

-- `hour_slices` of a range, each with what serves its hour at a publication; null where it is live.
create function served_slices(range_from timestamptz, range_to timestamptz, at_publication bigint)
returns table (hour timestamptz, first integer, last integer, revision integer, generation bigint)
language sql stable
begin atomic
  select s.hour, s.first, s.last, p.revision, p.generation
    from hour_slices(range_from, range_to) s
    left join lateral served_pointer(s.hour, at_publication) p on true
  offset 0;
end;

-- State of a minute: `final` where a generation serves it, else what the watermark says.
create function minute_state(minute_end timestamptz, watermark_ms bigint, generation bigint)
returns text
language sql immutable
return case when generation is null then minute_state(minute_end, watermark_ms) else 'final' end;

-- Whether nobody has examined a late click: it lies at or above the cut of the generation that serves,
-- and at or above those of its confirmations up to the publication. Of a live hour, none is examined.
create function is_late_pending(generation bigint, at_publication bigint, of_slot integer,
                                at_offset bigint)
returns boolean
language sql stable
return generation is null or not exists (
  select from examined_cuts e
   where e.generation = is_late_pending.generation and e.publication <= at_publication
     and e.slot = of_slot and e.next_offset > at_offset);

-- Whether a late click may add to a filter. Its filters are those of the rule set that its hour pins;
-- where another one serves, it may count under any.
create function late_may_match(of_filter text, filters text[], of_generation bigint) returns boolean
language sql stable
return of_filter = '' or of_filter = any (filters) or exists (
  select from generations g join hours h on h.hour = g.hour
   where g.id = of_generation and g.rule_set <> h.rule_set);

-- The one relation of what is served now: the cells of the newest revision of each hour, and of hours
-- without one the live cells, a row per partition slot. It names hours and pointers before cells, so
-- that conditions on `ad_id`, `filter` and `hour` become lookups in the primary keys of the cells.
create view served_cells (hour, filter, ad_id, counts, revision, generation) as
select h.hour, c.filter, c.ad_id, c.counts, p.revision, p.generation
  from hours h
 cross join lateral (
   select revision, generation from pointers
    where hour = h.hour order by revision desc limit 1
 ) p
  join generation_cells c on c.generation = p.generation
union all
select h.hour, c.filter, c.ad_id, c.counts, 0, null
  from hours h
  join live_cells c on c.hour = h.hour
 where not exists (select from pointers p where p.hour = h.hour);

-- The rows of cells in which a generation differs from the one before it, from a key on: each with its
-- counts now and before, null where it has no row. Both are read in the order of the primary key, side
-- by side, and no further than to `rows_max` differences, however many cells there are: the inner
-- orders and the settings rule out plans that read all of them first.
create function changed_cells(of_generation bigint, before bigint, from_filter text, from_ad_id text,
                              rows_max integer)
returns table (filter text, ad_id text, now_counts integer[], was_counts integer[])
language sql stable
set enable_sort = off set enable_hashagg = off set enable_bitmapscan = off set enable_seqscan = off
set max_parallel_workers_per_gather = 0
begin atomic
  select c.filter, c.ad_id, max(c.now_counts), max(c.was_counts)
    from (
      (select g.filter, g.ad_id, g.counts as now_counts, null::integer[] as was_counts
         from generation_cells g
        where g.generation = of_generation and (g.filter, g.ad_id) >= (from_filter, from_ad_id)
        order by g.filter, g.ad_id)
      union all
      (select g.filter, g.ad_id, null, g.counts
         from generation_cells g
        where g.generation = before and (g.filter, g.ad_id) >= (from_filter, from_ad_id)
        order by g.filter, g.ad_id)
    ) c
   group by c.filter, c.ad_id
  having max(c.now_counts) is distinct from max(c.was_counts)
   order by c.filter, c.ad_id
   limit rows_max;
end;

-- The views keep their columns (0002_views.sql) and now tell the pointers' truth.
create or replace view ad_click_counts_filtered
  (ad_id, click_minute, filter_id, count, state, revision, click_hour) as
select m.ad_id, m.click_minute, m.filter, m.count,
       minute_state(m.click_minute + interval '1 minute', (select global_watermark_ms()),
                    m.generation),
       m.revision, m.hour
  from (
    select c.ad_id, c.filter, c.hour, c.revision, c.generation,
           c.hour + (u.minute - 1) * interval '1 minute' as click_minute,
           sum(u.clicks) as count
      from served_cells c
     cross join lateral unnest(c.counts) with ordinality u (clicks, minute)
     where u.clicks <> 0 and c.filter <> ''
     group by c.ad_id, c.filter, c.hour, c.revision, c.generation, u.minute
  ) m
 where m.count > 0;

create or replace view ad_click_counts
  (ad_id, click_minute, count, state, revision, click_hour) as
select m.ad_id, m.click_minute, m.count,
       minute_state(m.click_minute + interval '1 minute', (select global_watermark_ms()),
                    m.generation),
       m.revision, m.hour
  from (
    select c.ad_id, c.hour, c.revision, c.generation,
           c.hour + (u.minute - 1) * interval '1 minute' as click_minute,
           sum(u.clicks) as count
      from served_cells c
     cross join lateral unnest(c.counts) with ordinality u (clicks, minute)
     where u.clicks <> 0 and c.filter = ''
     group by c.ad_id, c.hour, c.revision, c.generation, u.minute
  ) m
 where m.count > 0;

-- The 100 ads with the most clicks of the windows of 1, 5, 15 and 60 minutes that end at a minute of an
-- hour there is, up to the watermark: as /ads/popular_ads answers them. A row is worked out when it is
-- read, so give `window_size` and `update_time_minute`: all rows are as much work as all questions.
create view most_clicked_ads
  (window_size, update_time_minute, most_clicked_ads, state, revision) as
select w.minutes, e.minute, top.ads, served.state, served.revision
  from (select global_watermark_ms() as ms offset 0) watermark
 cross join hours h
 cross join generate_series(1, 60) m
 cross join lateral (select h.hour + m * interval '1 minute' as minute) e
 cross join (values (1), (5), (15), (60)) w (minutes)
 cross join lateral (
   select case when bool_and(p.generation is not null) then 'final'
               else minute_state(max(s.hour + s.last * interval '1 minute')
                                   filter (where p.generation is null), watermark.ms) end as state,
          coalesce(max(p.revision), 0) as revision
     from hour_slices(e.minute - w.minutes * interval '1 minute', e.minute) s
     left join lateral (
       select revision, generation from pointers
        where hour = s.hour order by revision desc limit 1
     ) p on true
 ) served
 cross join lateral (
   select coalesce(jsonb_agg(jsonb_build_object('ad_id', t.ad_id, 'count', t.clicks)
                             order by t.clicks desc, t.ad_id), '[]') as ads
     from (
       select c.ad_id, sum(c.clicks) as clicks
         from hour_slices(e.minute - w.minutes * interval '1 minute', e.minute) s
         left join lateral (
           select generation from pointers where hour = s.hour order by revision desc limit 1
         ) p on true
        cross join lateral (
          select ad_id, clicks_between(counts, s.first, s.last) as clicks
            from generation_cells where generation = p.generation and filter = ''
          union all
          select ad_id, clicks_between(counts, s.first, s.last)
            from live_cells where p.generation is null and hour = s.hour and filter = ''
          offset 0
        ) c
        group by c.ad_id
       having sum(c.clicks) > 0
        order by sum(c.clicks) desc, c.ad_id
        limit 100
     ) t
 ) top
 where extract(epoch from e.minute) * 1000 <= watermark.ms;
