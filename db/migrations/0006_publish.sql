-- What is seen. One number orders everything: ledger index = feed cursor = as_of. All of it is
-- append-only; the row lock of ledger_head, taken first and held to the commit, serialises writers.

alter table ledger_head add column hash text not null
  default '0000000000000000000000000000000000000000000000000000000000000000';

create table ledger (
  publication bigint primary key check (publication > 0),
  kind        text not null check (kind in ('publish', 'rollback', 'confirm', 'release')),
  request     text not null unique,                 -- who asks twice with one request gets one entry
  body        text not null,                        -- canonical JSON: everything that was decided
  prev_hash   text not null,
  hash        text not null unique,                 -- core/ledger.ts
  at          timestamptz not null default clock_timestamp()
);

-- (hour, revision) → generation. Inserting revision n + 1 is the compare-and-swap; the feed is the
-- difference between a revision and the one before it.
create table pointers (
  hour        timestamptz not null references hours,
  revision    integer not null check (revision > 0),
  generation  bigint not null references generations,
  publication bigint not null references ledger,
  primary key (hour, revision)
);
create index pointers_by_publication on pointers (publication, hour);
create index pointers_by_generation on pointers (generation);

-- Up to where the clicks of an hour have been looked at for a generation: its own cut (publication
-- 0) and the cuts of the confirmations of it. A late click below one of them is examined.
create table examined_cuts (
  generation  bigint not null references generations,
  publication bigint not null,
  slot        integer not null references stream_progress (slot),
  next_offset bigint not null check (next_offset > 0),
  primary key (generation, publication, slot)
);

-- A hold keeps automatic publication off an hour until a person releases it.
create table hour_holds (
  hour        timestamptz not null references hours,
  publication bigint not null references ledger,
  released    bigint references ledger,             -- the release; null: held
  reason      text not null,
  primary key (hour, publication)
);
create index hour_holds_open on hour_holds (hour) where released is null;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger ledger_append_only before update or delete or truncate on ledger
  for each statement execute function refuse_change();
create trigger pointers_append_only before update or delete or truncate on pointers
  for each statement execute function refuse_change();
