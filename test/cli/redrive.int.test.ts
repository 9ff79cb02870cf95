import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { truecount } from '../support/command-line.js';
import { cellDifferences, liveCells, type Cells, type LogRecord } from '../support/stream.js';
import {
  OTHER_NAMES,
  RedriveBed,
  addTo,
  clickOf,
  otherNames,
  record,
} from './support/redrive-bed.js';

const NUMBER_ID = `
event_id: { column: event_id }
ad_id: { column: ad_id }
timestamp: { column: timestamp, format: epoch_ms }`;
const NO_ID = NUMBER_ID.replace('column: event_id', 'position: true');
const LOCAL_TIME = NUMBER_ID.replace('epoch_ms', 'yyyy-MM-dd HH:mm:ss');

describe('records of several reasons', () => {
  let bed: RedriveBed;
  const truth: Cells = new Map();
  const fixes: [reason: string, mapping: string, records: number][] = [
    ['missing_field', OTHER_NAMES, 60], // and those without an id, which it cannot mend
    ['missing_field', NO_ID, 50],
    ['wrong_type', NUMBER_ID, 40],
    ['bad_timestamp', LOCAL_TIME, 30],
  ];

  beforeAll(async () => {
    bed = await RedriveBed.open();
    const records: LogRecord[] = [];
    for (let i = 0; i < 180; i++) {
      const { ad, ms, country } = clickOf(i);
      const wall = new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
      if (i < 60) records.push(otherNames(i));
      else if (i < 110) records.push(record(i, { ad_id: ad, timestamp: ms, country }));
      else if (i < 150) records.push(record(i, { event_id: i, ad_id: ad, timestamp: ms, country }));
      else
        records.push(record(i, { event_id: `e${String(i)}`, ad_id: ad, timestamp: wall, country }));
      addTo(truth, i);
    }
    records.push(record(999, 'no json'));
    // The producer was mended as well and sent one of them again, rightly.
    const { ad, ms, country } = clickOf(120);
    const right = { event_id: '120', ad_id: ad, timestamp: ms, country };
    records.push({ key: ad, line: JSON.stringify(right) });
    await bed.send(records);
  });
  afterAll(() => bed.close());

  test('nothing counts before; a plan sends nothing', async () => {
    expect(await bed.flow()).toEqual({ counted: 1, duplicate: 0, quarantined: 181 });
    const before = await bed.onLog();
    for (const [reason, mapping, records] of fixes) {
      const args = ['--reason', reason, '--mapping', bed.mapping(mapping), '--plan'];
      expect(await bed.redrive(...args)).toMatchObject({
        plan: true,
        redrive: null,
        sent: records,
      });
    }
    expect(await bed.onLog()).toBe(before);
  });

  test('mended and redriven, each counts once; what is no click stays', async () => {
    for (const [reason, mapping, records] of fixes) {
      const args = ['--reason', reason, '--mapping', bed.mapping(mapping)];
      expect(await bed.redrive(...args)).toMatchObject({ sent: records });
    }
    await bed.counted();
    expect(cellDifferences(await liveCells(bed.database.pool), truth)).toEqual([]);
    // The one that its producer had sent rightly by then is the duplicate.
    expect(await bed.flow()).toEqual({ counted: 180, duplicate: 1, quarantined: 181 });
    const failed = await truecount(['quarantine', 'redrive', '--reason', 'not_json'], bed.env);
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stdout).toMatch(/^sent 0 of 1 records\nnot sent, not_json: 1\n/);
  });

  test('redriven twice, each still counts once', async () => {
    for (const [reason, mapping, records] of fixes) {
      const args = ['--reason', reason, '--mapping', bed.mapping(mapping)];
      expect(await bed.redrive(...args)).toMatchObject({ sent: 0, redrive: null });
      expect(await bed.redrive(...args, '--again')).toMatchObject({
        sent: records,
        sent_before: 0,
      });
    }
    await bed.counted();
    expect(cellDifferences(await liveCells(bed.database.pool), truth)).toEqual([]);
    expect(await bed.flow()).toEqual({ counted: 180, duplicate: 181, quarantined: 181 });
  });

  test('list and show tell when, by whom and where to; and what is quarantined again', async () => {
    const listed = async () => {
      const args = ['quarantine', 'list', '--reason', 'wrong_type', '--limit', '1', '--json'];
      const { stdout } = await truecount(args, bed.env);
      return (JSON.parse(stdout) as { records: Listed[] }).records[0]!;
    };
    const first = await listed();
    expect(first.redriven).toMatchObject({
      state: 'sent',
      by: expect.stringMatching(/^\S+@\S+$/) as string,
    });
    const { partition, offset } = first.redriven!.to!;
    const { rows } = await bed.database.pool.query<{ n: string }>(
      `select count(*) as n from flushes join stream_progress using (slot)
        where partition = $1 and $2 >= from_offset and $2 < to_offset and duplicate > 0`,
      [partition, offset],
    );
    expect(Number(rows[0]!.n)).toBe(1);
    // As a worker with an older decoder would have it.
    await bed.database.pool.query(
      `insert into quarantine (slot, log_offset, append_time, reason, detail, raw)
       select slot, $2, '2020-01-01', 'wrong_type', 'again', '{}'
         from stream_progress where partition = $1`,
      [partition, offset],
    );
    expect((await listed()).redriven).toMatchObject({ state: 'quarantined_again' });
    const position = `${bed.topic}/${String(first.partition)}/${String(first.offset)}`;
    const shown = await truecount(['quarantine', 'show', position], bed.env);
    expect(shown.stdout).toMatch(/redriven +quarantined again to \d\/\d+ at \S+Z by \S+@\S+\n/);
    expect(shown.stdout).toMatch(/what_to_do +a number for an id becomes text .*--mapping/);
    expect(shown.stdout).toMatch(/\n000000 {2}7b 22 65 /);
  });

  test.each([
    [[], 2, /not said which records/],
    [['--reason', 'ugly'], 2, /there is no reason ugly/],
    [['--select', 'clicks/0'], 2, /no position/],
    [['--select', 'nowhere/0/1'], 3, /no record is quarantined from nowhere\/0 at offset 1/],
    [['--all', '--mapping', 'nowhere.yaml'], 3, /cannot read the mapping/],
  ])('%j is refused with exit %i', async (args, exit, message) => {
    const { code, stderr } = await truecount(['quarantine', 'redrive', ...args], bed.env);
    expect(code).toBe(exit);
    expect(stderr).toMatch(message);
  });
});

interface Listed {
  readonly partition: number;
  readonly offset: number;
  readonly redriven: null | { state: string; to: null | { partition: number; offset: number } };
}
