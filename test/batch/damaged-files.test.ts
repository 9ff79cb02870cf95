import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aggregateTask } from '../../batch/aggregate.js';
import { mergeCells } from '../../batch/merge-cells.js';
import type { AggregateTask } from '../../batch/task.js';
import { RESTORE_HINT, type LakeFile } from '../../core/lake-file.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { CLICK_COLUMNS } from '../../lake/columns.js';
import { engineContext } from '../contract/support/batch-engine.js';
import { click } from '../contract/support/case.js';
import { HOUR, TOPIC, makeLog } from '../contract/support/log.js';
import { openTestLake, put } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';

let lake: TestLake;
let sound: LakeFile;
let other: LakeFile;

beforeAll(async () => {
  lake = await openTestLake();
  const log = makeLog(Array.from({ length: 400 }, () => click({ country: 'US' })));
  [sound] = (await lake.write(log.slice(0, 200), 1)) as [LakeFile];
  [other] = (await lake.write(log.slice(200), 1)) as [LakeFile];
}, 60_000);

afterAll(() => lake.close());

function taskOf(...files: readonly LakeFile[]): AggregateTask {
  const cut = [{ topic: TOPIC, partition: 0, nextOffset: 1_000 }];
  return { hourMs: HOUR, files, cut, ruleSet: DEFAULT_RULE_SET };
}

async function aggregate(...files: readonly LakeFile[]) {
  return aggregateTask(taskOf(...files), await engineContext(lake));
}

/** An object with other bytes under the name, size and hash of `file`. */
async function altered(file: LakeFile, alter: (bytes: Buffer) => Buffer): Promise<LakeFile> {
  const key = `clicks/altered-${String(Math.random()).slice(2)}.parquet`;
  const path = join(lake.folder, 'altered.parquet');
  const { path: from } = await lake.lake.fetch(file.key);
  await writeFile(path, alter(Buffer.from(await readFile(from))));
  await lake.lake.put(key, path);
  return { ...file, key };
}

/** All columns of a click, some of them written otherwise or (null) left out. */
function columns(changed: Readonly<Record<string, string | null>> = {}): string {
  return CLICK_COLUMNS.flatMap(([name, type]) => {
    const value = name === 'event_ms' ? String(HOUR) : type === 'VARCHAR' ? `'x'` : '0';
    const sql = Object.hasOwn(changed, name) ? changed[name]! : `(${value})::${type} as "${name}"`;
    return sql === null ? [] : [sql];
  }).join(', ');
}

async function expectNothingLeft(): Promise<void> {
  const scratch = [];
  for await (const object of lake.lake.list('scratch/')) scratch.push(object);
  expect(scratch).toEqual([]);
  expect(await readdir(join(lake.folder, 'scratch'))).toEqual([]);
}

async function expectRefused(file: LakeFile, saying: RegExp, code = 'lake_file_damaged') {
  await expect(aggregate(sound, file)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(saying) as unknown,
    context: { key: file.key },
    // Nothing archives offsets a second time.
    hint: code === 'lake_file_damaged' ? RESTORE_HINT : (expect.any(String) as string),
  });
  await expectNothingLeft();
}

describe('a file that is not what the manifest says is refused by name, and nothing is left', () => {
  test('a sound file is read', async () => {
    const { rowsRead, cells } = await aggregate(sound, other);
    expect(rowsRead).toBe(400);
    expect(cells.rows).toBe(4);
    await lake.lake.remove(cells.key);
    await expectNothingLeft();
  });

  test.each([0, 4, 0.3, 0.7, 1])('one bit flipped at %d of it', async (part) => {
    const flipped = await altered(sound, (bytes) => {
      const at = part < 2 ? Math.floor(part * (bytes.length - 1)) : part;
      bytes[at]! ^= 0x10;
      return bytes;
    });
    await expectRefused(flipped, /SHA-256/);
  });

  test.each([0, 1, 8, 500])('cut off to %i bytes', async (bytes) => {
    await expectRefused(await altered(sound, (all) => all.subarray(0, bytes)), /bytes instead of/);
  });

  test('bytes behind its end', async () => {
    const longer = await altered(sound, (all) => Buffer.concat([all, Buffer.from('PAR1')]));
    await expectRefused(longer, /bytes instead of/);
  });

  test('the bytes of another file', async () => {
    const bytes = await readFile((await lake.lake.fetch(other.key)).path);
    await expectRefused(await altered(sound, () => bytes), /bytes instead of|SHA-256/);
  });

  test('no such object', async () => {
    await expectRefused({ ...sound, key: 'clicks/gone.parquet' }, /gone/, 'lake_file_missing');
  });

  test('more or fewer rows than listed', async () => {
    await expectRefused({ ...other, rows: 201 }, /says 200 rows, the manifest 201/);
    await expectRefused({ ...other, rows: 199 }, /says 200 rows, the manifest 199/);
  });

  test('no Parquet at all, though size and hash are right', async () => {
    const path = join(lake.folder, 'text.parquet');
    await writeFile(path, 'PAR1 this is no Parquet PAR1');
    const file = await put(lake.lake, path, { id: 9, rows: 1, bucket: 0, buckets: 1 });
    await expectRefused(file, /footer cannot be read/);
  });

  test.each([
    ['a column less', { rest: null }, /column 13 is nothing instead of rest VARCHAR/],
    ['a column more', { rest: `'x' as rest, 1 as more` }, /column 14 is more INTEGER instead of/],
    ['another name', { ip: `'x' as address` }, /column 9 is address VARCHAR instead of ip VARCHAR/],
    [
      'another type',
      { event_ms: `'1' as event_ms` },
      /event_ms VARCHAR instead of event_ms BIGINT/,
    ],
    ['a narrower type', { log_offset: '1::integer as log_offset' }, /log_offset INTEGER instead/],
  ] as const)('%s', async (_what, changed, saying) => {
    await expectRefused(await lake.writeSql(`select ${columns(changed)}`, 1), saying);
  });

  test('the columns in another order', async () => {
    const select = `select partition, * exclude (partition) from (select ${columns()})`;
    const swapped = await lake.writeSql(select, 1);
    await expectRefused(swapped, /column 1 is partition INTEGER instead of topic VARCHAR/);
  });

  test('damaged cells of a task are refused before they are merged', async () => {
    const { cells } = await aggregate(sound);
    const { path } = await lake.lake.fetch(cells.key);
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    const merging = mergeCells([cells], await engineContext(lake), () => Promise.resolve('merged'));
    await expect(merging).rejects.toMatchObject({
      code: 'lake_file_damaged',
      context: { key: cells.key },
    });
    await sweep();
  });
});

/** Removes the scratch objects of runs that went well. */
async function sweep(): Promise<void> {
  for await (const { key } of lake.lake.list('scratch/')) await lake.lake.remove(key);
  await expectNothingLeft();
}

describe('a file that is small and says it is huge', () => {
  const rows = 400_000;

  test('is refused by the cap before it is opened, even if the manifest agrees', async () => {
    const bomb = await lake.writeSql(`select ${columns()} from range(${String(rows)})`, rows);
    const context = await engineContext(lake, { rowsPerFileMax: rows - 1 });
    await expect(aggregateTask(taskOf(bomb), context)).rejects.toMatchObject({
      code: 'lake_file_damaged',
      message: `${bomb.key}: it has 400000 rows, the cap is 399999`,
    });
    await expectRefused({ ...bomb, rows: 200 }, /says 400000 rows, the manifest 200/);
  });

  test('is refused if its rows have no positions of their own, though it is as listed', async () => {
    const bomb = await lake.writeSql(`select ${columns()} from range(${String(rows)})`, rows);
    expect(bomb.bytes).toBeLessThan(10_000);
    await expectRefused(bomb, /a row group says \d+ rows at 1 positions of the log/);
  });

  test('is refused if its footer promises rows that its pages do not hold', async () => {
    const offsets = { log_offset: 'range as log_offset' };
    const select = `select ${columns(offsets)} from range(100001)`;
    const forged = await promising(
      1_000_000,
      await lake.writeSql(select, 100_001, ROW_GROUPS),
      100_001,
    );
    await expectRefused(forged, /a row group says 1000000 rows at 100001 positions/);
    const wide = { log_offset: '(range * 50) as log_offset' };
    const sparse = await lake.writeSql(
      `select ${columns(wide)} from range(100001)`,
      100_001,
      ROW_GROUPS,
    );
    await expectRefused(await promising(1_000_000, sparse, 100_001), /Error/);
  });
});

const ROW_GROUPS = ', row_group_size 2000000';

/** The file with another row count in its footer (Thrift's zigzag varints), listed accordingly. */
async function promising(rows: number, file: LakeFile, held: number): Promise<LakeFile> {
  const path = join(lake.folder, 'promise.parquet');
  const bytes = await readFile((await lake.lake.fetch(file.key)).path);
  const [from, to] = [varint(2 * held), varint(2 * rows)];
  expect(to.length).toBe(from.length);
  let at = bytes.indexOf(from, bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8));
  for (; at !== -1; at = bytes.indexOf(from, at)) to.copy(bytes, at);
  await writeFile(path, bytes);
  return put(lake.lake, path, { ...file, rows });
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push(left < 128 ? left : (left % 128) | 128);
    if (left < 128) return Buffer.from(bytes);
  }
}
