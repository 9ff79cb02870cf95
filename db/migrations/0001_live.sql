-- The live side: what the stream counts, up to where, and what it could not count.
-- All text that takes part in a key is COLLATE "C": one order, bytewise, everywhere.
-- All times are UTC; an hour is its first instant; a minute within it is 0..59.

create table rule_sets (
  hash       text collate "C" primary key,          -- sha256 of the canonical JSON body
  body       jsonb not null,
  created_at timestamptz not null default now()
);

-- The rule set that a new hour pins. One row.
create table active_rule_set (
  only_row   boolean primary key default true check (only_row),
  hash       text collate "C" not null references rule_sets,
  since      timestamptz not null default now()
);

-- One row per partition of the log: the fence. `slot` is the partition's short name in other tables.
create table stream_progress (
  topic          text collate "C" not null,
  partition      integer not null,
  slot           integer generated always as identity unique,
  epoch          bigint not null default 0,         -- bumped at every assignment; a flush must match it
  owner          text,                              -- who holds the epoch, for people
  next_offset    bigint not null default 0,         -- everything below is counted, late, quarantined or lost
  rebuild_from   bigint not null default 0,         -- the dedupe memory is rebuilt from here
  max_event_ms   bigint,                            -- greatest event time below next_offset, clamped to append time
  log_end_offset bigint,                            -- as the owner last saw it
  seen_at        timestamptz,                       -- when the owner last reported (its lease)
  at_end_since   timestamptz,                       -- since when the owner has read to the end; null while it lags
  primary key (topic, partition)
);

create table hours (
  hour       timestamptz primary key check (date_trunc('hour', hour, 'UTC') = hour),
  state      text not null default 'open' check (state in ('open', 'cut')),
  rule_set   text collate "C" not null references rule_sets,   -- the pin
  created_at timestamptz not null default now(),
  cut_at     timestamptz,
  check ((state = 'cut') = (cut_at is not null))
);

-- The cut of an hour: the next offset per partition at which the stream stopped counting into it.
-- An absent entry is 0.
create table hour_cuts (
  hour        timestamptz not null references hours,
  slot        integer not null references stream_progress (slot),
  next_offset bigint not null,
  primary key (hour, slot)
);

-- Live cells: 60 minute counts per (hour, filter, ad, partition slot). The slot in the key means that
-- a row is written under one fence only: workers never wait for each other's rows. The unfiltered
-- total has the empty filter. Why this layout: docs/decisions (live layout), with measurements.
create table live_cells (
  hour   timestamptz not null,
  filter text collate "C" not null,
  ad_id  text collate "C" not null,
  slot   integer not null,
  counts integer[] not null,
  primary key (hour, filter, ad_id, slot)
) with (fillfactor = 60);

-- Clicks at or above their hour's cut, by position. `filters` are the non-empty filters of the click.
create table late_clicks (
  hour       timestamptz not null,
  slot       integer not null,
  log_offset bigint not null,
  minute     smallint not null check (minute between 0 and 59),
  ad_id      text collate "C" not null,
  filters    text[] not null,
  primary key (hour, slot, log_offset)
);
create index late_clicks_by_ad on late_clicks (ad_id, hour);

-- Records that are no clicks: raw bytes and position kept.
create table quarantine (
  slot        integer not null,
  log_offset  bigint not null,
  append_time timestamptz not null,
  reason      text not null,
  detail      text not null,
  raw         bytea,                                -- null: the record had no value (tombstone)
  recorded_at timestamptz not null default now(),
  primary key (slot, log_offset)
);
create index quarantine_by_reason on quarantine (reason, append_time);

-- Offsets [from_offset, to_offset) that were never read. They hold publication.
create table loss_intervals (
  slot        integer not null,
  from_offset bigint not null,
  to_offset   bigint not null check (to_offset > from_offset),
  reason      text not null check (reason in ('retention', 'gap', 'damage')),
  noted_at    timestamptz not null default now(),
  primary key (slot, from_offset)
);

-- Named causes for which an hour's live count may differ from the exact one.
create table hour_causes (
  hour     timestamptz not null,
  slot     integer not null,
  cause    text not null check (cause in ('dedupe_overflow', 'rebuild_loss')),
  detail   text not null,
  noted_at timestamptz not null default now(),
  primary key (hour, slot, cause)
);

-- Conservation, per offset range: one row per partition and flush. `control` are offsets that hold no
-- record (transaction markers, aborted records). received = to - from - lost - control.
create table flushes (
  slot         integer not null,
  from_offset  bigint not null,
  to_offset    bigint not null check (to_offset > from_offset),
  epoch        bigint not null,
  counted      bigint not null,
  duplicate    bigint not null,
  filtered     bigint not null,
  late         bigint not null,
  quarantined  bigint not null,
  lost         bigint not null,
  control      bigint not null,
  committed_at timestamptz not null default clock_timestamp(),
  primary key (slot, from_offset)
);

-- Conservation, per event minute: 60 counts per (hour, slot) of each fate that has an event time.
create table minute_flow (
  hour      timestamptz not null,
  slot      integer not null,
  counted   integer[] not null,
  duplicate integer[] not null,
  filtered  integer[] not null,
  late      integer[] not null,
  primary key (hour, slot)
) with (fillfactor = 60);

-- One counter orders everything that is seen: ledger index = feed cursor = as_of. Nothing has been
-- published at 0.
create table ledger_head (
  only_row    boolean primary key default true check (only_row),
  publication bigint not null default 0
);
insert into ledger_head default values;
