import { appendFile, mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audit, type AuditOptions } from '../../audit/audit.js';
import type { AuditReport, Check, CheckStatus } from '../../audit/report.js';
import { CellsChecksum } from '../../core/generation.js';
import { GENESIS_HASH, ledgerHash } from '../../core/ledger.js';
import { auditedWorld } from './audited-world.js';
import { SHARED_KEY, folderLake } from './final-world.js';
import { worldLog } from './world.js';

const world = auditedWorld();

const run = (options: Partial<AuditOptions> = {}): Promise<AuditReport> =>
  audit({
    pool: world.database.pool,
    readLog: worldLog(),
    lake: folderLake(world.folder),
    allGenerations: true,
    recompute: 10,
    ...options,
  });

function names(report: AuditReport, status: CheckStatus): string[] {
  return report.checks
    .filter((check) => check.status === status && check.name !== 'suite')
    .map((check) => `${check.invariant} ${check.name}`)
    .sort();
}

function find(report: AuditReport, name: string): Check {
  return report.checks.find((check) => `${check.invariant} ${check.name}` === name)!;
}

/** Tables that refuse changes, as somebody with all rights may still change them. */
const FORCED = (table: string, sql: string): string =>
  `alter table ${table} disable trigger user; ${sql}; alter table ${table} enable trigger user`;

/** Without foreign keys as well, as a damaged disk or a wrong restore leaves it. */
const TORN = (sql: string): string => `set session_replication_role = replica; ${sql};
  set session_replication_role = origin`;

describe('a healthy world with final hours', () => {
  it('passes every check of state, and nothing that can be looked at is left unchecked', async () => {
    const report = await run();
    expect(report.checks.filter((check) => check.status === 'broken')).toEqual([]);
    expect(names(report, 'unchecked')).toEqual([]);
    expect(find(report, 'I10 recomputed').checked).toMatchObject({ generations: 2 });
    expect(find(report, 'I6 live_against_generation').checked['findings']).toBe(0);
    expect(find(report, 'I6 live_against_generation').detail).toContain('8 rows');
  });

  it('reads rows of which minutes without clicks at either end were left out', async () => {
    await world.database.pool.query(
      `update generation_cells set counts = '[11:11]={1}' where ad_id = 'c'`,
    );
    expect(names(await run(), 'broken')).toEqual([]);
  });

  it('looks at the generations that serve, unless all are asked for', async () => {
    const { checked } = find(await run({ allGenerations: false }), 'I5 generation_checksums');
    expect(checked).toMatchObject({ generations: 1 });
  });

  it('without the lake, says of each check of it that it was not made', async () => {
    expect(names(await run({ lake: null }), 'unchecked')).toEqual([
      'I10 lake_files',
      'I10 recomputed',
      'I9 lake_strays',
    ]);
  });

  it('allows the archive to be ahead of the stream, and behind it', async () => {
    await world.database.pool.query(`update archive_flow set received[31] = 1 where slot = 3;
      insert into archive_flow values ('2026-11-21T10:00Z', 3, array_fill(0, array[60]));
      update archive_flow set received[31] = 1 where slot = 3;
      insert into archive_flushes values (3, 0, 1, 1, 1, 0, 0, 0);
      update archive_progress set next_offset = 1 where slot = 3`);
    const ahead = await run();
    expect(find(ahead, 'I3 archive_flow').status).toBe('ok');
    await world.database.pool.query(`update archive_progress set next_offset = 0 where slot = 3`);
    expect(find(await run(), 'I3 archive_flow').status).toBe('broken');
  });
});

// Each damages one thing. The list is all that the audit then calls broken.
const DAMAGES: [what: string, sql: string, broken: string[]][] = [
  [
    'an archive flush begins too late',
    `update archive_flushes set from_offset = 7, control = 0 where slot = 1 and from_offset = 6`,
    ['I3 archive_files', 'I3 archive_ranges'],
  ],
  [
    'the archive’s position is ahead of its flushes',
    `update archive_progress set next_offset = 3 where slot = 2`,
    ['I3 archive_ranges'],
  ],
  [
    'the archive lost an offset',
    `insert into archive_losses values (1, 3, 4, 'gap');
     update archive_flushes set lost = 1, rejected = 0 where slot = 1 and from_offset = 0`,
    ['I3 archive_loss'],
  ],
  [
    'the archive lost an offset that no flush knows',
    `insert into archive_losses values (1, 10, 11, 'gap')`,
    ['I3 archive_loss', 'I3 archive_lost_offsets'],
  ],
  [
    'the archive rejected a click that the stream counted',
    `update archive_flushes set rejected = 2, archived = 4 where slot = 1 and from_offset = 0`,
    ['I3 archive_files', 'I3 archive_rejected', 'I3 archive_sums'],
  ],
  [
    'the archive counted a click in another minute',
    `update archive_flow set received[1] = 2, received[3] = 3 where slot = 1
        and hour = '2026-11-21T10:00Z'`,
    ['I3 archive_flow', 'I3 generation_received'],
  ],
  [
    'the archive counted a click in another hour',
    `update archive_flow set received[6] = 0 where slot = 1 and hour = '2026-11-21T11:00Z';
     update archive_flow set received[6] = 1 where slot = 1 and hour = '2026-11-21T10:00Z'`,
    ['I3 archive_flow', 'I3 archive_hours', 'I3 generation_received'],
  ],
  [
    'a file has another number of rows than its ranges',
    `update lake_file_ranges set rows = 5 where file = 1 and slot = 1`,
    ['I3 archive_files', 'I3 file_rows'],
  ],
  [
    'a file holds clicks of an hour that it does not name',
    `update lake_files set max_event_ms = max_event_ms + 3600000 where id = 1`,
    ['I3 file_rows'],
  ],
  [
    'a file is not listed any more',
    TORN(`delete from lake_files where id = 2; delete from lake_file_hours where file = 2;
          delete from lake_file_ranges where file = 2`),
    ['I3 archive_files', 'I3 archive_hours', 'I9 lake_strays'],
  ],
  [
    'a generation received one more than it accounts for',
    `update generations set received[3] = 3 where id = 2`,
    ['I10 recomputed', 'I3 generation_flow', 'I3 generation_received'],
  ],
  [
    'a generation counted a duplicate',
    `update generations set counted[1] = 2, duplicate[1] = 0 where id = 1`,
    ['I10 recomputed', 'I3 generation_cells'],
  ],
  [
    'a generation filtered a duplicate, for no reason',
    `update generations set filtered[1] = 1, duplicate[1] = 0 where id = 1`,
    ['I10 recomputed', 'I3 generation_reasons'],
  ],
  [
    'a generation has a reason, and filtered nothing',
    `insert into generation_filtered values (1, 'robot', array_fill(0, array[59]) || 1)`,
    ['I10 recomputed', 'I3 generation_reasons'],
  ],
  [
    'the reasons of a generation have 61 minutes',
    `insert into generation_filtered values (1, 'robot', array_fill(0, array[61]))`,
    ['I10 recomputed', 'I3 generation_reasons'],
  ],
  [
    'a cell of a generation is one too high',
    `update generation_cells set counts[1] = 2 where generation = 2 and filter = '' and ad_id = 'a'`,
    ['I3 generation_cells', 'I4 generation_sums', 'I5 generation_checksums'],
  ],
  [
    'a cell of a generation is missing',
    `delete from generation_cells where generation = 2 and filter = 'country:GB'`,
    ['I4 generation_sums', 'I5 generation_checksums'],
  ],
  [
    'a generation has cells of a dimension that is none',
    `insert into generation_cells select generation, 'colour:red', ad_id, counts
       from generation_cells where generation = 2 and filter = ''`,
    ['I4 generation_sums', 'I5 generation_checksums'],
  ],
  [
    'a row of a generation has 61 minutes',
    `update generation_cells set counts = counts || 0
      where generation = 2 and filter = 'country:GB'`,
    ['I4 generation_shape'],
  ],
  [
    'clicks of a generation are another ad’s',
    `update generation_cells set ad_id = 'z' where generation = 2 and ad_id = 'c'`,
    ['I5 generation_checksums'],
  ],
  [
    'and the checksum was made to fit',
    `update generation_cells set ad_id = 'b' where generation = 1 and ad_id = 'c';
     update generations set checksum = '${'0'.repeat(64)}' where id = 1`,
    [
      'I10 recomputed',
      'I5 generation_checksums',
      'I6 live_against_generation',
      'I8 pointer_entries',
    ],
  ],
  [
    'a generation says another cut than it was made at',
    `update generation_cuts set next_offset = 6 where generation = 1 and slot = 1`,
    ['I10 recomputed', 'I5 generation_inputs', 'I8 examined_cuts', 'I8 pointer_entries'],
  ],
  [
    'a generation was made above the archive',
    `update archive_progress set next_offset = 1 where slot = 2;
     update archive_flushes set to_offset = 1, archived = 1 where slot = 2`,
    ['I3 archive_files', 'I3 archive_sums', 'I5 generation_cuts'],
  ],
  [
    'a generation was made below its hour’s cut',
    `update hour_cuts set next_offset = 2 where slot = 2`,
    ['I5 generation_cuts'],
  ],
  [
    'a generation leaves out a file',
    `delete from generation_files where generation = 2 and file = 3`,
    ['I10 generation_files', 'I10 recomputed'],
  ],
  [
    'a generation lists a file of another hour',
    `insert into generation_files values (2, 2)`,
    ['I10 generation_files'],
  ],
  [
    'cells without a generation',
    `insert into generation_cells values (77, '', 'a', array_fill(1, array[60]))`,
    ['I9 stray_cells'],
  ],
  [
    'cells of a generation that was collected days ago',
    `update generations set collected_at = now() - interval '2 days' where id = 1`,
    ['I9 stray_cells'],
  ],
  [
    'the generation that serves was collected',
    `update generations set collected_at = now() where id = 2;
     delete from generation_cells where generation = 2`,
    ['I8 pointer_generations'],
  ],
  [
    'a live cell was altered after its hour was cut',
    `update live_cells set counts[11] = 2 where ad_id = 'c' and hour = '2026-11-21T10:00Z'`,
    ['I1 cells_against_log', 'I3 flow_cells', 'I6 live_against_generation'],
  ],
  [
    'a difference has no cause',
    `update reconciliations set causes = '{"unknown": {"cells": 1, "clicks": 2}}'`,
    ['I6 reconciled'],
  ],
  [
    'a revision is missing',
    FORCED('pointers', `delete from pointers where revision = 2`),
    ['I8 pointer_entries', 'I8 pointer_revisions'],
  ],
  [
    'the newest pointer was taken back',
    FORCED('pointers', `delete from pointers where revision = 4`),
    ['I8 examined_cuts', 'I8 pointer_entries'],
  ],
  [
    'two publications were swapped',
    FORCED(
      'pointers',
      `update pointers set publication = 5 - publication where revision in (2, 3)`,
    ),
    ['I8 pointer_entries', 'I8 pointer_revisions'],
  ],
  [
    'a pointer leads to another generation than its entry says',
    FORCED('pointers', `update pointers set generation = 1 where revision = 4`),
    ['I8 examined_cuts', 'I8 pointer_entries'],
  ],
  [
    'a pointer leads to a generation of another hour',
    FORCED('pointers', `update pointers set hour = '2026-11-21T11:00Z' where revision = 4`),
    ['I8 examined_cuts', 'I8 pointer_entries', 'I8 pointer_generations', 'I8 pointer_revisions'],
  ],
  [
    'an entry of the ledger was altered',
    FORCED(
      'ledger',
      `update ledger set body = replace(body, 'a test', 'A test') where publication = 2`,
    ),
    ['I11 ledger_chain'],
  ],
  [
    'an entry was altered and its hash made to fit',
    FORCED(
      'ledger',
      `update ledger set body = replace(body, 'a test', 'A test'), hash = encode(sha256(
         convert_to(prev_hash || E'\\n' || replace(body, 'a test', 'A test'), 'UTF8')), 'hex')
        where publication = 2`,
    ),
    ['I11 ledger_chain'],
  ],
  [
    'an entry cannot be read',
    FORCED('ledger', `update ledger set body = '{' where publication = 3`),
    ['I11 ledger_chain'],
  ],
  [
    'an entry is missing',
    TORN(`delete from ledger where publication = 3`),
    ['I11 ledger_chain', 'I8 holds', 'I8 pointer_entries'],
  ],
  [
    'the tail of the ledger was cut off',
    TORN(`delete from ledger where publication = 5`),
    ['I7 newest_entry', 'I8 examined_cuts'],
  ],
  ['the head is behind the ledger', `update ledger_head set publication = 4`, ['I7 newest_entry']],
  [
    'clicks are called examined that no recompute looked at',
    `update examined_cuts set next_offset = 12 where generation = 1 and slot = 1`,
    ['I8 examined_cuts'],
  ],
  [
    'a confirmation is lost',
    `delete from examined_cuts where generation = 2 and publication = 0`,
    ['I8 examined_cuts'],
  ],
  ['a hold of no rollback', `update hour_holds set publication = 2`, ['I8 holds']],
];

describe('names what is broken when', () => {
  it.each(DAMAGES)('%s', async (_what, sql, broken) => {
    await world.database.pool.query(sql);
    const report = await run();
    expect(names(report, 'broken')).toEqual(broken);
    expect(report.ok).toBe(false);
    for (const name of broken) expect(find(report, name).examples.length).toBeGreaterThan(0);
  });

  it('a file of the lake is gone', async () => {
    await rm(join(world.folder, SHARED_KEY));
    expect(names(await run(), 'broken')).toEqual(['I10 lake_files', 'I10 recomputed']);
  });

  it('a file of the lake is longer than it was', async () => {
    await appendFile(join(world.folder, SHARED_KEY), 'x');
    expect(names(await run(), 'broken')).toEqual(['I10 lake_files', 'I10 recomputed']);
  });

  it('a file of the lake was swapped for another one of its size', async () => {
    const path = join(world.folder, SHARED_KEY);
    const { size } = await stat(path);
    await writeFile(path, Buffer.alloc(size));
    const report = await run();
    expect(names(report, 'broken')).toEqual(['I10 recomputed']);
    expect(find(report, 'I10 recomputed').examples[0]).toMatchObject({
      key: SHARED_KEY,
      problem: 'the file is not what its SHA-256 says',
    });
  });

  it('an object is left over of a writer that was replaced, or of a workflow long ago', async () => {
    const put = async (key: string): Promise<void> => {
      await mkdir(dirname(join(world.folder, key)), { recursive: true });
      await writeFile(join(world.folder, key), 'x');
    };
    await put(SHARED_KEY.replace('0c', '0d'));
    await put('scratch/a-run.99999999999999-0.parquet');
    expect(names(await run(), 'broken')).toEqual([]);
    await put('clicks/shared/b0of1/1-e2-0e.parquet');
    await put('scratch/a-run.1000-0.parquet');
    const report = await run();
    expect(names(report, 'broken')).toEqual(['I9 lake_strays']);
    expect(find(report, 'I9 lake_strays').checked).toMatchObject({ objects: 7, findings: 2 });
  });

  it('an upload has not ended for more than a day', async () => {
    const path = join(world.folder, '.incoming', 'a7e1');
    await mkdir(dirname(path));
    await writeFile(path, 'half');
    const begun = (hoursAgo: number): Promise<void> => {
      const at = new Date(Date.now() - hoursAgo * 3_600_000);
      return utimes(path, at, at);
    };
    await begun(23);
    expect(names(await run(), 'broken')).toEqual([]);
    await begun(25);
    const report = await run();
    expect(names(report, 'broken')).toEqual(['I9 lake_strays']);
    expect(find(report, 'I9 lake_strays').examples).toEqual([
      expect.objectContaining({ key: '.incoming/a7e1', bytes: 4 }),
    ]);
  });

  it('cells were altered with all that vouches for them in Postgres: the lake still tells', async () => {
    await forge(2, `update generation_cells set ad_id = 'b' where generation = 2 and ad_id = 'c'`);
    const report = await run();
    expect(names(report, 'broken')).toEqual(['I10 recomputed']);
    expect(find(report, 'I10 recomputed').examples).toContainEqual(
      expect.objectContaining({ ad_id: 'b', filter: '', minute: 10, stored: 1, lake: 0 }),
    );
  });
});

/** Alters cells, then the checksum, every entry that names it, and the whole chain after. */
async function forge(generation: number, sql: string): Promise<void> {
  const { pool } = world.database;
  await pool.query(sql);
  const before = await pool.query<{ checksum: string }>(
    'select checksum from generations where id = $1',
    [generation],
  );
  const cells = await pool.query<{ filter: string; ad_id: string; counts: number[] }>(
    'select * from generation_cells where generation = $1 order by filter, ad_id',
    [generation],
  );
  const checksum = new CellsChecksum();
  for (const { filter, ad_id: ad, counts } of cells.rows) checksum.add(filter, ad, counts);
  const forged = checksum.digest();
  await pool.query('update generations set checksum = $2 where id = $1', [generation, forged]);
  await pool.query('alter table ledger disable trigger user');
  const entries = await pool.query<{ publication: string; body: string }>(
    'select publication, body from ledger order by publication',
  );
  let prev = GENESIS_HASH;
  for (const { publication, body } of entries.rows) {
    const text = body.replaceAll(before.rows[0]!.checksum, forged);
    const hash = ledgerHash(prev, text);
    await pool.query(
      'update ledger set body = $2, prev_hash = $3, hash = $4 where publication = $1',
      [...[publication, text, prev, hash]],
    );
    prev = hash;
  }
  await pool.query('update ledger_head set hash = $1', [prev]);
}
