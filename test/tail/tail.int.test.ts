import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateClicks } from '../../ingest/generator/generate.js';
import { freshTopic, kafkaBrokers } from '../support/stack.js';
import { readTopic } from '../support/stream.js';
import { until } from '../support/until.js';
import { RotatingWriter } from './support/rotating-writer.js';
import { TailProcess } from './support/tail-process.js';
import { torture } from './support/torture.js';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'truecount-tail-'));
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

async function valuesOn(topic: string): Promise<string[]> {
  const records = await readTopic(kafkaBrokers(), topic);
  return records.map(({ value }) => value!.toString());
}

describe('truecount tail', () => {
  it.each([
    ['rename and date', false],
    ['copytruncate', true],
  ])('loses no line of a log that rotates 8 times by %s, killed 3 times', async (_, byCopy) => {
    const topic = await freshTopic(2);
    const lines = Array.from(generateClicks({ clicks: 6_000, seed: 6 }), ({ line }) =>
      Buffer.from(line).toString(),
    );
    const content = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const folder = join(home, 'logs');
    const writer = new RotatingWriter({
      folder,
      content,
      rotations: 8,
      seed: 2,
      copyTruncate: byCopy,
    });
    const args = [folder, '--format', 'ndjson', '--grace-ms', '200'];
    await torture(writer, { home, brokers: kafkaBrokers(), topic, args }, 3, 1);
    expect(writer.rotated).toBe(8);
    expect(writer.compressed).toBeGreaterThan(3);
    const sent = await valuesOn(topic);
    // A line may end with CR LF.
    const written = lines.map((line) => line.replace(/\r$/, '')).filter((line) => line !== '');
    const onLog = new Set(sent);
    expect(written.filter((line) => !onLog.has(line)).slice(0, 5)).toEqual([]);
    const known = new Set(written);
    expect(sent.filter((line) => !known.has(line)).slice(0, 5)).toEqual([]);
    const copies = (all: readonly string[]): Map<string, number> => {
      const counts = new Map<string, number>();
      for (const text of all) counts.set(text, (counts.get(text) ?? 0) + 1);
      return counts;
    };
    const onTopic = copies(sent);
    const fewer = [...copies(written)].filter(([text, count]) => onTopic.get(text)! < count);
    expect(fewer).toEqual([]);
  });

  it('keeps the lines that are no clicks, ends with 0, and goes on behind them', async () => {
    const topic = await freshTopic(1);
    const log = join(home, 'clicks.csv');
    writeFileSync(log, 'event_id,ad_id,timestamp\ne1,a,1700000000000\ne2,a,never\n');
    const options = { home, brokers: kafkaBrokers(), topic, args: [log] };
    let tail = await TailProcess.start(options);
    await tail.untilDrained();
    expect(await tail.end('SIGTERM')).toBe(0);
    appendFileSync(log, 'e3,a,1700000000000\n');
    tail = await TailProcess.start(options);
    await until('the third line was sent', async () => {
      return (await tail.metric('truecount_tail_sent_total')) === 1;
    });
    expect(await tail.end('SIGTERM')).toBe(0);
    expect((await valuesOn(topic)).map((text) => JSON.parse(text) as unknown)).toMatchObject([
      { event_id: 'e1' },
      { event_id: 'e3' },
    ]);
    const rejects = readFileSync(join(home, 'tail', 'state.json.rejects.ndjson'), 'utf8');
    expect(JSON.parse(rejects)).toMatchObject({ file: log, line: 3, text: 'e2,a,never' });
  });

  it('refuses a state that another one has, and takes it over from one that was killed', async () => {
    const topic = await freshTopic(1);
    mkdirSync(join(home, 'logs'));
    const options = { home, brokers: kafkaBrokers(), topic, args: [join(home, 'logs')] };
    const first = await TailProcess.start(options);
    await expect(TailProcess.start(options)).rejects.toThrow('has the state file');
    await first.end('SIGKILL');
    const next = await TailProcess.start(options);
    expect(await next.end('SIGTERM')).toBe(0);
  });
});
