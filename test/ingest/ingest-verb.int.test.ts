import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../cli/program.js';
import { freshTopic, kafkaBrokers, testKafka } from '../support/stack.js';

let dir: string;
let stdout: string;
let stderr: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'truecount-ingest-'));
  stdout = '';
  stderr = '';
  vi.stubEnv('TRUECOUNT_KAFKA_BROKERS', kafkaBrokers().join(','));
  vi.stubEnv('TRUECOUNT_HOME', dir);
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  rmSync(dir, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

async function recordsOn(topic: string): Promise<number> {
  const admin = testKafka().admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return offsets.reduce((sum, { high }) => sum + Number(high), 0);
}

describe('truecount ingest', () => {
  it('sends NDJSON as it is and says how much', async () => {
    const topic = await freshTopic(2);
    const path = file('clicks.ndjson', '{"ad_id":"a"}\nnonsense\n\n');
    expect(await main(['ingest', path, '--topic', topic, '--compression', 'gzip', '--json'])).toBe(
      0,
    );
    expect(JSON.parse(stdout)).toMatchObject({ topic, sent: 2, bytes: 21, rejected: 0 });
    expect(await recordsOn(topic)).toBe(2);
  });

  it('sends the rows of a CSV that are clicks and lists the others', async () => {
    const topic = await freshTopic(2);
    const bad = Array.from({ length: 25 }, () => 'e,a,yesterday');
    const rows = ['event_id,ad_id,timestamp', 'e,a,1700000000000', ...bad, ''];
    expect(await main(['ingest', file('clicks.csv', rows.join('\n')), '--topic', topic])).toBe(0);
    expect(stdout).toContain(`sent 1 to ${topic}`);
    expect(stdout).toContain('rejected 25\n  line 3: the time is unreadable: "yesterday"');
    expect(stdout).toContain('  and 5 more');
    expect(await recordsOn(topic)).toBe(1);
  });

  it('fails if all rows were rejected', async () => {
    const topic = await freshTopic(1);
    const path = file('clicks.csv', 'event_id,ad_id,timestamp\ne,,1700000000000\n');
    expect(await main(['ingest', path, '--topic', topic])).toBe(1);
    expect(await recordsOn(topic)).toBe(0);
  });

  it('stops at a quote that is never closed', async () => {
    const topic = await freshTopic(1);
    const path = file('clicks.csv', 'event_id,ad_id,timestamp\n"e,a,1700000000000\n');
    expect(await main(['ingest', path, '--topic', topic])).toBe(2);
    expect(stderr).toContain('cannot be read from line 2, character 1 on');
  });

  it.each([
    ['a file that is not there', ['nowhere.ndjson'], 3, /there is no file nowhere\.ndjson/],
    ['a folder', [tmpdir()], 2, /is a folder/],
    ['a mapping for NDJSON', ['package.json', '--mapping', 'm.yaml'], 2, /--mapping is for CSV/],
    ['a mapping that is not there', ['a.csv', '--mapping', 'm.yaml'], 3, /cannot read the mapping/],
    [
      'an unknown format',
      ['package.json', '--format', 'xml'],
      2,
      /Allowed choices are ndjson, csv/,
    ],
    ['an unknown topic', ['package.json', '--topic', 'no-such-topic'], 3, /no topic no-such-topic/],
  ])('says what is wrong with %s', async (_, args, exit, message) => {
    if (args[0] === 'a.csv') args[0] = file('a.csv', '');
    expect(await main(['ingest', ...args])).toBe(exit);
    expect(stderr).toMatch(message);
  });
});
