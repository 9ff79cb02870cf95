-- Generations: immutable sets of cells for one hour, each a function of (hour, cut, rule set). A load
-- is one transaction (register, cells, validation), so a killed load leaves nothing behind. Why one
-- table: docs/decisions (layout of generations), with measurements.
create table generations (
  id          bigint generated always as identity primary key,
  hour        timestamptz not null references hours,
  rule_set    text collate "C" not null references rule_sets,
  inputs_hash text not null unique,                 -- sha256 of hour, rule set and cut: core/generation.ts
  checksum    text not null,                        -- sha256 over the cells in canonical order
  rows        bigint not null,                      -- rows of generation_cells
  cells       bigint not null,                      -- counts that are not 0
  -- Per event minute (60 each), of the clicks below the cut: received = counted + duplicate + filtered.
  received    bigint[] not null,
  counted     bigint[] not null,
  duplicate   bigint[] not null,
  filtered    bigint[] not null,
  built_by    text not null,                        -- workflow that built it
  built_at    timestamptz not null default clock_timestamp(),
  loaded_at   timestamptz not null default clock_timestamp(),  -- when its cells came in (again)
  collected_at timestamptz                          -- its cells were removed by retention; null: they are here
);
create index generations_by_hour on generations (hour, id);

-- The cut a generation was made at; an absent entry is 0.
create table generation_cuts (
  generation  bigint not null references generations,
  slot        integer not null references stream_progress (slot),
  next_offset bigint not null check (next_offset > 0),
  primary key (generation, slot)
);

-- The files that it was made from.
create table generation_files (
  generation bigint not null references generations,
  file       bigint not null references lake_files,
  primary key (generation, file)
);

-- Cells of all generations, in the shape of live_cells; written by the load's transaction only. No
-- foreign key: it would cost one lookup per row; `truecount audit` looks for strays.
create table generation_cells (
  generation bigint not null,
  filter     text collate "C" not null,
  ad_id      text collate "C" not null,
  counts     integer[] not null,
  primary key (generation, filter, ad_id)
);

-- Diffs of an hour: a generation against what was counted live, or against the one that serves.
create table reconciliations (
  id             bigint generated always as identity primary key,
  hour           timestamptz not null references hours,
  generation     bigint not null references generations,
  against        text not null check (against in ('live', 'served')),
  base           bigint references generations,     -- the served one; null against live
  revision       integer not null check (revision >= 0), -- the hour's newest when it was compared
  clicks_base    bigint not null,                   -- clicks of the unfiltered total, before …
  clicks_new     bigint not null,                   -- … and in the generation
  clicks_moved   bigint not null,                   -- sum of |new - base| of the total, or more, changed in a dimension
  cells_compared bigint not null,
  cells_differ   bigint not null,
  causes         jsonb not null,                    -- {"late": {"cells": 3, "clicks": 4}, …}
  drift          double precision not null,         -- clicks_moved / max(clicks_new, 1)
  threshold      double precision not null,
  decision       text not null check (decision in ('publish', 'publish_alert', 'hold')),
  reason         text not null,
  made_by        text not null,
  made_at        timestamptz not null default clock_timestamp()
);
create index reconciliations_by_hour on reconciliations (hour, id);

-- The cells that differ: all of them up to the cap in core, the ones that moved most first.
create table reconciliation_cells (
  reconciliation bigint not null references reconciliations on delete cascade,
  filter         text collate "C" not null,
  ad_id          text collate "C" not null,
  minute         smallint not null check (minute between 0 and 59),
  base_count     bigint not null,
  new_count      bigint not null,
  cause          text not null check (cause in
    ('late', 'dedupe_overflow', 'rule_version', 'stream_loss', 'archive_loss', 'unknown')),
  primary key (reconciliation, filter, ad_id, minute)
);
