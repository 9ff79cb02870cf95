-- The archive: every click of the log as Parquet files in the lake, and the manifest that says which
-- files count. A file that is not listed here does not exist for any reader.

-- The archive's own fence, one row per partition; `slot` as in stream_progress, which has a row for
-- every partition that either of the two has seen.
create table archive_progress (
  slot           integer primary key references stream_progress (slot),
  epoch          bigint not null default 0,         -- bumped at every assignment; a commit must match it
  owner          text,                              -- who holds the epoch, for people
  next_offset    bigint not null default 0,         -- everything below is in listed files, rejected or lost
  log_end_offset bigint,                            -- as the owner last saw it
  seen_at        timestamptz                        -- when the owner last reported (its lease)
);

-- The manifest. A key is never used twice: it holds the epoch of the writer and a random part.
create table lake_files (
  id           bigint generated always as identity primary key,
  key          text collate "C" not null unique,    -- path in the lake
  bytes        bigint not null check (bytes > 0),
  sha256       text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  rows         bigint not null check (rows > 0),
  bucket       integer not null,                    -- clicks of ads with hash mod buckets = bucket
  buckets      integer not null check (buckets > 0 and bucket between 0 and buckets - 1),
  min_event_ms bigint not null,
  max_event_ms bigint not null,
  committed_at timestamptz not null default clock_timestamp()
);

-- Which event hours a file holds; hours with few clicks share files.
create table lake_file_hours (
  hour timestamptz not null,
  file bigint not null references lake_files,
  rows bigint not null check (rows > 0),
  primary key (hour, file)
);
create index lake_file_hours_by_file on lake_file_hours (file);

-- From which offsets [from_offset, to_offset) of which partitions a file's rows are: the range that
-- was read; `rows` of its records are in this file.
create table lake_file_ranges (
  file        bigint not null references lake_files,
  slot        integer not null references stream_progress (slot),
  from_offset bigint not null,
  to_offset   bigint not null check (to_offset > from_offset),
  rows        bigint not null check (rows > 0),
  primary key (file, slot)
);
create index lake_file_ranges_by_slot on lake_file_ranges (slot, from_offset);

-- Conservation of the archive, per offset range: to - from = archived + rejected + lost + control.
-- `rejected` are records that are no clicks. The ranges of a slot follow each other without a gap:
-- this proves that the lake covers [0, next_offset) but for what `lost` names.
create table archive_flushes (
  slot         integer not null references stream_progress (slot),
  from_offset  bigint not null,
  to_offset    bigint not null check (to_offset > from_offset),
  epoch        bigint not null,
  archived     bigint not null,
  rejected     bigint not null,
  lost         bigint not null,
  control      bigint not null,
  committed_at timestamptz not null default clock_timestamp(),
  primary key (slot, from_offset),
  check (to_offset - from_offset = archived + rejected + lost + control)
);

-- Offsets [from_offset, to_offset) that the archive never read. They hold publication of the hours
-- whose cut lies above them.
create table archive_losses (
  slot        integer not null references stream_progress (slot),
  from_offset bigint not null,
  to_offset   bigint not null check (to_offset > from_offset),
  reason      text not null check (reason in ('retention', 'gap', 'damage')),
  noted_at    timestamptz not null default now(),
  primary key (slot, from_offset)
);

-- Clicks archived per event minute: `received`, counted by another reader than the stream (I3).
create table archive_flow (
  hour     timestamptz not null,
  slot     integer not null references stream_progress (slot),
  received integer[] not null,
  primary key (hour, slot)
) with (fillfactor = 60);

-- Up to where somebody waits for the archive: it commits early when it has read that far. Cuts of
-- hours are waited for in any case.
create table archive_wanted (
  slot        integer primary key references stream_progress (slot),
  next_offset bigint not null
);
create index hour_cuts_by_slot on hour_cuts (slot, next_offset);
