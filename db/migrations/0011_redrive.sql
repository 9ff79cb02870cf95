-- Quarantined records that a person sent to the log again: what, when, by whom, and where they are now.
-- The quarantine itself keeps its rows: they are what became of those offsets.

-- One run of `truecount quarantine redrive`.
create table redrives (
  id         bigint generated always as identity primary key,
  actor      text not null,
  mapping    text,                                  -- as it was given; null: the bytes as they were
  started_at timestamptz not null default now()
);

-- A record and the run that sent it: written before it is sent, completed when all in-sync replicas
-- have it. A row without `acked_at` was perhaps sent: sending it again gives a duplicate.
create table redriven (
  slot         integer not null,
  log_offset   bigint not null,
  redrive      bigint not null references redrives,
  to_partition integer,                             -- of the same topic
  to_offset    bigint,                              -- null once acknowledged: the broker did not say
  acked_at     timestamptz,
  primary key (slot, log_offset, redrive),
  foreign key (slot, log_offset) references quarantine
);
