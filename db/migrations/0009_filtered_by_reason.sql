-- Clicks that a filter of the rule set took out, by reason: which filter it was. Per event minute the
-- reasons add up to what the books call filtered (minute_flow, generations).

create table filtered_flow (
  hour   timestamptz not null,
  slot   integer not null,
  reason text collate "C" not null,
  counts integer[] not null,                        -- 60, one per minute
  primary key (hour, slot, reason)
) with (fillfactor = 60);

create table generation_filtered (
  generation bigint not null references generations,
  reason     text collate "C" not null,
  counts     bigint[] not null,                     -- 60, one per minute
  primary key (generation, reason)
);
