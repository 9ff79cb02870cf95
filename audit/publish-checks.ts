import type { SqlCheck } from './sql-check.js';

const HEAD: SqlCheck = {
  invariant: 'I7',
  name: 'newest_entry',
  holds: 'the publication number that readers see is that of the newest ledger entry',
  unit: 'ledger heads',
  sql: `
    newest as (select publication, hash from ledger order by publication desc limit 1),
    looked as (select publication, hash from ledger_head),
    bad as (select l.publication as head, n.publication as newest_entry, l.hash as head_hash,
                   n.hash as entry_hash
              from looked l left join newest n on true
             where l.publication <> coalesce(n.publication, 0)
                or l.hash <> coalesce(n.hash, repeat('0', 64)))`,
};

/** Later revisions have later numbers: what an as_of reads can never change. */
const REVISIONS: SqlCheck = {
  invariant: 'I8',
  name: 'pointer_revisions',
  holds: 'the revisions of an hour are 1, 2, … and their publication numbers increase',
  unit: 'pointers',
  sql: `
    looked as (select hour, revision, publication,
                      lag(revision, 1, 0) over w as before,
                      lag(publication, 1, 0::bigint) over w as published_before
                 from pointers, asked where hour >= lo and hour < hi
               window w as (partition by hour order by revision)),
    bad as (select hour, revision, publication, before as revision_before,
                   published_before as publication_before
              from looked where revision <> before + 1 or publication <= published_before)`,
};

const GENERATIONS: SqlCheck = {
  invariant: 'I8',
  name: 'pointer_generations',
  holds: 'every pointer leads to a generation of its own hour whose cells are there if it serves',
  unit: 'pointers',
  sql: `
    looked as (select p.hour, p.revision, p.generation, g.hour as of_hour, g.collected_at,
                      row_number() over (partition by p.hour order by p.revision desc) = 1 as serves
                 from asked, pointers p left join generations g on g.id = p.generation
                where p.hour >= lo and p.hour < hi),
    bad as (select hour, revision, generation, of_hour as generation_is_of,
                   case when serves then collected_at end as collected_at
              from looked
             where of_hour is distinct from hour or (serves and collected_at is not null))`,
};

/** What Postgres alone can say of publications. */
export const PUBLISH_CHECKS: readonly SqlCheck[] = [HEAD, REVISIONS, GENERATIONS];
